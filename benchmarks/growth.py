"""How time and memory of a command grow with the scene: writes a section of RESULTS.md.

    python -m benchmarks.growth [--largest]

Scenes of one content (a drawn tile, repeated) and growing size go through whole commands into plain GeoTIFFs, each in a
process of its own. What should not grow is the seconds per megapixel and the memory at the peak. Memory can grow with
the width alone (tests/enhance/test_walk.py), so a scene as wide as the largest and a quarter as high stands for it,
unless it is asked for.
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

    height: int
    width: int
    wall: float
    cpu: float
    peak: float

    def row(self, name: str, first: Grown) -> list[str]:
        """Cells of the table; ratios are to the smallest scene that fills several windows."""
        size = self.height * self.width / 1e6
        each, before = (1e6 * one.cpu / (one.height * one.width) for one in (self, first))
        return [
            f"{name}, {self.width} x {self.height} output pixels",
            f"{self.wall:.0f}",
            f"{self.wall / size:.2f}",
            f"{each:.2f}",
            f"{each / before:.2f}",
            f"{self.peak:.2f}",
            f"{self.peak / first.peak:.2f}",
        ]


def draw(case: Case, height: int, width: int, path: Path) -> None:
    """A scene of one tile, repeated."""
    values, names = content_of(case, TILE)
    profile = profile_of(case, width) | {"height": height, "BIGTIFF": "IF_SAFER"}
    with rasterio.open(path, "w", dtype=values.dtype, **profile) as dataset:
        dataset.descriptions = names
        for row in range(0, height, TILE):
            for column in range(0, width, TILE):
                dataset.write(values, window=Window(column, row, TILE, TILE))


def grown(case: Case, height: int, width: int, scale: int) -> Grown:
    """Run one command on a scene whose output has so many pixels."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        source = Path(folder) / "scene.tif"
        draw(case, height // scale, width // scale, source)
        words = [sys.executable, "-c", "from rsgan.cli import main; main()", case.verb, str(source), "--no-cog", "-q"]
        words += ["-o", f"{folder}/out.tif", "--model", case.model, "--symmetries", "1"]
        words += ["--quantity", "intensity"] if case.bands == 1 else []
        started = time.perf_counter()
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = status
        if status:
            raise SystemExit(f"{' '.join(words)} ended with {status}.")
        return Grown(
            height, width, time.perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20
        )


def main() -> None:
    """Measure, and write the section."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--largest", action="store_true", help="16384 x 16384 too: an hour")
    arguments = parser.parse_args()
    shapes = [(4096, 4096), (4096, 16384), *([(16384, 16384)] if arguments.largest else [])]
    rows = []
    for case in (CASES[0], CASES[-1]):
        scale = 2 if case.verb == "superres" else 1
        first = None
        for height, width in shapes:
            found = grown(case, height, width, scale)
            first = first or found
            rows.append(found.row(case.verb, first))
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
