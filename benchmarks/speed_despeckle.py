"""Time and memory of despeckling a large scene: writes a section of RESULTS.md.

    python -m benchmarks.speed_despeckle [--side 4096]

One band of side x side float32 pixels (one look, drawn), from GeoTIFF to GeoTIFF by `rsgan despeckle` in a process of
its own, every other setting at its default; the last column is the time over that of `--method lee` in the same run,
and "filter alone" the learning-free filter on an array, without files, statistics and figures. Peak memory is the
process's largest resident set, which includes GDAL's block cache.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio

from benchmarks.memory_bands import run
from benchmarks.results import record, table
from rsgan.filters.speckle import FILTERS
from rsgan.sensors.sar import draw_speckle

WAYS = (
    ("lee", ("--method", "lee")),
    ("refined-lee", ("--method", "refined-lee")),
    ("network, default", ()),
    ("network, 1 pass", ("--symmetries", "1")),
    ("network, 2 passes", ("--symmetries", "2")),
    ("network, 8 passes", ("--symmetries", "8")),
    ("network, bfloat16, 8 passes", ("--symmetries", "8", "--precision", "bfloat16")),
)


def draw(path: Path, side: int) -> Path:
    """A scene of fields with speckle of one look."""
    rng = np.random.default_rng(0)
    fields = 10 ** rng.uniform(-2, 0, (side // 128 + 1, side // 128 + 1))
    ground = np.kron(fields, np.ones((128, 128)))[:side, :side]
    profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "tiled": True, "crs": "EPSG:32631"}
    transform = rasterio.Affine(10, 0, 5e5, 0, -10, 5e6)
    with rasterio.open(path, "w", height=side, width=side, transform=transform, **profile) as dataset:
        dataset.write((ground * draw_speckle(rng, ground.shape, 1.0)).astype(np.float32), 1)
    return path


def main() -> None:
    """Measure, and write the section."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--side", type=int, default=4096)
    arguments = parser.parse_args()
    rows, lee = [], 0.0
    with tempfile.TemporaryDirectory() as folder:
        scene = draw(Path(folder) / "scene.tif", arguments.side)
        with rasterio.open(scene) as dataset:
            intensity = dataset.read()
        for name in ("lee", "refined-lee"):
            valid = np.ones(intensity.shape, bool)
            started = time.perf_counter()
            for row in range(0, arguments.side, 1024):
                FILTERS[name](intensity[:, row : row + 1024], valid[:, row : row + 1024], looks=1.0, size=7)
            rows.append([f"{name}, filter alone", f"{time.perf_counter() - started:.1f}", "-", "-"])
        for name, words in WAYS:
            out = str(Path(folder) / "out.tif")
            peak, seconds = run(
                ["despeckle", str(scene), "-o", out, "--quantity", "intensity", "--overwrite", "-q", *words]
            )
            lee = lee or seconds
            rows.append([name, f"{seconds:.1f}", f"{peak:.0f}", f"{seconds / lee:.1f}"])
            print(rows[-1], flush=True)
    head = [f"{arguments.side} x {arguments.side} float32, CPU", "seconds", "peak MiB", "over lee"]
    record("speed_despeckle.py", f"`python -m benchmarks.speed_despeckle`\n\n{table(head, rows)}")


if __name__ == "__main__":
    main()
