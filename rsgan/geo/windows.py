"""How a raster is walked: windows that tile it exactly, and the halo of context that is read around each."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rasterio.windows import Window

from rsgan.errors import GridError

PROBE_PX: Final = 128
"""Side of the nine windows in which values are looked at before they are believed to be what they seem."""


@dataclass(frozen=True)
class WindowPlan:
    """One step of the walk.

    Attributes:
        read: What is read: `keep` and the halo around it, cut to the raster; its origin is a multiple of the stride.
        keep: What this step is responsible for; the `keep` windows of a plan tile the raster exactly.
        inner: (rows, columns) slices of `keep` inside an array read through `read`.
    """

    read: Window
    keep: Window
    inner: tuple[slice, slice]


@dataclass(frozen=True)
class _Span:
    """One axis of a step: read [start, stop), keep [first, last)."""

    start: int
    stop: int
    first: int
    last: int

    @property
    def inner(self) -> slice:
        return slice(self.first - self.start, self.last - self.start)


def plan(
    shape: tuple[int, int], size: int, stride: int = 1, halo: int = 0, part: Window | None = None
) -> list[WindowPlan]:
    """Windows that tile a raster or a part of it, row band by row band, each row band from left to right.

    Args:
        shape: (height, width) of the raster in pixels.
        size: Side of the windows in pixels; rounded up to a multiple of `stride`.
        stride: Every window that is read starts at a multiple of this; kept ones count from the part's origin.
        halo: Pixels of context on every side, at least; where the raster ends there are fewer.
        part: What is kept, inside the raster; None keeps all. The halo reaches beyond it, so that the border of a part
            is like any other place.

    >>> [step.keep.col_off for step in plan((4, 10), size=3, stride=2, halo=1)]
    [0, 4, 8]

    Raises:
        GridError: If the raster is empty, `size` or `stride` is below 1, or `halo` is below 0.
    """
    if min(shape) < 1 or size < 1 or stride < 1 or halo < 0:
        raise GridError(
            f"cannot walk a raster of shape {shape} with window {size}, stride {stride} and halo {halo}; expected "
            f"shape, window and stride of at least 1 and halo of at least 0."
        )
    step = -(-size // stride) * stride
    top, left, height, width = (0, 0, *shape) if part is None else (part.row_off, part.col_off, part.height, part.width)
    rows = _spans(shape[0], range(top, top + height, step), top + height, stride, halo)
    columns = _spans(shape[1], range(left, left + width, step), left + width, stride, halo)
    return [_join(row, column) for row in rows for column in columns]


def places(length: int, side: int, most: int) -> list[int]:
    """Where windows of `side` pixels start along an axis: one after the other, or `most` of them evenly apart."""
    steps = -(-length // side)
    count = min(steps, most)
    return [steps * place // count * side for place in range(count)]


def spread(shape: tuple[int, int], side: int, most: int) -> Iterator[Window]:
    """Windows side by side, or at most `most` along each axis, spread over a raster too large to be looked at whole."""
    height, width = shape
    for row in places(height, side, most):
        for column in places(width, side, most):
            yield Window(column, row, min(side, width - column), min(side, height - row))


def scale_window(window: Window, scale: int) -> Window:
    """The same place on a grid that is `scale` times finer."""
    return Window(window.col_off * scale, window.row_off * scale, window.width * scale, window.height * scale)


def _spans(length: int, origins: range, end: int, stride: int, halo: int) -> list[_Span]:
    """Spans that keep everything from the first origin to `end`, on an axis of `length` pixels."""
    lasts = [min(end, first + origins.step) for first in origins]
    return [
        _Span(max(0, first - halo) // stride * stride, min(length, last + halo), first, last)
        for first, last in zip(origins, lasts, strict=True)
    ]


def _join(row: _Span, column: _Span) -> WindowPlan:
    return WindowPlan(
        read=Window(column.start, row.start, column.stop - column.start, row.stop - row.start),
        keep=Window(column.first, row.first, column.last - column.first, row.last - row.first),
        inner=(row.inner, column.inner),
    )


def probes(shape: tuple[int, int]) -> list[Window]:
    """Nine small windows, at the edges and in the middle."""
    spans = []
    for length in shape:
        side = min(length, PROBE_PX)
        spans.append(sorted({(start, side) for start in (0, (length - side) // 2, length - side)}))
    rows, columns = spans
    return [Window(column, row, width, height) for row, height in rows for column, width in columns]
