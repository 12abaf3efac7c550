"""What a shipped model gains from a few minutes on half of a new scene: writes a section of RESULTS.md.

    python -m benchmarks.fine_tune --data DIR [--samples 3200]

Two scenes that were held out from training, one of the same sensor and one of Landsat 7 at 30 m, are cut in two each.
`s2-rgbn-x2` is fine-tuned on one half as `rsgan train configs/superres_s2_rgbn_x2.yaml --init s2-rgbn-x2` would,
without adversary, and judged on the other by simulation one scale up (Wald), before and after; then the halves change
places.
The rate is low and half of the old weights is kept: without that, chips of half a scene are soon learnt by heart.
Gains are PSNR in dB over the better of bicubic and five steps of back-projection with the true blur.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import rasterio
import torch
from affine import Affine
from rasterio.windows import Window

from benchmarks.results import record, table
from rsgan.catalogue import RGBN
from rsgan.model import open_model
from rsgan.training.loading import load_config
from rsgan.training.loop import MODEL, train
from rsgan.training.tiles import load_tiles
from rsgan.training.validation import PROTOCOLS, Validation

CONFIG = Path("configs/superres_s2_rgbn_x2.yaml")
SCENES = {
    "Sentinel-2, Inn river": (Path("sentinel2/s2_l2a_austria_window_a.tif"), (1, 2, 3, 4)),
    "Landsat 7, Chiapas": (Path("landsat/le70220491999322edc01_chiapas.tif"), (1, 2, 3, 4)),
}
"""File, and its bands of blue, green, red and near infrared; both store 10000 for reflectance 1."""
START = "s2-rgbn-x2"
GAP = 48
"""Pixels between the halves, so that they share no ground."""
SETTINGS = (
    "data.procedural=0", "training.adversarial_samples=0", "training.learning_rate=5.0e-5", "training.keep_start=0.5",
    "training.learning_rate_warmup=400", "training.ema_half_life=1000", "training.validate_every=1000000",
    "training.checkpoint_every=1000000", "training.probe_samples=0", "training.precision=float32",
    "training.threads=1", "training.workers=0",
)  # fmt: skip


def halve(scene: Path, folder: Path, bands: tuple[int, ...] = (1, 2, 3, 4)) -> None:
    """Write west.tif and east.tif of some bands."""
    with rasterio.open(scene) as dataset:
        half = dataset.width // 2 - GAP // 2
        for name, left in (("west", 0), ("east", dataset.width - half)):
            window = Window(left, 0, half, dataset.height)
            transform = dataset.transform @ Affine.translation(left, 0)
            profile = dataset.profile | {"width": half, "transform": transform, "count": len(bands)}
            with rasterio.open(folder / f"{name}.tif", "w", **profile) as part:
                part.write(dataset.read(list(bands), window=window))
                part.descriptions = RGBN


def tuned(folder: Path, here: str, there: str, samples: int) -> list[list[str]]:
    """Lines of the table: trained on one half, judged on the other."""
    training, validation = (f"{{glob: {half}.tif, reflectance_scale: 10000}}" for half in (here, there))
    config = load_config(
        CONFIG,
        [
            f"data.root={folder}", f"data.training=[{training}]", f"data.validation=[{validation}]", *SETTINGS,
            f"training.faithful_samples={samples}", f"training.start_from={START}",
        ],
    )  # fmt: skip
    assert config.task == "superres"
    _, held_out = load_tiles(config.data, config.model.bands)
    validation_of = Validation(held_out, config, torch.device("cpu"))
    started = time.perf_counter()
    for _ in train(config, folder / f"run-{here}", device=torch.device("cpu")):
        pass
    minutes = (time.perf_counter() - started) / 60
    before, after = (
        validation_of.measure(open_model(model).generator(0.0)) for model in (START, folder / f"run-{here}" / MODEL)
    )
    gains = [(before[f"gain_db/{name}"], after[f"gain_db/{name}"]) for name in PROTOCOLS]
    return [
        [f"{here} -> {there}, {name}", f"{old:.2f}", f"{new:.2f}", f"{new - old:+.2f}", f"{minutes:.1f}"]
        for name, (old, new) in zip(PROTOCOLS, gains, strict=True)
    ]


def main() -> None:
    """Measure, and write the section."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=3200)
    arguments = parser.parse_args()
    tables = []
    for title, (scene, bands) in SCENES.items():
        lines = []
        with tempfile.TemporaryDirectory() as folder:
            halve(arguments.data / scene, Path(folder), bands)
            for here, there in (("west", "east"), ("east", "west")):
                lines += tuned(Path(folder), here, there, arguments.samples)
                print(*lines[-3:], sep="\n", flush=True)
        tables.append(table([f"{title}, {arguments.samples} chips", "before", "after", "gain", "minutes"], lines))
    record("fine_tune.py", "\n\n".join(["`python -m benchmarks.fine_tune --data DIR`", *tables]))


if __name__ == "__main__":
    main()
