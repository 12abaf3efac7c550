from collections.abc import Callable

import numpy as np
import pytest

from rsgan.filters.speckle import boxcar, frost
from rsgan.filters.speckle.damped import DAMPING


@pytest.mark.parametrize("looks", [1.0, 4.4])
def test_frost_is_its_definition(
    looks: float, ragged: tuple[np.ndarray, np.ndarray], by_pixel: Callable[..., np.ndarray]
) -> None:
    def rule(rows: np.ndarray, columns: np.ndarray, inside: np.ndarray, centre: float) -> float:
        variation = inside.var() / inside.mean() ** 2
        weights = np.exp(-DAMPING * looks * variation * np.hypot(rows, columns))
        return float((weights * inside).sum() / weights.sum())

    values, valid = ragged
    expected = by_pixel(values[0], valid[0], 7, rule)
    np.testing.assert_allclose(frost(values[:1], valid[:1], looks=looks)[0], expected, rtol=1e-6)


def test_what_varies_less_is_averaged_more(speckle: Callable[..., np.ndarray]) -> None:
    scene = speckle(np.ones((40, 40)), 1000)
    valid = np.ones(scene.shape, bool)
    np.testing.assert_allclose(frost(scene, valid, looks=1), boxcar(scene, valid, looks=1), rtol=1e-3)
    np.testing.assert_allclose(frost(scene, valid, looks=1e9), scene, rtol=1e-6)
