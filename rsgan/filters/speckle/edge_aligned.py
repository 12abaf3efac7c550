"""Refined Lee: statistics from the half of the window that lies on the pixel's own side of an edge."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rsgan.filters.speckle.local_linear import least_squares
from rsgan.filters.speckle.neighbourhood import Bools, Doubles, Gathered, Moments, by_band, neighbours

NORMALS = ((1, 1), (1, -1), (0, 1), (1, 0))
"""Directions (row, column) across the four edges that are told apart: two diagonals, vertical and horizontal. The first
wins a draw: where only a corner of the window differs, a diagonal leaves it out."""


def refined_lee(intensity: NDArray[np.floating], valid: Bools, *, looks: float, size: int = 7) -> NDArray[np.float32]:
    """The linear estimate of least squared error over one of eight half windows, chosen by the local gradient.

    The window is looked at as 3 x 3 sub-windows (of 3 x 3 pixels for size 7). The strongest of four gradients between
    their means says how an edge would run, and of its two sides the one is taken whose mean is nearer to the centre's.
    Choosing by speckled means costs a little: flat single-look ground comes out 1.5 % dark.

    Args:
        intensity: (C, H, W) linear power; anything, NaN too, where not valid.
        valid: (C, H, W) True = usable.
        looks: equivalent number of looks, above 0.
        size: side of the window in pixels, odd; the source has 7.

    Returns:
        (C, H, W) linear power, 0 where not valid.

    Raises:
        ConfigError: looks or size cannot be.
        GridError: the shapes differ.

    Source: Lee 1981, doi:10.1016/S0146-664X(81)80018-4; used at every pixel, without the source's threshold, as in Lee
    and Pottier 2009, Polarimetric Radar Imaging, section 5.3.1.
    """
    return by_band(_refined_lee, intensity, valid, looks, size)


def _refined_lee(values: Doubles, valid: Bools, looks: float, size: int) -> Doubles:
    side = chosen_side(values, valid, size)
    gathered = Gathered.nothing(values.shape)
    for row, column, value, usable in neighbours(values, valid, size):
        members = np.array([on_side(number, row, column) for number in range(2 * len(NORMALS))])
        gathered.add(value, usable & members.take(side))
    return least_squares(values, gathered.moments(), 1 / looks)


def on_side(side: int, row: int, column: int) -> bool:
    """Whether an offset from the centre lies in half window `side`: 2 d ahead along normal d, 2 d + 1 behind it."""
    across = row * NORMALS[side // 2][0] + column * NORMALS[side // 2][1]
    return across >= 0 if side % 2 == 0 else across <= 0


def chosen_side(values: Doubles, valid: Bools, size: int) -> NDArray[np.intp]:
    """Which half window suits each pixel, (H, W), see `on_side`.

    A sub-window without a valid pixel shows no edge, and its side is not chosen if the other one has any.
    """
    inner = (size // 2 - 1) // 2 * 2 + 1  # such that no sub-window beside the middle one holds the pixel itself
    step = size // 2 - inner // 2
    centre = Moments.of_window(np.pad(values, step), np.pad(valid, step), inner)
    mean: dict[tuple[int, int], Doubles] = {}
    away: dict[tuple[int, int], Doubles] = {}
    for row, column, there, seen in neighbours(centre.mean, centre.count > 0, 2 * step + 1, step):
        at = row // step, column // step
        mean[at] = np.where(seen, there, centre.mean)
        away[at] = np.where(seen, abs(there - centre.mean), np.inf)
    gradients = np.stack([abs(_gradient(mean, normal)) for normal in NORMALS])
    sides = np.stack([away[-row, -column] < away[row, column] for row, column in NORMALS])
    direction = gradients.argmax(0)
    behind = np.take_along_axis(sides, direction[None], 0)[0]
    side: NDArray[np.intp] = 2 * direction + behind
    return side[step:-step, step:-step]


def _gradient(mean: dict[tuple[int, int], Doubles], normal: tuple[int, int]) -> Doubles:
    """Three sub-windows ahead along the normal less the three behind."""
    gradient = np.zeros_like(mean[0, 0])
    for (row, column), value in mean.items():
        gradient += np.sign(row * normal[0] + column * normal[1]) * value
    return gradient
