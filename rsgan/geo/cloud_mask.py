"""Clouds of a scene: a layer of classes or bits on a grid of its own, read onto the scene's pixels."""

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from rasterio.errors import RasterioError
from rasterio.windows import Window

from rsgan.errors import GridError, InputError
from rsgan.geo.files import grid_of, said_by
from rsgan.geo.grid import Grid
from rsgan.geo.products import CloudKind, CloudLayer, cloudy

_NAMES: Final[tuple[tuple[re.Pattern[str], CloudKind], ...]] = (
    (re.compile(r"(?:^|[\W_])SCL(?:$|[\W_])", re.IGNORECASE), "scl"),
    (re.compile(r"MSK_CLASSI", re.IGNORECASE), "msk_classi"),
    (re.compile(r"QA_PIXEL", re.IGNORECASE), "qa_pixel"),
    (re.compile(r"(?:^|[\W_])Fmask4?(?:$|[\W_])", re.IGNORECASE), "fmask"),
)
"""How layers of clouds are called, as bands or as files."""

_HLS_FILE: Final = re.compile(r"HLS[._][SL]30[._]")
"""Names of Harmonized Landsat Sentinel-2 files, whose Fmask holds bits."""

_TOLERANCE_PX: Final = 0.1
"""Largest distance of a corner of one grid from a pixel corner of the other, in the finer pixels."""

LAYERS: Final = "SCL (Sentinel-2 L2A), MSK_CLASSI (Sentinel-2 since baseline 04.00), QA_PIXEL (Landsat), Fmask"
"""The layers that count, in words."""


def cloud_layer_of(path: str, index: int, description: str | None, count: int) -> CloudLayer | None:
    """The layer of clouds that a band of a plain file is, by its description or its file's name; None when it is none.

    Args:
        path: The file.
        index: 1-based number of the band.
        description: What the file calls the band.
        count: Number of bands of the file; only a file of one band, or of the classes of MSK_CLASSI, is what its name
            says.
    """
    stem = PurePath(path).stem
    named = _kind(description)
    if named is None and not description:
        of_file = _kind(stem)
        named = of_file if count == 1 or (of_file == "msk_classi" and index == 1) else None
    if named is None:
        return None
    if named == "fmask" and _HLS_FILE.search(stem):
        named = "hls_fmask"
    return CloudLayer(path, (1, 2) if named == "msk_classi" and count > 1 else (index,), named)


def _kind(text: str | None) -> CloudKind | None:
    return next((kind for pattern, kind in _NAMES if pattern.search(text or "")), None)


@dataclass(frozen=True)
class CloudMask:
    """A layer of clouds that nests with a scene's grid.

    Attributes:
        layer: Which bands of which file, and whose codes.
        dataset: The open `rasterio.DatasetReader`.
        coarser: Scene pixels per mask pixel, each way; 1 where the mask is as fine as the scene or finer.
        finer: Mask pixels per scene pixel, each way; 1 where the mask is as coarse as the scene or coarser.
        row: Row of the scene's upper left corner, in the finer of both pixels, from the mask's.
        column: Column of it.
    """

    layer: CloudLayer
    dataset: Any
    coarser: int
    finer: int
    row: int
    column: int

    @classmethod
    def on(cls, grid: Grid, layer: CloudLayer, dataset: Any) -> "CloudMask":  # noqa: ANN401 - rasterio ships no types
        """The mask of a layer for a scene's grid.

        Raises:
            GridError: If the pixels of one are no whole multiple of the other's, or the layer does not cover the scene.
        """
        own = grid_of(dataset)
        if own.crs != grid.crs or own.has_transform != grid.has_transform:
            raise _unlike(layer.path, own, grid, "their coordinate systems differ")
        (left, top), (right, also_top), (also_right, bottom) = _corners_on(grid, own)
        step = (right - left) / own.width
        finer, coarser = (1, round(step)) if step >= 1.0 else (round(1.0 / step) if step > 0.0 else 0, 1)
        exact = coarser / finer if finer else np.nan
        departures = (
            also_top - top,
            also_right - right,
            left * finer - round(left * finer),
            top * finer - round(top * finer),
            right - left - own.width * exact,
            bottom - top - own.height * exact,
        )
        if not max(map(abs, departures)) * max(finer, 1) <= _TOLERANCE_PX:
            what = f"its pixels are {step:.4g} x {(bottom - top) / own.height:.4g} of the scene's, the first at column "
            raise _unlike(layer.path, own, grid, f"{what}{left:.4g}, row {top:.4g}")
        mask = cls(layer, dataset, coarser, finer, -round(top * finer), -round(left * finer))
        if not mask._covers(grid.shape, own.shape):
            raise _unlike(layer.path, own, grid, "it does not cover the scene")
        return mask

    def read(self, window: Window) -> npt.NDArray[np.bool_]:
        """Where there is cloud, cirrus, cloud shadow or no data, in a window of the scene.

        A finer layer flags a pixel of the scene where it flags any part of it.

        Returns:
            (H, W) bool.

        Raises:
            InputError: If the file is damaged there, or holds other codes than its name promises.
        """
        rows = self._span(self.row, int(window.row_off), int(window.height))
        columns = self._span(self.column, int(window.col_off), int(window.width))
        own = Window.from_slices((rows[0], rows[-1] + 1), (columns[0], columns[-1] + 1))
        try:
            values = self.dataset.read(self.layer.indexes, window=own)
        except RasterioError as error:
            raise InputError(
                f"{self.layer.path} cannot be read: {said_by(error)}. The cloud mask is damaged or cut short; copy or "
                f"download it again."
            ) from error
        empty = np.isnan(values).any(axis=0)
        flagged = cloudy(np.nan_to_num(values).astype(np.int64), self.layer.kind) | empty
        on_scene = flagged[np.ix_(rows - rows[0], columns - columns[0])]
        blocks = on_scene.reshape(int(window.height), self.finer, int(window.width), self.finer)
        reduced: npt.NDArray[np.bool_] = np.logical_or.reduce(blocks, axis=(1, 3))
        return reduced

    def _span(self, start: int, offset: int, length: int) -> npt.NDArray[np.intp]:
        """Rows or columns of the mask for pixels of the scene, `finer` of them for each."""
        places: npt.NDArray[np.intp] = np.arange(length * self.finer) + offset * self.finer + start
        return places // self.coarser

    def _covers(self, scene: tuple[int, int], own: tuple[int, int]) -> bool:
        spans = zip((self.row, self.column), scene, own, strict=True)
        return all(
            start >= 0 and (start + length * self.finer - 1) // self.coarser < size for start, length, size in spans
        )


def _corners_on(grid: Grid, own: Grid) -> tuple[tuple[float, float], ...]:
    """(column, row) on a grid of another one's upper left, upper right and lower right corner.

    Without transforms, both are taken to show the same ground.
    """
    if not grid.has_transform:
        return (0.0, 0.0), (float(grid.width), 0.0), (float(grid.width), float(grid.height))
    t = ~grid.transform
    return tuple((t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f) for x, y in own.corners[:3])


def _unlike(path: str, own: Grid, scene: Grid, what: str) -> GridError:
    return GridError(
        f"the cloud mask {path} has {_words(own)}, the scene {_words(scene)}: {what}. Expected the scene's "
        f"pixels, or pixels a whole number of times as large or small, over all of the scene. Resample the mask onto "
        f"the scene, or leave --mask-clouds out."
    )


def _words(grid: Grid) -> str:
    return f"{grid.height} rows x {grid.width} columns of {grid.gsd[0]:g} x {grid.gsd[1]:g}"
