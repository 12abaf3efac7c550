"""An evaluation as a page for people."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import PurePath

import numpy as np

from rsgan.evaluate.evaluation import Evaluation
from rsgan.evaluate.pictures import error_legend, error_scale, overview, shown_places
from rsgan.evaluate.tables import better, change, number, percent, tables
from rsgan.evaluate.words import COVERAGE, FIGURES, NO_REFERENCE, WALD
from rsgan.metrics.coverage import Coverage
from rsgan.report.charts import Chart, Line, Words, line_chart
from rsgan.report.page import Explanation, Page, Tile

_TILES = ("psnr_db", "rmse", "sam_deg", "improvement", "hallucination", "residual_rms", "residual_over_noise")
_MOST_TILES = 6
_STYLES = {"enhanced": "a", "bicubic": "b", "reference": "c"}
_NAMES = {"enhanced": "Enhanced", "bicubic": "Bicubic", "reference": "Reference"}


def page_of(found: Evaluation) -> Page:
    """Everything that was found, with words and pictures."""
    high = error_scale(found)
    compared = "reference" in found.paths
    keys = [picture for picture in ("observed", "bicubic") if "bicubic" in found.figures]
    right = "enhanced"
    left = keys[0] if keys else "reference" if compared else "enhanced"
    shown = {key for figures in found.figures.values() for key in figures}
    return Page(
        title=f"How good is {PurePath(found.paths['enhanced']).name}?",
        subtitle=subtitle(found),
        summary=tuple(_summary(found)),
        tiles=tuple(_tiles(found)),
        places=shown_places(found),
        swipe=(left, right),
        error_legend=error_legend(high) if compared and high else None,
        overview=overview(found),
        tables=tuple(tables(found)),
        charts=tuple(_charts(found)),
        explanations=tuple(
            Explanation(figure.title, figure.meaning, figure.silence) for key, figure in FIGURES.items() if key in shown
        ),
        limits=tuple(_limits(found)),
        notes=found.notes,
        settings=tuple(settings_of(found)),
    )


def subtitle(found: Evaluation) -> str:
    """What was compared, in a line."""
    size = "" if found.gsd_m is None else f", {found.gsd_m[0]:.3g} m pixels"
    finer = "" if not found.scale or found.scale == 1 else f", {found.scale} times finer than observed"
    return f"{' '.join(found.bands)}{size}{finer}; {percent(found.used, 1)} of the values could be compared"


def _summary(found: Evaluation) -> Iterator[str]:
    """What a hurried reader takes away."""
    ours, theirs = found.figures["enhanced"], found.figures.get("bicubic", {})
    if "rmse" in ours and "rmse" in theirs:
        yield _error_sentence(ours["rmse"].pooled, theirs["rmse"].pooled)
    elif "rmse" in ours:
        yield f"Against the reference its typical error is {number(ours['rmse'].pooled, 5)} in reflectance."
    if "improvement" in ours:
        right, missing, wrong = (ours[key].pooled for key in ("improvement", "omission", "hallucination"))
        if not math.isnan(right):
            yield (
                f"Of the detail that the observed raster does not show, {percent(right)} is right, "
                f"{percent(missing)} is missing and {percent(wrong)} is made up."
            )
    if "residual_rms" in ours:
        yield (
            f"Put through the sensor model it differs from what was observed by "
            f"{number(ours['residual_rms'].pooled, 5)} in reflectance{_beside_noise(found)}."
        )
    if "rmse" not in ours:
        yield NO_REFERENCE


def _error_sentence(ours: float, theirs: float) -> str:
    if ours == theirs:
        return "Against the reference its error is that of bicubic interpolation."
    share = abs(ours / theirs - 1) if theirs > 0 else math.inf
    word = "smaller" if ours < theirs else "larger"
    size = f"{percent(share)} {word}" if share >= 0.005 else f"less than one per cent {word}"
    return (
        f"Against the reference its typical error is {size} than that of bicubic interpolation: {number(ours, 5)} in "
        f"reflectance against {number(theirs, 5)}."
    )


def _beside_noise(found: Evaluation) -> str:
    beside = found.figures["enhanced"].get("residual_over_noise")
    if beside is None:
        return ""
    return f", {number(beside.pooled, 2)} times the noise that the file states for the sensor"


def _tiles(found: Evaluation) -> Iterator[Tile]:
    ours, theirs = found.figures["enhanced"], found.figures.get("bicubic", {})
    shown = [key for key in _TILES if key in ours and not math.isnan(ours[key].pooled)]
    for key in shown[:_MOST_TILES]:
        figure, value = FIGURES[key], ours[key].pooled
        unit = {"dB": " dB", "degrees": "°"}.get(figure.unit, "")
        remark, tone = "", "plain"
        if key in theirs and not math.isnan(theirs[key].pooled):
            other = theirs[key].pooled
            winner = better(figure, value, other)
            tone = "plain" if winner is None else ("good", "bad")[winner]
            remark = f"bicubic {number(other, figure.digits)}"
            if key in ("rmse", "sam_deg", "residual_rms"):
                remark += f" ({change(value, other)})"
        yield Tile(figure.title, f"{number(value, figure.digits)}{unit}", remark, tone)


def _charts(found: Evaluation) -> Iterator[Chart]:
    if found.neighbourhoods.spectra:
        yield _spectrum(found)
    if found.coverage is not None:
        yield reliability(found.coverage)


def _spectrum(found: Evaluation) -> Chart:
    seen = found.neighbourhoods
    marks = [(0.5 / found.scale, "finest observed")] if found.scale and found.scale > 1 else []
    lines = [
        Line(_NAMES[name], seen.frequencies[1:], power[1:], _STYLES[name])
        for name in ("enhanced", "reference", "bicubic")
        if (power := seen.spectra.get(name)) is not None
    ]
    words = Words(
        "How much detail there is",
        "Power by fineness of structure, mean over bands and directions. Right of the mark lies what the observed "
        "pixels cannot carry: there the enhanced line should follow the reference; below it detail is missing, above "
        "it there is too much. It cannot tell whether the detail is in the right place.",
        "Power spectra of " + ", ".join(line.name.lower() for line in lines),
        "cycles per enhanced pixel",
        "power (reflectance squared)",
    )
    return line_chart(words, lines, x_range=(0.0, 0.5), log_y=True, marks=marks)


def reliability(coverage: Coverage) -> Chart:
    """Nominal against measured coverage of a stated uncertainty: on the diagonal the promise holds."""
    levels = np.array(coverage.levels)
    styles = dict(zip(coverage.terciles, ("b", "d", "c"), strict=True))
    lines = [
        Line("promise kept", np.array([0.0, 1.0]), np.array([0.0, 1.0]), "guide"),
        Line("all values", levels, np.array(coverage.overall), "a"),
        *(Line(name, levels, np.array(shares), styles[name]) for name, shares in coverage.terciles.items()),
    ]
    at = {level: share for level, share in zip(coverage.levels, coverage.overall, strict=True)}
    words = Words(
        "Reliability of the uncertainty",
        COVERAGE,
        f"Measured against promised coverage: {percent(at[0.68])} of the values lie within the 68 % interval and "
        f"{percent(at[0.95])} within the 95 % interval",
        "promised share",
        "measured share",
    )
    return line_chart(words, lines, x_range=(0.0, 1.0), y_range=(0.0, 1.0))


def _limits(found: Evaluation) -> Iterator[str]:
    if "reference" not in found.paths:
        yield NO_REFERENCE
    else:
        yield WALD
        yield (
            "The figures hold for this place, this date and this reference. A reference has noise, a sharpness and a "
            "date of its own; what differs for these reasons counts as an error here."
        )
    if "observed" in found.paths:
        yield (
            "Bicubic interpolation is what everybody has. It is not the best that is possible without learning: "
            "back-projection with the sensor model comes nearer."
        )
    yield "Whether a map or a decision made from the raster gets better has to be tried with that map."


def settings_of(found: Evaluation) -> Iterator[tuple[str, str]]:
    """Names and values of what was done."""
    for role, path in found.paths.items():
        yield role.replace("_", " ").capitalize(), path
    height, width = found.shape
    yield (
        "Pixels",
        f"{height} rows, {width} columns; {percent(found.enhanced_valid, 2)} of the enhanced values are valid",
    )
    yield "Data range", f"{found.options.data_range:g}"
    if found.sensor_model:
        yield "Sensor model", found.sensor_model
    yield "Sums", "RMSE, bias, PSNR, spectral angle, ERGAS, indices, residuals and classes: over every valid pixel"
    yield "Neighbourhoods", windows_sentence(found)


def windows_sentence(found: Evaluation) -> str:
    """Over what the figures were measured that cannot be added up."""
    seen = found.neighbourhoods
    what = "SSIM, shift, shares of detail and spectra"
    if not seen.windows:
        return f"{what}: no window was valid enough"
    if seen.whole:
        gap = "" if found.used == 1 else ", the last two in its largest square without nodata"
        return f"{what}: over the whole raster{gap}"
    return f"{what}: over {seen.windows} windows of up to {seen.side} pixels a side, spread over the raster"
