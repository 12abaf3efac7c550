"""A SAR raster in, the same raster without speckle out: what is kept, what is said, what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rioxarray
from affine import Affine
from PIL import Image

import rsgan
from rsgan.enhance.despeckle import prepare
from rsgan.enhance.speckle_method import DespeckleOptions, SarReading
from rsgan.enhance.speckle_report import check_pictures, save_preview, save_report
from rsgan.errors import ConfigError, GridError, InputError, ModelError, OutputError, RsganError, RsganWarning
from rsgan.sensors.sar import draw_speckle

Write = Callable[..., Path]
SIDE = 96
GRID = {"crs": "EPSG:32631", "transform": Affine(10, 0, 5e5, 0, -10, 5e6)}


def scene(looks: float = 4.0, seed: int = 0, bands: int = 2, side: int = SIDE) -> np.ndarray:
    """(C, H, W) speckled intensity: a bright field in a dark one."""
    rng = np.random.default_rng(seed)
    ground = np.full((side, side), 0.02)
    ground[side // 4 : side // 2, side // 3 :] = 0.3
    return np.stack([ground * (0.3**band) * draw_speckle(rng, ground.shape, looks) for band in range(bands)])


def db(intensity: np.ndarray) -> np.ndarray:
    return 10 * np.log10(intensity)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A function that writes a raster by rasterio alone."""

    def make(values: np.ndarray, name: str = "sar.tif", names: tuple[str, ...] = ("VV", "VH"), **options: Any) -> Path:
        count, height, width = values.shape
        profile = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": values.dtype}
        with rasterio.open(tmp_path / name, "w", **profile | GRID | options) as dataset:
            dataset.write(values)
            for index, text in enumerate(names[:count], start=1):
                dataset.set_band_description(index, text)
        return tmp_path / name

    return make


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return dataset.read()


def quick(source: Any, out: Path, **settings: Any) -> np.ndarray:
    return read(rsgan.despeckle(source, out, symmetries=1, **settings))


# what is kept


def test_grid_type_names_and_scale_are_those_of_the_input(write: Write, tmp_path: Path) -> None:
    path = write(db(scene()).astype(np.float32), nodata=-999.0)
    rsgan.despeckle(path, tmp_path / "out.tif")
    with rasterio.open(path) as before, rasterio.open(tmp_path / "out.tif") as after:
        assert (after.crs, after.transform, after.shape) == (before.crs, before.transform, before.shape)
        assert (after.dtypes, after.nodata, after.descriptions) == (before.dtypes, -999.0, ("VV", "VH"))
        tags = after.tags()
    assert {"RSGAN_TASK": "despeckle", "RSGAN_MODEL": "sar-despeckle", "RSGAN_QUANTITY": "db"}.items() <= tags.items()
    assert json.loads(tags["RSGAN_LOOKS"]) == pytest.approx([4, 4], rel=0.25)
    before_after = [json.loads(tags[f"RSGAN_ENL_{when}"]) for when in ("BEFORE", "AFTER")]
    assert min(before_after[1]) > 5 * max(before_after[0])
    assert json.loads(tags["RSGAN_MEAN_OF_RATIO"]) == pytest.approx([1, 1], abs=0.05)


def test_speckle_goes_and_the_mean_stays(write: Write, tmp_path: Path) -> None:
    intensity = scene(looks=1.0, bands=1)
    made = quick(write(intensity.astype(np.float32)), tmp_path / "out.tif", quantity="intensity", looks=1.0)
    assert made.mean() == pytest.approx(intensity.mean(), rel=0.05)
    field = (0, slice(30, 42), slice(40, 90))
    assert made[field].std() / made[field].mean() < 0.15 < intensity[field].std() / intensity[field].mean()


