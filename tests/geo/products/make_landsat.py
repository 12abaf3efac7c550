"""Small Landsat 8 and 9 Collection 2 products in the real folder layout: GeoTIFFs, an MTL file, known numbers.

Names, groups and keys are those of the USGS Data Format Control Book LSDS-1822 and the Product Guide LSDS-1619: what
the package reads, and the keys that stand in two groups with different numbers.
"""

import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import rasterio
from affine import Affine

SHAPE_30M = (20, 24)
LEFT, TOP = 372885.0, 1952415.0
Groups = dict[str, dict[str, str]]


@dataclass(frozen=True)
class MadeLandsat:
    """Where the product lies and what was written into it.

    Attributes:
        root: The folder.
        stem: What the names of its files begin with.
        dn: Stored numbers of each band.
        quality: (H, W) QA_PIXEL.
    """

    root: Path
    stem: str
    dn: dict[str, np.ndarray]
    quality: np.ndarray

    def metadata(self, form: str = "txt") -> Path:
        return self.root / f"{self.stem}_MTL.{form}"

    def tarred(self) -> Path:
        """The same product as it is downloaded: a tar archive without a folder in it."""
        path = self.root.with_suffix(".tar")
        with tarfile.open(path, "w") as archive:
            for file in sorted(self.root.iterdir()):
                archive.add(file, arcname=file.name)
        return path


def make_landsat(
    parent: Path,
    *,
    level: str = "L2SP",
    platform: str = "LANDSAT_8",
    date: str = "20200115",
    path_row: tuple[int, int] = (22, 49),
    sun_elevation: str = "30.0",
    collection: str = "02",
    forms: Sequence[str] = ("txt", "xml", "json"),
    omit: Sequence[str] = (),
) -> MadeLandsat:
    """Write a product.

    Args:
        parent: Where the folder goes.
        level: L1TP or L2SP.
        platform: SPACECRAFT_ID.
        date: Day of acquisition.
        path_row: WRS path and row.
        sun_elevation: Text of the sun's elevation in degrees.
        collection: Text of the collection number.
        forms: Which forms of the MTL file are written.
        omit: Bands and QA_PIXEL of which no file is written, although the MTL file names them.
    """
    stem = f"LC0{platform[-1]}_{level}_{path_row[0]:03}{path_row[1]:03}_{date}_20200823_02_T1"
    root = parent / stem
    root.mkdir()
    files = _band_files(stem, level)
    dn = {band: _numbers(band) for band in files}
    for band, file in files.items():
        if band not in omit:
            _write(root / file, dn[band], 15 if band == "B8" else 30)
    quality = np.random.default_rng(23).choice([1, 21824, 21826, 21952, 22280, 23888, 54596], SHAPE_30M)
    quality = quality.astype(np.uint16)
    if "QA_PIXEL" not in omit:
        _write(root / f"{stem}_QA_PIXEL.TIF", quality, 30, nodata=1)
    groups = _groups(stem, level, platform, date, path_row, sun_elevation, collection, files)
    writers = {"txt": _write_text, "xml": _write_xml, "json": _write_json}
    for form in forms:
        writers[form](root / f"{stem}_MTL.{form}", groups)
    return MadeLandsat(root, stem, dn, quality)


def _band_files(stem: str, level: str) -> dict[str, str]:
    if level.startswith("L1"):
        return {f"B{number}": f"{stem}_B{number}.TIF" for number in range(1, 12)}
    return {f"B{number}": f"{stem}_SR_B{number}.TIF" for number in range(1, 8)} | {"B10": f"{stem}_ST_B10.TIF"}


def _numbers(band: str) -> np.ndarray:
    """Stored numbers of a band, none of them 0 but in the upper left 30 m."""
    factor = 2 if band == "B8" else 1
    shape = (SHAPE_30M[0] * factor, SHAPE_30M[1] * factor)
    values = np.random.default_rng([19, int(band[1:])]).integers(7273, 43636, shape).astype(np.uint16)
    values[:factor, :factor] = 0
    return values


def _write(path: Path, values: np.ndarray, gsd: int, nodata: float = 0) -> None:
    height, width = values.shape
    transform = Affine(gsd, 0, LEFT, 0, -gsd, TOP)
    profile = {"driver": "GTiff", "crs": "EPSG:32616", "dtype": values.dtype, "count": 1, "nodata": nodata}
    with rasterio.open(path, "w", height=height, width=width, transform=transform, **profile) as dataset:
        dataset.write(values, 1)


