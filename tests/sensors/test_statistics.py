import numpy as np
import pytest

from rsgan.sensors.procedural import draw_scene
from rsgan.sensors.statistics import (
    FEATURES,
    NOISE_RATIO_FLOOR,
    SPREAD_FLOOR,
    BandScaling,
    band_scaling,
    detail,
    fit_probe,
    probe_features,
)


@pytest.fixture
def land() -> np.ndarray:
    return draw_scene(np.random.default_rng(8), (64, 80), 10.0)[0].astype(np.float64)


def features_of(values: np.ndarray) -> np.ndarray:
    return probe_features(values, np.ones(values.shape[1:], bool), band_scaling(values).spread)


def test_network_units_turn_back_into_reflectance(land: np.ndarray) -> None:
    scaling = band_scaling(land)
    np.testing.assert_allclose(scaling.to_reflectance(scaling.to_network(land)), land, atol=1e-6)


def test_network_units_are_centred_and_counted_in_spreads() -> None:
    scaling = BandScaling(np.array([0.1, 0.2]), np.array([0.01, 0.05]))
    network = scaling.to_network(np.array([[[0.13]], [[0.1]]]))
    np.testing.assert_allclose(network[:, 0, 0], [3.0, -2.0], rtol=1e-6)
    assert network.dtype == np.float32


def test_spread_of_pure_noise_is_its_standard_deviation_less_the_3x3_mean() -> None:
    deviation = np.array([0.01, 0.03])
    noise = deviation[:, None, None] * np.random.default_rng(0).standard_normal((2, 300, 300))
    scaling = band_scaling(0.2 + noise)
    # variance of x minus the mean of its 3 x 3 neighbourhood: (1 - 1/9)^2 + 8 / 81 = 8/9
    np.testing.assert_allclose(scaling.spread, np.sqrt(8 / 9) * deviation, rtol=0.01)
    np.testing.assert_allclose(scaling.centre, 0.2, atol=5e-4)


def test_detail_of_a_plane_is_zero_inside() -> None:
    rows, columns = np.mgrid[0:9, 0:11]
    plane = (0.1 + 0.02 * rows - 0.03 * columns)[None]
    np.testing.assert_allclose(detail(plane)[:, 1:-1, 1:-1], 0, atol=1e-12)


def test_a_flat_band_gets_the_smallest_spread() -> None:
    scaling = band_scaling(np.full((2, 12, 12), 0.25))
    np.testing.assert_array_equal(scaling.spread, SPREAD_FLOOR)
    np.testing.assert_allclose(scaling.centre, 0.25)


def test_invalid_pixels_and_their_neighbours_do_not_count(land: np.ndarray) -> None:
    valid = np.ones(land.shape, bool)
    valid[:, 20:30, 20:30] = False
    spoilt = np.where(valid, land, 7.0)
    first, second = band_scaling(land, valid), band_scaling(spoilt, valid)
    np.testing.assert_allclose(first.spread, second.spread)
    np.testing.assert_allclose(first.centre, second.centre)


def test_a_scene_without_valid_pixels_gives_finite_numbers() -> None:
    scaling = band_scaling(np.zeros((2, 8, 8)), np.zeros((2, 8, 8), bool))
    np.testing.assert_array_equal(scaling.spread, SPREAD_FLOOR)
    np.testing.assert_array_equal(scaling.centre, 0)


def test_probe_features_ignore_gain_and_offset(land: np.ndarray) -> None:
    expected = features_of(land)
    assert expected.shape == (4, FEATURES)
    np.testing.assert_allclose(
        features_of(2.5 * land + np.array([0.1, 0.0, 0.3, 0.2])[:, None, None]), expected, atol=0.01
    )


def test_probe_features_of_a_band_hardly_know_the_gain_of_another(land: np.ndarray) -> None:
    gains = np.array([0.9, 1.1, 1.0, 0.8])[:, None, None]
    np.testing.assert_allclose(features_of(gains * land), features_of(land), atol=0.05)


def test_noise_raises_the_features_that_the_flattest_blocks_give(land: np.ndarray) -> None:
    noise = np.random.default_rng(2).standard_normal(land.shape)
    quiet, noisy = (features_of(land + level * noise) for level in (1e-4, 1e-2))
    flattest = slice(8, 11)  # after four lags and four lags of the high-pass: lowest quantiles of block energy
    assert (noisy[:, flattest] > quiet[:, flattest] + 0.5).all()


def test_fit_probe_recovers_a_planted_linear_relation() -> None:
    rng = np.random.default_rng(4)
    features = rng.standard_normal((4000, 5)) * np.array([1, 2, 0.5, 3, 1]) + 7
    features = np.clip(features, features.mean(0) - 3 * features.std(0), features.mean(0) + 3 * features.std(0))
    slope = np.array([0.3, -0.1, 0.2, 0.05, 0.0])
    log_noise = -1 + (features - 7) @ slope
    sigma = 0.4 + (features - 7) @ slope[::-1] * 0.05
    probe = fit_probe(features, np.exp(log_noise), sigma, ridge=1e-6)
    kept = log_noise > np.log(NOISE_RATIO_FLOOR)
    noise_ratio, width = probe.estimate(features)
    np.testing.assert_allclose(np.log(noise_ratio[kept]), log_noise[kept], atol=1e-3)
    np.testing.assert_allclose(width, sigma, atol=1e-4)


def test_fit_probe_takes_quiet_scenes_as_the_floor() -> None:
    features = np.random.default_rng(5).standard_normal((200, 3))
    noise_ratio, _ = fit_probe(features, np.zeros(200), np.full(200, 0.4)).estimate(features)
    np.testing.assert_allclose(noise_ratio, NOISE_RATIO_FLOOR, rtol=1e-6)


def test_an_outlying_feature_is_cut_at_four_deviations() -> None:
    features = np.random.default_rng(6).standard_normal((500, 2))
    probe = fit_probe(features, np.exp(features[:, 0]), np.full(500, 0.4))
    far = probe.mean + np.array([[1e3, 0.0]]) * probe.deviation
    near = probe.mean + np.array([[4.0, 0.0]]) * probe.deviation
    np.testing.assert_allclose(probe.estimate(far)[0], probe.estimate(near)[0])
