"""Whether an enhanced image is still the scene that was observed.

`degraded` is the enhanced image put through the sensor model, on the grid of `observed`: both (C, H, W) in
reflectance. `valid` is bool (C, H, W) or (H, W), True = usable. All functions refuse shapes that differ (GridError)
and images without a valid pixel or with non-finite valid values (InputError).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from skimage.registration import phase_cross_correlation

from rsgan.errors import BandError, ConfigError, GridError, InputError
from rsgan.metrics.comparison import BandFigures, Bools, Comparison, Floats, one_per_band
from rsgan.metrics.fidelity import rmse, sam_deg

SHIFT_STEPS = 100
"""A shift is found to 1 / SHIFT_STEPS of a pixel."""

GAUSSIAN_MEDIAN = 0.6744897501960817
"""Median of |x| for x normal with standard deviation 1: the 0.75 quantile of the standard normal distribution."""

_NAMES = ("degraded", "observed")


@dataclass(frozen=True)
class Consistency:
    """What `measure` finds; the figures that need a noise level are None without one.

    Attributes:
        residual_rms: of degraded - observed, reflectance.
        residual_over_noise: the same in units of the sensor's noise; 0.7 .. 1.1 is healthy, less is over-fitting.
        sam_deg: mean spectral angle, degrees.
        shift_px: displacement, pixels of the observed grid.
        index_difference: median absolute difference of the normalised index.
        index_noise: median standard deviation that the noise gives to that index.
    """

    residual_rms: BandFigures
    residual_over_noise: BandFigures | None
    sam_deg: float
    shift_px: BandFigures
    index_difference: float
    index_noise: float | None


def measure(
    degraded: ArrayLike,
    observed: ArrayLike,
    *,
    noise: float | Sequence[float] | None = None,
    valid: ArrayLike | None = None,
    positive: int = 3,
    negative: int = 2,
) -> Consistency:
    """All figures of this module that need only the observed grid; the parameters are those of the functions below."""
    index = {"positive": positive, "negative": negative}
    return Consistency(
        residual_rms=residual_rms(degraded, observed, valid=valid),
        residual_over_noise=None if noise is None else residual_over_noise(degraded, observed, noise, valid=valid),
        sam_deg=spectral_angle_deg(degraded, observed, valid=valid),
        shift_px=shift_px(degraded, observed, valid=valid),
        index_difference=index_difference(degraded, observed, valid=valid, **index),
        index_noise=None if noise is None else index_noise(observed, noise, valid=valid, **index),
    )


def residual_rms(degraded: ArrayLike, observed: ArrayLike, *, valid: ArrayLike | None = None) -> BandFigures:
    """Root mean square of degraded - observed, in reflectance; pooled over all valid values of all bands."""
    return rmse(degraded, observed, valid=valid)


def residual_over_noise(
    degraded: ArrayLike, observed: ArrayLike, noise: float | Sequence[float], *, valid: ArrayLike | None = None
) -> BandFigures:
    """Root mean square of (degraded - observed) / noise: near 1 when only the noise is left over, 0 when it is copied.

    Args:
        degraded: (C, H, W), reflectance.
        observed: (C, H, W), reflectance.
        noise: standard deviation of the sensor's noise in reflectance, one for all bands or one each.
        valid: bool (C, H, W) or (H, W).

    Raises:
        ConfigError: A noise is not greater than zero.
        BandError: The count of noises is not that of the bands.
    """
    pair = Comparison.of(_NAMES, degraded, observed, valid)
    scale = one_per_band("noise", noise, len(pair.left))[:, None, None]
    return rmse(pair.left / scale, pair.right / scale, valid=pair.valid)


def spectral_angle_deg(degraded: ArrayLike, observed: ArrayLike, *, valid: ArrayLike | None = None) -> float:
    """Mean spectral angle between degraded and observed in degrees; see `fidelity.sam_deg`."""
    return sam_deg(degraded, observed, valid=valid)


def shift_px(degraded: ArrayLike, observed: ArrayLike, *, valid: ArrayLike | None = None) -> BandFigures:
    """Length of the displacement of degraded against observed, in pixels; pooled = mean over the bands.

    Found by upsampled cross-correlation to 0.01 pixel, under a Hann window so that the edges of the image do not hold
    the estimate at zero. The spectrum is not whitened: on Sentinel-2 scenes a true shift of 0.25 pixel measured
    0.23 .. 0.24 this way and 0.19 .. 0.20 whitened, and noise of 0.003 reflectance alone 0.008 instead of 0.029.
    Values that are not valid take the mean of their band in both images; where they are many, the shift is
    underestimated, so at least half of each band must be valid.

    Raises:
        InputError: Less than half of the values of a band are valid.

    Source:
        Guizar-Sicairos, Thurman, Fienup, Efficient subpixel image registration algorithms, Optics Letters 33, 2008,
        computed by scikit-image.
    """
    pair = Comparison.of(_NAMES, degraded, observed, valid)
    share = float(pair.valid.mean(axis=(1, 2)).min())
    if share < 0.5:
        raise InputError(f"Only {share:.0%} of a band is valid; a shift needs half of it. Choose a fuller window.")
    flat = _flattened(pair.left, pair.valid), _flattened(pair.right, pair.valid)
    lengths = tuple(_displacement(moving, fixed) for moving, fixed in zip(*flat, strict=True))
    return BandFigures(lengths, float(np.mean(lengths)))


def index_difference(
    degraded: ArrayLike,
    observed: ArrayLike,
    *,
    positive: int = 3,
    negative: int = 2,
    floor: float = 0.1,
    valid: ArrayLike | None = None,
) -> float:
    """Median |difference| of the normalised index (P - N) / (P + N) where P + N of the observed image > floor.

    With bands B02 B03 B04 B08 the defaults give NDVI. The pixels are chosen by the observed image alone, so that a
    wrong result cannot leave itself out.

    Args:
        degraded: (C, H, W), reflectance.
        observed: (C, H, W), reflectance.
        positive: band number, from 0, of P (near infrared for NDVI).
        negative: band number, from 0, of N (red for NDVI).
        floor: least sum of the two reflectances.
        valid: bool (C, H, W) or (H, W).

    Returns:
        0..2 for reflectances that are not negative; nan when no pixel is bright enough.

    Raises:
        BandError: A band number is not in the image.

    Source:
        NDVI: Rouse et al., Monitoring vegetation systems in the Great Plains with ERTS, 1974.
    """
    pair = Comparison.of(_NAMES, degraded, observed, valid)
    bands = _index_bands(len(pair.left), positive, negative)
    left, right = pair.left[bands], pair.right[bands]
    bright = pair.valid[bands].all(axis=0) & (right.sum(axis=0) > floor)
    return _median(np.abs(_index(left[:, bright]) - _index(right[:, bright])))


def index_noise(
    observed: ArrayLike,
    noise: float | Sequence[float],
    *,
    positive: int = 3,
    negative: int = 2,
    floor: float = 0.1,
    valid: ArrayLike | None = None,
) -> float:
    """Median standard deviation that independent noise in the two bands gives to the normalised index.

    Linearised: dI/dP = 2 N / (P + N)^2 and dI/dN = -2 P / (P + N)^2, so that
    sigma_I = 2 sqrt(N^2 sigma_P^2 + P^2 sigma_N^2) / (P + N)^2. For normal noise the median of |difference| is
    GAUSSIAN_MEDIAN times that.

    Args:
        observed: (C, H, W), reflectance.
        noise: standard deviation in reflectance, one for all bands or one each.
        positive: band number, from 0, of P.
        negative: band number, from 0, of N.
        floor: least sum of the two reflectances, as in `index_difference`; greater than zero.
        valid: bool (C, H, W) or (H, W).

    Returns:
        The median over the pixels that `index_difference` uses; nan when no pixel is bright enough.

    Raises:
        BandError: A band number is not in the image, or the count of noises is not that of the bands.
        ConfigError: A noise is not greater than zero.

    Source:
        First-order propagation of uncertainty: JCGM 100:2008 (GUM), equation 10.
    """
    pair = Comparison.of(("observed", "observed"), observed, observed, valid)
    bands = _index_bands(len(pair.left), positive, negative)
    sigma_p, sigma_n = one_per_band("noise", noise, len(pair.left))[bands]
    bright = pair.valid[bands].all(axis=0) & (pair.left[bands].sum(axis=0) > floor)
    p, n = pair.left[bands][:, bright]
    return _median(2 * np.hypot(n * sigma_p, p * sigma_n) / (p + n) ** 2)


def radial_power(image: ArrayLike) -> tuple[Floats, Floats]:
    """Radially averaged power spectrum of each band, under a Hann window, mean removed.

    Args:
        image: (C, H, W), all of it usable: a spectrum knows no gaps, choose a window without nodata.

    Returns:
        Frequencies (F,) in cycles per pixel, 0 .. 0.5, and the mean power of each ring (C, F), unit squared.

    Raises:
        InputError: The image is not (C, H, W) or holds non-finite values.
        GridError: A side is shorter than 8 pixels.
    """
    whole = Comparison.of(("image", "image"), image, image, None).left
    shape = whole.shape[1:]
    if min(shape) < 8:
        raise GridError(f"The image is {shape} pixels; a power spectrum needs at least 8 x 8.")
    power = np.abs(np.fft.fft2(_tapered(whole - whole.mean(axis=(1, 2), keepdims=True)))) ** 2 / (shape[0] * shape[1])
    radius = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1]))
    ring = np.rint(radius * min(shape)).astype(np.intp).ravel()
    counts = np.bincount(ring)
    sums = np.stack([np.bincount(ring, weights=band.ravel()) for band in power])
    rings = min(shape) // 2 + 1
    return np.arange(rings) / min(shape), (sums / counts)[:, :rings]


def power_gain(enhanced: ArrayLike, baseline: ArrayLike, *, scale: int) -> BandFigures:
    """Power of the enhanced image above the Nyquist frequency of the observed grid, over that of a baseline.

    The radially averaged power is summed over the rings above 0.5 / scale cycles per pixel. Against a reference 1 is
    ideal, more is invented and less is missing; against bicubic it says how much detail was added.

    Args:
        enhanced: (C, H, W), all of it usable.
        baseline: (C, H, W), reference or bicubic, same grid and unit.
        scale: input gsd over output gsd, at least 2.

    Returns:
        A ratio per band; pooled = ratio of the powers summed over the bands. inf when the baseline has none.

    Raises:
        ConfigError: scale is less than 2.
    """
    if scale < 2:
        raise ConfigError(f"scale is {scale}; there is detail above the observed Nyquist frequency from scale 2 on.")
    pair = Comparison.of(("enhanced", "baseline"), enhanced, baseline, None)
    frequency, power = radial_power(pair.left)
    above = frequency > 0.5 / scale
    top, bottom = power[:, above].sum(axis=1), radial_power(pair.right)[1][:, above].sum(axis=1)
    return BandFigures(
        tuple(_ratio(a, b) for a, b in zip(top.tolist(), bottom.tolist(), strict=True)),
        _ratio(float(top.sum()), float(bottom.sum())),
    )


def _tapered(image: Floats) -> Floats:
    height, width = image.shape[-2:]
    window: Floats = np.hanning(height + 2)[1:-1, None] * np.hanning(width + 2)[1:-1]
    return image * window


def _flattened(image: Floats, valid: Bools) -> Floats:
    level = image.sum(axis=(1, 2), keepdims=True) / valid.sum(axis=(1, 2), keepdims=True)
    return _tapered(np.where(valid, image - level, 0.0))


def _displacement(moving: Floats, fixed: Floats) -> float:
    if not (moving.any() and fixed.any()):  # without structure nothing can be displaced
        return 0.0
    shift, _, _ = phase_cross_correlation(fixed, moving, upsample_factor=SHIFT_STEPS, normalization=None)
    return float(np.hypot(*shift))


def _index_bands(count: int, positive: int, negative: int) -> list[int]:
    for name, band in (("positive", positive), ("negative", negative)):
        if not 0 <= band < count:
            raise BandError(f"{name} is band {band}, counted from 0; the image has {count} bands. Name one of them.")
    return [positive, negative]


def _index(pair: Floats) -> Floats:
    total = pair.sum(axis=0)
    index: Floats = np.divide(pair[0] - pair[1], total, out=np.full(total.shape, np.inf), where=total > 0)
    return index


def _median(values: Floats) -> float:
    return float(np.median(values)) if values.size else float("nan")


def _ratio(top: float, bottom: float) -> float:
    return top / bottom if bottom > 0 else float("inf")
