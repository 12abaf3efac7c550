"""Filters that lie between the local mean and the observed pixel: boxcar and Lee.

Intensity is I = R u: ground R, speckle u of mean 1 and variance 1/L.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rsgan.filters.speckle.neighbourhood import Bools, Doubles, Moments, by_band


def boxcar(intensity: NDArray[np.floating], valid: Bools, *, looks: float, size: int = 7) -> NDArray[np.float32]:
    """Mean of the valid pixels of a square window: N times the looks on flat ground, and every edge lost.

    Args:
        intensity: (C, H, W) linear power; anything, NaN too, where not valid.
        valid: (C, H, W) True = usable.
        looks: of no use here; taken and checked so that all filters are called alike.
        size: side of the window in pixels, odd.

    Returns:
        (C, H, W) linear power, 0 where not valid.

    Raises:
        ConfigError: looks or size cannot be.
        GridError: the shapes differ.
    """
    return by_band(_mean, intensity, valid, looks, size)


def lee(intensity: NDArray[np.floating], valid: Bools, *, looks: float, size: int = 7) -> NDArray[np.float32]:
    """Local mean + k (I - mean): the best linear estimate if the window varied like its centre does.

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

    Source: Lee 1980, doi:10.1109/TPAMI.1980.4766994, multiplicative noise, with k = 1 - Cu^2 / Ci^2 as Lopes et al.
    1990, doi:10.1109/36.62623, write it and the Orfeo Toolbox computes it: Cu^2 = 1/L, Ci = standard deviation / mean.
    """
    return by_band(_lee, intensity, valid, looks, size)


def least_squares(values: Doubles, moments: Moments, speckle_variance: float) -> Doubles:
    """Local mean + k (I - mean) with k = var(R) / var(I), the linear estimate of least squared error.

    Args:
        values: (H, W) observed intensity.
        moments: of I around each pixel.
        speckle_variance: s of u, so that var(R) = (var(I) - s mean^2) / (1 + s), 0 if that is negative.

    Source: Lee and Pottier 2009, Polarimetric Radar Imaging, section 5.3.
    """
    ground = (moments.variance - speckle_variance * moments.mean**2) / (1 + speckle_variance)
    return blend(values, moments, ground, moments.variance)


def blend(values: Doubles, moments: Moments, share: Doubles, whole: Doubles) -> Doubles:
    """Local mean + k (I - mean) with k = share / whole, 0 where `share` is not above 0."""
    weight = np.divide(share, whole, out=np.zeros_like(share), where=share > 0)
    return moments.mean + weight * (values - moments.mean)


def _mean(values: Doubles, valid: Bools, looks: float, size: int) -> Doubles:
    return Moments.of_window(values, valid, size).mean


def _lee(values: Doubles, valid: Bools, looks: float, size: int) -> Doubles:
    moments = Moments.of_window(values, valid, size)
    return blend(values, moments, moments.variance - moments.mean**2 / looks, moments.variance)
