from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio

from rsgan.errors import ConfigError
from rsgan.training.config import Source, TrainConfig
from rsgan.training.tiles import find_files, load_tiles, overlap, read_split, same_place

Tiny = Callable[..., TrainConfig]
WriteTile = Callable[..., Path]
RGBN = ("B02", "B03", "B04", "B08")


def test_a_split_of_two_places_loads(tiny: Tiny, two_places: None) -> None:
    training, validation = load_tiles(tiny().data, RGBN)
    assert [t.path.name for t in training] == ["a.tif"]
    assert [t.path.name for t in validation] == ["b.tif"]
    assert training[0].values.shape == (4, 64, 64)
    assert 0 < float(training[0].values.mean()) < 0.6
    assert training[0].valid.all()


@pytest.mark.parametrize("west", [500_000.0, 500_630.0, 499_400.0])
def test_overlapping_footprints_in_both_splits_are_refused(tiny: Tiny, write_tile: WriteTile, west: float) -> None:
    write_tile("a.tif")
    write_tile("b.tif", west=west, seed=1)
    with pytest.raises(ConfigError, match=r"a\.tif and validation tile .*b\.tif show one place"):
        load_tiles(tiny().data, RGBN)


def test_one_named_place_in_both_splits_is_refused(tiny: Tiny, two_places: None) -> None:
    data = tiny().data
    named = [tuple(s.model_copy(update={"place": "lake"}) for s in side) for side in (data.training, data.validation)]
    with pytest.raises(ConfigError, match="show one place"):
        load_tiles(data.model_copy(update={"training": named[0], "validation": named[1]}), RGBN)


def test_bands_are_found_by_the_names_of_the_models_own_sensor(tiny: Tiny, two_places: None) -> None:
    data = tiny().data
    for path in data.root.glob("*.tif"):
        with rasterio.open(path, "r+") as dataset:
            dataset.descriptions = ("SR_B2", "SR_B3", "SR_B4", "SR_B5")
    (landsat,), _ = load_tiles(data, ("B2", "B3", "B4", "B5"), "landsat-8")
    with rasterio.open(landsat.path) as dataset:
        np.testing.assert_allclose(landsat.values, dataset.read() * 1e-4, rtol=1e-5)
    with pytest.raises(ConfigError, match="no sensor is called 'landsat-1'"):
        load_tiles(data, ("B2", "B3", "B4", "B5"), "landsat-1")


def test_one_file_in_both_splits_is_refused_even_without_coordinates(tiny: Tiny, two_places: None) -> None:
    data = tiny().data
    (tile,) = read_split(data.root, data.training, RGBN)
    blind = replace(tile, footprint=None)
    assert same_place(blind, blind)
    assert not same_place(blind, replace(blind, path=Path("other.tif")))


def test_footprints_that_only_touch_do_not_overlap() -> None:
    assert overlap((0, 0, 2, 2), (1, 1, 3, 3))
    assert not overlap((0, 0, 2, 2), (2, 0, 4, 2))
    assert not overlap((0, 0, 2, 2), (0, 3, 2, 4))


def test_a_pattern_that_matches_nothing_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no file matches 'x\*\.tif' .* --data"):
        find_files(tmp_path, Source(glob="x*.tif"))


def test_excluded_files_are_left_out(write_tile: WriteTile) -> None:
    folder = write_tile("a1.tif", size=16).parent
    for name in ("a2.tif", "a3.tif"):
        (folder / name).touch()
    found = find_files(folder, Source(glob="a*.tif", exclude=("a[23].tif",)))
    assert [path.name for path in found] == ["a1.tif"]


def test_chips_are_shared_by_source_then_by_valid_pixels(write_tile: WriteTile) -> None:
    folder = write_tile("a1.tif", size=32).parent
    write_tile("a2.tif", size=64)
    write_tile("c.tif", size=16)
    tiles = read_split(folder, (Source(glob="a*.tif", share=3), Source(glob="c.tif", share=1)), RGBN)
    np.testing.assert_allclose([t.weight for t in tiles], [3 * 0.2, 3 * 0.8, 1.0])


def test_a_pixel_without_data_is_invalid(write_tile: WriteTile) -> None:
    path = write_tile("a.tif", holes=True)
    (tile,) = read_split(path.parent, (Source(glob="a.tif"),), RGBN)
    assert not tile.valid[:32, :21].any()
    assert tile.valid[32:].all()
    assert tile.valid[:, 22:].all()