@pytest.mark.parametrize("factor", [1e-4, 1e6])
def test_brightness_scales_through(write: Write, tmp_path: Path, factor: float) -> None:
    intensity = scene(bands=1).astype(np.float32)
    settings = {"quantity": "intensity", "looks": 4.0}
    one = quick(write(intensity), tmp_path / "one.tif", **settings)
    other = quick(write(np.float32(factor) * intensity, "far.tif"), tmp_path / "other.tif", **settings)
    np.testing.assert_allclose(other, np.float32(factor) * one, rtol=2e-4)


def test_intensity_amplitude_and_db_give_one_image(write: Write, tmp_path: Path) -> None:
    intensity = scene(bands=1)
    stored = {"intensity": intensity, "amplitude": np.sqrt(intensity), "db": db(intensity)}
    back = {"intensity": lambda x: x, "amplitude": np.square, "db": lambda x: 10 ** (x / 10)}
    made = {}
    for quantity, values in stored.items():
        path = write(values.astype(np.float32), f"{quantity}.tif")
        made[quantity] = back[quantity](quick(path, tmp_path / f"{quantity}_out.tif", quantity=quantity, looks=4.0))
    np.testing.assert_allclose(made["amplitude"], made["intensity"], rtol=1e-4)
    np.testing.assert_allclose(made["db"], made["intensity"], rtol=1e-4)


def test_another_quantity_is_written_where_asked(write: Write, tmp_path: Path) -> None:
    path = write(db(scene(bands=1)).astype(np.float32))
    same = quick(path, tmp_path / "db.tif", looks=4.0)
    amplitude = quick(path, tmp_path / "amplitude.tif", looks=4.0, output_quantity="amplitude")
    np.testing.assert_allclose(20 * np.log10(amplitude), same, atol=1e-3)


@pytest.mark.parametrize("window", [64, 80])
def test_windows_leave_no_seam(write: Write, tmp_path: Path, window: int) -> None:
    path = write(db(scene(looks=1.0, bands=1, side=160)).astype(np.float32))
    whole = quick(path, tmp_path / "whole.tif", looks=1.0)
    tiled = quick(path, tmp_path / "tiled.tif", looks=1.0, window=window)
    np.testing.assert_allclose(tiled, whole, atol=0.01)


def test_a_crop_lies_where_it_was_cut(write: Write, tmp_path: Path) -> None:
    path = write(db(scene(bands=1)).astype(np.float32))
    quick(path, tmp_path / "out.tif", crop=(16, 32, 40, 24))
    with rasterio.open(tmp_path / "out.tif") as dataset:
        assert dataset.shape == (24, 40)
        assert (dataset.transform.c, dataset.transform.f) == (5e5 + 160, 5e6 - 320)


# holes


@pytest.mark.parametrize("method", ["network", "lee", "refined-lee", "gamma-map", "frost", "lee-sigma", "boxcar"])
def test_a_border_of_nan_stays_and_reaches_no_farther(write: Write, tmp_path: Path, method: str) -> None:
    values = db(scene(bands=1)).astype(np.float32)
    values[:, :7] = np.nan
    values[:, 50:53, 60:70] = np.nan
    made = quick(write(values), tmp_path / "out.tif", method=method)
    assert (np.isnan(made) == np.isnan(values)).all()


def test_fill_of_zero_stays_zero(write: Write, tmp_path: Path) -> None:
    intensity = (1e4 * np.sqrt(scene(bands=1))).astype(np.uint16)
    intensity[:, :, :9] = 0
    with pytest.warns(RsganWarning):
        made = quick(write(intensity), tmp_path / "out.tif")
    assert made.dtype == np.uint16
    assert ((made == 0) == (intensity == 0)).all()


def test_polarisations_of_unlike_valid_areas_keep_each_its_own(write: Write, tmp_path: Path) -> None:
    values = db(scene()).astype(np.float32)
    values[0, :20], values[1, :, 80:] = np.nan, np.nan
    made = quick(write(values), tmp_path / "out.tif")
    assert (np.isnan(made) == np.isnan(values)).all()


