"""Tiles of a training set: found by pattern, read through geo, split by tile and by place."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from rsgan.catalogue import RGBN_SENSOR
from rsgan.errors import ConfigError
from rsgan.geo import Scene, Window, open_quantity, plan
from rsgan.training.config import Data, Source
from rsgan.training.preparation.index import Index, IndexedRaster, Split, read_index

Bounds = tuple[float, float, float, float]
Floats = NDArray[np.float32]
Opening = Callable[[], Scene]
Convert = Callable[[Floats], Floats]

IN_MEMORY = 2**26
"""Numbers up to which a file is kept in memory: 256 MiB of float32. Larger ones are read window by window."""
OPEN_FILES = 16
"""Large files that a process keeps open."""


@lru_cache(OPEN_FILES)
def _opened(opening: Opening) -> Scene:
    return opening()


class OnDisk:
    """Values of a large file, read window by window as they are asked for; each process opens the file for itself.

    Attributes:
        opening: opens the file.
        shape: (C, H, W).
        convert: of values, to network units; None keeps physical ones.
        offset: (rows, columns) added to the pixels that are asked for.
    """

    def __init__(
        self,
        opening: Opening,
        shape: tuple[int, int, int],
        convert: Convert | None = None,
        offset: tuple[int, int] = (0, 0),
    ) -> None:
        self.opening, self.shape, self.convert, self.offset = opening, shape, convert, offset

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: tuple[slice, slice, slice]) -> Floats:
        """Bands, rows and columns, each a slice of step 1; (C, H, W) float32, 0 where invalid."""
        bands, rows, columns = key
        (top, bottom, _), (left, right, _) = rows.indices(self.shape[1]), columns.indices(self.shape[2])
        window = Window(left + self.offset[1], top + self.offset[0], right - left, bottom - top)
        values = _opened(self.opening).read(window).values
        return (values if self.convert is None else self.convert(values))[bands]


@dataclass(frozen=True)
class Tile:
    """One georeferenced file in memory.

    Attributes:
        path: the file.
        values: (C, H, W) reflectance, float32; 0 where invalid. In memory or, for large files, on disk; of both bands,
            rows and columns are sliced at once.
        valid: (H, W), True where every band is usable.
        place: given name, or None where `footprint` tells.
        footprint: (west, south, east, north) in degrees, None without coordinates.
        weight: how often a chip is drawn from it, relative to the other tiles.
        known: (C,) whether the file holds the band; values are 0 where it does not. None where it holds all.
        zoom: lowest and highest number of its pixels, each way, per pixel of a reference.
    """

    path: Path
    values: Floats | OnDisk
    valid: NDArray[np.bool_]
    place: str | None
    footprint: Bounds | None
    weight: float
    known: tuple[bool, ...] | None = field(default=None, kw_only=True)
    zoom: tuple[float, float] = field(default=(1.0, 1.0), kw_only=True)

    @property
    def array(self) -> Floats:
        """All values, in memory."""
        return self.values if isinstance(self.values, np.ndarray) else self.values[:, :, :]


Some = TypeVar("Some", bound=Tile)


class Files(Protocol):
    """Patterns of files, see `config.Source`."""

    @property
    def glob(self) -> str: ...  # noqa: D102

    @property
    def exclude(self) -> tuple[str, ...]: ...  # noqa: D102


class Placed(Protocol):
    """Whatever was read from a place, see `Tile`."""

    @property
    def path(self) -> Path: ...  # noqa: D102

    @property
    def place(self) -> str | None: ...  # noqa: D102

    @property
    def footprint(self) -> Bounds | None: ...  # noqa: D102


def read_tile(path: Path, source: Source, bands: tuple[str, ...], sensor_name: str = RGBN_SENSOR) -> Tile:
    """Read the wanted bands of one file, all of them if none is named; its weight is not yet relative to other files'.

    Raises:
        RsganError: one of its children says what is wrong with the file.
    """
    held = source.holds or bands
    tile = replace(tile_of(path, _opening(path, source, held, sensor_name), place=source.place), zoom=source.zoom)
    if source.holds is None:
        return tile
    values = np.zeros((len(bands), *tile.valid.shape), np.float32)
    values[[bands.index(name) for name in held]] = tile.array
    return replace(tile, values=values, known=tuple(name in held for name in bands))


def _opening(path: Path, source: Source, bands: tuple[str, ...], sensor_name: str) -> Opening:
    return partial(
        Scene.open,
        (path,),
        wanted=bands or None,
        bands=source.bands,
        reflectance_scale=source.reflectance_scale,
        gsd_m=source.gsd_m,
        sensor_name=sensor_name,
    )


def tile_of(
    path: Path,
    opening: Opening,
    *,
    place: str | None,
    convert: Convert | None = None,
    usable: Callable[[tuple[int, int]], NDArray[np.bool_]] | None = None,
) -> Tile:
    """Read what `opening` opens, or let it be read window by window where it is large.

    Args:
        path: the file.
        opening: opens it, in any process.
        place: its name; None where the footprint tells.
        convert: of values (C, H, W), to network units; None keeps physical ones.
        usable: of a shape (H, W), where it may be trained on, if that is known already; None looks at all pixels.
    """
    with opening() as scene:
        shape = len(scene.bands), *scene.grid.shape
        known = None if usable is None else usable(scene.grid.shape)
        values: Floats | OnDisk
        if math.prod(shape) > IN_MEMORY:
            values, valid = OnDisk(opening, shape, convert), _valid(scene) if known is None else known
        else:
            chip = scene.read(scene.grid.window)
            whole = np.all(chip.valid, axis=0)
            values = (chip.values if convert is None else convert(chip.values)) * whole
            valid = whole if known is None else known
        return Tile(path, values, valid, place, scene.grid.lonlat_bounds(), float(valid.size))


def _valid(scene: Scene) -> NDArray[np.bool_]:
    """(H, W) where every band is usable, read window by window."""
    valid = np.zeros(scene.grid.shape, bool)
    for step in plan(scene.grid.shape, 2048):
        window = step.keep
        rows = slice(window.row_off, window.row_off + window.height)
        columns = slice(window.col_off, window.col_off + window.width)
        valid[rows, columns] = np.all(scene.read(window).valid, axis=0)
    return valid


def find_files(root: Path, source: Files) -> list[Path]:
    """Files of a source, sorted.

    Raises:
        ConfigError: the pattern matches nothing.
    """
    left_out = {path for pattern in source.exclude for path in root.glob(pattern)}
    found = sorted(path for path in root.glob(source.glob) if path not in left_out)
    if not found:
        raise ConfigError(
            f"data: no file matches '{source.glob}' below '{root}'. "
            "Name the folder of the tiles with --data, or mend the pattern."
        )
    return found


def read_split(
    root: Path, sources: tuple[Source, ...], bands: tuple[str, ...], sensor_name: str = RGBN_SENSOR
) -> list[Tile]:
    """Every tile of one side of the split, weighted so that each source has its share.

    Raises:
        RsganError: a source has no file, or a file cannot be read.
    """
    tiles = []
    for source in sources:
        found = [read_tile(path, source, bands, sensor_name) for path in find_files(root, source)]
        tiles += shared(found, source.share)
    return tiles


def shared(tiles: Sequence[Some], share: float) -> list[Some]:
    """The same tiles, weighted so that together they have a share, each in proportion to its pixels."""
    pixels = sum(tile.weight for tile in tiles)
    return [replace(tile, weight=share * tile.weight / pixels) for tile in tiles]


def overlap(first: Bounds, second: Bounds) -> bool:
    """Whether two footprints share ground."""
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]


def same_place(first: Placed, second: Placed) -> bool:
    """Same file, same named place, or overlapping footprints."""
    if first.path == second.path or (first.place is not None and first.place == second.place):
        return True
    return first.footprint is not None and second.footprint is not None and overlap(first.footprint, second.footprint)


def check_split(training: Sequence[Placed], validation: Sequence[Placed]) -> None:
    """Refuse a split that would test on ground that was trained on.

    Raises:
        ConfigError: naming both files.
    """
    for held_out in validation:
        for tile in training:
            if same_place(tile, held_out):
                raise ConfigError(
                    f"data: training tile {tile.path} and validation tile {held_out.path} show one place. "
                    "Put all files of a place into the same split."
                )


def load_tiles(data: Data, bands: tuple[str, ...], sensor_name: str = RGBN_SENSOR) -> tuple[list[Tile], list[Tile]]:
    """Training and validation tiles, checked to share no place.

    Args:
        data: section of the config.
        bands: names of the bands in the catalogue, in the model's order.
        sensor_name: sensor of the catalogue whose names these are.

    Raises:
        RsganError: a file is missing, wrong, or on both sides of the split.
    """
    if data.index is not None:
        index = read_index(data.index)
        return indexed_tiles(data.root, index, "training", bands), indexed_tiles(data.root, index, "validation", bands)
    training = read_split(data.root, data.training, bands, sensor_name)
    validation = read_split(data.root, data.validation, bands, sensor_name)
    check_split(training, validation)
    return training, validation


def indexed_tiles(root: Path, index: Index, split: Split, bands: tuple[str, ...]) -> list[Tile]:
    """Tiles of one side of an index's split, each as often as it has usable chips.

    Raises:
        RsganError: the index is of other bands, or a file of it is missing or wrong.
    """
    side = index.side
    if bands and bands != side.bands:
        raise ConfigError(
            f"data.index holds bands {' '.join(side.bands)}, the model takes {' '.join(bands)}. Prepare the rasters "
            f"again with --bands {','.join(bands)}."
        )
    tiles = []
    for raster in index.of(split):
        opening = partial(
            open_quantity,
            (below(root, raster.path),),
            side.quantity,
            side.bands,
            sensor_name=side.sensor,
            bands=side.chosen,
            reflectance_scale=side.reflectance_scale,
        )
        usable = partial(usable_pixels, raster, index.chip)
        tile = tile_of(root / raster.path, opening, place=raster.place, usable=usable)
        tiles.append(replace(tile, footprint=None, weight=float(len(raster.chips))))
    return tiles


def below(root: Path, inside: str) -> Path:
    """The path of a file that an index names.

    Raises:
        ConfigError: it is not there.
    """
    path = root / inside
    if not path.exists():
        raise ConfigError(
            f"data.index names {inside}, which is not below {root}. Give the folder that was prepared with --data, or "
            "prepare it again."
        )
    return path


def moved(tile: Tile, offset: tuple[int, int], shape: tuple[int, int]) -> tuple[Floats | OnDisk, NDArray[np.bool_]]:
    """Values and valid of a tile on the pixels (H, W) of another one, to which `offset` is added for its own."""
    if offset == (0, 0) and tile.valid.shape == shape:
        return tile.values, tile.valid
    rows, columns = (
        (max(0, -first), min(there, here - first))
        for first, here, there in zip(offset, tile.valid.shape, shape, strict=True)
    )
    inside = slice(*rows), slice(*columns)
    own = tuple(slice(a + first, b + first) for (a, b), first in zip((rows, columns), offset, strict=True))
    valid = np.zeros(shape, bool)
    valid[inside] = tile.valid[own]
    if isinstance(tile.values, OnDisk):
        here = tile.values
        return OnDisk(here.opening, (len(here), *shape), here.convert, offset), valid
    values = np.zeros((len(tile.values), *shape), np.float32)
    values[:, inside[0], inside[1]] = tile.values[:, own[0], own[1]]
    return values, valid


def usable_pixels(raster: IndexedRaster, side: int, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """(H, W) True in the usable chips of an index."""
    usable = np.zeros(shape, bool)
    for row, column in raster.chips:
        usable[row : row + side, column : column + side] = True
    return usable
