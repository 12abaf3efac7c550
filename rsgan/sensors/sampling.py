"""Signs that a scene's pixels are not a sensor's own: repeated, interpolated to a finer grid, or JPEG-compressed.

numpy only. On such pixels a super-resolution model takes the marks of processing for detail.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

SIDE = 32
"""Side of a window whose power spectrum is taken, pixels."""
LEAST_WINDOWS = 4
"""Whole windows below which nothing is said."""
REPEATED = 0.13
"""Share of neighbours that are equal, above that of pixels two apart, from which pixels count as repeated: real scenes
have up to 0.11, smooth ones of few stored levels the most; grids made finer by nearest neighbour 0.15 or more."""
LEAST_PAIRS = 1000
"""Pairs of valid neighbours below which nothing is said of repetition."""
INTERPOLATED = 0.002
"""Power near Nyquist over that at 0.1 to 0.2 cycles per pixel below which a scene counts as interpolated: native
Sentinel-2 has 0.008 or more, thick cloud 0.003, a scene enlarged twice by cubic interpolation below 0.001."""
BLOCKY = 1.14
"""Mean step across every eighth pixel border over that across the others from which a scene counts as JPEG-compressed:
real scenes have up to 1.13, JPEG of quality 85 has 1.13 to 1.18."""
JPEG_BLOCK: Final = 8
"""Side of a block of JPEG, pixels."""
LEAST_BLOCKS = 16
"""Blocks along a side below which nothing is said of JPEG."""


def find_resampling(bands: Sequence[tuple[Floats, NDArray[np.bool_]]]) -> tuple[str, ...]:
    """Name the signs of processing that parts of a scene show.

    Args:
        bands: (values, valid) of (H, W) parts of bands, any unit.

    Returns:
        Some of "repeated", "interpolated", "jpeg", in this order; empty for a sensor's own pixels.
    """
    found = []
    if _most(_repetition(*band) for band in bands) > REPEATED:
        found.append("repeated")
    spectra = [power for band in bands if (power := _spectrum(*band)) is not None]
    if len(spectra) > 0 and not found:
        near_nyquist, lower = np.sum(spectra, axis=0)
        if near_nyquist < INTERPOLATED * lower:
            found.append("interpolated")
    if not found and _median(_blockiness(*band) for band in bands) > BLOCKY:
        found.append("jpeg")
    return tuple(found)


def _most(values: Iterable[float]) -> float:
    """Largest of the finite values, 0 without any."""
    return max((value for value in values if np.isfinite(value)), default=0.0)


def _median(values: Iterable[float]) -> float:
    """Median of the finite values, 0 without any."""
    finite = [value for value in values if np.isfinite(value)]
    return float(np.median(finite)) if finite else 0.0


def _repetition(values: Floats, valid: NDArray[np.bool_]) -> float:
    """Measure how much more often neighbours are equal than pixels two apart, along the axis where that is most."""
    excess = []
    for axis in (0, 1):
        shares = []
        for lag in (1, 2):
            along, usable = np.moveaxis(values, axis, 0), np.moveaxis(valid, axis, 0)
            equal = (along[lag:] == along[:-lag])[usable[lag:] & usable[:-lag]]
            shares.append(float(equal.mean()) if equal.size >= LEAST_PAIRS else np.nan)
        excess.append(shares[0] - shares[1])
    return max((value for value in excess if np.isfinite(value)), default=np.nan)


def _spectrum(values: Floats, valid: NDArray[np.bool_]) -> NDArray[np.float64] | None:
    """Sum power near Nyquist and at 0.1 to 0.2 cycles per pixel over whole windows; None with too few of them."""
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(SIDE), np.fft.fftfreq(SIDE), indexing="ij"))
    taper = np.outer(np.hanning(SIDE), np.hanning(SIDE))
    total, count = np.zeros(2), 0
    height, width = values.shape
    for row in range(0, height - SIDE + 1, SIDE):
        for column in range(0, width - SIDE + 1, SIDE):
            at = slice(row, row + SIDE), slice(column, column + SIDE)
            if not valid[at].all():
                continue
            window = values[at] - values[at].mean()
            power = np.abs(np.fft.fft2(window * taper)) ** 2
            total += power[(radius > 0.42) & (radius < 0.5)].mean(), power[(radius > 0.1) & (radius < 0.2)].mean()
            count += 1
    return total / count if count >= LEAST_WINDOWS and total[1] > 0 else None


def _blockiness(values: Floats, valid: NDArray[np.bool_]) -> float:
    """Measure the mean step across every eighth border over that across the others, along the axis where it is less."""
    ratios = []
    for axis in (0, 1):
        along, usable = np.moveaxis(values, axis, 0), np.moveaxis(valid, axis, 0)
        both = usable[1:] & usable[:-1]
        counts = both.sum(1)
        steps = (np.abs(np.diff(along, axis=0)) * both).sum(1)
        rows = np.where(counts > 0, steps / np.maximum(counts, 1), np.nan)
        whole = rows[: len(rows) // JPEG_BLOCK * JPEG_BLOCK].reshape(-1, JPEG_BLOCK)
        if np.isfinite(whole).sum(0).min(initial=len(whole)) < LEAST_BLOCKS:
            return float("nan")
        phases = np.nanmedian(whole, 0)  # of borders: a road that crosses is no block
        largest = int(phases.argmax())
        others = np.delete(phases, largest).mean()
        ratios.append(phases[largest] / others if others > 0 else float("nan"))
    return min(ratios)