def test_negative_intensities_lose_nothing(write: Write, tmp_path: Path) -> None:
    intensity = scene(bands=1).astype(np.float32)
    intensity[0, 5, 5:9] = -1e-4
    made = quick(write(intensity), tmp_path / "out.tif", quantity="intensity")
    assert np.isfinite(made).all()
    assert (made > 0).all()


def test_one_pixel_is_despeckled(write: Write, tmp_path: Path) -> None:
    made = quick(write(np.full((1, 1, 1), -12.0, np.float32)), tmp_path / "out.tif", quantity="db", looks=4.0)
    assert made.shape == (1, 1, 1)
    assert np.isfinite(made).all()


# what comes in


def test_complex_data_become_intensity_of_both_parts(write: Write, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    slc = np.sqrt(scene(looks=1e6, bands=1) / 2) * (
        rng.normal(size=(1, SIDE, SIDE)) + 1j * rng.normal(size=(1, SIDE, SIDE))
    )
    path = write(slc.astype(np.complex64), names=("VV",))
    with pytest.warns(RsganWarning, match="phase"):
        made = quick(path, tmp_path / "out.tif", looks=1.0)
    assert made.dtype == np.float32
    assert made.mean() == pytest.approx(float((np.abs(slc) ** 2).mean()), rel=0.1)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_an_8_bit_picture_stays_one(tmp_path: Path) -> None:
    amplitude = np.clip(300 * np.sqrt(scene(bands=1)[0]), 1, 255).astype(np.uint8)
    Image.fromarray(amplitude).save(tmp_path / "sar.png")
    with pytest.warns(RsganWarning, match="amplitude|georeferencing"):
        made = quick(tmp_path / "sar.png", tmp_path / "out.tif")
    assert made.dtype == np.uint8
    assert made.mean() == pytest.approx(amplitude.mean(), rel=0.1)


def test_polarisations_in_files_of_their_own_are_joined(write: Write, tmp_path: Path) -> None:
    values = db(scene()).astype(np.float32)
    paths = [write(values[b : b + 1], f"{name}.tif", (name,)) for b, name in enumerate(("VV", "VH"))]
    joined = quick(paths, tmp_path / "joined.tif", looks=4.0)
    np.testing.assert_array_equal(joined, quick(write(values), tmp_path / "one.tif", looks=4.0))


def test_dates_are_averaged_by_quegan_yu(write: Write, tmp_path: Path) -> None:
    paths = [write(scene(seed=seed, bands=1).astype(np.float32), f"vv_{seed}.tif", ("VV",)) for seed in range(6)]
    made = quick(paths, tmp_path / "out.tif", method="quegan-yu", quantity="intensity")
    before = read(paths[0])[0, 30:42, 40:90]
    after = made[0, 30:42, 40:90]
    assert made.shape == (6, SIDE, SIDE)
    assert (after.mean() / after.std()) ** 2 > 4 * (before.mean() / before.std()) ** 2


@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # rioxarray with affine 3
def test_an_array_comes_back_as_an_array(write: Write, tmp_path: Path) -> None:
    path = write(db(scene()).astype(np.float32))
    with rioxarray.open_rasterio(path) as opened:
        array = opened.load()
    made = rsgan.despeckle(array, looks=4.0, symmetries=1)
    assert made.dims == array.dims
    np.testing.assert_array_equal(made.values, quick(path, tmp_path / "out.tif", looks=4.0))


# what is written beside


def test_the_ratio_image_is_observed_over_despeckled(write: Write, tmp_path: Path) -> None:
    values = db(scene(bands=1)).astype(np.float32)
    values[:, :4] = np.nan
    made = quick(write(values), tmp_path / "out.tif", ratio=tmp_path / "ratio.tif")
    ratio = read(tmp_path / "ratio.tif")
    np.testing.assert_allclose(10 * np.log10(ratio), values - made, atol=1e-3)


def test_report_and_preview_show_what_was_done(write: Write, tmp_path: Path) -> None:
    with prepare([write(db(scene()).astype(np.float32))], tmp_path / "out.tif") as job:
        result = job.run()
        save_report(tmp_path / "report.html", job, result)
        save_report(tmp_path / "report.json", job, result)
        save_preview(tmp_path / "look.png", job, result)
    numbers = json.loads((tmp_path / "report.json").read_text())
    assert set(numbers["bands"]) == {"VV", "VH"}
    assert numbers["bands"]["VV"]["mean_ratio"] == pytest.approx(1, abs=0.05)
    assert set(numbers["bands"]["VV"]["expected"]) >= {"mean_ratio", "ks_distance", "ratio_structure"}
    page = (tmp_path / "report.html").read_text()
    for part in ("Ratio image of VV", "Structure in the ratio image", "despeckled", "sar-despeckle", "<svg"):
        assert part in page
    with Image.open(tmp_path / "look.png") as picture:
        assert picture.width > 3 * SIDE


def test_reports_are_refused_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="--report"):
        check_pictures(tmp_path / "report.tif", None, overwrite=False)
    with pytest.raises(OutputError, match="--preview"):
        check_pictures(None, tmp_path / "look.jpg", overwrite=False)


