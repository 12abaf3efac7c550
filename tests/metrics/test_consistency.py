import warnings

import numpy as np
import pytest
from scipy import ndimage

from rsgan.errors import BandError, ConfigError, GridError, InputError
from rsgan.metrics import consistency
from rsgan.metrics.consistency import GAUSSIAN_MEDIAN


def land(seed=0, shape=(96, 80), softness=2.0):
    """Correlated reflectances of four bands, 0.03 .. 0.45, with a red band darker than the near infrared."""
    noise = np.random.default_rng(seed).normal(size=(4, *shape))
    soft = ndimage.gaussian_filter(noise, (0, softness, softness), mode="wrap")
    soft = (soft - soft.min()) / np.ptp(soft)
    level, spread = np.array([0.03, 0.05, 0.05, 0.2]), np.array([0.1, 0.1, 0.15, 0.25])
    return level[:, None, None] + spread[:, None, None] * soft


def moved(image, rows, columns):
    """A periodic image shifted exactly, by the Fourier shift theorem."""
    shifts = (0, rows, columns)
    return np.stack([np.fft.ifft2(ndimage.fourier_shift(np.fft.fft2(band), shifts[1:])).real for band in image])


def test_residual_is_the_constant_that_was_added():
    observed = land()
    degraded = observed + np.array([0.001, 0.002, -0.002, 0.0])[:, None, None]
    figures = consistency.residual_rms(degraded, observed)
    assert figures.per_band == pytest.approx((0.001, 0.002, 0.002, 0.0), abs=1e-12)
    assert figures.pooled == pytest.approx(0.0015)


def test_residual_over_noise_divides_each_band_by_its_own_noise():
    observed = land()
    degraded = observed + np.array([0.001, 0.002, -0.003, 0.004])[:, None, None]
    figures = consistency.residual_over_noise(degraded, observed, (0.001, 0.001, 0.003, 0.008))
    assert figures.per_band == pytest.approx((1.0, 2.0, 1.0, 0.5))
    assert figures.pooled == pytest.approx(np.sqrt((1 + 4 + 1 + 0.25) / 4))
    assert consistency.residual_over_noise(degraded, observed, 0.002).per_band[0] == pytest.approx(0.5)


def test_only_noise_left_over_measures_one():
    observed = land(shape=(200, 200))
    noisy = observed + np.random.default_rng(1).normal(0, 0.001, observed.shape)
    assert consistency.residual_over_noise(observed, noisy, 0.001).pooled == pytest.approx(1.0, abs=0.01)


def test_spectral_angle_is_that_of_the_turned_spectrum():
    degraded, observed = np.ones((2, 3, 3)), np.ones((2, 3, 3))
    degraded[1] = 0
    assert consistency.spectral_angle_deg(degraded, observed) == pytest.approx(45.0)


@pytest.mark.parametrize(("rows", "columns"), [(0.0, 0.0), (0.05, 0.0), (-0.25, 0.1), (0.6, -1.3)])
def test_shift_is_the_length_of_the_true_displacement(rows, columns):
    observed = land(1)
    figures = consistency.shift_px(moved(observed, rows, columns), observed)
    assert figures.pooled == pytest.approx(np.hypot(rows, columns), rel=0.02, abs=0.01)
    assert len(figures.per_band) == 4


def test_noise_alone_is_not_taken_for_a_shift():
    observed = land(2, shape=(128, 128))
    noisy = observed + np.random.default_rng(3).normal(0, 0.001, observed.shape)
    assert consistency.shift_px(observed, noisy).pooled <= 0.02


