"""Figures of several bands: units, ratios, tables."""

import numpy as np
import pytest

from benchmarks import band_figures as bands


def row(tile: str, method: str, rmse: tuple[float, float], *, held_out: bool = True) -> bands.Row:
    return bands.Row("P25", tile, held_out, method, ("B05", "B06"), rmse, 1.0, 2.0)


ROWS = [
    row("a", "linear", (10, 30)),
    row("a", "ours", (8, 24)),
    row("b", "linear", (40, 60), held_out=False),
    row("b", "ours", (20, 30), held_out=False),
]


def test_rmse_is_in_units_of_a_ten_thousandth_and_ergas_relative_to_the_mean() -> None:
    reference = np.full((2, 8, 8), 0.2)
    found = bands.figures(reference + np.array([0.001, 0.003])[:, None, None], reference, 2)
    assert found["rmse"] == pytest.approx((10, 30))
    assert found["ergas"] == pytest.approx(50 * np.sqrt((0.005**2 + 0.015**2) / 2))
    assert found["sam_deg"] == pytest.approx(np.degrees(np.arctan2(0.203, 0.201) - np.pi / 4), rel=1e-6)


def test_a_single_band_has_no_spectral_angle() -> None:
    reference = np.full((1, 8, 8), 0.2)
    assert np.isnan(bands.figures(reference, reference, 2)["sam_deg"])


def test_ratios_are_tile_by_tile_and_of_the_mean_over_the_bands() -> None:
    np.testing.assert_allclose(bands.ratios(ROWS, "ours", "linear"), [0.8, 0.5])


def test_tables_show_means_over_tiles_and_say_which_places_were_trained_on() -> None:
    lines = bands.method_table(ROWS, "linear").splitlines()
    assert lines[3].startswith("| ours | 20.5 ± 4.5 | 14.0 | 27.0 | 1.000 ± 0.000 | 2.000 ± 0.000 | 0.650 ± 0.150 |")
    tiles = bands.tile_table(ROWS, ("linear", "absent", "ours"), "linear").splitlines()
    assert tiles[2:] == ["| a | held out | 20.0 | 16.0 | 0.800 |", "| b | trained on | 50.0 | 25.0 | 0.500 |"]
