import math

import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.windows import Window

from rsgan.errors import GridError
from rsgan.geo import Grid

UTM = CRS.from_epsg(32633)
NORTH_UP = Affine(10, 0, 500000, 0, -10, 5000000)
ROTATED = Affine.translation(5e5, 5e6) @ Affine.rotation(30) @ Affine.scale(10, -20)
SOUTH_UP = Affine(10, 0, 500000, 0, 10, 5000000)
TRANSFORMS = [NORTH_UP, ROTATED, SOUTH_UP]


def test_bounds_enclose_the_corners_whichever_way_rows_run() -> None:
    assert Grid(UTM, NORTH_UP, (2, 3)).bounds == (500000, 4999980, 500030, 5000000)
    assert Grid(UTM, SOUTH_UP, (2, 3)).bounds == (500000, 5000000, 500030, 5000020)


def test_gsd_is_the_length_of_the_pixel_steps_of_a_rotated_grid() -> None:
    assert Grid(UTM, ROTATED, (4, 4)).gsd == pytest.approx((10.0, 20.0))
    assert Grid(UTM, ROTATED, (4, 4)).gsd_m() == pytest.approx((10.0, 20.0))


def test_gsd_in_feet_becomes_metres() -> None:
    assert Grid(CRS.from_epsg(2263), NORTH_UP, (4, 4)).gsd_m() == pytest.approx((3.048006, 3.048006), rel=1e-6)


@pytest.mark.parametrize(
    ("latitude", "east_m", "north_m"),
    [(0.0, 111319.4908, 110574.2758), (45.0, 78846.8350, 111131.7773), (60.0, 55800.0, 111412.0)],
)
def test_gsd_in_degrees_is_that_of_the_wgs84_ellipsoid(latitude: float, east_m: float, north_m: float) -> None:
    """Lengths of a degree as NGA publishes them (0 and 45 degrees to 0.1 mm, 60 degrees to 1 m)."""
    grid = Grid(CRS.from_epsg(4326), Affine(1e-4, 0, 15, 0, -1e-4, latitude + 1e-4), (2, 2))
    assert grid.gsd_m() == pytest.approx((east_m * 1e-4, north_m * 1e-4), rel=2e-5)


def test_gsd_in_metres_is_unknown_without_crs_transform_or_unit_unless_given() -> None:
    local = CRS.from_wkt('LOCAL_CS["site",UNIT["metre",1]]')
    grids = [Grid(None, NORTH_UP, (2, 2)), Grid(UTM, Affine.identity(), (2, 2)), Grid(local, NORTH_UP, (2, 2))]
    assert [grid.gsd_m() for grid in grids] == [None, None, None]
    assert grids[0].gsd_m(2.5) == (2.5, 2.5)


@pytest.mark.parametrize("gsd_m", [0.0, -1.0, math.nan])
def test_a_given_gsd_must_be_above_zero(gsd_m: float) -> None:
    with pytest.raises(GridError, match="--gsd"):
        Grid(UTM, NORTH_UP, (2, 2)).gsd_m(gsd_m)


def test_degrees_beyond_the_poles_are_refused() -> None:
    with pytest.raises(GridError, match="beyond the poles"):
        Grid(CRS.from_epsg(4326), NORTH_UP, (2, 2)).gsd_m()


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_refined_grid_has_the_same_corners_and_exactly_gsd_over_scale(transform: Affine, scale: int) -> None:
    grid = Grid(UTM, transform, (7, 5))
    finer = grid.refine(scale)
    assert finer.shape == (7 * scale, 5 * scale)
    assert (finer.transform.a, finer.transform.e) == (transform.a / scale, transform.e / scale)
    for corner, same in zip(grid.corners, finer.corners, strict=True):
        assert same == pytest.approx(corner, abs=1e-6)


def test_refining_by_less_than_one_is_refused() -> None:
    with pytest.raises(GridError, match="scale is 0"):
        Grid(UTM, NORTH_UP, (2, 2)).refine(0)


@pytest.mark.parametrize("factor", [1, 3, 8])
def test_coarsened_grid_is_undone_by_refining(factor: int) -> None:
    grid = Grid(UTM, NORTH_UP, (24, 48))
    assert grid.coarsen(factor).refine(factor).matches(grid)


def test_squares_that_are_not_filled_are_cut_and_a_raster_of_none_is_refused() -> None:
    assert Grid(UTM, NORTH_UP, (11, 9)).coarsen(4).shape == (2, 2)
    with pytest.raises(GridError, match="no square of 4 x 4"):
        Grid(UTM, NORTH_UP, (3, 9)).coarsen(4)


