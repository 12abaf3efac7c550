"""Numbers of a labelled array (xarray) in memory, and the same numbers as a raster stores them."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
import xarray as xr

from rsgan.errors import InputError, RsganError
from rsgan.geo.files import holds
from rsgan.radiometry import DTYPES

_Entry = TypeVar("_Entry")

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


def of_bands(entries: Sequence[_Entry], labels: Sequence[int] | None, count: int) -> tuple[_Entry, ...] | None:
    """Entries of an attribute that says something of each band, for the bands that an array has.

    Args:
        entries: One per band of the file that the array was read from, or one per band of the array.
        labels: Labels of the bands where they are whole numbers: rioxarray numbers the bands of a file from 1, and
            leaves attributes as they are when bands are chosen or put in another order.
        count: Number of bands of the array.

    Returns:
        One entry per band; None where the entries cannot be told apart.
    """
    if labels is not None and all(1 <= label <= len(entries) for label in labels):
        return tuple(entries[label - 1] for label in labels)
    return tuple(entries) if len(entries) == count else None


def per_band(
    stated: Mapping[Any, Any], keys: tuple[str, str], labels: Sequence[int] | None, count: int, default: float
) -> tuple[float, ...]:
    """A number for each band, from attributes that state one for all (the first key) or one for each (the other).

    Raises:
        InputError: If there are more or fewer than bands.
    """
    found = next((stated[key] for key in keys if stated.get(key) is not None), default)
    numbers = [float(number) for number in np.ravel(found)]
    chosen = tuple(numbers) * count if len(numbers) == 1 else of_bands(numbers, labels, count)
    if chosen is None:
        raise InputError(
            f"attribute {' or '.join(keys)} has {len(numbers)} values for {count} bands. Give one, or one per band."
        )
    return chosen


def nodata_in_memory(variable: xr.DataArray) -> float | None:
    """The number that says "no data" among the values in memory; None where none does, NaN for what was decoded."""
    floats = np.issubdtype(variable.dtype, np.floating)
    if floats and first_number(variable.encoding, *FILL_KEYS) is not None:
        return float("nan")
    stated = first_number(variable.attrs, *FILL_KEYS, "fill_value", "nodata", "nodatavals")
    if stated is None and not floats:
        stated = first_number(variable.encoding, *FILL_KEYS)
    return float("nan") if stated is None and floats else stated


def check_dtype(dtype: np.dtype[Any], name: str, dtypes: Sequence[str] = DTYPES) -> None:
    """Refuse types that would not survive the way through a raster and through reflectance.

    Raises:
        InputError: If it is none of `dtypes`.
    """
    if dtype.name not in dtypes:
        raise InputError(
            f"{name} holds {dtype.name}; expected one of {' '.join(dtypes)}, which keep every number exact. Convert "
            f"it, for example with array.astype('uint16') or array.astype('float32')."
        )
