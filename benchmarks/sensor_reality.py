"""What the sensor model of training has to imitate, measured on real Sentinel-2 scenes: writes a section of RESULTS.md.

    python -m benchmarks.sensor_reality --data DIR

Per scene and band: noise over the flattest tenth of blocks of 8 x 8 (departure from the mean of 5 x 5 pixels; fine
texture counts as noise), at dark and at bright levels; correlation of that departure with its right and lower
neighbour, from interpolation and texture; the difference of odd and even columns and rows over flat ground; and how far
bands lie apart, by phase correlation of their gradients, in the whole scene and the median over blocks of 64 pixels.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.registration import phase_cross_correlation

from benchmarks.results import record, table
from rsgan.catalogue import RGBN
from rsgan.geo import Scene

Floats = NDArray[np.floating]
SCENES = {
    "sentinel2/s2_l1c_t33uub_*_10m.tif": 10000,
    "sentinel2/s2_l1c_spain_*.tif": 10000,
    "sentinel2/s2_l2a_austria_window_a.tif": 10000,
    "sentinel2/s2_l2a_leipzig.tif": 10000,
    "sentinel2/ben_*_10m.tif": 10000,
    "sentinel2/s2_gujarat_?.tif": 10000,
    "sentinel2/s2_l2a_boadella_2021*.tif": 10000,
    "sentinel2_coast/s2_ship_2[01]*_20220825.tif": 10000,
    "sentinel2/s2_l1b_l1bsr_0?.tif": 2500,
}
"""Pattern -> stored number that means reflectance 1."""
BLOCK = 8
"""Side of a block of flat ground, pixels."""
FLATTEST = 0.1
"""Share of the blocks that count as flat."""
LOCAL = 64
"""Side of a block whose bands are registered, pixels."""


@dataclass(frozen=True)
class Flat:
    """Statistics of flat ground of one band: level, noise (reflectance), lag-1 correlations, parity differences."""

    level: float
    noise: float
    right: float
    down: float
    columns: float
    rows: float


def residual(values: Floats) -> Floats:
    """Subtract the local mean over 5 x 5 pixels (H, W) and undo the loss of variance of white noise."""
    return (values - ndimage.uniform_filter(values, 5)) / np.sqrt(1 - 1 / 25)


def flat_ground(band: Floats, valid: NDArray[np.bool_] | None = None) -> list[Flat]:
    """Statistics of the darker and of the brighter half of the flattest blocks of a band (H, W)."""
    rest = residual(band)
    height, width = (n // BLOCK * BLOCK for n in band.shape)
    folded = rest[:height, :width].reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK).transpose(0, 2, 1, 3)
    whole = np.ones(band.shape, bool) if valid is None else valid
    usable = whole[:height, :width].reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK).all((1, 3)).ravel()
    if not usable.any():
        return []
    blocks = folded.reshape(-1, BLOCK, BLOCK)[usable]
    level = band[:height, :width].reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK).mean((1, 3)).ravel()[usable]
    found = []
    for half in (level <= np.median(level), level > np.median(level)):
        power = blocks[half].var((1, 2))
        flat = blocks[half][power <= np.quantile(power, FLATTEST)]
        variance = float((flat**2).mean()) + 1e-30
        found.append(
            Flat(
                float(level[half].mean()),
                float(np.sqrt(np.median(flat.var((1, 2))))),
                float((flat[:, :, 1:] * flat[:, :, :-1]).mean() / variance),
                float((flat[:, 1:] * flat[:, :-1]).mean() / variance),
                float(abs((flat[:, :, ::2] - flat[:, :, 1::2]).mean())),
                float(abs((flat[:, ::2] - flat[:, 1::2]).mean())),
            )
        )
    return found


def apart(first: Floats, second: Floats) -> tuple[float, float]:
    """Pixels between two bands (H, W): of the whole scene, and the median over its blocks; NaN where none registers."""
    gradients = [ndimage.gaussian_gradient_magnitude(x, 1.0) for x in (first, second)]

    def shift(rows: slice, columns: slice) -> float:
        parts = [g[rows, columns] for g in gradients]
        found = phase_cross_correlation(*parts, upsample_factor=50, normalization=None)[0]
        return float(np.hypot(*found))

    whole = shift(slice(None), slice(None))
    starts = [range(0, n - LOCAL + 1, LOCAL) for n in first.shape]
    local = [shift(slice(r, r + LOCAL), slice(c, c + LOCAL)) for r in starts[0] for c in starts[1]]
    return whole, float(np.median(local)) if local else float("nan")


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the rasters")
    parser.add_argument("--record", action="store_true", help="write the table into RESULTS.md")
    arguments = parser.parse_args()
    body = []
    for pattern, scale in SCENES.items():
        flats: list[Flat] = []
        shifts: list[tuple[float, float]] = []
        for path in sorted(arguments.data.glob(pattern)):
            with Scene.open([path], wanted=RGBN, reflectance_scale=scale, gsd_m=10) as scene:
                chip = scene.read(scene.grid.window)
            values = chip.values.astype(np.float64)
            for band, valid in zip(values, chip.valid, strict=True):
                flats += flat_ground(band, valid)
            shifts += [apart(values[1], values[other]) for other in (0, 2)]
        if not flats:
            print(f"{arguments.data}: no file with valid pixels matches {pattern}", file=sys.stderr)
            continue
        dark, bright = flats[::2], flats[1::2]
        body.append(
            [
                pattern,
                *(
                    f"{1e4 * np.median([f.noise for f in part]):.1f} at {1e4 * np.median([f.level for f in part]):.0f}"
                    for part in (dark, bright)
                ),
                f"{np.median([f.right for f in flats]):.2f} / {np.median([f.down for f in flats]):.2f}",
                f"{1e4 * np.median([f.columns for f in flats]):.2f} / {1e4 * np.median([f.rows for f in flats]):.2f}",
                f"{np.nanmedian([s[0] for s in shifts]):.2f}, {np.nanmedian([s[1] for s in shifts]):.2f}",
            ]
        )
    heads = [
        "scenes",
        "noise, dark, DN at DN",
        "noise, bright",
        "correlation right / down",
        "parity columns / rows, DN",
        "bands apart, px: whole, local",
    ]
    text = table(heads, body)
    print(text)
    if arguments.record:
        record("sensor_reality.py", "`python -m benchmarks.sensor_reality --data DIR --record`\n\n" + text)


if __name__ == "__main__":
    main()
