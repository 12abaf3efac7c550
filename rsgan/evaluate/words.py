"""Every figure of an evaluation by its key: what to call it, how to read it, and what it cannot tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Ideal = Literal["high", "low", "zero", "one", "none"]


@dataclass(frozen=True)
class Figure:
    """How one figure is shown and explained.

    Attributes:
        title: What people read.
        unit: Of the number; empty where it has none.
        digits: Behind the point.
        ideal: Which numbers are better: high, low, near zero, near one; none where it depends.
        meaning: In plain words, what it says.
        silence: What it cannot tell.
    """

    title: str
    unit: str
    digits: int
    ideal: Ideal
    meaning: str
    silence: str


REFERENCE: Final[dict[str, Figure]] = {
    "psnr_db": Figure(
        "PSNR", "dB", 2, "high",
        "Size of the error beside the data range, in decibels: 6 dB more means half the error.",
        "Where the errors are, and of what kind. It rewards blur where detail is uncertain, and it grows with the data "
        "range that is assumed: compare only numbers of one data range.",
    ),
    "ssim": Figure(
        "SSIM", "", 4, "high",
        "Likeness of small neighbourhoods (11 x 11 pixels) in brightness, contrast and structure; 1 is equal.",
        "How visible a difference is: land fills little of a data range of 1, so that numbers lie near 1 and small "
        "differences count.",
    ),
    "rmse": Figure(
        "RMSE", "reflectance", 5, "low",
        "Typical size of the error of one value, large errors counting more.",
        "Whether the error is noise, a shift or missing detail.",
    ),
    "bias": Figure(
        "Bias", "reflectance", 5, "zero",
        "Mean of enhanced minus reference: above 0 the enhanced image is brighter.",
        "Errors that cancel one another out.",
    ),
    "sam_deg": Figure(
        "Spectral angle", "degrees", 3, "low",
        "How far the colour of a pixel, all bands together, is from that of the reference, whatever its brightness.",
        "Errors of brightness.",
    ),
    "ergas": Figure(
        "ERGAS", "%", 3, "low",
        "Error of each band relative to its mean, weighted by the step in pixel size; below about 3 is usual.",
        "Anything across other steps in pixel size: compare only numbers of one step.",
    ),
    "shift_px": Figure(
        "Shift", "enhanced pixels", 2, "zero",
        "How far the enhanced image lies beside the reference.",
        "Shifts that change within a window, and any that reference and observation share.",
    ),
    "ndvi_error": Figure(
        "NDVI error", "", 4, "low", "Mean absolute difference of the vegetation index.", "Its sign: see the bias.",
    ),
    "ndvi_bias": Figure(
        "NDVI bias", "", 4, "zero", "Mean difference of the vegetation index.", "Errors that cancel one another out.",
    ),
    "ndwi_error": Figure(
        "NDWI error", "", 4, "low", "Mean absolute difference of the water index.", "Its sign: see the bias.",
    ),
    "ndwi_bias": Figure(
        "NDWI bias", "", 4, "zero", "Mean difference of the water index.", "Errors that cancel one another out.",
    ),
    "detail_over_reference": Figure(
        "Fine detail, of the reference's", "", 3, "one",
        "Power of structures that are too fine for the observed pixels, over that in the reference: below 1 detail is "
        "missing, above 1 there is too much.",
        "Whether the detail is the right one: noise has power too.",
    ),
}  # fmt: skip
"""Figures against the reference."""

DETAIL: Final[dict[str, Figure]] = {
    "improvement": Figure(
        "Detail: right", "share", 3, "high",
        "Share of the visible differences to the observed image in which the enhanced one comes near the reference "
        "(opensr-test). A perfect image scores 0.965.",
        "Radiometry: the image is matched to the histogram of the reference first. Read it beside the residual.",
    ),
    "omission": Figure(
        "Detail: missing", "share", 3, "low",
        "Share in which it stays with the observed image though the reference differs. 0.018 is the least.",
        "Whether anybody could have known the detail from the observed image.",
    ),
    "hallucination": Figure(
        "Detail: made up", "share", 3, "low",
        "Share in which it shows something that is neither in the observed image nor in the reference. 0.018 is the "
        "least.",
        "How harmful it is: noise of the reference counts like an invented road.",
    ),
}  # fmt: skip
"""Figures that need the reference and the observed image; the shares sum to 1."""

OBSERVED: Final[dict[str, Figure]] = {
    "residual_rms": Figure(
        "Residual", "reflectance", 5, "low",
        "The enhanced image is put through the sensor model and compared with what was observed: typical difference.",
        "Anything finer than the observed pixels. A residual far below the sensor's noise copies the noise, and the "
        "sensor model itself is only known approximately.",
    ),
    "residual_mean": Figure(
        "Residual, mean size", "reflectance", 5, "low", "The same, as the mean of the absolute difference.",
        "Anything finer than the observed pixels.",
    ),
    "residual_bias": Figure(
        "Residual, bias", "reflectance", 5, "zero", "Mean of degraded minus observed: is the brightness kept?",
        "Errors that cancel one another out.",
    ),
    "residual_over_noise": Figure(
        "Residual over noise", "", 2, "one",
        "The residual beside the noise that the enhanced file states for the sensor: 0.7 to 1.1 is healthy, less "
        "copies noise, much more changes the scene.",
        "Whether the stated noise is right.",
    ),
    "observed_sam_deg": Figure(
        "Spectral angle to observed", "degrees", 3, "low", "Is the colour of the observed pixels kept?",
        "Anything finer than the observed pixels.",
    ),
    "observed_shift_px": Figure(
        "Shift to observed", "observed pixels", 2, "zero", "How far the image lies beside the observed one.",
        "Shifts that change within a window.",
    ),
    "detail_over_bicubic": Figure(
        "Fine detail, of bicubic's", "", 2, "none",
        "Power of structures too fine for the observed pixels, over that in bicubic: how much was added.",
        "Whether it is right. Only a reference can tell.",
    ),
}  # fmt: skip
"""Figures that need only the observed image."""

FIGURES: Final[dict[str, Figure]] = {**REFERENCE, **DETAIL, **OBSERVED}
"""Every figure by its key in the JSON."""

WALD: Final = (
    "A reference that was degraded to make the observed image judges the step from the degraded pixels to its own "
    "(Wald's protocol). That the same figures hold one step finer, where nobody has a reference, is an assumption."
)

COVERAGE: Final = (
    "Of the values, this share lies within the interval that the uncertainty raster promises; on the diagonal the "
    "promise holds. This holds at the Wald scale, that of this reference; one step finer it is an assumption. "
    "The thirds are by the local gradient of the reference: smooth places, those between, and edges."
)

NO_REFERENCE: Final = (
    "Without a reference nobody can say whether fine detail is right. What can be said: whether the enhanced image "
    "agrees with what was observed, how much fine detail it holds, and whether its values are plausible."
)
