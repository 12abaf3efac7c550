"""What a scene says about itself: centre and spread of its bands, noise and width of the point spread function.

numpy only. Decided once per scene (or chip, in training), never per window.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.floating]
SPREAD_FLOOR = 5e-4
"""Smallest spread in reflectance: below it a band holds rounding and noise only."""
GAUSSIAN_MAD = 1.2533
"""Standard deviation of a normal variable over its mean absolute value, sqrt(pi / 2)."""


@dataclass(frozen=True)
class BandScaling:
    """Affine link between reflectance and network units, one pair of numbers per band.

    Attributes:
        centre: (C,) mean reflectance.
        spread: (C,) robust standard deviation of the detail finer than three pixels, reflectance.
    """

    centre: Floats
    spread: Floats

    def to_network(self, reflectance: Floats) -> NDArray[np.float32]:
        """(..., C, H, W) reflectance -> network units."""
        return ((reflectance - self.centre[:, None, None]) / self.spread[:, None, None]).astype(np.float32)

    def to_reflectance(self, network: Floats) -> Floats:
        """(..., C, H, W) network units -> reflectance; the inverse of `to_network`."""
        return network * self.spread[:, None, None] + self.centre[:, None, None]


def detail(values: Floats) -> Floats:
    """Difference of each pixel from the mean of its 3 x 3 neighbourhood; (C, H, W) in and out."""
    return values - ndimage.uniform_filter(values, size=(1, 3, 3), mode="reflect")


def band_scaling(values: Floats, valid: NDArray[np.bool_] | None = None) -> BandScaling:
    """Centre and spread of each band.

    Args:
        values: (C, H, W) reflectance; invalid pixels filled.
        valid: (C, H, W), True = usable; pixels beside an invalid one are left out of the spread.
    """
    if valid is None:
        valid = np.ones(values.shape, dtype=bool)
    inner = ndimage.minimum_filter(valid, size=(1, 3, 3))
    sharp = np.abs(detail(values))
    count = np.maximum(inner.sum((1, 2)), 1)
    centre = np.where(valid, values, 0).sum((1, 2)) / np.maximum(valid.sum((1, 2)), 1)
    spread = GAUSSIAN_MAD * np.where(inner, sharp, 0).sum((1, 2)) / count
    return BandScaling(centre.astype(np.float64), np.maximum(spread, SPREAD_FLOOR).astype(np.float64))
