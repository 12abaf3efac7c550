"""Several processes that train one model: the same numbers as one, and a word when one of them is gone."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor

from rsgan.errors import ConfigError, RsganError
from rsgan.nn.ranks import average_gradients, gathered, mean_over_ranks, own
from rsgan.training.checkpoint import load_checkpoint
from rsgan.training.loop import CHECKPOINT, LOG, MODEL, Shares, train
from rsgan.training.processes import telling_of_lost_ones

WORKER = """
import sys
from pathlib import Path
import torch
from rsgan.training.loading import load_config
from rsgan.training.loop import CHECKPOINT, train
from rsgan.training.processes import joined
torch.set_num_threads(1)
with joined(torch.device("cpu")) as device:
    for folder in map(Path, sys.argv[1:]):
        run = folder / "run"
        for _ in train(load_config(folder / "run.yaml"), run, device=device, resume=(run / CHECKPOINT).exists()):
            pass
"""
Write = Callable[..., Path]


def start(folders: list[Path], count: int) -> list[subprocess.Popen[str]]:
    """Processes that train the configs of some folders, one after the other, as torchrun would start them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    return [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, *map(str, folders)],
            env=os.environ | shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]


def finish(processes: list[subprocess.Popen[str]]) -> None:
    for process in processes:
        _, said = process.communicate(timeout=300)
        assert process.returncode == 0, said


def settings_of(folder: Path, name: str, make: Callable[..., Any], **changes: Any) -> Path:
    """A folder with a config in it."""
    (folder / name).mkdir()
    text = yaml.safe_dump(make(**changes).model_dump(mode="json"), sort_keys=False)
    (folder / name / "run.yaml").write_text(text, encoding="utf-8")
    return folder / name


def weights(folder: Path) -> dict[str, Tensor]:
    """Everything that a run has learnt, in full precision."""
    state, found = load_checkpoint(folder / "run" / CHECKPOINT), {}
    for part in ("generator", "discriminator", "ema"):
        found |= {f"{part}.{name}": value for name, value in state[part].items() if value.is_floating_point()}
    return found


def farthest(first: Path, second: Path) -> float:
    one, other = weights(first), weights(second)
    assert one.keys() == other.keys()
    return max(float((one[name] - other[name]).abs().max()) for name in one)


def normalised(tiles: Path, **training: Any) -> Any:
    """The same with batch normalisation in a discriminator and in a U-Net's encoder, and nothing that forbids it."""
    made = cycle(tiles, **training).model_dump(mode="json")
    made["adversary"] = {"objective": "hinge"}
    made["discriminator"]["normalisation"] = "batch"
    made["generator"]["forth"] = {"kind": "unet", "bands": 4, "target_bands": 4, "encoder": "resnet18", "depth": 3}
    made["training"] |= {"adversarial_samples": 24}
    return type(cycle(tiles)).model_validate(made)


def cycle(tiles: Path, **training: Any) -> Any:
    """CycleGAN on the tiles of `write_tile`, with what couples the images of a batch."""
    from rsgan.training.translation.config import TranslateConfig

    bands = ["B02", "B03", "B04", "B08"]
    side = {"sensor": "sentinel-2a", "bands": bands, "centre": [0.1] * 4, "spread": [0.1] * 4}
    network = {"kind": "translator", "bands": 4, "target_bands": 4, "channels": 4, "halvings": 1, "blocks": 1}
    return TranslateConfig.model_validate(
        {
            "task": "translate",
            "seed": 5,
            "model": {"name": "tiny", "licence": "CC0-1.0", "training_data": ["synthetic"], "limits": ["none"]},
            "source": {"name": "a", **side},
            "target": {"name": "b", **side},
            "generator": {"kind": "translation", "forth": network, "back": network},
            "discriminator": {
                "kind": "translation", "source_bands": 4, "target_bands": 4, "channels": 4, "strided": 1, "both": True,
                "spectral_norm": False,
            },
            "data": {
                "kind": "unpaired", "root": str(tiles), "source": [{"glob": "a*.tif"}], "target": [{"glob": "a*.tif"}],
            },
            "losses": {"kind": "cycle", "detail": 0.5, "negative": 1.0},
            "adversary": {
                "objective": "relativistic-average", "history": 3, "unrolled": 2, "unrolled_rate": 0.01,
                "consistency": 0.1, "augment_gain": 0.1, "gradient_penalty": 1.0, "every": 3,
            },
            "training": {
                "batch_size": 4, "chip_size": 16, "faithful_samples": 0, "adversarial_samples": 80,
                "learning_rate": 1e-3, "ema_half_life": 16, "validate_every": 1000, "checkpoint_every": 1000,
                "threads": 1, "precision": "float64",
            } | training,
        }
    )  # fmt: skip


COUPLED = {
    "objective": "relativistic-average", "r1": 0.5, "r2": 0.1, "every": 3, "lecam": 0.1, "instance_noise": 0.05,
    "feature_matching": 0.5, "augment": 0.5, "augment_gain": 0.1,
}  # fmt: skip
LONG = {"batch_size": 4, "faithful_samples": 24, "adversarial_samples": 56, "checkpoint_every": 1000}


