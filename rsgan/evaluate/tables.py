"""An evaluation as tables of text, for the terminal and for the page."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from rsgan.evaluate.evaluation import ClassFigures, Evaluation
from rsgan.evaluate.words import COVERAGE, DETAIL, OBSERVED, REFERENCE, Figure
from rsgan.metrics import BandFigures
from rsgan.report.page import Table

NAMES = {"enhanced": "enhanced", "bicubic": "bicubic"}
_IDEAL = {"high": "higher", "low": "lower", "zero": "0", "one": "1", "none": ""}
_BAND_COLUMNS = ("psnr_db", "ssim", "rmse", "bias", "residual_rms", "residual_over_noise")
_PROMISED = (0.68, 0.95)


def tables(found: Evaluation) -> list[Table]:
    """Every table that there is something to say in."""
    groups = (
        ("Against the reference", REFERENCE, ""),
        (
            "Detail, right or wrong",
            DETAIL,
            "Shares of the detail that the observed image does not show; they sum to 1.",
        ),
        ("Against what was observed", OBSERVED, "The image is put through the sensor model first."),
    )
    made = [_figures(title, figures, caption, found) for title, figures, caption in groups]
    made += [_bands(found), _coverage(found), _classes(found), _values(found)]
    return [table for table in made if table.rows]


def number(value: float, digits: int, *, signed: bool = False) -> str:
    """A number for people; a dash for one that could not be measured."""
    if math.isnan(value):
        return "–"  # noqa: RUF001 - a dash, not a minus
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    text = f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"
    return text.replace("-", "−") if signed else text  # noqa: RUF001 - a minus as wide as the plus


def better(figure: Figure, ours: float, theirs: float) -> int | None:
    """0 when the first number is the better one as shown, 1 when the second is; None when neither."""
    distances = [_distance(figure, value) for value in (ours, theirs)]
    if figure.ideal == "none" or any(map(math.isnan, distances)):
        return None
    if abs(distances[0] - distances[1]) < 10.0**-figure.digits:
        return None
    return 0 if distances[0] < distances[1] else 1


def _distance(figure: Figure, value: float) -> float:
    """How far a number is from the best; less is better."""
    if figure.ideal == "high":
        return -value
    if figure.ideal == "one":
        return abs(value - 1)
    return abs(value) if figure.ideal == "zero" else value


def _figures(title: str, figures: Mapping[str, Figure], caption: str, found: Evaluation) -> Table:
    images = tuple(found.figures)
    rows: list[tuple[str, ...]] = []
    best: set[tuple[int, int]] = set()
    for key, figure in figures.items():
        pooled = [found.figures[image].get(key) for image in images]
        if pooled[0] is None:
            continue
        values = [math.nan if each is None else each.pooled for each in pooled]
        signed = figure.ideal == "zero" and "shift" not in key
        name = f"{figure.title} ({figure.unit})" if figure.unit else figure.title
        if len(values) == 2 and (winner := better(figure, values[0], values[1])) is not None:
            best.add((len(rows), winner + 1))
        shown = (number(value, figure.digits, signed=signed) for value in values)
        rows.append((name, *shown, _IDEAL[figure.ideal]))
    columns = ("", *(NAMES[image] for image in images), "better")
    return Table(title, columns, tuple(rows), frozenset(best), caption)


def _bands(found: Evaluation) -> Table:
    """One row per band, one column per figure that bands have."""
    ours, theirs = found.figures["enhanced"], found.figures.get("bicubic", {})
    known = {**REFERENCE, **OBSERVED}
    shown = [key for key in _BAND_COLUMNS if key in ours and ours[key].per_band]
    if not shown:
        return Table("Band by band", (), ())
    compared = [key for key in ("rmse", "residual_rms") if key in shown and key in theirs]
    columns = ("band", *(known[key].title for key in shown), *(f"{known[key].title}, bicubic" for key in compared))
    rows = [
        (
            band,
            *(_of_band(ours[key], index, known[key]) for key in shown),
            *(_of_band(theirs[key], index, known[key]) for key in compared),
        )
        for index, band in enumerate(found.bands)
    ]
    caption = f"PSNR and SSIM for a data range of {found.options.data_range:g}." if "psnr_db" in shown else ""
    return Table("Band by band", columns, tuple(rows), caption=caption)


def _of_band(figures: BandFigures, index: int, figure: Figure) -> str:
    return number(figures.per_band[index], figure.digits, signed=figure.ideal == "zero")


def _coverage(found: Evaluation) -> Table:
    coverage = found.coverage
    if coverage is None:
        return Table("Does the uncertainty hold?", (), ())
    rows = []
    for promised in _PROMISED:
        at = coverage.levels.index(promised)
        measured = (coverage.overall[at], *(shares[at] for shares in coverage.terciles.values()))
        rows.append((f"{percent(promised)} interval", *(percent(share, 1) for share in measured)))
    columns = ("promised", "all", *coverage.terciles)
    return Table("Does the uncertainty hold?", columns, tuple(rows), caption=COVERAGE)


def _classes(found: Evaluation) -> Table:
    rows = tuple(_class_row(each) for each in found.classes)
    columns: tuple[str, ...] = ("class", "share", "RMSE", "bias", "PSNR", "angle")
    if "bicubic" in found.figures:
        columns = (*columns, "RMSE, bicubic", "change")
    return Table("By land cover", columns, rows, caption="Errors against the reference within each class.")


def _class_row(each: ClassFigures) -> tuple[str, ...]:
    ours = each.figures["enhanced"]
    angle = ours["sam_deg"].pooled if "sam_deg" in ours else math.nan
    row = (
        each.name,
        percent(each.share, 1),
        number(ours["rmse"].pooled, 5),
        number(ours["bias"].pooled, 5, signed=True),
        number(ours["psnr_db"].pooled, 2),
        number(angle, 3),
    )
    if "bicubic" not in each.figures:
        return row
    theirs = each.figures["bicubic"]["rmse"].pooled
    return (*row, number(theirs, 5), change(ours["rmse"].pooled, theirs))


def change(ours: float, theirs: float) -> str:
    """By how many per cent ours differs from theirs."""
    return f"{number(100 * (ours / theirs - 1), 0, signed=True)}\u00a0%" if theirs > 0 else number(math.nan, 0)


def _values(found: Evaluation) -> Table:
    columns = ("band", "lowest", "mean", "highest", "no data", "below 0", "above 1")
    rows = tuple(_value_rows(found))
    return Table("Values of the enhanced raster", columns, rows, caption="Reflectance, and shares of the pixels.")


def _value_rows(found: Evaluation) -> Iterator[tuple[str, ...]]:
    ranges = found.ranges
    for index, band in enumerate(found.bands):
        valid = float(ranges.valid[index])
        numbers = (
            (ranges.lowest[index], ranges.total[index] / valid, ranges.highest[index]) if valid else (math.nan,) * 3
        )
        shares = (ranges.negative[index] / max(valid, 1), ranges.above_one[index] / max(valid, 1))
        yield (
            band,
            *(number(float(value), 4) for value in numbers),
            percent(1 - valid / ranges.pixels, 2),
            *(percent(float(share), 2) for share in shares),
        )


def percent(share: float, digits: int = 0) -> str:
    """A share in per cent; one that is not zero is not shown as zero."""
    least = 10.0**-digits
    small = 0 < 100 * share < least / 2
    return f"< {least:.{digits}f}\u00a0%" if small else f"{number(100 * share, digits)}\u00a0%"
