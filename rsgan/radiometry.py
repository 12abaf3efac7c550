"""Stored numbers and what they mean, reflectance or backscatter: dn * scale + offset per band, and exactly back."""

import math
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from rsgan.errors import ConfigError, InputError

Quantity = Literal["intensity", "amplitude", "db"]
"""What a SAR number is: linear power, its square root, or 10 log10 of it."""

DTYPES: Final = ("uint8", "int8", "uint16", "int16", "float32", "float64")
"""Types of stored numbers that survive the way through float32 reflectance: integers of up to 16 bits, and floats."""

SAR_DTYPES: Final = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
"""Types in which backscatter is stored."""

SAR_INPUT_DTYPES: Final = (*SAR_DTYPES, "complex64", "complex128")
"""Types in which backscatter is read; of complex numbers intensity is stored, as float32."""

Calibration = Literal["sigma0", "beta0", "gamma0"]
"""What the radar's power is divided by: area on the ground, in slant range, or across the line of sight."""

FLOOR_INTENSITY: Final = 1e-10
"""Intensity that stands for zero and negative ones where the quantity has no number for them: -100 dB.

Calibrated noise floors lie at -20 to -50 dB, so no measurement is near it.
"""

_LARGEST_OFFSET_DN: Final = 2.0**22
"""Largest |offset / scale| of integer bands: above it float32 no longer tells neighbouring integers apart.

A float32 carries 24 significant bits, so |dn + offset / scale| must stay below 2**23 for its rounding error to stay
below half a stored unit; 16-bit integers leave 2**22 for the offset.
"""


_LOWEST_DB: Final = 10.0 * math.log10(float(np.finfo(np.float32).tiny))
_HIGHEST_DB: Final = 10.0 * math.log10(float(np.finfo(np.float32).max))
"""Decibels whose intensity float32 holds with all its digits: -379.3 .. 385.3."""

_SMALLEST_DB: Final = 1e-6
"""Smallest decibels per stored unit of integers: float32 intensity tells apart 10 log10(1 + 2**-24) = 2.6e-7 dB."""


FILL_VALUES_FROM: Final = 1e30
"""No reflectance and no intensity is as large."""


