"""Stored numbers and what they mean: reflectance = dn * scale + offset, per band, and exactly back again."""

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from rsgan.errors import ConfigError, InputError

Quantity = Literal["intensity", "amplitude", "db"]
"""What a SAR number is: linear power, its square root, or 10 log10 of it."""

DTYPES: Final = ("uint8", "int8", "uint16", "int16", "float32", "float64")
"""Types of stored numbers that survive the way through float32 reflectance: integers of up to 16 bits, and floats."""

_LARGEST_OFFSET_DN: Final = 2.0**22
"""Largest |offset / scale| of integer bands: above it float32 no longer tells neighbouring integers apart.

A float32 carries 24 significant bits, so |dn + offset / scale| must stay below 2**23 for its rounding error to stay
below half a stored unit; 16-bit integers leave 2**22 for the offset.
"""


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

    def to_reflectance(self, dn: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Reflectance of stored numbers.

        Args:
            dn: (C, H, W) stored numbers.

        Returns:
            (C, H, W) float32 reflectance, 0..1 nominal; computed in float64; infinite beyond the range of float32.

        Raises:
            ConfigError: If C is not the number of bands.
        """
        scale, offset = self._per_band(dn)
        with np.errstate(over="ignore"):
            reflectance: npt.NDArray[np.float32] = (dn.astype(np.float64) * scale + offset).astype(np.float32)
        return reflectance

    def to_dn(self, reflectance: npt.NDArray[Any], nodata: float | None = None) -> npt.NDArray[Any]:
        """Stored numbers of reflectance: half to even, clipped to the range of the type.

        Args:
            reflectance: (C, H, W) finite reflectance of valid pixels (where a pixel is invalid, any finite number).
            nodata: Stored number that says "no data"; a result that hits it moves to the nearest other number.

        Returns:
            (C, H, W) array of type `dtype`. `to_dn(to_reflectance(dn))` is `dn` for every integer of the type.

        Raises:
            ConfigError: If C is not the number of bands.
            InputError: If integers are asked for and a reflectance is not finite.
        """
        scale, offset = self._per_band(reflectance)
        exact = (reflectance.astype(np.float64) - offset) / scale
        if not self.is_integer:
            return _step_off(exact.astype(self.dtype), nodata)
        if not np.isfinite(exact).all():
            raise InputError(
                f"{int((~np.isfinite(exact)).sum())} of {exact.size} values are NaN or infinite and cannot be stored "
                f"as {self.dtype}. Mask or fill them first."
            )
        limits = np.iinfo(self.dtype)
        rounded = np.clip(np.rint(exact), limits.min, limits.max)
        if nodata is not None:
            rounded = np.where(rounded == nodata, _neighbour(exact, nodata, limits.min, limits.max), rounded)
        return rounded.astype(self.dtype)

    def _per_band(self, values: npt.NDArray[Any]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        if values.ndim != 3 or values.shape[0] != len(self.scale):
            raise ConfigError(f"array of shape {values.shape}; expected ({len(self.scale)}, height, width).")
        shape = (len(self.scale), 1, 1)
        return np.array(self.scale).reshape(shape), np.array(self.offset).reshape(shape)


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
