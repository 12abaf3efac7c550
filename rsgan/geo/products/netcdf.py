"""NetCDF and Zarr as rasters: bands by variable, one date, and a grid from the coordinates.

GDAL opens such files too, but a variable at a time, and some with the identity transform although they carry x and y.
"""

import shutil
import tempfile
import warnings
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import rioxarray  # noqa: F401 - gives arrays their `rio`
import xarray as xr
from rasterio.crs import CRS

from rsgan.errors import BandError, GridError, InputError
from rsgan.geo.bands import band_named
from rsgan.geo.coordinates import crs_of, grid_of_array, spatial_dims
from rsgan.geo.dataarray import to_raster
from rsgan.geo.packing import FILL_KEYS, first_number
from rsgan.radiometry import DTYPES

_TIMES: Final = frozenset("time timestamp times date dates datetime t".split())
"""Dimensions of dates, as files call them in whatever case; others count when their coordinate is a date."""

_MAPPINGS: Final = ("spatial_ref", "crs", "crs_wkt", "grid_mapping_name")
"""Attributes and names that tell a variable that states a coordinate system. Source: CF conventions 1.11, 5.6; GDAL."""

_NEAREST: Final = 3
"""Dates that a message names when one is not there."""

_UNREADABLE: Final = (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError, NotImplementedError)
"""What xarray and its backends raise on files that are damaged, or are something else than their name says."""


@contextmanager
def netcdf_bands(
    path: str | Path, wanted_names: Sequence[str] | None, date: str | None, dtypes: Sequence[str] = DTYPES
) -> Iterator[tuple[Path, ...]]:
    """Write variables of a NetCDF file or Zarr group as temporary GeoTIFFs.

    Args:
        path: NetCDF file, or folder of a Zarr group.
        wanted_names: Names of variables that alone are taken; None takes all that are rasters.
        date: Date of a file that has several (``--date``): ``2018-05-07``, or a time of that day too where it has
            several acquisitions.
        dtypes: Types of the variables that are taken for rasters.

    Yields:
        GeoTIFFs, one for each grid and type of stored numbers, those of the most bands first; they live as long as
        the ``with`` block. Stored numbers are as in the file, with scale, offset and nodata stated.

    Raises:
        InputError: If the file cannot be read, holds no raster, or the date is missing or not there.
        BandError: If a wanted variable is not there.
        GridError: If the file does not say where its pixels lie.
    """
    folder = Path(tempfile.mkdtemp(prefix="rsgan-"))
    try:
        with _opened(Path(path)) as dataset:
            written = tuple(
                to_raster(group, folder / f"{Path(path).stem}_{number}.tif", name=str(path), dtypes=dtypes)
                for number, group in enumerate(_groups(dataset, wanted_names, date, str(path), dtypes), start=1)
            )
        yield written
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _opened(path: Path) -> Iterator[xr.Dataset]:
    """The file with its stored numbers undecoded and its dates decoded, read when asked for."""
    if not path.exists():
        raise InputError(f"{path} does not exist. Check the spelling; the path counts from {Path.cwd()}.")
    engine = "zarr" if path.is_dir() else None
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Failed to open Zarr store with consolidated", RuntimeWarning)
            dataset = xr.open_dataset(path, engine=engine, mask_and_scale=False, decode_timedelta=False)
    except _UNREADABLE as error:
        raise InputError(
            f"{path} cannot be opened as NetCDF or Zarr: {error}. If it is one, it is damaged or cut short: copy or "
            f"download it again."
        ) from error
    with dataset:
        yield dataset