def test_parts_and_finer_pixels_of_a_raster_without_a_place_have_none_either() -> None:
    nowhere = Grid(None, Affine.identity(), (8, 6))
    made = nowhere.crop(Window(2, 1, 3, 4)).refine(2)
    assert made.shape == (8, 6)
    assert not made.has_transform


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_cropped_grid_keeps_the_place_of_its_pixels(transform: Affine) -> None:
    cropped = Grid(UTM, transform, (7, 5)).crop(Window(2, 3, 2, 4))
    assert cropped.shape == (4, 2)
    assert cropped.transform @ (0, 0) == pytest.approx(transform @ (2, 3))
    assert cropped.transform @ (2, 4) == pytest.approx(transform @ (4, 7))


@pytest.mark.parametrize("window", [Window(-1, 0, 2, 2), Window(4, 0, 2, 2), Window(0, 0, 0, 2), Window(0.5, 0, 2, 2)])
def test_windows_that_leave_the_raster_or_cut_pixels_are_refused(window: Window) -> None:
    with pytest.raises(GridError, match="window of"):
        Grid(UTM, NORTH_UP, (5, 5)).crop(window)


@given(
    column=st.integers(0, 19), row=st.integers(0, 29), width=st.integers(1, 20), height=st.integers(1, 30),
    transform=st.sampled_from([NORTH_UP, SOUTH_UP]),
)  # fmt: skip
def test_bounds_of_a_window_give_the_window_back(
    column: int, row: int, width: int, height: int, transform: Affine
) -> None:
    grid = Grid(UTM, transform, (30, 20))
    window = Window(column, row, min(width, 20 - column), min(height, 30 - row))
    assert grid.window_of_bounds(grid.crop(window).bounds) == window


def test_bounds_take_every_pixel_they_touch_and_no_more() -> None:
    grid = Grid(UTM, NORTH_UP, (30, 20))
    assert grid.window_of_bounds((500011, 4999955, 500019, 4999995)) == Window(1, 0, 1, 5)
    assert grid.window_of_bounds((0, 0, 1e7, 1e7)) == Window(0, 0, 20, 30)


@pytest.mark.parametrize("bounds", [(500200, 4999900, 500300, 5000000), (499000, 4999900, 500000, 5000000)])
def test_bounds_beside_the_raster_are_refused_with_both_bounds(bounds: tuple[float, float, float, float]) -> None:
    with pytest.raises(GridError, match=r"outside the raster.*500200.*EPSG:32633"):
        Grid(UTM, NORTH_UP, (30, 20)).window_of_bounds(bounds)


def test_empty_bounds_are_refused() -> None:
    with pytest.raises(GridError, match="left < right"):
        Grid(UTM, NORTH_UP, (30, 20)).window_of_bounds((500100, 4999900, 500100, 5000000))


def test_grids_match_within_a_hundredth_of_a_pixel_only() -> None:
    grid = Grid(UTM, NORTH_UP, (30, 20))
    assert grid.matches(Grid(UTM, NORTH_UP @ Affine.translation(0.005, 0), (30, 20)))
    assert not grid.matches(Grid(UTM, NORTH_UP @ Affine.translation(0.05, 0), (30, 20)))
    assert not grid.matches(Grid(UTM, NORTH_UP, (20, 30)))
    assert not grid.matches(Grid(None, NORTH_UP, (30, 20)))


def test_bounds_in_degrees_hold_the_corners_and_are_unknown_without_a_place() -> None:
    """The equator at the central meridian of UTM 33 is 15 E, 0 N, with easting 500 km, by definition."""
    grid = Grid(UTM, Affine(10, 0, 500000, 0, -10, 10), (1, 1))
    left, bottom, right, top = grid.lonlat_bounds() or (0.0, 0.0, 0.0, 0.0)
    assert (left, bottom) == pytest.approx((15.0, 0.0), abs=1e-9)
    assert (right - left) * 111319.49 == pytest.approx(10 / 0.9996, rel=1e-4)
    assert (top - bottom) * 110574.28 == pytest.approx(10 / 0.9996, rel=1e-4)
    local = CRS.from_wkt('LOCAL_CS["site",UNIT["metre",1]]')
    grids = [Grid(None, NORTH_UP, (2, 2)), Grid(UTM, Affine.identity(), (2, 2)), Grid(local, NORTH_UP, (2, 2))]
    assert [grid.lonlat_bounds() for grid in grids] == [None, None, None]


def test_the_whole_window_holds_every_pixel() -> None:
    grid = Grid(UTM, NORTH_UP, (7, 5))
    assert grid.window == Window(0, 0, 5, 7)
    assert grid.crop(grid.window) == grid
