"""What a whole command takes beside the network alone, on the same windows: writes a section of RESULTS.md.

    python -m benchmarks.speed [--runs 1] [--more]

The command reads, fills, computes, compresses and writes a plain GeoTIFF; the network alone computes the same windows
with their halo from memory, in a process of the same settings. With --more: the same into a cloud-optimised GeoTIFF,
and where memory is given back to the system after every layer, as any program does that says nothing else. Figures are
ratios within one run.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.results import record, table
from rsgan.catalogue import RGBN
from rsgan.geo import plan
from rsgan.model import open_model

TILE = 10_980
"""Pixels along a side of a Sentinel-2 tile at 10 m."""
GIVE_BACK = {"MALLOC_ARENA_MAX": "8"}
"""Any such variable makes the program leave the allocator alone."""
ALONE = """
import sys, time
import numpy as np
import torch
from rsgan.cli.memory import keep_freed_memory
from rsgan.enhance import despeckle, superres
from rsgan.enhance.batches import trimmed

keep_freed_memory()
verb, source, model = sys.argv[1:]
room = superres if verb == "superres" else despeckle
with room.prepare([source], source + ".alone.tif", model=model) as job:
    batches = job.deferred().batches
    run = lambda chip, inner, valid: batches.enhancer(chip, inner, valid)
    rng, bands = np.random.default_rng(0), len(job.scene.bands)
    halo, stride, shapes = batches.enhancer.halo, batches.enhancer.stride, []
    for window in job.windows:  # what the filling alone needs is let go before the network
        sizes = window.read.height, window.read.width
        if verb == "superres":
            spans = [trimmed(kept, size, halo, stride) for kept, size in zip(window.inner, sizes)]
            shapes.append((*(seen.stop - seen.start for seen, _ in spans), tuple(inner for _, inner in spans)))
        else:
            shapes.append((*sizes, window.inner))
    chips = {shape[:2]: rng.random((1, bands, *shape[:2])).astype(np.float32) * 0.2 + 0.05 for shape in shapes}
    valid = {shape: np.ones(chip.shape, bool) for shape, chip in chips.items()}
    height, width, inner = shapes[0]
    run(chips[height, width], inner, valid[height, width])
    started = time.perf_counter()
    for height, width, inner in shapes:
        run(chips[height, width], inner, valid[height, width])
    print(time.perf_counter() - started)
"""


@dataclass(frozen=True)
class Case:
    """One command."""

    name: str
    verb: str
    model: str
    side: int
    bands: int


CASES = (
    Case("x2, 2048 x 2048, 4 bands", "superres", "s2-rgbn-x2", 2048, 4),
    Case("x4, 1024 x 1024, 4 bands", "superres", "s2-rgbn-x4", 1024, 4),
    Case("despeckle, 4096 x 4096", "despeckle", "sar-despeckle", 4096, 1),
)


def content_of(case: Case, side: int) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Smooth noise, under speckle for radar: (C, side, side) stored numbers, and names of the bands."""
    rng = np.random.default_rng(0)
    smooth = ndimage.gaussian_filter(rng.standard_normal((case.bands, side, side)), (0, 1.5, 1.5))
    if case.bands == 1:
        return (0.1 * np.exp(3 * smooth) * rng.gamma(4, 0.25, smooth.shape)).astype(np.float32), ("VV",)
    return (smooth * 1500 + 2000).clip(1, 9000).astype(np.uint16), RGBN


def profile_of(case: Case, side: int) -> dict[str, Any]:
    """How such a scene is stored."""
    return {
        "driver": "GTiff", "width": side, "height": side, "count": case.bands, "crs": "EPSG:32633",
        "transform": Affine(10, 0, 5e5, 0, -10, 5e6), "tiled": True, "compress": "deflate",
    }  # fmt: skip


def draw(case: Case, path: Path) -> None:
    """A scene of the case."""
    values, names = content_of(case, case.side)
    with rasterio.open(path, "w", dtype=values.dtype, **profile_of(case, case.side)) as dataset:
        dataset.write(values)
        dataset.descriptions = names


def command(case: Case, source: Path, environment: dict[str, str], *flags: str) -> tuple[float, float]:
    """Seconds and GiB at the peak of the whole command."""
    words = [sys.executable, "-c", "from rsgan.cli import main; main()", case.verb, str(source)]
    words += ["-o", f"{source}.out.tif", "--overwrite", "-q", "--model", case.model, *flags]
    words += ["--quantity", "intensity"] if case.bands == 1 else []
    program = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
    program += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    started = time.perf_counter()
    told = {"env": os.environ | environment, "check": True, "capture_output": True, "text": True}
    said = subprocess.run([sys.executable, "-c", program, *words], **told).stdout
    return time.perf_counter() - started, int(said) / 2**20


def halo_of(case: Case) -> float:
    """Pixels that are computed, by pixels that are kept."""
    model, side = open_model(case.model), 512 if case.verb == "superres" else 768
    generator = model.generator(0.0)
    windows = plan((case.side, case.side), side, getattr(generator.config, "stride", 1), model.receptive_field)
    return sum(window.read.width * window.read.height for window in windows) / case.side**2


def alone(case: Case, source: Path) -> float:
    """Seconds of the network on the same windows."""
    words = [sys.executable, "-c", ALONE, case.verb, str(source), case.model]
    return float(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Measure, and write the section."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--more", action="store_true", help="into a COG, and with memory given back")
    arguments = parser.parse_args()
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            source = Path(folder) / f"{case.verb}.tif"
            draw(case, source)
            for _ in range(arguments.runs):
                bare = alone(case, source)
                whole, peak = command(case, source, {}, "--no-cog")
                spent = f"{bare:.0f}", f"{whole:.0f}", f"{whole / bare:.2f}", f"{peak:.2f}"
                row = [case.name, f"{halo_of(case):.2f}", *spent]
                if arguments.more:
                    cog, given = command(case, source, {}), command(case, source, GIVE_BACK, "--no-cog")
                    row += [f"{cog[0] / bare:.2f}", f"{given[0] / whole:.2f}", f"{given[1]:.2f}"]
                lines.append(row)
                print(*lines[-1], sep=" | ", flush=True)
    seconds, whole_tile = float(lines[0][3]), (TILE / CASES[0].side) ** 2
    minutes = seconds * whole_tile * (os.cpu_count() or 1) / 8 / 60
    told = f"A Sentinel-2 tile of {TILE} x {TILE} pixels, x2, on 8 cores by extrapolation: {seconds:.0f} s x "
    told += f"{whole_tile:.1f} (pixels) x {os.cpu_count()} / 8 (cores) = {minutes:.0f} min with 4 passes, about "
    told += f"{minutes / 4:.0f} min with --symmetries 1."
    head = ["scene", "pixels with halo / without", "network alone, s", "command, s", "ratio", "peak, GiB"]
    head += ["ratio with COG", "given back: times as long", "peak, GiB"] if arguments.more else []
    record("speed.py", f"`python -m benchmarks.speed`\n\n{table(head, lines)}\n\n{told}")


if __name__ == "__main__":
    main()
