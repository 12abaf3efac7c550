"""How much of the detail in an enhanced image is right, missing or made up.

Written from the published definition of opensr-test (normalised difference, pixel by pixel), so that figures can be
compared with those of others. The three shares say nothing about radiometry, because the enhanced image is first
matched to the histogram of the reference: read them beside `reflectance` and `spectral_deg`.

Source:
    Aybar et al., A comprehensive benchmark for optical remote sensing image super-resolution, IEEE GRSL 21, 2024;
    constants: opensr-test 1.3.3, default settings.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import ndimage
from skimage.exposure import match_histograms
from skimage.registration import phase_cross_correlation

from rsgan.errors import ConfigError, GridError
from rsgan.metrics.comparison import Comparison, Floats
from rsgan.metrics.fidelity import sam_deg

DARKEST = 1e-4
"""Reflectances below this are raised to it: a normalised difference needs positive numbers."""

BORDER = 16
"""Pixels of the enhanced grid left out on each side."""

DETAIL_QUANTILE = 0.75
"""A pixel counts when one of its three distances exceeds this quantile of the distance observed - reference."""

ROUNDING = 1e-9
"""Normalised differences up to this are rounding, never detail; float32 alone makes 1e-7."""

CURVATURE = 0.05
"""How fast a distance from the line between observed and reference turns into hallucination."""

TEMPERATURE = 0.25
"""Of the soft minimum that turns three distances into three shares."""

SHIFT_STEPS = 50
"""A shift is found to 1 / SHIFT_STEPS of a pixel."""

LARGEST_SHIFT_PX = 5.0
"""A longer shift is taken for a failed registration."""

_SMALLEST = 4


@dataclass(frozen=True)
class Correctness:
    """The seven figures of one enhanced image.

    Attributes:
        reflectance: mean |observed - enhanced on the observed grid|, reflectance.
        spectral_deg: mean spectral angle between the two, degrees.
        spatial_px: displacement between the two, observed pixels; nan when no plausible one is found.
        synthesis: mean |bilinear - harmonised enhanced|, reflectance: how much detail was added, right or wrong.
        improvement: share of the detail that is right. A perfect image scores 0.9647, not 1.
        omission: share that is missing. The three shares sum to 1; all are nan when the reference has no detail.
        hallucination: share that is neither in the observed image nor in the reference.
    """

    reflectance: float
    spectral_deg: float
    spatial_px: float
    synthesis: float
    improvement: float
    omission: float
    hallucination: float


def measure(observed: ArrayLike, enhanced: ArrayLike, reference: ArrayLike, *, border: int = BORDER) -> Correctness:
    """Score an enhanced image against what was observed and what the reference shows.

    Args:
        observed: (C, H, W), reflectance 0..1, without nodata.
        enhanced: (C, scale H, scale W), the same bands.
        reference: (C, scale H, scale W), the same bands.
        border: pixels of the enhanced grid to leave out on each side; a multiple of the scale.

    Raises:
        InputError: An image is not (C, H, W) or holds non-finite values.
        GridError: The grids are not integer multiples, or too little is left inside the border.
        ConfigError: border is negative or not a multiple of the scale.
    """
    fine = Comparison.of(("enhanced", "reference"), enhanced, reference, None)
    coarse = Comparison.of(("observed", "observed"), observed, observed, None).left
    scale = _scale(coarse, fine.left)
    _check_border(border, scale, coarse.shape)
    inside = [_inside(image, border) for image in (fine.left, fine.right)]
    return _score(_inside(coarse, border // scale), inside[0], inside[1])


def shares(to_reference: ArrayLike, to_observed: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Improvement, omission and hallucination of pixels, from their two relative distances; they sum to 1.

    Args:
        to_reference: distance enhanced - reference over distance observed - reference, >= 0, any shape.
        to_observed: distance enhanced - observed over distance observed - reference, same shape.
    """
    i, o = np.asarray(to_reference, dtype=np.float64), np.asarray(to_observed, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        off_line = 1 - np.exp(-CURVATURE * (i + o - 1))
        distances = np.stack([i + o * off_line, o + i * off_line, np.exp(-CURVATURE * i * o)])
        weights = np.exp(-distances / TEMPERATURE)
        improvement, omission, hallucination = weights / weights.sum(axis=0)
    return improvement, omission, hallucination


def resize_bilinear(image: ArrayLike, shape: tuple[int, int]) -> Floats:
    """Resample (..., H, W) to `shape` with pixel areas aligned: bilinear upwards, a triangle filter downwards."""
    values = np.asarray(image, dtype=np.float64)
    rows, columns = (_triangle(old, new) for old, new in zip(values.shape[-2:], shape, strict=True))
    return np.asarray(rows @ values @ columns.T)


def _score(observed: Floats, enhanced: Floats, reference: Floats) -> Correctness:
    observed, enhanced, reference = (np.maximum(image, DARKEST) for image in (observed, enhanced, reference))
    raised = resize_bilinear(observed, (reference.shape[1], reference.shape[2]))
    lowered = resize_bilinear(enhanced, (observed.shape[1], observed.shape[2]))
    harmonised = _harmonise(enhanced, reference)
    improvement, omission, hallucination = _mean_shares(raised, harmonised, reference)
    visible = slice(0, 3 if len(observed) >= 3 else 1)
    shift = _shift(observed[visible], lowered[visible])
    return Correctness(
        reflectance=float(np.abs(observed - lowered).mean()),
        spectral_deg=sam_deg(lowered, observed),
        spatial_px=float("nan") if shift is None else float(np.hypot(*shift)),
        synthesis=float(np.abs(raised - harmonised).mean()),
        improvement=improvement,
        omission=omission,
        hallucination=hallucination,
    )


def _mean_shares(raised: Floats, harmonised: Floats, reference: Floats) -> tuple[float, float, float]:
    ref, im, om = (
        (np.abs(a - b) / np.abs(a + b)).mean(axis=0)
        for a, b in ((raised, reference), (harmonised, reference), (harmonised, raised))
    )
    rank = max(int(DETAIL_QUANTILE * ref.size) - 1, 0)
    threshold = max(np.partition(ref, rank, axis=None)[rank], ROUNDING)
    detail = (ref > threshold) | (im > threshold) | (om > threshold)
    with np.errstate(divide="ignore", invalid="ignore"):
        maps = np.stack(shares(im[detail] / ref[detail], om[detail] / ref[detail]))
    maps = maps[:, np.isfinite(maps).all(axis=0)]
    if maps.size == 0:
        return float("nan"), float("nan"), float("nan")
    improvement, omission, hallucination = maps.mean(axis=1).tolist()
    return improvement, omission, hallucination


def _harmonise(enhanced: Floats, reference: Floats) -> Floats:
    matched = np.asarray(match_histograms(enhanced, reference, channel_axis=0), dtype=np.float64)
    shift = _shift(matched, reference)
    return matched if shift is None else ndimage.shift(matched, (0.0, *shift), order=1, mode="nearest")


def _shift(moving: Floats, fixed: Floats) -> tuple[float, float] | None:
    """Rows and columns by which `moving` must go to lie on `fixed`; None when that is implausibly far."""
    found, _, _ = phase_cross_correlation(fixed.mean(axis=0), moving.mean(axis=0), upsample_factor=SHIFT_STEPS)
    rows, columns = (float(step) for step in found)
    return None if np.hypot(rows, columns) > LARGEST_SHIFT_PX else (rows, columns)


def _triangle(old: int, new: int) -> Floats:
    step = old / new
    centres = (np.arange(new) + 0.5) * step
    distance = np.abs(np.arange(old) + 0.5 - centres[:, None]) / max(step, 1.0)
    weights = np.maximum(1 - distance, 0.0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _inside(image: Floats, border: int) -> Floats:
    return image[:, border : image.shape[1] - border, border : image.shape[2] - border]


def _scale(observed: Floats, enhanced: Floats) -> int:
    scale = int(enhanced.shape[1] // observed.shape[1])
    expected = (observed.shape[0], observed.shape[1] * scale, observed.shape[2] * scale)
    if scale < 1 or enhanced.shape != expected:
        raise GridError(
            f"observed is {observed.shape} and enhanced {enhanced.shape} (bands, height, width); "
            "the fine grid must be the coarse one times a whole number, with the same bands. Crop to whole pixels."
        )
    return scale


def _check_border(border: int, scale: int, shape: tuple[int, ...]) -> None:
    if border < 0 or border % scale:
        raise ConfigError(f"border is {border}; expected a multiple of the scale {scale}, or zero.")
    left = min(shape[1:]) - 2 * (border // scale)
    if left < _SMALLEST:
        raise GridError(
            f"observed is {shape[1:]} pixels and a border of {border // scale} is left out on each side; "
            f"at least {_SMALLEST} must remain. Use a larger scene or a smaller border."
        )
