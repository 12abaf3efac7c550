"""Places of an evaluation as pictures: all images of one place with the same colours, and their errors."""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from rsgan.catalogue import sensor
from rsgan.evaluate.evaluation import Evaluation
from rsgan.evaluate.places import Place
from rsgan.evaluate.rasters import Bools, Floats
from rsgan.report.colours import coloured, png, ramp_css, with_gaps
from rsgan.report.page import Legend, Overview, Picture, ShownPlace
from rsgan.report.panels import Panel, limits_of, stretch

Number = TypeVar("Number", bound=np.generic)

CAPTIONS = {
    "observed": "Observed",
    "bicubic": "Bicubic",
    "enhanced": "Enhanced",
    "reference": "Reference",
}
"""By key, in the order in which they are shown."""
BRIGHTEST = 98.0
"""Percentile of the errors that is shown brightest."""
_RAMP = ramp_css()


def shown_places(found: Evaluation) -> tuple[ShownPlace, ...]:
    """Every place, in colours of its own and errors on one scale for all."""
    high = error_scale(found)
    return tuple(_shown(place, found, high) for place in found.places)


def error_scale(found: Evaluation) -> float:
    """Error that is shown brightest at the places, reflectance; 0 where there is nothing to compare with."""
    errors = [error[np.isfinite(error)] for place in found.places for _, error in _errors(place)]
    errors = [error for error in errors if error.size]
    return _rounded_up(float(np.percentile(np.concatenate(errors), BRIGHTEST))) if errors else 0.0


def error_legend(high: float) -> Legend:
    """What the colours of errors mean."""
    return Legend(_RAMP, "error 0", f"{high:g} and more (reflectance)")


def overview(found: Evaluation) -> Overview | None:
    """The errors of the whole raster with the places marked; None where there are none."""
    errors = found.error_map
    if errors is None or not np.isfinite(errors).any():
        return None
    high = _rounded_up(float(np.percentile(errors[np.isfinite(errors)], BRIGHTEST)))
    block = found.error_block
    what = "against the reference" if "reference" in found.paths else "of the degraded image against the observed one"
    size = "each pixel" if block == 1 else f"blocks of {block} x {block} pixels"
    picture = Picture(
        "errors",
        f"Root mean squared error over the bands in {size}, {what}.",
        f"Map of the errors of the whole raster; the brightest are {high:g} and more in reflectance",
        png(coloured(errors, high)),
    )
    height, width = (length * block for length in errors.shape)
    marks = tuple(_mark(place, height, width) for place in found.places) if max(found.shape) > 300 else ()
    return Overview(picture, marks, error_legend(high))


def _mark(place: Place, height: int, width: int) -> tuple[str, float, float, float, float]:
    window = place.view.window
    left, top = 100 * window.col_off / width, 100 * window.row_off / height
    return (
        place.title,
        round(left, 2),
        round(top, 2),
        round(100 * window.width / width, 2),
        round(100 * window.height / height, 2),
    )


def _shown(place: Place, found: Evaluation, high: float) -> ShownPlace:
    window = place.view.window
    where = f"rows {window.row_off} to {window.row_off + window.height}, columns {window.col_off} to "
    where += f"{window.col_off + window.width} of the enhanced raster"
    errors = tuple(
        Picture(
            name,
            f"Error of {CAPTIONS[name].lower()}",
            f"Size of the error of the {name} image, mean over the bands; bright is large",
            png(coloured(error, high)),
        )
        for name, error in _errors(place)
    )
    return ShownPlace(place.title, f"{where[0].upper()}{where[1:]}.", _pictures(place, found), errors)


def _pictures(place: Place, found: Evaluation) -> tuple[Picture, ...]:
    view, channels = place.view, rgb_channels(found.bands, found.options.sensor_name)
    images: dict[str, tuple[Floats, Bools]] = {
        name: (image, view.enhanced_valid if name == "enhanced" else view.valid) for name, image in view.images.items()
    }
    if view.coarse is not None:
        scale = view.valid.shape[1] // view.coarse.observed.shape[1]
        images["observed"] = (_blocks(view.coarse.observed, scale), _blocks(view.coarse.observed_valid, scale))
        images["bicubic"] = (view.images["bicubic"], images["observed"][1])
    if view.reference is not None:
        images["reference"] = (view.reference, view.valid)
    first, first_valid = images.get("reference", images["enhanced"])
    limits = limits_of(Panel("", first, _everywhere(first_valid, channels)), channels)
    colours = " ".join(found.bands[channel] for channel in dict.fromkeys(channels))
    return tuple(
        Picture(
            key,
            CAPTIONS[key],
            f"{CAPTIONS[key]} image, {place.title.lower()}, bands {colours}",
            _picture(*images[key], channels, limits),
        )
        for key in CAPTIONS
        if key in images
    )


def _picture(values: Floats, valid: Bools, channels: tuple[int, int, int], limits: NDArray[np.floating]) -> bytes:
    chosen = list(channels)
    pixels = with_gaps(stretch(values[chosen], limits), _everywhere(valid, channels))
    return png(pixels)


def _everywhere(valid: Bools, channels: tuple[int, int, int]) -> Bools:
    """(C, h, w) -> (h, w): valid in all the bands that are shown."""
    return np.asarray(valid[list(channels)].all(axis=0))


def _blocks(values: NDArray[Number], scale: int) -> NDArray[Number]:
    return values.repeat(scale, axis=1).repeat(scale, axis=2)


def _errors(place: Place) -> list[tuple[str, NDArray[np.float64]]]:
    """(name, (h, w) mean absolute error over the bands, nan where nothing is valid) of each image."""
    view = place.view
    if view.reference is None:
        return []
    found = []
    for name in sorted(view.images):
        error = np.where(view.valid, np.abs(view.images[name].astype(np.float64) - view.reference), 0.0)
        count = view.valid.sum(axis=0)
        empty = np.full(count.shape, np.nan)
        found.append((name, np.divide(error.sum(axis=0), count, out=empty, where=count > 0)))
    return found


def rgb_channels(bands: tuple[str, ...], sensor_name: str) -> tuple[int, int, int]:
    """Which bands are shown as red, green and blue: those, else the first three from the longest wavelength down."""
    named = {band.common_name: band.name for band in sensor(sensor_name).bands}
    colours = [named.get(colour) for colour in ("red", "green", "blue")]
    if all(colour in bands for colour in colours):
        red, green, blue = (bands.index(colour) for colour in colours if colour is not None)
        return red, green, blue
    last = len(bands) - 1
    return min(2, last), min(1, last), 0


def _rounded_up(value: float) -> float:
    """The next number with one significant digit."""
    if not value > 0:
        return 1e-6
    unit = 10.0 ** math.floor(math.log10(value))
    return float(f"{math.ceil(value / unit - 1e-9) * unit:.3g}")
