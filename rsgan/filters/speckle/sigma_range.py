"""Improved Lee sigma: the mean of those neighbours that speckle of the same ground can explain."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from rsgan.filters.speckle.local_linear import least_squares
from rsgan.filters.speckle.neighbourhood import Bools, Doubles, Gathered, Moments, box_sum, by_band, neighbours

SHARE = 0.9
"""Probability of the sigma range, the source's xi."""
POINT_PIXELS = 5
"""Bright pixels among 3 x 3 that make a point target, the source's Tk."""
POINT_REACH = 2
"""Pixels beyond the window that a cluster of bright pixels depends on: 3 x 3 around the bright, 3 x 3 around those."""
POINT_CONTRAST = float(-np.log(0.02))
"""Times the mean of its surroundings that a bright pixel has: 98th percentile of single-look speckle."""


def lee_sigma(intensity: NDArray[np.floating], valid: Bools, *, looks: float, size: int = 7) -> NDArray[np.float32]:
    """The linear estimate of least squared error over the neighbours inside the sigma range; point targets are kept.

    The range lies around a first estimate over 3 x 3 pixels, wide enough for `SHARE` of the speckle and so placed that
    the mean stays. A pixel that has no neighbour in its range is kept, as is a cluster of bright pixels. Bright is
    measured against the pixel's surroundings, where the source takes the 98th percentile of the whole image: here no
    pixel depends on what is far away. Flat single-look ground comes out 1.5 % dark.

    Args:
        intensity: (C, H, W) linear power; anything, NaN too, where not valid.
        valid: (C, H, W) True = usable.
        looks: equivalent number of looks, above 0.
        size: side of the window in pixels, odd; the source has 9.

    Returns:
        (C, H, W) linear power, 0 where not valid.

    Raises:
        ConfigError: looks or size cannot be.
        GridError: the shapes differ.

    Source: Lee et al. 2009, doi:10.1109/TGRS.2008.2002881.
    """
    return by_band(_lee_sigma, intensity, valid, looks, size)


@dataclass(frozen=True)
class SigmaRange:
    """Speckle between `low` and `high` has mean 1, probability `SHARE` and the given variance."""

    low: float
    high: float
    variance: float


@lru_cache(maxsize=64)
def sigma_range(looks: float) -> SigmaRange:
    """The sigma range of L-look intensity.

    The first two moments of gamma(L, 1/L) up to a bound are the distribution functions of gamma(L + 1, 1/L) and
    (1 + 1/L) gamma(L + 2, 1/L).

    Source: Lee et al. 2009, doi:10.1109/TGRS.2008.2002881, section III; solved for here, tabulated there.
    """

    def between(order: int, low: float, high: float) -> float:
        law = stats.gamma(looks + order, scale=1 / looks)
        return float(law.cdf(high) - law.cdf(low))

    speckle = stats.gamma(looks, scale=1 / looks)

    def high(below: float) -> float:
        return float(speckle.ppf(min(below + SHARE, 1)))

    def excess(below: float) -> float:
        return between(1, float(speckle.ppf(below)), high(below)) - SHARE

    below = float(optimize.brentq(excess, 0, 1 - SHARE, xtol=1e-12))
    bounds = float(speckle.ppf(below)), high(below)
    return SigmaRange(*bounds, (1 + 1 / looks) * between(2, *bounds) / SHARE - 1)


def _lee_sigma(values: Doubles, valid: Bools, looks: float, size: int) -> Doubles:
    near = Moments.of_window(values, valid, 3)
    first = least_squares(values, near, 1 / looks)
    accepted = sigma_range(looks)
    low, high = accepted.low * first, accepted.high * first
    gathered = Gathered.nothing(values.shape)
    for _, _, value, usable in neighbours(values, valid, size):
        gathered.add(value, usable & (value >= low) & (value <= high))
    filtered = least_squares(values, gathered.moments(), accepted.variance)
    kept = (gathered.count == 0) | point_targets(values, valid, near, size)
    return np.where(kept, values, filtered)


def point_targets(values: Doubles, valid: Bools, near: Moments, size: int) -> Bools:
    """Bright pixels with at least `POINT_PIXELS` of them in some 3 x 3 window around a bright one.

    Args:
        values: (H, W) intensity, 0 where not valid.
        valid: (H, W).
        near: moments over 3 x 3.
        size: side of the window whose pixels beyond 3 x 3 are the surroundings.
    """
    around = Moments.of_window(values, valid, size)
    total, count = around.mean * around.count - near.mean * near.count, around.count - near.count
    bright = valid & (total > 0) & (values * count > POINT_CONTRAST * total)
    cluster = bright & (box_sum(bright, 3) >= POINT_PIXELS)
    return bright & (box_sum(cluster, 3) > 0)
