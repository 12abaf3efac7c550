"""Where chips are cut from tiles, and how they are turned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from rsgan.errors import ConfigError

Number = TypeVar("Number", bound=np.generic)

CANDIDATES = 8
"""Positions tried for a chip without invalid pixels before the tile is given up for this sample."""


class Weighted(Protocol):
    """Whatever chips are cut from."""

    @property
    def valid(self) -> NDArray[np.bool_]: ...  # noqa: D102 - (H, W)

    @property
    def weight(self) -> float: ...  # noqa: D102


Cut = TypeVar("Cut", bound=Weighted)


class ChipSampler(Generic[Cut]):
    """Draws places of chips without invalid pixels, from each tile as often as its weight says.

    Attributes:
        tiles: those that hold a chip.
        size: side of a chip, pixels.

    Raises:
        ConfigError: none holds a chip.
    """

    def __init__(self, tiles: Sequence[Cut], size: int, what: str = "training tiles") -> None:
        self.tiles, self.size = [tile for tile in tiles if holds_chip(tile.valid, size)], size
        if not self.tiles:
            raise ConfigError(
                f"data: none of the {len(tiles)} {what} holds a chip of training.chip_size {size} pixels without "
                "invalid ones. Give larger ones or a smaller chip_size."
            )
        self.chances = chances(self.tiles)

    def draw(self, rng: np.random.Generator) -> tuple[Cut, slice, slice]:
        """A tile, and rows and columns of a chip of it."""
        while True:
            tile = self.tiles[rng.choice(len(self.tiles), p=self.chances)]
            for _ in range(CANDIDATES):
                row, column = (int(rng.integers(n - self.size + 1)) for n in tile.valid.shape)
                rows, columns = slice(row, row + self.size), slice(column, column + self.size)
                if tile.valid[rows, columns].all():
                    return tile, rows, columns


def chances(tiles: Sequence[Weighted]) -> NDArray[np.float64]:
    """(T,) their weights, of sum 1."""
    weights = np.array([tile.weight for tile in tiles], dtype=np.float64)
    found: NDArray[np.float64] = weights / weights.sum()
    return found


def holds_chip(valid: NDArray[np.bool_], size: int) -> bool:
    """Whether a square of `size` pixels lies somewhere in (H, W) without an invalid one."""
    return bool(ndimage.minimum_filter(valid, size, mode="constant", cval=0).any())


def turn(chip: NDArray[Number], symmetry: int) -> NDArray[Number]:
    """One of the eight symmetries of the square, 0 <= symmetry < 8; (C, H, W) square."""
    turned = np.rot90(chip, symmetry % 4, axes=(1, 2))
    return turned[:, :, ::-1] if symmetry >= 4 else turned


def batch_of_one(values: NDArray[Number]) -> torch.Tensor:
    """Values (...), turned or not, as a tensor (1, ...) of the same kind."""
    return torch.from_numpy(np.ascontiguousarray(values))[None]
