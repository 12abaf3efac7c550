"""NetCDF and Zarr are read by their coordinates, one date at a time."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from rasterio.crs import CRS

from rsgan.errors import BandError, GridError, InputError, RsganError
from rsgan.geo import Scene
from rsgan.geo.products.netcdf import netcdf_bands
from rsgan.geo.products.opening import is_netcdf, open_rasters, refuse_idle_date

pytestmark = [
    pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning"),  # rioxarray with affine 3
    pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning"),
]

BANDS = ("B02", "B03", "B04", "B08")
PLACE = Affine(10.0, 0.0, 501360.0, 0.0, -10.0, 5629680.0)
DATES = np.array(["2018-05-07T10:53:28", "2018-05-07T22:10:00", "2018-05-12T10:53:30", "2018-07-01T10:50:00"])
WKT = CRS.from_epsg(32631).to_wkt()
SIDE = 24


def stored(date: int, band: int) -> np.ndarray:
    return np.random.default_rng([date, band]).integers(1, 9999, (SIDE, SIDE)).astype(np.uint16)


@pytest.fixture
def series() -> xr.Dataset:
    """A time series as open data portals write it: bands and classes by variable, undecoded numbers."""
    attrs = {"scale_factor": 0.0001, "_FillValue": np.uint16(0), "grid_mapping": "spatial_ref"}
    values = {name: np.stack([stored(t, k) for t in range(4)]) for k, name in enumerate(BANDS)}
    return xr.Dataset(
        {
            **{name: (("t", "y", "x"), numbers, attrs) for name, numbers in values.items()},
            "SCL": (("t", "y", "x"), np.full((4, SIDE, SIDE), 4, np.uint8), {"grid_mapping": "spatial_ref"}),
            "sun_zenith": (("t",), np.linspace(30, 40, 4)),
            "spatial_ref": ((), 0, {"crs_wkt": WKT}),
        },
        coords={
            "t": DATES.astype("datetime64[ns]"),
            "y": PLACE.f + (np.arange(SIDE) + 0.5) * PLACE.e,
            "x": PLACE.c + (np.arange(SIDE) + 0.5) * PLACE.a,
        },
    )


def written(dataset: xr.Dataset, path: Path) -> Path:
    if path.suffix == ".zarr":
        dataset.to_zarr(path, zarr_format=2)
    else:
        dataset.to_netcdf(path, engine="h5netcdf")
    return path


@pytest.mark.parametrize("name", ["series.nc", "series.zarr"])
@pytest.mark.parametrize(("date", "index"), [("2018-05-12", 2), ("2018-05-07T22", 1), ("2018-07", 3)])
def test_variables_of_one_date_become_the_bands(
    series: xr.Dataset, name: str, date: str, index: int, tmp_path: Path
) -> None:
    with netcdf_bands(written(series, tmp_path / name), None, date) as rasters:
        with rasterio.open(rasters[0]) as dataset:
            assert (dataset.descriptions, dataset.dtypes[0], dataset.nodata) == (BANDS, "uint16", 0)
            assert (dataset.transform, dataset.crs, dataset.scales) == (PLACE, "EPSG:32631", (0.0001,) * 4)
            np.testing.assert_array_equal(dataset.read(), [stored(index, band) for band in range(4)])
        with rasterio.open(rasters[1]) as dataset:
            assert (dataset.descriptions, dataset.dtypes[0]) == (("SCL",), "uint8")
            assert (dataset.read() == 4).all()
    assert not any(raster.exists() for raster in rasters)


def test_a_file_of_one_date_needs_no_word_and_wanted_variables_alone_are_taken(
    series: xr.Dataset, tmp_path: Path
) -> None:
    path = written(series.isel(t=[2]), tmp_path / "one.nc")
    with netcdf_bands(path, ("B08", "B02"), None) as (raster,), rasterio.open(raster) as dataset:
        assert dataset.descriptions == ("B08", "B02")
        np.testing.assert_array_equal(dataset.read(1), stored(2, 3))
    with (
        pytest.raises(BandError, match="has no B05; its rasters are B02, B03, B04, B08, SCL"),
        netcdf_bands(path, ("B05",), None),
    ):
        pass


def unplaced(series: xr.Dataset) -> xr.Dataset:
    bare = series.drop_vars("spatial_ref")
    for name in (*BANDS, "SCL"):
        del bare[name].attrs["grid_mapping"]
    return bare


def in_mapping(series: xr.Dataset, name: str, attrs: dict) -> xr.Dataset:
    return unplaced(series).assign({name: ((), 0, attrs)})


@pytest.mark.parametrize(
    "place",
    [
        lambda s: in_mapping(s, "crs", {"spatial_ref": WKT, "GeoTransform": "501360 10 0 5629680 0 -10"}),
        lambda s: in_mapping(s, "UTM", CRS.from_epsg(32631) and {"crs_wkt": WKT, "grid_mapping_name": "x"}),
        lambda s: in_mapping(s, "spatial_ref", {"epsg_code": "EPSG:32631", "grid_mapping_name": "unknown"}),
        lambda s: unplaced(s).assign_attrs(epsg="32631"),
        lambda s: unplaced(s).assign_attrs(crs="EPSG:32631"),
    ],
    ids=["crs-variable", "other-variable", "epsg-code", "global-epsg", "global-crs"],
)
def test_crs_is_read_wherever_files_state_it(
    series: xr.Dataset, place: Callable[[xr.Dataset], xr.Dataset], tmp_path: Path
) -> None:
    path = written(place(series), tmp_path / "a.nc")
    with netcdf_bands(path, None, "2018-05-12") as rasters, rasterio.open(rasters[0]) as dataset:
        assert (dataset.crs, dataset.transform) == ("EPSG:32631", PLACE)


def test_scene_reads_reflectance_of_one_date(series: xr.Dataset, tmp_path: Path) -> None:
    path = written(series, tmp_path / "series.nc")
    with Scene.open([path], wanted=BANDS, date="2018-07-01") as scene:
        assert (scene.grid.transform, scene.gsd_m, scene.notes) == (PLACE, (10.0, 10.0), ())
        values = scene.read(scene.grid.window).values
    decoded = xr.open_dataset(path).isel(t=3)
    np.testing.assert_allclose(values, np.stack([decoded[name].values for name in BANDS]), atol=1e-7)
    decoded.close()


def test_scene_without_crs_works_and_says_so(series: xr.Dataset, tmp_path: Path) -> None:
    path = written(unplaced(series).isel(t=[0]), tmp_path / "series.nc")
    with Scene.open([path], wanted=BANDS) as scene:
        assert scene.grid.transform == PLACE
        assert scene.notes == (
            f"{path} has no coordinate system; its ground sampling distance is unknown, give it in metres with --gsd.",
        )


def test_bands_within_one_variable_keep_their_names(tmp_path: Path) -> None:
    values = np.stack([stored(0, band) for band in range(4)])
    coords = {"band": list(BANDS), "lat": 47.0 - np.arange(SIDE) * 1e-4, "lon": 14.0 + np.arange(SIDE) * 1e-4}
    cube = xr.DataArray(values, coords, ("band", "lat", "lon"), attrs={"crs": "EPSG:4326"}).to_dataset(name="r")
    with netcdf_bands(written(cube, tmp_path / "a.nc"), None, None) as (raster,), rasterio.open(raster) as dataset:
        assert (dataset.descriptions, dataset.crs) == (BANDS, "EPSG:4326")
        assert dataset.transform.a == pytest.approx(1e-4)
        np.testing.assert_array_equal(dataset.read(), values)


def test_other_rasters_are_opened_as_they_are(make_raster: Callable[..., Path], dn: np.ndarray) -> None:
    path = make_raster("scene.tif", dn)
    assert [is_netcdf(name) for name in (path, "a.nc", "a.zarr", path.parent)] == [False, True, True, False]
    with open_rasters(str(path), None) as [(name, dataset)]:
        assert name == str(path)
        np.testing.assert_array_equal(dataset.read(), dn)
    with pytest.raises(InputError, match=r"--date 2018 .*scene\.tif is neither\. Leave it out"):
        refuse_idle_date([str(path)], "2018")


def coordinateless(series: xr.Dataset) -> xr.Dataset:
    return series.drop_vars(["x", "y"])


DATE_CASES = [
    (None, r"holds 4 dates, from 2018-05-07T10:53:28 to 2018-07-01T10:50:00\. Choose one with --date"),
    ("2018-05-13", r"has no date 2018-05-13; the nearest of its 4 are 2018-05-07T10:53:28.*2018-05-12T10:53:30"),
    ("2018-05-07", r"has 2 dates that begin with 2018-05-07: 2018-05-07T10:53:28, 2018-05-07T22:10:00"),
    ("May", "has no date May; the nearest of its 4 are"),
]


@pytest.mark.parametrize(("date", "message"), DATE_CASES)
def test_a_date_that_is_not_clear_is_asked_for(
    series: xr.Dataset, date: str | None, message: str, tmp_path: Path
) -> None:
    path = written(series, tmp_path / "series.nc")
    with pytest.raises(InputError, match=message), netcdf_bands(path, None, date):
        pass


@pytest.mark.parametrize(
    ("broken", "date", "error", "message"),
    [
        (
            coordinateless,
            "2018-07",
            GridError,
            "does not say where its pixels lie: it has no coordinates along y and x",
        ),
        (lambda s: s[["sun_zenith"]], None, InputError, r"has no raster: its variables are sun_zenith float64 \(t\)"),
        (lambda s: s[["B02"]].astype("int64"), None, InputError, r"B02 int64 .*of the types uint8 int8"),
        (lambda s: s.isel(t=0, drop=True), "2018", InputError, "has no dates, but --date 2018 asks for one"),
        (lambda s: s.assign_coords(x=np.geomspace(1, 9, SIDE)), "2018-07", GridError, "coordinate x .*is irregular"),
    ],
)
def test_files_that_hold_no_scene_are_refused(
    series: xr.Dataset,
    broken: Callable[[xr.Dataset], xr.Dataset],
    date: str | None,
    error: type[RsganError],
    message: str,
    tmp_path: Path,
) -> None:
    path = written(broken(series), tmp_path / "series.nc")
    with pytest.raises(error, match=message), netcdf_bands(path, None, date):
        pass


def test_missing_and_damaged_files_are_told_apart(series: xr.Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"), netcdf_bands(tmp_path / "none.nc", None, None):
        pass
    path = written(series, tmp_path / "series.nc")
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match="cannot be opened as NetCDF or Zarr"), netcdf_bands(path, None, None):
        pass


def test_a_zarr_hierarchy_names_its_groups(series: xr.Dataset, tmp_path: Path) -> None:
    path = tmp_path / "product.zarr"
    series.isel(t=0, drop=True).to_zarr(path, group="measurements/r10m", zarr_format=2)
    with pytest.raises(InputError, match=r"its groups measurements/r10m, as in .*product\.zarr/measurements/r10m"):
        netcdf_bands(path, None, None).__enter__()
    with netcdf_bands(path / "measurements" / "r10m", BANDS, None) as (raster,), rasterio.open(raster) as dataset:
        np.testing.assert_array_equal(dataset.read(4), stored(0, 3))


@pytest.mark.realdata
def test_real_series_lie_where_their_coordinates_say(real_data: Path) -> None:
    (path,) = (real_data / "landsat" / "timeseries").glob("wc_L8_SR_10m_00002806639B424A*.nc")
    with netcdf_bands(path, None, "2017-08-15") as (raster,), rasterio.open(raster) as dataset:
        assert (dataset.transform, dataset.crs.to_epsg()) == (PLACE, 32631)
        red = dataset.read(dataset.descriptions.index("B04") + 1)
        whole = dataset.meta
    with xr.open_dataset(path, mask_and_scale=False) as oracle:
        np.testing.assert_array_equal(red, oracle["B04"].isel(timestamp=0).values)
    assert (whole["dtype"], whole["nodata"]) == ("uint16", 0)
