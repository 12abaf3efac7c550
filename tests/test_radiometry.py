import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsgan.errors import ConfigError, InputError
from rsgan.radiometry import Backscatter, Quantity, Radiometry

SCALES = st.floats(1e-6, 10.0)
OFFSETS_DN = st.floats(-2e6, 2e6)


def every_integer(dtype: str) -> np.ndarray:
    limits = np.iinfo(dtype)
    return np.arange(limits.min, limits.max + 1, dtype=dtype)[None, None]


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16"])
@settings(max_examples=25)
@given(scale=SCALES, offset_dn=OFFSETS_DN)
def test_every_integer_survives_the_way_there_and_back(dtype: str, scale: float, offset_dn: float) -> None:
    dn = every_integer(dtype)
    radiometry = Radiometry((scale,), (offset_dn * scale,), dtype, "test")
    again = radiometry.to_dn(radiometry.to_physical(dn))
    assert again.dtype == dn.dtype
    np.testing.assert_array_equal(again, dn)


def test_reflectance_is_dn_times_scale_plus_offset_per_band() -> None:
    dn = np.array([[[1000]], [[2000]]], dtype=np.uint16)
    radiometry = Radiometry((1e-4, 2e-4), (0.0, -0.1), "uint16", "test")
    np.testing.assert_allclose(radiometry.to_physical(dn).ravel(), [0.1, 0.3], rtol=1e-6)


def test_floats_with_identity_scale_survive_bit_for_bit() -> None:
    values = np.random.default_rng(0).normal(size=(2, 5, 5)).astype(np.float32)
    radiometry = Radiometry((1.0, 1.0), (0.0, 0.0), "float32", "test")
    np.testing.assert_array_equal(radiometry.to_dn(radiometry.to_physical(values)), values)


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
        Radiometry((1.0, 1.0), (0.0, 0.0), "uint8", "test").to_physical(np.zeros((3, 1, 1), np.uint8))
    with pytest.raises(ConfigError, match="2 scales and 1 offsets"):
        Radiometry((1.0, 1.0), (0.0,), "uint8", "test")


def backscatter(quantity: Quantity, dtype: str = "float32", scale: float = 1.0, **more: object) -> Backscatter:
    return Backscatter(quantity, (scale,), (0.0,), dtype, "test", **more)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16"])
@pytest.mark.parametrize("quantity", ["intensity", "amplitude"])
@settings(max_examples=10)
@given(scale=SCALES)
def test_every_integer_survives_the_way_to_intensity_and_back(quantity: Quantity, dtype: str, scale: float) -> None:
    dn = every_integer(dtype)
    dn = dn[dn >= 0][None, None] if quantity == "amplitude" else dn
    radiometry = backscatter(quantity, dtype, scale)
    again = radiometry.to_dn(radiometry.to_physical(dn))
    assert again.dtype == dn.dtype
    np.testing.assert_array_equal(again, dn)


@pytest.mark.parametrize(("dtype", "scale"), [("int16", 0.01), ("int16", 1e-3), ("int32", 1e-4), ("uint8", 0.2)])
def test_every_decibel_that_integers_hold_survives(dtype: str, scale: float) -> None:
    limits = np.iinfo(dtype)
    low, high = (int(max(limits.min, -379 / scale)), int(min(limits.max, 385 / scale)))
    dn = np.arange(low, high + 1, dtype=dtype)[None, None]
    radiometry = backscatter("db", dtype, scale)
    assert radiometry.usable(dn).all()
    np.testing.assert_array_equal(radiometry.to_dn(radiometry.to_physical(dn)), dn)


def test_large_integers_survive_as_far_as_float32_reaches() -> None:
    dn = np.random.default_rng(1).integers(1, 2**23, (1, 1, 100_000)).astype(np.uint32)
    for quantity in ("intensity", "amplitude"):
        radiometry = backscatter(quantity, "uint32")
        np.testing.assert_array_equal(radiometry.to_dn(radiometry.to_physical(dn)), dn)
    beyond = np.array([[[2**32 - 1]]], np.uint32)
    again = backscatter("intensity", "uint32").to_dn(backscatter("intensity", "uint32").to_physical(beyond))
    np.testing.assert_allclose(again, beyond, rtol=1e-7)


