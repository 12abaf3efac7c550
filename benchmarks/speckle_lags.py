"""How far the speckle of real Sentinel-1 scenes is correlated, beside what training can draw: a section of RESULTS.md.

    python -m benchmarks.speckle_lags --data DIR

Of each band, windows of 24 x 24 pixels, half overlapping; a plane is fitted to each and divided out, and of the 2 %
with the least variance (8 at least) the correlation of intensity at lags of 1, 2 and 3 pixels is averaged. Beside it,
from the same lag 1: a Gaussian point spread function, r^(k^2), and the mean of as many neighbours as lag 1 allows, 4 at
most.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality_despeckle import real_scenes
from benchmarks.results import record, table
from rsgan.sensors.sar import draw_speckle

SIDE, LAGS = 24, (1, 2, 3)


def correlations(image: NDArray[np.floating], axis: int) -> NDArray[np.float64]:
    """Correlation of relative intensity, (H, W) of mean 0, with itself at `LAGS` along an axis, over its variance."""
    moved = np.moveaxis(image, axis, 0)
    return np.array([np.mean(moved[lag:] * moved[:-lag]) for lag in LAGS]) / np.mean(np.square(image))


def even_windows(intensity: NDArray[np.floating]) -> list[NDArray[np.float64]]:
    """The most even windows, relative to their plane, minus 1."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    plane = np.linalg.qr(np.stack([np.ones(SIDE**2), rows.ravel(), columns.ravel()], 1).astype(float))[0]
    found = []
    for top in range(0, intensity.shape[0] - SIDE, SIDE // 2):
        for left in range(0, intensity.shape[1] - SIDE, SIDE // 2):
            window = intensity[top : top + SIDE, left : left + SIDE]
            if (window > 0).all():
                found.append(window / (plane @ (plane.T @ window.ravel())).reshape(SIDE, SIDE) - 1)
    return sorted(found, key=lambda window: float(np.mean(window**2)))[: max(8, len(found) // 50)]


def main() -> None:
    """Measure, and write the section."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    lines = []
    for name, intensity, _, _ in real_scenes(parser.parse_args().data):
        windows = even_windows(intensity)
        for axis, said in enumerate(("from row to row", "from column to column")):
            measured = np.mean([correlations(window, axis) for window in windows], axis=0)
            first = float(np.clip(measured[0], 0.05, 0.8))
            count = min(int(1 / (1 - first)), 4)
            speckle = draw_speckle(np.random.default_rng(0), (1000, 1000), 16.0, (0.0, first), (1, count))
            kinds = (measured, first ** np.square(LAGS), correlations(speckle - 1, 1))
            lines.append(
                [f"{name}, {said}", *(" ".join(f"{value:.2f}" for value in kind) for kind in kinds), str(count)]
            )
    head = ["lags 1, 2, 3", "measured", "Gaussian", "averaged", "neighbours"]
    record("speckle_lags.py", f"`python -m benchmarks.speckle_lags --data DIR`\n\n{table(head, lines)}")
    print(table(head, lines))


if __name__ == "__main__":
    main()
