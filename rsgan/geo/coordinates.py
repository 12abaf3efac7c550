"""Where the pixels of a labelled array (xarray) lie: its spatial dimensions, coordinate system and regular grid."""

import contextlib
import warnings
from collections.abc import Hashable, Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyproj.exceptions
import rioxarray  # noqa: F401 - gives arrays their `rio`
import xarray as xr
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rioxarray.exceptions import RioXarrayError

from rsgan.errors import GridError
from rsgan.geo.grid import Grid

Labelled = xr.DataArray | xr.Dataset
"""What xarray gives and takes."""

_SPATIAL_PAIRS: Final = (("y", "x"), ("latitude", "longitude"), ("lat", "lon"), ("northing", "easting"))
"""Dimensions of rows and columns, as files call them in whatever case."""

_CRS_ATTRIBUTES: Final = ("crs_wkt", "spatial_ref", "crs", "proj:code", "epsg", "proj:epsg", "epsg_code", "proj4")
"""Attributes and scalar coordinates that state a coordinate system outside a grid mapping; in falling order of trust.
Source: stackstac 0.5 (``epsg``, ``crs``), STAC projection extension 2.0 (``proj:code``, ``proj:epsg``)."""

_IRREGULAR: Final = 0.01
"""Departure from even spacing, in pixels, that is no rounding any more; that of the coordinates' own type is added."""


def spatial_dims(array: Labelled, name: str) -> tuple[Hashable, Hashable]:
    """The dimensions of rows and columns.

    Args:
        array: What is asked for its dimensions.
        name: What messages call it.

    Raises:
        GridError: If none are recognised.
    """
    with contextlib.suppress(RioXarrayError):
        return array.rio.y_dim, array.rio.x_dim
    found = {str(dim).casefold(): dim for dim in array.dims}
    for rows, columns in _SPATIAL_PAIRS:
        if rows in found and columns in found:
            return found[rows], found[columns]
    raise GridError(
        f"{name} has the dimensions {', '.join(map(str, array.dims)) or 'none'}; expected rows and columns called "
        f"y and x (or latitude and longitude). Rename them, for example with array.rename(row='y', col='x')."
    )


def crs_of(array: Labelled) -> CRS | None:
    """The coordinate system that a labelled array states, in its grid mapping or in attributes; None where nowhere.

    Raises:
        GridError: If a statement cannot be understood.
    """
    try:
        with warnings.catch_warnings(action="ignore", category=FutureWarning):  # pyproj's, on `+init=` of old files
            return next((crs for crs in _stated_crs(array) if crs is not None), None)
    except (CRSError, pyproj.exceptions.CRSError) as error:
        raise GridError(
            f"a coordinate system is stated that cannot be understood: {error}. Correct it, for example with "
            f"array.rio.write_crs('EPSG:32633')."
        ) from error


def _stated_crs(array: Labelled) -> Iterator[CRS | None]:
    yield array.rio.crs
    scalars = {str(key): value.item() for key, value in array.coords.items() if value.size == 1}
    mapping = array.coords.get(array.rio.grid_mapping)
    for stated in ({} if mapping is None else mapping.attrs, array.attrs, scalars):
        for key in _CRS_ATTRIBUTES:
            yield _understood(stated.get(key))


def _understood(stated: Any) -> CRS | None:  # noqa: ANN401 - attributes hold anything
    """A coordinate system from text or an EPSG code, as text too; 0 is what grid mappings hold that mean nothing."""
    text = str(stated).strip().removesuffix(".0")
    if stated is None or text.casefold() in ("", "none", "nan", "0"):
        return None
    return CRS.from_epsg(int(text)) if text.isdigit() else CRS.from_user_input(text)


