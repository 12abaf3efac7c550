"""Where finished windows are put together: one row band at a time, so that memory does not grow with the height."""

from collections.abc import Callable
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
from rasterio.windows import Window

from rsgan.errors import GridError
from rsgan.geo.writer import BLOCK_PX, RasterWriter


class Canvas:
    """Takes finished windows in the order of a plan and hands whole rows to a writer; use it in a ``with`` statement.

    No tile is compressed twice: windows that are whole tiles are written as they come, others wait for their row band,
    which is written in multiples of the file's tiles.
    """

    def __init__(self, writer: RasterWriter, finished: Callable[[npt.NDArray[Any]], None] | None = None) -> None:
        """Start at the top of the writer's raster.

        Args:
            writer: open.
            finished: called with every row band (C, H, W) that is whole, from the top down.
        """
        self._writer = writer
        self._finished = finished
        self._band: npt.NDArray[Any] | None = None
        self._rows = 0  # of the row band in the making
        self._at_once = False  # whether its windows are written as they come
        self._band_row = 0
        self._column = 0
        self._carried = np.empty((writer.count, 0, writer.grid.width), dtype=writer.dtype)
        self._written_rows = 0

    def __enter__(self) -> "Canvas":
        """Give the canvas itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Check that nothing is missing, unless an error ends the work anyway."""
        if kind is None:
            self.finish()

    @property
    def held_rows(self) -> int:
        """Rows in memory: those of the row band in the making and those that do not fill a row of tiles yet."""
        return int(self._carried.shape[1]) + (0 if self._band is None else int(self._band.shape[1]))

    def add(self, values: npt.NDArray[Any], window: Window) -> None:
        """Put one finished window in its place.

        Args:
            values: (C, H, W) stored numbers, halo cropped.
            window: Where they belong; the next one of the plan.

        Raises:
            GridError: If the window is not the next one: windows come row band by row band, from left to right.
        """
        expected = (self._writer.count, int(window.height), int(window.width))
        if values.shape != expected:
            raise GridError(f"array of shape {values.shape} for a window of {expected}; they must agree.")
        if self._column == 0:
            self._rows = expected[1]
            self._at_once = self._finished is None and not self._carried.shape[1] and self._of_tiles(window)
        place = (int(window.row_off), int(window.col_off))
        if place != (self._band_row, self._column) or expected[1] != self._rows:
            raise GridError(
                f"window at row {place[0]}, column {place[1]} with {expected[1]} rows came where row {self._band_row}, "
                f"column {self._column} with {self._rows} rows was next. Add windows in the order of the plan."
            )
        if self._at_once:
            self._writer.write(values, window)
        else:
            self._gather(values)
        self._column += expected[2]
        if self._column >= self._writer.grid.width:
            self._end_row()

    def _of_tiles(self, first: Window) -> bool:
        """Whether the windows of a row band cover whole tiles each; `first` of the row, by whose width they follow."""
        grid = self._writer.grid
        rows = first.height % BLOCK_PX == 0 or first.row_off + first.height == grid.height
        columns = first.width % BLOCK_PX == 0 or first.width == grid.width
        return bool(first.row_off % BLOCK_PX == 0 and rows and columns)

    def _gather(self, values: npt.NDArray[Any]) -> None:
        if self._band is None:
            self._band = np.empty((self._writer.count, self._rows, self._writer.grid.width), self._writer.dtype)
        self._band[:, :, self._column : self._column + values.shape[2]] = values

    def _end_row(self) -> None:
        if self._band is None:
            self._band_row, self._column = self._band_row + self._rows, 0
            self._written_rows = self._band_row
            return
        if self._finished is not None:
            self._finished(self._band)
        self._flush(self._band)

    def restore(self, band: npt.NDArray[Any]) -> int:
        """Put a row band that was finished before in its place; gives the rows that are done now.

        Raises:
            GridError: It does not fit the raster.
        """
        count, _, width = band.shape
        if (count, width, str(band.dtype)) != (self._writer.count, self._writer.grid.width, self._writer.dtype):
            raise GridError(f"rows of {count} bands of {width} {band.dtype} do not fit {self._writer.path}.")
        self._flush(band)
        return self._band_row

    def finish(self) -> None:
        """Write the rows that are left.

        Raises:
            GridError: If windows are missing.
        """
        height = self._writer.grid.height
        if self._band is not None or self._band_row != height:
            raise GridError(
                f"{self._writer.path} is not complete: the next window belongs at row {self._band_row} of {height}, "
                f"column {self._column} of {self._writer.grid.width}. Add every window of the plan."
            )
        self._write(self._carried)
        self._carried = self._carried[:, :0]

    def _flush(self, band: npt.NDArray[Any]) -> None:
        """Write what fills whole tiles, keep the rest for the next row band."""
        self._band_row += band.shape[1]
        self._band, self._column = None, 0
        rows = np.concatenate((self._carried, band), axis=1) if self._carried.shape[1] else band
        whole = rows.shape[1] // BLOCK_PX * BLOCK_PX
        self._write(rows[:, :whole])
        self._carried = rows[:, whole:].copy()

    def _write(self, rows: npt.NDArray[Any]) -> None:
        if rows.shape[1] == 0:
            return
        self._writer.write(rows, Window(0, self._written_rows, self._writer.grid.width, rows.shape[1]))
        self._written_rows += rows.shape[1]
