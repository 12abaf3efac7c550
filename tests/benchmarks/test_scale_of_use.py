"""The benchmarks at the scale of use: how references are laid out, and what the look of known texture measures."""

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from benchmarks import native_look, opensr, scale_of_use, sensor_reality
from benchmarks.wald import Raster, write
from rsgan.catalogue import RGBN


def test_chips_lie_side_by_side_where_they_are_said_to_lie() -> None:
    chips = [np.full((4, 9 + number, 11), float(number)) for number in range(5)]
    joined, corners = scale_of_use.side_by_side(chips, 4)
    assert joined.shape == (4, 2 * 8, 3 * 8)
    assert [float(joined[(slice(None), *corner)].mean()) for corner in corners] == [0, 1, 2, 3, 4]
    assert all(joined[(slice(None), *corner)].std() == 0 for corner in corners)


def test_references_are_means_of_whole_pixels(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(1000, 2000, (4, 30, 22)) * 1e-4
    write(tmp_path / "a.tif", Raster(values, RGBN, 1.2))
    place = scale_of_use.Place("here", "fields", "a.tif", 10000, 1.2)
    (reference,) = place.references(tmp_path, 2.4)
    np.testing.assert_allclose(reference, values.reshape(4, 15, 2, 11, 2).mean((2, 4)), atol=1e-6)


def texture(sharpness: float, seed: int) -> np.ndarray:
    """Grain of a given softness, in four bands."""
    grain = np.random.default_rng(seed).standard_normal((160, 160))
    return np.stack([0.2 + 0.02 * ndimage.gaussian_filter(grain, 2 - sharpness)] * 4)


def test_texture_is_nearer_to_its_like_whatever_its_level_and_contrast() -> None:
    reference, like, soft = (native_look.texture(texture(s, seed), 4) for s, seed in ((1, 0), (1, 1), (0, 2)))
    assert native_look.distance(like, reference) < 0.1 * native_look.distance(soft, reference)
    brighter = native_look.texture(3 * texture(1, 0) + 0.1, 4)
    np.testing.assert_allclose(brighter, reference, rtol=1e-5, atol=5e-3)  # ridges are counted in whole pixels


def test_lines_are_more_coherent_than_grain() -> None:
    rows = np.sin(np.arange(160) / 2)[:, None]
    lines = np.stack([0.2 + 0.02 * np.broadcast_to(rows, (160, 160)) + 1e-4 * texture(1, 0)[0]] * 4)
    assert native_look.texture(lines, 4)[:, 2].mean() > 0.95 > 0.6 > native_look.texture(texture(1, 0), 4)[:, 2].mean()


def test_the_sensors_figures_are_those_of_drawn_noise() -> None:
    rng = np.random.default_rng(0)
    white = 0.2 + 0.002 * rng.standard_normal((256, 256))
    white[:, ::2] += 0.0005
    flats = sensor_reality.flat_ground(white)
    for flat in flats:
        assert flat.noise == pytest.approx(0.002, rel=0.2)
        assert abs(flat.right) < 0.1
        assert flat.columns == pytest.approx(0.0005, abs=0.0002)
        assert flat.rows < 0.0002
    moved = ndimage.gaussian_filter(rng.standard_normal((192, 192)), 2)
    whole, local = sensor_reality.apart(moved, ndimage.shift(moved, (0.4, -0.3), order=3, mode="nearest"))
    assert (whole, local) == (pytest.approx(0.5, abs=0.06), pytest.approx(0.5, abs=0.06))


@pytest.fixture
def pair_folder(tmp_path: Path) -> Path:
    for name, side in (("lr", 12), ("hr", 48)):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "a.tif", Raster(np.full((4, side, side), 0.25), RGBN, 10.0))
    return tmp_path


def test_pairs_of_a_folder_are_read_in_reflectance(pair_folder: Path) -> None:
    ((name, observed, reference),) = opensr.pairs(pair_folder, 4, 10000)
    assert (name, observed.shape, reference.shape) == ("a", (4, 12, 12), (4, 48, 48))
    np.testing.assert_allclose(reference, 0.25, atol=1e-6)


def test_a_folder_that_cannot_be_scored_is_told_what_is_wrong(pair_folder: Path) -> None:
    with pytest.raises(SystemExit, match=r"48 x 48 pixels; expected 2 times the 12 x 12 of a\.tif"):
        list(opensr.pairs(pair_folder, 2, 10000))
    (pair_folder / "hr" / "a.tif").unlink()
    with pytest.raises(SystemExit, match=r"missing; .* needs a reference of the same name"):
        list(opensr.pairs(pair_folder, 4, 10000))
    (pair_folder / "lr" / "a.tif").unlink()
    with pytest.raises(SystemExit, match=r"no \.tif file"):
        list(opensr.pairs(pair_folder, 4, 10000))
