import numpy as np
import pytest

from rsgan.errors import BandError, ConfigError, GridError, InputError
from rsgan.metrics.comparison import Comparison, mean_where, one_per_band


def of(left, right, valid=None):
    return Comparison.of(("enhanced", "reference"), left, right, valid)


def test_a_plane_of_valid_pixels_counts_for_every_band():
    valid = np.array([[True, False]])
    pair = of(np.ones((3, 1, 2)), np.zeros((3, 1, 2)), valid)
    assert pair.valid.shape == (3, 1, 2)
    assert pair.difference.tolist() == [[[1.0, 0.0]]] * 3


def test_invalid_values_may_be_nan_and_become_zero():
    pair = of(np.array([[[1.0, np.nan]]]), np.array([[[3.0, np.inf]]]), np.array([[True, False]]))
    assert pair.left.tolist() == [[[1.0, 0.0]]]
    assert pair.right.tolist() == [[[3.0, 0.0]]]


def test_integers_are_compared_without_wrapping():
    assert of(np.zeros((1, 1, 1), np.uint16), np.ones((1, 1, 1), np.uint16)).difference.item() == -1.0


def test_mean_where_leaves_out_what_is_not_valid():
    values = np.array([[[1.0, 5.0]], [[2.0, 4.0]]])
    figures = mean_where(values, np.array([[[True, False]], [[True, True]]]))
    assert figures.per_band == (1.0, 3.0)
    assert figures.pooled == pytest.approx(7 / 3)


def test_a_band_without_valid_pixels_is_nan_and_leaves_the_pool_alone():
    figures = mean_where(np.array([[[9.0]], [[2.0]]]), np.array([[[False]], [[True]]]))
    assert np.isnan(figures.per_band[0])
    assert figures.pooled == 2.0


@pytest.mark.parametrize(
    ("left", "right", "valid", "error", "message"),
    [
        (np.ones((2, 3)), np.ones((2, 3)), None, InputError, r"enhanced is float64 of shape \(2, 3\)"),
        (np.ones((1, 0, 3)), np.ones((1, 0, 3)), None, InputError, "none of them zero"),
        (np.ones((1, 2, 2), complex), np.ones((1, 2, 2)), None, InputError, "complex128"),
        (np.ones((1, 2, 2)), np.ones((1, 4, 4)), None, GridError, r"reference is \(1, 4, 4\)"),
        (np.ones((1, 2, 2)), np.ones((1, 2, 2)), np.ones((2, 2)), GridError, "valid is float64"),
        (np.ones((1, 2, 2)), np.ones((1, 2, 2)), np.ones((3, 2), bool), GridError, r"shape \(3, 2\)"),
        (np.ones((1, 2, 2)), np.ones((1, 2, 2)), np.zeros((2, 2), bool), InputError, "False everywhere"),
        (np.full((1, 2, 2), np.nan), np.ones((1, 2, 2)), None, InputError, "enhanced holds 4 non-finite"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_its_reason(left, right, valid, error, message):
    with pytest.raises(error, match=message):
        of(left, right, valid)


def test_one_number_serves_all_bands_and_a_wrong_count_is_refused():
    assert one_per_band("noise", 2, 3).tolist() == [2.0, 2.0, 2.0]
    assert one_per_band("noise", (1, 2), 2).tolist() == [1.0, 2.0]
    with pytest.raises(BandError, match="noise has 2 values; the image has 3 bands"):
        one_per_band("noise", (1, 2), 3)
    with pytest.raises(ConfigError, match="noise is 0"):
        one_per_band("noise", 0, 3)
