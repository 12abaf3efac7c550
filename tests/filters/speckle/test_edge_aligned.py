from collections.abc import Callable

import numpy as np
import pytest

from rsgan.filters.speckle import boxcar, refined_lee
from rsgan.filters.speckle.edge_aligned import NORMALS, chosen_side, on_side

Speckle = Callable[..., np.ndarray]
OFFSETS = np.arange(-30, 31)


def step(side: int) -> np.ndarray:
    """61 x 61 pixels that are 20 where half window `side` of the pixel in the middle lies, and 1 elsewhere."""
    sign = 1 if side % 2 == 0 else -1
    across = sign * (OFFSETS[:, None] * NORMALS[side // 2][0] + OFFSETS[None] * NORMALS[side // 2][1])
    return np.where(across >= 0, 20.0, 1.0)


@pytest.mark.parametrize("side", range(8))
def test_half_windows_hold_28_of_49_pixels(side: int) -> None:
    reach = range(-3, 4)
    assert sum(on_side(side, row, column) for row in reach for column in reach) == 28


@pytest.mark.parametrize("side", range(8))
@pytest.mark.parametrize("size", [3, 5, 7, 9])
def test_the_side_of_an_edge_is_found(side: int, size: int) -> None:
    ground = step(side)
    assert chosen_side(ground, np.ones(ground.shape, bool), size)[30, 30] == side


@pytest.mark.parametrize(("sides", "share"), [((4, 5, 6, 7), 1.0), ((0, 1, 2, 3), 0.8)], ids=["straight", "diagonal"])
def test_an_edge_without_speckle_stays(sides: tuple[int, ...], share: float) -> None:
    for side in sides:
        ground = step(side)[None]
        filtered = refined_lee(ground, np.ones(ground.shape, bool), looks=1)
        inner = (0, slice(25, 36), slice(25, 36))
        assert np.isclose(filtered[inner], ground[inner], rtol=1e-6).mean() >= share


@pytest.mark.parametrize("side", [0, 2, 4, 6])
@pytest.mark.parametrize("looks", [4, 10])
def test_an_edge_is_kept_better_than_by_the_boxcar(side: int, looks: int, speckle: Speckle) -> None:
    ground = step(side)
    scene, valid = speckle(ground, looks), np.ones((1, 61, 61), bool)
    across = abs(OFFSETS[:, None] * NORMALS[side // 2][0] + OFFSETS[None] * NORMALS[side // 2][1]) <= 2
    near = across & (np.maximum(abs(OFFSETS[:, None]), abs(OFFSETS[None])) < 25)
    refined, blurred = (
        np.square(f(scene, valid, looks=looks)[0] / ground - 1)[near].mean() for f in (refined_lee, boxcar)
    )
    assert refined < 0.1 * blurred


def test_no_side_is_taken_that_lies_outside() -> None:
    ground = np.where(np.arange(30) < 2, 5.0, 1.0) * np.ones((30, 1))
    assert (chosen_side(ground, np.ones((30, 30), bool), 7)[3:-3, 0] == 4).all()
    assert (chosen_side(ground[:, ::-1], np.ones((30, 30), bool), 7)[3:-3, -1] == 5).all()
