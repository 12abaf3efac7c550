"""Labelled arrays become the rasters that another hand would have written, and come back as they were."""

import gc
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import odc.geo.xr  # noqa: F401 - gives arrays their `odc`
import pytest
import rasterio
import rioxarray
import xarray as xr
from affine import Affine

from rsgan.errors import GridError, InputError, RsganError
from rsgan.geo import RasterWriter, Scene
from rsgan.geo.dataarray import from_raster, likest, to_raster
from rsgan.radiometry import SAR_INPUT_DTYPES

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # rioxarray, affine 3

BANDS = ("B02", "B03", "B04", "B08")
PLACE = Affine(10.0, 0.0, 463000.0, 0.0, -10.0, 5247000.0)


def labelled(
    values: np.ndarray, transform: Affine = PLACE, crs: str | None = "EPSG:32633", **attrs: object
) -> xr.DataArray:
    """(band, y, x) array with coordinates at the centres of the pixels."""
    _, height, width = values.shape
    array = xr.DataArray(
        values,
        dims=("band", "y", "x"),
        coords={
            "band": list(BANDS[: len(values)]),
            "y": transform.f + (np.arange(height) + 0.5) * transform.e,
            "x": transform.c + (np.arange(width) + 0.5) * transform.a,
        },
        attrs=attrs,
        name="reflectance",
    )
    return array if crs is None else array.rio.write_crs(crs)


@pytest.fixture
def integers(dn: np.ndarray) -> xr.DataArray:
    dn[:, 3, 4] = 0
    return labelled(dn, scale_factor=0.0001, add_offset=-0.1, _FillValue=0)


@pytest.fixture
def decoded(integers: xr.DataArray) -> xr.DataArray:
    """The same as xarray decodes it: float32 reflectance with NaN, and an encoding that says how it was stored."""
    array = xr.conventions.decode_cf_variable("reflectance", integers.variable)
    return integers.copy(data=array.data).assign_attrs(array.attrs)._replace(variable=array)


def read(path: Path) -> tuple[np.ndarray, dict]:
    with rasterio.open(path) as dataset:
        stated = {"crs": dataset.crs, "transform": dataset.transform, "nodata": dataset.nodata}
        return dataset.read(), {
            **stated,
            "names": dataset.descriptions,
            "scales": dataset.scales,
            "tags": dataset.tags(),
        }


def test_integers_are_stored_as_they_are_with_what_they_mean(integers: xr.DataArray, tmp_path: Path) -> None:
    values, stated = read(to_raster(integers.assign_attrs(sensor="S2A", quality=3), tmp_path / "a.tif"))
    np.testing.assert_array_equal(values, integers.values)
    assert values.dtype == np.uint16
    assert (stated["crs"], stated["transform"], stated["nodata"]) == ("EPSG:32633", PLACE, 0)
    assert (stated["names"], stated["scales"]) == (BANDS, (0.0001,) * 4)
    assert stated["tags"]["sensor"] == "S2A"
    assert "scale_factor" not in stated["tags"]


def test_raster_states_the_same_as_rioxarray_writes(integers: xr.DataArray, tmp_path: Path) -> None:
    integers.rio.to_raster(tmp_path / "theirs.tif")
    ours, stated = read(to_raster(integers, tmp_path / "ours.tif"))
    theirs, expected = read(tmp_path / "theirs.tif")
    np.testing.assert_array_equal(ours, theirs)
    assert [stated[key] for key in ("crs", "transform", "nodata")] == [
        expected[k] for k in ("crs", "transform", "nodata")
    ]


def test_decoded_values_are_stored_as_the_integers_that_they_were(
    decoded: xr.DataArray, integers: xr.DataArray, tmp_path: Path
) -> None:
    assert decoded.dtype.kind == "f"
    assert np.isnan(decoded.values[:, 3, 4]).all()
    values, stated = read(to_raster(decoded, tmp_path / "a.tif"))
    np.testing.assert_array_equal(values, integers.values)
    assert (values.dtype, stated["nodata"], stated["scales"]) == (np.uint16, 0, (0.0001,) * 4)


