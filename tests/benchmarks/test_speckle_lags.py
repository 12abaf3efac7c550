import numpy as np
import pytest

from benchmarks.speckle_lags import SIDE, correlations, even_windows
from rsgan.sensors.sar import draw_speckle


def test_lags_of_averaged_speckle_are_found_along_its_axis() -> None:
    speckle = draw_speckle(np.random.default_rng(1), (500, 500), 9.0, (0.0, 2 / 3), (1, 3)) - 1
    assert correlations(speckle, 1) == pytest.approx([2 / 3, 1 / 3, 0], abs=0.03)
    assert correlations(speckle, 0) == pytest.approx([0, 0, 0], abs=0.03)


def test_a_slope_is_taken_out_and_holes_and_edges_are_passed_over() -> None:
    rng = np.random.default_rng(2)
    ground = np.linspace(1, 2, 120)[:, None] * np.ones((120, 120))
    ground[60:, 60:] *= 10
    intensity = ground * draw_speckle(rng, ground.shape, 100.0)
    intensity[5, 5] = np.nan
    windows = even_windows(intensity)
    assert len(windows) == 8
    assert {window.shape for window in windows} == {(SIDE, SIDE)}
    assert all(window.std() < 0.12 for window in windows)
