"""How time and memory of a command grow with the scene: writes a section of RESULTS.md.

    python -m benchmarks.growth [--most 16384]

Scenes of one content (a drawn tile, repeated) and growing size go through whole commands into plain GeoTIFFs, each in a
process of its own. What should not grow is the seconds per megapixel and the memory at the peak.
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

import rasterio
from rasterio.windows import Window

from benchmarks.results import record, table
from benchmarks.speed import CASES, Case, content_of, profile_of

TILE = 1024


@dataclass(frozen=True)
class Grown:
    """What one command took."""

    side: int
    wall: float
    cpu: float
    peak: float

    def row(self, name: str, first: Grown) -> list[str]:
        """Cells of the table; ratios are to the smallest scene that fills several windows."""
        each, before = (1e6 * one.cpu / one.side**2 for one in (self, first))
        return [
            f"{name}, {self.side} x {self.side} output pixels",
            f"{self.wall:.0f}",
            f"{1e6 * self.wall / self.side**2:.2f}",
            f"{each:.2f}",
            f"{each / before:.2f}",
            f"{self.peak:.2f}",
            f"{self.peak / first.peak:.2f}",
        ]


def draw(case: Case, side: int, path: Path) -> None:
    """A scene of one tile, repeated."""
    values, names = content_of(case, TILE)
    with rasterio.open(path, "w", dtype=values.dtype, **profile_of(case, side), BIGTIFF="IF_SAFER") as dataset:
        dataset.descriptions = names
        for row in range(0, side, TILE):
            for column in range(0, side, TILE):
                dataset.write(values, window=Window(column, row, TILE, TILE))


def grown(case: Case, side: int, scale: int) -> Grown:
    """Run one command on a scene whose output has `side` pixels each way."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        source = Path(folder) / "scene.tif"
        draw(case, side // scale, source)
        words = [sys.executable, "-c", "from rsgan.cli import main; main()", case.verb, str(source), "--no-cog", "-q"]
        words += ["-o", f"{folder}/out.tif", "--model", case.model, "--symmetries", "1"]
        words += ["--quantity", "intensity"] if case.bands == 1 else []
        started = time.perf_counter()
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = status
        if status:
            raise SystemExit(f"{' '.join(words)} ended with {status}.")
        return Grown(side, time.perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20)


def main() -> None:
    """Measure, and write the section."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--most", type=int, default=16384, help="side of the largest output, pixels")
    parser.add_argument("--case", choices=["superres", "despeckle"], action="append")
    arguments = parser.parse_args()
    rows = []
    for case in CASES:
        if arguments.case and case.verb not in arguments.case:
            continue
        scale = 2 if case.verb == "superres" else 1
        sides = [side for side in (4096, 8192, 16384) if side <= arguments.most]
        found = []
        for side in sides:
            found.append(grown(case, side, scale))
            first = next((one for one in found if one.side == 4096), found[0])
            rows.append(found[-1].row(case.verb, first))
            print(*rows[-1], sep=" | ", flush=True)
            _record(rows)


def _record(rows: list[list[str]]) -> None:
    head = [
        "command, 1 pass, plain GeoTIFF", "wall, s", "wall, s per Mpx", "CPU, s per Mpx", "of that at 4096",
        "peak, GiB", "of that at 4096",
    ]  # fmt: skip
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    record("growth.py", f"`python -m benchmarks.growth`, threads of the network: {threads}\n\n{table(head, rows)}")


if __name__ == "__main__":
    main()
