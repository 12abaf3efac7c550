"""The marks of synthetic chips."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import Resampling

from rsgan.geo.synthetic import PATTERN, find_synthetic, has_watermark, pattern, watermarked, write_chip


@pytest.fixture
def numbers() -> np.ndarray:
    return np.random.default_rng(2).integers(2, 5000, (4, 64, 64)).astype(np.uint16)


@pytest.fixture
def chip(tmp_path: Path, numbers: np.ndarray) -> Path:
    write_chip(tmp_path / "chip.tif", numbers / 1e4, ("B02", "B03", "B04", "B08"), {"RSGAN_MODEL": "tiny"}, 10.0)
    return tmp_path / "chip.tif"


def test_the_pattern_is_the_same_for_ever() -> None:
    assert pattern().shape == (PATTERN, PATTERN)
    assert "".join(map(str, pattern()[0, :16])) == "1000111000111000"
    assert int(pattern().sum()) == 2065


def test_no_number_changes_by_more_than_one_and_none_becomes_0(numbers: np.ndarray) -> None:
    marked = watermarked(numbers)
    assert np.abs(marked.astype(int) - numbers).max() == 1
    assert marked.min() >= 2
    assert has_watermark(marked)
    assert not has_watermark(numbers)


@pytest.mark.parametrize("shape", [(32, 32), (64, 100), (256, 256)])
def test_found_wherever_a_crop_begins(shape: tuple[int, int]) -> None:
    whole = watermarked(np.random.default_rng(3).integers(2, 5000, (4, 320, 320)).astype(np.uint16))
    assert has_watermark(whole[:, 37 : 37 + shape[0], 11 : 11 + shape[1]])
    assert has_watermark(whole[1:2, 37 : 37 + shape[0], 11 : 11 + shape[1]])


def test_rasters_without_it_have_none() -> None:
    rng = np.random.default_rng(4)
    for make in (
        lambda: rng.integers(0, 9000, (4, 64, 64)),
        lambda: rng.integers(0, 9000, (1, 32, 32)).repeat(2, 1).repeat(2, 2),
        lambda: rng.integers(0, 9000, (3, 32, 32)).repeat(4, 1).repeat(4, 2),
        lambda: np.full((2, 64, 64), 7),
        lambda: np.indices((64, 64)).sum(0, keepdims=True),
        lambda: 2 * rng.integers(0, 9000, (4, 64, 64)),
    ):
        assert not any(has_watermark(make()) for _ in range(20))


def test_a_chip_says_what_it_is(chip: Path, numbers: np.ndarray) -> None:
    with rasterio.open(chip) as dataset:
        assert dataset.dtypes == ("uint16",) * 4
        assert dataset.descriptions == ("B02", "B03", "B04", "B08")
        assert dataset.scales == pytest.approx((1e-4,) * 4)
        assert dataset.transform.a == 10
        assert dataset.crs is None
        assert np.abs(dataset.read().astype(int) - numbers).max() <= 1
    found = find_synthetic(str(chip))
    assert found is not None
    assert found.watermark
    assert "model tiny" in found.sentence


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("way", ["png", "cog", "float", "untagged", "mosaic"])
def test_the_watermark_survives_what_keeps_the_numbers(chip: Path, tmp_path: Path, way: str) -> None:
    with rasterio.open(chip) as dataset:
        values, profile = dataset.read(), dataset.profile
    path = tmp_path / "again.tif"
    profile |= {"driver": "GTiff"}
    if way == "png":
        path, profile = tmp_path / "again.png", profile | {"driver": "PNG"}
        for key in ("compress", "predictor", "tiled", "interleave", "transform"):
            profile.pop(key, None)
    elif way == "cog":
        profile |= {"driver": "COG"}
        for key in ("predictor", "tiled", "interleave", "blockxsize", "blockysize"):
            profile.pop(key, None)
    elif way == "float":
        values, profile = (values / 1e4).astype(np.float32), profile | {"dtype": "float32", "predictor": 3}
    elif way == "mosaic":
        values = np.concatenate([values, values], axis=2)[:, 5:, 9:]
        profile |= {"width": values.shape[2], "height": values.shape[1]}
    with rasterio.open(path, "w", **profile) as dataset:
        dataset.write(values)
    found = find_synthetic(str(path))
    assert found is not None
    assert found.watermark
    assert not found.tags
    assert "its tags are silent" in found.sentence


def test_it_is_lost_when_pixels_are_resampled(chip: Path, tmp_path: Path) -> None:
    with rasterio.open(chip) as dataset:
        values = dataset.read(out_shape=(4, 100, 100), resampling=Resampling.cubic)
        profile = dataset.profile | {"width": 100, "height": 100}
    with rasterio.open(tmp_path / "other.tif", "w", **profile) as dataset:
        dataset.write(values)
    assert find_synthetic(str(tmp_path / "other.tif")) is None


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_labels_lie_beside_a_chip(tmp_path: Path, numbers: np.ndarray) -> None:
    labels = (np.arange(64 * 64).reshape(64, 64) % 3).astype(np.uint8)
    write_chip(tmp_path / "a.tif", numbers / 1e4, ("a", "b", "c", "d"), {}, None, labels)
    with rasterio.open(tmp_path / "a_labels.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(1), labels)
        assert dataset.nodata == 0
