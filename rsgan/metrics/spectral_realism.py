"""Whether sets of chips have the colours and the grain of the ground: covariances of bands, indices, power spectra."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance

from rsgan.metrics.consistency import radial_power

Floats = NDArray[np.floating]
Doubles = NDArray[np.float64]

PIXELS = 2**20
"""Pixels of a set of which a histogram is made; of more, every n-th is taken."""


def covariance_difference(made: Floats, wanted: Floats) -> float:
    """Size of the difference of the bands' covariances over pixels, over that of the wanted ones; 0 for equal ones.

    Args:
        made: (N, C, H, W) reflectance, or another unit that both share.
        wanted: (M, C, H, W) likewise.
    """
    first, second = (np.atleast_2d(np.cov(np.moveaxis(x, 1, 0).reshape(x.shape[1], -1))) for x in (made, wanted))
    return float(np.linalg.norm(first - second) / np.linalg.norm(second))


def index_distance(made: Floats, wanted: Floats, positive: int, negative: int) -> float:
    """Mean distance that the values of an index have to be moved to become the wanted ones, 0 .. 2 (Wasserstein-1).

    Args:
        made: (N, C, H, W) reflectance.
        wanted: (M, C, H, W) reflectance.
        positive: band p of the index (p - n) / (p + n).
        negative: band n.
    """
    return float(wasserstein_distance(*(_index(x, positive, negative) for x in (made, wanted))))


def _index(chips: Floats, positive: int, negative: int) -> Doubles:
    values = chips[:, [positive, negative]].astype(np.float64)
    total = values.sum(1).ravel()
    index = np.divide((values[:, 0] - values[:, 1]).ravel(), total, out=np.zeros_like(total), where=total > 0)
    found: Doubles = np.clip(index, -1, 1)[:: max(1, index.size // PIXELS)]
    return found


def mean_power(chips: Floats) -> tuple[Doubles, Doubles]:
    """Mean over chips of the radially averaged power spectrum, see `consistency.radial_power`.

    Args:
        chips: (N, C, H, W), sides of at least 8 pixels.

    Returns:
        Frequencies (F,) in cycles per pixel, and power (C, F), unit squared.
    """
    frequencies = radial_power(chips[0])[0]
    return frequencies, np.mean([radial_power(chip)[1] for chip in chips], axis=0)


def power_difference_db(made: Floats, wanted: Floats) -> float:
    """Root mean square over bands and frequencies above 0 of the ratio of mean powers, dB; 0 for equal spectra.

    Args:
        made: (N, C, H, W).
        wanted: (M, C, H, W) of the same sides.
    """
    first, second = (mean_power(chips)[1][:, 1:] for chips in (made, wanted))
    least = np.finfo(np.float64).tiny
    decibels = 10 * (np.log10(np.maximum(first, least)) - np.log10(np.maximum(second, least)))
    return float(np.sqrt(np.square(decibels).mean()))
