"""The benchmark of guided bands: its protocol and its rows on drawn land."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import bands_guided as guided
from benchmarks.band_figures import Row, methods, of, ratios
from benchmarks.wald import Raster
from rsgan.sensors.procedural import draw_scene
from rsgan.training.loading import load_config

SIX = ("B05", "B06", "B07", "B8A", "B11", "B12")


@pytest.fixture(scope="module")
def pair() -> guided.Pair:
    """Four drawn bands at 10 m, and six mixtures of them at 20 m."""
    fine, _ = draw_scene(np.random.default_rng(8), (192, 192), 10.0)
    mixed = np.tensordot(np.random.default_rng(1).dirichlet(np.ones(4), 6), fine.astype(np.float64), 1)
    coarse = mixed.reshape(6, 96, 2, 96, 2).mean((2, 4))
    four = ("B02", "B03", "B04", "B08")
    return guided.Pair("drawn", Raster(coarse, SIX, 20.0), Raster(fine.astype(np.float64), four, 10.0), held_out=True)


@pytest.fixture(scope="module")
def rows(pair: guided.Pair) -> list[Row]:
    return list(guided.measure(pair, 0, None))


def test_one_scale_up_all_bands_are_degraded_alike(pair: guided.Pair) -> None:
    seen, reference = guided.observe(pair, guided.PROTOCOLS[0], 0)
    assert reference.shape == (6, 96, 96)
    assert seen.coarse.values.shape == (6, 48, 48)
    assert seen.fine.values.shape == (4, 96, 96)
    assert (seen.coarse.gsd_m, seen.fine.gsd_m, seen.ratio) == (40.0, 20.0, 2)


def test_every_learning_free_method_is_measured_under_every_protocol(rows: list[Row]) -> None:
    for protocol in guided.PROTOCOLS:
        here = [row for row in rows if row.protocol == protocol.name]
        told = [guided.LINEAR] if protocol.sigma is not None else []
        assert methods(here) == [guided.BICUBIC, guided.PROJECTED, *told, guided.LINEAR_UNTOLD]


def test_where_the_guide_tells_everything_the_linear_law_leaves_back_projection_far_behind(rows: list[Row]) -> None:
    clean = [row for row in rows if row.protocol == "P25"]
    assert ratios(clean, guided.LINEAR, guided.PROJECTED)[0] < 0.5
    assert of(clean, guided.LINEAR)[0].ergas < of(clean, guided.BICUBIC)[0].ergas


def test_the_verdict_counts_tiles_and_names_the_targets() -> None:
    made = [
        Row("P25", tile, True, method, ("B05",), (value,), angle, 1.0)
        for tile, method, value, angle in (
            ("a", guided.LINEAR, 10.0, 2.0),
            ("a", guided.OURS, 7.0, 1.0),
            ("b", guided.LINEAR, 10.0, 1.0),
            ("b", guided.OURS, 9.0, 3.0),
            ("b", guided.ADAPTED, 8.1, 3.0),
        )
    ]
    text = guided.verdict(made, guided.LINEAR, guided.OURS)
    assert "RMSE of ours / linear: 0.800 ± 0.100, worst tile 0.900 (target: at most 0.8)." in text
    assert "SAM lower than linear on 1 and ERGAS on 0 of 2 tiles." in text
    assert "RMSE of adapted / ours: 0.900 over 1 tiles" in text


@pytest.mark.realdata
def test_places_that_the_config_trains_on_are_told_apart(real_data: Path) -> None:
    config = load_config(Path("configs/superres_s2_20to10.yaml"))
    found = {pair.name: pair.held_out for pair in guided.read_pairs(real_data, config)}
    assert len(found) == 8
    assert not found["s2_l1c_t33uub_20170527_20m"]
    assert sorted(name for name, held_out in found.items() if held_out) == [
        "ben_S2B_MSIL2A_20170924T093019_43_47_20m",
        "ben_S2B_MSIL2A_20170927T094019_66_56_20m",
        "ben_S2B_MSIL2A_20180502T093039_43_14_20m",
    ]