def _groups(
    stem: str,
    level: str,
    platform: str,
    date: str,
    path_row: tuple[int, int],
    sun_elevation: str,
    collection: str,
    files: dict[str, str],
) -> Groups:
    named = {f"FILE_NAME_BAND_{'ST_B10' if '_ST_' in file else band[1:]}": file for band, file in files.items()}
    groups: Groups = {
        "PRODUCT_CONTENTS": {
            "ORIGIN": "Image courtesy of the U.S. Geological Survey",
            "LANDSAT_PRODUCT_ID": stem,
            "PROCESSING_LEVEL": level,
            "COLLECTION_NUMBER": collection,
            **named,
            "FILE_NAME_QUALITY_L1_PIXEL": f"{stem}_QA_PIXEL.TIF",
            "FILE_NAME_QUALITY_L1_RADIOMETRIC_SATURATION": f"{stem}_QA_RADSAT.TIF",
        },
        "IMAGE_ATTRIBUTES": {
            "SPACECRAFT_ID": platform,
            "SENSOR_ID": "OLI_TIRS",
            "WRS_PATH": str(path_row[0]),
            "WRS_ROW": str(path_row[1]),
            "DATE_ACQUIRED": f"{date[:4]}-{date[4:6]}-{date[6:]}",
            "SUN_ELEVATION": sun_elevation,
        },
        "PROJECTION_ATTRIBUTES": {"GRID_CELL_SIZE_REFLECTIVE": "30.00", "GRID_CELL_SIZE_THERMAL": "30.00"},
        "LEVEL1_RADIOMETRIC_RESCALING": _level1_numbers(),
    }
    if level.startswith("L1"):
        groups["PROJECTION_ATTRIBUTES"]["GRID_CELL_SIZE_PANCHROMATIC"] = "15.00"
        groups["LEVEL1_THERMAL_CONSTANTS"] = {"K1_CONSTANT_BAND_10": "774.8853", "K2_CONSTANT_BAND_10": "1321.0789"}
        return groups
    surface: dict[str, str] = {}
    for number in range(1, 8):
        surface |= {f"REFLECTANCE_MULT_BAND_{number}": "2.75e-05", f"REFLECTANCE_ADD_BAND_{number}": "-0.2"}
    groups["LEVEL2_SURFACE_REFLECTANCE_PARAMETERS"] = surface
    temperature = {"TEMPERATURE_MULT_BAND_ST_B10": "0.00341802", "TEMPERATURE_ADD_BAND_ST_B10": "149.0"}
    groups["LEVEL2_SURFACE_TEMPERATURE_PARAMETERS"] = temperature
    return groups


def _level1_numbers() -> dict[str, str]:
    numbers: dict[str, str] = {}
    for number in range(1, 12):
        thermal = number > 9
        numbers[f"RADIANCE_MULT_BAND_{number}"] = "3.3420E-04" if thermal else "1.2345E-02"
        numbers[f"RADIANCE_ADD_BAND_{number}"] = "0.10000" if thermal else "-61.72345"
        if not thermal:
            numbers[f"REFLECTANCE_MULT_BAND_{number}"] = "2.0000E-05"
            numbers[f"REFLECTANCE_ADD_BAND_{number}"] = "-0.100000"
    return numbers


def _write_text(path: Path, groups: Groups) -> None:
    lines = ["GROUP = LANDSAT_METADATA_FILE"]
    for group, entries in groups.items():
        lines.append(f"  GROUP = {group}")
        lines += [f"    {key} = {_quoted(value)}" for key, value in entries.items()]
        lines.append(f"  END_GROUP = {group}")
    path.write_text("\n".join([*lines, "END_GROUP = LANDSAT_METADATA_FILE", "END", ""]), encoding="utf-8")


def _quoted(value: str) -> str:
    return (
        value if value.replace("-", "").replace(".", "").replace("e", "").replace("E", "").isdigit() else f'"{value}"'
    )


def _write_xml(path: Path, groups: Groups) -> None:
    top = ElementTree.Element("LANDSAT_METADATA_FILE")
    for group, entries in groups.items():
        parent = ElementTree.SubElement(top, group)
        for key, value in entries.items():
            ElementTree.SubElement(parent, key).text = value
    ElementTree.ElementTree(top).write(path, encoding="UTF-8", xml_declaration=True)


def _write_json(path: Path, groups: Groups) -> None:
    path.write_text(json.dumps({"LANDSAT_METADATA_FILE": groups}, indent=2), encoding="utf-8")