def test_an_interrupted_run_leaves_nothing(write: Write, tmp_path: Path) -> None:
    path = write(db(scene(bands=1)).astype(np.float32))

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rsgan.despeckle(path, tmp_path / "out.tif", ratio=tmp_path / "ratio.tif", progress=interrupt, symmetries=1)
    assert {file.name for file in tmp_path.iterdir()} == {"sar.tif"}


# what is refused


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"quantity": "intensity"}, InputError, "--quantity db"),
        ({"looks": 0.0}, RsganError, "--looks 0"),
        ({"looks": -1.0}, RsganError, "--looks -1"),
        ({"correlation": (0.2, 1.0)}, RsganError, "--correlation"),
        ({"method": "lee", "sharpness": 0.5}, ConfigError, "--sharpness"),
        ({"method": "lee", "model": "sar-despeckle"}, ConfigError, "--model"),
        ({"method": "median"}, ConfigError, "refined-lee"),
        ({"method": "quegan-yu"}, ConfigError, "two dates"),
        ({"model": "s2-rgbn-x2"}, ModelError, "not for despeckling"),
        ({"crop": (0, 0, 500, 500)}, RsganError, "--crop"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_way_out(
    write: Write, tmp_path: Path, settings: dict[str, Any], error: type[Exception], said: str
) -> None:
    path = write(db(scene()).astype(np.float32))
    with pytest.raises(error, match=said):
        rsgan.despeckle(path, tmp_path / "out.tif", **settings)
    assert not (tmp_path / "out.tif").exists()


def test_a_scene_of_zeros_is_refused(write: Write, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"sar\.tif"):
        rsgan.despeckle(write(np.zeros((1, 40, 40), np.float32)), tmp_path / "out.tif", quantity="intensity")


def test_grids_that_differ_are_refused(write: Write, tmp_path: Path) -> None:
    values = db(scene(bands=1)).astype(np.float32)
    paths = [write(values, "vv.tif", ("VV",)), write(values[:, :50], "vh.tif", ("VH",))]
    with pytest.raises(GridError):
        rsgan.despeckle(paths, tmp_path / "out.tif")


def test_the_input_is_never_written_over(write: Write) -> None:
    path = write(db(scene(bands=1)).astype(np.float32))
    options = DespeckleOptions(overwrite=True)
    with pytest.raises(OutputError, match="the input itself"):
        prepare([path], path, reading=SarReading(), options=options)
    with pytest.raises(OutputError, match="the output itself"):
        prepare([path], path.with_name("out.tif"), options=DespeckleOptions(ratio=path.with_name("out.tif")))
