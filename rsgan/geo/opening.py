"""What is decided when a scene is opened: which bands are taken, whose nodata holds, and what the user must be told."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from rsgan.errors import BandError, InputError
from rsgan.geo.bands import BandChoice, band_named, find_bands
from rsgan.geo.files import BandAt, Stated, grid_of, holds, refuse_picture

_ONLY_SENTINEL2: Final = {"B8A", "B12"}
"""Names that no Landsat band has."""

_FINEST_LANDSAT_M: Final = 14.0
"""Pixels finer than this are not Landsat's: its panchromatic band has 15 m."""


def overruled(stated: Stated, nodata: float | None) -> Stated:
    """What the files state, with the user's nodata in the place of theirs.

    Raises:
        InputError: If the files' type cannot hold it.
    """
    if nodata is None:
        return stated
    if not holds(stated.dtype, nodata):
        raise InputError(
            f"--nodata {nodata:g} cannot be stored as {stated.dtype}, the type of the input. Give another."
        )
    return replace(stated, nodata=(nodata,) * len(stated.nodata))


def refuse_ambiguous_names(
    offered: Sequence[BandAt], wanted: tuple[str, ...], metres: tuple[float, float] | None, sensor_name: str
) -> None:
    """Do not take Landsat's bands for Sentinel-2's: both call them B01 to B11, and mean other things from B05 on.

    Raises:
        BandError: If the names fit both sensors and the pixels are not clearly Sentinel-2's.
    """
    names = {band_named(band.hint, sensor_name) for band in offered}
    of_product = all(band.layer for band in offered)
    ambiguous = not of_product and "B08" in wanted and {"B05", "B08"} <= names and not names & _ONLY_SENTINEL2
    if sensor_name.startswith("sentinel-2") and ambiguous and (metres is None or min(metres) > _FINEST_LANDSAT_M):
        found = "its pixels do not tell" if metres is None else f"its pixels have {metres[0]:.3g} m"
        raise BandError(
            f"{offered[0].path} calls its bands as both Sentinel-2 and Landsat 8 and 9 do (B08 is near infrared in the "
            f"one and panchromatic in the other), and {found}. Say which to take with --bands: B02,B03,B04,B08 for "
            f"Sentinel-2, B02,B03,B04,B05 for Landsat."
        )


def choose(
    offered: Sequence[BandAt],
    wanted: tuple[str, ...],
    explicit: tuple[str, ...] | None,
    sensor_name: str,
    label: str,
) -> tuple[BandChoice, tuple[BandAt, ...]]:
    """Find the wanted bands among those that the files offer; an alpha band taken for data is no alpha any more."""
    if explicit is None:
        refuse_picture(offered, grid_of(offered[0].dataset), wanted)
    choice = find_bands(
        [band.hint for band in offered],
        [band.wavelength_um for band in offered],
        wanted,
        explicit,
        len(offered),
        file_name=label,
        sensor_name=sensor_name,
    )
    chosen = tuple(offered[index - 1] for index in choice.indexes)
    taken = {(band.path, band.index) for band in chosen}
    return choice, tuple(replace(band, alpha=None) if (band.path, band.alpha) in taken else band for band in chosen)


def at_least_one(names: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse no file at all.

    Raises:
        InputError: There is none.
    """
    if not names:
        raise InputError("no input file is given; expected at least one raster.")
    return names


def label_of(names: tuple[str, ...]) -> str:
    """What messages call one file or several."""
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def notes_of(
    choice: BandChoice,
    chosen: Sequence[BandAt],
    assumed_scale: str | None,
    metres: tuple[float, float] | None,
    *,
    points_kept: bool = False,
) -> Iterator[str]:
    """What the user must be told about assumptions and about what is missing."""
    if choice.assumed:
        yield f"{choice.reason}."
    if assumed_scale is not None:
        yield assumed_scale
    yield from _place_notes(chosen[0], metres, points_kept=points_kept)
    declared = {band.nodata for band in chosen if band.nodata is not None and not np.isnan(band.nodata)}
    if len(declared) > 1:
        numbers = ", ".join(f"{nodata:g}" for nodata in sorted(declared))
        yield f"the bands declare different nodata ({numbers}); a result can declare one, that of the first band."
    for band in chosen:
        if band.declared_nodata is not None and band.nodata is None:
            yield (
                f"band {band.index} of {band.path} declares nodata {band.declared_nodata:g}, which {band.dtype} cannot "
                f"hold; it is ignored."
            )


def _place_notes(band: BandAt, metres: tuple[float, float] | None, *, points_kept: bool) -> Iterator[str]:
    grid = grid_of(band.dataset)
    if grid.has_transform and grid.crs is not None:
        return
    lacks = "coordinate system" if grid.has_transform else "transform" if grid.crs else "georeferencing"
    points = (
        f" but ground control points, which are {'kept' if points_kept else 'not used'}" if band.dataset.gcps[0] else ""
    )
    known = "" if metres else "; its ground sampling distance is unknown, give it in metres with --gsd"
    yield f"{band.path} has no {lacks}{points}{known}."
