"""Radar rasters as scenes: intensity, what is valid in it band by band, and what a result states again."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.windows import Window

from rsgan.errors import GridError, InputError
from rsgan.geo import Scene
from rsgan.radiometry import Backscatter

MakeRaster = Callable[..., Path]
WHOLE = Window(0, 0, 30, 20)


@pytest.fixture
def sigma0() -> np.ndarray:
    """(2, 20, 30) float32 intensity of two polarisations."""
    return np.random.default_rng(8).gamma(4.4, [[[0.03]], [[0.004]]], (2, 20, 30)).astype(np.float32)


def test_chips_are_intensity_whatever_is_stored(make_raster: MakeRaster, sigma0: np.ndarray) -> None:
    stored = {
        "intensity": sigma0,
        "amplitude": np.sqrt(sigma0),
        "db": 10 * np.log10(sigma0),
    }
    for quantity, values in stored.items():
        with Scene.open_sar([make_raster("a.tif", values, descriptions=["VV", "VH"])], quantity=quantity) as scene:
            chip = scene.read(Window(3, 2, 10, 7))
            assert scene.radiometry.quantity == quantity
            assert chip.values.dtype == np.float32
            np.testing.assert_allclose(chip.values, sigma0[:, 2:9, 3:13], rtol=1e-5)
            np.testing.assert_array_equal(scene.read_dn(WHOLE), values)
            assert chip.grid.transform == Affine(10, 0, 500030, 0, -10, 4999980)
            assert scene.gsd_m == (10.0, 10.0)


def test_each_band_has_its_own_valid_pixels(make_raster: MakeRaster, sigma0: np.ndarray) -> None:
    sigma0[0, :5], sigma0[1, :, :7] = 0.0, np.nan
    sigma0[1, 10, 10], sigma0[0, 11, 11] = -0.0004, np.inf
    path = make_raster("a.tif", sigma0)
    with Scene.open_sar([path]) as scene:
        chip = scene.read(WHOLE)
        expected = np.isfinite(sigma0) & (sigma0 != 0)
        np.testing.assert_array_equal(chip.valid, expected)
        assert chip.valid[1, 10, 10]
        assert (chip.values[~expected] == 0).all()
        assert scene.output_nodata is None
        assert any("exactly 0" in note for note in scene.notes)
        np.testing.assert_array_equal(scene.read_kept(WHOLE), sigma0)
    with Scene.open_sar([path], zero_valid=True) as scene:
        np.testing.assert_array_equal(scene.read(WHOLE).valid, np.isfinite(sigma0))
        assert not any("exactly 0" in note for note in scene.notes)


def test_decibels_of_nothing_are_invalid_and_zero_decibels_are_valid(make_raster: MakeRaster) -> None:
    values = np.full((1, 20, 30), -10.0, np.float32)
    values[0, 0, :4] = -np.inf, np.nan, 0.0, -400.0
    with Scene.open_sar([make_raster("a.tif", values)]) as scene:
        assert scene.read(WHOLE).valid[0, 0, :5].tolist() == [False, False, True, False, True]


def test_zero_decibels_in_a_share_of_the_scene_are_doubted(make_raster: MakeRaster) -> None:
    values = np.full((1, 20, 30), -10.0, np.float32)
    values[:, :5] = 0.0
    with Scene.open_sar([make_raster("a.tif", values)]) as scene:
        assert any("25% of the numbers" in note and "--nodata 0" in note for note in scene.notes)


def test_declared_nodata_stays_that_of_the_result(make_raster: MakeRaster, sigma0: np.ndarray) -> None:
    decibels = 10 * np.log10(sigma0)
    decibels[:, :4] = -99
    with Scene.open_sar([make_raster("a.tif", decibels, nodata=-99)]) as scene:
        assert scene.output_nodata == -99
        assert not scene.read(WHOLE).valid[:, :4].any()
        assert scene.read(WHOLE).valid[:, 4:].all()


def test_a_mask_gives_the_result_a_nodata_that_keeps_it(make_raster: MakeRaster, sigma0: np.ndarray) -> None:
    mask = np.full((20, 30), 255, np.uint8)
    mask[:6] = 0
    with Scene.open_sar([make_raster("a.tif", sigma0, mask=mask)]) as scene:
        assert np.isnan(scene.output_nodata)
        np.testing.assert_array_equal(scene.read(WHOLE).valid[0], mask > 0)
        np.testing.assert_array_equal(scene.read_kept(WHOLE), np.where(mask > 0, sigma0, np.nan))
    amplitude = np.full((1, 20, 30), 300, np.uint16)
    with Scene.open_sar([make_raster("b.tif", amplitude, mask=mask)]) as scene:
        assert scene.output_nodata == 0
        np.testing.assert_array_equal(scene.read_kept(WHOLE)[0], np.where(mask > 0, 300, 0))


def test_unlike_nodata_of_several_files_becomes_one_in_what_is_kept(make_raster: MakeRaster) -> None:
    values = np.full((1, 20, 30), -10.0, np.float32)
    values[0, 0, 0], values[0, 0, 1] = -99, -50
    paths = [make_raster(f"{n}.tif", values, nodata=nodata) for n, nodata in (("vv", -99), ("vh", -50))]
    with Scene.open_sar(paths) as scene:
        assert (scene.bands, scene.output_nodata) == (("VV", "VH"), -99)
        kept = scene.read_kept(WHOLE)[:, 0, :3].tolist()
        assert kept[1] == [-99, -99, -10]
        assert kept[0] == [-99, -50, -10]
        assert any("different nodata" in note for note in scene.notes)


def test_negative_amplitudes_beyond_the_first_look_stop_the_reading(make_raster: MakeRaster) -> None:
    values = np.full((1, 600, 600), 300.0, np.float32)
    values[0, 150, 150] = -1.0
    with Scene.open_sar([make_raster("a.tif", values)], quantity="amplitude") as scene:
        scene.read(Window(200, 200, 50, 50))
        with pytest.raises(InputError, match=r"1 of 10000 amplitudes are negative"):
            scene.read(Window(100, 100, 100, 100))


def test_files_on_other_grids_are_refused(make_raster: MakeRaster, sigma0: np.ndarray) -> None:
    paths = [make_raster("vv.tif", sigma0[:1]), make_raster("vh.tif", sigma0[1:, :-1])]
    with pytest.raises(GridError, match="do not share one grid"):
        Scene.open_sar(paths)
    with pytest.raises(InputError, match="expected one type"):
        Scene.open_sar([paths[0], make_raster("hh.tif", sigma0[:1].astype(np.float64))])


def test_a_picture_without_a_place_is_a_scene(make_raster: MakeRaster) -> None:
    values = np.random.default_rng(9).integers(1, 255, (1, 20, 30)).astype(np.uint8)
    path = make_raster("sar.png", values, driver="PNG", crs=None, transform=None, photometric=None)
    with Scene.open_sar([path]) as scene:
        assert (scene.bands, scene.gsd_m) == (("band1",), None)
        assert any("no georeferencing" in note for note in scene.notes)
        np.testing.assert_allclose(scene.read(WHOLE).values, values.astype(np.float32) ** 2)


def test_control_points_are_those_of_the_part(make_raster: MakeRaster) -> None:
    corners = [(0, 0), (0, 30), (20, 0), (20, 30)]
    points = [GroundControlPoint(r, c, 5 + c / 1e4, 43 - r / 1e4, 7.0) for r, c in corners]
    values = np.full((1, 20, 30), 300, np.uint16)
    path = make_raster("s1-vv.tif", values, transform=None, crs=CRS.from_epsg(4326), gcps=points)
    with Scene.open_sar([path]) as scene:
        part = scene.control_points(Window(4, 3, 9, 9))
        assert [(p.row, p.col) for p in part.points] == [(r - 3, c - 4) for r, c in corners]
        assert [(p.x, p.y, p.z) for p in part.points] == [(p.x, p.y, p.z) for p in points]
        assert part.crs == CRS.from_epsg(4326)
        assert any("ground control points, which are kept" in note for note in scene.notes)
    with Scene.open_sar([make_raster("b.tif", values)]) as scene:
        assert scene.control_points() is None


def test_a_sentinel1_product_says_which_files_to_give(tmp_path: Path) -> None:
    folder = tmp_path / "S1A_IW_GRDH_1SDV_20150309T173017.SAFE"
    folder.mkdir()
    with pytest.raises(InputError, match=r"Sentinel-1 product.*measurement"):
        Scene.open_sar([folder])


@pytest.fixture
def series(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """NetCDF of two polarisations in 1e-4 dB as int32, two dates, beside angles of another type."""
    stored = np.random.default_rng(3).integers(-250000, -20000, (2, 2, 20, 30)).astype(np.int32)
    stored[:, 0, 0, :3] = 0
    attrs = {"scale_factor": 0.0001, "_FillValue": np.int32(0), "units": "dB"}
    dims = ("t", "y", "x")
    dataset = xr.Dataset(
        {
            "VH": (dims, stored[0], attrs),
            "VV": (dims, stored[1], attrs),
            "angle": (dims, np.full((2, 20, 30), 38.5, np.float32)),
        },
        coords={
            "t": np.array(["2018-05-07", "2018-05-13"], "datetime64[ns]"),
            "y": 5629675.0 - 10 * np.arange(20),
            "x": 501365.0 + 10 * np.arange(30),
        },
        attrs={"crs": "EPSG:32631"},
    )
    path = tmp_path / "s1.nc"
    dataset.to_netcdf(path, engine="h5netcdf")
    return path, stored


@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # rioxarray with affine 3
def test_a_date_of_a_netcdf_series_is_a_scene(series: tuple[Path, np.ndarray]) -> None:
    path, stored = series
    with Scene.open_sar([path], date="2018-05-07") as scene:
        assert (scene.bands, scene.dtype, scene.output_nodata) == (("VH", "VV"), "int32", 0)
        assert scene.radiometry.source == "db: the unit says 'dB'; stored number x 0.0001, as the file states"
        np.testing.assert_array_equal(scene.read_dn(WHOLE), stored[:, 0])
        chip = scene.read(WHOLE)
        np.testing.assert_array_equal(chip.valid, stored[:, 0] != 0)
        expected = np.where(chip.valid, 10 ** (stored[:, 0] / 1e5), 0)
        np.testing.assert_allclose(chip.values, expected, rtol=1e-5)
        back = scene.radiometry.to_dn(np.where(chip.valid, chip.values, 1), scene.output_nodata)
        np.testing.assert_array_equal(back[chip.valid], stored[:, 0][chip.valid])
    with pytest.raises(InputError, match="Choose one with --date"):
        Scene.open_sar([path])


@pytest.mark.realdata
@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # rioxarray with affine 3
@pytest.mark.parametrize(
    ("name", "given", "bands", "quantity"),
    [
        ("sentinel1/s1_grd_camargue_20150309_vv.tif", {}, ("VV",), "db"),
        ("sentinel1/s1_grd_spain_7370579.tif", {}, ("VV", "VH"), "db"),
        ("sentinel1/s1_temporal_mean_*.tif", {"stored_scale": 10}, ("sigma0_38deg_temporal_mean",), "db"),
        ("sentinel1/timeseries/*2806639*.nc", {"date": "2018-05-03"}, ("VH", "VV"), "db"),
        (
            "sentinel1_multitemporal/s1_c2_mtdn_01.tif",
            {"bands": ("t1_C11", "t2_C11")},
            ("t1_C11", "t2_C11"),
            "intensity",
        ),
        ("sar_optical_8bit/sen12_rois1158_spring_90_p268.tif", {}, ("VV",), "amplitude"),
    ],
)
def test_real_rasters_are_scenes_whose_numbers_come_back(
    real_data: Path, name: str, given: dict, bands: tuple[str, ...], quantity: str
) -> None:
    path = next(iter(sorted(real_data.glob(name))))
    with Scene.open_sar([path], **given) as scene:
        assert (scene.bands, scene.radiometry.quantity) == (bands, quantity)
        assert isinstance(scene.radiometry, Backscatter)
        chip, stored = scene.read(scene.grid.window), scene.read_dn(scene.grid.window)
        assert chip.valid.mean() > 0.9
        back = scene.radiometry.to_dn(chip.values, scene.output_nodata)
        np.testing.assert_allclose(back[chip.valid], stored[chip.valid], rtol=1e-6, atol=1e-6)
        assert 1e-4 < np.median(chip.values[chip.valid]) < 1e5


@pytest.mark.realdata
def test_real_rasters_that_do_not_tell_are_refused(real_data: Path) -> None:
    with pytest.raises(InputError, match=r"--stored-scale \(perhaps 10"):
        Scene.open_sar(list(real_data.glob("sentinel1/s1_temporal_mean_*.tif")))
    with pytest.raises(InputError, match="choose bands with --bands"):
        Scene.open_sar([real_data / "sentinel1_multitemporal" / "s1_c2_mtdn_01.tif"])
    with rasterio.open(real_data / "sentinel1" / "s1_grd_spain_7370579.tif") as dataset:
        assert dataset.count == 2
