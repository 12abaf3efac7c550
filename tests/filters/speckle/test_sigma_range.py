from collections.abc import Callable

import numpy as np
import pytest
from scipy import integrate, stats

from rsgan.filters.speckle import boxcar, lee_sigma
from rsgan.filters.speckle.sigma_range import SHARE, sigma_range

Speckle = Callable[..., np.ndarray]


@pytest.mark.parametrize("looks", [0.5, 1.0, 3.0, 4.4, 10.0, 100.0])
def test_the_range_holds_its_share_and_keeps_the_mean(looks: float) -> None:
    found = sigma_range(looks)
    density = stats.gamma(looks, scale=1 / looks).pdf

    def moment(order: int) -> float:
        return integrate.quad(lambda u: u**order * density(u), found.low, found.high)[0] / SHARE

    assert moment(0) == pytest.approx(1, rel=1e-6)
    assert moment(1) == pytest.approx(1, rel=1e-6)
    assert moment(2) - 1 == pytest.approx(found.variance, rel=1e-5)


def test_one_look_has_the_range_that_its_closed_form_gives() -> None:
    found = sigma_range(1.0)
    low, high = np.exp(-found.low), np.exp(-found.high)
    assert low - high == pytest.approx(SHARE)
    assert (found.low + 1) * low - (found.high + 1) * high == pytest.approx(SHARE)


def test_many_looks_have_a_narrow_range() -> None:
    found = sigma_range(1e6)
    normal = stats.norm.ppf(0.5 + SHARE / 2) * 1e-3
    assert (1 - found.low, found.high - 1) == pytest.approx((normal, normal), rel=1e-2)


def least_squares(inside: np.ndarray, centre: float, speckle_variance: float) -> float:
    """The estimate as Lee and Pottier 2009, section 5.3, write it."""
    mean, variance = inside.mean(), inside.var()
    ground = max(variance - mean**2 * speckle_variance, 0) / (1 + speckle_variance)
    return mean + (ground / variance if variance else 0) * (centre - mean)


@pytest.mark.parametrize("looks", [1.0, 4.4])
def test_lee_sigma_is_its_definition(
    looks: float, ragged: tuple[np.ndarray, np.ndarray], by_pixel: Callable[..., np.ndarray]
) -> None:
    found = sigma_range(looks)

    def rule(rows: np.ndarray, columns: np.ndarray, inside: np.ndarray, centre: float) -> float:
        first = least_squares(inside[(abs(rows) <= 1) & (abs(columns) <= 1)], centre, 1 / looks)
        chosen = inside[(inside >= found.low * first) & (inside <= found.high * first)]
        return least_squares(chosen, centre, found.variance) if chosen.size else centre

    values, valid = ragged  # too small a point for a cluster: none is kept for its brightness alone
    expected = by_pixel(values[0], valid[0], 7, rule)
    np.testing.assert_allclose(lee_sigma(values[:1], valid[:1], looks=looks)[0], expected, rtol=1e-6)


@pytest.mark.parametrize("looks", [1, 4, 10])
@pytest.mark.parametrize("side", [1, 2, 3])
def test_a_point_target_keeps_its_peak(looks: int, side: int, speckle: Speckle) -> None:
    kept = []
    for seed in range(50):
        scene = speckle(np.ones((31, 31)), looks, seed)
        scene[0, 15 : 15 + side, 15 : 15 + side] = 300.0
        valid = np.ones(scene.shape, bool)
        kept.append(lee_sigma(scene, valid, looks=looks)[0, 15, 15] / 300)
        assert boxcar(scene, valid, looks=looks)[0, 15, 15] < 60
    assert 10 * np.log10(np.median(kept)) >= -0.01


def test_speckle_makes_no_point_targets(speckle: Speckle) -> None:
    scene = speckle(np.ones((512, 512)), 1)
    filtered = lee_sigma(scene, np.ones(scene.shape, bool), looks=1)
    assert (filtered == scene).mean() < 0.01


def test_speckled_points_keep_their_speckle(speckle: Speckle) -> None:
    ground = np.ones((31, 31))
    ground[14:17, 14:17] = 1000.0
    scene = speckle(ground, 4)
    filtered = lee_sigma(scene, np.ones(scene.shape, bool), looks=4)
    np.testing.assert_array_equal(filtered[0, 14:17, 14:17], scene[0, 14:17, 14:17])
