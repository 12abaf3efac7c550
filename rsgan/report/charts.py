"""Line charts as geometry that the page's template draws as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 640, 360
"""Of the drawing, in its own units."""
LEFT, RIGHT, TOP, BOTTOM = 96, 16, 16, 56
"""Margins around the axes, for their labels."""


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Attributes:
        name: In the legend.
        x: (N,) numbers.
        y: (N,) numbers; on a logarithmic axis those that are not above zero are left out.
        style: Name of its looks: a, b, c, d, or guide for a thin line that is only there for comparison.
    """

    name: str
    x: NDArray[np.floating]
    y: NDArray[np.floating]
    style: str


@dataclass(frozen=True)
class Tick:
    """A number on an axis, and where it stands."""

    at: float
    label: str


@dataclass(frozen=True)
class Chart:
    """A drawing, ready for the template.

    Attributes:
        title: Heading.
        caption: How to read it.
        alt: For those who cannot see it.
        x_label: Below.
        y_label: Beside.
        paths: (name, style, SVG path) of each line.
        x_ticks: Below.
        y_ticks: Beside.
        marks: Vertical lines with a label.
        legend: Whether the lines are named below.
    """

    title: str
    caption: str
    alt: str
    x_label: str
    y_label: str
    paths: tuple[tuple[str, str, str], ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    marks: tuple[Tick, ...] = ()
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM
    legend: bool = True


@dataclass(frozen=True)
class Words:
    """What stands around a chart; see `Chart`."""

    title: str
    caption: str
    alt: str
    x_label: str
    y_label: str


def line_chart(
    words: Words,
    lines: Sequence[Line],
    *,
    x_range: tuple[float, float],
    y_range: tuple[float, float] | None = None,
    log_y: bool = False,
    marks: Sequence[tuple[float, str]] = (),
) -> Chart:
    """Lay out a line chart.

    Args:
        words: What stands around it.
        lines: What is drawn.
        x_range: Ends of the horizontal axis.
        y_range: Ends of the vertical axis; None takes those of the lines.
        log_y: Whether the vertical axis is logarithmic.
        marks: Vertical lines: where, and what they are called.
    """
    low, high = y_range or _span(lines, log_y=log_y)
    shown = (math.log10(low), math.log10(high)) if log_y else (low, high)
    paths = tuple((line.name, line.style, _path(line, x_range, shown, log_y=log_y)) for line in lines)
    return Chart(
        words.title,
        words.caption,
        words.alt,
        words.x_label,
        words.y_label,
        paths,
        tuple(Tick(_across(value, x_range), f"{value:g}") for value in _round_steps(x_range)),
        tuple(_decades(shown)) if log_y else tuple(Tick(_down(v, shown), f"{v:g}") for v in _round_steps(shown)),
        tuple(Tick(_across(value, x_range), label) for value, label in marks),
    )


def _span(lines: Sequence[Line], *, log_y: bool) -> tuple[float, float]:
    values = np.concatenate([line.y for line in lines])
    values = values[np.isfinite(values) & ((values > 0) | (not log_y))]
    if not values.size:
        return (0.1, 1.0)
    low, high = float(values.min()), float(values.max())
    if log_y:
        first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
        return 10.0**first, 10.0 ** max(last, first + 1)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _path(line: Line, x_range: tuple[float, float], y_range: tuple[float, float], *, log_y: bool) -> str:
    usable = np.isfinite(line.y) & ((line.y > 0) | (not log_y))
    y = np.log10(line.y[usable]) if log_y else line.y[usable]
    points = [
        f"{_across(float(a), x_range):.1f},{_down(float(b), y_range):.1f}"
        for a, b in zip(line.x[usable], y, strict=True)
    ]
    return "M" + " L".join(points) if points else ""


def _across(value: float, ends: tuple[float, float], left: int = LEFT) -> float:
    return left + (value - ends[0]) / (ends[1] - ends[0]) * (WIDTH - left - RIGHT)


def _down(value: float, ends: tuple[float, float]) -> float:
    return HEIGHT - BOTTOM - (value - ends[0]) / (ends[1] - ends[0]) * (HEIGHT - TOP - BOTTOM)


def _round_steps(ends: tuple[float, float]) -> list[float]:
    """About five round numbers between two ends, both included where they are round."""
    rough = (ends[1] - ends[0]) / 5
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= rough * 0.999)
    first, last = math.ceil(ends[0] / step - 1e-9), math.floor(ends[1] / step + 1e-9)
    return [float(f"{number * step:.10g}") for number in range(first, last + 1)]


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _decades(ends: tuple[float, float]) -> list[Tick]:
    first, last = math.ceil(ends[0] - 1e-9), math.floor(ends[1] + 1e-9)
    step = max(1, -(-(last - first) // 6))
    return [Tick(_down(power, ends), f"10{str(power).translate(_RAISED)}") for power in range(first, last + 1, step)]


@dataclass(frozen=True)
class Bar:
    """One row of an interval chart; nan for what is not known.

    Attributes:
        name: Beside the axis.
        value: Where the mark stands.
        low: Where the bar begins.
        high: Where it ends.
        style: Name of its looks, as of a line.
    """

    name: str
    value: float
    low: float
    high: float
    style: str


def interval_chart(
    words: Words,
    bars: Sequence[Bar],
    *,
    x_range: tuple[float, float],
    marks: Sequence[tuple[float, str]] = (),
) -> Chart:
    """Lay out values with their intervals, one row each, from the top down.

    Args:
        words: What stands around it.
        bars: What is drawn; what lies outside the axis is cut.
        x_range: Ends of the horizontal axis.
        marks: Vertical lines: where, and what they are called.
    """
    height, left = TOP + BOTTOM + 34 * max(len(bars), 1), LEFT + 60
    rows = [TOP + 34 * (number + 0.5) for number in range(len(bars))]
    paths = []
    for bar, y in zip(bars, rows, strict=True):
        if not math.isfinite(bar.value):
            continue
        low, value, high = (
            _across(min(max(x if math.isfinite(x) else bar.value, x_range[0]), x_range[1]), x_range, left)
            for x in (bar.low, bar.value, bar.high)
        )
        shape = f"M{low:.1f},{y:.1f} L{high:.1f},{y:.1f} M{value:.1f},{y - 8:.1f} L{value:.1f},{y + 8:.1f}"
        paths.append((bar.name, bar.style, shape))
    return Chart(
        words.title,
        words.caption,
        words.alt,
        words.x_label,
        words.y_label,
        tuple(paths),
        tuple(Tick(_across(value, x_range, left), f"{value:g}") for value in _round_steps(x_range)),
        tuple(Tick(y, bar.name) for bar, y in zip(bars, rows, strict=True)),
        tuple(Tick(_across(value, x_range, left), label) for value, label in marks),
        height=height,
        left=left,
        bottom=height - BOTTOM,
        legend=False,
    )
