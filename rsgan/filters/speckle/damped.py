"""Frost: weights that fall with distance, the faster the more the window varies."""

from __future__ import annotations

from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from rsgan.filters.speckle.neighbourhood import Bools, Doubles, Moments, Neighbour, by_band, neighbours

DAMPING = 0.4
"""Per pixel of distance, on ground that varies as speckle alone does; chosen on three speckled photographs, where 0.1,
the Orfeo Toolbox's default, is 0.4 dB behind for one look and 2.5 dB for ten, and 0.7 is 0.9 dB behind for both."""


def frost(intensity: NDArray[np.floating], valid: Bools, *, looks: float, size: int = 7) -> NDArray[np.float32]:
    """Weighted mean with weights exp(-K L Ci^2 distance); Ci is standard deviation / mean of the window.

    Args:
        intensity: (C, H, W) linear power; anything, NaN too, where not valid.
        valid: (C, H, W) True = usable.
        looks: equivalent number of looks, above 0; the variation Ci^2 is measured in units of speckle's 1/L.
        size: side of the window in pixels, odd.

    Returns:
        (C, H, W) linear power, 0 where not valid.

    Raises:
        ConfigError: looks or size cannot be.
        GridError: the shapes differ.

    Source: Frost et al. 1982, doi:10.1109/TPAMI.1982.4767223, in the form of Lopes et al. 1990, doi:10.1109/36.62623.
    """
    return by_band(_frost, intensity, valid, looks, size)


def _frost(values: Doubles, valid: Bools, looks: float, size: int) -> Doubles:
    moments = Moments.of_window(values, valid, size)
    level = moments.mean**2 / looks
    variation = np.divide(moments.variance, level, out=np.zeros_like(level), where=level > 0)
    total, weights = np.zeros_like(values), np.zeros_like(values)
    around = sorted(neighbours(values, valid, size), key=_squared_distance)
    for squared, ring in groupby(around, key=_squared_distance):
        weight = np.exp(-DAMPING * np.sqrt(squared) * variation)
        ring_total, ring_count = np.zeros_like(values), np.zeros_like(values)
        for neighbour in ring:
            ring_total += neighbour.values
            ring_count += neighbour.valid
        total += weight * ring_total
        weights += weight * ring_count
    return np.divide(total, weights, out=total, where=weights > 0)


def _squared_distance(neighbour: Neighbour) -> int:
    return neighbour.row**2 + neighbour.column**2