def _groups(
    dataset: xr.Dataset, wanted: Sequence[str] | None, date: str | None, path: str, dtypes: Sequence[str]
) -> list[xr.Dataset]:
    """Variables that share a grid and a stored type, those of the most named bands first."""
    rasters = _rasters(dataset, wanted, path, dtypes)
    groups: dict[tuple[Any, ...], list[xr.DataArray]] = {}
    for raster in _on_date(rasters, date, path):
        others = [dim for dim in raster.dims if dim not in spatial_dims(raster, path) and raster.sizes[dim] > 1]
        alone = raster.name if others else None
        key = (spatial_dims(raster, path), raster.dtype, first_number(raster.attrs, *FILL_KEYS), alone)
        groups.setdefault(key, []).append(raster)
    ordered = sorted(
        groups.values(), key=lambda group: -sum(band_named(str(raster.name)) is not None for raster in group)
    )
    return [_placed(xr.Dataset({raster.name: raster for raster in group}), dataset, path) for group in ordered]


def _rasters(dataset: xr.Dataset, wanted: Sequence[str] | None, path: str, dtypes: Sequence[str]) -> list[xr.DataArray]:
    """Variables with rows and columns.

    Raises:
        InputError: If there is none.
        BandError: If a wanted one is not among them.
    """
    found = {str(name): dataset[name] for name in dataset.data_vars if _is_raster(dataset[name], dtypes)}
    if not found:
        variables = ", ".join(
            f"{name} {dataset[name].dtype} ({', '.join(map(str, dataset[name].dims))})" for name in dataset.data_vars
        )
        raise InputError(
            f"{path} has no raster: its variables are {variables or 'none'}; expected some with rows and columns "
            f"(y, x) of the types {' '.join(dtypes)}. {_way_in(Path(path))}"
        )
    missing = [name for name in wanted or () if name not in found]
    if missing:
        raise BandError(f"{path} has no {', '.join(missing)}; its rasters are {', '.join(found)}.")
    return [found[name] for name in wanted or found]


def _is_raster(variable: xr.DataArray, dtypes: Sequence[str]) -> bool:
    try:
        dims = spatial_dims(variable, str(variable.name))
    except GridError:
        return False
    return variable.dtype.name in dtypes and all(variable.sizes[dim] > 1 for dim in dims)


def _way_in(path: Path) -> str:
    """What to give instead of a file without rasters: a group of a Zarr hierarchy that has some."""
    if not path.is_dir():
        return "Check how it was written."
    import zarr

    members = zarr.open_group(path, mode="r").members(max_depth=None)
    arrays = [name for name, member in members if isinstance(member, zarr.Array) and member.ndim >= 2]
    groups = sorted({name.rpartition("/")[0] for name in arrays} - {""})
    if not groups:
        return "Check how it was written."
    return f"Give one of its groups {', '.join(groups)}, as in {path}/{groups[0]}."


def _on_date(rasters: Sequence[xr.DataArray], date: str | None, path: str) -> list[xr.DataArray]:
    """The rasters of one date.

    Raises:
        InputError: If a date is needed, or is not there, or is not one of several.
    """
    dims = {dim for raster in rasters for dim in raster.dims if _is_time(raster, dim)}
    if date is not None and not dims:
        raise InputError(f"{path} has no dates, but --date {date} asks for one. Leave it out.")
    for dim in dims:
        times = next(_words_of(raster, dim) for raster in rasters if dim in raster.dims)
        index = _chosen(times, date, path)
        rasters = [raster.isel({dim: index}) if dim in raster.dims else raster for raster in rasters]
    return list(rasters)


def _is_time(raster: xr.DataArray, dim: Hashable) -> bool:
    dated = dim in raster.coords and raster[dim].dtype.kind == "M"
    return dated or (str(dim).casefold() in _TIMES and raster.sizes[dim] >= 1)


def _words_of(raster: xr.DataArray, dim: Hashable) -> list[str]:
    """Dates of a dimension as text, ISO 8601 where they are dates; numbers from 0 where nothing says which they are."""
    if dim not in raster.coords:
        return [str(number) for number in range(raster.sizes[dim])]
    values = raster[dim].values
    if values.dtype.kind == "M":
        return [str(text) for text in np.datetime_as_string(values, unit="s")]
    return [value.isoformat() if hasattr(value, "isoformat") else str(value) for value in values.tolist()]


