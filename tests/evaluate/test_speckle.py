"""Despeckled rasters are judged by their ratio image, and by a reference where there is one."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from click.testing import CliRunner

import rsgan
from rsgan.cli import main
from rsgan.errors import BandError, ConfigError, GridError, InputError
from rsgan.evaluate.speckle import evaluate_speckle, is_despeckled
from rsgan.sensors.sar import draw_speckle

SAMPLES = Path(__file__).parents[2] / "data_samples"
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A function that writes intensity as dB, by rasterio alone."""

    def make(name: str, intensity: np.ndarray, band: str = "VV", west: float = 5e5, **tags: str) -> Path:
        profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "crs": "EPSG:32631"}
        height, width = intensity.shape
        transform = Affine(10, 0, west, 0, -10, 5e6)
        with rasterio.open(tmp_path / name, "w", height=height, width=width, transform=transform, **profile) as dataset:
            dataset.write((10 * np.log10(intensity)).astype(np.float32), 1)
            dataset.set_band_description(1, band)
            dataset.update_tags(**tags)
        return tmp_path / name

    return make


@pytest.fixture
def ground() -> np.ndarray:
    values = np.full((120, 150), 0.05)
    values[40:80, 60:] = 0.4
    return values


@pytest.fixture
def observed(ground: np.ndarray) -> np.ndarray:
    return ground * draw_speckle(np.random.default_rng(1), ground.shape, 4.0)


def test_truth_is_all_that_is_expected(write: Write, ground: np.ndarray, observed: np.ndarray) -> None:
    found = evaluate_speckle(
        write("clean.tif", ground), observed=write("sar.tif", observed), reference=write("truth.tif", ground), looks=4.0
    )
    (figures,), (against,) = found.figures, found.against
    assert figures.mean_ratio == pytest.approx(1, abs=0.02)
    assert figures.ratio_variance == pytest.approx(1, abs=0.05)
    assert figures.ratio_structure < 0.05
    assert against.psnr_db > 100
    assert (against.bias, against.rmse_db) == pytest.approx((0, 0), abs=1e-5)
    assert (against.epi, against.epd_roa) == pytest.approx((1, 1), abs=1e-5)


def test_what_was_smoothed_away_shows(write: Write, ground: np.ndarray, observed: np.ndarray) -> None:
    flat = write("flat.tif", np.full_like(ground, ground.mean()))
    found = evaluate_speckle(flat, observed=write("sar.tif", observed), reference=write("truth.tif", ground), looks=4.0)
    assert found.figures[0].ratio_structure > 0.3
    assert found.against[0].psnr_db < 20


def test_looks_come_from_the_flag_then_the_tags_then_the_scene(
    write: Write, ground: np.ndarray, observed: np.ndarray
) -> None:
    sar = write("sar.tif", observed)
    tagged = write("tagged.tif", ground, RSGAN_LOOKS="[3.5]", RSGAN_CORRELATION="[[0.1, 0.2]]")
    assert evaluate_speckle(tagged, observed=sar).figures[0].looks == 3.5
    assert evaluate_speckle(tagged, observed=sar).figures[0].correlation == (0.1, 0.2)
    assert evaluate_speckle(tagged, observed=sar, looks=5.0).figures[0].looks == 5
    measured = evaluate_speckle(write("bare.tif", ground), observed=sar)
    assert measured.figures[0].looks == pytest.approx(4, rel=0.15)
    assert "measured" in measured.source


def test_the_verb_sees_by_the_tags_that_a_raster_is_despeckled(tmp_path: Path) -> None:
    clean = rsgan.despeckle(SAMPLES / "sar_vv_vh_10m.tif", tmp_path / "clean.tif", method="lee")
    assert is_despeckled(clean)
    assert not is_despeckled(SAMPLES / "sar_vv_vh_10m.tif")
    words = [
        "evaluate", clean, "--observed", SAMPLES / "sar_vv_vh_10m.tif",
        "--reference", SAMPLES / "sar_reference_10m.tif",
        "--json", tmp_path / "figures.json", "--report", tmp_path / "page.html",
    ]  # fmt: skip
    result = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0
    for part in ("Against the reference", "Ratio image of VV", "Ratio image of VH", "PSNR of the amplitude"):
        assert part in result.stdout
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert set(figures["bands"]) == {"VV", "VH"}
    assert 20 < figures["bands"]["VV"]["reference"]["psnr_db"] < 60
    assert "<svg" in (tmp_path / "page.html").read_text()


def test_what_does_not_fit_is_refused(write: Write, ground: np.ndarray, observed: np.ndarray) -> None:
    clean, sar = write("clean.tif", ground), write("sar.tif", observed)
    with pytest.raises(ConfigError, match="--observed"):
        evaluate_speckle(clean, observed=None)
    with pytest.raises(GridError, match="unlike grids"):
        evaluate_speckle(clean, observed=write("small.tif", observed[:50]))
    with pytest.raises(GridError, match="unlike grids"):
        evaluate_speckle(clean, observed=write("moved.tif", observed, west=6e5))
    with pytest.raises(BandError, match="no band in common"):
        evaluate_speckle(clean, observed=write("other.tif", observed, band="HH"))
    with pytest.raises(InputError):
        evaluate_speckle(clean.with_name("nowhere.tif"), observed=sar)
    holes = observed.copy()
    holes[:, :80] = np.nan
    other = ground.copy()
    other[:, 70:] = np.nan
    with pytest.raises(InputError, match="no pixel is valid"):
        evaluate_speckle(write("left.tif", other), observed=write("right.tif", holes))
