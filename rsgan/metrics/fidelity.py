"""How near an enhanced image is to a reference: error, similarity and spectral angle.

Every function takes `enhanced` and `reference`, (C, H, W) in one unit (reflectance, 0..1 nominal), and an optional
`valid`, bool (C, H, W) or (H, W), True = usable. All refuse shapes that differ (GridError) and images without a
valid pixel or with non-finite valid values (InputError).
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy import ndimage
from skimage.metrics import structural_similarity

from rsgan.errors import ConfigError, GridError, InputError
from rsgan.metrics.comparison import BandFigures, Bools, Comparison, Floats, mean_where

SSIM_SIGMA = 1.5
"""Standard deviation in pixels of the Gaussian window of SSIM. Source: Wang et al. 2004, section III-B."""

SSIM_REACH = 5
"""Pixels from the centre of that window, cut to 11 x 11, to its edge. Source: Wang et al. 2004, section III-B."""

_NAMES = ("enhanced", "reference")


def rmse(enhanced: ArrayLike, reference: ArrayLike, *, valid: ArrayLike | None = None) -> BandFigures:
    """Root mean squared error, in the unit of the images; pooled over all valid values of all bands."""
    pair = Comparison.of(_NAMES, enhanced, reference, valid)
    return _root(mean_where(pair.difference**2, pair.valid))


def bias(enhanced: ArrayLike, reference: ArrayLike, *, valid: ArrayLike | None = None) -> BandFigures:
    """Mean of enhanced minus reference, in the unit of the images; positive = the enhanced image is brighter."""
    pair = Comparison.of(_NAMES, enhanced, reference, valid)
    return mean_where(pair.difference, pair.valid)


def psnr(
    enhanced: ArrayLike, reference: ArrayLike, *, data_range: float, valid: ArrayLike | None = None
) -> BandFigures:
    """Peak signal-to-noise ratio 20 log10(data_range / rmse) in dB; pooled from the pooled error, inf when equal.

    Args:
        enhanced: (C, H, W).
        reference: (C, H, W), same unit.
        data_range: the peak in the unit of the images; 1 for reflectance.
        valid: bool (C, H, W) or (H, W).

    Raises:
        ConfigError: data_range is not greater than zero.
    """
    _check_data_range(data_range)
    error = rmse(enhanced, reference, valid=valid)
    return BandFigures(
        tuple(_decibel(data_range, value) for value in error.per_band), _decibel(data_range, error.pooled)
    )


def ssim(
    enhanced: ArrayLike, reference: ArrayLike, *, data_range: float, valid: ArrayLike | None = None
) -> BandFigures:
    """Structural similarity, -1..1, with the Gaussian window of 11 x 11 pixels; pooled = mean over the bands.

    Only pixels count whose whole window lies inside the image and is valid.

    Args:
        enhanced: (C, H, W), H and W at least 11.
        reference: (C, H, W), same unit.
        data_range: the peak in the unit of the images; 1 for reflectance.
        valid: bool (C, H, W) or (H, W).

    Raises:
        ConfigError: data_range is not greater than zero.
        GridError: The images are smaller than one window.
        InputError: No window is valid throughout in any band.

    Source:
        Wang, Bovik, Sheikh, Simoncelli, Image quality assessment: from error visibility to structural similarity,
        IEEE TIP 13(4), 2004, equation 13, computed by scikit-image.
    """
    _check_data_range(data_range)
    pair = Comparison.of(_NAMES, enhanced, reference, valid)
    side = 2 * SSIM_REACH + 1
    if min(pair.left.shape[1:]) < side:
        raise GridError(f"The images are {pair.left.shape[1:]} pixels; ssim needs at least {side} x {side}.")
    whole = _whole_windows(pair.valid)
    if not whole.any():
        raise InputError(f"No window of {side} x {side} pixels is valid throughout, so ssim cannot be measured.")
    maps = np.stack([_ssim_map(a, b, data_range) for a, b in zip(pair.left, pair.right, strict=True)])
    figures = mean_where(maps, whole)
    return BandFigures(figures.per_band, float(np.nanmean(figures.per_band)))


def sam_deg(enhanced: ArrayLike, reference: ArrayLike, *, valid: ArrayLike | None = None) -> float:
    """Mean angle between the spectra of a pixel in the two images, in degrees, 0..180.

    A pixel counts when all its bands are valid and neither spectrum is zero. The angle is taken from half-chords,
    which keeps small angles exact where an arc cosine loses them.

    Raises:
        InputError: No pixel counts.

    Source:
        Kruse et al., The spectral image processing system (SIPS), Remote Sensing of Environment 44, 1993;
        angle = 2 atan2(|u - v|, |u + v|) of unit vectors: Kahan, How futile are mindless assessments of roundoff,
        2006, section 12.
    """
    pair = Comparison.of(_NAMES, enhanced, reference, valid)
    lengths = np.linalg.norm(pair.left, axis=0), np.linalg.norm(pair.right, axis=0)
    usable = pair.valid.all(axis=0) & (lengths[0] > 0) & (lengths[1] > 0)
    if not usable.any():
        raise InputError("No pixel has all bands valid and a spectrum that is not zero: there is no angle to measure.")
    left, right = pair.left[:, usable] / lengths[0][usable], pair.right[:, usable] / lengths[1][usable]
    half = np.arctan2(np.linalg.norm(left - right, axis=0), np.linalg.norm(left + right, axis=0))
    return float(np.degrees(2 * half).mean())


def ergas(enhanced: ArrayLike, reference: ArrayLike, *, gsd_ratio: float, valid: ArrayLike | None = None) -> float:
    """Relative global error in per cent: 100 gsd_ratio sqrt(mean over bands of (rmse / mean of the reference)^2).

    Args:
        enhanced: (C, H, W).
        reference: (C, H, W), same unit, with a mean that is not zero in every band.
        gsd_ratio: gsd of the enhanced image over that of the observed one: 0.5 for x2, 0.25 for x4.
        valid: bool (C, H, W) or (H, W); a band without valid pixels does not count.

    Raises:
        ConfigError: gsd_ratio is outside 0..1, or zero.
        InputError: A band of the reference has mean zero.

    Source:
        Wald, Quality of high resolution synthesised images: is there a simple criterion?, Fusion of Earth Data, 2000.
    """
    if not 0 < gsd_ratio <= 1:
        raise ConfigError(f"gsd_ratio is {gsd_ratio}; expected fine gsd / coarse gsd, in 0..1: 0.25 for scale 4.")
    pair = Comparison.of(_NAMES, enhanced, reference, valid)
    squared, level = (
        np.array(mean_where(pair.difference**2, pair.valid).per_band),
        np.array(mean_where(pair.right, pair.valid).per_band),
    )
    if np.any(level == 0):
        bands = np.flatnonzero(level == 0).tolist()
        raise InputError(f"The reference has mean zero in bands {bands} (from 0); ergas divides by it. Leave them out.")
    return float(100 * gsd_ratio * np.sqrt(np.nanmean(squared / level**2)))


def _root(figures: BandFigures) -> BandFigures:
    return BandFigures(tuple(np.sqrt(figures.per_band).tolist()), float(np.sqrt(figures.pooled)))


def _decibel(peak: float, error: float) -> float:
    return float("inf") if error == 0 else float(20 * np.log10(peak / error))


def _check_data_range(data_range: float) -> None:
    if not (np.isfinite(data_range) and data_range > 0):
        raise ConfigError(
            f"data_range is {data_range}; expected the peak in the unit of the images, 1 for reflectance."
        )


def _ssim_map(left: Floats, right: Floats, data_range: float) -> Floats:
    _, similarity = structural_similarity(
        left,
        right,
        data_range=data_range,
        gaussian_weights=True,
        sigma=SSIM_SIGMA,
        use_sample_covariance=False,
        full=True,
    )
    return np.asarray(similarity, dtype=np.float64)


def _whole_windows(valid: Bools) -> Bools:
    side = 2 * SSIM_REACH + 1
    return np.asarray(ndimage.minimum_filter(valid, size=(1, side, side), mode="constant", cval=0), dtype=np.bool_)
