import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from rasterio.windows import Window

from rsgan.errors import GridError
from rsgan.geo import plan, scale_window

WALKS = st.tuples(
    st.tuples(st.integers(1, 60), st.integers(1, 60)), st.integers(1, 70), st.integers(1, 9), st.integers(0, 20)
)


def area(window: Window) -> tuple[slice, slice]:
    rows, columns = window.toslices()
    return rows, columns


@given(WALKS)
def test_kept_windows_tile_the_raster_exactly(walk: tuple[tuple[int, int], int, int, int]) -> None:
    shape, size, stride, halo = walk
    visits = np.zeros(shape, dtype=int)
    for step in plan(shape, size, stride, halo):
        visits[area(step.keep)] += 1
    np.testing.assert_array_equal(visits, 1)


@given(WALKS)
def test_windows_start_at_multiples_of_the_stride_and_read_the_halo_where_there_is_one(
    walk: tuple[tuple[int, int], int, int, int],
) -> None:
    shape, size, stride, halo = walk
    for step in plan(shape, size, stride, halo):
        for axis, (read, keep) in enumerate(zip(step.read.toranges(), step.keep.toranges(), strict=True)):
            assert keep[0] % stride == read[0] % stride == 0
            assert 0 <= read[0] <= max(0, keep[0] - halo)
            assert read[1] == min(shape[axis], keep[0] + -(-size // stride) * stride + halo)


@given(WALKS)
def test_inner_finds_the_kept_pixels_in_what_was_read(walk: tuple[tuple[int, int], int, int, int]) -> None:
    shape, size, stride, halo = walk
    raster = np.arange(shape[0] * shape[1]).reshape(shape)
    for step in plan(shape, size, stride, halo):
        np.testing.assert_array_equal(raster[area(step.read)][step.inner], raster[area(step.keep)])


@given(WALKS, st.data())
def test_a_part_is_tiled_exactly_and_its_halo_reaches_beyond_it(
    walk: tuple[tuple[int, int], int, int, int], data: st.DataObject
) -> None:
    shape, size, _, halo = walk
    (top, bottom), (left, right) = (sorted(data.draw(st.integers(0, n)) for _ in range(2)) for n in shape)
    assume(top < bottom and left < right)
    part = Window(left, top, right - left, bottom - top)
    raster = np.arange(shape[0] * shape[1]).reshape(shape)
    visits = np.zeros(shape, dtype=int)
    for step in plan(shape, size, halo=halo, part=part):
        visits[area(step.keep)] += 1
        np.testing.assert_array_equal(raster[area(step.read)][step.inner], raster[area(step.keep)])
        for axis, (read, keep) in enumerate(zip(step.read.toranges(), step.keep.toranges(), strict=True)):
            assert read == (max(0, keep[0] - halo), min(shape[axis], keep[1] + halo))
    expected = np.zeros(shape, dtype=int)
    expected[area(part)] = 1
    np.testing.assert_array_equal(visits, expected)


def test_windows_come_row_band_by_row_band() -> None:
    origins = [(step.keep.row_off, step.keep.col_off) for step in plan((5, 5), 3)]
    assert origins == [(0, 0), (0, 3), (3, 0), (3, 3)]


def test_size_is_rounded_up_to_the_stride() -> None:
    assert [step.keep.width for step in plan((1, 20), 5, stride=8)] == [8, 8, 4]


@pytest.mark.parametrize(("shape", "size", "stride", "halo"), [
    ((0, 5), 4, 1, 0), ((5, 5), 0, 1, 0), ((5, 5), 4, 0, 0), ((5, 5), 4, 1, -1),
])  # fmt: skip
def test_walks_that_make_no_sense_are_refused(shape: tuple[int, int], size: int, stride: int, halo: int) -> None:
    with pytest.raises(GridError, match="cannot walk"):
        plan(shape, size, stride, halo)


def test_scaled_window_is_the_same_place_on_the_finer_grid() -> None:
    assert scale_window(Window(1, 2, 3, 4), 4) == Window(4, 8, 12, 16)