@dataclass(frozen=True)
class Radiometry:
    """How stored numbers (dn) become reflectance, per band: reflectance = dn * scale + offset.

    Attributes:
        scale: Reflectance per stored unit, one per band.
        offset: Reflectance of the stored number 0, one per band.
        dtype: Numpy name of the stored type, one of `DTYPES`.
        source: In words, where scale and offset come from.

    Raises:
        ConfigError: If scale and offset differ in number, are not finite, a scale is not above 0, the type is not
            one of `DTYPES`, or an offset is too large for integers to survive.
    """

    scale: tuple[float, ...]
    offset: tuple[float, ...]
    dtype: str
    source: str

    def __post_init__(self) -> None:
        """Refuse what could not be inverted."""
        if self.dtype not in DTYPES:
            raise ConfigError(f"stored type is {self.dtype}, expected {' '.join(DTYPES)}. Convert the raster first.")
        if len(self.scale) != len(self.offset):
            raise ConfigError(f"{len(self.scale)} scales and {len(self.offset)} offsets; give one of each per band.")
        for number, (scale, offset) in enumerate(zip(self.scale, self.offset, strict=True), start=1):
            self._check_band(number, scale, offset)

    def _check_band(self, number: int, scale: float, offset: float) -> None:
        if not (np.isfinite(scale) and scale > 0.0 and np.isfinite(offset)):
            raise ConfigError(
                f"band {number} has scale {scale:g} and offset {offset:g} ({self.source}); expected a finite scale "
                f"above 0 and a finite offset. Correct the tags or give --reflectance-scale."
            )
        if self.is_integer and abs(offset / scale) > _LARGEST_OFFSET_DN:
            raise ConfigError(
                f"band {number} has offset {offset:g}, {abs(offset / scale):.3g} stored units at scale {scale:g} "
                f"({self.source}); at most {_LARGEST_OFFSET_DN:.3g} keep {self.dtype} exact. Correct the tags or "
                f"give --reflectance-scale."
            )

    @property
    def is_integer(self) -> bool:
        """Whether the stored numbers are integers."""
        return bool(np.issubdtype(np.dtype(self.dtype), np.integer))

    def to_physical(self, dn: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Reflectance of stored numbers.

        Args:
            dn: (C, H, W) stored numbers.

        Returns:
            (C, H, W) float32 reflectance, 0..1 nominal; computed in float64; infinite beyond the range of float32.

        Raises:
            ConfigError: If C is not the number of bands.
        """
        scale, offset = _per_band(self.scale, self.offset, dn)
        with np.errstate(over="ignore"):
            reflectance: npt.NDArray[np.float64] = np.multiply(dn, scale, dtype=np.float64)
            reflectance += offset
            return reflectance.astype(np.float32)

    def to_dn(self, reflectance: npt.NDArray[Any], nodata: float | None = None) -> npt.NDArray[Any]:
        """Stored numbers of reflectance: half to even, clipped to the range of the type.

        Args:
            reflectance: (C, H, W) finite reflectance of valid pixels (where a pixel is invalid, any finite number).
            nodata: Stored number that says "no data"; a result that hits it moves to the nearest other number.

        Returns:
            (C, H, W) array of type `dtype`. `to_dn(to_physical(dn))` is `dn` for every integer of the type.

        Raises:
            ConfigError: If C is not the number of bands.
            InputError: If integers are asked for and a reflectance is not finite.
        """
        scales, offsets = _per_band(self.scale, self.offset, reflectance)
        dn = np.empty(reflectance.shape, self.dtype)
        for band, values, scale, offset in zip(
            dn, reflectance, scales, offsets, strict=True
        ):  # float64 of one at a time
            band[...] = _stored((values.astype(np.float64) - offset) / scale, self.dtype, nodata)
        return dn

    def usable(self, dn: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """(C, H, W) True where a stored number is a measurement: everywhere for integers.

        For floats it is none where it is NaN, infinite, or as large as fill values that nobody declared: -3.4e38.
        """
        return np.ones(dn.shape, np.bool_) if self.is_integer else np.abs(dn) < FILL_VALUES_FROM

    def undeclared_nodata(self, *, has_mask: bool) -> float | None:
        """The nodata that a result declares where the scene declares none: NaN, or the lowest integer for a mask."""
        if not self.is_integer:
            return float("nan")
        return float(np.iinfo(self.dtype).min) if has_mask else None


@dataclass(frozen=True)
class Backscatter:
    """How stored numbers (dn) become intensity, which is linear power, and back again.

    dn * scale + offset is the quantity, which is intensity itself, its square root, or 10 log10 of it. Of complex
    numbers both halves are used: (re^2 + im^2) * scale is the intensity, and results are stored as float32 intensity.

    Attributes:
        quantity: What dn * scale + offset is.
        scale: Quantity per stored unit, one per band.
        offset: Quantity of the stored number 0, one per band.
        dtype: Numpy name of the type in which results are stored, one of `SAR_DTYPES`.
        source: In words, how the quantity is known.
        calibration: What the power is divided by; None where nothing says.
        zero_valid: Whether an intensity of exactly 0 is a measurement, not the fill around a product.
        is_complex: Whether the stored numbers are complex.

    Raises:
        ConfigError: If scale and offset differ in number, are not finite, a scale is not above 0, the type is not one
            of `SAR_DTYPES`, or integers could not survive the way through float32 intensity.
    """

    quantity: Quantity
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    dtype: str
    source: str
    calibration: Calibration | None = None
    zero_valid: bool = False
    is_complex: bool = False

    def __post_init__(self) -> None:
        """Refuse what could not be inverted."""
        if self.dtype not in SAR_DTYPES:
            known = " ".join(SAR_DTYPES)
            raise ConfigError(f"stored type is {self.dtype}, expected {known}. Convert the raster first.")
        if len(self.scale) != len(self.offset):
            raise ConfigError(f"{len(self.scale)} scales and {len(self.offset)} offsets; give one of each per band.")
        for number, (scale, offset) in enumerate(zip(self.scale, self.offset, strict=True), start=1):
            self._check_band(number, scale, offset)

    def _check_band(self, number: int, scale: float, offset: float) -> None:
        if not (np.isfinite(scale) and scale > 0.0 and np.isfinite(offset)):
            raise ConfigError(
                f"band {number} has scale {scale:g} and offset {offset:g} ({self.source}); expected a finite scale "
                f"above 0 and a finite offset. Correct the tags or give --stored-scale."
            )
        if self.quantity == "amplitude" and offset < 0.0:
            raise ConfigError(
                f"band {number} has offset {offset:g} ({self.source}), but an amplitude is never below 0. Correct the "
                f"tags, or give --quantity db if these are decibels."
            )
        in_db = self.quantity == "db"
        if self.is_integer and (scale < _SMALLEST_DB if in_db else abs(offset / scale) > _LARGEST_OFFSET_DN):
            raise ConfigError(
                f"band {number} has scale {scale:g} and offset {offset:g} ({self.source}): neighbouring {self.dtype} "
                f"numbers are too near each other to be told apart as intensity. Correct the tags or give "
                f"--stored-scale."
            )

    @property
    def is_integer(self) -> bool:
        """Whether the stored numbers are integers."""
        return bool(np.issubdtype(np.dtype(self.dtype), np.integer))

    def to_physical(self, dn: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Intensity of stored numbers.

        Args:
            dn: (C, H, W) stored numbers; complex where `is_complex`.

        Returns:
            (C, H, W) float32 intensity, linear power; computed in float64; infinite beyond the range of float32.

        Raises:
            ConfigError: If C is not the number of bands.
            InputError: If an amplitude is negative.
        """
        quantity = self._quantity(dn)
        if self.quantity == "amplitude" and (negative := quantity < 0.0).any():
            raise InputError(
                f"{int(negative.sum())} of {negative.size} amplitudes are negative, the lowest "
                f"{np.nanmin(quantity):g}; an amplitude never is. Give that number as "
                f"--nodata if it says 'no data', or --quantity db if these are decibels."
            )
        with np.errstate(over="ignore", invalid="ignore"):
            if self.quantity == "db":
                quantity = np.power(10.0, quantity / 10.0)
            elif self.quantity == "amplitude":
                quantity = np.square(quantity)
            intensity: npt.NDArray[np.float32] = quantity.astype(np.float32)
        return intensity

    def to_dn(self, intensity: npt.NDArray[Any], nodata: float | None = None) -> npt.NDArray[Any]:
        """Stored numbers of intensity: half to even, clipped to the range of the type.

        Zero and negative intensities, which filters can make of noise-subtracted ones, have no decibels, and negative
        ones no amplitude: they become those of `FLOOR_INTENSITY`, -100 dB. A positive intensity never becomes a stored
        0 of intensity or amplitude, which would say "no measurement", but the integer beside it.

        Args:
            intensity: (C, H, W) finite intensity of valid pixels (where a pixel is invalid, any finite number).
            nodata: Stored number that says "no data"; a result that hits it moves to the nearest other number.

        Returns:
            (C, H, W) array of type `dtype`. `to_dn(to_physical(dn))` is `dn` for every integer whose intensity float32
            can hold: of up to 16 bits always, as amplitude up to 2**24, as intensity up to 2**23, as decibels between
            -379 and 385; beyond, and for floats, it is `dn` to the rounding of float32.

        Raises:
            ConfigError: If C is not the number of bands.
            InputError: If integers are asked for and an intensity is not finite.
        """
        scale, offset = _per_band(self.scale, self.offset, intensity)
        power = intensity.astype(np.float64)
        if self.quantity == "db":
            power = 10.0 * np.log10(np.where(power > 0.0, power, np.where(power <= 0.0, FLOOR_INTENSITY, power)))
        elif self.quantity == "amplitude":
            power = np.sqrt(np.where(power < 0.0, FLOOR_INTENSITY, power))
        exact = (power - offset) / scale
        dn = _stored(exact, self.dtype, nodata)
        if self.is_integer and self.quantity != "db":
            dn = _off_zero(dn, exact, power, np.broadcast_to(np.rint(-offset / scale), exact.shape), nodata)
        return dn

    def usable(self, dn: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """(C, H, W) True where a stored number is a measurement.

        It is none where it is NaN, infinite or a fill value that nobody declared (-3.4e38), where its intensity is
        beyond float32 (decibels outside -379 .. 385), and, unless `zero_valid`, where intensity, amplitude or complex
        number is exactly 0. Negative intensities, as subtracted noise leaves them, are measurements.
        """
        quantity = self._quantity(dn)
        usable = np.abs(quantity) < FILL_VALUES_FROM
        if self.quantity == "db":
            return usable & (quantity >= _LOWEST_DB) & (quantity <= _HIGHEST_DB)
        return usable if self.zero_valid else usable & (quantity != 0.0)

    def undeclared_nodata(self, *, has_mask: bool) -> float | None:
        """The nodata that a result declares where the scene declares none; None where it needs none.

        Invalid pixels keep their stored number, so only a mask needs one: NaN, 0 for unsigned integers that mean
        intensity or amplitude, the lowest number for others. Complex numbers cannot be kept: NaN.
        """
        if self.is_complex or (has_mask and not self.is_integer):
            return float("nan")
        return float(np.iinfo(self.dtype).min) if has_mask else None

    def as_quantity(self, quantity: Quantity) -> "Backscatter":
        """The same backscatter stored as float32 of another quantity (``--output-quantity``), without scale."""
        ones, zeros = (1.0,) * len(self.scale), (0.0,) * len(self.scale)
        source = f"{quantity}, made of {self.quantity}"
        return Backscatter(quantity, ones, zeros, "float32", source, self.calibration, self.zero_valid)

    def of_band(self, channel: int) -> "Backscatter":
        """What the numbers of one band mean, by its place from 0."""
        return replace(self, scale=(self.scale[channel],), offset=(self.offset[channel],))

    def _quantity(self, dn: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Numbers times scale plus offset, in which complex numbers count as re^2 + im^2."""
        scale, offset = _per_band(self.scale, self.offset, dn)
        if np.iscomplexobj(dn) != self.is_complex:
            raise ConfigError(f"array of {dn.dtype}; expected {'complex' if self.is_complex else 'real'} numbers.")
        with np.errstate(over="ignore", invalid="ignore"):
            if self.is_complex:
                dn = np.square(dn.real.astype(np.float64)) + np.square(dn.imag.astype(np.float64))
            quantity: npt.NDArray[np.float64] = dn.astype(np.float64) * scale + offset
        return quantity


def _per_band(
    scale: tuple[float, ...], offset: tuple[float, ...], values: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    if values.ndim != 3 or values.shape[0] != len(scale):
        raise ConfigError(f"array of shape {values.shape}; expected ({len(scale)}, height, width).")
    shape = (len(scale), 1, 1)
    return np.array(scale).reshape(shape), np.array(offset).reshape(shape)


def _stored(exact: npt.NDArray[np.float64], dtype: str, nodata: float | None) -> npt.NDArray[Any]:
    """Numbers as a type stores them: integers half to even and clipped, and none that equals nodata."""
    if not np.issubdtype(np.dtype(dtype), np.integer):
        with np.errstate(over="ignore"):
            return _step_off(exact.astype(dtype), nodata)
    if not np.isfinite(exact).all():
        raise InputError(
            f"{int((~np.isfinite(exact)).sum())} of {exact.size} values are NaN or infinite and cannot be stored "
            f"as {dtype}. Mask or fill them first."
        )
    limits = np.iinfo(dtype)
    rounded = np.clip(np.rint(exact), limits.min, limits.max)
    if nodata is not None:
        rounded = np.where(rounded == nodata, _neighbour(exact, nodata, limits.min, limits.max), rounded)
    return rounded.astype(dtype)


def _off_zero(
    dn: npt.NDArray[Any],
    exact: npt.NDArray[np.float64],
    quantity: npt.NDArray[np.float64],
    zero: npt.NDArray[np.float64],
    nodata: float | None,
) -> npt.NDArray[Any]:
    """Integers of a quantity that is not 0 moved off the number `zero` that says it is, by one, over nodata by two."""
    hit = (dn == zero) & (quantity != 0.0)
    if not hit.any():
        return dn
    step = np.where((exact >= zero) | (zero <= np.iinfo(dn.dtype).min), 1.0, -1.0)
    step *= np.where(zero + step == (np.nan if nodata is None else nodata), 2.0, 1.0)
    moved: npt.NDArray[Any] = np.where(hit, zero + step, dn).astype(dn.dtype)
    return moved


def _neighbour(exact: npt.NDArray[np.float64], nodata: float, lowest: int, highest: int) -> npt.NDArray[np.float64]:
    """The integer beside `nodata` that is nearest to `exact`; above it when both are equally near."""
    beside = np.where(exact >= nodata, nodata + 1.0, nodata - 1.0)
    beside = np.where(beside > highest, nodata - 1.0, beside)
    return np.where(beside < lowest, nodata + 1.0, beside)


def _step_off(values: npt.NDArray[Any], nodata: float | None) -> npt.NDArray[Any]:
    """Floats that equal `nodata` moved to the next float above it (below it at the top of the range)."""
    if nodata is None or not np.isfinite(nodata):
        return values
    with np.errstate(over="ignore"):
        declared = values.dtype.type(nodata)
    above = np.nextafter(declared, values.dtype.type(np.inf))
    beside = above if np.isfinite(above) else np.nextafter(declared, values.dtype.type(-np.inf))
    return np.where(values == declared, beside, values)
