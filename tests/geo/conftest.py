import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning

NORTH_UP = Affine(10, 0, 500000, 0, -10, 5000000)
RGBN = ("B02", "B03", "B04", "B08")

MakeRaster = Callable[..., Path]


def write_raster(
    path: Path,
    values: np.ndarray,
    *,
    descriptions: Sequence[str | None] = (),
    colorinterp: Sequence[ColorInterp] = (),
    mask: np.ndarray | None = None,
    scales: Sequence[float] = (),
    offsets: Sequence[float] = (),
    tags: dict[str, str] | None = None,
    **profile: Any,
) -> Path:
    """Write a raster with rasterio alone, so that what the package reads is written by another hand."""
    count, height, width = values.shape
    given = {"driver": "GTiff", "crs": "EPSG:32633", "transform": NORTH_UP, "photometric": "MINISBLACK", **profile}
    given = {key: value for key, value in given.items() if value is not None}
    with (
        warnings.catch_warnings(action="ignore", category=NotGeoreferencedWarning),
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(path, "w", height=height, width=width, count=count, dtype=values.dtype, **given) as dataset,
    ):
        if colorinterp:
            dataset.colorinterp = colorinterp
        for index, description in enumerate(descriptions, start=1):
            if description:
                dataset.set_band_description(index, description)
        if scales:
            dataset.scales = scales
        if offsets:
            dataset.offsets = offsets
        dataset.update_tags(**(tags or {}))
        dataset.write(values)
        if mask is not None:
            dataset.write_mask(mask)
    return path


@pytest.fixture
def make_raster(tmp_path: Path) -> MakeRaster:
    """A function that writes `values` (C, H, W) to a file of the given name under the test's folder."""

    def make(name: str, values: np.ndarray, **options: Any) -> Path:
        return write_raster(tmp_path / name, values, **options)

    return make


@pytest.fixture
def dn() -> np.ndarray:
    """(4, 20, 30) uint16 stored numbers, none of them 0."""
    return np.random.default_rng(7).integers(1, 9999, (4, 20, 30)).astype(np.uint16)
