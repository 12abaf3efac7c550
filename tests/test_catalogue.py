import ast
import math
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

import rsgan.catalogue as catalogue
from rsgan.catalogue import RGBN, SENSORS, psf_sigma, sensor
from rsgan.errors import BandError, ConfigError


@pytest.mark.parametrize(("mtf_nyquist", "sigma"), [(0.25, 0.435), (0.30, 0.390), (0.29, 0.399)])
def test_psf_sigma_has_its_published_values(mtf_nyquist: float, sigma: float) -> None:
    assert psf_sigma(mtf_nyquist) == pytest.approx(sigma, abs=5e-4)


@pytest.mark.parametrize("mtf_nyquist", [0.05, 0.24, 0.5, 0.63])
def test_gaussian_times_detector_box_gives_back_the_system_mtf(mtf_nyquist: float) -> None:
    gaussian = math.exp(-((math.pi * psf_sigma(mtf_nyquist)) ** 2) / 2.0)
    assert gaussian * 2.0 / math.pi == pytest.approx(mtf_nyquist, rel=1e-12)


@pytest.mark.parametrize("mtf_nyquist", [2.0 / math.pi, 0.7, 0.0, -0.1, math.nan])
def test_an_mtf_beyond_the_detector_is_refused_with_its_value(mtf_nyquist: float) -> None:
    with pytest.raises(ConfigError, match=rf"mtf_nyquist is {mtf_nyquist:g}.*0\.637"):
        psf_sigma(mtf_nyquist)


@pytest.mark.parametrize("letter", ["a", "b", "c"])
def test_sentinel2_has_its_thirteen_bands_at_their_gsd(letter: str) -> None:
    found = sensor(f"sentinel-2{letter}")
    by_gsd = {gsd: [band.name for band in found.bands if band.gsd_m == gsd] for gsd in (10, 20, 60)}
    assert by_gsd == {10: list(RGBN), 20: ["B05", "B06", "B07", "B8A", "B11", "B12"], 60: ["B01", "B09", "B10"]}
    assert found.reflectance_scale == 10000.0


def test_rgbn_is_blue_green_red_nir() -> None:
    found = sensor("sentinel-2a")
    assert [found.band(name).common_name for name in RGBN] == ["blue", "green", "red", "nir"]


def test_the_three_sentinels_agree_on_wavelengths_within_twenty_nanometres() -> None:
    for bands in zip(*(sensor(f"sentinel-2{letter}").bands for letter in "abc"), strict=True):
        centres = [band.centre_um for band in bands]
        assert max(centres) - min(centres) < 0.02


@pytest.mark.parametrize("number", [8, 9])
def test_landsat_mtf_follows_from_the_specified_edge_slope(number: int) -> None:
    red, pan = sensor(f"landsat-{number}").band("red"), sensor(f"landsat-{number}").band("pan")
    for band, slope_per_m in ((red, 0.027), (pan, 0.054)):
        sigma = 0.2 / (2 * 0.25335 * slope_per_m) / band.gsd_m
        assert band.mtf_nyquist == pytest.approx(math.exp(-((math.pi * sigma) ** 2) / 2), abs=0.005)
    assert (red.gsd_m, pan.gsd_m) == (30, 15)


def test_landsat_scale_gives_the_published_reflectance() -> None:
    found = sensor("landsat-8")
    assert 10000 / found.reflectance_scale + found.reflectance_offset == pytest.approx(0.0000275 * 10000 - 0.2)


@pytest.mark.parametrize(("asked", "name"), [("b2", "B02"), ("BLUE", "B02"), (" nir ", "B08"), ("b8a", "B8A")])
def test_bands_are_found_by_any_of_their_names_in_any_case(asked: str, name: str) -> None:
    assert sensor("Sentinel-2A").band(asked).name == name


def test_no_name_means_two_bands_of_one_sensor() -> None:
    for found in SENSORS.values():
        names = [name.casefold() for b in found.bands for name in {b.name, b.common_name, *b.aliases} if name]
        assert len(names) == len(set(names)), found.name


def test_every_published_number_is_in_its_physical_range() -> None:
    for band in (band for found in SENSORS.values() for band in found.bands):
        assert 0.4 < band.centre_um < 13.0
        assert 0.0 < band.width_um < band.centre_um
        assert (band.mtf_nyquist is None) == (band.mtf_basis == "unpublished")
        assert (band.snr is None) == (band.snr_basis == "unpublished")
        assert band.mtf_nyquist is None or 0.25 < band.psf_sigma < 0.55


def test_a_band_without_mtf_says_so() -> None:
    with pytest.raises(ConfigError, match="band B10 has no published MTF"):
        _ = sensor("sentinel-2a").band("B10").psf_sigma


def test_unknown_band_and_sensor_name_what_exists() -> None:
    with pytest.raises(BandError, match="Sentinel-2A MSI has no band 'B99'; it has B01 B02"):
        sensor("sentinel-2a").band("B99")
    with pytest.raises(ConfigError, match="no sensor is called 'spot'; known are sentinel-2a"):
        sensor("spot")
    assert sensor("aerial").find("") is None


def test_constants_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        sensor("aerial").reflectance_scale = 1.0  # type: ignore[misc]


def test_the_catalogue_needs_no_other_library() -> None:
    tree = ast.parse(Path(catalogue.__file__).read_text(encoding="utf-8"))
    roots = {node.module.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    roots |= {
        alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    assert roots <= {"math", "collections", "dataclasses", "typing", "rsgan"}
