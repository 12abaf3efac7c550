"""Arrays are sharpened as their files would be, and come back as arrays of the same kind."""

import gc
import pickle
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import odc.geo.xr  # noqa: F401 - gives arrays their `odc`
import pytest
import rasterio
import rioxarray
import xarray as xr
from affine import Affine

import rsgan
from rsgan.enhance.arrays import enhance_array, is_array
from rsgan.enhance.scene_enhancer import SceneEnhancer
from rsgan.enhance.superres import superres
from rsgan.errors import BandError, GridError, InputError, RsganError, RsganWarning

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # rioxarray with affine 3

SCENE = Path(__file__).parents[2] / "data_samples" / "s2_rgbn_10m.tif"
QUICK = {"symmetries": 1, "sharpness": 0.0}


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder in which temporary files are made."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def array() -> xr.DataArray:
    """A corner of the sample scene, as integers."""
    with rioxarray.open_rasterio(SCENE) as opened:
        cut = opened.isel(x=slice(40, 104), y=slice(20, 76)).load()
    cut.name = "reflectance"
    return cut


def file_way(tmp_path: Path) -> np.ndarray:
    """What the file gives for the same corner."""
    with rasterio.open(SCENE) as dataset:
        window = rasterio.windows.Window(40, 20, 64, 56)
        profile = {**dataset.profile, "width": 64, "height": 56, "transform": dataset.window_transform(window)}
        with rasterio.open(tmp_path / "cut.tif", "w", **profile) as out:
            out.write(dataset.read(window=window))
            out.descriptions, out.scales, out.offsets = dataset.descriptions, dataset.scales, dataset.offsets
    with rasterio.open(superres(tmp_path / "cut.tif", tmp_path / "sharper.tif", **QUICK)) as dataset:
        return dataset.read()


def test_integers_give_the_numbers_that_the_file_gives(array: xr.DataArray, temporary: Path, tmp_path: Path) -> None:
    sharper = enhance_array(superres, array, **QUICK)
    np.testing.assert_array_equal(sharper.values, file_way(tmp_path))
    assert (sharper.dtype, sharper.name, sharper.dims) == (np.uint16, "reflectance", ("band", "y", "x"))
    assert {key: sharper.attrs[key] for key in array.attrs} == array.attrs
    assert sharper.attrs["RSGAN_SCALE"] == "2"
    halved = Affine(5.0, 0.0, *array.rio.bounds()[:1], 0.0, -5.0, array.rio.bounds()[3])
    assert (sharper.rio.transform(), sharper.rio.crs) == (halved, array.rio.crs)
    assert (sharper.odc.geobox.affine, sharper.odc.geobox.crs) == (halved, "EPSG:32633")
    del sharper
    gc.collect()
    assert list(temporary.iterdir()) == []


def test_decoded_reflectance_gives_reflectance_to_the_stored_unit(array: xr.DataArray, tmp_path: Path) -> None:
    decoded = array.astype(np.float32) * np.float32(0.0001)
    decoded.attrs = {key: array.attrs[key] for key in ("TITLE", "long_name")}
    decoded.encoding = {"dtype": "uint16", "scale_factor": 0.0001, "_FillValue": 0}
    sharper = enhance_array(superres, decoded, **QUICK)
    np.testing.assert_allclose(sharper.values, file_way(tmp_path) * 0.0001, atol=1e-7)
    assert sharper.dtype == np.float32
    assert {key: sharper.encoding[key] for key in decoded.encoding} == decoded.encoding


def test_dataset_gives_a_dataset_of_the_same_variables(array: xr.DataArray, tmp_path: Path) -> None:
    dataset = array.assign_coords(band=["B02", "B03", "B04", "B08"]).to_dataset("band", promote_attrs=True)
    for variable in dataset.data_vars.values():
        variable.attrs = {"scale_factor": 0.0001, "_FillValue": 0}
    sharper = enhance_array(superres, dataset, **QUICK)
    assert list(sharper.data_vars) == ["B02", "B03", "B04", "B08"]
    np.testing.assert_array_equal(sharper["B08"].values, file_way(tmp_path)[3])
    assert sharper.odc.geobox.shape == (112, 128)


def test_chunked_arrays_are_read_when_they_are_computed(array: xr.DataArray, temporary: Path, tmp_path: Path) -> None:
    sharper = enhance_array(superres, array.chunk(y=28, x=50), **QUICK)
    assert sharper.chunks == ((4,), (28,) * 4, (50, 50, 28))
    assert [path.name for path in temporary.glob("*/*.tif") if path.name == "enhanced.tif"]
    np.testing.assert_array_equal(sharper.values, file_way(tmp_path))
    del sharper
    gc.collect()
    assert list(temporary.iterdir()) == []


def test_a_chunked_array_is_enhanced_when_it_is_computed(array: xr.DataArray, temporary: Path, tmp_path: Path) -> None:
    whole = file_way(tmp_path)
    later = rsgan.superres(array.chunk(y=28, x=50), **QUICK)
    assert later.chunks == ((4,), (28,) * 4, (50, 50, 28))
    assert [path.name for path in temporary.glob("*/*")].count("enhanced.tif") == 1
    with rasterio.open(next(temporary.glob("*/enhanced.tif"))) as declared:
        assert not declared.read().any()
    np.testing.assert_allclose(later[:, 30:51, 77:].values.astype(int), whole[:, 30:51, 77:], rtol=0, atol=1)
    np.testing.assert_allclose(later.values.astype(int), whole, rtol=0, atol=1)  # other batches may round otherwise
    assert later.attrs.keys() >= array.attrs.keys()
    with pytest.raises(RsganError, match=r"cannot be sent to other processes\. Compute it with threads"):
        pickle.dumps(later.data.__dask_graph__())
    del later
    gc.collect()
    assert list(temporary.iterdir()) == []


