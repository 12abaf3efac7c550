"""Sentinel-2 Level-1C and Level-2A products of the compact format (.SAFE, since December 2016).

The XML names one JPEG 2000 file per band and gsd, and says what their numbers mean; each file is opened by itself.
GDAL's SENTINEL2 driver stacks the same files, but reads one that is missing, and all of one gsd that are damaged, as
zeros, which are this sensor's nodata (seen with GDAL 3.10); so it serves the tests as a second opinion only.

Source: Sentinel-2 Products Specification Document, S2-PDGS-TAS-DI-PSD, issue 14.9.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final
from xml.etree import ElementTree

from rsgan.catalogue import SENSORS, sensor
from rsgan.errors import InputError
from rsgan.geo.products.clouds import CloudLayer
from rsgan.geo.products.folder import Folder
from rsgan.geo.products.product import Layer, MissingLayer, Product

_METADATA: Final = re.compile(r"MTD_MSI(L1C|L2A)\.xml")
_OLD_METADATA: Final = re.compile(r"S2[A-Z]_(OPER|USER)_MTD_SAF(L1C|L2A)_.*\.xml")
_BASELINE: Final = re.compile(r"(\d\d)\.(\d\d)")
_NAMED_BASELINE: Final = re.compile(r"^S2[A-Z]_MSIL(?:1C|2A)_\d{8}T\d{6}_N(\d\d)(\d\d)_")
_IMAGE: Final = re.compile(r"(T\d\d[A-Z]{3})_(\d{4})(\d\d)(\d\d)T\d{6}_(B\d[0-9A]|SCL)(?:_(\d\d)m)?")

_BAND_IDS: Final = tuple(band.name for band in sensor("sentinel-2a").bands)
"""``band_id`` of the XML is the place of the band in the instrument's numbering: 0 is B01, 8 is B8A, 12 is B12."""

_NATIVE_GSD_M: Final = {band.name: float(band.gsd_m) for band in sensor("sentinel-2a").bands}

_SCL_GSD_M: Final = 20.0
"""The finer of the two gsd in which the scene classification comes."""

_OFFSET_SINCE: Final = (4, 0)
"""Processing baseline from which numbers are stored with an offset."""

_QUANTIFICATION: Final = {"L1C": "QUANTIFICATION_VALUE", "L2A": "BOA_QUANTIFICATION_VALUE"}
_OFFSET: Final = {"L1C": "RADIO_ADD_OFFSET", "L2A": "BOA_ADD_OFFSET"}


def is_metadata(name: str) -> bool:
    """Whether a file of this name describes a product, of today's format or of the one before December 2016."""
    return _METADATA.fullmatch(name) is not None or _OLD_METADATA.fullmatch(name) is not None


def is_image(name: str) -> bool:
    """Whether a file of this name may be an image of a product."""
    return _IMAGE.search(name) is not None and name.endswith(".jp2")


def read_safe(folder: Folder, metadata: str, only: str | None = None) -> Product | None:
    """Read what a Sentinel-2 product offers.

    Args:
        folder: Where its files lie.
        metadata: Name of its XML file.
        only: The one image that is offered, relative to the folder, at whatever gsd; None for all at their native gsd.

    Returns:
        The product; None where `only` is no image of a band of it.

    Raises:
        InputError: If the XML is damaged, lacks what is needed, or contradicts itself or the names, if the platform
            is unknown, or if no image file is there.
    """
    xml = _Xml.read(folder, metadata)
    images = xml.images()
    asked = {image.band: image for image in images if (image.is_native if only is None else image.file == only)}
    bands = {name: asked[name] for name in _BAND_IDS if name in asked}
    if not bands and only is not None:
        return None
    if not bands:
        raise InputError(
            f"{xml.where} names no image of a band at its native gsd; expected IMAGE_FILE of B02 and others."
        )
    scale, offsets, nodata = 1.0 / xml.quantification(), xml.offsets(set(bands)), xml.nodata()
    layers = tuple(
        Layer(folder.location(image.file), 1, name, image.gsd_m, scale, offsets[name] * scale, nodata)
        for name, image in bands.items()
        if folder.has(image.file)
    )
    lost = [(name, image.file) for name, image in bands.items() if not folder.has(image.file)]
    missing = tuple(MissingLayer(name, folder.location(file)) for name, file in lost)
    if not layers:
        raise InputError(
            f"{xml.where} describes {len(missing)} bands, but no image file is there: {missing[0]} and others."
        )
    return Product(xml.name(), layers, missing, _clouds(folder, images), xml.platform(), images[0].date, images[0].tile)


@dataclass(frozen=True)
class _Image:
    """One image file that the XML names."""

    file: str
    tile: str
    date: str
    band: str
    gsd_m: float

    @property
    def is_native(self) -> bool:
        return self.gsd_m == _NATIVE_GSD_M.get(self.band)


