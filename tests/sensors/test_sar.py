import math

import numpy as np
import pytest
from scipy import stats

from rsgan.sensors.sar import (
    ESTIMATE_SIDE,
    MOST_CORRELATION,
    MOST_LOOKS,
    add_noise_floor,
    add_point,
    before_averaging,
    centre_spectrum,
    draw_speckle,
    estimate_speckle,
    log_bias,
    log_variance,
    look_weights,
    looks_before_averaging,
    looks_of_log_variance,
    mean_amplitude,
    median_db,
    psf_taps,
    thin,
)


@pytest.fixture
def chance() -> np.random.Generator:
    return np.random.default_rng(23)


def correlation_of(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def lag_one(image: np.ndarray) -> tuple[float, float]:
    return correlation_of(image[1:], image[:-1]), correlation_of(image[:, 1:], image[:, :-1])


def everywhere(image: np.ndarray) -> np.ndarray:
    return np.ones(image.shape, bool)


@pytest.mark.parametrize("looks", [1.0, 4.4])
def test_the_logarithm_of_drawn_speckle_has_the_stated_mean_and_variance(
    looks: float, chance: np.random.Generator
) -> None:
    logs = np.log(draw_speckle(chance, (500, 500), looks).astype(np.float64))
    assert logs.mean() == pytest.approx(log_bias(looks), abs=5 * logs.std() / 500)
    assert logs.var() == pytest.approx(log_variance(looks), rel=0.02)


def test_one_look_has_the_laws_of_the_textbook() -> None:
    assert log_bias(1) == pytest.approx(-np.euler_gamma)
    assert log_variance(1) == pytest.approx(math.pi**2 / 6)
    assert mean_amplitude(1) == pytest.approx(math.sqrt(math.pi) / 2)
    assert median_db(1) == pytest.approx(10 * math.log10(math.log(2)))
    assert median_db(1) == pytest.approx(-1.59, abs=0.005)


@pytest.mark.parametrize("law", [log_bias, log_variance, median_db, lambda looks: mean_amplitude(looks) - 1])
def test_many_looks_leave_no_speckle(law) -> None:
    few, many = abs(law(2.0)), abs(law(1e4))
    assert many < 1e-3 < few


@pytest.mark.parametrize("looks", [1.0, 2.5])
def test_amplitude_and_median_are_those_of_the_gamma_law(looks: float) -> None:
    speckle = stats.gamma(looks, scale=1 / looks)
    assert mean_amplitude(looks) == pytest.approx(speckle.expect(np.sqrt))
    assert speckle.cdf(10 ** (median_db(looks) / 10)) == pytest.approx(0.5)


@pytest.mark.parametrize("looks", [0.3, 1.0, 4.4, 60.0])
def test_looks_follow_from_the_variance_of_the_logarithm(looks: float) -> None:
    assert looks_of_log_variance(log_variance(looks)) == pytest.approx(looks, rel=1e-6)


def test_hardly_any_variance_means_the_most_looks() -> None:
    assert looks_of_log_variance(0.0) == looks_of_log_variance(log_variance(2 * MOST_LOOKS)) == MOST_LOOKS


@pytest.mark.parametrize("correlation", [0.02, 0.19, 0.5, MOST_CORRELATION])
def test_psf_taps_have_unit_energy_and_the_promised_correlation(correlation: float) -> None:
    taps = np.array(psf_taps(correlation))
    assert np.square(taps).sum() == pytest.approx(1)
    assert np.dot(taps[1:], taps[:-1]) ** 2 == pytest.approx(correlation, abs=1e-6)
    np.testing.assert_allclose(taps, taps[::-1])


def test_white_speckle_needs_one_tap() -> None:
    assert psf_taps(0.0) == (1.0,)


@pytest.mark.parametrize("looks", [1.0, 1.3, 2.0, 4.4, 16.0])
def test_look_weights_keep_the_mean_and_give_the_looks(looks: float) -> None:
    weights = look_weights(looks)
    assert len(weights) == math.ceil(looks)
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1)
    assert np.square(weights).sum() == pytest.approx(1 / looks)


