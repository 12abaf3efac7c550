"""How a raster is walked: windows that tile it exactly, and the halo of context that is read around each."""

from dataclasses import dataclass

from rasterio.windows import Window

from rsgan.errors import GridError


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


def plan(shape: tuple[int, int], size: int, stride: int = 1, halo: int = 0) -> list[WindowPlan]:
    """Windows that tile a raster, row band by row band, each row band from left to right.

    Args:
        shape: (height, width) of the raster in pixels.
        size: Side of the windows in pixels; rounded up to a multiple of `stride`.
        stride: Every window, kept or read, starts at a multiple of this.
        halo: Pixels of context on every side, at least; where the raster ends there are fewer.

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
    rows, columns = (_spans(length, step, stride, halo) for length in shape)
    return [_join(row, column) for row in rows for column in columns]


def scale_window(window: Window, scale: int) -> Window:
    """The same place on a grid that is `scale` times finer."""
    return Window(window.col_off * scale, window.row_off * scale, window.width * scale, window.height * scale)


def _spans(length: int, step: int, stride: int, halo: int) -> list[_Span]:
    return [
        _Span(
            start=max(0, first - halo) // stride * stride,
            stop=min(length, first + step + halo),
            first=first,
            last=min(length, first + step),
        )
        for first in range(0, length, step)
    ]


def _join(row: _Span, column: _Span) -> WindowPlan:
    return WindowPlan(
        read=Window(column.start, row.start, column.stop - column.start, row.stop - row.start),
        keep=Window(column.first, row.first, column.last - column.first, row.last - row.first),
        inner=(row.inner, column.inner),
    )
