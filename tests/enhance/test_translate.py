"""Translation through the window walk."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
import xarray as xr

import rsgan
from rsgan.card import Domain, ModelCard
from rsgan.enhance.translate import prepare
from rsgan.errors import GridError, ModelError, OutputError, RsganError
from rsgan.geo import Scene
from rsgan.model import save_model
from rsgan.nn.generators import TranslationConfig, TranslationGenerator
from rsgan.nn.generators.haze import HazeConfig
from rsgan.nn.generators.translation import OneWayConfig, TranslatorConfig, UnetConfig

RGBN = ("B02", "B03", "B04", "B08")
UM = (0.4924, 0.5598, 0.6646, 0.8328)
MakeRaster = Callable[..., Path]


def haze(removes: bool = True) -> HazeConfig:
    return HazeConfig(
        bands=4,
        target_bands=4,
        wavelengths_um=UM,
        cell=4,
        channels=8,
        descending=(1, 1),
        ascending=(1,),
        removes=removes,
    )


def write(path: Path, forth: OneWayConfig, back: OneWayConfig | None, source: Domain, target: Domain) -> Path:
    torch.manual_seed(4)
    config = TranslationConfig(forth=forth, back=back)
    generator = TranslationGenerator(config)
    for module in generator.modules():
        if isinstance(module, torch.nn.Conv2d) and not module.weight.abs().sum():
            torch.nn.init.normal_(module.weight, std=0.3)
    card = ModelCard(
        name=path.stem, task="translate", sensor=source.sensor or source.quantity, bands=source.bands, scale=1,
        gsd_m=10, generator=config, discriminator=None, objective="none", source=source, target=target, samples_seen=0,
        training_data=("none",), limits=("random weights",), licence="CC0-1.0", config_sha256="0",
    )  # fmt: skip
    save_model(path, card, generator.state_dict(), None, None)
    return path


def domain(name: str, bands: tuple[str, ...] = RGBN, **other: Any) -> Domain:
    count = len(bands)
    given = {"sensor": "sentinel-2a", "centre": (0.0,) * count, "spread": (0.1,) * count, **other}
    return Domain(name=name, bands=bands, **given)


@pytest.fixture
def dehaze(tmp_path: Path) -> Path:
    """Both ways, random weights."""
    return write(tmp_path / "dehaze.safetensors", haze(), haze(False), domain("hazy"), domain("clear"))


@pytest.fixture
def scene(make_raster: MakeRaster, land: Callable[..., np.ndarray]) -> Path:
    """150 x 170 with a hole and a scale."""
    values = land((150, 170))
    values[:, 20:40, 30:70] = 0
    return make_raster("scene.tif", values, nodata=0, scales=(1e-4,) * 4, tags={"ACQUIRED": "2018-06-15"})


@pytest.fixture
def array(land: Callable[..., np.ndarray]) -> xr.DataArray:
    return xr.DataArray(
        land((64, 64)) / np.float32(1e4),
        dims=("band", "y", "x"),
        coords={"band": list(RGBN)},
        attrs={"long_name": RGBN},
    ).astype("float32")


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return dataset.read()


def test_any_tiling_gives_the_same_raster(scene: Path, dehaze: Path, tmp_path: Path) -> None:
    whole = read(rsgan.translate(scene, tmp_path / "a.tif", model=dehaze, window=512))
    tiled = read(rsgan.translate(scene, tmp_path / "b.tif", model=dehaze, window=64))
    assert np.abs(whole.astype(int) - tiled).max() <= 1
    assert np.abs(whole.astype(int) - read(scene)).mean() > 20


def test_a_part_has_the_pixels_of_the_whole(scene: Path, dehaze: Path, tmp_path: Path) -> None:
    whole = read(rsgan.translate(scene, tmp_path / "a.tif", model=dehaze))
    part = read(rsgan.translate(scene, tmp_path / "b.tif", model=dehaze, crop=(61, 33, 70, 50), window=64))
    assert np.abs(whole[:, 33:83, 61:131].astype(int) - part).max() <= 1


def test_everything_about_the_raster_stays(scene: Path, dehaze: Path, tmp_path: Path) -> None:
    made = rsgan.translate(scene, tmp_path / "clear.tif", model=dehaze)
    with rasterio.open(scene) as before, rasterio.open(made) as after:
        for name in ("crs", "transform", "shape", "dtypes", "nodata", "descriptions", "scales", "offsets"):
            assert getattr(before, name) == getattr(after, name), name
        np.testing.assert_array_equal(before.read() == 0, after.read() == 0)
        tags = after.tags()
    assert tags["RSGAN_TRANSLATION"] == "hazy -> clear"
    assert tags["ACQUIRED"] == "2018-06-15"
    assert "not observed" in tags["RSGAN_NOTE"]


def test_what_nodata_holds_cannot_matter(make_raster: MakeRaster, land: Callable, dehaze: Path, tmp_path: Path) -> None:
    first = land((96, 96))
    first[:, 30:50, 30:50] = 60000
    second = first.copy()
    second[:, 30:50, 30:50] = 65000
    made = []
    for name, values, nodata in (("a.tif", first, 60000), ("b.tif", second, 65000)):
        path = make_raster(name, values, nodata=nodata, scales=(1e-4,) * 4)
        made.append(read(rsgan.translate(path, tmp_path / f"out_{name}", model=dehaze)))
    outside = np.ones((96, 96), bool)
    outside[30:50, 30:50] = False
    assert np.abs(made[0][:, outside].astype(int) - made[1][:, outside]).max() == 0


def test_the_way_back_lays_haze_on(scene: Path, dehaze: Path, tmp_path: Path) -> None:
    hazy = read(rsgan.translate(scene, tmp_path / "hazy.tif", model=dehaze, direction="back")).astype(float)
    seen = read(scene).astype(float)
    assert hazy[0][seen[0] > 0].mean() > seen[0][seen[0] > 0].mean()
    assert prepare([scene], model=dehaze, direction="back").path.name == "scene_hazy.tif"


def test_transmission_is_a_share_and_nan_where_nodata(scene: Path, dehaze: Path, tmp_path: Path) -> None:
    rsgan.translate(scene, tmp_path / "clear.tif", model=dehaze, transmission=tmp_path / "t.tif", window=64)
    through, seen = read(tmp_path / "t.tif"), read(scene)
    np.testing.assert_array_equal(np.isnan(through), seen == 0)
    valid = through[~np.isnan(through)]
    assert 0.04 < valid.min() < valid.max() < 1


def test_another_quantity_is_written_in_its_own_units(make_raster: MakeRaster, tmp_path: Path) -> None:
    """Radar in, reflectance out: no type, scale or nodata of the input could hold it."""
    sar = Domain(name="sar", quantity="intensity", bands=("VV",), centre=(-2.0,), spread=(1.0,))
    forth = TranslatorConfig(bands=1, target_bands=4, channels=4, halvings=1, blocks=1)
    model = write(tmp_path / "sar.safetensors", forth, None, sar, domain("optical", centre=(0.1,) * 4))
    power = np.random.default_rng(2).gamma(4, 0.02, (1, 60, 70)).astype(np.float32)
    power[0, :5] = np.nan
    made = rsgan.translate(make_raster_sar(make_raster, power), tmp_path / "optical.tif", model=model)
    with rasterio.open(made) as dataset:
        assert (dataset.count, dataset.dtypes[0], dataset.descriptions) == (4, "float32", RGBN)
        assert np.isnan(dataset.nodata)
        values = dataset.read()
    assert np.isnan(values[:, :5]).all()
    assert np.isfinite(values[:, 5:]).all()


def make_raster_sar(make_raster: MakeRaster, power: np.ndarray) -> Path:
    return make_raster("sar.tif", power, descriptions=("VV",), tags={"QUANTITY": "intensity"}, nodata=float("nan"))


def test_a_network_that_looks_at_everything_takes_one_window(scene: Path, tmp_path: Path) -> None:
    forth = UnetConfig(bands=4, target_bands=4, encoder="efficientnet-b0", depth=3)
    model = write(tmp_path / "whole.safetensors", forth, None, domain("a"), domain("b"))
    with prepare([scene], tmp_path / "b.tif", model=model) as job:
        assert len(job.windows) == 1
        job.run()
    assert read(tmp_path / "b.tif").shape == (4, 150, 170)


def test_a_network_that_looks_at_everything_is_refused_for_chunks(
    array: xr.DataArray, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    """Each chunk would get a result of its own; loaded, the array has one."""
    forth = UnetConfig(bands=4, target_bands=4, encoder="efficientnet-b0", depth=3)
    model = write(tmp_path / "whole.safetensors", forth, None, domain("a"), domain("b"))
    with pytest.raises(GridError, match="whole image at once"):
        rsgan.translate(array.chunk(y=32), model=model, gsd_m=10)
    assert rsgan.translate(array, model=model, gsd_m=10).shape == array.shape


def test_arrays_come_back_as_arrays(dehaze: Path, array: xr.DataArray) -> None:
    with pytest.warns(rsgan.errors.RsganWarning):
        made = rsgan.translate(array, model=dehaze, gsd_m=10)
    assert isinstance(made, xr.DataArray)
    assert made.shape == array.shape


def test_wrong_use_is_refused(scene: Path, dehaze: Path, tmp_path: Path) -> None:
    one_way = write(tmp_path / "one.safetensors", haze(), None, domain("hazy"), domain("clear"))
    with pytest.raises(ModelError, match="one way only"):
        prepare([scene], model=one_way, direction="back")
    with pytest.raises(ModelError, match="superres, not for translation"):
        prepare([scene], model="s2-rgbn-x2")
    with pytest.raises(ModelError, match="translate, not for super-resolution"):
        rsgan.superres(scene, model=dehaze)
    with pytest.raises(RsganError, match="--direction sideways"):
        prepare([scene], model=dehaze, direction="sideways")
    with pytest.raises(OutputError, match="input itself"):
        rsgan.translate(scene, scene, model=dehaze, overwrite=True)
    plain = TranslatorConfig(bands=4, target_bands=4, channels=4, halvings=1, blocks=1)
    other = write(tmp_path / "plain.safetensors", plain, None, domain("a"), domain("b"))
    with pytest.raises(OutputError, match="finds no haze"):
        rsgan.translate(scene, tmp_path / "x.tif", model=other, transmission=tmp_path / "t.tif")
    assert not list(tmp_path.glob("x*"))


@pytest.mark.realdata
def test_the_shipped_model_takes_real_haze_off(real_data: Path, tmp_path: Path) -> None:
    """A hazy date of a place that was held out, against the clear date a week later."""
    (series,) = (real_data / "sentinel2" / "timeseries").glob("wc_S2_L2A_10m_*.nc")
    made = rsgan.translate(series, tmp_path / "clear.tif", date="2018-06-15")
    with Scene.open([series], wanted=RGBN, date="2018-06-15") as scene:
        hazy = scene.read(scene.grid.window).values
    with Scene.open([series], wanted=RGBN, date="2018-06-23") as scene:
        clear = scene.read(scene.grid.window).values
    with rasterio.open(made) as dataset:
        found = dataset.read() * 1e-4
    before, after = (np.sqrt(np.square(x - clear).mean()) for x in (hazy, found))
    assert after < 0.6 * before
    assert np.abs((found - clear)[:3].mean((1, 2))).max() < 0.012
