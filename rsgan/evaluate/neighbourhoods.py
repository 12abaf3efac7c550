"""Figures that need neighbourhoods, from a few windows: similarity, shift, correctness of detail, power spectrum."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.stats import qmc

from rsgan.evaluate.rasters import Bools, Floats, Rasters
from rsgan.evaluate.views import View, view_of, walked
from rsgan.geo import Window, scale_window, valid_blocks
from rsgan.metrics import BandFigures, Correctness, correctness, fidelity
from rsgan.metrics.consistency import power_gain, radial_power, shift_px

SIDE = 512
"""Side in enhanced pixels of a window, at most."""
WHOLE_SIDE = 1024
"""A raster with no longer side is looked at whole."""
SMALLEST = 64
"""Least side in enhanced pixels of a part without gaps that tells something about detail."""
LEAST_VALID = 0.5
"""Share of valid pixels from which a window is worth looking at."""
FREQUENCIES = np.linspace(0.0, 0.5, 65)
"""At which spectra are told, cycles per enhanced pixel."""
LEAST_INSIDE = 4
"""Observed pixels that shares of detail need within the border that they leave out, each way."""
_TRIES = 8


@dataclass(frozen=True)
class Nearby:
    """Figures of one image, averaged over the windows; None where they could not be measured.

    Attributes:
        ssim: Against the reference.
        shift_px: Displacement against the reference, enhanced pixels.
        observed_shift_px: Displacement of the degraded image against the observed one, observed pixels.
        correctness: Shares of detail that are right, missing and made up.
        detail_over_reference: Power above the observed Nyquist frequency over that of the reference.
        detail_over_bicubic: The same over that of the bicubic image.
    """

    ssim: BandFigures | None
    shift_px: BandFigures | None
    observed_shift_px: BandFigures | None
    correctness: Correctness | None
    detail_over_reference: BandFigures | None
    detail_over_bicubic: BandFigures | None


@dataclass(frozen=True)
class Neighbourhoods:
    """What the windows tell.

    Attributes:
        windows: How many were looked at.
        side: Their longest side in enhanced pixels.
        whole: Whether the one window is the whole raster.
        gapless: In how many there was a part without gaps, for correctness and spectra.
        images: By image: enhanced, bicubic.
        frequencies: (F,) cycles per enhanced pixel.
        spectra: By image, (F,) power averaged over bands and windows, reflectance squared.
    """

    windows: int
    side: int
    whole: bool
    gapless: int
    images: dict[str, Nearby]
    frequencies: NDArray[np.float64]
    spectra: dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class _Gapless:
    """The largest square of a view without gaps: images (C, h, w) and the observed one, if there is one."""

    images: dict[str, Floats]
    reference: Floats | None
    observed: Floats | None


def look(rasters: Rasters, count: int, data_range: float, scale: int) -> Neighbourhoods:
    """Look at `count` windows spread over the raster, or at the whole raster when it is small.

    Args:
        rasters: Open rasters.
        count: How many windows.
        data_range: Peak of SSIM.
        scale: Enhanced pixels per observed pixel, for the Nyquist frequency; 1 where nobody knows.
    """
    parts = list(chosen_parts(rasters, count))
    looks = [_Look.at(rasters, part, data_range, scale) for part in parts]
    gapless = [each for each in looks if each.spectra]
    names = dict.fromkeys(name for each in gapless for name in each.spectra)
    sides = [max(part.height, part.width) * rasters.scale for part in parts]
    return Neighbourhoods(
        windows=len(parts),
        side=max(sides, default=0),
        whole=bool(parts) and (parts[0].height, parts[0].width) == walked(rasters),
        gapless=len(gapless),
        images={name: _averaged([each.images[name] for each in looks]) for name in (looks[0].images if looks else ())},
        frequencies=FREQUENCIES,
        spectra={name: np.mean([each.spectra[name] for each in gapless], axis=0) for name in names},
    )


def chosen_parts(rasters: Rasters, count: int) -> Iterator[Window]:
    """Up to `count` parts of the raster that are at least half valid, in observed pixels, spread evenly.

    Source of the places: Halton, On the efficiency of certain quasi-random sequences of points, 1960.
    """
    height, width = walked(rasters)
    if max(rasters.grid.shape) <= WHOLE_SIDE:
        yield Window(0, 0, width, height)
        return
    tall, wide = (min(length, max(1, SIDE // rasters.scale)) for length in (height, width))
    places = qmc.Halton(d=2, scramble=False).fast_forward(1).random(count * _TRIES)
    found = 0
    for down, right in places:
        part = Window(int(right * (width - wide + 1)), int(down * (height - tall + 1)), wide, tall)
        if rasters.enhanced.read(scale_window(part, rasters.scale)).valid.mean() >= LEAST_VALID:
            yield part
            found += 1
        if found == count:
            return


@dataclass(frozen=True)
class _Look:
    """What one window tells, by image, and spectra at `FREQUENCIES`."""

    images: dict[str, Nearby]
    spectra: dict[str, NDArray[np.float64]]

    @classmethod
    def at(cls, rasters: Rasters, part: Window, data_range: float, scale: int) -> _Look:
        view = view_of(rasters, part)
        square = _gapless(view, rasters.scale)
        images = {name: _nearby(view, square, name, data_range, scale) for name in view.images}
        shown = {} if square is None else dict(square.images)
        if square is not None and square.reference is not None:
            shown["reference"] = square.reference
        return cls(images, {name: _spectrum(image) for name, image in shown.items()})


def _nearby(view: View, square: _Gapless | None, name: str, data_range: float, scale: int) -> Nearby:
    image, reference, coarse = view.images[name], view.reference, view.coarse
    return Nearby(
        ssim=None if reference is None else _ssim(image, reference, view.valid, data_range),
        shift_px=None if reference is None else _shift(image, reference, view.valid),
        observed_shift_px=None if coarse is None else _shift(coarse.degraded[name], coarse.observed, coarse.valid),
        correctness=None if square is None else _correctness(square, name, scale),
        detail_over_reference=_detail(square, name, "reference", scale),
        detail_over_bicubic=_detail(square, name, "bicubic", scale),
    )


def _ssim(image: Floats, reference: Floats, valid: Bools, data_range: float) -> BandFigures | None:
    side = 2 * fidelity.SSIM_REACH + 1
    whole = ndimage.minimum_filter(valid, size=(1, side, side), mode="constant", cval=0)
    if not whole.any():
        return None
    return fidelity.ssim(image, reference, data_range=data_range, valid=valid)


def _shift(image: Floats, fixed: Floats, valid: Bools) -> BandFigures | None:
    if valid.mean(axis=(1, 2)).min() < LEAST_VALID:
        return None
    return shift_px(image, fixed, valid=valid)


def _correctness(square: _Gapless, name: str, scale: int) -> Correctness | None:
    if square.observed is None or square.reference is None:
        return None
    border = -(-correctness.BORDER // scale) * scale
    if min(square.observed.shape[1:]) - 2 * border // scale < LEAST_INSIDE:
        return None
    return correctness.measure(square.observed, square.images[name], square.reference, border=border)


def _detail(square: _Gapless | None, name: str, other: str, scale: int) -> BandFigures | None:
    if square is None or scale < 2:
        return None
    base = square.reference if other == "reference" else square.images.get(other)
    return None if base is None else power_gain(square.images[name], base, scale=scale)


def _gapless(view: View, scale: int) -> _Gapless | None:
    """The largest square without gaps, on whole observed pixels; None when it is too small."""
    whole = valid_blocks(np.asarray(view.valid.all(axis=0)), scale)
    rows, columns = (slice(0, length) for length in whole.shape) if whole.all() else _largest_square(whole)
    if min(rows.stop - rows.start, columns.stop - columns.start) * scale < SMALLEST:
        return None
    coarse = (slice(None), rows, columns)
    fine = (slice(None), *(slice(part.start * scale, part.stop * scale) for part in (rows, columns)))
    return _Gapless(
        images={name: image[fine] for name, image in view.images.items()},
        reference=None if view.reference is None else view.reference[fine],
        observed=None if view.coarse is None else view.coarse.observed[coarse],
    )


def _largest_square(whole: Bools) -> tuple[slice, slice]:
    """Rows and columns of the largest square of odd side in which everything is True."""
    reach = ndimage.distance_transform_cdt(np.pad(whole, 1), metric="chessboard")[1:-1, 1:-1]
    row, column = np.unravel_index(int(reach.argmax()), reach.shape)
    half = max(int(reach[row, column]) - 1, 0)
    return slice(int(row) - half, int(row) + half + 1), slice(int(column) - half, int(column) + half + 1)


def _spectrum(image: Floats) -> NDArray[np.float64]:
    frequency, power = radial_power(image)
    return np.asarray(np.interp(FREQUENCIES, frequency, power.mean(axis=0)))


def _averaged(found: Sequence[Nearby]) -> Nearby:
    """Each figure averaged over the windows that have it."""

    def mean_bands(figures: Sequence[BandFigures | None]) -> BandFigures | None:
        there = [each for each in figures if each is not None]
        if not there:
            return None
        per_band = _mean([each.per_band for each in there])
        return BandFigures(tuple(per_band.tolist()), float(_mean([[each.pooled] for each in there])[0]))

    shares = [dataclasses.astuple(each.correctness) for each in found if each.correctness is not None]
    return Nearby(
        ssim=mean_bands([each.ssim for each in found]),
        shift_px=mean_bands([each.shift_px for each in found]),
        observed_shift_px=mean_bands([each.observed_shift_px for each in found]),
        correctness=Correctness(*_mean(shares).tolist()) if shares else None,
        detail_over_reference=mean_bands([each.detail_over_reference for each in found]),
        detail_over_bicubic=mean_bands([each.detail_over_bicubic for each in found]),
    )


def _mean(rows: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """Mean of each column over the rows that have a number there; nan where none has."""
    values = np.array(rows, dtype=np.float64)
    there = ~np.isnan(values)
    total = np.where(there, values, 0.0).sum(axis=0)
    empty = np.full(total.shape, np.nan)
    return np.asarray(np.divide(total, there.sum(axis=0), out=empty, where=there.any(axis=0)))
