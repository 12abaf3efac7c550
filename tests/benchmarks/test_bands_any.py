"""The benchmark of any band: which pixels it takes, and what its tables say."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import bands_any as bands
from benchmarks.wald import Storage
from rsgan.training.config import Source


@pytest.mark.parametrize("seed", range(5))
def test_the_square_is_whole_and_lies_inside(seed: int) -> None:
    valid = np.ones((90, 70), bool)
    valid[tuple(np.random.default_rng(seed).integers(0, 60, (2, 3)))] = False
    rows, columns = bands.largest_square(valid)
    assert valid[rows, columns].all()
    assert valid[rows, columns].shape == (rows.stop - rows.start,) * 2
    assert (rows.stop - rows.start) % 4 == 0


def test_the_square_fills_what_there_is_up_to_the_largest() -> None:
    valid = np.zeros((300, 400), bool)
    valid[100:300, 0:200] = True
    rows, columns = bands.largest_square(valid)
    assert rows.stop - rows.start == 196
    assert (rows.start >= 100, columns.stop <= 200) == (True, True)
    rows, _ = bands.largest_square(valid, 64)
    assert rows.stop - rows.start == 64


def test_pixels_that_stand_doubled_are_found_out() -> None:
    single = np.random.default_rng(0).random((2, 20, 21))
    assert bands.is_doubled(single.repeat(2, 1).repeat(2, 2))
    assert not bands.is_doubled(single)
    assert not bands.is_doubled(single.repeat(2, 1))


def made(kind: str, tile: str, values: tuple[float, float, float, float]) -> list[bands.Row]:
    names = (bands.BICUBIC, bands.PROJECTED, bands.OURS, bands.TOLD)
    return [
        bands.Row(protocol.name, tile, "B1", kind, method, value)
        for protocol in bands.PROTOCOLS
        for method, value in zip(names, values, strict=True)
    ]


ROWS = [*made("Landsat 30 m", "a", (30, 31, 33, 34)), *made(bands.DOUBLED, "b", (30, 31, 29.9, 30.5))]


def test_the_verdict_gives_the_share_above_bicubic_and_the_worst_with_and_without_the_doubled_raster() -> None:
    first, second = bands.verdict(ROWS).splitlines()
    assert "6 bands x protocols: above bicubic on 50.0%" in first
    assert "worst -0.100 dB" in first
    assert first.endswith("below that tolerance on 3.")
    assert "3 bands x protocols: above bicubic on 100.0%" in second
    assert "worst +3.000 dB" in second


def test_tables_are_by_kind_of_sensor_and_name_the_worst_band_of_a_tile() -> None:
    text = bands.tables(ROWS)
    assert "| Landsat 30 m | 1 | 30.00 | 31.00 | 33.00 | 34.00 | 3.00 | +3.00 | 100% | +4.00 | 100% | 2.00 |" in text
    assert "| b | -0.10 (-0.10, B1) | -0.10 (-0.10, B1) | -0.10 (-0.10, B1) |" in text


def test_the_card_says_what_the_baseline_is() -> None:
    figure = bands.card_figures(ROWS)[0]
    assert (figure.protocol, figure.ours, figure.baseline) == ("P40 x2", 31.45, 30.0)
    assert figure.what.endswith("(baseline: bicubic)")


@pytest.mark.realdata
def test_a_raster_whose_pixels_stand_doubled_is_judged_at_its_native_pixels_too(real_data: Path) -> None:
    source = Source(glob="vhr/wv2_ms_rotterdam_2.tif", reflectance_scale=2000)
    doubled, native = bands._references(real_data / source.glob, source)
    assert set(doubled.kinds) == {bands.DOUBLED}
    assert (set(native.kinds), native.gsd_m) == ({"WorldView-2"}, pytest.approx(2, abs=0.01))
    assert native.values.shape == (4, 100, 100)


@pytest.mark.realdata
def test_eight_bit_rasters_stay_eight_bit_and_the_thermal_band_is_its_own_kind(real_data: Path) -> None:
    source = Source(glob="aerial/naip_60cm_m_3211605_ne_11_060_20200415.tif", reflectance_scale=255)
    (reference,) = bands._references(real_data / source.glob, source)
    assert reference.storage == Storage("uint8", 1 / 255)
    assert bands._kind(Path("landsat/x.tif"), "B6_brightness_temp") == bands.THERMAL