def test_even_ground_has_no_shift():
    observed = np.stack([np.full((12, 10), 0.25), np.full((12, 10), 0.5)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert consistency.shift_px(observed, observed).per_band == (0.0, 0.0)


def test_the_shift_is_found_beside_invalid_pixels():
    observed = land(1)
    valid = np.ones(observed.shape, bool)
    valid[:, :20, :20] = False
    degraded = np.where(valid, moved(observed, 0.5, 0.0), np.nan)
    assert consistency.shift_px(degraded, observed, valid=valid).pooled == pytest.approx(0.5, abs=0.03)
    valid[0, :60] = False
    with pytest.raises(InputError, match="of a band is valid"):
        consistency.shift_px(degraded, observed, valid=valid)


def test_index_difference_is_that_of_two_known_indices():
    observed, degraded = np.full((4, 5, 5), 0.2), np.full((4, 5, 5), 0.2)
    observed[3], degraded[3] = 0.6, 0.3
    assert consistency.index_difference(degraded, observed) == pytest.approx(0.5 - 0.2)
    assert consistency.index_difference(degraded, observed, positive=1, negative=3) == pytest.approx(0.3)


def test_index_difference_does_not_see_a_change_of_brightness():
    observed = land()
    assert consistency.index_difference(1.3 * observed, observed) == pytest.approx(0.0, abs=1e-12)


def test_the_observed_image_alone_says_which_pixels_are_bright_enough():
    observed = np.full((4, 1, 3), 0.3)
    observed[:, 0, 0] = 0.04
    degraded = observed.copy()
    degraded[2:, 0, 1:] = 0.0
    assert consistency.index_difference(degraded, observed) == float("inf")
    assert np.isnan(consistency.index_difference(degraded, observed, floor=0.7))


def test_index_noise_of_one_spectrum_is_the_closed_form():
    observed = np.full((4, 3, 3), 0.1)
    observed[3] = 0.3
    expected = 2 * np.sqrt(0.1**2 * 0.002**2 + 0.3**2 * 0.001**2) / 0.4**2
    assert consistency.index_noise(observed, (1, 1, 0.001, 0.002)) == pytest.approx(expected)
    assert consistency.index_noise(observed, 0.001) == pytest.approx(0.002 * np.sqrt(0.1) / 0.16)


def test_index_noise_predicts_the_median_difference_that_noise_makes():
    observed = np.tile(np.array([0.05, 0.08, 0.06, 0.34])[:, None, None], (1, 200, 200))
    noisy = observed + np.random.default_rng(4).normal(0, 0.001, observed.shape)
    predicted = GAUSSIAN_MEDIAN * consistency.index_noise(observed, 0.001)
    assert consistency.index_difference(observed, noisy) == pytest.approx(predicted, rel=0.02)


def test_index_refuses_bands_that_are_not_there():
    with pytest.raises(BandError, match="positive is band 3, counted from 0; the image has 3 bands"):
        consistency.index_difference(np.ones((3, 2, 2)), np.ones((3, 2, 2)))
    with pytest.raises(BandError, match="negative is band -1"):
        consistency.index_noise(np.ones((4, 2, 2)), 0.001, negative=-1)
    with pytest.raises(ConfigError, match="noise is"):
        consistency.index_noise(np.ones((4, 2, 2)), -0.001)


def waves(shape, cycles, amplitude):
    """One cosine along the columns and one along the rows, `cycles` per pixel."""
    rows, columns = np.indices(shape)
    return amplitude * (np.cos(2 * np.pi * cycles * columns) + np.cos(2 * np.pi * cycles * rows))[None]


def test_radial_power_peaks_at_the_frequency_of_a_wave():
    frequency, power = consistency.radial_power(waves((64, 64), 0.25, 0.1))
    assert frequency[[0, -1]].tolist() == [0.0, 0.5]
    assert frequency[power[0].argmax()] == pytest.approx(0.25)


def test_radial_power_of_white_noise_is_flat_and_of_the_windowed_variance():
    image = np.random.default_rng(5).normal(0, 0.3, (8, 128, 128))
    _, power = consistency.radial_power(image)
    window = np.hanning(130)[1:-1]
    expected = 0.3**2 * np.mean(window**2) ** 2
    assert power[:, 40:].mean() == pytest.approx(expected, rel=0.02)
    assert power[:, 10:25].mean() == pytest.approx(expected, rel=0.06)


def test_power_gain_is_the_squared_ratio_of_fine_waves_whatever_the_coarse_ones():
    coarse = waves((64, 96), 1 / 16, 0.2)
    enhanced = np.concatenate([coarse + waves((64, 96), 0.375, 0.03)] * 2)
    baseline = np.concatenate([3 * coarse + waves((64, 96), 0.375, 0.01), coarse + waves((64, 96), 0.375, 0.03)])
    figures = consistency.power_gain(enhanced, baseline, scale=2)
    assert figures.per_band == pytest.approx((9.0, 1.0), rel=1e-3)
    assert figures.pooled == pytest.approx(18 / 10, rel=1e-3)


def test_power_gain_of_a_flat_baseline_is_infinite_and_scale_one_is_refused():
    image = waves((16, 16), 0.4, 0.1)
    assert consistency.power_gain(image, np.zeros_like(image), scale=4).pooled == float("inf")
    with pytest.raises(ConfigError, match="scale is 1"):
        consistency.power_gain(image, image, scale=1)
    with pytest.raises(GridError, match="at least 8 x 8"):
        consistency.radial_power(image[:, :7])


def test_measure_gathers_the_single_figures():
    observed = land()
    degraded = observed + np.random.default_rng(6).normal(0, 0.001, observed.shape)
    found = consistency.measure(degraded, observed, noise=0.001)
    assert found.residual_rms == consistency.residual_rms(degraded, observed)
    assert found.residual_over_noise == consistency.residual_over_noise(degraded, observed, 0.001)
    assert found.sam_deg == consistency.spectral_angle_deg(degraded, observed)
    assert found.shift_px == consistency.shift_px(degraded, observed)
    assert found.index_difference == consistency.index_difference(degraded, observed)
    assert found.index_noise == consistency.index_noise(observed, 0.001)
    silent = consistency.measure(degraded, observed)
    assert silent.residual_over_noise is None
    assert silent.index_noise is None
