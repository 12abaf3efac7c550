"""Numbers of a labelled array (xarray) in memory, and the same numbers as a raster stores them."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from rsgan.errors import InputError, RsganError
from rsgan.geo.files import holds
from rsgan.radiometry import DTYPES

_ROUNDING: Final = 0.02
"""Departure from a whole stored number that decoding in float32 explains: 65535 rounded to 24 bits, a few times."""

FILL_KEYS: Final = ("_FillValue", "missing_value")
"""Attributes and entries of an encoding that state a nodata number. Source: CF conventions 1.11, 2.5.1."""


class NotPackableError(RsganError):
    """Values were changed since they were decoded, and the stored type that their encoding states cannot hold them."""


@dataclass(frozen=True)
class Packing:
    """The integers that a decoded variable was read from: value = number * scale + offset.

    Attributes:
        dtype: Numpy name of the integers.
        scale: Value of one stored unit.
        offset: Value of the stored number 0.
        nodata: Stored number that was decoded to NaN; None where none is.
    """

    dtype: str
    scale: float
    offset: float
    nodata: float | None

    def pack(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Stored numbers of values in memory.

        Raises:
            NotPackableError: If a value is none that decoding could have given.
        """
        exact = (values.astype(np.float64) - self.offset) / self.scale
        empty = np.isnan(exact)
        if self.nodata is not None:
            exact[empty] = self.nodata
        limits, numbers = np.iinfo(self.dtype), np.rint(exact)
        fits = (np.abs(exact - numbers) <= _ROUNDING) & (numbers >= limits.min) & (numbers <= limits.max)
        if not fits.all() or (self.nodata is not None and (numbers[~empty] == self.nodata).any()):
            raise NotPackableError("values are not those that were decoded; they are stored as floats.")
        return numbers.astype(self.dtype)

    def unpack(self, numbers: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        """Values in memory of stored numbers: in the arithmetic of the type, as xarray decodes, to the last bit."""
        values = numbers.astype(dtype)
        values *= dtype.type(self.scale)
        values += dtype.type(self.offset)
        if self.nodata is not None:
            values[numbers == self.nodata] = np.nan
        return values


def packing_of(variable: xr.DataArray) -> Packing | None:
    """The integers that a variable was decoded from, as its encoding states them; None where it was not."""
    stated = variable.encoding.get("dtype")
    if stated is None or not np.issubdtype(variable.dtype, np.floating):
        return None
    dtype = np.dtype(stated).name
    if dtype not in DTYPES or not np.issubdtype(np.dtype(dtype), np.integer):
        return None
    nodata = first_number(variable.encoding, *FILL_KEYS)
    scale, offset = (first_number(variable.encoding, key) for key in ("scale_factor", "add_offset"))
    kept = nodata if nodata is not None and holds(dtype, nodata) else None
    return Packing(dtype, 1.0 if scale is None else scale, 0.0 if offset is None else offset, kept)


def first_number(stated: Mapping[Any, Any], *keys: Hashable) -> float | None:
    """The first of these entries that is a number; None where there is none."""
    for key in keys:
        if stated.get(key) is not None:
            parts = np.ravel(stated[key])
            if parts.size == 1 and np.issubdtype(parts.dtype, np.number):
                return float(parts[0])
    return None


def per_band(stated: Mapping[Any, Any], one: str, many: str, count: int, default: float) -> tuple[float, ...]:
    """A number for each band from attributes that state one for all (`one`), or one for each (`many`)."""
    single = first_number(stated, one)
    numbers = np.ravel(stated[many] if single is None and many in stated else stated.get(one, default))
    if numbers.size == 1:
        numbers = np.repeat(numbers, count)
    if numbers.size != count or not np.issubdtype(numbers.dtype, np.number):
        raise InputError(f"attribute {one} or {many} has {numbers.size} values for {count} bands. Give one per band.")
    return tuple(float(number) for number in numbers)


def nodata_in_memory(variable: xr.DataArray) -> float | None:
    """The number that says "no data" among the values in memory; None where none does, NaN for what was decoded."""
    floats = np.issubdtype(variable.dtype, np.floating)
    if floats and first_number(variable.encoding, *FILL_KEYS) is not None:
        return float("nan")
    stated = first_number(variable.attrs, *FILL_KEYS, "fill_value", "nodata", "nodatavals")
    if stated is None and not floats:
        stated = first_number(variable.encoding, *FILL_KEYS)
    return float("nan") if stated is None and floats else stated


def check_dtype(dtype: np.dtype[Any], name: str) -> None:
    """Refuse types that would not survive the way through a raster and through reflectance.

    Raises:
        InputError: If it is none of `DTYPES`.
    """
    if dtype.name not in DTYPES:
        raise InputError(
            f"{name} holds {dtype.name}; expected one of {' '.join(DTYPES)}, which keep every number exact. Convert "
            f"it, for example with array.astype('uint16') or array.astype('float32')."
        )