@pytest.mark.usefixtures("two_places")
def test_two_processes_give_the_numbers_of_one(tiny: Callable[..., Any], tmp_path: Path) -> None:
    """20 updates in float64, with lazy penalties, EMA, batch statistics, relativistic losses and drawn noise."""

    def coupled(**training: Any) -> Any:
        made = tiny(adversary=COUPLED, **LONG, **training)
        judge = made.discriminator.model_copy(update={"minibatch_deviation": True, "minibatch_kernels": 2})
        return made.model_copy(update={"discriminator": judge})

    kinds: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
        "coupled": (coupled, {"precision": "float64"}),
        "adaptive": (
            lambda **more: tiny(
                adversary={"augment_target": 0.3, "augment_samples": 40, "gradient_penalty": 5, "every": 2},
                **LONG,
                **more,
            ),
            {"precision": "float64"},
        ),
        "cycle": (lambda **more: cycle(tmp_path / "tiles", **more), {}),
        "normalised": (lambda **more: normalised(tmp_path / "tiles", **more), {}),
        "single": (coupled, {"precision": "float32"}),
    }
    alone, together = (
        [settings_of(tmp_path, f"{name}-{count}", make, **more) for name, (make, more) in kinds.items()]
        for count in (1, 2)
    )
    two = start(together, 2)
    finish(start(alone, 1))
    finish(two)
    for name, one, other in zip(kinds, alone, together, strict=True):
        assert farthest(one, other) < (1e-3 if name == "single" else 1e-9), name
        assert (other / "run" / MODEL).exists()
        assert len((other / "run" / LOG).read_text().splitlines()) == len((one / "run" / LOG).read_text().splitlines())


@pytest.mark.usefixtures("two_places")
def test_resumed_together_equals_uninterrupted(tiny: Callable[..., Any], tmp_path: Path) -> None:
    settings = {"adversary": COUPLED, **LONG, "precision": "float64"}
    whole, parts = (settings_of(tmp_path, name, tiny, **settings) for name in ("whole", "parts"))
    two = start([whole], 2)
    text = yaml.safe_load((parts / "run.yaml").read_text())
    from rsgan.training.config import TrainConfig

    run = train(
        TrainConfig.model_validate(text | {"training": text["training"] | {"checkpoint_every": 4}}),
        parts / "run",
        device=torch.device("cpu"),
    )
    for values in run:  # one process alone begins, two go on
        if values["samples_seen"] >= 40:
            break
    run.close()
    finish(start([parts], 2))
    finish(two)
    assert farthest(whole, parts) < 1e-9


@pytest.mark.usefixtures("two_places")
def test_a_killed_process_ends_the_run_with_a_word_and_a_checkpoint(tiny: Callable[..., Any], tmp_path: Path) -> None:
    folder = settings_of(tmp_path, "long", tiny, faithful_samples=40_000, adversarial_samples=0, checkpoint_every=4)
    first, second = start([folder], 2)
    until = time.monotonic() + 120
    while not (folder / "run" / CHECKPOINT).exists() and time.monotonic() < until:
        time.sleep(0.1)
    second.send_signal(signal.SIGKILL)
    _, said = first.communicate(timeout=120)
    second.communicate()
    assert first.returncode != 0
    assert "another process of this run has ended" in said
    assert "--resume" in said
    assert load_checkpoint(folder / "run" / CHECKPOINT)["samples_seen"] > 0


@pytest.mark.slow
@pytest.mark.usefixtures("two_places")
def test_torchrun_starts_the_command(tiny: Callable[..., Any], tmp_path: Path) -> None:
    folder = settings_of(tmp_path, "cli", tiny)
    tools = Path(sys.executable).parent
    words = ["train", str(folder / "run.yaml"), "--out", str(folder / "run"), "-q"]
    result = subprocess.run(
        [tools / "torchrun", "--nproc-per-node", "2", "--no-python", tools / "rsgan", *words],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert (result.returncode, result.stdout.count("model.safetensors")) == (0, 1), result.stderr


def test_alone_nothing_changes() -> None:
    values = torch.arange(6.0).reshape(3, 2).requires_grad_()
    for change in (mean_over_ranks, gathered, own):
        torch.testing.assert_close(change(values), values, rtol=0, atol=0)
    average_gradients([])
    assert list(Shares(4, 21, 8)) == [list(range(4, 12)), list(range(12, 20))]
    assert len(Shares(4, 21, 8)) == 2


def test_a_batch_that_cannot_be_shared_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from rsgan.training import processes

    monkeypatch.setattr(processes, "count", lambda: 3)
    with pytest.raises(ConfigError, match=r"batch_size 8 is no multiple of the 3 processes"):
        processes.refuse_uneven(8)


def test_only_errors_about_others_are_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    from rsgan.training import processes

    monkeypatch.setattr(processes, "count", lambda: 2)
    with pytest.raises(RsganError, match="has ended"), telling_of_lost_ones(Path("run")):
        raise RuntimeError("[../gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:42")
    with pytest.raises(RuntimeError, match="shape"), telling_of_lost_ones(Path("run")):
        raise RuntimeError("shape mismatch")