def grid_of_array(array: Labelled, name: str) -> Grid:
    """Where the pixels of a labelled array lie, from its coordinates; from its grid mapping where it has none.

    Args:
        array: What is asked for its grid.
        name: What messages call it.

    Returns:
        The grid; with the identity transform when nothing says where the pixels lie.

    Raises:
        GridError: If the coordinates are irregular, incomplete, rotated or curvilinear.
    """
    y_dim, x_dim = spatial_dims(array, name)
    crs, shape = crs_of(array), (array.sizes[y_dim], array.sizes[x_dim])
    stated = _stated_transform(array)
    if stated is not None and (stated.b or stated.d):
        raise GridError(
            f"{name} lies on a rotated grid ({', '.join(f'{part:g}' for part in stated[:6])}), which x and y "
            f"coordinates cannot express. Give its file instead, or reproject it, for example with rio.reproject."
        )
    present = [dim for dim in (y_dim, x_dim) if dim in array.coords]
    if not present:
        _refuse_curvilinear(array, {y_dim, x_dim}, name)
        return Grid(crs, stated or Affine.identity(), shape)
    if len(present) == 1:
        raise GridError(f"{name} has coordinates along {present[0]} only; expected both {y_dim} and {x_dim}. Add them.")
    x_step, left = _spacing(array[x_dim], None if stated is None else float(stated.a), name)
    y_step, top = _spacing(array[y_dim], None if stated is None else float(stated.e), name)
    grid = Grid(crs, Affine(x_step, 0.0, left, 0.0, y_step, top), shape)
    exact = None if stated is None else Grid(crs, stated, shape)
    return exact if exact is not None and exact.matches(grid, _IRREGULAR) else grid


def _stated_transform(array: Labelled) -> Affine | None:
    """The transform of the grid mapping; cut-outs keep that of the whole, so that coordinates count more."""
    mapping = array.coords.get(array.rio.grid_mapping)
    text = None if mapping is None else mapping.attrs.get("GeoTransform")
    if text is None:
        return None
    try:
        return Affine.from_gdal(*(float(part) for part in str(text).split()))
    except (TypeError, ValueError):
        return None


def _refuse_curvilinear(array: Labelled, dims: set[Hashable], name: str) -> None:
    for key, coordinate in array.coords.items():
        if set(coordinate.dims) == dims:
            raise GridError(
                f"{name} lies on a curvilinear grid: its coordinate {key} has one value per pixel, expected one per "
                f"column or row. Reproject it onto a regular grid first."
            )


def _spacing(coordinate: xr.DataArray, stated_step: float | None, name: str) -> tuple[float, float]:
    """Step from pixel to pixel along a coordinate of pixel centres, and the outer edge of the first pixel.

    Raises:
        GridError: If the steps differ by more than the rounding of the coordinate's type, or there is none.
    """
    what = f"coordinate {coordinate.name} of {name}"
    if not np.issubdtype(coordinate.dtype, np.number) or np.issubdtype(coordinate.dtype, np.complexfloating):
        raise GridError(f"{what} holds {coordinate.dtype}; expected numbers, the centres of the pixels.")
    centres = coordinate.values.astype(np.float64)
    if centres.size == 0:
        raise GridError(f"{what} is empty: the array has no pixels. Check the slice or the box that it was cut with.")
    if centres.size == 1:
        if not stated_step:
            raise GridError(f"{what} has one value, which gives no pixel size. Give an array of at least 2 x 2 pixels.")
        return stated_step, float(centres[0]) - stated_step / 2
    step = float(centres[-1] - centres[0]) / (centres.size - 1)
    if not np.isfinite(centres).all() or step == 0.0:
        raise GridError(f"{what} runs from {centres[0]:g} to {centres[-1]:g}; expected finite, even steps.")
    _refuse_irregular(centres, step, _rounding(coordinate), what)
    return step, float(centres[0]) - step / 2


def _rounding(coordinate: xr.DataArray) -> float:
    """How far a number of this type may lie from what it stands for."""
    if not np.issubdtype(coordinate.dtype, np.floating):
        return 0.5
    return float(np.spacing(np.abs(coordinate.values).max()))


def _refuse_irregular(centres: npt.NDArray[np.float64], step: float, rounding: float, what: str) -> None:
    departures = np.abs(centres - (centres[0] + step * np.arange(centres.size)))
    worst = int(departures.argmax())
    allowed = min(_IRREGULAR * abs(step) + rounding, 0.25 * abs(step))
    if departures[worst] > allowed:
        raise GridError(
            f"{what} is irregular: value {worst} is {centres[worst]:.10g}, {departures[worst]:.4g} "
            f"({departures[worst] / abs(step):.2g} pixels) off the even spacing of {abs(step):.6g}. Resample onto a "
            f"regular grid first, for example with array.interp."
        )
