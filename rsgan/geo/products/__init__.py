"""Products as agencies deliver them: many files and the metadata that say what they are, offered as named layers."""

import re
from pathlib import Path
from typing import Final

from rsgan.errors import InputError
from rsgan.geo.products import landsat, safe, stac
from rsgan.geo.products.clouds import CloudKind, CloudLayer, cloudy
from rsgan.geo.products.folder import Folder, metadata_in
from rsgan.geo.products.product import Layer, MissingLayer, Product, Quantity
from rsgan.geo.products.taken import refuse_mixed

__all__ = [
    "CloudKind",
    "CloudLayer",
    "Layer",
    "MissingLayer",
    "Product",
    "Quantity",
    "cloudy",
    "expand",
    "refuse_mixed",
]

_SAFE_FOLDER: Final = re.compile(r".*\.SAFE(\.zip)?", re.IGNORECASE)


_LEVELS_ABOVE_AN_IMAGE: Final = 5
"""Folders from an image of a Sentinel-2 product up to its metadata: R10m, IMG_DATA, the granule, GRANULE, .SAFE."""


def expand(source: str | Path) -> Product | None:
    """What a product offers; None where the source is a plain raster.

    Args:
        source: A Sentinel-2 ``.SAFE`` folder, its ``.zip`` or the MTD_MSIL1C.xml or MTD_MSIL2A.xml in it; a Landsat
            Collection 2 folder, its ``.tar`` or the MTL file in it; one image of a band where it lies in such a folder,
            which is then offered alone; a STAC item; or anything else.

    Raises:
        InputError: If it is a product that is damaged, contradicts itself, or is of a kind that is not known; or if it
            holds several products.
    """
    if stac.is_item(source):
        return stac.read_item(source)
    path = Path(source)
    if not path.exists():
        return None
    found = metadata_in(path, safe.is_metadata)
    if found:
        return safe.read_safe(*_only(found, path))
    found = metadata_in(path, landsat.is_metadata)
    if found:
        return landsat.read_landsat(*_only(_one_form_each(found), path))
    if _SAFE_FOLDER.fullmatch(path.name) and path.name.upper().startswith("S1"):
        raise InputError(
            f"{path} is a Sentinel-1 product, of which the rasters are read one by one. Give those of its folder "
            f"measurement, for example {path}/measurement/*-vv-*.tiff."
        )
    if _SAFE_FOLDER.fullmatch(path.name):
        raise InputError(
            f"{path} has no MTD_MSIL1C.xml and no MTD_MSIL2A.xml; expected a Sentinel-2 product of Level-1C or "
            f"Level-2A. Download it again, or give its bands as single files."
        )
    return _around(path) if path.is_file() else None


def _around(path: Path) -> Product | None:
    """The product in whose folder an image lies, with that image alone: without its metadata, numbers mean nothing."""
    if safe.is_image(path.name):
        for parent in list(path.absolute().parents)[:_LEVELS_ABOVE_AN_IMAGE]:
            for folder, name in metadata_in(parent, safe.is_metadata):
                return safe.read_safe(folder, name, path.absolute().relative_to(parent).as_posix())
    if landsat.is_image(path.name):
        for folder, name in _one_form_each(metadata_in(path.parent, landsat.is_metadata)):
            if path.name.startswith(name[: name.upper().rindex("MTL.")]):
                return landsat.read_landsat(folder, name, path.name)
    return None


def _only(found: list[tuple[Folder, str]], path: Path) -> tuple[Folder, str]:
    if len(found) > 1:
        listed = " and ".join(folder.location(name) for folder, name in found[:2])
        raise InputError(f"{path} holds {len(found)} products, {listed}; expected one. Give the one that is meant.")
    return found[0]


def _one_form_each(found: list[tuple[Folder, str]]) -> list[tuple[Folder, str]]:
    """Of the forms in which one MTL file comes, the first by name: json, then txt, then xml."""
    forms = {(folder.location(name).rsplit(".", 1)[0]): (folder, name) for folder, name in reversed(found)}
    return list(reversed(forms.values()))
