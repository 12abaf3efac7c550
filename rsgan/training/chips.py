"""Where chips are cut from tiles, and how they are turned."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
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
        zoom: lowest and highest number of a tile's pixels per pixel of a chip; None takes 1 for all tiles.

    Raises:
        ConfigError: none holds a chip.
    """

    def __init__(
        self,
        tiles: Sequence[Cut],
        size: int,
        what: str = "training tiles",
        zoom: Callable[[Cut], tuple[float, float]] | None = None,
    ) -> None:
        self.zoom = zoom or _native_zoom
        self.tiles, self.size = [t for t in tiles if holds_chip(t.valid, _side(size, self.zoom(t)[0]))], size
        if not self.tiles:
            raise ConfigError(
                f"data: none of the {len(tiles)} {what} holds a chip of training.chip_size {size} pixels without "
                "invalid ones. Give larger ones or a smaller chip_size."
            )
        self.chances = chances(self.tiles)

    def draw(self, rng: np.random.Generator) -> tuple[Cut, slice, slice]:
        """Draw a tile, and rows and columns of a chip of it; the chip is a square of the tile's pixels."""
        while True:
            tile = self.tiles[rng.choice(len(self.tiles), p=self.chances)]
            for side in [self._drawn_side(tile, rng)] * CANDIDATES + [_side(self.size, self.zoom(tile)[0])]:
                row, column = (int(rng.integers(n - side + 1)) for n in tile.valid.shape)
                rows, columns = slice(row, row + side), slice(column, column + side)
                if tile.valid[rows, columns].all():
                    return tile, rows, columns

    def _drawn_side(self, tile: Cut, rng: np.random.Generator) -> int:
        """Draw the side of a chip in the tile's pixels."""
        low, high = self.zoom(tile)
        if low < high:
            low = rng.uniform(low, max(low, min(high, min(tile.valid.shape) / self.size)))
        return _side(self.size, low)


def _side(size: int, zoom: float) -> int:
    """Give the side of a chip of `size` pixels in pixels that are `zoom` times finer."""
    return math.ceil(size * zoom - 1e-9)


def _native_zoom(tile: object) -> tuple[float, float]:
    """Give zoom 1 to 1, for tiles on the chips' own pixels."""
    return 1.0, 1.0


def chances(tiles: Sequence[Weighted]) -> NDArray[np.float64]:
    """(T,) their weights, of sum 1."""
    weights = np.array([tile.weight for tile in tiles], dtype=np.float64)
    found: NDArray[np.float64] = weights / weights.sum()
    return found


def holds_chip(valid: NDArray[np.bool_], size: int) -> bool:
    """Whether a square of `size` pixels lies somewhere in (H, W) without an invalid one."""
    return bool(ndimage.minimum_filter(valid, size, mode="constant", cval=0).any())


def area_mean(values: NDArray[np.float32], zoom: float) -> NDArray[np.float32]:
    """Average (..., H, W) to pixels of zoom x zoom, 1 or more; parts of pixels count by their area."""
    if zoom == 1:
        return values
    rows, columns = (_area_weights(side, zoom) for side in values.shape[-2:])
    return np.asarray(rows @ values @ columns.T, np.float32)


def _area_weights(side: int, zoom: float) -> NDArray[np.float32]:
    """Share (n, side) of each of `side` pixels in the n whole ones that are `zoom` times as large."""
    edges, pixels = zoom * np.arange(int(side / zoom + 1e-6) + 1), np.arange(side)
    covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    shares: NDArray[np.float32] = (np.maximum(covered, 0) / zoom).astype(np.float32)
    return shares


def turn(chip: NDArray[Number], symmetry: int) -> NDArray[Number]:
    """One of the eight symmetries of the square, 0 <= symmetry < 8; (C, H, W) square."""
    turned = np.rot90(chip, symmetry % 4, axes=(1, 2))
    return turned[:, :, ::-1] if symmetry >= 4 else turned


def batch_of_one(values: NDArray[Number]) -> torch.Tensor:
    """Values (...), turned or not, as a tensor (1, ...) of the same kind."""
    return torch.from_numpy(np.ascontiguousarray(values))[None]
