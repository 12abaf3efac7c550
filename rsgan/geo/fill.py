"""Invalid pixels replaced by a smooth continuation of the valid ones, so that they darken no neighbour."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.ndimage import correlate1d

from rsgan.errors import GridError
from rsgan.geo.scene import Chip

FILL_REACH: Final = 16
"""Pixels further than this (along a row or a column) from every valid pixel take the background."""

_SIGMAS_PX: Final = (1.0, 2.0, 4.0, 8.0)
_WEIGHTS: Final = (1.0, 0.1, 0.01, 0.001)
"""A sum of Gaussians, each ten times weaker than the one half as wide: near pixels decide, far ones fill the rest."""

_BACKGROUND_WEIGHT: Final = 1e-4
"""Weight of the background beside the valid pixels; it takes over gently where these are almost out of reach."""


def fill(chip: Chip, background: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Replace invalid pixels, band by band, by a weighted mean of the valid pixels around and the background.

    Normalised convolution: sum(kernel * valid * values) / sum(kernel * valid), with a kernel of finite reach. The
    result at a pixel depends only on pixels within `FILL_REACH`, bit for bit, so a halo of that many more pixels makes
    it the same in every tiling.

    Args:
        chip: What was read.
        background: (C,) reflectance of each band for pixels beyond reach; the scene's median, for example.

    Returns:
        (C, H, W) float32: the chip's own values where valid.

    Raises:
        GridError: If there is not one background per band.

    Source: Knutsson and Westin 1993, "Normalized and differential convolution", CVPR.
    """
    constants = np.asarray(background, dtype=np.float64)
    if constants.shape != chip.values.shape[:1]:
        raise GridError(f"{constants.size} backgrounds for {chip.values.shape[0]} bands; give one per band.")
    filled = chip.values.copy()
    for plane, valid, constant in zip(filled, chip.valid, constants, strict=True):
        if not valid.any():
            plane[:] = constant
        elif not valid.all():
            _fill_plane(plane, valid, float(constant))
    return filled


def _fill_plane(plane: npt.NDArray[np.float32], valid: npt.NDArray[np.bool_], background: float) -> None:
    """Fill one band in place, working only around its invalid pixels."""
    rows, columns = _around(~valid)
    weight = valid[rows, columns].astype(np.float64)
    deviation = np.where(valid[rows, columns], plane[rows, columns] - background, 0.0)
    total = _spread(weight) + _BACKGROUND_WEIGHT
    smooth = background + _spread(deviation) / total
    plane[rows, columns] = np.where(valid[rows, columns], plane[rows, columns], smooth)


def _around(invalid: npt.NDArray[np.bool_]) -> tuple[slice, slice]:
    """Rows and columns of the smallest rectangle around the invalid pixels, with the reach of the fill added."""
    spans = []
    for axis in (1, 0):
        hit = np.flatnonzero(invalid.any(axis=axis))
        spans.append(slice(max(0, int(hit[0]) - FILL_REACH), int(hit[-1]) + FILL_REACH + 1))
    return spans[0], spans[1]


def _spread(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Correlate with the kernel, direct and separable, zero outside: no rounding that depends on the position."""
    total = np.zeros_like(values)
    for sigma, weight in zip(_SIGMAS_PX, _WEIGHTS, strict=True):
        taps = _gaussian(sigma)
        rows: npt.NDArray[Any] = correlate1d(values, taps, axis=0, mode="constant")
        total += weight * correlate1d(rows, taps, axis=1, mode="constant")
    return total


def _gaussian(sigma_px: float) -> npt.NDArray[np.float64]:
    """Sampled Gaussian of sum 1, cut at four sigma, tapered so that it ends in zero just beyond the reach."""
    radius = min(FILL_REACH, round(4.0 * sigma_px))
    distance = np.arange(-radius, radius + 1)
    taps = np.exp(-0.5 * (distance / sigma_px) ** 2) * np.cos(0.5 * np.pi * distance / (FILL_REACH + 1)) ** 2
    normalised: npt.NDArray[np.float64] = taps / taps.sum()
    return normalised