def test_only_what_is_asked_for_is_computed(
    array: xr.DataArray, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = rsgan.superres(array.chunk(y=28, x=50), crop=(3, 5, 50, 40), **QUICK)
    seen: list[tuple[int, ...]] = []
    call = SceneEnhancer.__call__

    def noted(self: SceneEnhancer, observed: np.ndarray, *rest: Any) -> Any:
        seen.append(observed.shape)
        return call(self, observed, *rest)

    monkeypatch.setattr(SceneEnhancer, "__call__", noted)
    assert not seen
    later[:, :10, :10].compute()
    assert len(seen) == 1
    assert later.shape == (4, 80, 100)


def test_variables_of_a_dataset_share_what_is_computed(
    array: xr.DataArray, temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = array.assign_coords(band=["B02", "B03", "B04", "B08"]).to_dataset("band", promote_attrs=True)
    for variable in dataset.data_vars.values():
        variable.attrs = {"scale_factor": 0.0001, "_FillValue": 0}
    whole, calls = file_way(tmp_path), []
    later = rsgan.superres(dataset.chunk(y=56, x=64), **QUICK)
    call = SceneEnhancer.__call__
    monkeypatch.setattr(SceneEnhancer, "__call__", lambda self, *rest: calls.append(1) or call(self, *rest))
    values = later.compute()
    stacked = np.stack([values[name].values for name in values.data_vars]).astype(int)
    np.testing.assert_allclose(stacked, whole, rtol=0, atol=1)
    assert len(calls) == 4


@pytest.mark.parametrize("task", ["despeckle", "translate"])
def test_other_tasks_are_done_later_too(array: xr.DataArray, temporary: Path, task: str) -> None:
    if task == "despeckle":
        values = np.random.default_rng(0).gamma(4, 0.025, (2, 150, 170)).astype(np.float32)
        array = xr.DataArray(values, dims=("band", "y", "x"), coords={"band": ["VV", "VH"]}, attrs={"units": "1"})
        array = array.assign_coords(y=5e6 - 10 * np.arange(150), x=5e5 + 10 * np.arange(170)).rio.write_crs(
            "EPSG:32633"
        )
    enhance = getattr(rsgan, task)
    how: dict[str, Any] = {"window": 64} | ({"symmetries": 1, "quantity": "intensity"} if task == "despeckle" else {})
    now, later = enhance(array, **how), enhance(array.chunk(y=64), **how)
    assert later.chunks is not None
    np.testing.assert_allclose(later.values, now.values, rtol=1e-6)


def test_a_part_and_a_file_can_be_asked_for(array: xr.DataArray, temporary: Path, tmp_path: Path) -> None:
    part = enhance_array(superres, array, tmp_path / "kept.tif", crop=(8, 4, 40, 32), **QUICK)
    assert (part.sizes["x"], part.sizes["y"]) == (80, 64)
    assert part.rio.bounds() == array.isel(x=slice(8, 48), y=slice(4, 36)).rio.bounds(recalc=True)
    with rasterio.open(tmp_path / "kept.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(), part.values)
    assert list(temporary.iterdir()) == []


def test_arrays_without_crs_work_with_a_warning_that_names_them(array: xr.DataArray, tmp_path: Path) -> None:
    bare = array.drop_vars("spatial_ref")
    with pytest.warns(RsganWarning, match="^DataArray 'reflectance' has no coordinate system; .*--gsd") as noted:
        sharper = enhance_array(superres, bare, **QUICK)
    assert [str(note.message).count("temporary") for note in noted] == [0]
    assert sharper.rio.crs is None
    assert sharper.x.values[:2].tolist() == [bare.x.values[0] - 2.5, bare.x.values[0] + 2.5]


@pytest.mark.parametrize(
    ("broken", "error", "message"),
    [
        (lambda a: a.isel(band=[0, 1]), BandError, "^DataArray 'reflectance' has 2 bands; model needs 4"),
        (lambda a: a.assign_coords(x=a.x**2), GridError, "^coordinate x of DataArray 'reflectance' is irregular"),
    ],
)
def test_errors_name_the_array_and_leave_nothing(
    array: xr.DataArray, broken: object, error: type[RsganError], message: str, temporary: Path
) -> None:
    with pytest.raises(error, match=message):
        enhance_array(superres, broken(array), **QUICK)
    assert list(temporary.iterdir()) == []


def test_arrays_and_paths_are_not_mixed(array: xr.DataArray, temporary: Path) -> None:
    with pytest.raises(InputError, match=r"s2_20m\.tif stands among arrays; .* Open it"):
        superres([array, "s2_20m.tif"], method="linear")
    with pytest.raises(InputError, match="given as DataArray; expected a path, several paths, or xarray arrays alone"):
        superres(["s2_20m.tif", array], method="linear")
    assert list(temporary.iterdir()) == []


def test_arrays_are_told_from_paths(array: xr.DataArray) -> None:
    assert [is_array(source) for source in (array, array.to_dataset(), [array, array])] == [True] * 3
    assert [is_array(source) for source in (SCENE, str(SCENE), [SCENE, SCENE], [])] == [False] * 4
