import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st

from rsgan.errors import GridError
from rsgan.geo import FILL_REACH, Chip, Grid, fill


def chip_of(values: np.ndarray, valid: np.ndarray) -> Chip:
    values = np.where(valid, values, 0).astype(np.float32)
    return Chip(values, valid, Grid(None, Affine.identity(), values.shape[1:]))


def test_valid_pixels_are_not_touched() -> None:
    rng = np.random.default_rng(0)
    chip = chip_of(rng.random((3, 40, 50)), rng.random((3, 40, 50)) > 0.4)
    np.testing.assert_array_equal(fill(chip, [0.1, 0.2, 0.3])[chip.valid], chip.values[chip.valid])


def test_a_hole_in_an_even_field_gets_its_value_not_zero() -> None:
    valid = np.ones((1, 40, 40), dtype=bool)
    valid[0, 15:25, 15:25] = False
    filled = fill(chip_of(np.full((1, 40, 40), 0.3), valid), [0.3])
    np.testing.assert_allclose(filled, 0.3, rtol=1e-6)


def test_next_to_an_edge_the_fill_continues_the_edge() -> None:
    valid = np.zeros((1, 40, 60), dtype=bool)
    valid[..., :30] = True
    filled = fill(chip_of(np.full((1, 40, 60), 0.3), valid), [0.0])[0, 20]
    assert filled[30] == pytest.approx(0.3, rel=1e-3)
    assert (np.diff(filled[30:]) <= 0).all()
    assert np.abs(np.diff(filled[30:])).max() < 0.06
    np.testing.assert_array_equal(filled[30 + FILL_REACH :], 0.0)


def test_a_band_without_valid_pixels_is_background_and_costs_the_others_nothing() -> None:
    valid = np.ones((2, 5, 5), dtype=bool)
    valid[1] = False
    filled = fill(chip_of(np.full((2, 5, 5), 0.3), valid), [0.1, 0.2])
    np.testing.assert_array_equal(filled[0], np.float32(0.3))
    np.testing.assert_array_equal(filled[1], np.float32(0.2))


@settings(max_examples=25)
@given(seed=st.integers(0, 2**16), row=st.integers(0, 59), column=st.integers(0, 59), dense=st.floats(0.01, 0.99))
def test_the_fill_is_the_same_bit_for_bit_in_every_tiling(seed: int, row: int, column: int, dense: float) -> None:
    rng = np.random.default_rng(seed)
    values, valid = rng.random((1, 60, 60)), rng.random((1, 60, 60)) < dense
    whole = fill(chip_of(values, valid), [0.5])
    top, left = max(0, row - FILL_REACH), max(0, column - FILL_REACH)
    read = (slice(None), slice(top, row + FILL_REACH + 3), slice(left, column + FILL_REACH + 3))
    part = fill(chip_of(values[read], valid[read]), [0.5])
    kept = (0, slice(row, min(60, row + 3)), slice(column, min(60, column + 3)))
    inside = (0, slice(row - top, row - top + 3), slice(column - left, column - left + 3))
    np.testing.assert_array_equal(part[inside], whole[kept])


def test_one_background_per_band_is_needed() -> None:
    with pytest.raises(GridError, match="1 backgrounds for 2 bands"):
        fill(chip_of(np.zeros((2, 3, 3)), np.ones((2, 3, 3), dtype=bool)), [0.5])
