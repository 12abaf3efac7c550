"""Small Sentinel-2 products in the real folder layout: XML, JPEG 2000 files, and numbers that tests know.

The layout and the elements are those of products of the compact format (since December 2016), as described in the
Sentinel-2 Products Specification Document, S2-PDGS-TAS-DI-PSD: what the package reads, and no more.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import rasterio
from affine import Affine

ORDER = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
GSDS = {"B02": 10, "B03": 10, "B04": 10, "B08": 10, "B01": 60, "B09": 60, "B10": 60}
ALSO_COARSER = {10: (10, 20, 60), 20: (20, 60), 60: (60,)}
SHAPE_10M = (48, 36)
LEFT, TOP = 300000.0, 6100020.0
MINUS_1000 = dict.fromkeys(range(13), "-1000")


@dataclass(frozen=True)
class MadeSafe:
    """Where the product lies and what was written into it.

    Attributes:
        root: The .SAFE folder.
        dn: Stored numbers of each band at its own gsd.
        clouds: What the cloud layer holds, (bands, H, W): SCL at 20 m, or MSK_CLASSI at 60 m.
    """

    root: Path
    dn: dict[str, np.ndarray]
    clouds: np.ndarray

    @property
    def metadata(self) -> Path:
        return next(self.root.glob("MTD_MSIL*.xml"))

    def file_of(self, band: str, suffix: str = "") -> Path:
        return next(self.root.rglob(f"*_{band}{suffix}.jp2"))

    def zipped(self) -> Path:
        """The same product as it is downloaded: NAME.SAFE.zip with the .SAFE folder in it."""
        return Path(shutil.make_archive(str(self.root), "zip", self.root.parent, self.root.name))


def make_safe(
    parent: Path,
    *,
    level: str = "L2A",
    baseline: str = "05.09",
    uri_baseline: str | None = None,
    offsets: dict[int, str] | None = None,
    quantification: str = "10000",
    platform: str = "Sentinel-2B",
    tile: str = "T34UCF",
    date: str = "20230823",
    omit: Sequence[str] = (),
) -> MadeSafe:
    """Write a product.

    Args:
        parent: Where the .SAFE folder goes.
        level: L1C or L2A.
        baseline: Processing baseline in the XML.
        uri_baseline: Processing baseline in names; None for the same.
        offsets: band_id -> text of the list of offsets; None for what the baseline has.
        quantification: Text of the quantification value.
        platform: SPACECRAFT_NAME.
        tile: Name of the tile.
        date: Day of acquisition.
        omit: Bands and masks of which no file is written, although the XML names them.
    """
    named = (uri_baseline or baseline).replace(".", "")
    uri = f"S2{platform[-1]}_MSI{level}_{date}T095559_N{named}_R122_{tile}_{date}T124759.SAFE"
    granule = f"GRANULE/{level}_{tile}_A033753_{date}T095553"
    root = parent / uri
    (root / granule / "QI_DATA").mkdir(parents=True)
    stem = f"{tile}_{date}T095559"
    dn = {band: _numbers(band) for band in ORDER if not (level == "L2A" and band == "B10")}
    images = []
    for band, values in dn.items():
        for gsd in ALSO_COARSER[_gsd(band)] if level == "L2A" else (_gsd(band),):
            images.append(_image(granule, level, f"{stem}_{band}", gsd))
            if band not in omit:
                step = gsd // _gsd(band)
                _write(root / f"{images[-1]}.jp2", values[None, ::step, ::step], gsd)
    clouds = _clouds(level)
    if level == "L2A":
        images.append(_image(granule, level, f"{stem}_SCL", 20))
    if not {"SCL", "MSK_CLASSI"} & set(omit):
        if level == "L2A":
            _write(root / f"{images[-1]}.jp2", clouds, 20)
        elif baseline >= "04.00":
            _write(root / granule / "QI_DATA/MSK_CLASSI_B00.jp2", clouds, 60)
    if offsets is None:
        offsets = MINUS_1000 if baseline >= "04.00" else {}
    _write_product_xml(root, level, uri, baseline, platform, tile, images, offsets, quantification)
    _write_granule_xml(root / granule / "MTD_TL.xml", level, baseline, tile)
    return MadeSafe(root, dn, clouds)


def _gsd(band: str) -> int:
    return GSDS.get(band, 20)


def _shape(gsd: int) -> tuple[int, int]:
    return SHAPE_10M[0] * 10 // gsd, SHAPE_10M[1] * 10 // gsd


def _numbers(band: str) -> np.ndarray:
    """Stored numbers of a band, none of them 0 but in the upper left 60 m."""
    values = np.random.default_rng([11, ORDER.index(band)]).integers(1, 9999, _shape(_gsd(band))).astype(np.uint16)
    values[: 60 // _gsd(band), : 60 // _gsd(band)] = 0
    return values


def _clouds(level: str) -> np.ndarray:
    rng = np.random.default_rng(13)
    if level == "L2A":
        return rng.integers(0, 12, (1, *_shape(20))).astype(np.uint8)
    return rng.integers(0, 2, (3, *_shape(60))).astype(np.uint8)


def _image(granule: str, level: str, stem: str, gsd: int) -> str:
    return f"{granule}/IMG_DATA/R{gsd}m/{stem}_{gsd}m" if level == "L2A" else f"{granule}/IMG_DATA/{stem}"


def _write(path: Path, values: np.ndarray, gsd: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {"driver": "JP2OpenJPEG", "crs": "EPSG:32634", "QUALITY": "100", "REVERSIBLE": "YES", "YCBCR420": "NO"}
    count, height, width = values.shape
    transform = Affine(gsd, 0, LEFT, 0, -gsd, TOP)
    with rasterio.open(
        path, "w", count=count, height=height, width=width, dtype=values.dtype, transform=transform, **profile
    ) as dataset:
        dataset.write(values)


def _add(parent: ElementTree.Element, tag: str, text: str = "", **attributes: str) -> ElementTree.Element:
    child = ElementTree.SubElement(parent, tag, attributes)
    child.text = text
    return child


def _write_product_xml(
    root: Path,
    level: str,
    uri: str,
    baseline: str,
    platform: str,
    tile: str,
    images: list[str],
    offsets: dict[int, str],
    quantification: str,
) -> None:
    space = f"https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_Level-{level[1:]}.xsd"
    ElementTree.register_namespace("n1", space)
    top = ElementTree.Element(f"{{{space}}}Level-{level[1:]}_User_Product")
    general = _add(top, f"{{{space}}}General_Info")
    info = _add(general, "Product_Info")
    _add(info, "PRODUCT_START_TIME", "2023-08-23T09:55:59.024Z")
    _add(info, "PRODUCT_URI", uri)
    _add(info, "PROCESSING_LEVEL", f"Level-{level[1:]}")
    _add(info, "PRODUCT_TYPE", f"S2MSI{level[1:]}")
    _add(info, "PROCESSING_BASELINE", baseline)
    take = _add(info, "Datatake", datatakeIdentifier=f"GS2B_20230823T095559_033753_N{baseline}")
    _add(take, "SPACECRAFT_NAME", platform)
    _add(_add(info, "Query_Options", completeSingleTile="true"), "PRODUCT_FORMAT", "SAFE_COMPACT")
    granules = _add(_add(info, "Product_Organisation"), "Granule_List")
    granule = _add(granules, "Granule", granuleIdentifier=f"S2B_OPER_MSI_{level}_TL_2BPS_A033753_{tile}_N{baseline}")
    for image in images:
        _add(granule, "IMAGE_FILE", image)
    image_info = _add(general, "Product_Image_Characteristics")
    for text, index in (("NODATA", "0"), ("SATURATED", "65535")):
        special = _add(image_info, "Special_Values")
        _add(special, "SPECIAL_VALUE_TEXT", text)
        _add(special, "SPECIAL_VALUE_INDEX", index)
    _write_numbers(image_info, level, offsets, quantification)
    spectral = _add(image_info, "Spectral_Information_List")
    for number, band in enumerate(ORDER):
        _add(spectral, "Spectral_Information", bandId=str(number), physicalBand=band.replace("B0", "B"))
    ElementTree.ElementTree(top).write(root / f"MTD_MSI{level}.xml", encoding="UTF-8", xml_declaration=True)


def _write_numbers(parent: ElementTree.Element, level: str, offsets: dict[int, str], quantification: str) -> None:
    if level == "L2A":
        _add(_add(parent, "QUANTIFICATION_VALUES_LIST"), "BOA_QUANTIFICATION_VALUE", quantification, unit="none")
        names = ("BOA_ADD_OFFSET_VALUES_LIST", "BOA_ADD_OFFSET")
    else:
        _add(parent, "QUANTIFICATION_VALUE", quantification, unit="none")
        names = ("Radiometric_Offset_List", "RADIO_ADD_OFFSET")
    if offsets:
        listed = _add(parent, names[0])
        for number, text in offsets.items():
            _add(listed, names[1], text, band_id=str(number))


def _write_granule_xml(path: Path, level: str, baseline: str, tile: str) -> None:
    space = f"https://psd-14.sentinel2.eo.esa.int/PSD/S2_PDI_Level-{level[1:]}_Tile_Metadata.xsd"
    top = ElementTree.Element(f"{{{space}}}Level-{level[1:]}_Tile_ID")
    _add(_add(top, f"{{{space}}}General_Info"), "TILE_ID", f"S2B_OPER_MSI_{level}_TL_2BPS_A033753_{tile}_N{baseline}")
    coding = _add(_add(top, f"{{{space}}}Geometric_Info"), "Tile_Geocoding")
    _add(coding, "HORIZONTAL_CS_NAME", "WGS84 / UTM zone 34N")
    _add(coding, "HORIZONTAL_CS_CODE", "EPSG:32634")
    for gsd in (10, 20, 60):
        size = _add(coding, "Size", resolution=str(gsd))
        _add(size, "NROWS", str(_shape(gsd)[0]))
        _add(size, "NCOLS", str(_shape(gsd)[1]))
        place = _add(coding, "Geoposition", resolution=str(gsd))
        for tag, number in (("ULX", LEFT), ("ULY", TOP), ("XDIM", gsd), ("YDIM", -gsd)):
            _add(place, tag, f"{number:g}")
    ElementTree.ElementTree(top).write(path, encoding="UTF-8", xml_declaration=True)
