import numpy as np
import pytest

from rsgan.errors import ConfigError
from rsgan.metrics import bias, ergas, psnr, rmse, sam_deg
from rsgan.metrics.sums import IndexSums, Sums


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    reference = rng.uniform(0.05, 0.4, (3, 40, 33))
    valid = rng.random(reference.shape) < 0.8
    return reference + rng.normal(0, 0.02, reference.shape), reference, valid


def in_windows(left, right, valid, rows=7):
    total = Sums.none(len(left))
    for top in range(0, left.shape[1], rows):
        part = (slice(None), slice(top, top + rows))
        total += Sums.of(left[part], right[part], valid[part])
    return total


def test_sums_of_windows_give_the_figures_of_the_whole(pair):
    left, right, valid = pair
    found = in_windows(left, right, valid)
    for ours, theirs in ((found.rmse(), rmse), (found.bias(), bias)):
        expected = theirs(left, right, valid=valid)
        assert ours.per_band == pytest.approx(expected.per_band)
        assert ours.pooled == pytest.approx(expected.pooled)
    assert found.psnr_db(2.0).per_band == pytest.approx(psnr(left, right, data_range=2, valid=valid).per_band)
    assert found.sam_deg() == pytest.approx(sam_deg(left, right, valid=valid))
    assert found.ergas(0.5) == pytest.approx(ergas(left, right, gsd_ratio=0.5, valid=valid))
    assert found.mean_absolute().pooled == pytest.approx(np.abs(left - right)[valid].mean())


def test_a_window_without_a_valid_pixel_adds_nothing(pair):
    left, right, valid = pair
    nothing = Sums.of(np.full_like(left, np.nan), right, np.zeros_like(valid))
    assert (Sums.of(left, right, valid) + nothing).rmse() == Sums.of(left, right, valid).rmse()
    assert np.isnan(nothing.rmse().pooled)
    assert np.isnan(nothing.ergas(0.5))
    assert np.isnan(nothing.sam_deg())


def test_equal_images_have_infinite_psnr_and_one_band_has_no_angle(pair):
    _, right, valid = pair
    same = Sums.of(right, right, valid)
    assert same.psnr_db(1.0).pooled == np.inf
    assert np.isnan(Sums.of(right[:1], right[:1], valid[:1]).sam_deg())
    assert np.isnan(Sums.of(right, np.zeros_like(right), valid).ergas(0.5))


def test_a_data_range_that_is_none_names_its_flag(pair):
    with pytest.raises(ConfigError, match="--data-range is 0"):
        Sums.of(*pair).psnr_db(0)


def test_index_differences_are_those_of_bright_pixels_and_never_beyond_the_range_of_an_index():
    left = np.array([[[0.5, 0.3, 0.9, -0.4]], [[0.1, 0.1, 0.9, 0.3]]])
    right = np.array([[[0.4, 0.3, 0.01, 0.3]], [[0.1, 0.2, 0.02, 0.1]]])
    valid = np.ones((2, 1, 4), bool)
    found = IndexSums.of(left, right, valid)
    differences = [4 / 6 - 3 / 5, 0.5 - 0.2, 1 - 0.5]  # the third pixel is too dark; -0.7 / -0.1 counts as 1
    assert found.count == 3
    assert found.mean_absolute == pytest.approx(np.mean(differences))
    assert (found + found).bias == pytest.approx(np.mean(differences))
    assert np.isnan(IndexSums().bias)