@pytest.mark.parametrize("looks", [1.0, 4.4])
@pytest.mark.parametrize("correlation", [(0.0, 0.0), (0.5, 0.1), (0.0, 0.4)])
def test_drawn_speckle_has_its_mean_variance_and_correlation_per_axis(
    looks: float, correlation: tuple[float, float], chance: np.random.Generator
) -> None:
    speckle = draw_speckle(chance, (400, 300), looks, correlation)
    assert (speckle.shape, speckle.dtype) == ((400, 300), np.float32)
    assert speckle.min() > 0
    assert speckle.mean() == pytest.approx(1, abs=0.02)
    assert looks * speckle.var() == pytest.approx(1, abs=0.05)
    assert lag_one(speckle) == pytest.approx(correlation, abs=0.02)


@pytest.mark.parametrize(
    ("looks", "correlation", "averaged"),
    [(4.4, (0.68, 0.73), (1, 3)), (16.0, (0.8, 0.7), (3, 3)), (4.0, (0.5, 0.0), (2, 1))],
)
def test_averaged_speckle_has_the_looks_and_the_correlation_asked_for(
    looks: float, correlation: tuple[float, float], averaged: tuple[int, int], chance: np.random.Generator
) -> None:
    speckle = draw_speckle(chance, (600, 500), looks, correlation, averaged)
    assert (speckle.shape, speckle.dtype) == ((600, 500), np.float32)
    assert speckle.mean() == pytest.approx(1, abs=0.02)
    assert looks * speckle.var() == pytest.approx(1, abs=0.08)
    assert lag_one(speckle) == pytest.approx(correlation, abs=0.02)


def test_averaging_white_speckle_is_closed_form() -> None:
    for count in (1, 2, 3, 4):
        assert before_averaging(1 - 1 / count, count) == pytest.approx((0, 1 / count))
    assert looks_before_averaging(12.0, (0.5, 2 / 3), (2, 3)) == pytest.approx(2)


def test_averaging_reaches_further_than_a_point_spread_function(chance: np.random.Generator) -> None:
    def lag_two(averaged: tuple[int, int]) -> float:
        speckle = draw_speckle(chance, (500, 500), 4.4, (0.0, 0.7), averaged)
        return correlation_of(speckle[:, 2:], speckle[:, :-2])

    # white neighbours, 3 averaged: 1 / 3; Gaussian field: 0.7 ** 4
    assert lag_two((1, 1)) == pytest.approx(0.24, abs=0.02)
    assert lag_two((1, 3)) == pytest.approx(0.35, abs=0.02)


def test_averaging_that_cannot_be_is_refused(chance: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="at least"):
        draw_speckle(chance, (8, 8), 4, (0.3, 0.0), (2, 1))
    with pytest.raises(ValueError, match="1 looks cannot be a mean"):
        draw_speckle(chance, (8, 8), 1, (0.6, 0.6), (2, 2))


def test_correlated_speckle_of_one_look_is_exponential(chance: np.random.Generator) -> None:
    apart = draw_speckle(chance, (600, 600), 1, (0.5, 0.5))[::6, ::6]
    assert stats.kstest(apart.ravel(), stats.expon.cdf).pvalue > 1e-3