@dataclass(frozen=True)
class _Xml:
    """The metadata file of a product."""

    folder: Folder
    where: str
    root: ElementTree.Element
    level: str
    baseline: tuple[int, int]

    @classmethod
    def read(cls, folder: Folder, metadata: str) -> "_Xml":
        where = folder.location(metadata)
        kind = _METADATA.fullmatch(metadata)
        if kind is None:
            raise InputError(
                f"{where} is a Sentinel-2 product of the format before December 2016, which holds several tiles; "
                f"expected MTD_MSIL1C.xml or MTD_MSIL2A.xml. Give one of GDAL's rasters of it, which gdalinfo lists."
            )
        try:
            root = ElementTree.fromstring(folder.read(metadata))
        except ElementTree.ParseError as error:
            raise InputError(f"{where} is not well-formed XML: {error}. Download the product again.") from error
        stated = _text(root, "PROCESSING_BASELINE", where)
        numbers = _BASELINE.fullmatch(stated)
        if numbers is None:
            raise InputError(f"{where} has PROCESSING_BASELINE {stated!r}; expected two numbers, as in 05.09.")
        xml = cls(folder, where, root, kind[1], (int(numbers[1]), int(numbers[2])))
        xml._check_names()
        return xml

    def name(self) -> str:
        return _text(self.root, "PRODUCT_URI", self.where).removesuffix(".SAFE")

    def platform(self) -> str:
        stated = _text(self.root, "SPACECRAFT_NAME", self.where)
        known = [name for name in SENSORS if name.startswith("sentinel-2")]
        if stated.casefold() not in known:
            raise InputError(
                f"{self.where} is of the platform {stated!r}; known are {', '.join(known)}. Give its bands as "
                f"single files."
            )
        return stated.casefold()

    def nodata(self) -> float | None:
        """The stored number that the product calls NODATA."""
        for special in self.root.iter("Special_Values"):
            if special.findtext("SPECIAL_VALUE_TEXT") == "NODATA":
                return _number(special.findtext("SPECIAL_VALUE_INDEX"), "NODATA", self.where)
        return None

    def quantification(self) -> float:
        tag = _QUANTIFICATION[self.level]
        value = _number(_text(self.root, tag, self.where), tag, self.where)
        if not value > 0.0:
            raise InputError(f"{self.where} has {tag} {value:g}; expected above 0, such as 10000.")
        return value

    def images(self) -> tuple[_Image, ...]:
        """The images of bands and of the scene classification.

        Raises:
            InputError: If there is none, or they are of several tiles or days.
        """
        images = tuple(self._all_images())
        if not images:
            raise InputError(f"{self.where} names no image; expected IMAGE_FILE entries. Download the product again.")
        places = sorted({f"{image.tile} of {image.date}" for image in images})
        if len(places) > 1:
            raise InputError(f"{self.where} holds {' and '.join(places)}; expected one tile of one day.")
        return images

    def _all_images(self) -> Iterator[_Image]:
        for entry in self.root.iter("IMAGE_FILE"):
            file = (entry.text or "").strip().removesuffix(".jp2")
            found = _IMAGE.search(PurePosixPath(file).name)
            if found:
                tile, year, month, day, band, gsd = found.groups()
                gsd_m = float(gsd) if gsd else _NATIVE_GSD_M.get(band, 0.0)
                yield _Image(f"{file}.jp2", tile, f"{year}-{month}-{day}", band, gsd_m)

    def offsets(self, bands: set[str]) -> dict[str, float]:
        """Stored units added to each band before the division.

        Raises:
            InputError: If the list of offsets and the processing baseline contradict each other, or a band has none.
        """
        tag = _OFFSET[self.level]
        listed = {
            entry.get("band_id", "").strip(): _number(entry.text, tag, self.where) for entry in self.root.iter(tag)
        }
        if self.baseline < _OFFSET_SINCE:
            if any(listed.values()):
                raise self._contradiction(f"its list of {tag} is not 0, which it has since baseline 04.00")
            return dict.fromkeys(bands, 0.0)
        if not listed:
            raise self._contradiction(f"it has no list of {tag}, which it needs since baseline 04.00")
        unlisted = [name for name in _BAND_IDS if name in bands and str(_BAND_IDS.index(name)) not in listed]
        strange = sorted(listed.keys() - {str(number) for number in range(len(_BAND_IDS))})
        if unlisted or strange:
            raise self._contradiction(
                f"its list of {tag} does not match its bands: without an offset {' '.join(unlisted) or 'none'}, "
                f"unknown band_id {' '.join(map(repr, strange)) or 'none'}"
            )
        return {name: listed[str(_BAND_IDS.index(name))] for name in bands}

    def _check_names(self) -> None:
        """Refuse a product whose baseline is another by its names than by its XML."""
        path = self.folder.path if self.folder.members is None else PurePosixPath(self.folder.inside)
        for name in (self.name(), path.name, self.folder.path.name):
            named = _NAMED_BASELINE.match(name)
            if named and (int(named[1]), int(named[2])) != self.baseline:
                raise self._contradiction(f"its name {name} says {named[1]}.{named[2]}")

    def _contradiction(self, what: str) -> InputError:
        return InputError(
            f"{self.where} states processing baseline {self.baseline[0]:02}.{self.baseline[1]:02}, but {what}. The "
            f"offset of all numbers depends on it. Download the product again, or give its bands as single files with "
            f"--reflectance-scale."
        )


def _text(root: ElementTree.Element, tag: str, where: str) -> str:
    text = root.findtext(f".//{tag}")
    if not text:
        raise InputError(f"{where} has no {tag}. It is no product, or cut short; download it again.")
    return text.strip()


def _number(text: str | None, tag: str, where: str) -> float:
    try:
        return float(text or "")
    except ValueError:
        raise InputError(f"{where} has {tag} {text!r}; expected a number. Download the product again.") from None


def _clouds(folder: Folder, images: tuple[_Image, ...]) -> CloudLayer | None:
    """The scene classification at 20 m, else the mask of opaque cloud and cirrus at 60 m, else None."""
    classified = next((image for image in images if image.band == "SCL" and image.gsd_m == _SCL_GSD_M), None)
    if classified and folder.has(classified.file):
        return CloudLayer(folder.location(classified.file), (1,), "scl")
    masked = str(PurePosixPath(*PurePosixPath(images[0].file).parts[:2], "QI_DATA", "MSK_CLASSI_B00.jp2"))
    return CloudLayer(folder.location(masked), (1, 2), "msk_classi") if folder.has(masked) else None