@pytest.mark.parametrize("quantity", ["intensity", "amplitude", "db"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_floats_survive_to_the_rounding_of_float32(quantity: Quantity, dtype: str) -> None:
    decibels = np.random.default_rng(2).uniform(-60, 60, (1, 50, 50))
    stored = {"db": decibels, "amplitude": 10 ** (decibels / 20), "intensity": 10 ** (decibels / 10)}[quantity]
    dn = stored.astype(dtype)
    radiometry = backscatter(quantity, dtype)
    np.testing.assert_allclose(radiometry.to_physical(dn), 10 ** (decibels / 10), rtol=1e-5)
    np.testing.assert_allclose(radiometry.to_dn(radiometry.to_physical(dn)), dn, rtol=1.2e-7, atol=1e-6)


def test_both_halves_of_complex_numbers_make_the_intensity() -> None:
    radiometry = Backscatter("intensity", (4.0,), (0.0,), "float32", "test", is_complex=True)
    dn = np.array([[[3 + 4j, -3 - 4j, 5j, 0j, complex(np.nan, 1)]]], np.complex64)
    np.testing.assert_array_equal(radiometry.to_physical(dn)[0, 0, :4], [100, 100, 100, 0])
    np.testing.assert_array_equal(radiometry.usable(dn), [[[True, True, True, False, False]]])
    with pytest.raises(ConfigError, match="expected complex numbers"):
        radiometry.to_physical(dn.real)
    with pytest.raises(ConfigError, match="expected real numbers"):
        backscatter("intensity").to_physical(dn)


def test_what_is_no_measurement_is_not_usable() -> None:
    dn = np.array([[[1.0, 0.0, -0.001, np.nan, np.inf, -np.inf]]], np.float32)
    assert backscatter("intensity").usable(dn).ravel().tolist() == [True, False, True, False, False, False]
    assert backscatter("intensity", zero_valid=True).usable(dn)[0, 0, 1]
    assert backscatter("db").usable(dn).ravel().tolist() == [True, True, True, False, False, False]
    assert backscatter("db").usable(np.array([[[-9999.0, -379.0, 385.0, 1e20]]])).tolist() == [
        [[False, True, True, False]]
    ]


def test_zero_and_negative_intensities_become_those_of_the_floor_where_the_quantity_lacks_them() -> None:
    power = np.array([[[0.0, -1.0, 1e-12]]], np.float32)
    np.testing.assert_allclose(backscatter("db").to_dn(power), [[[-100, -100, -120]]], rtol=1e-6)
    np.testing.assert_allclose(backscatter("amplitude").to_dn(power), [[[0, 1e-5, 1e-6]]], rtol=1e-6)
    np.testing.assert_array_equal(backscatter("intensity").to_dn(power), power)


def test_a_measurement_never_becomes_the_integer_that_says_there_is_none() -> None:
    power = np.array([[[0.04, 0.0, 9.0, -2.0]]], np.float32)
    amplitude = backscatter("amplitude", "uint8")
    np.testing.assert_array_equal(amplitude.to_dn(power), [[[1, 0, 3, 1]]])
    np.testing.assert_array_equal(amplitude.to_dn(power, nodata=1.0), [[[2, 0, 3, 2]]])
    np.testing.assert_array_equal(amplitude.to_dn(power, nodata=0.0), [[[1, 1, 3, 1]]])
    signed = backscatter("intensity", "int16", 0.1).to_dn(np.array([[[-0.01, 0.01, 0.0]]]), nodata=-1.0)
    np.testing.assert_array_equal(signed, [[[-2, 1, 0]]])


def test_negative_amplitudes_are_refused_with_the_way_out() -> None:
    with pytest.raises(InputError, match=r"1 of 2 amplitudes are negative, the lowest -9999.*--nodata.*--quantity db"):
        backscatter("amplitude").to_physical(np.array([[[3.0, -9999.0]]], np.float32))


@given(db=st.floats(-90, 90))
def test_another_quantity_says_the_same(db: float) -> None:
    power = backscatter("db", "int16", 0.01).to_physical(np.array([[[round(db * 100)]]], np.int16))
    for quantity in ("intensity", "amplitude", "db"):
        other = backscatter("db", "int16", 0.01, calibration="sigma0").as_quantity(quantity)
        assert (other.quantity, other.dtype, other.calibration) == (quantity, "float32", "sigma0")
        np.testing.assert_allclose(other.to_physical(other.to_dn(power)), power, rtol=1e-5)


@pytest.mark.parametrize(
    ("quantity", "scale", "offset", "dtype", "message"),
    [
        ("db", 0.0, 0.0, "int16", "scale 0"),
        ("db", 1.0, float("nan"), "float32", "offset nan"),
        ("db", 1e-7, 0.0, "int32", "too near each other"),
        ("intensity", 1e-4, 1e6, "uint16", "too near each other"),
        ("amplitude", 1.0, -1.0, "uint16", "an amplitude is never below 0"),
        ("intensity", 1.0, 0.0, "complex64", "stored type is complex64"),
    ],
)
def test_backscatter_that_cannot_be_inverted_is_refused(
    quantity: Quantity, scale: float, offset: float, dtype: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Backscatter(quantity, (scale,), (offset,), dtype, "test")
    with pytest.raises(ConfigError, match="2 scales and 1 offsets"):
        Backscatter("db", (1.0, 1.0), (0.0,), "float32", "test")
