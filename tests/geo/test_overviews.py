"""Overviews of backscatter are means of intensity, whatever is stored."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.windows import Window
from rio_cogeo.cogeo import cog_validate

from rsgan.geo import ControlPoints, Grid, RasterWriter
from rsgan.radiometry import Backscatter, Quantity

SHAPE = (1301, 2503)
GRID = Grid(CRS.from_epsg(32633), Affine(10, 0, 500000, 0, -10, 5000000), SHAPE)
STORED: dict[str, tuple[Quantity, str, float, float | None]] = {
    "db": ("db", "float32", 1.0, -99.0),
    "db, NaN": ("db", "float32", 1.0, float("nan")),
    "hundredths of db": ("db", "int16", 0.01, -32768.0),
    "amplitude": ("amplitude", "float32", 1.0, None),
    "amplitude, 16 bits": ("amplitude", "uint16", 1.0, None),
    "intensity": ("intensity", "float32", 1.0, 0.0),
}


def block_means(values: np.ndarray, valid: np.ndarray, factor: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the valid values in each block, and where there are some; by adding at indexes, not by halving."""
    rows, columns = (np.arange(length) // factor for length in values.shape)
    shape = (rows[-1] + 1, columns[-1] + 1)
    total, count = np.zeros(shape), np.zeros(shape)
    np.add.at(total, (rows[:, None], columns), np.where(valid, values, 0.0))
    np.add.at(count, (rows[:, None], columns), valid)
    return total / np.maximum(count, 1), count > 0


@pytest.mark.parametrize("cog", [True, False])
@pytest.mark.parametrize("kind", STORED)
def test_every_overview_is_the_mean_intensity_of_its_blocks(tmp_path: Path, kind: str, cog: bool) -> None:
    quantity, dtype, scale, nodata = STORED[kind]
    radiometry = Backscatter(quantity, (scale,) * 2, (0.0,) * 2, dtype, "test")
    rng = np.random.default_rng(3)
    power = rng.gamma(1.0, 1.0, (2, *SHAPE)) * 10 ** rng.uniform(-2, 1, (2, *SHAPE))
    power *= 1e6 if quantity == "amplitude" else 1.0
    dn = radiometry.to_dn(np.maximum(power, 1.0) if dtype == "uint16" else power, nodata)
    empty = 0.0 if nodata is None else nodata
    dn[0, :700, :600] = empty
    dn[:, rng.random(SHAPE) < 0.2] = empty
    path = tmp_path / "out.tif"
    with RasterWriter(
        path, grid=GRID, count=2, dtype=dtype, nodata=nodata, overviews=radiometry, cog=cog, scales=(scale,) * 2,
        descriptions=("VV", "VH"), units=("dB", "dB"), tags={"a": "b"},
    ) as writer:  # fmt: skip
        writer.write(dn, Window(0, 0, SHAPE[1], SHAPE[0]))
    valid = ~(np.isnan(dn) if np.isnan(empty) else dn == empty)
    stored = radiometry.to_physical(np.where(valid, dn, 1).astype(dtype)).astype(np.float64)
    with rasterio.open(path) as dataset:
        np.testing.assert_array_equal(dataset.read(), dn)
        assert (dataset.descriptions, dataset.units, dataset.scales) == (("VV", "VH"), ("dB", "dB"), (scale,) * 2)
        assert (dataset.crs, dataset.transform, dataset.tags()["a"]) == (GRID.crs, GRID.transform, "b")
        assert dataset.nodata == nodata or np.isnan(dataset.nodata)
        assert dataset.overviews(1) == dataset.overviews(2) == [2, 4, 8]
    for level, factor in enumerate((2, 4, 8)):
        with rasterio.open(path, overview_level=level) as overview:
            seen = overview.read()
        means, some = (np.stack(part) for part in zip(*map(block_means, stored, valid, [factor] * 2), strict=True))
        near = radiometry.to_physical(np.where(some, seen, 1).astype(dtype))
        half = 20 * np.log10(1 + 0.5 / np.sqrt(means[some])) if dtype == "uint16" else 0.0  # the rounding of integers
        assert np.all(np.abs(10 * np.log10(near[some] / means[some])) <= 0.01 + half)
        assert (~some).any()
        np.testing.assert_array_equal(seen[~some], np.full_like(seen[~some], empty))
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_is_a_valid_cog(tmp_path: Path) -> None:
    path, radiometry = tmp_path / "out.tif", Backscatter("db", (1.0,), (0.0,), "float32", "test")
    with RasterWriter(path, grid=GRID, count=1, dtype="float32", overviews=radiometry) as writer:
        writer.write(np.full((1, *SHAPE), -10, np.float32), Window(0, 0, SHAPE[1], SHAPE[0]))
    assert cog_validate(path, quiet=True) == (True, [], [])
    with rasterio.open(path) as dataset:
        assert dataset.compression.name == "deflate"


@pytest.mark.parametrize("side", [40, 700])
@pytest.mark.parametrize("cog", [True, False])
def test_control_points_place_pixels_where_no_transform_does(tmp_path: Path, side: int, cog: bool) -> None:
    corners = [(0, 0), (0, side - 1), (side - 1, 0), (side - 1, side - 1)]
    points = tuple(GroundControlPoint(r, c, 5 + c / 1e4, 43 - r / 1e4, 7.0, f"p{r}-{c}") for r, c in corners)
    path, radiometry = tmp_path / "out.tif", Backscatter("amplitude", (1.0,), (0.0,), "uint16", "test")
    with RasterWriter(
        path,
        grid=Grid(None, Affine.identity(), (side, side)),
        count=1,
        dtype="uint16",
        overviews=radiometry,
        control_points=ControlPoints(points, CRS.from_epsg(4326)),
        cog=cog,
    ) as writer:
        writer.write(np.full((1, side, side), 7, np.uint16), Window(0, 0, side, side))
    with rasterio.open(path) as dataset:
        found, crs = dataset.gcps
    assert crs == CRS.from_epsg(4326)
    assert [(p.row, p.col, p.x, p.y, p.z) for p in found] == [(p.row, p.col, p.x, p.y, p.z) for p in points]
