import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from rsgan.errors import ConfigError, GridError, InputError
from rsgan.metrics import bias, ergas, psnr, rmse, sam_deg, ssim


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    reference = rng.uniform(0.05, 0.4, (3, 40, 33))
    return reference + rng.normal(0, 0.02, reference.shape), reference


def test_rmse_is_the_hand_computed_one_per_band_and_pooled():
    enhanced = np.array([[[3.0, 0.0]], [[0.0, 4.0]]])
    figures = rmse(enhanced, np.zeros((2, 1, 2)))
    assert figures.per_band == pytest.approx((np.sqrt(4.5), np.sqrt(8.0)))
    assert figures.pooled == pytest.approx(2.5)


def test_bias_is_positive_where_the_enhanced_image_is_brighter(pair):
    _, reference = pair
    offsets = np.array([0.1, -0.2, 0.0])
    figures = bias(reference + offsets[:, None, None], reference)
    assert figures.per_band == pytest.approx(tuple(offsets), abs=1e-12)
    assert figures.pooled == pytest.approx(offsets.mean())


def test_an_invalid_pixel_changes_nothing(pair):
    enhanced, reference = pair
    valid = np.ones(reference.shape[1:], bool)
    valid[:, :3] = False
    spoilt = np.where(valid, enhanced, np.nan)
    kept = enhanced[:, :, 3:], reference[:, :, 3:]
    assert rmse(spoilt, reference, valid=valid).per_band == pytest.approx(rmse(*kept).per_band)
    assert bias(spoilt, reference, valid=valid).pooled == pytest.approx(bias(*kept).pooled)
    assert sam_deg(spoilt, reference, valid=valid) == pytest.approx(sam_deg(*kept))


@pytest.mark.parametrize("data_range", [1.0, 0.35, 10_000.0])
def test_psnr_is_that_of_scikit_image(pair, data_range):
    enhanced, reference = pair
    figures = psnr(enhanced, reference, data_range=data_range)
    assert figures.pooled == pytest.approx(peak_signal_noise_ratio(reference, enhanced, data_range=data_range))
    for band, figure in enumerate(figures.per_band):
        expected = peak_signal_noise_ratio(reference[band], enhanced[band], data_range=data_range)
        assert figure == pytest.approx(expected)


def test_psnr_of_a_constant_error_is_closed_form_and_of_none_infinite(pair):
    _, reference = pair
    assert psnr(reference + 0.01, reference, data_range=1).pooled == pytest.approx(40.0)
    assert psnr(reference, reference, data_range=1).pooled == float("inf")


def test_ssim_is_that_of_scikit_image(pair):
    enhanced, reference = pair
    figures = ssim(enhanced, reference, data_range=1)
    expected = [
        structural_similarity(a, b, data_range=1, gaussian_weights=True, use_sample_covariance=False)
        for a, b in zip(enhanced, reference, strict=True)
    ]
    assert figures.per_band == pytest.approx(tuple(expected))
    assert figures.pooled == pytest.approx(np.mean(expected))


def test_ssim_of_two_constants_is_the_luminance_term():
    figures = ssim(np.full((1, 16, 16), 0.2), np.full((1, 16, 16), 0.4), data_range=1)
    assert figures.pooled == pytest.approx((2 * 0.2 * 0.4 + 1e-4) / (0.2**2 + 0.4**2 + 1e-4))


def test_ssim_ignores_windows_that_touch_an_invalid_pixel(pair):
    enhanced, reference = pair
    valid = np.ones(reference.shape, bool)
    valid[:, :, :12] = False
    figures = ssim(np.where(valid, enhanced, np.nan), reference, data_range=1, valid=valid)
    expected = ssim(enhanced[:, :, 12:], reference[:, :, 12:], data_range=1)
    assert figures.per_band == pytest.approx(expected.per_band)


def test_ssim_refuses_what_has_no_whole_window(pair):
    enhanced, reference = pair
    with pytest.raises(GridError, match="at least 11 x 11"):
        ssim(enhanced[:, :10], reference[:, :10], data_range=1)
    valid = np.zeros(reference.shape, bool)
    valid[:, ::2] = True
    with pytest.raises(InputError, match="No window of 11 x 11"):
        ssim(enhanced, reference, data_range=1, valid=valid)


@pytest.mark.parametrize("angle", [0.0, 1e-6, 0.7, 45.0, 90.0, 180.0])
def test_sam_is_the_angle_that_the_spectra_were_turned_by(angle):
    turn = np.radians(angle)
    reference = np.array([0.3, 0.0])[:, None, None] * np.ones((2, 4, 4))
    enhanced = 2.5 * 0.3 * np.array([np.cos(turn), np.sin(turn)])[:, None, None] * np.ones((2, 4, 4))
    assert sam_deg(enhanced, reference) == pytest.approx(angle, rel=1e-9, abs=1e-12)


def test_sam_leaves_out_zero_spectra_and_pixels_that_miss_a_band():
    enhanced = np.array([[[1.0, 0.0, 1.0]], [[1.0, 0.0, 9.0]]])
    reference = np.array([[[1.0, 1.0, 1.0]], [[0.0, 1.0, 1.0]]])
    valid = np.array([[[True, True, True]], [[True, True, False]]])
    assert sam_deg(enhanced, reference, valid=valid) == pytest.approx(45.0)
    with pytest.raises(InputError, match="no angle"):
        sam_deg(np.zeros((2, 1, 1)), np.ones((2, 1, 1)))


def test_ergas_is_the_hand_computed_one():
    reference = np.stack([np.full((2, 2), 0.1), np.full((2, 2), 0.4)])
    enhanced = reference + np.array([0.01, 0.02])[:, None, None]
    expected = 100 * 0.25 * np.sqrt((0.1**2 + 0.05**2) / 2)
    assert ergas(enhanced, reference, gsd_ratio=0.25) == pytest.approx(expected)


def test_ergas_does_not_depend_on_the_unit(pair):
    enhanced, reference = pair
    figure = ergas(enhanced, reference, gsd_ratio=0.5)
    assert ergas(enhanced * 10_000, reference * 10_000, gsd_ratio=0.5) == pytest.approx(figure)


def test_ergas_refuses_a_dark_band_and_an_inverted_ratio(pair):
    enhanced, reference = pair
    with pytest.raises(ConfigError, match="gsd_ratio is 4"):
        ergas(enhanced, reference, gsd_ratio=4)
    with pytest.raises(InputError, match=r"mean zero in bands \[1\]"):
        ergas(enhanced, reference * np.array([1, 0, 1])[:, None, None], gsd_ratio=0.25)


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_a_data_range_of_zero_is_refused(pair, metric):
    with pytest.raises(ConfigError, match="data_range is 0"):
        metric(*pair, data_range=0)
