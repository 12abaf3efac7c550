"""What lies around a pixel: its valid neighbours and their statistics, exact at borders and beside holes.

Sums run over the pixels of each window, in one order, and never carry anything from window to window: the rounding of a
pixel does not depend on where the array starts, so a crop with enough context gives the same numbers as the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rsgan.errors import ConfigError, GridError

Doubles = NDArray[np.float64]
Bools = NDArray[np.bool_]
BandFilter = Callable[[Doubles, Bools, float, int], Doubles]
"""(H, W) intensity with 0 where not valid, valid, looks and size of the window, to (H, W) filtered intensity."""


def by_band(
    band_filter: BandFilter, intensity: NDArray[np.floating], valid: Bools, looks: float, size: int
) -> NDArray[np.float32]:
    """Filter each band by itself.

    Args:
        band_filter: what is done to one band.
        intensity: (C, H, W) linear power; anything, NaN too, where not valid.
        valid: (C, H, W) True = usable.
        looks: equivalent number of looks, above 0.
        size: side of the window in pixels, odd.

    Returns:
        (C, H, W), 0 where not valid.

    Raises:
        ConfigError: looks or size cannot be.
        GridError: the shapes differ.
    """
    check(intensity, valid, looks, size)
    filtered = np.zeros(intensity.shape, np.float32)
    for band, usable in enumerate(valid):
        if usable.any():
            values = known(intensity[band], usable)
            filtered[band][usable] = band_filter(values, usable, looks, size)[usable]
    return filtered


def check(intensity: NDArray[np.floating], valid: Bools, looks: float, size: int) -> None:
    """Refuse what no filter can work with.

    Raises:
        ConfigError: looks or size cannot be.
        GridError: the shapes differ.
    """
    if not 0 < looks < np.inf:
        raise ConfigError(f"--looks {looks:g}: expected a number above 0 (1 for single-look data).")
    check_size(size)
    if intensity.shape != valid.shape:
        raise GridError(f"intensity is {intensity.shape}, valid {valid.shape}; give both for the same pixels.")


def check_size(size: int) -> None:
    """Refuse windows that have no centre, or nothing but one.

    Raises:
        ConfigError: size is even or below 3.
    """
    if size < 3 or size % 2 == 0:
        raise ConfigError(
            f"--filter-size {size}: expected an odd number of pixels from 3 up; give {max(size // 2 * 2 + 1, 3)}."
        )


def known(values: NDArray[np.floating], valid: Bools) -> Doubles:
    """Values with 0, which adds nothing to a sum, where not valid."""
    return np.where(valid, values, 0).astype(np.float64)


def box_sum(values: NDArray[np.generic], size: int) -> Doubles:
    """Sum over the square window of `size` pixels around each pixel of (H, W); nothing lies outside of the array."""
    height, width = values.shape
    padded = np.pad(values, size // 2).astype(np.float64)
    rows = padded[:height].copy()
    for start in range(1, size):
        rows += padded[start : start + height]
    total = rows[:, :width].copy()
    for start in range(1, size):
        total += rows[:, start : start + width]
    return total


class Neighbour(NamedTuple):
    """What lies at one offset from every pixel: `values` and `valid` (H, W); 0 and False outside of the array."""

    row: int
    column: int
    values: Doubles
    valid: Bools


def neighbours(values: Doubles, valid: Bools, size: int, step: int = 1) -> Iterator[Neighbour]:
    """The neighbours at every offset in a square window of `size` pixels, or at every `step`-th one."""
    height, width = values.shape
    radius = size // 2
    padded, usable = np.pad(values, radius), np.pad(valid, radius)
    for row in range(0, size, step):
        for column in range(0, size, step):
            there = slice(row, row + height), slice(column, column + width)
            yield Neighbour(row - radius, column - radius, padded[there], usable[there])


@dataclass(frozen=True)
class Moments:
    """Statistics of the valid pixels in the window of each pixel, (H, W).

    Attributes:
        count: how many there are.
        mean: their mean; 0 where there is none.
        variance: about their mean, over `count`; 0 for one pixel.
    """

    count: Doubles
    mean: Doubles
    variance: Doubles

    @classmethod
    def of_sums(cls, count: Doubles, total: Doubles, squares: Doubles) -> Moments:
        """From the number of pixels, the sum of their values and that of their squares."""
        divisor = np.maximum(count, 1)
        mean = total / divisor
        return cls(count, mean, np.maximum(squares / divisor - mean**2, 0))

    @classmethod
    def of_window(cls, values: Doubles, valid: Bools, size: int) -> Moments:
        """Over square windows of `size` pixels; `values` (H, W) are 0 where not valid."""
        return cls.of_sums(box_sum(valid, size), box_sum(values, size), box_sum(values**2, size))


@dataclass(frozen=True)
class Gathered:
    """Sums over neighbours that are chosen pixel by pixel, (H, W) each; `add` adds in place."""

    count: Doubles
    total: Doubles
    squares: Doubles

    @classmethod
    def nothing(cls, shape: tuple[int, ...]) -> Gathered:
        """Nothing added up yet."""
        return cls(np.zeros(shape), np.zeros(shape), np.zeros(shape))

    def add(self, values: Doubles, chosen: Bools) -> None:
        """Add the values where they are chosen."""
        part = values * chosen  # several times as fast as np.where
        np.add(self.count, chosen, out=self.count)
        np.add(self.total, part, out=self.total)
        np.add(self.squares, part * part, out=self.squares)

    def moments(self) -> Moments:
        """Of what was added."""
        return Moments.of_sums(self.count, self.total, self.squares)
