"""What the training loop costs beside the bare step: writes a section of RESULTS.md.

    python -m benchmarks.loop_overhead --data DIR [--updates 60] [--repeats 3]

Bare: forward, loss, backward and optimizer on one batch that is there already. Loop: `rsgan train` with that config,
which also reads and simulates the tiles (one worker), clips, averages weights, logs and watches the game's health. Both
in turn, in one process, with one thread; the ratio of a repeat is what counts, the seconds are this machine's.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from benchmarks.results import record, table
from rsgan.training.loading import AnyConfig, load_config
from rsgan.training.loop import Trainer, batches, train

CONFIGS = ("superres_s2_rgbn_x2", "despeckle_sar")
CPU = torch.device("cpu")


def short(name: str, data: Path, updates: int) -> AnyConfig:
    """A shipped config, its first stage cut to `updates`, nothing validated or saved on the way."""
    path = Path("configs") / f"{name}.yaml"
    samples = updates * load_config(path).training.batch_size
    never = ("validate_every", "checkpoint_every")
    return load_config(
        path,
        [
            f"data.root={data}", f"training.faithful_samples={samples}", "training.adversarial_samples=0",
            "training.probe_samples=0", "training.precision=float32", "training.threads=1", "training.workers=1",
            *(f"training.{key}=1000000" for key in never), f"training.log_every={samples // 2}",
        ],
    )  # fmt: skip


def bare(config: AnyConfig, updates: int) -> float:
    """Seconds per update of the bare step."""
    trainer = Trainer(config, CPU)
    trainer.task.load(CPU)
    (pairs,) = islice(batches(trainer.task, config.training, 0), 1)
    optimizer = trainer.optimizers["generator"]
    started = time.perf_counter()
    for _ in range(updates):
        loss = torch.stack(list(trainer.game.generator_terms(pairs, False).values())).sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    return (time.perf_counter() - started) / updates


def looped(config: AnyConfig, folder: Path) -> tuple[float, float]:
    """Seconds per update of the loop once it runs (its second half), and the share of them in which it waited."""
    *_, values = (event for event in train(config, folder, device=CPU) if "samples_per_second" in event)
    return config.training.batch_size / values["samples_per_second"], values["waiting"]


def main() -> None:
    """Measure, and write the section."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--updates", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    lines = []
    for name in CONFIGS:
        config, found = short(name, arguments.data, arguments.updates), []
        for _ in range(arguments.repeats):
            with tempfile.TemporaryDirectory() as folder:
                step = bare(config, arguments.updates)
                found.append((step, *looped(config, Path(folder) / "run")))
        steps, loops, waits = np.array(found).T
        ratios = loops / steps
        lines.append(
            [name, *(f"{1000 * np.median(x):.0f}" for x in (steps, loops)), f"{np.median(ratios):.3f}",
             f"{ratios.min():.3f} .. {ratios.max():.3f}", f"{np.median(waits):.1%}"]
        )  # fmt: skip
        print(*lines[-1], sep=" | ", flush=True)
    head = ["config", "bare, ms", "loop, ms", "ratio, median", "least .. most", "waiting"]
    record("loop_overhead.py", f"`python -m benchmarks.loop_overhead --data DIR`\n\n{table(head, lines)}")


if __name__ == "__main__":
    main()
