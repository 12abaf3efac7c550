"""What the tests of the speckle filters share: speckled ground, holes, and windows taken apart pixel by pixel."""

from collections.abc import Callable

import numpy as np
import pytest


def speckled(ground: np.ndarray, looks: float, seed: int = 5) -> np.ndarray:
    """(1, H, W) float32: ground (H, W) times gamma(L, 1/L)."""
    speckle = np.random.default_rng(seed).gamma(looks, 1 / looks, ground.shape)
    return (ground * speckle).astype(np.float32)[None]


@pytest.fixture(scope="session")
def speckle() -> Callable[..., np.ndarray]:
    """A function that draws speckle over ground (H, W)."""
    return speckled


@pytest.fixture(scope="session")
def ragged() -> tuple[np.ndarray, np.ndarray]:
    """Two bands of 17 x 13 pixels: an edge, a point, a torn-off corner and scattered holes with NaN and inf in them."""
    ground = np.full((17, 13), 2.0)
    ground[:, 7:] = 11.0
    ground[5, 3] = 900.0
    values = np.concatenate([speckled(ground, 3, 1), speckled(ground.T[:13].T[::-1], 3, 2)])
    valid = np.random.default_rng(3).random(values.shape) > 0.2
    valid[:, :4, :3] = False
    values[~valid] = np.nan
    values[:, 0, 0] = np.inf
    return values, valid


@pytest.fixture(scope="session")
def by_pixel() -> Callable[..., np.ndarray]:
    """A function that filters (H, W) with a Python loop: `rule(rows, columns, values, centre)` sees valid pixels only.

    Rows and columns are offsets from the centre. It is the slow, plain reading of a definition.
    """

    def filtered(
        values: np.ndarray,
        valid: np.ndarray,
        size: int,
        rule: Callable[[np.ndarray, np.ndarray, np.ndarray, float], float],
    ) -> np.ndarray:
        out = np.zeros(values.shape)
        rows, columns = np.nonzero(valid)
        for row, column in zip(rows, columns, strict=True):
            near = (abs(rows - row) <= size // 2) & (abs(columns - column) <= size // 2)
            inside = values[rows[near], columns[near]].astype(np.float64)
            out[row, column] = rule(rows[near] - row, columns[near] - column, inside, float(values[row, column]))
        return out

    return filtered
