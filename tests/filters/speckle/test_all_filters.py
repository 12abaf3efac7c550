"""What every filter owes its caller: nodata, borders, tiling, scale, radiometry, and words for what cannot be."""

from collections.abc import Callable

import numpy as np
import pytest
from skimage import data

from rsgan.errors import ConfigError, GridError
from rsgan.filters.speckle import FILTERS, quegan_yu, reach

Speckle = Callable[..., np.ndarray]
Ragged = tuple[np.ndarray, np.ndarray]
NAMES = [*FILTERS, "quegan-yu"]

every_filter = pytest.mark.parametrize("name", NAMES)


def run(
    name: str, intensity: np.ndarray, valid: np.ndarray | None = None, looks: float = 1.0, size: int = 7
) -> np.ndarray:
    """The filter of that name; Quegan-Yu takes the bands for dates."""
    valid = np.ones(intensity.shape, bool) if valid is None else valid
    if name == "quegan-yu":
        return quegan_yu(intensity[:, None], valid[:, None], looks=looks, size=size)[:, 0]
    return FILTERS[name](intensity, valid, looks=looks, size=size)


@every_filter
def test_shape_and_type(name: str, ragged: Ragged) -> None:
    values, valid = ragged
    filtered = run(name, values.astype(np.float64), valid)
    assert filtered.dtype == np.float32
    assert filtered.shape == values.shape
    assert np.isfinite(filtered).all()


@every_filter
def test_what_is_not_valid_has_no_influence(name: str, ragged: Ragged) -> None:
    values, valid = ragged
    other = np.where(valid, values, np.float32(-3e30))
    np.testing.assert_array_equal(run(name, values, valid), run(name, other, valid))


@every_filter
def test_a_border_is_the_same_as_a_hole(name: str, speckle: Speckle) -> None:
    scene = speckle(np.full((19, 21), 3.0), 2)
    around = np.full((1, 19 + 12, 21 + 12), np.nan, np.float32)
    around[:, 6:-6, 6:-6] = scene
    filtered = run(name, around, np.isfinite(around), 2.0)
    np.testing.assert_array_equal(filtered[:, 6:-6, 6:-6], run(name, scene, looks=2.0))


@every_filter
@pytest.mark.parametrize("size", [3, 5, 7, 9, 11])
def test_a_crop_with_its_halo_is_the_whole(name: str, size: int, speckle: Speckle) -> None:
    ground = np.exp(np.random.default_rng(8).normal(0, 2, (70, 80)))
    ground[30:33, 40:43] = 1e8  # a running sum would carry this along its row
    scene = speckle(ground, 1)
    valid = np.random.default_rng(9).random(scene.shape) > 0.1
    whole = run(name, scene, valid, size=size)
    halo = reach(name, size)
    for top, left in ((0, 0), (27, 33), (40, 50)):
        rows, columns = (slice(max(at - halo, 0), at + 20 + halo) for at in (top, left))
        part = run(name, scene[:, rows, columns], valid[:, rows, columns], size=size)
        inner = part[:, top - rows.start :, left - columns.start :][:, :20, :20]
        np.testing.assert_array_equal(inner, whole[:, top : top + 20, left : left + 20])


@every_filter
def test_reach_is_not_too_short(name: str, speckle: Speckle) -> None:
    scene = speckle(np.full((41, 41), 1.0), 1)
    scene[:, 20:23, 20:23] = 40.0
    changed = scene.copy()
    changed[:, 20, 20] = 1e-3
    rows, columns = np.nonzero(run(name, scene)[0] != run(name, changed)[0])
    assert max(abs(rows - 20).max(), abs(columns - 20).max()) <= reach(name, 7)


@every_filter
@pytest.mark.parametrize("factor", [1e-4, 1e-2, 7.0, 1e6])
def test_scale_equivariance(name: str, factor: float, speckle: Speckle) -> None:
    scene = speckle(np.exp(np.random.default_rng(2).normal(0, 1, (40, 50))), 2).astype(np.float64)
    filtered = run(name, factor * scene, looks=2.0)
    np.testing.assert_allclose(filtered, factor * run(name, scene, looks=2.0), rtol=1e-5)


@every_filter
def test_a_constant_scene_stays(name: str) -> None:
    scene = np.full((2, 9, 12), 0.37, np.float32)
    np.testing.assert_allclose(run(name, scene, looks=4.4), scene, rtol=1e-6)


BIAS = {
    "refined-lee": (0.02, 0.005),
    "lee-sigma": (0.02, 0.005),
    "boxcar": (0.004, 0.003),
    "lee": (0.004, 0.003),
    "frost": (0.004, 0.003),
    "quegan-yu": (0.004, 0.003),
}
"""Share of the mean that a filter may lose or win on flat ground, for 1 and 4 looks; 4 standard errors are 0.004."""


@pytest.mark.parametrize("name", BIAS)
@pytest.mark.parametrize("looks", [1, 4])
def test_the_mean_of_flat_ground_stays(name: str, looks: int, speckle: Speckle) -> None:
    scene = speckle(np.full((1024, 1024), 0.08), looks)
    filtered = run(name, scene, looks=looks)
    assert abs(filtered.mean(dtype=np.float64) / 0.08 - 1) <= BIAS[name][looks == 4]


