"""Speckle of synthetic aperture radar: its laws, its correlation, how to draw it, thin it and measure it.

Intensity is linear power. Source of the laws: Goodman 1976, doi:10.1364/JOSA.66.001145; Oliver and Quegan 2004,
Understanding Synthetic Aperture Radar Images, chapter 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, optimize, special, stats

Floats = NDArray[np.floating]
Valid = NDArray[np.bool_]

MOST_LOOKS = 1000.0
"""Looks above which an image counts as free of speckle."""
PSF_REACH = 6
"""Pixels that the point spread function of correlated speckle reaches to each side."""
MOST_CORRELATION = 0.9
"""Lag-1 intensity correlation above which `PSF_REACH` would cut the point spread function short."""
DB = 10.0 / np.log(10.0)
"""Decibels per unit of the natural logarithm of intensity."""


def log_bias(looks: float) -> float:
    """Mean of the logarithm of L-look speckle, psi(L) - ln L: what averaging logarithms loses; 0 for many looks.

    Source: Xie et al. 2002, doi:10.1109/TGRS.2002.1000333, equation 10 (Fisher-Tippett law of log-intensity).
    """
    return float(special.digamma(looks) - np.log(looks))


def log_variance(looks: float) -> float:
    """Variance of the logarithm of L-look speckle, psi'(L); pi^2 / 6 for one look.

    Source: Xie et al. 2002, doi:10.1109/TGRS.2002.1000333, equation 11.
    """
    return float(special.polygamma(1, looks))


def looks_of_log_variance(variance: float) -> float:
    """The L with psi'(L) = `variance`, the inverse of `log_variance`; at most `MOST_LOOKS`."""
    if variance <= log_variance(MOST_LOOKS):
        return MOST_LOOKS
    return float(optimize.brentq(lambda looks: log_variance(looks) - variance, 1e-3, MOST_LOOKS))


def mean_amplitude(looks: float) -> float:
    """Mean of the Nakagami amplitude over the square root of the mean intensity; sqrt(pi) / 2 for one look (Rayleigh).

    Source: Oliver and Quegan 2004, equation 4.16: Gamma(L + 1/2) / (Gamma(L) sqrt(L)).
    """
    return float(np.exp(special.gammaln(looks + 0.5) - special.gammaln(looks)) / np.sqrt(looks))


def median_db(looks: float) -> float:
    """Median of L-look speckle in dB; -1.59 for one look."""
    return float(10 * np.log10(stats.gamma.median(looks, scale=1 / looks)))


@lru_cache(maxsize=512)
def psf_taps(correlation: float) -> tuple[float, ...]:
    """Taps of a Gaussian point spread function whose speckle has this lag-1 intensity correlation along its axis.

    Speckle is the squared modulus of white circular complex noise seen through the point spread function; its intensity
    correlation is the squared modulus of the field's (Siegert). The sum of squared taps is 1, so the mean stays 1.

    Args:
        correlation: of neighbouring intensities, 0 .. `MOST_CORRELATION`.

    Source: Goodman 1985, Statistical Optics, section 6.1 (Siegert relation).
    """
    if correlation <= 0:
        return (1.0,)
    offsets = np.arange(-PSF_REACH, PSF_REACH + 1)

    def taps(sigma: float) -> NDArray[np.float64]:
        values: NDArray[np.float64] = np.exp(-(offsets**2) / (2 * sigma**2))
        normalised: NDArray[np.float64] = values / np.sqrt((values**2).sum())
        return normalised

    def excess(sigma: float) -> float:
        values = taps(sigma)
        return float((values[1:] * values[:-1]).sum() ** 2 - correlation)

    return tuple(taps(optimize.brentq(excess, 0.05, 3.0)))


def look_weights(looks: float) -> NDArray[np.float64]:
    """Weights of the fewest single looks whose weighted mean has `looks` equivalent looks: sum w = 1, sum w^2 = 1/L."""
    count = int(np.ceil(looks - 1e-9))
    if count <= 1:
        return np.ones(1)
    rest = count - 1
    # rest * a + b = 1 and rest * a^2 + b^2 = 1 / looks, the smaller b
    b = (1 - np.sqrt(max(rest * (count / looks - 1), 0.0))) / count
    return np.append(np.full(rest, (1 - b) / rest), b)


