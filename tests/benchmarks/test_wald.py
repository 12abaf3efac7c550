"""Wald's protocol from file to file: what is simulated, stored and shown."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import wald
from rsgan.enhance.statistics import catalogue_sigma
from rsgan.sensors.procedural import draw_scene

BYTES = wald.Storage("uint8", 1 / 255)


@pytest.fixture(scope="module")
def land() -> np.ndarray:
    scene, _ = draw_scene(np.random.default_rng(3), (96, 96), 10.0)
    return scene.astype(np.float64)


@pytest.mark.parametrize("storage", [wald.SENTINEL, BYTES])
def test_an_observation_keeps_the_mean_and_is_in_whole_stored_units(land: np.ndarray, storage: wald.Storage) -> None:
    observed = wald.Protocol("", 0.4).observe(land, 2, 0, storage)
    assert observed.shape == (4, 48, 48)
    np.testing.assert_allclose(observed / storage.quantum, np.round(observed / storage.quantum), atol=1e-6)
    np.testing.assert_allclose(observed.mean((1, 2)), land.mean((1, 2)), atol=1e-3)


def test_noise_is_as_strong_as_asked_and_decided_by_the_seed() -> None:
    protocol, flat = wald.Protocol("", 0.4, 0.002), np.full((1, 128, 128), 0.2)
    first, again, other = (protocol.observe(flat, 2, seed) for seed in (1, 1, 2))
    assert first.std() == pytest.approx(0.002, rel=0.05)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.001


def test_without_a_sigma_each_band_is_blurred_by_what_its_own_mtf_adds() -> None:
    widths = wald.Protocol("", None).widths(2, 2, ("B05", "B11"))[0].numpy()
    np.testing.assert_allclose(widths, catalogue_sigma("sentinel-2a", ("B05", "B11")) * np.sqrt(0.75))
    assert "as each band's MTF says" in str(wald.Protocol("", None))


def test_zero_is_left_for_nodata_and_the_largest_unit_is_not_passed() -> None:
    np.testing.assert_allclose(BYTES.rounded(np.array([-1.0, 0.0, 0.5, 2.0])), np.array([1, 1, 128, 255]) / 255)


def test_back_projection_is_nearer_to_the_reference_than_bicubic(land: np.ndarray) -> None:
    protocol = wald.Protocol("", 0.4)
    observed = protocol.observe(land, 2, 0)
    errors = [np.square(wald.crop(protocol.project(observed, 2, n) - land, 4)).mean() for n in (0, 5)]
    assert errors[1] < 0.9 * errors[0]


def test_files_of_one_scene_nest_and_come_back_enhanced(land: np.ndarray) -> None:
    protocol = wald.Protocol("", 0.4)
    fine = wald.Raster(wald.SENTINEL.rounded(land[:3]), ("B02", "B03", "B04"), 10.0)
    coarse = wald.Raster(protocol.observe(land[3:], 2, 0), ("B8A",), 20.0)
    enhanced = wald.superres([fine, coarse], method="linear", psf_sigma=0.4)
    assert enhanced.shape == (1, 96, 96)
    assert enhanced.mean() == pytest.approx(land[3].mean(), abs=0.002)


def test_rows_and_columns_are_cut_to_a_multiple_and_borders_away() -> None:
    values = np.zeros((2, 37, 50))
    assert wald.multiple(values, 4).shape == (2, 36, 48)
    assert wald.crop(values, 3).shape == (2, 31, 44)


def test_spread_is_told_only_of_several_values() -> None:
    assert wald.spread_text([1.0], 2) == "1.00"
    assert wald.spread_text([1.0, 3.0], 1) == "2.0 ± 1.0"


def test_a_picture_shows_the_same_ground_of_images_of_unlike_pixels(land: np.ndarray, tmp_path: Path) -> None:
    observed = land[:3].reshape(3, 48, 2, 48, 2).mean((2, 4))
    wald.save_picture(tmp_path / "a" / "x.png", {"observed": observed, "reference": land[:3]}, [0, 1, 2], side=48)
    shown = np.asarray(Image.open(tmp_path / "a" / "x.png")).astype(float)
    assert shown.shape == (48 * 4, 2 * (48 * 4 + 4), 3)
    left, right = shown[:, : 48 * 4], shown[:, 48 * 4 + 4 : -4]
    assert np.corrcoef(left.ravel(), right.ravel())[0, 1] > 0.8
