"""Ratio images beside fresh speckle."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from rsgan.diagnose import Settings, diagnose
from rsgan.diagnose.ground import Cells
from rsgan.diagnose.page import page_of
from rsgan.diagnose.speckle import RatioGround
from rsgan.enhance.options import Reading
from rsgan.errors import ConfigError, GridError
from rsgan.geo import Scene, Window
from rsgan.nn.discriminators import PatchLayersConfig, patch_geometry
from rsgan.sensors.sar import draw_speckle

MakeRaster = Callable[..., Path]
SAMPLE = Path(__file__).parents[2] / "data_samples" / "sar_vv_vh_10m.tif"


def rasters(make_raster: MakeRaster, looks: float = 4.0) -> tuple[Path, Path]:
    """Even ground of 0.2 under speckle, and the ground itself; a corner was not measured."""
    speckle = draw_speckle(np.random.default_rng(1), (128, 128), looks)
    observed = (0.2 * speckle)[None].astype(np.float32)
    observed[0, :8, :8] = np.nan
    tags = {"descriptions": ("VV",), "tags": {"QUANTITY": "intensity"}}
    return (
        make_raster("observed.tif", observed, nodata=float("nan"), **tags),
        make_raster("despeckled.tif", np.full_like(observed, 0.2), nodata=float("nan"), **tags),
    )


def ground_of(observed: Path, despeckled: Path) -> RatioGround:
    scenes = [Scene.open_sar((path,), quantity="intensity") for path in (observed, despeckled)]
    return RatioGround(
        observed=scenes[0], despeckled=scenes[1], band=0, looks=4.0, correlation=(0.0, 0.0),
        geometry=patch_geometry(PatchLayersConfig()),
    )  # fmt: skip


def test_a_perfect_ratio_image_has_the_law_of_what_is_drawn(make_raster: MakeRaster) -> None:
    ground = ground_of(*rasters(make_raster))
    shown = ground.show(Cells(8, 24, 8, 24))
    assert shown.usable.all()
    assert [tuple(one.shape) for one in shown.given] == [(1,), (1, 2)]
    real, made = (shown.candidates[kind] for kind in ("real", "generated"))
    assert float(real.mean()) == pytest.approx(float(made.mean()), abs=0.03)
    assert float(real.std()) == pytest.approx(float(made.std()), abs=0.03)
    again = ground.show(Cells(8, 24, 8, 24)).candidates["real"]
    assert torch.equal(real, again)


def test_what_was_not_measured_is_left_out(make_raster: MakeRaster) -> None:
    ground = ground_of(*rasters(make_raster))
    usable = ground.show(Cells(0, 32, 0, 32)).usable
    assert not usable[:4, :4].any()
    assert usable[10, 10]
    picture = ground.picture(Window(0, 0, 32, 32))
    assert set(picture) == {"observed", "generated", "ratio", "fresh"}
    assert np.isnan(picture["ratio"][0, :8, :8]).all()
    assert np.array_equal(ground.generated(Window(0, 0, 32, 32)), picture["generated"], equal_nan=True)
    assert np.nanmean(picture["generated"]) == pytest.approx(10 * np.log10(0.2), abs=0.01)


def test_rasters_of_other_size_are_refused(make_raster: MakeRaster) -> None:
    observed, _ = rasters(make_raster)
    smaller = make_raster("smaller.tif", np.ones((1, 64, 64), np.float32), descriptions=("VV",))
    with pytest.raises(GridError, match="smaller"):
        ground_of(observed, smaller)


def test_the_town_of_the_sample_is_where_speckle_is_left() -> None:
    found = diagnose(SAMPLE, model="sar-despeckle")
    apart = found.scores.ratios.of["real"] - found.scores.ratios.of["generated"]
    row, column = np.unravel_index(np.nanargmax(apart), apart.shape)
    assert row < apart.shape[0] / 3
    assert column > apart.shape[1] * 2 / 3
    assert found.whole is not None
    assert found.whole.told_apart
    page = page_of(found)
    assert page.swipe == ("fresh", "ratio")
    assert [picture.key for picture in page.places[0].pictures] == ["observed", "generated", "ratio", "fresh"]


def test_with_a_reference_without_speckle_the_image_itself_is_judged(make_raster: MakeRaster) -> None:
    tags = {"descriptions": ("VV",), "tags": {"QUANTITY": "intensity"}, "nodata": float("nan")}
    rng = np.random.default_rng(3)
    ground = np.where(np.arange(512) < 256, 0.1, 0.4)[None, None].repeat(512, 1).astype(np.float32)
    ground = ground * np.exp(0.5 * rng.standard_normal(ground.shape)).astype(np.float32)
    smooth = ground.copy()
    smooth[:, :, 256:] = 0.4  # the texture of the east is lost
    speckle = draw_speckle(rng, (512, 512), 4.0)[None].astype(np.float32)
    paths = [
        make_raster(f"{name}.tif", values, **tags)
        for name, values in (("observed", ground * speckle), ("clean", ground), ("made", smooth))
    ]
    found = diagnose(
        paths[0], model="sar-despeckle", reference=paths[1], enhanced=paths[2],
        settings=Settings(refit=60, channels=8),
    )  # fmt: skip
    apart = found.scores.ratios.of["real"] - found.scores.ratios.of["generated"]
    middle = apart.shape[1] // 2
    assert np.nanmedian(apart[:, middle + 8 :]) > np.nanmedian(apart[:, : middle - 8]) + 0.5
    assert page_of(found).swipe == ("real", "generated")
    left_over = diagnose(paths[0], model="sar-despeckle", reference=paths[1], enhanced=paths[2])
    assert left_over.scores.counted.any()


def test_what_is_for_reflectance_is_refused() -> None:
    with pytest.raises(ConfigError, match="takes radar, not reflectance"):
        diagnose(SAMPLE, model="sar-despeckle", reading=Reading())
    with pytest.raises(ConfigError, match="indices"):
        diagnose(SAMPLE, model="sar-despeckle", settings=Settings(landcover="indices"))