@lru_cache(maxsize=512)
def before_averaging(correlation: float, count: int) -> tuple[float, float]:
    """What speckle was like along one axis before the intensities of `count` neighbours were averaged.

    Multilooking and resampling average intensity, which correlates it over `count` pixels: at the same lag-1
    correlation, more at lag 2 than a point spread function alone does.

    Args:
        correlation: lag-1 intensity correlation afterwards, from 1 - 1 / `count` up: what averaging alone gives.
        count: pixels averaged.

    Returns:
        Lag-1 correlation before, and variance afterwards over variance before.

    Raises:
        ValueError: averaging alone correlates more than `correlation`.
    """

    def covariance(before: float, lag: int) -> float:
        return sum((count - abs(m)) * before ** ((lag - m) ** 2) for m in range(1 - count, count)) / count**2

    def excess(before: float) -> float:
        return covariance(before, 1) / covariance(before, 0) - correlation

    if excess(0.0) > 1e-9:
        raise ValueError(
            f"the mean of {count} neighbours has a lag-1 correlation of {1 - 1 / count:.3g} at least; "
            f"{correlation:.3g} is below it"
        )
    before = float(optimize.brentq(excess, 0.0, 0.999)) if excess(0.0) < -1e-9 else 0.0
    return before, covariance(before, 0)


def looks_before_averaging(looks: float, correlation: tuple[float, float], averaged: tuple[int, int]) -> float:
    """Looks of what has `looks` after averaging, see `before_averaging`; below 1, no speckle gives that."""
    kept = [before_averaging(rho, count)[1] for rho, count in zip(correlation, averaged, strict=True)]
    return looks * kept[0] * kept[1]


def draw_speckle(
    rng: np.random.Generator,
    shape: tuple[int, int],
    looks: float,
    correlation: tuple[float, float] = (0.0, 0.0),
    averaged: tuple[int, int] = (1, 1),
) -> NDArray[np.float32]:
    """One image of L-look speckle of mean 1 and variance 1/L: gamma(L, 1/L), where nothing is averaged.

    Args:
        rng: source of randomness.
        shape: (H, W).
        looks: L > 0; from 1 up for correlated speckle.
        correlation: lag-1 intensity correlation along rows' direction (from row to row) and columns'; 0 is white.
        averaged: neighbours along each axis whose intensities are averaged, see `before_averaging`; looks and
            correlation are those of the average, which is not quite gamma distributed.

    Returns:
        (H, W) float32, above 0.

    Raises:
        ValueError: no speckle gives `looks` after so much averaging, or averaging alone correlates more.
    """
    if averaged != (1, 1):
        fewer = looks_before_averaging(looks, correlation, averaged)
        if fewer < 1:
            raise ValueError(
                f"{looks:g} looks cannot be a mean of {averaged}: that of one look has {looks / fewer:.3g}"
            )
        first, second = (before_averaging(rho, count)[0] for rho, count in zip(correlation, averaged, strict=True))
        larger = (shape[0] + averaged[0] - 1, shape[1] + averaged[1] - 1)
        finer = draw_speckle(rng, larger, fewer, (first, second))
        means: NDArray[np.float32] = np.lib.stride_tricks.sliding_window_view(finer, averaged).mean((2, 3))
        return means
    if max(correlation) <= 0:
        return np.asarray(np.maximum(rng.standard_gamma(looks, shape) / looks, 1e-12), np.float32)
    taps = [np.array(psf_taps(round(float(value), 3)), dtype=np.float32) for value in correlation]
    height, width = (n + 2 * PSF_REACH for n in shape)
    weights = look_weights(looks)
    field = rng.standard_normal((2 * len(weights), height, width), dtype=np.float32)
    for axis, values in zip((1, 2), taps, strict=True):
        if len(values) > 1:
            field = ndimage.convolve1d(field, values, axis=axis, mode="wrap")
    inner = slice(PSF_REACH, -PSF_REACH)
    power = np.square(field[:, inner, inner]).reshape(2, len(weights), *shape).sum(0) / 2
    speckle: NDArray[np.float32] = np.tensordot(weights, power, 1).astype(np.float32)
    return np.asarray(np.maximum(speckle, np.float32(1e-12)), np.float32)


def add_noise_floor(ground: Floats, floor_db: float) -> NDArray[np.float32]:
    """Mean intensity of ground seen through a receiver whose thermal noise lies `floor_db` below the ground's mean.

    Signal and thermal noise are independent complex fields, so their powers add up before speckle multiplies the sum:
    no ground looks darker than the floor.

    Args:
        ground: (H, W) intensity without speckle.
        floor_db: power of the noise over the mean of the ground, dB, negative.

    Source: Oliver and Quegan 2004, section 2.4 (noise equivalent backscatter).
    """
    return np.asarray(ground + ground.mean() * 10 ** (floor_db / 10), np.float32)


