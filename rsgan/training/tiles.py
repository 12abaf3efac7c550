"""Tiles of a training set: found by pattern, read through geo, split by tile and by place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rsgan.catalogue import RGBN_SENSOR
from rsgan.errors import ConfigError
from rsgan.geo import Scene
from rsgan.training.config import Data, Source

Bounds = tuple[float, float, float, float]


@dataclass(frozen=True)
class Tile:
    """One georeferenced file in memory.

    Attributes:
        path: the file.
        values: (C, H, W) reflectance, float32; 0 where invalid.
        valid: (H, W), True where every band is usable.
        place: given name, or None where `footprint` tells.
        footprint: (west, south, east, north) in degrees, None without coordinates.
        weight: how often a chip is drawn from it, relative to the other tiles.
    """

    path: Path
    values: NDArray[np.float32]
    valid: NDArray[np.bool_]
    place: str | None
    footprint: Bounds | None
    weight: float


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
    with Scene.open(
        [path],
        wanted=bands or None,
        bands=source.bands,
        reflectance_scale=source.reflectance_scale,
        gsd_m=source.gsd_m,
        sensor_name=sensor_name,
    ) as scene:
        chip = scene.read(scene.grid.window)
        return Tile(
            path,
            chip.values,
            np.all(chip.valid, axis=0),
            source.place,
            scene.grid.lonlat_bounds(),
            float(chip.valid[0].size),
        )


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
        pixels = sum(tile.weight for tile in found)
        tiles += [replace(tile, weight=source.share * tile.weight / pixels) for tile in found]
    return tiles


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
    training = read_split(data.root, data.training, bands, sensor_name)
    validation = read_split(data.root, data.validation, bands, sensor_name)
    check_split(training, validation)
    return training, validation
