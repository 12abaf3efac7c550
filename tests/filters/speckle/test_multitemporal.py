from collections.abc import Callable

import numpy as np
import pytest

from rsgan.filters.speckle import boxcar, quegan_yu

Speckle = Callable[..., np.ndarray]


def dates_of(speckle: Speckle, ground: np.ndarray, dates: int, looks: float) -> np.ndarray:
    """(T, 1, H, W) of independent speckle."""
    return np.stack([speckle(ground, looks, seed) for seed in range(dates)])


@pytest.mark.parametrize(("dates", "looks"), [(1, 1), (2, 1), (5, 1), (12, 4)])
def test_flat_ground_gets_the_looks_of_the_closed_form(dates: int, looks: int, speckle: Speckle) -> None:
    stack = dates_of(speckle, np.full((600, 600), 3.0), dates, looks)
    filtered = quegan_yu(stack, np.ones(stack.shape, bool), looks=looks)[0, 0].astype(np.float64)
    inner = filtered[3:-3, 3:-3]
    assert inner.mean() ** 2 / inner.var() == pytest.approx(49 * dates * looks / (49 + dates - 1), rel=0.06)


def test_it_is_its_definition(ragged: tuple[np.ndarray, np.ndarray]) -> None:
    values, valid = ragged  # two bands serve as two dates
    filtered = quegan_yu(values[:, None], valid[:, None], looks=3)[:, 0]
    mean = boxcar(values, valid, looks=3).astype(np.float64)
    for row, column in zip(*np.nonzero(valid.any(0)), strict=True):
        there = valid[:, row, column]
        common = np.mean(values[there, row, column] / mean[there, row, column])
        np.testing.assert_allclose(filtered[there, row, column], mean[there, row, column] * common, rtol=1e-5)


def test_one_date_is_not_filtered(speckle: Speckle) -> None:
    stack = dates_of(speckle, np.full((20, 30), 0.1), 1, 1)
    np.testing.assert_allclose(quegan_yu(stack, np.ones(stack.shape, bool), looks=1), stack, rtol=1e-6)


def test_an_absent_date_changes_nothing(speckle: Speckle) -> None:
    stack = dates_of(speckle, np.full((20, 30), 0.1), 4, 1)
    valid = np.ones(stack.shape, bool)
    expected = quegan_yu(stack[:3], valid[:3], looks=1)
    stack[3], valid[3] = np.nan, False
    np.testing.assert_array_equal(quegan_yu(stack, valid, looks=1)[:3], expected)


def test_a_brighter_date_stays_brighter(speckle: Speckle) -> None:
    stack = dates_of(speckle, np.ones((256, 256)), 5, 4)
    stack[2] *= 10
    filtered = quegan_yu(stack, np.ones(stack.shape, bool), looks=4)
    np.testing.assert_allclose(filtered.mean((1, 2, 3)), [1, 1, 10, 1, 1], rtol=0.01)


def test_structure_common_to_all_dates_is_sharp(speckle: Speckle) -> None:
    ground = np.ones((64, 64))
    ground[:, 32:] = 8.0
    stack = dates_of(speckle, ground, 40, 4)
    filtered = quegan_yu(stack, np.ones(stack.shape, bool), looks=4)[0, 0]
    assert filtered[5:-5, 32].mean() / filtered[5:-5, 31].mean() == pytest.approx(8, rel=0.1)


def test_polarisations_do_not_know_each_other(speckle: Speckle) -> None:
    stack = dates_of(speckle, np.ones((20, 20)), 3, 1)
    both = np.concatenate([stack, 5 * stack[::-1]], axis=1)
    filtered = quegan_yu(both, np.ones(both.shape, bool), looks=1)
    np.testing.assert_array_equal(filtered[:, :1], quegan_yu(stack, np.ones(stack.shape, bool), looks=1))
