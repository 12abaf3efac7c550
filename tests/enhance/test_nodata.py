"""What a hole in a scene may change, and how far away."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from scipy.ndimage import binary_dilation

from rsgan.enhance.scene_enhancer import SceneEnhancer
from rsgan.enhance.statistics import SceneStatistics, scene_statistics
from rsgan.enhance.superres import superres
from rsgan.enhance.walk import walk
from rsgan.geo import FILL_REACH, RasterWriter, Scene, plan
from rsgan.model import open_model

RGBN = ("B02", "B03", "B04", "B08")
SCALED = {"scales": [1e-4] * 4, "offsets": [0.0] * 4, "nodata": 0}
Make = Callable[..., Path]
Land = Callable[..., np.ndarray]


def enhanced(source: Path, model: str | Path, statistics: SceneStatistics | None) -> tuple[np.ndarray, SceneEnhancer]:
    """The scene with statistics that another one gave, so that only the hole makes a difference."""
    opened = open_model(model)
    with Scene.open([source], wanted=RGBN) as scene:
        enhancer = SceneEnhancer(
            opened.generator(),
            statistics or scene_statistics(scene, opened.card),
            torch.device("cpu"),
            opened.card.scale,
            opened.receptive_field,
        )
        target = source.with_name("out.tif")
        windows = plan(scene.grid.shape, 512, halo=enhancer.halo + FILL_REACH)
        with RasterWriter(
            target, grid=scene.grid.refine(2), count=4, dtype="uint16", nodata=0, overwrite=True, cog=False
        ) as writer:
            background = enhancer.statistics.scaling.centre
            walk(scene, enhancer, writer, windows=windows, background=background)
    with rasterio.open(target) as dataset:
        return dataset.read().astype(int), enhancer


def test_a_hole_changes_nothing_beyond_its_reach(make_raster: Make, land: Land, tiny_model: Path) -> None:
    values = land((90, 100))
    whole, enhancer = enhanced(make_raster("whole.tif", values, **SCALED), tiny_model, None)
    holed = values.copy()
    hole = np.zeros(values.shape[1:], bool)
    hole[40:50, 45:52] = True
    holed[:, hole] = 0
    other, _ = enhanced(make_raster("holed.tif", holed, **SCALED), tiny_model, enhancer.statistics)
    reached = binary_dilation(hole, np.ones((3, 3)), iterations=enhancer.halo).repeat(2, 0).repeat(2, 1)
    assert not reached.all()
    np.testing.assert_array_equal(whole[:, ~reached], other[:, ~reached])
    assert not other[:, hole.repeat(2, 0).repeat(2, 1)].any()


@pytest.mark.parametrize("model", ["s2-rgbn-x2", "s2-rgbn-x4"])
def test_the_neighbours_of_a_hole_are_not_darkened(make_raster: Make, model: str) -> None:
    rows, columns = np.mgrid[:70, :80]
    ground = 1500 + 400 * np.sin(rows / 25) * np.cos(columns / 30)
    values = (ground * np.array([0.7, 0.9, 1.0, 2.0])[:, None, None]).round().astype(np.uint16)
    hole = np.zeros(ground.shape, bool)
    hole[30:42, 35:47] = True
    holed = values.copy()
    holed[:, hole] = 0
    scale, out = int(model[-1]), []
    for name, numbers in (("whole", values), ("holed", holed)):
        source = make_raster(f"{name}.tif", numbers, **SCALED)
        with rasterio.open(superres(source, source.with_name(f"{name}_out.tif"), model=model)) as dataset:
            out.append(dataset.read().astype(float))
    ring = binary_dilation(hole, iterations=2) & ~hole
    ring = ring.repeat(scale, 0).repeat(scale, 1)
    np.testing.assert_allclose(out[1][:, ring].mean(1), out[0][:, ring].mean(1), rtol=0.01)
    assert out[1][:, ring].min() > 0.9 * out[0][:, ring].min()


def test_a_hole_in_one_band_stays_in_that_band(make_raster: Make, land: Land, tiny_model: Path) -> None:
    values = land((40, 50))
    values[2, 10:20, 10:20] = 0
    source = make_raster("scene.tif", values, **SCALED)
    with rasterio.open(superres(source, source.with_name("out.tif"), model=tiny_model)) as dataset:
        out = dataset.read()
    assert not out[2, 20:40, 20:40].any()
    assert (out == 0).sum() == 400


def test_a_dark_valid_pixel_never_becomes_nodata(make_raster: Make, land: Land, tiny_model: Path) -> None:
    values = np.maximum(land((40, 50)) // 900, 1).astype(np.uint16)
    source = make_raster("scene.tif", values, **SCALED)
    with rasterio.open(superres(source, source.with_name("out.tif"), model=tiny_model)) as dataset:
        assert dataset.read().min() >= 1
