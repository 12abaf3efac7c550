"""Labelled arrays (xarray) seen as bands on a grid: what is called what, and what its numbers mean."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import xarray as xr

from rsgan.errors import InputError
from rsgan.geo.bands import band_named
from rsgan.geo.coordinates import Labelled, grid_of_array, spatial_dims
from rsgan.geo.grid import Grid
from rsgan.geo.packing import Packing, nodata_in_memory, of_bands, packing_of, per_band

BAND: Final = "band"
"""Usual dimension of bands."""


@dataclass(frozen=True)
class Variable:
    """One variable of a labelled array.

    Attributes:
        array: As it was given.
        planes: The same with dimensions (band, rows, columns) or (rows, columns) only, in this order.
        band_dim: The dimension of the bands; None where the variable is one band.
        labels: Labels of the bands where they are whole numbers; None where they are not, or there are none.
        names: What each band is called; None where nothing.
        scales: Physical value of one unit in memory, of each band, as attributes state it.
        offsets: Physical value of the number 0 in memory, of each band, as attributes state it.
        packing: The integers that the values were decoded from; None where they were not.
    """

    array: xr.DataArray
    planes: xr.DataArray
    band_dim: Hashable | None
    labels: tuple[int, ...] | None
    names: tuple[str | None, ...]
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    packing: Packing | None

    @property
    def stored_as(self) -> tuple[str, str]:
        """Type and nodata of the numbers that a raster would hold, in words."""
        if self.packing is not None:
            return self.packing.dtype, str(self.packing.nodata)
        return self.array.dtype.name, str(nodata_in_memory(self.array))


@dataclass(frozen=True)
class View:
    """A labelled array as bands on a grid.

    Attributes:
        name: What messages call it.
        dims: Dimensions of rows and columns.
        grid: Where the pixels lie.
        variables: Those that hold bands: one for a DataArray.
        attrs: Attributes of the whole.
    """

    name: str
    dims: tuple[Hashable, Hashable]
    grid: Grid
    variables: tuple[Variable, ...]
    attrs: dict[Hashable, Any]

    @property
    def names(self) -> tuple[str | None, ...]:
        """What the bands are called, variable by variable."""
        return tuple(name for variable in self.variables for name in variable.names)

    @property
    def is_chunked(self) -> bool:
        """Whether the values are computed chunk by chunk when they are asked for (dask)."""
        return any(variable.array.chunks is not None for variable in self.variables)


def describe(array: Labelled) -> str:
    """What messages call a labelled array."""
    if isinstance(array, xr.Dataset):
        return f"Dataset ({', '.join(str(name) for name in array.data_vars)})"
    return "DataArray" if array.name is None else f"DataArray {str(array.name)!r}"


def view_of(array: Labelled, name: str | None = None) -> View:
    """See a labelled array as bands on a grid.

    Args:
        array: DataArray of rows and columns with at most one dimension of bands, or Dataset of such variables; further
            dimensions have length 1.
        name: What messages call it.

    Raises:
        GridError: If the coordinates are irregular, rotated or curvilinear.
        InputError: If there are more dimensions, or the variables do not fit one raster.
    """
    name = name or describe(array)
    dims = spatial_dims(array, name)
    grid = grid_of_array(array, name)
    if isinstance(array, xr.DataArray):
        return View(name, dims, grid, (_variable(array, dims, name),), dict(array.attrs))
    rasters = [array[key] for key in array.data_vars if set(dims) <= set(array[key].dims)]
    if not rasters:
        raise InputError(
            f"{name} has no variable of rows and columns ({dims[0]}, {dims[1]}); expected at least one. Give the "
            f"variables that hold the bands."
        )
    variables = [_variable(raster, dims, f"variable {raster.name} of {name}") for raster in rasters]
    return View(name, dims, grid, _alike(variables, name), dict(array.attrs))


def _alike(variables: Sequence[Variable], name: str) -> tuple[Variable, ...]:
    """Variables that one raster can hold: all, or else those that are called as bands are.

    Raises:
        InputError: If these differ in type or nodata.
    """
    named = [variable for variable in variables if any(band_named(text) for text in variable.names)]
    for chosen in (variables, named):
        if chosen and len({variable.stored_as for variable in chosen}) == 1:
            return tuple(chosen)
    kinds = ", ".join(f"{v.array.name} {v.stored_as[0]} (nodata {v.stored_as[1]})" for v in variables)
    raise InputError(
        f"{name} has variables of different types or nodata: {kinds}. Choose some of one type, for example with "
        f"dataset[['B02', 'B03', 'B04', 'B08']]."
    )


def _variable(array: xr.DataArray, dims: tuple[Hashable, Hashable], name: str) -> Variable:
    """One variable with its bands.

    Raises:
        InputError: If it has more dimensions than one raster.
    """
    others = [dim for dim in array.dims if dim not in dims and array.sizes[dim] > 1]
    if len(others) > 1 or any(_is_time(array, dim) for dim in others):
        first = next((dim for dim in others if _is_time(array, dim)), others[0])
        listed = ", ".join(f"{dim} ({array.sizes[dim]})" for dim in array.dims)
        raise InputError(
            f"{name} has the dimensions {listed}; expected rows, columns and at most one dimension of bands. Choose "
            f"along the others first, for example with array.isel({first}=0)."
        )
    kept = others or [dim for dim in array.dims if dim == BAND]
    planes = array.squeeze([dim for dim in array.dims if dim not in dims and dim not in kept])
    band_dim = kept[0] if kept else None
    count = 1 if band_dim is None else array.sizes[band_dim]
    labels = _labels(planes, band_dim)
    return Variable(
        array,
        planes.transpose(*kept, *dims),
        band_dim,
        labels,
        _band_names(planes, band_dim, labels, count),
        per_band(array.attrs, ("scale_factor", "scales"), labels, count, 1.0),
        per_band(array.attrs, ("add_offset", "offsets"), labels, count, 0.0),
        packing_of(array),
    )


def _is_time(array: xr.DataArray, dim: Hashable) -> bool:
    return dim in array.coords and array[dim].dtype.kind == "M"


def _labels(planes: xr.DataArray, band_dim: Hashable | None) -> tuple[int, ...] | None:
    """Labels of the bands, or that of the only one, where they are whole numbers."""
    own = planes.coords.get(BAND if band_dim is None else band_dim)
    return None if own is None or own.dtype.kind not in "iu" else tuple(int(label) for label in np.ravel(own.values))


def _band_names(
    planes: xr.DataArray, band_dim: Hashable | None, numbers: tuple[int, ...] | None, count: int
) -> tuple[str | None, ...]:
    """What bands are called: by the labels of their dimension, by `long_name` or the array's name, by other labels.

    The first of these that names a band of the catalogue, else the first that has words, else numbers.
    """
    labels = [planes.coords[BAND]] if band_dim is None and BAND in planes.coords else []
    labels += [entry for entry in planes.coords.values() if band_dim is not None and entry.dims == (band_dim,)]
    own, others = ([c for c in labels if (c.name in (BAND, band_dim)) is first] for first in (True, False))
    stated = [text for text in (planes.attrs.get("long_name"), planes.name) if text is not None]
    in_words = (of_bands(_texts(text), numbers, count) for text in stated)
    worded = [*_worded(own), *(texts for texts in in_words if texts is not None), *_worded(others)]
    candidates = [texts for texts in (*worded, *(_texts(label.values) for label in labels)) if len(texts) == count]
    known = [texts for texts in candidates if any(band_named(text) for text in texts)]
    default = (None,) if count == 1 else tuple(str(number) for number in range(1, count + 1))
    return next(iter((*known, *candidates)), default)


def _worded(labels: Sequence[xr.DataArray]) -> list[tuple[str, ...]]:
    """Labels that are no numbers."""
    return [_texts(label.values) for label in labels if label.dtype.kind not in "iuf"]


def _texts(labels: Any) -> tuple[str, ...]:  # noqa: ANN401 - attributes and coordinates hold anything
    return tuple(str(label) for label in np.ravel(labels))
