import numpy as np
import pytest

from rsgan.filters.haze import dark_channel, dark_object
from rsgan.sensors.procedural import draw_scene


@pytest.fixture
def land() -> np.ndarray:
    values, _ = draw_scene(np.random.default_rng(4), (128, 128), 10.0)
    values[:, ::16, ::16] = 0.01  # shadows
    return values.astype(np.float64)


def test_a_veil_that_is_even_is_taken_off_whole(land: np.ndarray) -> None:
    veil = np.array([0.08, 0.05, 0.03, 0.01])[:, None, None]
    clear = land - np.maximum(np.quantile(land.reshape(4, -1), 0.01, axis=1) - 0.01, 0)[:, None, None]
    np.testing.assert_allclose(dark_object(land + veil, np.ones((128, 128), bool)), clear, atol=1e-9)


def test_what_is_invalid_is_no_dark_object(land: np.ndarray) -> None:
    valid = np.ones((128, 128), bool)
    valid[:64] = False
    spoilt = land.copy()
    spoilt[:, :64] = -5
    np.testing.assert_allclose(dark_object(spoilt, valid)[:, 64:], dark_object(land, valid)[:, 64:])


def test_the_dark_channel_takes_scattering_off_and_leaves_clear_ground(land: np.ndarray) -> None:
    through, airlight = 0.6, 0.7
    hazy = through * land + (1 - through) * airlight
    hazy[:, :8, :8] = airlight  # one place where nothing is seen, as the method needs
    before, after = (np.sqrt(np.square(x - land)[:, 20:, 20:].mean()) for x in (hazy, dark_channel(hazy, (0, 1, 2))))
    assert after < 0.7 * before
    assert np.abs(dark_channel(land, (0, 1, 2)) - land).mean() < 0.03
