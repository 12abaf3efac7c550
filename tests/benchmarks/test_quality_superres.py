"""The quality benchmark: its protocol, its rows and what it says about a drawn scene."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import quality_superres as quality
from rsgan.catalogue import RGBN
from rsgan.sensors.procedural import draw_scene
from rsgan.training.tiles import Tile


@pytest.fixture(scope="module")
def rows() -> list[quality.Row]:
    finer, _ = draw_scene(np.random.default_rng(5), (256, 256), 5.0)
    reference = finer.reshape(4, 128, 2, 128, 2).mean((2, 4)).astype(np.float32)
    tile = Tile(Path("drawn.tif"), reference, np.ones((128, 128), dtype=bool), None, None, 1.0)
    return quality.measure((tile, 0, 2, "s2-rgbn-x2", RGBN))


def test_the_observation_is_in_whole_stored_units_and_as_noisy_as_asked() -> None:
    flat = np.full((4, 128, 128), 0.2)
    observed = quality.observe(flat, 2, 0.4, 0.001, seed=1)
    assert observed.shape == (4, 64, 64)
    np.testing.assert_allclose(observed / quality.DN, np.round(observed / quality.DN), atol=1e-6)
    assert observed.std() == pytest.approx(0.001, rel=0.05)


def test_every_method_is_measured_under_every_protocol(rows: list[quality.Row]) -> None:
    methods = {"bilinear", quality.BICUBIC, quality.FIVE, quality.THIRTY, quality.DEFAULT, "ours, sharpness 0"}
    for protocol in quality.PROTOCOLS:
        assert methods <= {row.method for row in rows if row.protocol == protocol}


def test_the_reference_itself_reaches_the_ceiling_of_improvement(rows: list[quality.Row]) -> None:
    oracle = [row.improvement for row in rows if row.method.startswith("oracle")]
    np.testing.assert_allclose(oracle, 1 / (1 + 2 * np.exp(-4)), atol=0.01)


def test_the_shipped_model_beats_bicubic_and_back_projection_on_drawn_land(rows: list[quality.Row]) -> None:
    clean = [row for row in rows if row.protocol == "P40"]
    mine, five, bicubic = (
        quality.column(clean, name, "psnr")[0] for name in (quality.DEFAULT, quality.FIVE, quality.BICUBIC)
    )
    assert mine > five > bicubic


def test_tables_and_card_figures_name_what_was_measured(rows: list[quality.Row]) -> None:
    text = quality.tables(rows)
    assert "### x2, P40n: sigma 0.4, noise 0.001, 1 tiles" in text
    assert "of the noise" in text
    found = {(figure.protocol, figure.what) for figure in quality.figures(rows, 2)}
    assert {("P40 x2", "PSNR, dB"), ("P50 x2", "improvement"), ("P40n x2", "hallucination")} <= found
