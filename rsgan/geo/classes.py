"""Rasters of classes, brought to another grid as shares: how much of each cell is of each class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.warp import reproject, transform_bounds
from rasterio.windows import Window

from rsgan.errors import GridError, InputError
from rsgan.geo.files import grid_of, open_raster, said_by
from rsgan.geo.grid import Grid

MOST_CLASSES = 128
"""A raster of whole numbers with more values than this is no map of classes."""


@dataclass(frozen=True)
class ClassShares:
    """How much of each cell is of each class.

    Attributes:
        numbers: of the classes, ascending.
        shares: (K, rows, columns) float32, 0 .. 1; their sum is below 1 where the map has no data.
    """

    numbers: tuple[int, ...]
    shares: NDArray[np.float32]


def read_classes(path: str, grid: Grid, *, nodata: int | None = None) -> ClassShares:
    """The shares of the classes of a raster on another grid, whatever its CRS and pixels.

    Args:
        path: raster of one band of whole numbers.
        grid: whose cells are wanted.
        nodata: number that says "no data", where the file does not declare it.

    Raises:
        InputError: it is missing, damaged, or no map of classes.
        GridError: it does not say where it lies and has another shape, or lies elsewhere.
    """
    check_classes(path)
    with open_raster(path) as dataset:
        source = grid_of(dataset)
        window = _covering(path, source, grid)
        numbers = dataset.read(1, window=window).astype(np.int64)
        there = dataset.read_masks(1, window=window) > 0
        if nodata is not None:
            there &= numbers != nodata
        found = np.unique(numbers[there])
        if not found.size:
            raise GridError(f"{path} has no data where the scene lies. Check that both show the same place.")
        if len(found) > MOST_CLASSES:
            raise InputError(f"{path} holds {len(found)} different numbers; expected at most {MOST_CLASSES} classes.")
        part = source.crop(window)
        shares = np.stack([_share((numbers == number) & there, part, grid, path) for number in found])
    return ClassShares(tuple(int(number) for number in found), shares)


def check_classes(path: str) -> None:
    """Refuse what is no raster of classes, without reading it.

    Raises:
        InputError: it is missing, damaged, or has several bands or other numbers than whole ones.
    """
    with open_raster(path) as dataset:
        if dataset.count != 1 or not np.issubdtype(np.dtype(dataset.dtypes[0]), np.integer):
            raise InputError(
                f"{path} has {dataset.count} bands of {dataset.dtypes[0]}; expected one band of whole numbers, one per "
                "class."
            )


def _covering(path: str, source: Grid, grid: Grid) -> Window:
    """The part of a class raster that lies below a grid.

    Raises:
        GridError: there is none, or nobody can say.
    """
    if source.crs is None or grid.crs is None or not (source.has_transform and grid.has_transform):
        if source.crs != grid.crs or source.has_transform != grid.has_transform:
            raise GridError(f"{path} and the scene do not both say where they lie. Give both a CRS and a transform.")
        if not source.has_transform:
            return source.window
        bounds = grid.bounds
    else:
        try:
            bounds = transform_bounds(grid.crs, source.crs, *grid.bounds)
        except RasterioError as error:
            raise GridError(f"{path}: the scene's place is not known in its CRS ({said_by(error)}).") from error
    try:
        return source.window_of_bounds(bounds)
    except GridError as error:
        raise GridError(f"{path} does not lie below the scene: {error}") from error


def _share(chosen: NDArray[np.bool_], source: Grid, grid: Grid, path: str) -> NDArray[np.float32]:
    """(rows, columns): which part of each cell is chosen."""
    target = np.zeros(grid.shape, np.float32)
    if not source.has_transform:
        return _by_shape(chosen, grid, path)
    crs: Any = source.crs or "EPSG:3857"  # without a CRS on either side, both have the same unknown one
    reproject(
        chosen.astype(np.float32),
        target,
        src_transform=source.transform,
        src_crs=crs,
        dst_transform=grid.transform,
        dst_crs=grid.crs or crs,
        resampling=Resampling.average,
    )
    return target


def _by_shape(chosen: NDArray[np.bool_], grid: Grid, path: str) -> NDArray[np.float32]:
    """Without transforms both are taken to show the same ground."""
    rows, columns = (length // cells for length, cells in zip(chosen.shape, grid.shape, strict=True))
    if min(rows, columns) < 1:
        raise GridError(f"{path} has {chosen.shape} pixels, fewer than the {grid.shape} cells that are wanted.")
    cut = chosen[: rows * grid.height, : columns * grid.width].astype(np.float32)
    blocks = cut.reshape(grid.height, rows, grid.width, columns)
    shares: NDArray[np.float32] = blocks.mean(axis=(1, 3))
    return shares
