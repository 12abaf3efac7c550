"""Coarse pixels on finer ones: where a grid lies on another, and bands of any kind and pixel size from files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS

from rsgan.errors import BandError, GridError
from rsgan.geo import Grid, Scene, Window

UTM = CRS.from_epsg(32633)
FINE = Affine(10, 0, 500000, 0, -10, 5000000)
ROTATED = Affine.translation(5e5, 5e6) @ Affine.rotation(30) @ Affine.scale(10, -20)
SOUTH_UP = Affine(10, 0, 500000, 0, 10, 5000000)
Make = Callable[..., Path]


def finer(transform: Affine = FINE, shape: tuple[int, int] = (60, 80)) -> Grid:
    return Grid(UTM, transform, shape)


def coarser(
    scale: int, column: float = 0, row: float = 0, shape: tuple[int, int] = (5, 6), transform: Affine = FINE
) -> Grid:
    """A grid of `scale` times larger pixels that starts at a place of the finer one."""
    return Grid(UTM, transform @ Affine.translation(column, row) @ Affine.scale(scale), shape)


@given(
    scale=st.integers(1, 7),
    column=st.integers(0, 30),
    row=st.integers(0, 20),
    transform=st.sampled_from([FINE, ROTATED, SOUTH_UP]),
)
def test_a_grid_is_found_at_the_pixels_it_was_cut_from(scale: int, column: int, row: int, transform: Affine) -> None:
    window = coarser(scale, column, row, transform=transform).nest(finer(transform))
    assert window == Window(column, row, 6 * scale, 5 * scale)


def test_the_window_covers_the_ground_of_the_grid() -> None:
    grid = coarser(2, 7, 3)
    assert finer().crop(grid.nest(finer())).bounds == grid.bounds


def test_a_tenth_of_a_pixel_is_forgiven_and_not_more() -> None:
    assert coarser(2, 4.09, 2.0).nest(finer()) == Window(4, 2, 12, 10)
    with pytest.raises(GridError, match=r"2 x 2 fine ones and the first lies at column 4\.150, row 2\.000"):
        coarser(2, 4.15, 2.0).nest(finer())
    assert coarser(2, 4.15, 2.0).nest(finer(), tolerance_px=0.2) == Window(4, 2, 12, 10)


@pytest.mark.parametrize("scale", [1.5, 2.1, 0.5])
def test_pixels_that_do_not_divide_are_refused_with_their_ratio(scale: float) -> None:
    grid = Grid(UTM, FINE @ Affine.scale(scale), (5, 6))
    with pytest.raises(GridError, match=rf"do not nest: a coarse pixel is {scale:g} x {scale:g} fine ones"):
        grid.nest(finer())


def test_pixels_longer_one_way_than_the_other_are_refused() -> None:
    with pytest.raises(GridError, match="is 2 x 3 fine ones"):
        Grid(UTM, FINE @ Affine.scale(2, 3), (5, 6)).nest(finer())


@pytest.mark.parametrize(
    "turned",
    [
        FINE @ Affine(0, 2, 0, 2, 0, 0),  # rows are columns: two corners of a square stay where they are
        FINE @ Affine.translation(0, 12) @ Affine.scale(2, -2),
        FINE @ Affine.translation(12, 0) @ Affine.rotation(90) @ Affine.scale(2),
        FINE @ Affine.translation(3, 3) @ Affine.shear(10, 0) @ Affine.scale(2),
    ],
    ids=["transposed", "upside down", "turned by 90 degrees", "sheared"],
)
def test_grids_whose_rows_run_another_way_are_refused(turned: Affine) -> None:
    with pytest.raises(GridError, match="do not nest"):
        Grid(UTM, turned, (6, 6)).nest(finer())


def test_unlike_coordinate_systems_are_refused_with_both_names() -> None:
    other = Grid(CRS.from_epsg(32632), FINE, (60, 80))
    with pytest.raises(GridError, match=r"EPSG:32633 against EPSG:32632 of the finer pixels\. Reproject"):
        coarser(2).nest(other)
    with pytest.raises(GridError, match="none against EPSG:32633"):
        Grid(None, FINE @ Affine.scale(2), (5, 6)).nest(finer())


@pytest.mark.parametrize(("column", "row"), [(-2, 0), (0, -2), (70, 0), (0, 52)])
def test_a_finer_grid_that_ends_too_early_is_refused_with_what_is_needed(column: int, row: int) -> None:
    needed = rf"rows {row} to {row + 10} and columns {column} to {column + 12} of its 60 x 80 pixels"
    with pytest.raises(GridError, match=needed):
        coarser(2, column, row).nest(finer())


def test_without_transforms_both_show_the_same_ground() -> None:
    plain = Affine.identity()
    fine = Grid(None, plain, (30, 42))
    assert Grid(None, plain, (10, 14)).nest(fine) == Window(0, 0, 42, 30)
    with pytest.raises(GridError, match="30 x 42 fine ones are no whole multiple of 10 x 20"):
        Grid(None, plain, (10, 20)).nest(fine)
    with pytest.raises(GridError, match="no whole multiple of 60 x 84"):
        Grid(None, plain, (60, 84)).nest(fine)


# scenes of bands of any kind


def numbered(count: int, shape: tuple[int, int] = (6, 8), first: int = 1) -> np.ndarray:
    return (np.arange(count)[:, None, None] * 100 + first + np.zeros((count, *shape))).astype(np.uint16)


@pytest.fixture
def sizes(make_raster: Make) -> list[Path]:
    """One ground in pixels of 60, 10 and 20 m, in this order."""
    return [
        make_raster("s60.tif", numbered(2, (2, 3), 600), descriptions=["B01", "B09"], transform=FINE @ Affine.scale(6)),
        make_raster("s10.tif", numbered(3, (12, 18), 10), descriptions=["B02", "B03", "B04"]),
        make_raster("s20.tif", numbered(2, (6, 9), 20), descriptions=["B05", "B11"], transform=FINE @ Affine.scale(2)),
    ]


@pytest.mark.parametrize(
    ("rank", "bands", "shape"),
    [(0, ("B02", "B03", "B04"), (12, 18)), (1, ("B05", "B11"), (6, 9)), (2, ("B01", "B09"), (2, 3))],
)
def test_rank_chooses_a_pixel_size_from_the_finest(
    sizes: list[Path], rank: int, bands: tuple[str, ...], shape: tuple[int, int]
) -> None:
    with Scene.open(sizes, wanted=None, rank=rank) as scene:
        assert scene.bands == bands
        assert scene.grid.shape == shape
        assert (
            scene.read_dn(scene.grid.window)[:, 0, 0].tolist()
            == [
                [10, 110, 210],
                [20, 120],
                [600, 700],
            ][rank]
        )


def test_a_rank_that_is_not_there_is_refused_with_the_sizes(sizes: list[Path]) -> None:
    with pytest.raises(BandError, match=r"has pixels of 3 size\(s\) only \(10, 20, 60\)"):
        Scene.open(sizes, wanted=None, rank=3)
    with pytest.raises(BandError, match=r"1 size\(s\) only \(10\).*coarse bands and finer ones"):
        Scene.open(sizes[1:2], wanted=None, rank=1)


def test_without_rank_all_files_must_share_one_grid(sizes: list[Path]) -> None:
    with pytest.raises(GridError, match=r"s60\.tif and .*s10\.tif do not share one grid"):
        Scene.open(sizes, wanted=None)


def test_without_transforms_more_pixels_are_finer_ones(make_raster: Make) -> None:
    bare = {"crs": None, "transform": None}
    small = make_raster("small.tif", numbered(1, (6, 8)), descriptions=["coarse"], **bare)
    large = make_raster("large.tif", numbered(1, (12, 16)), descriptions=["fine"], **bare)
    with Scene.open([small, large], wanted=None, rank=0) as scene:
        assert scene.bands == ("fine",)
    with Scene.open([small, large], wanted=None, rank=1) as scene:
        assert scene.bands == ("coarse",)


def test_bands_of_any_kind_are_called_what_the_file_calls_them(make_raster: Make) -> None:
    path = make_raster("any.tif", numbered(4), descriptions=["kelvin", None, "twice", "twice"])
    with Scene.open([path], wanted=None) as scene:
        assert scene.bands == ("kelvin", "band2", "band3", "band4")
        assert scene.band_choice.indexes == (1, 2, 3, 4)


@pytest.mark.parametrize(
    ("asked", "bands"),
    [(("B11", "B04"), ("B11", "B04")), (("3", "1"), ("B11", "B04")), ((" b04 ", "2"), ("B04", "B08"))],
)
def test_bands_of_any_kind_are_chosen_by_name_or_number_in_the_order_asked(
    make_raster: Make, asked: tuple[str, ...], bands: tuple[str, ...]
) -> None:
    path = make_raster("any.tif", numbered(3), descriptions=["B04", "B08", "B11"])
    with Scene.open([path], wanted=None, bands=asked) as scene:
        assert scene.bands == bands
        values = scene.read_dn(Window(0, 0, 1, 1)).ravel().tolist()
    assert values == [{"B04": 1, "B08": 101, "B11": 201}[name] for name in bands]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("4",), "asks for band 4; .* has bands 1 to 3"),
        (("B12",), "asks for 'B12', which names 0 bands .* B04 B08 B11"),
        (("B04", "1"), "takes a band of .* twice"),
    ],
)
def test_bands_that_are_not_there_or_asked_for_twice_are_refused(
    make_raster: Make, asked: tuple[str, ...], said: str
) -> None:
    path = make_raster("any.tif", numbered(3), descriptions=["B04", "B08", "B11"])
    with pytest.raises(BandError, match=said):
        Scene.open([path], wanted=None, bands=asked)


@pytest.mark.parametrize(
    ("dtype", "units"), [("uint8", 255.0), ("uint16", 10000.0), ("int16", 10000.0), ("float32", 1.0)]
)
def test_numbers_of_any_kind_are_divided_by_what_is_usual_and_nothing_is_said(
    make_raster: Make, dtype: str, units: float
) -> None:
    values = np.array([3, 100, 120], dtype).reshape(1, 1, 3)
    with Scene.open([make_raster("any.tif", values)], wanted=None) as scene:
        window = scene.grid.window
        np.testing.assert_allclose(scene.read(window).values, values / units, rtol=1e-6)
        np.testing.assert_array_equal(scene.radiometry.to_dn(scene.read(window).values), values)
        assert scene.notes == ()


def test_a_scale_in_the_file_wins_over_what_is_usual(make_raster: Make) -> None:
    values = np.array([29000, 30000], np.uint16).reshape(1, 1, 2)
    path = make_raster("kelvin.tif", values, scales=[0.01], offsets=[-10.0])
    with Scene.open([path], wanted=None) as scene:
        np.testing.assert_allclose(scene.read(scene.grid.window).values, [[[280.0, 290.0]]], rtol=1e-6)