@pytest.mark.parametrize("change", [lambda a: a + np.float32(0.00003), lambda a: a.where(a > 0.2, 30.0)])
def test_values_changed_since_they_were_decoded_are_stored_as_floats(
    decoded: xr.DataArray, change: Callable[[xr.DataArray], xr.DataArray], tmp_path: Path
) -> None:
    changed = change(decoded)
    changed.encoding = decoded.encoding
    values, stated = read(to_raster(changed, tmp_path / "a.tif"))
    np.testing.assert_array_equal(values, changed.values)
    assert values.dtype == changed.dtype
    assert np.isnan(stated["nodata"])


@pytest.mark.parametrize("order", [("y", "x", "band"), ("x", "y", "band"), ("band", "y", "x")], ids="".join)
def test_dimensions_come_back_in_the_order_in_which_they_were(
    integers: xr.DataArray, order: tuple[str, ...], tmp_path: Path
) -> None:
    turned = integers.transpose(*order)
    path = to_raster(turned, tmp_path / "a.tif")
    np.testing.assert_array_equal(read(path)[0], integers.values)
    xr.testing.assert_identical(from_raster(path, turned), turned.rio.write_transform())


@pytest.mark.parametrize("kind", ["integers", "decoded"])
def test_round_trip_keeps_values_attributes_and_encoding(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    array = request.getfixturevalue(kind).assign_coords(time=np.datetime64("2018-05-07T10:53:28", "ns"))
    array.encoding = {**array.encoding, "zlib": True, "chunksizes": (1, 20, 30), "source": "old.nc"}
    back = from_raster(to_raster(array, tmp_path / "a.tif"), array)
    xr.testing.assert_identical(back, array.rio.write_transform())
    assert back.dtype == array.dtype
    kept = {key: entry for key, entry in array.encoding.items() if key not in ("chunksizes", "source")}
    assert {key: entry for key, entry in back.encoding.items() if key != "grid_mapping"} == {
        key: entry for key, entry in kept.items() if key != "grid_mapping"
    }


def test_south_up_and_single_dates_survive(dn: np.ndarray, tmp_path: Path) -> None:
    upward = Affine(10.0, 0.0, 463000.0, 0.0, 10.0, 5246800.0)
    array = labelled(dn, upward).expand_dims(time=[np.datetime64("2018-05-07", "ns")], axis=1)
    path = to_raster(array, tmp_path / "a.tif")
    assert read(path)[1]["transform"] == upward
    back = from_raster(path, array)
    assert back.dims == ("band", "time", "y", "x")
    xr.testing.assert_identical(back, array.rio.write_transform())


def finer(path: Path, target: Path, order: tuple[int, ...] = (0, 1, 2, 3)) -> Path:
    """The raster with each pixel as four, and its bands in another order."""
    with rasterio.open(path) as dataset:
        values = dataset.read().repeat(2, axis=1).repeat(2, axis=2)[list(order)]
        a, _, c, _, e, f = dataset.transform[:6]
        profile = {**dataset.profile, "height": values.shape[1], "width": values.shape[2], "count": len(order)}
        with rasterio.open(target, "w", **{**profile, "transform": Affine(a / 2, 0, c, 0, e / 2, f)}) as out:
            out.write(values)
            for index, place in enumerate(order, start=1):
                out.set_band_description(index, dataset.descriptions[place])
            out.update_tags(RSGAN_MODEL="some")
    return target


def test_result_on_a_finer_grid_lies_where_rioxarray_and_odc_geo_look(decoded: xr.DataArray, tmp_path: Path) -> None:
    back = from_raster(finer(to_raster(decoded, tmp_path / "a.tif"), tmp_path / "b.tif"), decoded)
    assert isinstance(back, xr.DataArray)
    halved = Affine(5.0, 0.0, 463000.0, 0.0, -5.0, 5247000.0)
    assert (back.rio.transform(), back.rio.transform(recalc=True)) == (halved, halved)
    assert (back.rio.crs, back.rio.bounds()) == (decoded.rio.crs, decoded.rio.bounds())
    assert (back.odc.geobox.affine, back.odc.geobox.shape) == (halved, (40, 60))
    assert back.odc.geobox.crs == "EPSG:32633"
    assert back.x.values[:2].tolist() == [463002.5, 463007.5]
    np.testing.assert_array_equal(back.values, decoded.values.repeat(2, axis=1).repeat(2, axis=2))
    assert back.attrs["RSGAN_MODEL"] == "some"


def test_bands_are_found_by_name_and_bring_their_coordinates(dn: np.ndarray, tmp_path: Path) -> None:
    names = xr.DataArray(["blue", "green", "red", "nir"], dims="band")
    array = labelled(dn, long_name=list(BANDS), resolution=10).assign_coords(band=[1, 2, 3, 4], common_name=names)
    array.attrs["transform"] = tuple(PLACE)[:6]
    path = finer(to_raster(array, tmp_path / "a.tif"), tmp_path / "b.tif", order=(3, 1))
    assert read(tmp_path / "a.tif")[1]["names"] == BANDS
    back = from_raster(path, array)
    assert back.band.values.tolist() == [4, 2]
    assert back.common_name.values.tolist() == ["nir", "green"]
    assert back.attrs["long_name"] == list(BANDS)  # as rioxarray has it: band 4 is the fourth
    again = to_raster(back, tmp_path / "c.tif")
    assert read(again)[1]["names"] == ("B08", "B03")
    assert (back.attrs["resolution"], back.attrs["transform"][0]) == (5.0, 5.0)
    np.testing.assert_array_equal(back.values[0, ::2, ::2], dn[3])


@pytest.mark.parametrize(
    ("choose", "names"),
    [
        (lambda a: a.isel(band=[3, 2, 1, 0]), ("B08", "B04", "B03", "B02")),
        (lambda a: a.sel(band=[2, 4]), ("B03", "B08")),
        (lambda a: a.isel(band=2), ("B04",)),
        (lambda a: a.isel(band=[1]), ("B03",)),
    ],
)
def test_chosen_bands_of_rioxarray_keep_their_names_and_scales(
    choose: Callable[[xr.DataArray], xr.DataArray], names: tuple[str, ...], samples: Path, tmp_path: Path
) -> None:
    array = rioxarray.open_rasterio(samples / "s2_rgbn_10m.tif")
    del array.attrs["scale_factor"]
    array.attrs["scales"] = (0.1, 0.2, 0.3, 0.4)
    values, stated = read(to_raster(choose(array), tmp_path / "a.tif"))
    assert stated["names"] == names
    assert stated["scales"] == tuple(array.attrs["scales"][BANDS.index(name)] for name in names)
    np.testing.assert_array_equal(values, array.values[[BANDS.index(name) for name in names]])
    xr.testing.assert_identical(from_raster(tmp_path / "a.tif", choose(array)), choose(array))


def test_per_band_attributes_follow_bands_that_are_called_by_name(dn: np.ndarray, tmp_path: Path) -> None:
    array = labelled(dn, long_name=("blue", "green", "red", "nir"), scales=(0.1, 0.2, 0.3, 0.4))
    back = from_raster(finer(to_raster(array, tmp_path / "a.tif"), tmp_path / "b.tif", order=(3, 1)), array)
    assert back.band.values.tolist() == ["B08", "B03"]
    assert (back.attrs["long_name"], back.attrs["scales"]) == (("nir", "green"), (0.4, 0.2))


def test_a_band_that_the_array_did_not_have_is_called_by_its_name(dn: np.ndarray, tmp_path: Path) -> None:
    path = to_raster(labelled(dn), tmp_path / "a.tif")
    few = labelled(dn[:2]).assign_coords(band=[7, 9], common_name=("band", ["blue", "green"]))
    back = from_raster(path, few)
    assert back.band.values.tolist() == list(BANDS)
    assert "common_name" not in back.coords


def test_dataset_comes_back_variable_by_variable(integers: xr.DataArray, tmp_path: Path) -> None:
    dataset = integers.to_dataset("band", promote_attrs=False)
    for name in BANDS:
        dataset[name].attrs = {"scale_factor": 0.0001, "_FillValue": 0, "what": f"band {name}"}
    dataset.attrs["title"] = "of the whole"
    path = to_raster(dataset, tmp_path / "a.tif")
    values, stated = read(path)
    np.testing.assert_array_equal(values, integers.values)
    assert (stated["names"], stated["nodata"], stated["tags"]["title"]) == (BANDS, 0, "of the whole")
    back = from_raster(path, dataset)
    assert isinstance(back, xr.Dataset)
    xr.testing.assert_identical(back, dataset.rio.write_transform())


def test_new_bands_of_a_dataset_are_variables_of_their_own(integers: xr.DataArray, tmp_path: Path) -> None:
    path = to_raster(integers, tmp_path / "a.tif")
    back = from_raster(path, integers.isel(band=slice(0, 2)).to_dataset("band"))
    assert list(back.data_vars) == list(BANDS)
    np.testing.assert_array_equal(back["B08"].values, integers.values[3])


def test_variables_of_other_types_stay_out_when_they_are_no_bands(integers: xr.DataArray, tmp_path: Path) -> None:
    dataset = integers.to_dataset("band").assign(SCL=(("y", "x"), np.ones((20, 30), np.uint8)))
    assert read(to_raster(dataset, tmp_path / "a.tif"))[1]["names"] == BANDS
    mixed = dataset.assign(B03=dataset["B03"].astype(np.float32))
    with pytest.raises(InputError, match=r"different types.*B03 float32.*dataset\[\["):
        to_raster(mixed, tmp_path / "b.tif")


def test_chunked_in_is_chunked_out_and_nothing_is_computed_twice(decoded: xr.DataArray, tmp_path: Path) -> None:
    seen: list[tuple[int, ...]] = []

    def noted(block: np.ndarray) -> np.ndarray:
        seen.append(block.shape)
        return block

    chunked = decoded.chunk(band=1, y=16, x=12)
    chunked = chunked.copy(data=chunked.data.map_blocks(noted, meta=decoded.values[:0]))
    chunked.encoding = decoded.encoding
    path = to_raster(chunked, tmp_path / "a.tif")
    assert len(seen) == 4 * 2 * 3
    back = from_raster(path, chunked)
    assert back.chunks == ((1, 1, 1, 1), (16, 4), (12, 12, 6))
    xr.testing.assert_identical(back.compute(), decoded.rio.write_transform())
    np.testing.assert_array_equal(back[:, ::-3, 5:7].values, decoded.values[:, ::-3, 5:7])


def test_windows_follow_chunks_and_are_bounded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from rsgan.geo import dataarray

    monkeypatch.setattr(dataarray, "_SPAN_PX", 10)
    spans = dataarray._spans
    assert spans((6, 6, 6, 2), 20) == [(0, 12), (12, 20)]
    assert spans(None, 25) == [(0, 10), (10, 20), (20, 25)]
    array = labelled(np.arange(4 * 25 * 31, dtype=np.uint16).reshape(4, 25, 31))
    np.testing.assert_array_equal(read(to_raster(array, tmp_path / "a.tif"))[0], array.values)
    np.testing.assert_array_equal(from_raster(tmp_path / "a.tif", array).values, array.values)


def test_folder_is_removed_when_nothing_reads_from_it_any_more(integers: xr.DataArray, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    path = to_raster(integers, folder / "a.tif")
    lazy = from_raster(path, integers.chunk(y=10), end=partial(shutil.rmtree, folder))
    assert path.exists()
    doubled = lazy * 2
    del lazy
    np.testing.assert_array_equal(doubled.values, integers.values * 2)
    del doubled
    gc.collect()
    assert not folder.exists()


def test_coordinates_alone_make_a_grid_and_a_cut_lies_where_it_was_cut(dn: np.ndarray, tmp_path: Path) -> None:
    bare = labelled(dn, crs=None)
    _, stated = read(to_raster(bare, tmp_path / "a.tif"))
    assert (stated["crs"], stated["transform"]) == (None, PLACE)
    assert "spatial_ref" not in from_raster(tmp_path / "a.tif", bare).coords
    cut = labelled(dn).rio.write_transform().isel(x=slice(5, 20), y=slice(2, 9))
    path = to_raster(cut, tmp_path / "b.tif")
    assert read(path)[1]["transform"] == Affine(10.0, 0.0, 463050.0, 0.0, -10.0, 5246980.0)


@pytest.mark.parametrize(
    ("attrs", "coords"),
    [({"crs": "EPSG:32633"}, {}), ({"epsg": "32633"}, {}), ({}, {"epsg": 32633}), ({}, {"proj:code": "EPSG:32633"})],
    ids=["crs", "epsg", "epsg-coordinate", "proj:code"],
)
def test_crs_is_found_where_others_put_it(dn: np.ndarray, attrs: dict, coords: dict, tmp_path: Path) -> None:
    array = labelled(dn, crs=None).assign_attrs(attrs).assign_coords(coords)
    path = to_raster(array, tmp_path / "a.tif")
    assert read(path)[1]["crs"] == "EPSG:32633"
    assert from_raster(path, array).odc.geobox.crs == "EPSG:32633"


def test_degrees_rounded_to_float32_are_regular(dn: np.ndarray, tmp_path: Path) -> None:
    array = labelled(dn, Affine(9e-5, 0, 14.5, 0, -9e-5, 47.3), crs="EPSG:4326")
    array = array.assign_coords(x=array.x.astype(np.float32), y=array.y.astype(np.float32))
    array = array.rename(x="longitude", y="latitude")
    transform = read(to_raster(array, tmp_path / "a.tif"))[1]["transform"]
    assert transform.a == pytest.approx(9e-5, rel=1e-2)
    assert transform.c == pytest.approx(14.5, abs=2e-6)


def test_array_of_one_band_is_called_as_its_band_is(dn: np.ndarray, tmp_path: Path) -> None:
    single = labelled(dn).sel(band="B08")
    path = to_raster(single, tmp_path / "a.tif")
    assert read(path)[1]["names"] == ("B08",)
    xr.testing.assert_identical(from_raster(path, single), single.rio.write_transform())


def test_scene_reads_the_reflectance_that_xarray_decodes(decoded: xr.DataArray, tmp_path: Path) -> None:
    with Scene.open([to_raster(decoded, tmp_path / "a.tif")], wanted=BANDS) as scene:
        chip = scene.read(scene.grid.window)
    np.testing.assert_array_equal(chip.valid, ~np.isnan(decoded.values))
    np.testing.assert_allclose(chip.values[chip.valid], decoded.values[chip.valid], atol=1e-7)


def test_rasters_read_by_rioxarray_come_back_as_it_reads_them(samples: Path, tmp_path: Path) -> None:
    for options in ({}, {"masked": True}, {"mask_and_scale": True}, {"band_as_variable": True}):
        array = rioxarray.open_rasterio(samples / "s2_rgbn_10m.tif", **options)
        path = to_raster(array, tmp_path / "a.tif")
        xr.testing.assert_identical(from_raster(path, array), array)
        np.testing.assert_array_equal(read(path)[0], read(samples / "s2_rgbn_10m.tif")[0])


@pytest.fixture
def samples() -> Path:
    return Path(__file__).parents[2] / "data_samples"


def test_the_array_with_most_of_the_bands_is_likest(dn: np.ndarray, tmp_path: Path) -> None:
    path = to_raster(labelled(dn)[2:], tmp_path / "a.tif")
    few, other = labelled(dn)[:3], labelled(dn)[1:]
    assert likest(path, [few, other]) is other
    assert likest(path, [few]) is few


def irregular(array: xr.DataArray) -> xr.DataArray:
    x = array.x.values.copy()
    x[7] += 4.0
    return array.assign_coords(x=x)


@pytest.mark.parametrize(
    ("broken", "error", "message"),
    [
        (
            irregular,
            GridError,
            r"coordinate x of DataArray 'reflectance' is irregular: value 7 is 463079, 4 \(0\.4 pix",
        ),
        (lambda a: a.drop_vars("x"), GridError, "coordinates along y only; expected both y and x"),
        (lambda a: a.rename(x="col", y="row"), GridError, r"dimensions band, row, col.*array\.rename"),
        (lambda a: a.assign_coords(x=[f"c{i}" for i in range(30)]), GridError, "coordinate x .* holds .*expected numb"),
        (lambda a: a.assign_coords(x=np.full(30, 5.0)), GridError, "runs from 5 to 5; expected finite, even steps"),
        (lambda a: a.isel(x=slice(0, 0)), GridError, "coordinate x .* is empty"),
        (lambda a: a.isel(x=[3]), GridError, "has one value, which gives no pixel size"),
        (
            lambda a: a.drop_vars(["x", "y"]).assign_coords(lon=(("y", "x"), np.ones((20, 30)))),
            GridError,
            "curvilinear",
        ),
        (lambda a: a.assign_attrs(crs="nonsense").drop_vars("spatial_ref"), GridError, "cannot be understood"),
        (lambda a: a.astype("int64"), InputError, r"holds int64; expected one of uint8 .*array\.astype"),
        (lambda a: a.astype("complex64"), InputError, "holds complex64"),
        (lambda a: a.expand_dims(time=2), InputError, r"time \(2\), band \(4\).*array\.isel\(time=0\)"),
        (lambda a: a.to_dataset(name="r").mean(["x"]), GridError, "expected rows and columns called y and x"),
        (
            lambda a: a.assign_attrs(scale_factor=[1.0, 2.0]),
            InputError,
            "scale_factor or scales has 2 values for 4 bands",
        ),
    ],
)
def test_what_is_no_raster_is_refused_by_name(
    integers: xr.DataArray,
    broken: Callable[[xr.DataArray], xr.DataArray],
    error: type[RsganError],
    message: str,
    tmp_path: Path,
) -> None:
    with pytest.raises(error, match=message):
        to_raster(broken(integers), tmp_path / "a.tif")
    assert list(tmp_path.iterdir()) == []


def test_rotated_grids_and_series_are_refused(integers: xr.DataArray, tmp_path: Path) -> None:
    rotated = integers.rio.write_transform(Affine(8.0, 3.0, 0.0, 3.0, -8.0, 0.0)).drop_vars(["x", "y"])
    with pytest.raises(GridError, match=r"rotated grid .*rio\.reproject"):
        to_raster(rotated, tmp_path / "a.tif")
    times = np.array(["2018-05-07", "2018-05-12"], "datetime64[ns]")
    series = xr.concat([integers[0], integers[1]], dim=xr.Variable("time", times)).drop_vars("band")
    with pytest.raises(InputError, match=r"time \(2\).*array\.isel\(time=0\)"):
        to_raster(series, tmp_path / "a.tif")


def test_nodata_that_the_type_cannot_hold_is_left_out(dn: np.ndarray, tmp_path: Path) -> None:
    assert read(to_raster(labelled(dn, _FillValue=-9999), tmp_path / "a.tif"))[1]["nodata"] is None
    floats = labelled(dn.astype(np.float32), nodata=-9999.0)
    assert read(to_raster(floats, tmp_path / "b.tif"))[1]["nodata"] == -9999.0


@pytest.mark.parametrize("dtype", ["complex64", "int32", "uint32"])
def test_types_of_radar_go_through_when_they_are_asked_for(tmp_path: Path, dtype: str) -> None:
    values = (np.random.default_rng(4).integers(1, 300, (2, 20, 30)) * (1 + 2j)).astype(np.complex64)
    array = labelled(values if dtype == "complex64" else values.real.astype(dtype), units="power")
    with pytest.raises(InputError, match=f"holds {dtype}; expected one of"):
        to_raster(array, tmp_path / "a.tif")
    path = to_raster(array, tmp_path / "a.tif", dtypes=SAR_INPUT_DTYPES)
    with Scene.open_sar([path]) as scene:
        np.testing.assert_array_equal(scene.read_dn(scene.grid.window), array.values)
        chip = scene.read(scene.grid.window)
        assert scene.stated.units == ("power", "power")
        back = scene.radiometry.to_dn(chip.values)
        with RasterWriter(tmp_path / "b.tif", grid=scene.grid, count=2, dtype=scene.radiometry.dtype) as writer:
            writer.write(back, scene.grid.window)
    again = from_raster(tmp_path / "b.tif", array)
    assert again.dtype == ("float32" if dtype == "complex64" else dtype)
    power = values.real**2 + values.imag**2
    np.testing.assert_array_equal(again.values, power if dtype == "complex64" else array.values)
