"""When and where a scene was taken, by its product or by the standard name of a file: never two of them at once."""

import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import Final

from rsgan.errors import InputError
from rsgan.geo.products.product import Product

_NAMES: Final = (
    re.compile(r"(?:^|_)(?P<tile>T\d{2}[A-Z]{3})_(?P<date>\d{8})T\d{6}"),
    re.compile(r"(?:^|_)S2[A-Z]_MSIL(?:1C|2A)_(?P<date>\d{8})T\d{6}(?:_N\d{4}_R\d{3}_(?P<tile>T\d{2}[A-Z]{3}))?"),
    re.compile(r"(?:^|_)L[COTEM]0\d_L\d\w{2}_(?P<tile>\d{6})_(?P<date>\d{8})"),
)
"""Sentinel-2 images and products, Landsat Collection 2. Source: the naming conventions in S2-PDGS-TAS-DI-PSD and
LSDS-1822."""


def refuse_mixed(sources: Sequence[tuple[str, Product | None]]) -> None:
    """Do not make one scene of several.

    Args:
        sources: Each file or product as given, with the product that it is; None for a plain raster.

    Raises:
        InputError: If two of them say that they are of different days or tiles.
    """
    known = [(name, *_taken(name, product)) for name, product in sources]
    for what, place in (("taken on", 1), ("of tile", 2)):
        said = [(entry[0], entry[place]) for entry in known if entry[place]]
        other = next((entry for entry in said if entry[1] != said[0][1]), None)
        if other is not None:
            raise InputError(
                f"{said[0][0]} is {what} {said[0][1]}, {other[0]} {what} {other[1]}; expected one scene. Give files "
                f"of one day and tile, and one command for each."
            )


def _taken(name: str, product: Product | None) -> tuple[str | None, str | None]:
    """(day, tile), None where nothing says."""
    if product is not None:
        return product.date, product.tile
    found = next(filter(None, (pattern.search(PurePath(name).name) for pattern in _NAMES)), None)
    if found is None:
        return None, None
    day = found["date"]
    return f"{day[:4]}-{day[4:6]}-{day[6:]}", found["tile"]
