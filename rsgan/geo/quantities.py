"""A scene by what its numbers are: reflectance of named bands, intensity of radar, or plain numbers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from rsgan.catalogue import RGBN_SENSOR
from rsgan.geo.scene import Scene


def open_quantity(
    paths: Sequence[str | Path],
    quantity: Literal["reflectance", "intensity", "number"],
    names: tuple[str, ...],
    *,
    sensor_name: str | None = None,
    bands: tuple[str, ...] | None = None,
    reflectance_scale: float | None = None,
    gsd_m: float | None = None,
    nodata: float | None = None,
    mask_clouds: bool = False,
    date: str | None = None,
) -> Scene:
    """Open the bands that are wanted, as what they are.

    Args:
        paths: See `Scene.open`.
        quantity: What is read: reflectance, intensity of backscatter, or numbers as they are stored.
        names: Of the bands, in the order wanted; those of the catalogue where a sensor is given, else the files' own.
        sensor_name: Sensor of the catalogue; None where the bands have names of their own.
        bands: The user's choice, in the order of `names`; None finds them by name.
        reflectance_scale: Stored number that means reflectance 1.
        gsd_m: Metres per pixel where the files do not say.
        nodata: Stored number that says "no data".
        mask_clouds: Whether clouds are invalid.
        date: Which date of a file that has several.

    Raises:
        RsganError: One of its children says what is wrong with a file.
    """
    if quantity == "intensity":
        return Scene.open_sar(paths, bands=bands or names, nodata=nodata, date=date, gsd_m=gsd_m)
    return Scene.open(
        paths,
        wanted=None if sensor_name is None else names,
        bands=bands or (names if sensor_name is None else None),
        reflectance_scale=1.0 if quantity == "number" else reflectance_scale,
        gsd_m=gsd_m,
        nodata=nodata,
        sensor_name=sensor_name or RGBN_SENSOR,
        mask_clouds=mask_clouds,
        date=date,
    )
