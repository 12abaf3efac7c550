"""Gamma-MAP: the most probable ground, if ground and speckle both follow gamma laws."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rsgan.filters.speckle.neighbourhood import Bools, Doubles, Moments, by_band


def gamma_map(intensity: NDArray[np.floating], valid: Bools, *, looks: float, size: int = 7) -> NDArray[np.float32]:
    """Mean on flat ground, the observed pixel at points and edges, the maximum of the posterior in between.

    The mode of a skewed posterior lies below its mean: flat single-look ground comes out 4 % dark.

    Args:
        intensity: (C, H, W) linear power; anything, NaN too, where not valid.
        valid: (C, H, W) True = usable.
        looks: equivalent number of looks, above 0.
        size: side of the window in pixels, odd.

    Returns:
        (C, H, W) linear power, 0 where not valid.

    Raises:
        ConfigError: looks or size cannot be.
        GridError: the shapes differ.

    Source: Lopes et al. 1990, Maximum a posteriori speckle filtering and first order texture models in SAR images,
    doi:10.1109/IGARSS.1990.689026; bounds Cu = 1 / sqrt(L) and sqrt(2) Cu of the local variation, Lopes et al. 1993,
    Structure detection and statistical adaptive speckle filtering in SAR images, Int. J. Remote Sensing 14, 1735-1758.
    """
    return by_band(_gamma_map, intensity, valid, looks, size)


def _gamma_map(values: Doubles, valid: Bools, looks: float, size: int) -> Doubles:
    moments = Moments.of_window(values, valid, size)
    mean, speckle = moments.mean, moments.mean**2 / looks
    textured = (mean > 0) & (moments.variance > speckle) & (moments.variance < 2 * speckle)
    excess = np.where(textured, moments.variance - speckle, 1)
    order = (1 + 1 / looks) * mean**2 / excess
    prior = (order - looks - 1) * mean
    root = np.sqrt(np.maximum(prior**2 + 4 * order * looks * mean * values, 0))
    most_probable = (prior + root) / np.where(textured, 2 * order, 1)
    return np.select([textured, moments.variance >= 2 * speckle], [most_probable, values], mean)
