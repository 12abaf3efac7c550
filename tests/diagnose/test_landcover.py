"""Classes of patches, from maps of any grid and from indices."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from rasterio.warp import reproject, transform_bounds

from rsgan.diagnose.ground import Ground, OpticalGround
from rsgan.diagnose.landcover import of_indices, of_map, read_legend
from rsgan.errors import BandError, ConfigError, GridError, InputError
from rsgan.geo import Scene
from rsgan.metrics.land_cover import INDICES, MIXED
from rsgan.nn.discriminators import PatchLayersConfig, patch_geometry
from rsgan.sensors.statistics import BandScaling

MakeRaster = Callable[..., Path]
FINE, COARSE = Affine(5, 0, 500000, 0, -5, 5000000), Affine(10, 0, 500000, 0, -10, 5000000)
BANDS = ("B02", "B03", "B04", "B08")
SIZE = 160


def ground_of(make_raster: MakeRaster, observed: np.ndarray, names: tuple[str, ...] = BANDS) -> Ground:
    seen = Scene.open((make_raster("observed.tif", observed, transform=COARSE, descriptions=names),), wanted=None)
    fine = make_raster("fine.tif", observed.repeat(2, 1).repeat(2, 2), transform=FINE, descriptions=names)
    count = len(names)
    scaling = BandScaling(np.zeros(count), np.ones(count))
    return OpticalGround(
        seen, {"generated": Scene.open((fine,), wanted=None)}, 2, scaling, patch_geometry(PatchLayersConfig())
    )


@pytest.fixture
def ground(make_raster: MakeRaster) -> Ground:
    return ground_of(make_raster, np.full((4, SIZE // 2, SIZE // 2), 0.1, np.float32))


def halves(left: int, right: int) -> np.ndarray:
    classes = np.full((1, SIZE // 2, SIZE // 2), left, np.uint8)
    classes[:, :, SIZE // 4 :] = right
    return classes


def test_a_map_of_any_crs_gives_the_majority(make_raster: MakeRaster, ground: Ground, tmp_path: Path) -> None:
    classes = halves(10, 80)
    plain = of_map(ground, make_raster("classes.tif", classes, transform=COARSE))
    left, bottom, right, top = transform_bounds("EPSG:32633", "EPSG:4326", 500000, 5000000 - 800, 500800, 5000000)
    finer = Affine((right - left) / 200, 0, left, 0, (bottom - top) / 200, top)
    turned = np.zeros((1, 200, 200), np.uint8)
    reproject(
        classes, turned, src_transform=COARSE, src_crs="EPSG:32633", dst_transform=finer, dst_crs="EPSG:4326",
        src_nodata=0, dst_nodata=0,
    )  # fmt: skip
    other = of_map(ground, make_raster("degrees.tif", turned, transform=finer, crs="EPSG:4326", nodata=0))
    assert plain.names == other.names == {10: "tree cover", 80: "permanent water"}
    known = (plain.classes != MIXED) & (other.classes != MIXED)
    assert known.mean() > 0.7
    assert (plain.classes == other.classes)[known].all()
    assert (plain.classes[:, 2] == 10).all()
    assert (plain.classes[:, -3] == 80).all()


def test_patches_across_a_border_are_mixed(make_raster: MakeRaster, ground: Ground) -> None:
    found = of_map(ground, make_raster("classes.tif", halves(1, 2), transform=COARSE), purity=0.95)
    border = ground.shape[1] // 2
    assert (found.classes[:, border - 1 : border + 1] == MIXED).all()
    assert (found.classes[:, : border - 4] == 1).all()


def test_small_numbers_of_a_legend_of_ones_own_are_not_taken_for_a_known_one(
    make_raster: MakeRaster, ground: Ground
) -> None:
    found = of_map(ground, make_raster("classes.tif", halves(1, 2), transform=COARSE))
    assert found.names == {1: "class 1", 2: "class 2"}
    named = of_map(ground, make_raster("classes.tif", halves(1, 2), transform=COARSE), "dynamic-world")
    assert named.names == {1: "trees", 2: "grass"}


def test_names_come_from_a_table(make_raster: MakeRaster, ground: Ground, tmp_path: Path) -> None:
    table = tmp_path / "legend.csv"
    table.write_text('code,name\n1,forest\n2,"water, deep"\n', encoding="utf-8")
    found = of_map(ground, make_raster("classes.tif", halves(1, 2), transform=COARSE), str(table))
    assert found.names == {1: "forest", 2: "water, deep"}


@pytest.mark.parametrize("text", ["", "code,name\n", "1,forest\nx,water\n", "1\n2\n"])
def test_a_table_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    table = tmp_path / "legend.csv"
    table.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"legend\.csv"):
        read_legend(table)


def test_legends_that_do_not_fit_are_refused(make_raster: MakeRaster, ground: Ground) -> None:
    path = make_raster("classes.tif", halves(1, 2), transform=COARSE)
    with pytest.raises(ConfigError, match="has no 1"):
        of_map(ground, path, "worldcover")
    with pytest.raises(ConfigError, match="neither a file nor one of"):
        of_map(ground, path, "wordcover")


def test_maps_that_are_none_or_lie_elsewhere_are_refused(make_raster: MakeRaster, ground: Ground) -> None:
    far = Affine(10, 0, 900000, 0, -10, 5000000)
    with pytest.raises(GridError, match="does not lie below"):
        of_map(ground, make_raster("far.tif", halves(1, 2), transform=far))
    with pytest.raises(InputError, match="one band of whole numbers"):
        of_map(ground, make_raster("real.tif", halves(1, 2).astype(np.float32), transform=COARSE))
    with pytest.raises(InputError, match="does not exist"):
        of_map(ground, "nowhere.tif")
    with pytest.raises(GridError, match="no data"):
        of_map(ground, make_raster("empty.tif", halves(0, 0), transform=COARSE, nodata=0))


def test_indices_know_water_from_trees(make_raster: MakeRaster) -> None:
    values = np.empty((4, SIZE // 2, SIZE // 2), np.float32)
    values[:] = np.array([0.03, 0.05, 0.03, 0.40])[:, None, None]
    values[:, :, SIZE // 4 :] = np.array([0.06, 0.05, 0.03, 0.01])[:, None, None]
    found = of_indices(ground_of(make_raster, values), "sentinel-2a")
    assert found.names is INDICES
    assert (found.classes[:, 2] == 2).all()
    assert (found.classes[:, -3] == 1).all()


def test_indices_need_their_bands(make_raster: MakeRaster) -> None:
    values = np.full((1, SIZE // 2, SIZE // 2), 0.1, np.float32)
    with pytest.raises(BandError, match="needs green, red, nir"):
        of_indices(ground_of(make_raster, values, ("B02",)), "sentinel-2a")
