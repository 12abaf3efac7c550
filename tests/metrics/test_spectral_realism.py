import numpy as np
import pytest
from scipy import ndimage

from rsgan.metrics import spectral_realism


def chips(seed: int, count: int = 40, correlation: float = 0.8, side: int = 32) -> np.ndarray:
    """(N, 2, side, side) of smooth ground whose two bands are correlated."""
    rng = np.random.default_rng(seed)
    first, second = ndimage.gaussian_filter(rng.standard_normal((2, count, side, side)), (0, 0, 2, 2))
    other = correlation * first + np.sqrt(1 - correlation**2) * second
    return np.stack([first, other], axis=1) * 0.2 + 0.3


def test_sets_of_one_kind_differ_by_chance_only() -> None:
    made, wanted = chips(1), chips(2)
    assert spectral_realism.covariance_difference(made, wanted) < 0.1
    assert spectral_realism.index_distance(made, wanted, 1, 0) < 0.01
    assert spectral_realism.power_difference_db(made, wanted) < 1


def test_each_figure_finds_what_it_is_for() -> None:
    wanted = chips(2)
    uncorrelated, greener = chips(3, correlation=0.0), wanted * [[[1.0]], [[1.3]]]
    smooth = ndimage.uniform_filter(wanted, (1, 1, 3, 3))
    assert spectral_realism.covariance_difference(uncorrelated, wanted) > 0.4
    assert spectral_realism.index_distance(greener, wanted, 1, 0) == pytest.approx(0.3 / 2.3, rel=0.1)
    assert spectral_realism.power_difference_db(smooth, wanted) > 3
    assert spectral_realism.power_difference_db(2 * wanted, wanted) == pytest.approx(10 * np.log10(4))


def test_dark_pixels_have_an_index_of_0() -> None:
    dark = np.zeros((1, 2, 8, 8))
    assert spectral_realism.index_distance(dark, dark + 0.1, 1, 0) == 0
