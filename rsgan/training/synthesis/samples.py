"""Labelled chips, each class as often as any other; sample i depends on (seed, i) only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch.utils.data import Dataset

from rsgan.card import Domain
from rsgan.errors import ConfigError
from rsgan.geo import Grid, Window
from rsgan.geo.classes import read_classes
from rsgan.training.chips import batch_of_one, turn
from rsgan.training.synthesis.batch import NONE, LabelledChips, collate
from rsgan.training.synthesis.config import ChipClass, EncodeConfig, LabelledSource, SynthesizeConfig
from rsgan.training.tiles import Tile, check_split, find_files
from rsgan.training.translation.samples import opening_of, read_domain


@dataclass(frozen=True)
class LabelledTile(Tile):
    """A tile in network units, and `labels` (H, W): positions in the list of classes, `NONE` for none."""

    labels: NDArray[np.int16]


def read_labelled(
    root: Path, sources: Sequence[LabelledSource], domain: Domain, classes: Sequence[ChipClass]
) -> list[LabelledTile]:
    """Every tile of some sources, with its labels.

    Raises:
        RsganError: a file is missing or cannot be read, or a raster and its labels are not of one size.
    """
    places = {each.name: place for place, each in enumerate(classes)}
    return [_read(path, root, source, domain, places) for source in sources for path in find_files(root, source)]


def _read(path: Path, root: Path, source: LabelledSource, domain: Domain, places: dict[str, int]) -> LabelledTile:
    inside = path.relative_to(root).as_posix()
    for text, other in source.labels:
        inside = inside.replace(text, other)
    tile = read_domain(path, domain, source)
    with opening_of(path, domain, source)() as scene:
        grid = scene.grid
    found = read_classes(str(root / inside), grid)
    labels = np.full(grid.shape, NONE, np.int16)
    for number, share in zip(found.numbers, found.shares, strict=True):
        if number in source.names:
            labels[share > 0.5] = places[source.names[number]]
    whole = LabelledTile(**vars(tile), labels=labels)
    return whole if source.rows is None else _cut(whole, grid, source.rows)


def _cut(tile: LabelledTile, grid: Grid, rows: tuple[int, int]) -> LabelledTile:
    """Some rows of a tile, as a place of its own."""
    first, end = rows[0], min(rows[1], grid.height)
    if first >= end:
        raise ConfigError(f"data: {tile.path} has {grid.height} rows, rows {rows[0]} to {rows[1]} are asked for.")
    kept = slice(first, end)
    return replace(
        tile,
        path=tile.path.with_name(f"{tile.path.name}, rows {first} to {end}"),
        values=tile.values[:, kept, 0 : grid.width],
        valid=tile.valid[kept],
        labels=tile.labels[kept],
        footprint=grid.crop(Window(0, first, grid.width, end - first)).lonlat_bounds(),
    )


class LabelledDataset(Dataset[LabelledChips]):
    """Random chips without invalid pixels, turned and mirrored; `len` is the number of samples of the whole run.

    Attributes:
        found: of each class, the tiles that hold a chip of it, and the places (first row * width + first column) there.

    Raises:
        ConfigError: there is no chip of a class.
    """

    def __init__(
        self, tiles: Sequence[LabelledTile], config: SynthesizeConfig | EncodeConfig, *, what: str = "training"
    ) -> None:
        self.config, self.tiles, self.side = config, tiles, config.training.chip_size
        self.found: list[list[tuple[int, NDArray[np.int64]]]] = [[] for _ in config.classes]
        for number, tile in enumerate(tiles):
            for place, where in enumerate(_places(tile, config.classes, self.side)):
                if len(where):
                    self.found[place].append((number, where))
        for each, found in zip(config.classes, self.found, strict=True):
            if not found:
                raise ConfigError(
                    f"data: the {what} tiles hold no chip of {self.side} x {self.side} valid pixels of which "
                    f"{each.share:.0%} are {each.name}. Lower its share, or give other tiles."
                )

    def __len__(self) -> int:
        return self.config.training.samples

    def __getitem__(self, index: int) -> LabelledChips:
        return self.draw(np.random.default_rng((self.config.seed, index)))

    def draw(self, rng: np.random.Generator, place: int | None = None) -> LabelledChips:
        """One chip, of any class or of that at `place`."""
        place = int(rng.integers(len(self.found))) if place is None else place
        counts = np.array([len(where) for _, where in self.found[place]], np.float64)
        number, where = self.found[place][rng.choice(len(counts), p=counts / counts.sum())]
        tile = self.tiles[number]
        row, column = divmod(int(rng.choice(where)), tile.valid.shape[1])
        rows, columns = slice(row, row + self.side), slice(column, column + self.side)
        symmetry = int(rng.integers(8))
        return LabelledChips(
            batch_of_one(turn(tile.values[:, rows, columns], symmetry)),
            torch.tensor([place]),
            batch_of_one(turn(tile.labels[None, rows, columns].astype(np.int64), symmetry)[0]),
        )

    def chips(self, count: int, seed: int) -> LabelledChips:
        """So many chips of all classes in turn, the same for one seed."""
        rng = np.random.default_rng(seed)
        return collate([self.draw(rng, number % len(self.found)) for number in range(count)])


def _places(tile: LabelledTile, classes: Sequence[ChipClass], side: int) -> list[NDArray[np.int64]]:
    """Of each class, where its chips begin, as row * width + column."""
    free, found = _share(tile.valid, side) > 1 - 0.5 / side**2, []
    for place, each in enumerate(classes):
        here = free & (_share(tile.labels == place, side) >= each.share - 1e-6)
        free &= ~here
        found.append(np.flatnonzero(here).astype(np.int64))
    return found


def _share(where: NDArray[np.bool_], side: int) -> NDArray[np.float64]:
    """(H, W) share of the square that begins at a pixel which is true; 0 where it would leave the raster."""
    shares = ndimage.uniform_filter(where.astype(np.float64), side, mode="constant", origin=-(side // 2))
    inside = np.zeros(where.shape, bool)
    inside[: max(0, where.shape[0] - side + 1), : max(0, where.shape[1] - side + 1)] = True
    kept: NDArray[np.float64] = np.where(inside, shares, 0.0)
    return kept


def load_labelled(config: SynthesizeConfig | EncodeConfig) -> tuple[LabelledDataset, LabelledDataset]:
    """Training and held-out chips, from tiles that are checked to share no place.

    Raises:
        RsganError: a file is missing, wrong, or on both sides of the split; or a class has no chip.
    """
    data = config.data
    training, held_out = (
        read_labelled(data.root, sources, config.target, config.classes) for sources in (data.training, data.validation)
    )
    check_split(training, held_out)
    return LabelledDataset(training, config), LabelledDataset(held_out, config, what="held-out")
