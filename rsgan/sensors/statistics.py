"""What a scene says about itself: centre and spread of its bands, noise and width of the point spread function.

numpy only. Decided once per scene (or chip, in training), never per window.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.floating]
AnyFloat = TypeVar("AnyFloat", bound=np.floating)
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

    def to_network(self, reflectance: NDArray[np.floating]) -> NDArray[np.float32]:
        """(..., C, H, W) reflectance -> network units."""
        network = np.empty(reflectance.shape, np.float32)
        for band, (centre, spread) in enumerate(zip(self.centre, self.spread, strict=True)):  # float64 of one at a time
            network[..., band, :, :] = (reflectance[..., band, :, :] - centre) / spread
        return network

    def to_reflectance(self, network: NDArray[AnyFloat]) -> NDArray[AnyFloat]:
        """(..., C, H, W) network units -> reflectance, in their type; the inverse of `to_network`."""
        reflectance = np.empty_like(network)
        for band, (centre, spread) in enumerate(zip(self.centre, self.spread, strict=True)):
            reflectance[..., band, :, :] = network[..., band, :, :] * spread + centre
        return reflectance


def detail(values: Floats) -> Floats:
    """Difference of each pixel from the mean of its 3 x 3 neighbourhood; (C, H, W) in and out."""
    smooth: Floats = ndimage.uniform_filter(values, size=(1, 3, 3), mode="reflect")
    return values - smooth


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


LAGS = (1, 2, 3, 4)
"""Distances in pixels at which differences are taken."""
QUANTILES = (0.02, 0.05, 0.1, 0.25, 0.5, 0.75)
"""Of the high-pass over small blocks of ground: the low ones are nearly noise alone."""
FLAT_SHARES = (1.0, 0.25, 0.08)
"""Shares of the pixels, always the flattest ones, over which a pixel is predicted from its neighbours."""
FEATURES = 2 * (2 * len(LAGS) + len(QUANTILES) + 2 + len(FLAT_SHARES)) + 1
"""Length of the vector that `probe_features` gives for one band."""
SMALLEST_PROBE = 24
"""Side of the smallest raster whose noise and point spread function are estimated."""


def _differences(values: Floats, valid: NDArray[np.bool_], lag: int) -> float:
    """Mean absolute difference at a lag, both directions, over pairs of valid pixels."""
    total, count = 0.0, 0
    for front, back in ((np.s_[:-lag], np.s_[lag:]), (np.s_[:, :-lag], np.s_[:, lag:])):
        first, second, both = values[front], values[back], valid[front] & valid[back]
        total += float(np.abs(first - second)[both].sum())
        count += int(both.sum())
    return total / max(count, 1)


def _high_pass(values: Floats) -> Floats:
    """Diagonal second difference, zero on every plane and every straight edge along the grid; noise gain 2."""
    return values[1:, 1:] - values[1:, :-1] - values[:-1, 1:] + values[:-1, :-1]


def _innovation(values: Floats, valid: NDArray[np.bool_]) -> Floats:
    """RMS of what neither the eight neighbours nor the other bands predict of a pixel, over all and over flat ground.

    Detail of the ground shows in several pixels and bands at once; noise does not. One linear prediction per band and
    share of the pixels (the flattest), by least squares; its RMS is divided by what it makes of white noise.

    Args:
        values: (C, H, W) in units of the spread.
        valid: (H, W).

    Returns:
        (C, len(FLAT_SHARES)) in units of the spread.
    """
    local = values - ndimage.uniform_filter(values, size=(1, 9, 9), mode="reflect")
    energy = ndimage.uniform_filter((local**2).sum(0), 7)[1:-1, 1:-1]
    usable = ndimage.minimum_filter(valid, size=9)[1:-1, 1:-1]
    height, width = energy.shape
    moved = [local[:, r : r + height, c : c + width] for r in range(3) for c in range(3)]
    planes = np.concatenate([np.concatenate(moved), np.ones((1, height, width))])
    result = np.zeros((len(values), len(FLAT_SHARES)))
    for column, share in enumerate(FLAT_SHARES):
        limit = np.quantile(energy[usable], share) if usable.any() else 0.0
        pixels = planes[:, usable & (energy <= limit)]
        gram = pixels @ pixels.T + 1e-6 * np.eye(len(pixels))
        for band in range(len(values)):
            target = 4 * len(values) + band
            rest = np.delete(np.arange(len(gram)), target)
            weights = np.linalg.solve(gram[np.ix_(rest, rest)], gram[rest, target])
            energy_left = gram[target, target] - gram[rest, target] @ weights
            freedom = max(pixels.shape[1] - len(rest), 1)
            result[band, column] = np.sqrt(max(energy_left, 0.0) / freedom / (1 + (weights[:-1] ** 2).sum()))
    return result


FLAT = 1
"""Which of `FLAT_SHARES` tells the noise best where nothing was fitted: flat ground, but enough of it."""


def plain_noise(values: Floats, valid: NDArray[np.bool_], spread: Floats) -> Floats:
    """(C,) noise in the unit of `values`: what neither neighbours nor the other bands predict over flat ground.

    An upper bound that needs no training: texture of one band alone counts as noise.

    Args:
        values: (C, H, W), invalid pixels filled; at least 3 x 3.
        valid: (H, W), True = usable in every band.
        spread: (C,) from `band_scaling`.
    """
    return _innovation(values / spread[:, None, None], valid)[:, FLAT] * spread


def _band_features(values: Floats, valid: NDArray[np.bool_], high: Floats, usable: NDArray[np.bool_]) -> list[float]:
    lags = [_differences(values, valid, lag) for lag in LAGS]
    high_lags = [_differences(high, usable, lag) for lag in LAGS]
    energy = ndimage.uniform_filter(np.abs(high), 5)[2::3, 2::3]
    inside = ndimage.minimum_filter(usable, size=5)[2::3, 2::3]
    blocks = np.quantile(energy[inside], QUANTILES) if inside.any() else np.full(len(QUANTILES), high_lags[0])
    inner = ndimage.minimum_filter(valid, size=3)
    laplacian = np.abs(ndimage.laplace(values))[inner]
    rest = [
        float(np.abs(high[usable]).mean()) if usable.any() else 0.0,
        float(laplacian.mean()) if laplacian.size else 0.0,
    ]
    return [*lags, *high_lags, *blocks, *rest]


def probe_features(values: Floats, valid: NDArray[np.bool_], spread: Floats) -> Floats:
    """What tells noise from texture and a narrow point spread function from a wide one.

    Logarithms relative to the spread of: mean differences at growing lags (the slope of the variogram bends with blur
    and noise), the same of the diagonal high-pass, its low quantiles over small blocks (noise is what the flattest
    blocks still show) and what of it the other bands do not explain. Each band's own, then their mean over the bands.

    Args:
        values: (C, H, W) reflectance, invalid pixels filled; at least `SMALLEST_PROBE` on each side.
        valid: (H, W), True = usable in every band.
        spread: (C,) reflectance, from `band_scaling`.

    Returns:
        (C, FEATURES) numbers that do not change when a band's reflectance is multiplied or shifted.
    """
    tiny = 1e-7
    usable = ndimage.minimum_filter(valid, size=3)[1:, 1:]
    high = np.stack([_high_pass(band) for band in values])
    innovation = _innovation(values / spread[:, None, None], valid) * spread[:, None]
    own = np.array(
        [[*_band_features(band, valid, h, usable), *i] for band, h, i in zip(values, high, innovation, strict=True)]
    )
    logs = np.log(own + tiny) - np.log(spread)[:, None]
    shared = np.append(logs.mean(0), np.log(np.sqrt(valid.sum())))
    return np.concatenate([logs, np.broadcast_to(shared, (len(values), shared.size))], axis=1)


@dataclass(frozen=True)
class Probe:
    """Linear estimators of noise and point spread function on `probe_features`, fitted in training.

    Attributes:
        mean: (F,) mean of each feature.
        deviation: (F,) standard deviation of each feature.
        log_noise: (1 + F + F,) intercept, weights of the standardised features and of their squares.
        sigma: the same for the Gaussian's width in input pixels.
    """

    mean: Floats
    deviation: Floats
    log_noise: Floats
    sigma: Floats

    def design(self, features: Floats) -> Floats:
        """Regressors (N, 1 + 2 F) of features (N, F), outliers cut at four standard deviations."""
        standard = np.clip((features - self.mean) / self.deviation, -4, 4)
        return np.concatenate([np.ones((len(features), 1)), standard, standard**2 - 1], axis=1)

    def estimate(self, features: Floats) -> tuple[Floats, Floats]:
        """Noise / spread and sigma of each row of features (N, F)."""
        design = self.design(features)
        return np.exp(design @ self.log_noise), design @ self.sigma


NOISE_RATIO_FLOOR = 0.02
"""Noise / spread below which noise does not matter; the estimator does not try to resolve it."""


def fit_probe(features: Floats, noise_ratio: Floats, sigma: Floats, ridge: float = 30.0) -> Probe:
    """Ridge regression of log noise and sigma on features.

    Args:
        features: (N, F).
        noise_ratio: (N,) noise / spread.
        sigma: (N,) input pixels.
        ridge: weight of the penalty; the intercept is free.

    Source: Hoerl and Kennard 1970, doi:10.1080/00401706.1970.10488634.
    """
    blank = Probe(features.mean(0), features.std(0) + 1e-9, np.zeros(0), np.zeros(0))
    design = blank.design(features)
    penalty = ridge * np.eye(design.shape[1])
    penalty[0, 0] = 0.0
    solve = np.linalg.solve(design.T @ design + penalty, design.T)
    return Probe(blank.mean, blank.deviation, solve @ np.log(np.maximum(noise_ratio, NOISE_RATIO_FLOOR)), solve @ sigma)
