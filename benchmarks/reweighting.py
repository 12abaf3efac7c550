"""What feedback from the discriminator into the sampling of classes does: writes a section of RESULTS.md.

    python -m benchmarks.reweighting --data DIR [--seeds 3] [--strength 3]

A small network for x2 of Sentinel-2 is trained twice from each seed, on the tiles of the shipped one: all chips drawn
alike, and with `data.reweight`. Both are judged on the shipped one's held-out tiles, observed once under P40, in every
class of land cover that indices tell: by the discriminator of the game (AUROC), and by two measures that know none, the
error over that of five steps of back-projection, and the power of the finest detail over the reference's.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from benchmarks.results import record, renew_block, table
from rsgan.filters.back_projection import back_projection
from rsgan.metrics.land_cover import INDICES, index_classes
from rsgan.model import open_model
from rsgan.nn.generators import ResidualGenerator
from rsgan.training.loading import load_config
from rsgan.training.loop import MODEL, train
from rsgan.training.reweighting import COLOURS, figure_name
from rsgan.training.tiles import load_tiles
from rsgan.training.validation import BORDER, Validation

CONFIG = Path("configs/superres_s2_rgbn_x2.yaml")
SETTINGS = (
    "generator.channels=16", "generator.blocks=4", "discriminator.channels=16", "training.faithful_samples=4000",
    "training.adversarial_samples=6000", "training.discriminator_warmup=800", "training.ramp_samples=1600",
    "training.learning_rate=1.0e-3", "training.learning_rate_warmup=400", "training.ema_half_life=500",
    "training.validate_every=1000", "training.checkpoint_every=1000000", "training.probe_samples=0",
    "training.precision=float32", "training.threads=1", "training.workers=0",
)  # fmt: skip
Figures = dict[str, tuple[float, float, float]]


def measured(task: tuple[Path, int, float]) -> Figures:
    """AUROC, error over back-projection's, and power of the finest detail, by class."""
    data, seed, strength = task
    words = (*SETTINGS, f"seed={seed}", f"data.reweight={strength}", f"data.root={data}")
    config = load_config(CONFIG, words)
    told: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for values in train(config, Path(folder) / "run", device=torch.device("cpu")):
            told |= {name: value for name, value in values.items() if name.startswith(("auroc/", "weight/"))}
        model = open_model(Path(folder) / "run" / MODEL)
    generator = model.generator(1.0)
    _, held_out = load_tiles(config.data, config.model.bands, config.model.sensor)
    by_class = on_held_out(Validation(held_out, config, torch.device("cpu")), generator)
    print(seed, strength, {name: round(value, 3) for name, value in told.items()}, flush=True)
    return {name: (told.get(f"auroc/{figure_name(name)}", np.nan), *found) for name, found in by_class.items()}


def on_held_out(validation: Validation, generator: ResidualGenerator) -> dict[str, tuple[float, float]]:
    """Error over that of back-projection, and power of the finest detail over the reference's, by class."""
    sums = {name: np.zeros(4) for name in INDICES.values()}
    for number, reference in enumerate(validation.references):
        observed, sigma, noise = validation.observe(reference, number, "P40")
        images = (
            reference,
            validation.enhance(generator, observed, sigma, noise),
            back_projection(observed, sigma, validation.scale, 5),
        )
        truth, made, usual = (_inner(image) for image in images)
        pixels = index_classes(*(truth[validation.colours.index(colour)] for colour in COLOURS))
        squares = [(made - truth) ** 2, (usual - truth) ** 2, _fine(made) ** 2, _fine(truth) ** 2]
        for class_id, name in INDICES.items():
            sums[name] += [square[:, pixels == class_id].sum() for square in squares]
    return {
        name: (float(np.sqrt(found[0] / found[1])), float(found[2] / found[3]))
        for name, found in sums.items()
        if found[3]
    }


def _inner(image: Tensor) -> NDArray[np.float64]:
    """(C, H, W) without the border."""
    return image[0, :, BORDER:-BORDER, BORDER:-BORDER].double().numpy()


def _fine(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """What a pixel adds to the mean of its 3 x 3 neighbours."""
    return np.asarray(image - ndimage.uniform_filter(image, (0, 3, 3), mode="nearest"))


def main() -> None:
    """Measure, and write the section."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--strength", type=float, default=3.0)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    tasks = [(arguments.data, s, x) for s in range(arguments.seeds) for x in (0.0, arguments.strength)]
    with ProcessPoolExecutor(arguments.processes) as pool:
        found = list(pool.map(measured, tasks))
    lines = []
    for name in found[0]:
        cells = [name]
        for place in range(3):
            plain, fed = (np.array([one[name][place] for one in found[start::2]]) for start in (0, 1))
            apart = fed - plain
            told = [f"{plain.mean():.3f}", f"{fed.mean():.3f}", f"{apart.mean():+.3f} ({apart.std(ddof=1):.3f})"]
            cells += ["-"] * 3 if np.isnan(apart).any() else told
        lines.append(cells)
    head = ["class"]
    for what in ("AUROC", "error", "power of detail"):
        head += [what, "reweighted", "change (spread over seeds)"]
    body = table(head, lines)
    print(body)
    extra = "" if arguments.strength == 3.0 and arguments.seeds == 3 else (
        f" --seeds {arguments.seeds} --strength {arguments.strength:g}"
    )  # fmt: skip
    renew_block("reweighting", body, Path("docs/diagnose.md"))
    record("reweighting.py", f"`python -m benchmarks.reweighting --data DIR{extra}`\n\n{body}")


if __name__ == "__main__":
    main()
