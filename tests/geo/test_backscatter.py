"""What the numbers of a radar raster are, is found out, asked for, or refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rsgan.errors import ConfigError, InputError
from rsgan.geo import Scene
from rsgan.radiometry import Backscatter

MakeRaster = Callable[..., Path]
RNG = np.random.default_rng(11)
SIGMA0_DB = RNG.normal(-12, 6, (1, 60, 80))
SIGMA0 = 10 ** (SIGMA0_DB / 10)


def found(path: Path, **said: Any) -> Backscatter:
    with Scene.open_sar([path], **said) as scene:
        assert isinstance(scene.radiometry, Backscatter)
        return scene.radiometry


def float32(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32)


def test_mostly_negative_floats_are_decibels_and_the_reason_is_said(make_raster: MakeRaster) -> None:
    radiometry = found(make_raster("a.tif", float32(SIGMA0_DB)))
    low, high = np.percentile(SIGMA0_DB, (1, 99))
    assert radiometry.quantity == "db"
    share = f"{(SIGMA0_DB < 0).mean():.0%} of the values negative"
    assert radiometry.source == f"db: band1 {low:.4g} .. {high:.4g}, {share}"


def test_small_floats_that_are_not_negative_are_intensity(make_raster: MakeRaster) -> None:
    assert found(make_raster("a.tif", float32(SIGMA0))).quantity == "intensity"
    noise_subtracted = float32(SIGMA0 - 0.01)
    assert (noise_subtracted < 0).any()
    assert found(make_raster("b.tif", noise_subtracted)).quantity == "intensity"


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_unsigned_integers_without_a_scale_are_amplitude_and_that_is_told(make_raster: MakeRaster, dtype: str) -> None:
    values = RNG.integers(1, 255, (1, 20, 30)).astype(dtype)
    with Scene.open_sar([make_raster("a.tif", values)]) as scene:
        assert scene.radiometry.quantity == "amplitude"
        assert any("taken for amplitude" in note and "--quantity" in note for note in scene.notes)
        np.testing.assert_array_equal(scene.read(scene.grid.window).values, values.astype(np.float32) ** 2)
    assert found(make_raster("b.tif", values), quantity="intensity").source == "intensity: as --quantity says"


@pytest.mark.parametrize("dtype", ["complex64", "complex128", "complex_int16"])
def test_complex_numbers_are_intensity_and_the_loss_of_phase_is_told(make_raster: MakeRaster, dtype: str) -> None:
    values = (RNG.integers(-90, 90, (1, 20, 30)) + 1j * RNG.integers(1, 90, (1, 20, 30))).astype(np.complex64)
    options = {"dtype": dtype} if dtype == "complex_int16" else {}
    stored = values if options else values.astype(dtype)
    path = write_complex(make_raster, stored, dtype)
    with Scene.open_sar([path]) as scene:
        chip = scene.read(scene.grid.window)
        assert (scene.radiometry.quantity, scene.radiometry.dtype, chip.values.dtype) == (
            "intensity", "float32", np.float32,
        )  # fmt: skip
        np.testing.assert_allclose(chip.values, values.real**2 + values.imag**2, rtol=1e-6)
        assert scene.radiometry.to_dn(chip.values).dtype == np.float32
        assert np.isnan(scene.output_nodata)
        assert any("without the phase" in note for note in scene.notes)
    with pytest.raises(InputError, match="--output-quantity db"):
        found(path, quantity="db")


def write_complex(make_raster: MakeRaster, values: np.ndarray, dtype: str) -> Path:
    if dtype != "complex_int16":
        return make_raster("slc.tif", values)
    import rasterio

    path = make_raster("slc.tif", values)
    with rasterio.open(path) as dataset:
        profile = dataset.profile | {"dtype": "complex_int16"}
    with rasterio.open(path, "w", **profile) as dataset:
        dataset.write(values)
    return path


@pytest.mark.parametrize(
    ("options", "quantity", "reason"),
    [
        ({"units": ["dB"]}, "db", "the unit says 'dB'"),
        ({"descriptions": ["Sigma0_VV_db"]}, "db", "the name of a band says 'Sigma0_VV_db'"),
        ({"descriptions": ["Amplitude_VV"]}, "amplitude", "the name of a band says 'Amplitude_VV'"),
        ({"tags": {"BACKSCATTER": "power"}}, "intensity", "a tag says 'BACKSCATTER=power'"),
        ({"units": ["intensity"], "tags": {"scale": "amplitude"}}, "intensity", "the unit says 'intensity'"),
    ],
)
def test_what_the_files_say_comes_before_what_the_numbers_look_like(
    make_raster: MakeRaster, options: dict[str, Any], quantity: str, reason: str
) -> None:
    radiometry = found(make_raster("a.tif", float32(SIGMA0 * 20), **options))
    assert (radiometry.quantity, radiometry.source) == (quantity, f"{quantity}: {reason}")


def test_sigma_nought_alone_does_not_tell_but_names_the_calibration(make_raster: MakeRaster) -> None:
    assert found(make_raster("a.tif", float32(SIGMA0_DB), descriptions=["sigma0_VV"])).quantity == "db"
    linear = found(make_raster("b.tif", float32(SIGMA0), descriptions=["Sigma nought"]))
    assert (linear.quantity, linear.calibration) == ("intensity", "sigma0")
    assert found(make_raster("c_gamma0.tif", float32(SIGMA0))).calibration == "gamma0"
    assert found(make_raster("beta0.tif", float32(SIGMA0), descriptions=["gamma0"])).calibration is None


def test_the_file_name_says_it_last(make_raster: MakeRaster) -> None:
    assert "the file's name says 'a_norm_db'" in found(make_raster("a_norm_db.tif", float32(SIGMA0_DB))).source


def test_what_could_be_several_things_is_asked_for(make_raster: MakeRaster) -> None:
    path = make_raster("a.tif", float32(1000 * SIGMA0))
    with pytest.raises(InputError, match=r"do not tell: band1 .*Give --quantity intensity, amplitude or db"):
        found(path)
    for quantity in ("intensity", "amplitude"):
        assert found(path, quantity=quantity).quantity == quantity
    mixed = np.concatenate([float32(SIGMA0_DB), float32(SIGMA0)])
    with pytest.raises(InputError, match="choose bands with --bands"):
        found(make_raster("b.tif", mixed))
    bright = float32(RNG.normal(1, 6, (1, 60, 80)))
    with pytest.raises(InputError, match="Give --quantity"):
        found(make_raster("c.tif", bright))
    assert found(make_raster("c.tif", bright), quantity="db").quantity == "db"


def test_what_the_numbers_contradict_is_refused(make_raster: MakeRaster) -> None:
    path = make_raster("a.tif", float32(SIGMA0_DB))
    for quantity in ("intensity", "amplitude"):
        with pytest.raises(InputError, match=f"cannot be {quantity}.*of the values negative.*give --quantity db"):
            found(path, quantity=quantity)
    with pytest.raises(InputError, match=r"cannot be amplitude.*Give another --quantity"):
        found(make_raster("b.tif", float32(SIGMA0 - 0.01)), quantity="amplitude")
    with pytest.raises(InputError, match=r"cannot be decibels \(as --quantity says\).*at most 100 dB"):
        found(make_raster("c.tif", float32(5000 * SIGMA0)), quantity="db")
    with pytest.raises(InputError, match=r"cannot be intensity \(the unit says 'power'\)"):
        found(make_raster("d.tif", float32(SIGMA0_DB), units=["power"]))


def test_decibels_of_which_none_is_negative_are_doubted(make_raster: MakeRaster) -> None:
    with Scene.open_sar([make_raster("a.tif", float32(SIGMA0))], quantity="db") as scene:
        assert any("none of the decibels" in note for note in scene.notes)


def test_decibels_in_integers_need_a_scale(make_raster: MakeRaster) -> None:
    tenths = np.rint(SIGMA0_DB * 10).astype(np.int16)
    path = make_raster("a.tif", tenths)
    for said in ({}, {"quantity": "db"}):
        with pytest.raises(InputError, match=r"--stored-scale \(perhaps 10"):
            found(path, **said)
    given = found(path, stored_scale=10.0)
    assert (given.quantity, given.scale) == ("db", (0.1,))
    assert "10 stored units make 1, as --stored-scale says" in given.source
    stated = found(make_raster("b.tif", tenths, scales=[0.1]))
    assert (stated.quantity, stated.scale) == ("db", (0.1,))
    assert found(make_raster("b.tif", tenths, scales=[0.5]), stored_scale=10.0).scale == (0.1,)
    with pytest.raises(InputError, match="--stored-scale"):
        found(make_raster("c.tif", np.full((1, 9, 9), 200, np.uint8)), quantity="db", nodata=None)


def test_signed_integers_that_are_not_negative_are_asked_for(make_raster: MakeRaster) -> None:
    with pytest.raises(InputError, match="int16 numbers are, and they do not tell"):
        found(make_raster("a.tif", RNG.integers(1, 999, (1, 20, 30)).astype(np.int16)))


def test_nodata_that_is_not_declared_is_asked_for(make_raster: MakeRaster) -> None:
    values = float32(SIGMA0)
    values[0, :9] = -9999
    with pytest.raises(InputError, match=r"15% of the numbers of band1 are -9999.*--nodata -9999"):
        found(make_raster("a.tif", values))
    with Scene.open_sar([make_raster("a.tif", values)], nodata=-9999) as scene:
        np.testing.assert_array_equal(scene.read(scene.grid.window).valid, values != -9999)
        assert scene.output_nodata == -9999


def test_words_that_cannot_be_meant_are_refused(make_raster: MakeRaster) -> None:
    path = make_raster("a.tif", float32(SIGMA0))
    with pytest.raises(ConfigError, match=r"--stored-scale is 0; expected"):
        found(path, stored_scale=0.0)
    with pytest.raises(ConfigError, match=r"--quantity is 'power'; expected intensity, amplitude, db"):
        found(path, quantity="power")


@pytest.mark.parametrize("empty", ["zero", "nodata", "nan", "masked"])
def test_a_scene_without_a_measurement_is_refused(make_raster: MakeRaster, empty: str) -> None:
    values = np.full((1, 300, 500), {"zero": 0.0, "nodata": -5.0, "nan": np.nan, "masked": 1.0}[empty], np.float32)
    options: dict[str, Any] = {"nodata": -5.0} if empty == "nodata" else {}
    if empty == "masked":
        options["mask"] = np.zeros((300, 500), np.uint8)
    with pytest.raises(InputError, match=r"holds no measurement: every pixel is 0, nodata, NaN or masked"):
        found(make_raster("a.tif", values, **options))
    slc = make_raster("slc.tif", np.zeros((1, 20, 30), np.complex64))
    with pytest.raises(InputError, match="holds no measurement"):
        found(slc)


def test_a_measurement_is_found_wherever_it_lies(make_raster: MakeRaster) -> None:
    values = np.zeros((1, 1500, 1400), np.float32)
    values[0, 333:340, 1250:1260] = -9.0
    radiometry = found(make_raster("a.tif", values))
    assert (radiometry.quantity, radiometry.source) == ("db", "db: band1 -9 .. -9, 100% of the values negative")


def test_one_pixel_is_a_scene(make_raster: MakeRaster) -> None:
    with Scene.open_sar([make_raster("a.tif", np.full((1, 1, 1), -9.5, np.float32))]) as scene:
        np.testing.assert_allclose(scene.read(scene.grid.window).values, 10**-0.95, rtol=1e-6)
