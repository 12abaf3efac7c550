"""What the stored numbers of a raster mean, from its metadata, or from its type with a word of warning."""

import math
from typing import Final

from rsgan.catalogue import RGBN_SENSOR, sensor
from rsgan.errors import ConfigError, InputError
from rsgan.geo.files import Stated
from rsgan.radiometry import DTYPES, Radiometry

_QUANTIFICATION_TAGS: Final = (
    "BOA_QUANTIFICATION_VALUE",
    "QUANTIFICATION_VALUE",
    "REFLECTANCE_QUANTIFICATION_VALUE",
    "REFLECTANCE_SCALE",
)
"""Stored units per unit of reflectance. Source: metadata of Sentinel-2 products as GDAL's SENTINEL2 driver reports it
(the first two since L2A and L1C exist); the last is what ``--reflectance-scale`` is called in a file's tags."""

_OFFSET_TAGS: Final = ("BOA_ADD_OFFSET", "RADIO_ADD_OFFSET")
"""Stored units added before the division: -1000 since processing baseline 04.00. Source: Sentinel-2 Products
Specification Document, S2-PDGS-TAS-DI-PSD, issue 14.9."""

_SMALLEST_SCALE: Final = 1e-9
"""Smallest scale that is believed; its inverse is the largest."""

_PRODUCT_DTYPES: Final = ("uint16", "int16")
"""Types in which sensors' products are stored; the catalogue says what their numbers mean."""

_STORED_PER_REFLECTANCE: Final[dict[str, float]] = {
    "uint8": 255.0,
    "int8": 127.0,
    "float32": 1.0,
    "float64": 1.0,
}
"""Stored units per unit of reflectance where a file says nothing: the usual product of that type, always announced."""

_STORED_PER_UNIT_OF_ANYTHING: Final[dict[str, float]] = {"uint16": 10000.0, "int16": 10000.0}
"""Divisors for 16-bit numbers whose meaning does not matter."""


def find_radiometry(
    stated: Stated, override: float | None, file_name: str, sensor_name: str | None = RGBN_SENSOR
) -> tuple[Radiometry, str | None]:
    """Decide what the stored numbers mean.

    In this order: the user's word, GDAL's scale and offset, known product tags, what the sensor's 16-bit products mean,
    the usual meaning of the type.

    Args:
        stated: What the file says.
        override: Stored units per unit of reflectance (``--reflectance-scale``, 10000 for Sentinel-2); no offset then.
        file_name: What messages call the raster.
        sensor_name: Sensor of the catalogue whose default applies; None for bands of any kind, whose numbers need no
            unit: they are divided by what is usual for their type, and nothing is announced.

    Returns:
        The radiometry and, when it is only assumed, a sentence for the user.

    Raises:
        InputError: If the type is complex, an integer of more than 16 bits, or a tag is not a number.
        ConfigError: If the override is not a number of stored units.
    """
    _check_dtype(stated.dtype, file_name)
    count = len(stated.scales)
    if override is not None:
        source = f"--reflectance-scale {override:g}"
        return _even(_checked(override), 0.0, count, stated.dtype, source), None
    if any(scale != 1.0 for scale in stated.scales) or any(offset != 0.0 for offset in stated.offsets):
        if not all(_SMALLEST_SCALE <= abs(scale) <= 1.0 / _SMALLEST_SCALE for scale in stated.scales):
            raise InputError(
                f"{file_name} has the scales {', '.join(f'{scale:g}' for scale in stated.scales)}, which cannot lead "
                f"to reflectance. Correct them, or give --reflectance-scale."
            )
        return Radiometry(stated.scales, stated.offsets, stated.dtype, f"scale and offset of {file_name}"), None
    tagged = _from_tags(stated, file_name)
    if tagged is not None:
        return tagged, None
    if sensor_name is None:
        units = _STORED_PER_UNIT_OF_ANYTHING.get(stated.dtype) or _STORED_PER_REFLECTANCE[stated.dtype]
        return _even(units, 0.0, count, stated.dtype, f"stored numbers over {units:g}"), None
    instrument = sensor(sensor_name)
    if stated.dtype in _PRODUCT_DTYPES:
        units, offset, what = (
            instrument.reflectance_scale,
            instrument.reflectance_offset,
            f" as in {instrument.title} products",
        )
    else:
        units, offset, what = _STORED_PER_REFLECTANCE[stated.dtype], 0.0, ""
    source = f"assumed for {stated.dtype}{what}: reflectance 1 is stored as {units - offset * units:g}"
    note = (
        f"{file_name} does not say what its numbers mean; {source}. Give --reflectance-scale if that is wrong."
        if units != 1.0
        else None
    )
    return _even(units, offset * units, count, stated.dtype, source), note


def percentile_note(percentile: float, file_name: str, *, stored_as_reflectance: bool) -> str | None:
    """What to tell the user when the 99th percentile cannot be that of a reflectance; None when it can."""
    if not percentile > 2.0:
        return None
    likely = f" (perhaps {10000 if percentile > 200.0 else 100})" if stored_as_reflectance else ""
    return (
        f"{file_name} holds values up to {percentile:.4g} (99th percentile) where reflectance is about 0..1: "
        f"the result will be wrong. Give --reflectance-scale{likely}."
    )


def _check_dtype(dtype: str, file_name: str) -> None:
    if dtype.startswith("complex"):
        raise InputError(
            f"{file_name} holds complex numbers ({dtype}), as a single-look complex SAR image does; this needs "
            f"reflectance. For SAR use rsgan despeckle, which takes complex numbers."
        )
    if dtype not in DTYPES:
        raise InputError(
            f"{file_name} holds {dtype}; expected one of {' '.join(DTYPES)}, which keep every number exact. Convert "
            f"it, for example with gdal_translate -ot UInt16 or -ot Float32."
        )


def _checked(units: float) -> float:
    if not (math.isfinite(units) and units > 0.0):
        raise ConfigError(f"--reflectance-scale is {units:g}; expected a finite number above 0, such as 10000.")
    if units < 1.0:
        raise ConfigError(
            f"--reflectance-scale is {units:g}; expected the stored number that means reflectance 1, which is "
            f"{1.0 / units:g} if {units:g} is the reflectance of one stored unit."
        )
    return units


def _from_tags(stated: Stated, file_name: str) -> Radiometry | None:
    tags = {key.upper(): value for key, value in stated.tags.items()}
    units_tag = next((tag for tag in _QUANTIFICATION_TAGS if tag in tags), None)
    if units_tag is None:
        return None
    units = _number(tags[units_tag], units_tag, file_name)
    if not units > 0.0:
        raise InputError(f"{file_name} has {units_tag}={units:g}; expected above 0. Give --reflectance-scale.")
    offset_tag = next((tag for tag in _OFFSET_TAGS if tag in tags), None)
    offset = 0.0 if offset_tag is None else _number(tags[offset_tag], offset_tag, file_name)
    source = f"{units_tag}={units:g}" + (f" and {offset_tag}={offset:g}" if offset_tag else "") + f" of {file_name}"
    return _even(max(units, 1.0 / units), offset, len(stated.scales), stated.dtype, source)


def _number(text: str, tag: str, file_name: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(
            f"{file_name} has {tag}={text!r}; expected a number. Correct the tag or give --reflectance-scale."
        ) from None


def _even(units: float, offset_dn: float, count: int, dtype: str, source: str) -> Radiometry:
    """The same scale and offset for every band."""
    return Radiometry((1.0 / units,) * count, (offset_dn / units,) * count, dtype, source)
