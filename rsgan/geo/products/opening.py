"""Opening a source by what it is: a raster that GDAL opens as it is, or variables of a NetCDF file or Zarr group."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from rsgan.errors import InputError
from rsgan.geo.files import open_raster
from rsgan.radiometry import DTYPES

_SUFFIXES: Final = frozenset((".nc", ".nc4", ".cdf", ".netcdf", ".zarr"))
_ZARR_FILES: Final = ("zarr.json", ".zgroup", ".zmetadata")
"""Files that make a folder a Zarr group. Source: Zarr specification, versions 3 and 2."""


def is_netcdf(path: str | Path) -> bool:
    """Whether a path is a NetCDF file by its name, or a Zarr group by its name or content.

    >>> is_netcdf("series.nc"), is_netcdf("scene.tif"), is_netcdf('NETCDF:"series.nc":B04')
    (True, False, False)
    """
    place = Path(path)
    if place.suffix.casefold() in _SUFFIXES:
        return True
    return place.is_dir() and any((place / name).exists() for name in _ZARR_FILES)


def refuse_idle_date(paths: Sequence[str], date: str | None) -> None:
    """Refuse a date that could choose nothing.

    Raises:
        InputError: If no path can hold several dates.
    """
    if date is not None and not any(is_netcdf(path) for path in paths):
        raise InputError(
            f"--date {date} chooses among the dates of a NetCDF file or Zarr group, but {paths[0]} is neither. Leave "
            f"it out."
        )


@contextmanager
def open_rasters(path: str, date: str | None, dtypes: Sequence[str] = DTYPES) -> Iterator[list[tuple[str, Any]]]:
    """Open one source for reading.

    Args:
        path: What GDAL opens, a NetCDF file or a Zarr group.
        date: Which of several dates (``--date``).
        dtypes: Types of the variables that are taken for rasters.

    Yields:
        (name for messages, open `rasterio.DatasetReader`), more than one where variables differ in grid or type.

    Raises:
        InputError: If it cannot be opened, or the date is missing or not there.
        GridError: If a NetCDF file does not say where its pixels lie.
    """
    with ExitStack() as opening:
        if not is_netcdf(path):
            yield [(path, opening.enter_context(open_raster(path)))]
            return
        from rsgan.geo.products.netcdf import netcdf_bands  # xarray takes half a second that other files need not pay

        written = opening.enter_context(netcdf_bands(path, None, date, dtypes))
        datasets = [opening.enter_context(open_raster(str(raster))) for raster in written]
        first, *others = datasets
        yield [(path, first), *((f"{path}:{','.join(map(str, other.descriptions))}", other) for other in others)]