@pytest.mark.parametrize("name", BIAS)
def test_the_first_column_has_the_mean_of_the_others(name: str, speckle: Speckle) -> None:
    filtered = run(name, speckle(np.ones((40_000, 9)), 4), looks=4.0)
    assert abs(filtered[0, :, 0].mean(dtype=np.float64) - 1) <= 0.015


@every_filter
def test_an_empty_band_is_allowed(name: str, ragged: Ragged) -> None:
    values, valid = ragged
    valid = valid & np.array([True, False])[:, None, None]
    filtered = run(name, values, valid)
    assert np.isfinite(filtered).all()
    np.testing.assert_array_equal(filtered[0], run(name, values[:1], valid[:1])[0])


@pytest.mark.parametrize("name", FILTERS)
def test_bands_do_not_know_each_other(name: str, ragged: Ragged) -> None:
    values, valid = ragged
    both = run(name, values, valid)
    for band in (0, 1):
        np.testing.assert_array_equal(both[band], run(name, values[band : band + 1], valid[band : band + 1])[0])


@every_filter
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (8, 1), (2, 3), (5, 31)])
def test_odd_shapes(name: str, shape: tuple[int, int], speckle: Speckle) -> None:
    scene = speckle(np.full(shape, 2.0), 1)
    filtered = run(name, scene)
    assert filtered.shape == scene.shape
    assert (scene.min() * (1 - 1e-6) <= filtered).all()
    assert (filtered <= scene.max() * (1 + 1e-6)).all()


@every_filter
def test_a_lonely_pixel_is_its_own_estimate(name: str) -> None:
    scene = np.array([[[0.125]]], np.float32)
    np.testing.assert_array_equal(run(name, scene), scene)


@every_filter
def test_noise_subtracted_intensity_may_be_negative(name: str, speckle: Speckle) -> None:
    scene = speckle(np.full((256, 256), 1.0), 1) - np.float32(0.95)
    filtered = run(name, scene)
    assert np.isfinite(filtered).all()
    assert -0.95 <= filtered.min()
    assert run(name, np.full((1, 8, 8), -0.5, np.float32)).max() == pytest.approx(-0.5)


@every_filter
def test_zeros_are_measurements(name: str) -> None:
    scene = np.zeros((1, 12, 12), np.float32)
    np.testing.assert_array_equal(run(name, scene), scene)


@every_filter
@pytest.mark.parametrize("looks", [0.0, -1.0, np.nan, np.inf])
def test_impossible_looks_are_refused(name: str, looks: float) -> None:
    with pytest.raises(ConfigError, match=r"--looks .*: expected a number above 0"):
        run(name, np.ones((1, 4, 4)), looks=looks)


@every_filter
@pytest.mark.parametrize(("size", "better"), [(4, 5), (1, 3), (0, 3), (-3, 3)])
def test_windows_without_a_centre_are_refused(name: str, size: int, better: int) -> None:
    expected = f"--filter-size {size}: expected an odd number of pixels from 3 up; give {better}"
    with pytest.raises(ConfigError, match=expected):
        run(name, np.ones((1, 4, 4)), size=size)
    with pytest.raises(ConfigError, match=expected):
        reach(name, size)


@every_filter
def test_unlike_shapes_are_refused(name: str) -> None:
    with pytest.raises(GridError, match="give both for the same pixels"):
        run(name, np.ones((2, 4, 4)), np.ones((2, 4, 5), bool))


def test_an_unknown_filter_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--method median: no such filter; give boxcar or lee or"):
        reach("median", 7)


def amplitude_psnr(name: str, looks: int, speckle: Speckle) -> float:
    reference = np.maximum(data.camera()[128:384, 128:384].astype(np.float64), 1)
    filtered = (
        run(name, speckle(reference**2, looks), looks=looks)[0] if name != "noisy" else speckle(reference**2, looks)[0]
    )
    return float(10 * np.log10(255**2 / np.mean((np.sqrt(np.maximum(filtered, 0)) - reference) ** 2)))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("noisy", 12.6), ("boxcar", 21.1), ("lee", 21.6), ("refined-lee", 21.5), ("lee-sigma", 22.1), ("gamma-map", 20.4),
     ("frost", 23.1)],
)  # fmt: skip
def test_one_look_on_the_camera_man(name: str, expected: float, speckle: Speckle) -> None:
    assert amplitude_psnr(name, 1, speckle) == pytest.approx(expected, abs=0.3)


@pytest.mark.parametrize("name", ["lee", "refined-lee", "lee-sigma", "frost"])
@pytest.mark.parametrize("looks", [4, 10])
def test_what_looks_at_the_ground_beats_the_boxcar(name: str, looks: int, speckle: Speckle) -> None:
    assert amplitude_psnr(name, looks, speckle) > amplitude_psnr("boxcar", looks, speckle) + 3