def _chosen(times: Sequence[str], date: str | None, path: str) -> int:
    """Position of the one date that is meant; the only one needs no word."""
    if date is None:
        if len(times) == 1:
            return 0
        raise InputError(
            f"{path} holds {len(times)} dates, from {min(times)} to {max(times)}. Choose one with --date, for example "
            f"--date {min(times)[:10]}."
        )
    hits = [index for index, time in enumerate(times) if time.startswith(date.strip().replace(" ", "T"))]
    if not hits:
        near = ", ".join(_nearest(times, date))
        raise InputError(
            f"{path} has no date {date}; the nearest of its {len(times)} are {near}. Give one with --date."
        )
    if len(hits) > 1:
        found = ", ".join(times[index] for index in hits[: 2 * _NEAREST])
        raise InputError(f"{path} has {len(hits)} dates that begin with {date}: {found}. Give one in full with --date.")
    return hits[0]


def _nearest(times: Sequence[str], date: str) -> list[str]:
    """Dates nearest to one, in time where both are dates, else the first."""
    try:
        moment = np.datetime64(date.strip().replace(" ", "T"), "s")
        away = np.abs(np.array(times, dtype="datetime64[s]") - moment)
    except ValueError:
        return list(times[:_NEAREST])
    return sorted(times[index] for index in np.argsort(away, kind="stable")[:_NEAREST])


def _placed(group: xr.Dataset, dataset: xr.Dataset, path: str) -> xr.Dataset:
    """A group of variables with the coordinate system of the file.

    Raises:
        GridError: If nothing says where the pixels lie.
    """
    mapping = _mapping(group, dataset)
    bare = group.drop_vars([name for name in group.coords if name == mapping])
    if mapping is not None:
        bare = bare.assign_coords(spatial_ref=xr.DataArray(0, attrs=dict(dataset[mapping].attrs)))
        bare = bare.rio.write_grid_mapping("spatial_ref")
    stating = (bare, _only_attributes(group), _only_attributes(dataset))
    crs = next((crs for crs in (crs_of(part) for part in stating) if crs is not None), None)
    placed = bare if crs is None else _with_crs(bare, crs)
    if not grid_of_array(placed, path).has_transform:
        raise GridError(
            f"{path} does not say where its pixels lie: it has no coordinates along "
            f"{' and '.join(map(str, spatial_dims(placed, path)))}; expected the centres of the pixels. Add them, or "
            f"convert it to a georeferenced GeoTIFF."
        )
    return placed


def _mapping(group: xr.Dataset, dataset: xr.Dataset) -> Hashable | None:
    """The variable that states the coordinate system: that which the rasters name, or one that looks like it."""
    for raster in group.data_vars.values():
        for stated in (raster.encoding, raster.attrs, dataset.attrs):
            name = str(stated.get("grid_mapping", "")).partition(":")[0].strip()
            if name in dataset.variables:
                return name
    scalars = [name for name in dataset.variables if dataset[name].ndim == 0]
    return next((name for name in scalars if name in _MAPPINGS or set(_MAPPINGS) & set(dataset[name].attrs)), None)


def _only_attributes(dataset: xr.Dataset) -> xr.DataArray:
    """The attributes of a file and its first raster, without a grid mapping that says nothing."""
    first: Mapping[Any, Any] = next(iter(dataset.data_vars.values())).attrs if dataset.data_vars else {}
    return xr.DataArray(0, attrs={**dataset.attrs, **first})


def _with_crs(dataset: xr.Dataset, crs: CRS) -> xr.Dataset:
    """The dataset with a grid mapping of this coordinate system; the transform that one states is kept."""
    stated = dataset.coords["spatial_ref"].attrs.get("GeoTransform") if "spatial_ref" in dataset.coords else None
    placed: xr.Dataset = dataset.rio.write_crs(crs, grid_mapping_name="spatial_ref")
    if stated is not None:
        placed.coords["spatial_ref"].attrs["GeoTransform"] = stated
    return placed
