from collections.abc import Callable

import numpy as np
import pytest
from scipy import optimize, stats

from rsgan.filters.speckle import boxcar, gamma_map

Speckle = Callable[..., np.ndarray]


@pytest.mark.parametrize(("looks", "darkest"), [(1, 0.07), (4, 0.03)])
def test_flat_ground_comes_out_dark(looks: int, darkest: float, speckle: Speckle) -> None:
    scene = speckle(np.ones((512, 512)), looks)
    filtered = gamma_map(scene, np.ones(scene.shape, bool), looks=looks)
    assert -darkest < filtered.mean(dtype=np.float64) / scene.mean(dtype=np.float64) - 1 < -0.005


def test_in_between_it_is_the_most_probable_ground(
    ragged: tuple[np.ndarray, np.ndarray], by_pixel: Callable[..., np.ndarray]
) -> None:
    looks, classes = 3.0, set()

    def rule(rows: np.ndarray, columns: np.ndarray, inside: np.ndarray, centre: float) -> float:
        mean, variation = inside.mean(), inside.var() / inside.mean() ** 2
        if variation <= 1 / looks:
            classes.add("flat")
            return mean
        if variation >= 2 / looks:
            classes.add("point")
            return centre
        classes.add("textured")
        order = (1 + 1 / looks) / (variation - 1 / looks)

        def improbable(log_ground: float) -> float:
            ground = np.exp(log_ground)
            prior = stats.gamma.logpdf(ground, order, scale=mean / order)
            return -float(prior + stats.gamma.logpdf(centre, looks, scale=ground / looks))

        best = optimize.minimize_scalar(improbable, bounds=np.log([mean / 1e3, mean * 1e3]), method="bounded")
        return float(np.exp(best.x))

    values, valid = ragged
    expected = by_pixel(values[1], valid[1], 5, rule)
    assert classes == {"flat", "textured", "point"}
    np.testing.assert_allclose(gamma_map(values[1:], valid[1:], looks=looks, size=5)[0], expected, rtol=1e-3)


def test_a_point_is_kept_and_its_absence_averaged(speckle: Speckle) -> None:
    scene = speckle(np.ones((21, 21)), 100)
    valid = np.ones(scene.shape, bool)
    np.testing.assert_array_equal(gamma_map(scene, valid, looks=4), boxcar(scene, valid, looks=4))
    scene[0, 10, 10] = 500.0
    assert gamma_map(scene, valid, looks=4)[0, 10, 10] == 500
