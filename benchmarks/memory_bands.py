"""Memory and time of a ten-band product: writes a section of RESULTS.md.

    python -m benchmarks.memory_bands --data DIR [--sizes 1024 2048 4096 10980] [--network-sizes 1024 2048 4096]

Six 20 m bands guided by four 10 m ones, all ten written (`--stack`), by `rsgan superres --symmetries 1` in a process of
its own with every other setting at its default: a cloud-optimised GeoTIFF on a local disk, on the CPU. Scenes are
squares of real pixels (T33UUB, mirrored again and again) in tiled GeoTIFFs. Peak memory is the process's largest
resident set, which includes GDAL's block cache. A full Sentinel-2 product has 10980 x 10980 pixels of 10 m: it is
extrapolated, memory by a straight line over the side through the two largest scenes (what is kept is a strip of rows)
and by one over the area (which nothing should follow), time by the area.
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

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.windows import Window

from benchmarks.results import record, table
from rsgan.geo import Grid, RasterWriter, Scene

FULL = 10980
"""Pixels of 10 m along one side of a Sentinel-2 product."""
BANDS = {10: ("B02", "B03", "B04", "B08"), 20: ("B05", "B06", "B07", "B8A", "B11", "B12")}
SOURCE = "sentinel2/s2_l1c_t33uub_20170527_{gsd}m.tif"
STRIP = 512
MEBI = 2**20


@dataclass(frozen=True)
class Cost:
    """What one run took: largest resident set in MiB, seconds, MiB of the output."""

    method: str
    side: int
    peak_mib: float
    seconds: float
    output_mib: float


def mirrored(length: int, count: int) -> NDArray[np.int64]:
    """Indices 0 .. count-1 into a line of `length` pixels that goes on as its mirror image for ever."""
    places = np.arange(count) % (2 * length)
    return np.where(places < length, places, 2 * length - 1 - places)


def draw(path: Path, pixels: NDArray[np.uint16], side: int, gsd_m: int) -> Path:
    """A square scene of real pixels (C, h, w), mirrored until it is filled; written strip by strip."""
    grid = Grid(CRS.from_epsg(32633), Affine(gsd_m, 0, 5e5, 0, -gsd_m, 5.3e6), (side, side))
    rows, columns = mirrored(pixels.shape[1], side), mirrored(pixels.shape[2], side)
    count = len(pixels)
    with RasterWriter(
        path, grid=grid, count=count, dtype="uint16", descriptions=BANDS[gsd_m], scales=[1e-4] * count, cog=False
    ) as writer:
        for top in range(0, side, STRIP):
            height = min(STRIP, side - top)
            writer.write(pixels[:, rows[top : top + height]][:, :, columns], Window(0, top, side, height))
    return path


def run(arguments: list[str]) -> tuple[float, float]:
    """Largest resident set in MiB and seconds of one run of `rsgan`.

    Raises:
        SystemExit: it failed.
    """
    started = time.perf_counter()
    command = [sys.executable, "-c", "from rsgan.cli import main; main()", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"rsgan {' '.join(arguments)} ended with {process.returncode}")
    unit = 1 if sys.platform == "darwin" else 1024
    return usage.ru_maxrss * unit / MEBI, time.perf_counter() - started


def measure(method: str, how: list[str], side: int, data: Path) -> Cost:
    """One method on one scene of `side` pixels of 10 m."""
    with tempfile.TemporaryDirectory() as name:
        sources = []
        for gsd in BANDS:
            with Scene.open([data / SOURCE.format(gsd=gsd)], wanted=None) as scene:
                pixels = scene.read_dn(scene.grid.window).astype(np.uint16)
            sources.append(str(draw(Path(name) / f"{gsd}m.tif", pixels, side * 10 // gsd, gsd)))
        out = Path(name) / "out.tif"
        flags = ["--stack", "--symmetries", "1", "-q", "-o", str(out)]
        peak, seconds = run(["superres", *sources, *how, *flags])
        return Cost(method, side, peak, seconds, out.stat().st_size / MEBI)


def line(first: tuple[float, float], second: tuple[float, float], at: float) -> float:
    """The straight line through two points, elsewhere."""
    return second[1] + (second[1] - first[1]) / (second[0] - first[0]) * (at - second[0])


def extrapolated(costs: list[Cost]) -> list[str]:
    """Cells of the full product: memory over the side and over the area, seconds, MiB of output."""
    first, second = costs[-2:]
    by_side = line((first.side, first.peak_mib), (second.side, second.peak_mib), FULL)
    by_area = line((first.side**2, first.peak_mib), (second.side**2, second.peak_mib), FULL**2)
    area = (FULL / second.side) ** 2
    return [
        f"{second.method}, extrapolated",
        str(FULL),
        f"{by_side:.0f} ({by_area:.0f} by the area)",
        f"{second.seconds * area:.0f}",
        f"{second.output_mib * area:.0f}",
    ]


def _cells(cost: Cost) -> list[str]:
    return [cost.method, str(cost.side), f"{cost.peak_mib:.0f}", f"{cost.seconds:.1f}", f"{cost.output_mib:.0f}"]


def tables(costs: list[Cost]) -> str:
    """Markdown: every run, and the full product."""
    body = []
    for method in dict.fromkeys(cost.method for cost in costs):
        mine = [cost for cost in costs if cost.method == method]
        body += [_cells(cost) for cost in mine if cost.side < FULL]
        if len([cost for cost in mine if cost.side < FULL]) > 1:
            body.append(extrapolated([cost for cost in mine if cost.side < FULL]))
        body += [_cells(cost) for cost in mine if cost.side >= FULL]
    return table(["method", "side, 10 m pixels", "peak memory, MiB", "seconds", "output, MiB"], body)


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds " + SOURCE.format(gsd=10))
    parser.add_argument("--sizes", type=int, nargs="*", default=[1024, 2048, 4096], help="for the linear method")
    parser.add_argument("--network-sizes", type=int, nargs="*", default=[1024, 2048, 4096], help="for the network")
    parser.add_argument("--model", default="s2-20to10", help="zoo name; of a path nothing is recorded")
    arguments = parser.parse_args()
    ways = {
        "linear": (["--method", "linear"], arguments.sizes),
        "network": (["--model", arguments.model], arguments.network_sizes),
    }
    costs = [
        measure(method, how, side, arguments.data) for method, (how, sides) in ways.items() for side in sorted(sides)
    ]
    body = tables(costs)
    print(body)
    if arguments.model == parser.get_default("model") or not arguments.network_sizes:
        sizes = " ".join(map(str, arguments.sizes)), " ".join(map(str, arguments.network_sizes))
        command = f"`python -m benchmarks.memory_bands --data DIR --sizes {sizes[0]} --network-sizes {sizes[1]}`"
        note = "Extrapolated memory: over the side and, as the worst case, over the area. Other work ran beside it."
        record("memory_bands.py", f"{command}\n\n{note}\n\n{body}")


if __name__ == "__main__":
    main()
