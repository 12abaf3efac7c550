"""What all tests share: one torch thread, rasters made by another hand, and markers that skip what cannot run here."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine
from hypothesis import settings
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning

NORTH_UP = Affine(10, 0, 500000, 0, -10, 5000000)

settings.register_profile("untimed", deadline=None)  # how long an example takes says nothing about what is right
settings.load_profile("untimed")
torch.set_warn_always(True)  # a warning given once per process would fail whichever test happens to come first


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--real-data", type=Path, default=None, metavar="DIR", help="folder of real rasters")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    missing = {}
    if config.getoption("--real-data") is None:
        missing["realdata"] = "needs --real-data=DIR"
    if not torch.cuda.is_available():
        missing["gpu"] = "needs a CUDA device"
    for item in items:
        for marker, reason in missing.items():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def real_data(request: pytest.FixtureRequest) -> Path:
    """The folder given with --real-data."""
    folder = request.config.getoption("--real-data")
    if folder is None:
        pytest.skip("needs --real-data=DIR")
    return folder


@pytest.fixture
def rng() -> torch.Generator:
    """A seeded source of torch's random numbers."""
    return torch.Generator().manual_seed(17)


def write_raster(
    path: Path,
    values: np.ndarray,
    *,
    descriptions: Sequence[str | None] = (),
    colorinterp: Sequence[ColorInterp] = (),
    mask: np.ndarray | None = None,
    scales: Sequence[float] = (),
    offsets: Sequence[float] = (),
    units: Sequence[str] = (),
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
        for index, description in enumerate(descriptions, start=1):
            if description:
                dataset.set_band_description(index, description)
        for name, given_values in (("colorinterp", colorinterp), ("scales", scales), ("offsets", offsets)):
            if given_values:
                setattr(dataset, name, given_values)
        if units:
            dataset.units = units
        dataset.update_tags(**(tags or {}))
        dataset.write(values)
        if mask is not None:
            dataset.write_mask(mask)
    return path


@pytest.fixture
def make_raster(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes `values` (C, H, W) to a file of the given name under the test's folder."""

    def make(name: str, values: np.ndarray, **options: Any) -> Path:
        return write_raster(tmp_path / name, values, **options)

    return make


@pytest.fixture(scope="session")
def draw_numbers() -> Callable[[dict[str, Any]], np.ndarray]:
    """A function that draws (4, H, W) stored numbers over the range of a type, with nodata or NaN sprinkled in."""

    def draw(raster: dict[str, Any]) -> np.ndarray:
        rng = np.random.default_rng(raster["seed"])
        size = (4, *raster["shape"])
        if raster["dtype"] == "float32":
            values = rng.normal(0.2, 0.5, size).astype(np.float32)
        else:
            limits = np.iinfo(raster["dtype"])
            values = rng.integers(limits.min, limits.max, size, endpoint=True).astype(raster["dtype"])
        empty = np.nan if raster["dtype"] == "float32" and raster["nodata"] is None else raster["nodata"]
        if empty is not None:
            share = np.reshape(raster["invalid_share"], (-1, 1, 1))  # one for all bands, or each band its own
            values[rng.random(size) < share] = empty
        return values

    return draw