def add_point(clutter: Floats, power: Floats, phase: Floats) -> NDArray[np.float32]:
    """Intensity of clutter and steady point scatterers seen together: |sqrt(I) + sqrt(P) exp(i phi)|^2.

    Args:
        clutter: (H, W) speckled intensity.
        power: (H, W) intensity of the points, 0 where there is none.
        phase: (H, W) between the two, radians.

    Source: Rice 1945 (steady signal in noise); Oliver and Quegan 2004, section 4.8.
    """
    return np.asarray(clutter + power + 2 * np.sqrt(clutter * power) * np.cos(phase), np.float32)


def thin(
    rng: np.random.Generator, intensity: Floats, looks: float, share: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Split L-look intensity into two independent ones of the same mean, of `share` L and (1 - `share`) L looks.

    A gamma variable times an independent Beta(aL, (1 - a)L) one and its complement are independent gammas. Needs looks
    within about 10 %, and white speckle: lag-1 correlation rho leaves sqrt(a (1 - a)) rho between a pixel of one part
    and its neighbour in the other.

    Args:
        rng: source of randomness.
        intensity: linear power, any shape, mean R.
        looks: L.
        share: a, above 0 and below 1.

    Returns:
        Two arrays of the same shape and mean R, float32.

    Source: Neufeld et al. 2024, Data thinning for convolution-closed distributions, arXiv:2301.07276, example for the
    gamma law.
    """
    beta = rng.beta(share * looks, (1 - share) * looks, intensity.shape)
    return (intensity * beta / share).astype(np.float32), (intensity * (1 - beta) / (1 - share)).astype(np.float32)


def centre_spectrum(slc: NDArray[np.complexfloating]) -> NDArray[np.complex64]:
    """Single-look complex data with the centroid of their spectrum moved to frequency 0 along both axes.

    Where the spectrum is symmetric about its centroid, the point spread function is real afterwards, and the real and
    the imaginary part are independent; both are L = 1/2 looks at the same ground.

    Args:
        slc: (H, W) complex amplitude.

    Source: Madsen 1989, doi:10.1109/7.18672 (centroid from the phase of the lag-1 correlation); Dalsasso et al. 2022,
    doi:10.1109/TGRS.2021.3128621, section II (independence of the two parts).
    """
    centred = np.asarray(slc, np.complex128)
    for axis in (0, 1):
        along = np.moveaxis(centred, axis, 0)
        phase = np.angle(np.sum(along[1:] * np.conj(along[:-1])))
        ramp = np.exp(-1j * phase * np.arange(len(along)))
        centred = np.moveaxis(along * ramp[:, None], 0, axis)
    return centred.astype(np.complex64)


@dataclass(frozen=True)
class SpeckleEstimate:
    """What an image says about its own speckle.

    Attributes:
        looks: equivalent number of looks over homogeneous ground.
        correlation: lag-1 intensity correlation there, from row to row and from column to column.
        windows: homogeneous windows that it was measured in; 0 if there was none, and then the figures are defaults.
    """

    looks: float
    correlation: tuple[float, float]
    windows: int


ESTIMATE_SIDE, SMALLEST_SIDE = 11, 7
"""Side of the windows in which speckle is measured, pixels; the smaller one where fewer than four of these fit."""
HOMOGENEOUS = 0.35
"""Share of windows with the most frequent variance of log-intensity that are looked at for the correlation."""


def estimate_speckle(chips: Sequence[tuple[Floats, Valid]], side: int = ESTIMATE_SIDE) -> SpeckleEstimate:
    """Looks and correlation of an image, from the most frequent variance of log-intensity in small windows.

    Texture only adds variance, so homogeneous ground shows as the mode of the local variances; a quantile would be
    biased. What is smooth inside a window, a quadratic surface, is ground and is taken out; with it goes part of the
    speckle, the more the stronger it is correlated. That part follows from the correlation, and both are solved for
    together.

    Args:
        chips: (H, W) intensity and valid, of one band; pixels that are not positive are left out.
        side: of the windows, pixels.

    Returns:
        The estimate; looks 1, correlation 0 and no windows where there is nothing to measure.

    Source: log-variance estimator and the comparison of estimators in Cui et al. 2011, doi:10.1109/LGRS.2011.2114321;
    mode instead of a quantile after Lee et al. 2009 (unsupervised estimation), doi:10.1109/TGRS.2008.2002881.
    """
    found = [_local_statistics(values, valid, side) for values, valid in chips]
    variances = np.concatenate([np.empty(0), *(part[0] for part in found)])
    if variances.size < 4:
        small = side <= SMALLEST_SIDE
        return SpeckleEstimate(1.0, (0.0, 0.0), 0) if small else estimate_speckle(chips, SMALLEST_SIDE)
    if np.median(variances) < log_variance(MOST_LOOKS):
        return SpeckleEstimate(MOST_LOOKS, (0.0, 0.0), int(variances.size))
    products = np.concatenate([part[1] for part in found], axis=1)
    products, variances = products[:, variances > 0], variances[variances > 0]
    centre = _mode(np.log(variances))
    order = np.argsort(np.abs(np.log(variances) - centre))[: max(4, int(HOMOGENEOUS * variances.size))]
    raw = products[1:, order].sum(1) / products[0, order].sum()
    rho = np.clip(raw, 0.0, 0.95)
    for _ in range(20):
        left = _left_of_speckle(side, rho)
        rho = np.clip(rho + raw - left[1:] / left[0], 0.0, 0.95)
    looks = looks_of_log_variance(float(np.exp(centre)) / float(_left_of_speckle(side, rho)[0]))
    return SpeckleEstimate(looks, (float(rho[0]), float(rho[1])), int(variances.size))


def _local_statistics(values: Floats, valid: Valid, side: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of whole windows without an invalid pixel: variance of log-intensity (K,), and products of relative intensity.

    The products are (3, K): variance, and lag-1 covariance from row to row and from column to column.
    """
    height, width = (n // side for n in values.shape)
    if not height or not width:
        return np.empty(0), np.empty((3, 0))

    def blocks(array: NDArray[Any]) -> NDArray[Any]:
        cut = array[: height * side, : width * side].reshape(height, side, width, side)
        return cut.transpose(0, 2, 1, 3).reshape(-1, side, side)

    usable = valid & (values > 0)
    windows = blocks(np.where(usable, values, 1.0).astype(np.float64))[blocks(usable).all((1, 2))]
    logs, surfaces = np.log(windows).reshape(-1, side**2), _surfaces(side)
    smooth = (logs @ surfaces) @ surfaces.T
    relative = windows / np.exp(smooth.reshape(windows.shape))
    relative = relative / relative.mean((1, 2), keepdims=True) - 1
    products = np.stack([
        np.square(relative).mean((1, 2)),
        (relative[:, 1:] * relative[:, :-1]).mean((1, 2)),
        (relative[:, :, 1:] * relative[:, :, :-1]).mean((1, 2)),
    ])  # fmt: skip
    return np.square(logs - smooth).mean(1), products


@lru_cache(maxsize=4)
def _surfaces(side: int) -> NDArray[np.float64]:
    """Orthonormal quadratic surfaces over a window, (side^2, 6)."""
    across, even = np.linspace(-1, 1, side), np.ones(side)
    pairs = [(even, even), (across, even), (even, across), (across**2, even), (even, across**2), (across, across)]
    terms = np.stack([np.outer(*pair).ravel() for pair in pairs], axis=1)
    return np.asarray(np.linalg.qr(terms)[0])


def _left_of_speckle(side: int, correlation: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3,) variance and lag-1 covariances, from row to row and from column to column, without quadratic surfaces.

    Of speckle of variance 1 whose correlation is Gaussian along both axes, in the mean over a window.
    """
    lags = np.subtract.outer(np.arange(side), np.arange(side)) ** 2
    rows, columns = (np.where(lags == 0, 1.0, float(rho) ** lags) for rho in correlation)
    surfaces = _surfaces(side)
    taken = np.eye(side**2) - surfaces @ surfaces.T
    left = (taken @ np.kron(rows, columns) @ taken).reshape(side, side, side, side)
    at = np.einsum("ijij->ij", left)
    down = np.einsum("ijij->ij", left[:-1, :, 1:, :])
    right = np.einsum("ijij->ij", left[:, :-1, :, 1:])
    return np.array([at.mean(), down.mean(), right.mean()])


def _mode(values: NDArray[np.float64]) -> float:
    """Peak of a kernel density estimate."""
    if np.ptp(values) < 1e-9:
        return float(values[0])
    low, high = np.quantile(values, [0.0, 0.9])
    grid = np.linspace(low, high, 400)
    width = 0.9 * min(float(values.std()), float(np.subtract(*np.quantile(values, [0.75, 0.25]))) / 1.34) or 0.05
    width *= len(values) ** -0.2
    density = np.exp(-0.5 * ((grid[:, None] - values[None, :4000]) / width) ** 2).sum(1)
    return float(grid[density.argmax()])
