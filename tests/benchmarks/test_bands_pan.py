"""The benchmark of pan-sharpening: classical fusion, alignment, and rows on a drawn pan."""

import numpy as np
import pytest

from benchmarks import bands_pan as pan
from benchmarks.band_figures import ratios
from benchmarks.wald import SENTINEL, Raster
from rsgan.sensors.procedural import draw_scene

WEIGHTS = np.array([0.1, 0.5, 0.4, 0.0])


@pytest.fixture(scope="module")
def land() -> np.ndarray:
    scene, _ = draw_scene(np.random.default_rng(4), (128, 128), 10.0)
    return scene.astype(np.float64)


def mixed(values: np.ndarray) -> np.ndarray:
    return np.einsum("c,chw->hw", WEIGHTS, values)[None]


def test_the_intensity_is_the_mixture_that_the_pan_shows(land: np.ndarray) -> None:
    np.testing.assert_allclose(pan.regressed(land, mixed(land)), mixed(land)[0], atol=1e-9)


def test_fusion_changes_nothing_where_the_pan_shows_nothing_more(land: np.ndarray) -> None:
    intensity = mixed(land)[0]
    np.testing.assert_allclose(pan.brovey(mixed(land), land, intensity), land, atol=1e-12)
    np.testing.assert_allclose(pan.gram_schmidt(mixed(land), land, intensity), land, atol=1e-12)


def test_fusion_is_exact_for_bands_that_are_multiples_of_the_pan(land: np.ndarray) -> None:
    sharp = land[:1] * np.array([0.5, 1.0, 2.0])[:, None, None]
    soft = pan.PROTOCOLS[0].project(pan.PROTOCOLS[0].observe(sharp, 2, 0), 2, 0)
    intensity = soft[1]
    np.testing.assert_allclose(pan.brovey(sharp[1:2], soft, intensity), sharp, rtol=0.02)
    np.testing.assert_allclose(pan.gram_schmidt(sharp[1:2], soft, intensity), sharp, atol=2e-3)


@pytest.mark.parametrize("moved", [(0, 1), (-1, 0), (2, -3)])
def test_a_pan_that_lies_askew_is_moved_back(land: np.ndarray, moved: tuple[int, int]) -> None:
    bands = pan.PROTOCOLS[0].observe(land, 4, 0)
    askew = pan.Pair("x", np.roll(land.mean(0)[None], moved, (1, 2)), bands, ("B", "G", "R", "N"), doubled=True)
    np.testing.assert_array_equal(askew.aligned().pan, land.mean(0)[None])
    np.testing.assert_allclose(4 * askew.shift, moved, atol=0.4)


def test_a_pan_that_does_not_see_the_near_infrared_helps_the_visible_more(land: np.ndarray) -> None:
    protocol = pan.PROTOCOLS[0]
    bands = ("B02", "B03", "B04", "B08")
    observed = Raster(protocol.observe(land, 2, 0), bands, 30.0)
    fusion = pan.Fusion("drawn", Raster(SENTINEL.rounded(mixed(land)), ("PAN",), 15.0), observed, land, SENTINEL)
    assert fusion.scale == 2
    rows = list(pan.measure(fusion, protocol, {"visible": [0, 1, 2], "near infrared": [3]}, None))
    visible, infrared = (
        ratios([row for row in rows if row.protocol == part], pan.LINEAR, pan.PROJECTED)[0]
        for part in ("visible", "near infrared")
    )
    assert visible < 0.8
    assert visible < infrared