def test_one_state_of_chance_draws_one_speckle() -> None:
    first, second, other = (draw_speckle(np.random.default_rng(s), (8, 9), 2.5, (0.3, 0.1)) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_a_point_adds_its_power_over_random_phase(chance: np.random.Generator) -> None:
    clutter = draw_speckle(chance, (400, 400), 1)
    phase = chance.uniform(0, 2 * np.pi, clutter.shape)
    seen = add_point(clutter, np.full_like(clutter, 5.0), phase)
    assert seen.mean() == pytest.approx(6, abs=0.05)
    # Rice: variance of the clutter, and twice the product of both powers
    assert seen.var() == pytest.approx(1 + 2 * 5, rel=0.03)


def test_a_point_in_phase_adds_amplitudes_and_one_of_no_power_nothing() -> None:
    clutter, power = np.array([4.0, 4.0, 4.0]), np.array([9.0, 9.0, 0.0])
    np.testing.assert_allclose(add_point(clutter, power, np.array([0.0, np.pi, 1.0])), [25, 1, 4], rtol=1e-6)


@pytest.mark.parametrize("share", [0.5, 0.3])
def test_thinning_gives_two_independent_gammas_of_the_same_mean(share: float, chance: np.random.Generator) -> None:
    looks, ground = 4.4, 3.0
    parts = thin(chance, ground * draw_speckle(chance, (400, 400), looks), looks, share)
    for part, fraction in zip(parts, (share, 1 - share), strict=True):
        assert part.mean() == pytest.approx(ground, rel=0.01)
        law = stats.gamma(fraction * looks, scale=ground / (fraction * looks))
        assert stats.kstest(part.ravel()[:4000], law.cdf).pvalue > 1e-3
    assert abs(correlation_of(*parts)) < 0.02


@pytest.mark.parametrize("share", [0.5, 0.2])
def test_thinned_parts_add_up_to_the_whole(share: float, chance: np.random.Generator) -> None:
    whole = draw_speckle(chance, (20, 30), 2)
    first, second = thin(chance, whole, 2, share)
    np.testing.assert_allclose(share * first + (1 - share) * second, whole, rtol=1e-5)


@pytest.mark.parametrize("share", [0.5, 0.2])
def test_thinning_correlated_speckle_leaks_to_the_neighbour(share: float, chance: np.random.Generator) -> None:
    first, second = thin(chance, draw_speckle(chance, (500, 500), 1, (0.0, 0.5)), 1, share)
    leak = correlation_of(first[:, 1:], second[:, :-1])
    assert leak == pytest.approx(0.5 * math.sqrt(share * (1 - share)), abs=0.02)
    assert abs(correlation_of(first[1:], second[:-1])) < 0.02


@pytest.mark.parametrize("assumed", [3.5, 5.5])
def test_thinning_with_wrong_looks_leaves_a_correlation(assumed: float, chance: np.random.Generator) -> None:
    parts = thin(chance, draw_speckle(chance, (300, 300), 4.4), assumed, 0.5)
    # independent only where 1 / looks of the image and of the beta law agree
    kept = 1 + 1 / 4.4
    moment = (assumed / 2) ** 2 * 4 / (assumed * (assumed + 1)) * kept - 1
    square = (assumed / 2) * (assumed / 2 + 1) * 4 / (assumed * (assumed + 1)) * kept - 1
    assert correlation_of(*parts) == pytest.approx(moment / square, abs=0.02)
    assert 0.05 < abs(correlation_of(*parts)) < 0.12


def test_a_shifted_spectrum_is_moved_back_to_the_centre(chance: np.random.Generator) -> None:
    white = chance.standard_normal((64, 80)) + 1j * chance.standard_normal((64, 80))
    rows, columns = np.mgrid[:64, :80]
    low = white + np.roll(white, 1, 0) + np.roll(white, 1, 1) + np.roll(white, 1, (0, 1))
    slc = low * np.exp(1j * (0.7 * rows - 1.1 * columns))
    centred = centre_spectrum(slc)
    np.testing.assert_allclose(np.abs(centred), np.abs(slc), rtol=1e-4)
    for axis in (0, 1):
        along = np.moveaxis(centred, axis, 0)
        assert np.angle(np.sum(along[1:] * np.conj(along[:-1]))) == pytest.approx(0, abs=1e-3)


def textured_scene(rng: np.random.Generator, side: int = 480) -> np.ndarray:
    """Fields of 80 pixels, up to 12 dB apart; about a third of them of rough texture."""
    levels = 10 ** rng.uniform(-0.6, 0.6, (side // 80, side // 80))
    ground = np.kron(levels, np.ones((80, 80)))
    rough = np.kron(rng.random(levels.shape) < 1 / 3, np.ones((80, 80), bool))
    return np.where(rough, ground * rng.gamma(1.5, 1 / 1.5, ground.shape), ground)


@pytest.mark.parametrize("correlation", [(0.0, 0.0), (0.3, 0.1)])
@pytest.mark.parametrize("looks", [1.0, 2.0, 4.4, 10.0])
def test_looks_and_correlation_are_found_under_a_textured_scene(
    looks: float, correlation: tuple[float, float], chance: np.random.Generator
) -> None:
    scene = textured_scene(chance)
    observed = scene * draw_speckle(chance, scene.shape, looks, correlation)
    found = estimate_speckle([(observed, everywhere(observed))])
    assert found.looks == pytest.approx(looks, rel=0.08)
    assert found.correlation == pytest.approx(correlation, abs=0.05)
    assert found.windows == (480 // ESTIMATE_SIDE) ** 2


def test_small_windows_lose_no_looks_to_their_own_mean(chance: np.random.Generator) -> None:
    observed = draw_speckle(chance, (480, 480), 4.4, (0.5, 0.5))
    found = estimate_speckle([(observed, everywhere(observed))], side=9)
    assert found.looks == pytest.approx(4.4, rel=0.08)
    assert found.correlation == pytest.approx((0.5, 0.5), abs=0.08)


def test_the_estimate_does_not_depend_on_the_unit(chance: np.random.Generator) -> None:
    observed = draw_speckle(chance, (150, 150), 3, (0.2, 0.2)).astype(np.float64)
    plain, scaled = (estimate_speckle([(unit * observed, everywhere(observed))]) for unit in (1.0, 1e-5))
    assert scaled.looks == pytest.approx(plain.looks, rel=1e-6)
    assert scaled.correlation == pytest.approx(plain.correlation, abs=1e-6)


@pytest.mark.parametrize("empty", [0.0, -3.0, np.nan, 1e9])
def test_windows_with_an_unusable_pixel_say_nothing(empty: float, chance: np.random.Generator) -> None:
    observed = draw_speckle(chance, (90, 120), 2)
    spoilt, valid = observed.copy(), everywhere(observed)
    spoilt[3, :], spoilt[50, 7] = empty, empty
    if not empty <= 0:
        valid[3, :], valid[50, 7] = False, False
    kept = [observed[15:45], observed[45:60, 15:], observed[60:]]
    expected = estimate_speckle([(part, everywhere(part)) for part in kept], 15)
    found = estimate_speckle([(spoilt, valid)], 15)
    assert found.looks == pytest.approx(expected.looks)
    assert found.correlation == pytest.approx(expected.correlation)
    assert found.windows == expected.windows == 8 * 5 - 1


@pytest.mark.parametrize(
    "chips",
    [
        [],
        [(np.ones((5, 40)), np.ones((5, 40), bool))],
        [(np.ones((60, 60)), np.zeros((60, 60), bool))],
        [(np.zeros((60, 60)), np.ones((60, 60), bool))],
    ],
    ids=["no chip", "too small", "invalid", "zero"],
)
def test_where_there_is_nothing_to_measure_one_white_look_is_taken(chips: list) -> None:
    found = estimate_speckle(chips)
    assert (found.looks, found.correlation, found.windows) == (1.0, (0.0, 0.0), 0)


def test_even_ground_without_speckle_has_the_most_looks() -> None:
    found = estimate_speckle([(np.ones((60, 60)), np.ones((60, 60), bool))])
    assert (found.looks, found.correlation) == (1000.0, (0.0, 0.0))


def test_small_images_are_measured_in_smaller_windows() -> None:
    rng = np.random.default_rng(4)
    found = [estimate_speckle([(draw_speckle(rng, (21, 21), 4.0), np.ones((21, 21), bool))]) for _ in range(30)]
    assert min(one.windows for one in found) == 9
    assert np.median([one.looks for one in found]) == pytest.approx(4, rel=0.2)


def test_thermal_noise_adds_power_under_the_darkest_ground() -> None:
    rng = np.random.default_rng(8)
    ground = np.where(np.arange(400)[:, None] < 200, 1.0, 1e-6) * np.ones((400, 400))
    seen = add_noise_floor(ground, -20.0)
    np.testing.assert_allclose(seen - ground, 0.01 * ground.mean(), rtol=1e-5)
    field = rng.normal(size=(2, 400, 400)) * np.sqrt(ground / 2) + rng.normal(size=(2, 400, 400)) * np.sqrt(0.005 / 2)
    for half in (slice(0, 200), slice(200, 400)):
        assert np.square(field).sum(0)[half].mean() == pytest.approx(seen[half].mean(), rel=0.02)
