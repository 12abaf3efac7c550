"""A model of any band: each band by itself, whatever it measures and however it is stored."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp
from scipy.ndimage import gaussian_filter, zoom

from rsgan.card import ProbeCoefficients
from rsgan.enhance.superres import superres
from rsgan.errors import BandError
from rsgan.model import open_model, replace_card
from rsgan.sensors.statistics import FEATURES

Make = Callable[..., Path]


@pytest.fixture
def make_raster(make_raster: Make) -> Make:
    """The same, without names of bands unless they are given."""
    return partial(make_raster, descriptions=())


def ground(shape: tuple[int, int], seed: int) -> np.ndarray:
    """(H, W) of mean 0 and deviation 1, smooth with some texture."""
    rng = np.random.default_rng(seed)
    values = gaussian_filter(rng.normal(size=shape), 3) * 8 + gaussian_filter(rng.normal(size=shape), 1)
    return (values - values.mean()) / values.std()


def bands(levels: list[tuple[float, float]], shape: tuple[int, int] = (60, 80)) -> np.ndarray:
    """(C, H, W) of the given (mean, deviation)."""
    return np.stack([mean + spread * ground(shape, seed) for seed, (mean, spread) in enumerate(levels)])


def run(source: Path, model: Path, name: str = "out.tif", **settings: Any) -> Path:
    return superres(source, source.with_name(name), model=model, overwrite=True, symmetries=1, **settings)


def pixels(path: Path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return dataset.read()


def bicubic(values: np.ndarray) -> np.ndarray:
    return zoom(values.astype(float), (1, 2, 2), order=3, grid_mode=True, mode="nearest")


@pytest.mark.parametrize(
    ("dtype", "levels"),
    [
        ("uint16", [(2000, 300)]),
        ("float32", [(295, 6)]),
        ("uint8", [(120, 25), (110, 20), (90, 20)]),
        ("int16", [(-500, 60), (0, 200), (300, 30), (4000, 600), (12000, 900)]),
        ("float32", [(2e5, 1e4)]),
    ],
    ids=["one band", "kelvin", "8-bit RGB", "five signed bands", "large numbers"],
)
def test_any_raster_comes_out_in_its_own_numbers(
    make_raster: Make, any_model: Path, dtype: str, levels: list[tuple[float, float]]
) -> None:
    values = bands(levels)
    values = values.round().astype(dtype) if dtype != "float32" else values.astype(dtype)
    out = run(make_raster("in.tif", values), any_model)
    with rasterio.open(out) as dataset:
        assert dataset.dtypes == (dtype,) * len(levels)
        assert dataset.res == (5, 5)
        enhanced = dataset.read()
    assert enhanced.shape == (len(levels), 120, 160)
    departure = np.abs(enhanced - bicubic(values))
    for plane, (_, spread) in zip(departure, levels, strict=True):
        assert 0 < plane.mean() < 0.3 * spread  # random weights: something is changed, nothing is spoilt
    means = enhanced.mean((1, 2)) - values.mean((1, 2), dtype=float)
    assert (np.abs(means) < 0.1 * np.array([spread for _, spread in levels])).all()


def test_names_and_colours_are_kept(make_raster: Make, any_model: Path) -> None:
    colours = [ColorInterp.red, ColorInterp.green, ColorInterp.blue]
    values = bands([(120, 25), (110, 20), (90, 20)]).round().astype(np.uint8)
    source = make_raster("rgb.tif", values, colorinterp=colours, photometric="RGB", descriptions=["roofs", "", "sky"])
    with rasterio.open(run(source, any_model)) as dataset:
        assert dataset.colorinterp == tuple(colours)
        assert dataset.descriptions[0] == "roofs"
        assert dataset.descriptions[2] == "sky"


def test_scale_offset_and_unit_are_kept(make_raster: Make, any_model: Path) -> None:
    values = bands([(29500, 600)]).round().astype(np.uint16)
    how = {"scales": [0.00341802], "offsets": [149.0], "units": ["K"]}
    with rasterio.open(run(make_raster("st.tif", values, **how), any_model)) as dataset:
        assert dataset.scales == (0.00341802,)
        assert dataset.offsets == (149.0,)
        assert dataset.units == ("K",)
        assert dataset.read().mean() == pytest.approx(values.mean(), rel=1e-3)


def test_a_band_is_what_it_is_alone(make_raster: Make, any_model: Path) -> None:
    values = bands([(1500, 300), (4000, 900), (300, 40)]).round().astype(np.uint16)
    together = pixels(run(make_raster("three.tif", values), any_model))
    for number in range(3):
        alone = run(make_raster("one.tif", values[number : number + 1]), any_model)
        assert np.abs(together[number].astype(int) - pixels(alone)[0]).max() <= 1


@pytest.fixture
def told_model(any_model: Path, tmp_path: Path) -> Path:
    """The same model with estimators of noise and point spread function that look at one feature each."""
    path = tmp_path / "told.safetensors"
    path.write_bytes(any_model.read_bytes())
    weights = np.zeros((2, 1 + 2 * FEATURES))
    weights[0, :2], weights[1, :2] = (-3.0, 0.5), (0.4, 0.05)
    probe = ProbeCoefficients(
        mean=(0.0,) * FEATURES, deviation=(1.0,) * FEATURES, log_noise=tuple(weights[0]), sigma=tuple(weights[1])
    )
    replace_card(path, open_model(path).card.model_copy(update={"probe": probe}))
    return path


def test_a_band_is_what_it_is_alone_where_its_sensor_is_estimated_too(make_raster: Make, told_model: Path) -> None:
    values = bands([(1500, 300), (4000, 900), (300, 40)]).round().astype(np.uint16)
    with rasterio.open(run(make_raster("three.tif", values), told_model)) as dataset:
        together, noise = dataset.read(), dataset.tags()["RSGAN_NOISE"]
        assert dataset.tags()["RSGAN_STATISTICS"] == "estimated from the scene"
    assert len(set(noise.strip("[]").split(", "))) == 3
    for number in range(3):
        alone = run(make_raster("one.tif", values[number : number + 1]), told_model)
        assert np.abs(together[number].astype(int) - pixels(alone)[0]).max() <= 1


def test_a_hole_in_one_band_tells_nothing_about_the_sensor_of_another(make_raster: Make, told_model: Path) -> None:
    values = bands([(1500, 300), (4000, 900), (300, 40)]).round().astype(np.uint16)
    values[0, :, 30:60] = 0
    values[2] = 0
    together = pixels(run(make_raster("three.tif", values, nodata=0), told_model))
    for number in range(2):
        alone = run(make_raster("one.tif", values[number : number + 1], nodata=0), told_model)
        assert np.abs(together[number].astype(int) - pixels(alone)[0]).max() <= 1
    assert not together[2].any()


@pytest.mark.parametrize("asked", [("2", "1"), ("b", "a")])
def test_bands_are_chosen_in_the_order_asked(make_raster: Make, any_model: Path, asked: tuple[str, str]) -> None:
    values = bands([(1500, 300), (4000, 900), (300, 40)]).round().astype(np.uint16)
    source = make_raster("three.tif", values, descriptions=["a", "b", "c"])
    whole = pixels(run(source, any_model, "whole.tif"))
    with rasterio.open(run(source, any_model, bands=asked)) as dataset:
        assert dataset.descriptions == ("b", "a")
        assert np.abs(dataset.read().astype(int) - whole[[1, 0]]).max() <= 1


def test_one_file_per_band_keeps_the_order_of_the_files(make_raster: Make, any_model: Path) -> None:
    values = bands([(4000, 900), (300, 40)]).round().astype(np.uint16)
    files = [make_raster(f"{name}.tif", values[i : i + 1], descriptions=[name]) for i, name in enumerate("zq")]
    whole = pixels(run(make_raster("both.tif", values), any_model, "whole.tif"))
    out = superres(files, files[0].with_name("out.tif"), model=any_model, symmetries=1)
    with rasterio.open(out) as dataset:
        assert dataset.descriptions == ("z", "q")
        assert np.abs(dataset.read().astype(int) - whole).max() <= 1


def test_a_band_that_is_not_there_is_refused(make_raster: Make, any_model: Path) -> None:
    source = make_raster("one.tif", np.full((1, 8, 8), 9, np.uint16), descriptions=["height"])
    with pytest.raises(BandError, match=r"asks for 'B04', which names 0 bands of .*: its bands are height"):
        run(source, any_model, bands=("B04",))


def test_a_nodata_of_one_band_is_that_of_no_other(make_raster: Make, any_model: Path) -> None:
    values = bands([(1500, 300), (4000, 900)]).round().astype(np.uint16)
    values[0, 10:20, 30:50] = 0
    enhanced = pixels(run(make_raster("holes.tif", values, nodata=0), any_model))
    expected = np.zeros((120, 160), bool)
    expected[20:40, 60:100] = True
    np.testing.assert_array_equal(enhanced[0] == 0, expected)
    assert enhanced[1].min() > 0


def test_missing_temperatures_stay_missing(make_raster: Make, any_model: Path) -> None:
    values = bands([(295, 6)]).astype(np.float32)
    values[0, 5:9, 7:20] = np.nan
    enhanced = pixels(run(make_raster("kelvin.tif", values), any_model))
    expected = np.zeros((120, 160), bool)
    expected[10:18, 14:40] = True
    np.testing.assert_array_equal(np.isnan(enhanced[0]), expected)
    near = enhanced[0, 6:22, 10:44]
    assert np.nanmin(near) > values[0, 2:12, 4:24][np.isfinite(values[0, 2:12, 4:24])].min() - 6


def test_any_tiling_gives_one_raster(make_raster: Make, any_model: Path) -> None:
    values = bands([(1500, 300), (4000, 900)], (90, 150)).round().astype(np.uint16)
    source = make_raster("in.tif", values)
    whole = pixels(run(source, any_model)).astype(int)
    assert np.abs(pixels(run(source, any_model, window=64, batch=2)) - whole).max() <= 1
    part = pixels(run(source, any_model, crop=(31, 17, 60, 40)))
    assert np.abs(part - whole[:, 34:114, 62:182]).max() <= 1


def test_pixels_of_any_size_are_no_reason_for_a_note(make_raster: Make, any_model: Path) -> None:
    values = bands([(1500, 300)]).round().astype(np.uint16)
    source = make_raster("far.tif", values, transform=Affine(100, 0, 5e5, 0, -100, 5e6))
    assert pixels(run(source, any_model)).shape == (1, 120, 160)  # a note would be a warning, and an error here
