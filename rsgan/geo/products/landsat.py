"""Landsat 8 and 9 Collection 2 products: a folder or tar archive with one GeoTIFF per band and an MTL file.

Source: USGS, Landsat 8-9 Collection 2 Level 1 Data Format Control Book, LSDS-1822; Level 2 Science Product Guide,
LSDS-1619; Landsat 8 Data Users Handbook, LSDS-1574, section 5 (top-of-atmosphere reflectance is divided by the sine of
the sun's elevation).
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree

from rsgan.catalogue import SENSORS, sensor
from rsgan.errors import InputError
from rsgan.geo.products.clouds import CloudLayer
from rsgan.geo.products.folder import Folder
from rsgan.geo.products.product import Layer, MissingLayer, Product, Quantity

_METADATA: Final = re.compile(r".*_MTL\.(json|xml|txt)", re.IGNORECASE)
_IMAGE: Final = re.compile(r"L[CO]0\d_.*_B\d{1,2}\.TIF", re.IGNORECASE)
_ENTRY: Final = re.compile(r"\s*(\w+)\s*=\s*\"?(.*?)\"?\s*")
_TOP: Final = "LANDSAT_METADATA_FILE"
_COLLECTION: Final = 2
_FILL: Final = 0.0
"""Stored number of pixels without data in bands of Level 1 and of Level 2 [LSDS-1822, LSDS-1619]."""

_BANDS: Final = tuple(band.name for band in sensor("landsat-8").bands)
_THERMAL: Final = ("B10", "B11")
_PANCHROMATIC: Final = "B8"

Groups = Mapping[str, Mapping[str, str]]
"""The MTL file: group -> key -> text. The same key stands in several groups, with other numbers."""


def is_metadata(name: str) -> bool:
    """Whether a file of this name is an MTL file."""
    return _METADATA.fullmatch(name) is not None


def is_image(name: str) -> bool:
    """Whether a file of this name may be a band of a product."""
    return _IMAGE.fullmatch(name) is not None


def read_landsat(folder: Folder, metadata: str, only: str | None = None) -> Product | None:
    """Read what a Landsat Collection 2 product of Level 1 or 2 offers.

    Args:
        folder: Where its files lie.
        metadata: Name of its MTL file.
        only: The one file that is offered; None for all.

    Returns:
        The product; None where `only` is no band of it.

    Raises:
        InputError: If the MTL file is damaged or lacks what is needed, if it is of another collection, level or
            platform, if the sun was below the horizon (Level 1), or if no file of a band is there.
    """
    mtl = _Mtl(folder.location(metadata), _groups(metadata, folder.read(metadata), folder.location(metadata)))
    mtl.check_collection()
    asked = {name: file for name, file in mtl.files() if only in (None, file)}
    files = {name: asked[name] for name in _BANDS if name in asked}
    if not files and only is not None:
        return None
    layers = tuple(mtl.layer(name, folder.location(file)) for name, file in files.items() if folder.has(file))
    lost = [(name, file) for name, file in files.items() if not folder.has(file)]
    missing = tuple(MissingLayer(name, folder.location(file)) for name, file in lost)
    if not layers:
        raise InputError(
            f"{mtl.where} names {len(missing)} bands, but no file of them is there. Download the product again."
        )
    quality = mtl.groups.get("PRODUCT_CONTENTS", {}).get("FILE_NAME_QUALITY_L1_PIXEL", "")
    clouds = CloudLayer(folder.location(quality), (1,), "qa_pixel") if quality and folder.has(quality) else None
    return Product(mtl.name(), layers, missing, clouds, mtl.platform(), mtl.date(), mtl.tile())


@dataclass(frozen=True)
class _Mtl:
    """The MTL file of a product."""

    where: str
    groups: Groups

    def text(self, group: str, key: str) -> str:
        found = self.groups.get(group, {}).get(key)
        if not found:
            raise InputError(f"{self.where} has no {key} in {group}. It is no Collection 2 product, or cut short.")
        return found

    def number(self, group: str, key: str) -> float:
        text = self.text(group, key)
        try:
            return float(text)
        except ValueError:
            raise InputError(f"{self.where} has {key} {text!r} in {group}; expected a number.") from None

    def check_collection(self) -> None:
        stated = self.number("PRODUCT_CONTENTS", "COLLECTION_NUMBER")
        if stated != _COLLECTION:
            raise InputError(
                f"{self.where} is of Landsat Collection {stated:g}; expected Collection {_COLLECTION}, whose scales "
                f"and names are other. Download the Collection 2 product."
            )

    def level(self) -> int:
        stated = self.text("PRODUCT_CONTENTS", "PROCESSING_LEVEL")
        if stated[:2] not in ("L1", "L2"):
            raise InputError(f"{self.where} has PROCESSING_LEVEL {stated!r}; expected L1TP, L1GT, L1GS, L2SP or L2SR.")
        return int(stated[1])

    def name(self) -> str:
        return self.text("PRODUCT_CONTENTS", "LANDSAT_PRODUCT_ID")

    def date(self) -> str:
        return self.text("IMAGE_ATTRIBUTES", "DATE_ACQUIRED")

    def tile(self) -> str:
        path, row = (int(self.number("IMAGE_ATTRIBUTES", key)) for key in ("WRS_PATH", "WRS_ROW"))
        return f"{path:03}{row:03}"

    def platform(self) -> str:
        stated = self.text("IMAGE_ATTRIBUTES", "SPACECRAFT_ID")
        known = [name for name in SENSORS if name.startswith("landsat")]
        key = stated.casefold().replace("_", "-")
        if key not in known:
            raise InputError(
                f"{self.where} is of the platform {stated!r}; known are {', '.join(known)}. Give its bands as "
                f"single files."
            )
        return key

    def files(self) -> Iterator[tuple[str, str]]:
        """(band, file) of each band that the product has."""
        for key, file in self.groups.get("PRODUCT_CONTENTS", {}).items():
            name = key.removeprefix("FILE_NAME_BAND_").removeprefix("ST_")
            number = name.removeprefix("B")
            if key.startswith("FILE_NAME_BAND_") and f"B{number}" in _BANDS:
                yield f"B{number}", file

    def layer(self, name: str, path: str) -> Layer:
        quantity, scale, offset = self._numbers(name)
        return Layer(path, 1, name, self._gsd_m(name), scale, offset, _FILL, quantity)

    def _numbers(self, name: str) -> tuple[Quantity, float, float]:
        number = name[1:]
        if self.level() == 1:
            group = "LEVEL1_RADIOMETRIC_RESCALING"
            if name in _THERMAL:
                return "radiance", *self._pair(group, "RADIANCE", f"BAND_{number}")
            scale, offset = self._pair(group, "REFLECTANCE", f"BAND_{number}")
            overhead = self._sine_of_elevation()
            return "reflectance", scale / overhead, offset / overhead
        if name in _THERMAL:
            return "kelvin", *self._pair("LEVEL2_SURFACE_TEMPERATURE_PARAMETERS", "TEMPERATURE", f"BAND_ST_{name}")
        return "reflectance", *self._pair("LEVEL2_SURFACE_REFLECTANCE_PARAMETERS", "REFLECTANCE", f"BAND_{number}")

    def _pair(self, group: str, what: str, band: str) -> tuple[float, float]:
        return self.number(group, f"{what}_MULT_{band}"), self.number(group, f"{what}_ADD_{band}")

    def _sine_of_elevation(self) -> float:
        elevation_deg = self.number("IMAGE_ATTRIBUTES", "SUN_ELEVATION")
        if not 0.0 < elevation_deg <= 90.0:
            raise InputError(
                f"{self.where} has SUN_ELEVATION {elevation_deg:g} degrees; reflectance needs the sun above the "
                f"horizon. Give a scene taken by day."
            )
        return math.sin(math.radians(elevation_deg))

    def _gsd_m(self, name: str) -> float:
        kind = "PANCHROMATIC" if name == _PANCHROMATIC else "THERMAL" if name in _THERMAL else "REFLECTIVE"
        return self.number("PROJECTION_ATTRIBUTES", f"GRID_CELL_SIZE_{kind}")


def _groups(name: str, content: bytes, where: str) -> Groups:
    """Read an MTL file of any of its three forms.

    Raises:
        InputError: If it cannot be read as what its name says.
    """
    kind = name.rsplit(".", 1)[-1].lower()
    try:
        text = content.decode("utf-8")
        groups = {"json": _from_json, "xml": _from_xml, "txt": _from_text}[kind](text)
    except (UnicodeDecodeError, json.JSONDecodeError, ElementTree.ParseError, AttributeError) as error:
        raise InputError(f"{where} cannot be read as {kind}: {error}. Download the product again.") from error
    if "PRODUCT_CONTENTS" not in groups:
        raise InputError(
            f"{where} has no group PRODUCT_CONTENTS in {_TOP}; expected the MTL file of a Landsat Collection 2 "
            f"product. Products of Collection 1 are not read; download the Collection 2 product."
        )
    return groups


def _from_json(text: str) -> Groups:
    top = json.loads(text).get(_TOP, {})
    return {group: {key: str(value) for key, value in entries.items()} for group, entries in top.items()}


def _from_xml(text: str) -> Groups:
    return {
        group.tag: {entry.tag: (entry.text or "").strip() for entry in group} for group in ElementTree.fromstring(text)
    }


def _from_text(text: str) -> Groups:
    """Lines of ``KEY = value`` between ``GROUP = NAME`` and ``END_GROUP = NAME``."""
    groups: dict[str, dict[str, str]] = {}
    entries: dict[str, str] = {}
    for line in text.splitlines():
        found = _ENTRY.fullmatch(line)
        if found and found[1] == "GROUP":
            entries = groups.setdefault(found[2], {})
        elif found and found[1] != "END_GROUP":
            entries[found[1]] = found[2]
    return groups
