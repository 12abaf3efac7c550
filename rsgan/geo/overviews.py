"""Overviews of backscatter: means of intensity, whatever is stored, because a mean of decibels is no mean of power."""

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import rasterio
import rasterio.shutil
from rasterio.windows import Window

from rsgan.geo.windows import plan
from rsgan.radiometry import Backscatter

_SIDE_PX: Final = 1024
"""Smallest side of the windows in which the raster is read, one band at a time."""

_SHARED: Final = ("driver", "dtype", "count", "nodata", "tiled", "blockxsize", "blockysize")
"""What the file of an overview has in common with its raster."""


def with_overviews(path: Path, factors: Sequence[int], radiometry: Backscatter) -> Path:
    """A raster together with overviews that hold the mean intensity of the valid pixels in each block.

    The means are stored as the raster stores its numbers; a block in which nothing is valid has its first number.

    Args:
        path: A GeoTIFF.
        factors: 2, 4, 8, ...: pixels of the raster along a side of a pixel of each overview.
        radiometry: What the stored numbers mean.

    Returns:
        A virtual raster (VRT) beside `path`, to be copied by a driver that copies overviews. It and the files of the
        overviews begin with the stem of `path` and a dot; all are needed until the copy is made.
    """
    files = [path.with_suffix(f".by{factor}.tif") for factor in factors]
    with ExitStack() as opening:
        raster = opening.enter_context(rasterio.open(path))
        levels = [
            opening.enter_context(rasterio.open(file, "w", **_profile(raster, factor)))
            for file, factor in zip(files, factors, strict=True)
        ]
        for step in plan((raster.height, raster.width), max(_SIDE_PX, *factors)):
            for index in raster.indexes:
                _fill(raster, levels, index, step.keep, radiometry.of_band(index - 1))
    return _joined(path, files)


def _profile(raster: Any, factor: int) -> dict[str, Any]:  # noqa: ANN401 - rasterio ships no types
    shared = {key: raster.profile[key] for key in _SHARED}
    height, width = -(-raster.height // factor), -(-raster.width // factor)
    return shared | {"height": height, "width": width, "compress": "deflate", "zlevel": 1, "BIGTIFF": "IF_SAFER"}


def _joined(path: Path, files: Sequence[Path]) -> Path:
    """A virtual raster of a raster and the files of its overviews."""
    virtual = path.with_suffix(".vrt")
    rasterio.shutil.copy(path, virtual, driver="VRT")
    tree = ET.parse(virtual)
    for band in tree.iter("VRTRasterBand"):
        for file in files:
            overview = ET.SubElement(band, "Overview")
            ET.SubElement(overview, "SourceFilename", relativeToVRT="1").text = file.name
            ET.SubElement(overview, "SourceBand").text = band.attrib["band"]
    tree.write(virtual, encoding="utf-8")
    return virtual


def _fill(raster: Any, levels: Sequence[Any], index: int, window: Window, radiometry: Backscatter) -> None:  # noqa: ANN401
    """Write the block means of one band of a window whose origin is a multiple of every factor."""
    dn = raster.read(index, window=window)[np.newaxis]
    nodata = raster.nodata
    valid = radiometry.usable(dn)
    if nodata is not None and not np.isnan(nodata):
        valid &= dn != np.array(nodata).astype(dn.dtype)
    intensity = radiometry.to_physical(np.where(valid, dn, dn.dtype.type(0)))
    total, count, first = np.where(valid, intensity, 0.0)[0].astype(np.float64), valid[0].astype(np.float64), dn[0]
    row, column = window.row_off, window.col_off
    for level in levels:
        total, count, first = _halved(total), _halved(count), first[::2, ::2]
        row, column = row // 2, column // 2
        mean = np.divide(total, count, out=np.ones_like(total), where=count > 0)
        stored = np.where(count > 0, radiometry.to_dn(mean[np.newaxis], nodata)[0], first)
        level.write(stored, index, window=Window(column, row, stored.shape[1], stored.shape[0]))


def _halved(sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Sums over blocks of 2 x 2; what lacks at the far edges counts as 0."""
    height, width = sums.shape
    padded = np.pad(sums, ((0, height % 2), (0, width % 2)))
    blocks: npt.NDArray[np.float64] = padded.reshape(-(-height // 2), 2, -(-width // 2), 2).sum(axis=(1, 3))
    return blocks
