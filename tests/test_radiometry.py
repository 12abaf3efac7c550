import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsgan.errors import ConfigError, InputError
from rsgan.radiometry import Radiometry

SCALES = st.floats(1e-6, 10.0)
OFFSETS_DN = st.floats(-2e6, 2e6)


def every_integer(dtype: str) -> np.ndarray:
    limits = np.iinfo(dtype)
    return np.arange(limits.min, limits.max + 1, dtype=dtype)[None, None]


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16"])
@settings(max_examples=25, deadline=None)
@given(scale=SCALES, offset_dn=OFFSETS_DN)
def test_every_integer_survives_the_way_there_and_back(dtype: str, scale: float, offset_dn: float) -> None:
    dn = every_integer(dtype)
    radiometry = Radiometry((scale,), (offset_dn * scale,), dtype, "test")
    again = radiometry.to_dn(radiometry.to_reflectance(dn))
    assert again.dtype == dn.dtype
    np.testing.assert_array_equal(again, dn)


def test_reflectance_is_dn_times_scale_plus_offset_per_band() -> None:
    dn = np.array([[[1000]], [[2000]]], dtype=np.uint16)
    radiometry = Radiometry((1e-4, 2e-4), (0.0, -0.1), "uint16", "test")
    np.testing.assert_allclose(radiometry.to_reflectance(dn).ravel(), [0.1, 0.3], rtol=1e-6)


def test_floats_with_identity_scale_survive_bit_for_bit() -> None:
    values = np.random.default_rng(0).normal(size=(2, 5, 5)).astype(np.float32)
    radiometry = Radiometry((1.0, 1.0), (0.0, 0.0), "float32", "test")
    np.testing.assert_array_equal(radiometry.to_dn(radiometry.to_reflectance(values)), values)


def test_rounding_is_half_to_even_and_clips_to_the_type() -> None:
    radiometry = Radiometry((1.0,), (0.0,), "uint8", "test")
    reflectance = np.array([[[0.5, 1.5, 2.5, -3.0, 300.0]]])
    np.testing.assert_array_equal(radiometry.to_dn(reflectance), [[[0, 2, 2, 0, 255]]])


@pytest.mark.parametrize(
    ("nodata", "exact", "expected"),
    [
        (0.0, 0.2, 1),
        (0.0, -5.0, 1),
        (255.0, 254.8, 254),
        (255.0, 999.0, 254),
        (7.0, 6.9, 6),
        (7.0, 7.1, 8),
        (7.0, 7.0, 8),
    ],
)
def test_valid_integers_never_become_nodata(nodata: float, exact: float, expected: int) -> None:
    radiometry = Radiometry((1.0,), (0.0,), "uint8", "test")
    assert radiometry.to_dn(np.array([[[exact]]]), nodata=nodata).item() == expected


def test_valid_floats_never_become_nodata_and_move_by_one_float_only() -> None:
    radiometry = Radiometry((1.0,), (0.0,), "float32", "test")
    moved = radiometry.to_dn(np.array([[[0.0, 0.25]]], dtype=np.float32), nodata=0.0)
    assert moved[0, 0, 0] == np.nextafter(np.float32(0), np.float32(1))
    assert moved[0, 0, 1] == np.float32(0.25)


def test_nodata_nan_moves_nothing() -> None:
    radiometry = Radiometry((1.0,), (0.0,), "float32", "test")
    values = np.array([[[0.0, 1.0]]], dtype=np.float32)
    np.testing.assert_array_equal(radiometry.to_dn(values, nodata=float("nan")), values)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_cannot_become_integers(bad: float) -> None:
    radiometry = Radiometry((1.0,), (0.0,), "uint16", "test")
    with pytest.raises(InputError, match="1 of 2 values are NaN or infinite"):
        radiometry.to_dn(np.array([[[bad, 1.0]]]))


@pytest.mark.parametrize(
    ("scale", "offset", "dtype", "message"),
    [
        (0.0, 0.0, "uint16", "scale 0"),
        (float("nan"), 0.0, "uint16", "scale nan"),
        (-1e-4, 0.0, "uint16", "scale -0.0001"),
        (1e-4, float("inf"), "uint16", "offset inf"),
        (1e-4, 1e6, "uint16", "stored units"),
        (1e-4, 0.0, "int32", "int32"),
    ],
)
def test_what_cannot_be_inverted_is_refused(scale: float, offset: float, dtype: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Radiometry((scale,), (offset,), dtype, "test")


def test_arrays_and_scales_must_agree_in_bands() -> None:
    with pytest.raises(ConfigError, match=r"expected \(2, height, width\)"):
        Radiometry((1.0, 1.0), (0.0, 0.0), "uint8", "test").to_reflectance(np.zeros((3, 1, 1), np.uint8))
    with pytest.raises(ConfigError, match="2 scales and 1 offsets"):
        Radiometry((1.0, 1.0), (0.0,), "uint8", "test")
