"""Labelled arrays (xarray) as rasters, and rasters as labelled arrays like those that they came from."""

import uuid
import weakref
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import xarray as xr
from affine import Affine
from rasterio.windows import Window

from rsgan.geo.coordinates import Labelled
from rsgan.geo.files import grid_of, holds, open_raster
from rsgan.geo.grid import Grid
from rsgan.geo.labelled import BAND, Variable, View, view_of
from rsgan.geo.packing import FILL_KEYS, NotPackableError, Packing, check_dtype, nodata_in_memory
from rsgan.geo.writer import RasterWriter
from rsgan.radiometry import DTYPES

_SPAN_PX: Final = 1024
"""Smallest side of the windows in which arrays are read and written; chunks of an array are not cut."""

_LAYOUT: Final = frozenset(
    "source original_shape chunksizes preferred_chunks contiguous chunks shards rasterio_dtype".split()
)
"""Entries of an encoding that say how the pixels of the input lay in its file, which those of a result do not."""

_NOT_TAGS: Final = frozenset(
    "scale_factor add_offset scales offsets _FillValue missing_value fill_value nodata nodatavals long_name units "
    "AREA_OR_POINT grid_mapping coordinates crs transform res resolution".split()
)
"""Attributes that a raster states in other ways than as tags."""

_PER_BAND: Final = ("long_name", "scales", "offsets", "nodatavals", "descriptions")
"""Attributes that may have one entry per band. Source: rioxarray 0.19."""


@dataclass(frozen=True)
class _Storage:
    """How a raster holds the numbers of an array; one packing per variable, None for numbers as they are in memory."""

    dtype: str
    nodata: float | None
    packings: tuple[Packing | None, ...]


def to_raster(array: Labelled, path: str | Path, *, name: str | None = None, dtypes: Sequence[str] = DTYPES) -> Path:
    """Write a labelled array as a GeoTIFF, window by window.

    Args:
        array: DataArray of rows and columns, in any order, with at most one dimension of bands; or Dataset of such
            variables. Further dimensions of length 1 are dropped. Values that xarray decoded from integers are stored
            as these integers, unless they were changed since; others as they are.
        path: The GeoTIFF.
        name: What messages call the array.
        dtypes: Types of numbers that are taken.

    Returns:
        `path`. The file states crs, transform, names of bands, scale, offset and nodata as far as the array does.

    Raises:
        GridError: If the coordinates are irregular, rotated or curvilinear.
        InputError: If the array has more dimensions, or a type that a raster cannot keep.
        OutputError: If the file cannot be written.
    """
    view = view_of(array, name)
    packed = _packed(view)
    if packed is not None:
        try:
            return _write(view, packed, Path(path))
        except NotPackableError:
            return _write(view, _plain(view, dtypes), Path(path))
    return _write(view, _plain(view, dtypes), Path(path))


def _packed(view: View) -> _Storage | None:
    """The integers that all variables were decoded from; None where they were not."""
    packings = tuple(variable.packing for variable in view.variables)
    first = packings[0]
    return None if first is None else _Storage(first.dtype, first.nodata, packings)


def _plain(view: View, dtypes: Sequence[str]) -> _Storage:
    """The numbers as they are in memory."""
    arrays = [variable.array for variable in view.variables]
    dtype = np.result_type(*(np.float32 if array.dtype == np.float16 else array.dtype for array in arrays))
    check_dtype(dtype, view.name, dtypes)
    nodata = nodata_in_memory(arrays[0])
    held = nodata if nodata is not None and holds(dtype.name, nodata) else None
    return _Storage(dtype.name, held, (None,) * len(arrays))


def _write(view: View, storage: _Storage, path: Path) -> Path:
    scales, offsets = _physical(view, storage)
    with RasterWriter(
        path,
        grid=view.grid,
        count=len(view.names),
        dtype=storage.dtype,
        nodata=storage.nodata,
        descriptions=view.names,
        scales=scales,
        offsets=offsets,
        units=[_unit(variable) for variable in view.variables for _ in variable.names],
        tags=_tags(view),
        overwrite=True,
        cog=False,
    ) as writer:
        for window in _windows(view):
            writer.write(_read(view, storage, window), window)
    return path


def _physical(view: View, storage: _Storage) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Scale and offset from stored number to physical value, of each band: packing first, then attributes."""
    scales: list[float] = []
    offsets: list[float] = []
    for variable, packing in zip(view.variables, storage.packings, strict=True):
        unit, zero = (1.0, 0.0) if packing is None else (packing.scale, packing.offset)
        scales += [unit * scale for scale in variable.scales]
        offsets += [zero * scale + offset for scale, offset in zip(variable.scales, variable.offsets, strict=True)]
    return tuple(scales), tuple(offsets)


def _unit(variable: Variable) -> str | None:
    """Unit of a variable, where its attributes state one for all of its bands."""
    unit = variable.array.attrs.get("units")
    return unit if isinstance(unit, str) else None


def _tags(view: View) -> dict[str, str]:
    """Attributes that are text or one number."""
    own = view.variables[0].array.attrs if len(view.variables) == 1 else {}
    plain = (str, int, float, np.number)
    stated = {**view.attrs, **own}.items()
    return {str(key): str(value) for key, value in stated if key not in _NOT_TAGS and isinstance(value, plain)}


def _windows(view: View) -> Iterator[Window]:
    """Windows that cut no chunk of a chunked array, so that nothing is computed twice."""
    chunks = view.variables[0].planes.chunksizes
    rows, columns = (_spans(chunks.get(dim), size) for dim, size in zip(view.dims, view.grid.shape, strict=True))
    return (Window.from_slices(down, along) for down in rows for along in columns)


def _spans(chunks: Sequence[int] | None, size: int) -> list[tuple[int, int]]:
    """Consecutive (start, stop), no shorter than `_SPAN_PX` but for the last, along chunks."""
    stops = range(_SPAN_PX, size, _SPAN_PX) if chunks is None else np.cumsum(chunks)
    spans, start = [], 0
    for stop in map(int, stops):
        if stop - start >= _SPAN_PX:
            spans.append((start, stop))
            start = stop
    return spans if start == size else [*spans, (start, size)]


def _read(view: View, storage: _Storage, window: Window) -> npt.NDArray[Any]:
    """(C, H, W) stored numbers of a window."""
    part = dict(zip(view.dims, window.toslices(), strict=True))
    stored = []
    for variable, packing in zip(view.variables, storage.packings, strict=True):
        values = np.asarray(variable.planes.isel(part).values)
        values = values if values.ndim == 3 else values[np.newaxis]
        stored.append(values.astype(storage.dtype, copy=False) if packing is None else packing.pack(values))
    return np.concatenate(stored)


def from_raster(
    path: str | Path,
    like: Labelled,
    *,
    end: Callable[[], object] | None = None,
    pixels: Callable[[Window], npt.NDArray[Any]] | None = None,
) -> Labelled:
    """Read a raster as a labelled array like another one, of the same place on whatever grid.

    Args:
        path: The raster, whose bands have the names of those of `like`, or others.
        like: What gives kind, order of dimensions, attributes, encoding, further coordinates, type in memory, and
            whether pixels are read now, or chunk by chunk when they are asked for (dask).
        end: Called when nothing will read from the raster any more.
        pixels: Gives all bands of a window, where the raster itself holds none; then `like` is chunked.

    Returns:
        An array of the kind of `like`, with coordinates at the centres of the pixels. Its attributes also say what
        rsgan says in the file's tags.

    Raises:
        InputError: If the file cannot be read.
    """
    view = view_of(like)
    raster = replace(_Raster.open(str(path)), pixels=pixels)
    if end is not None:
        weakref.finalize(raster, end)
    if isinstance(like, xr.DataArray):
        only = view.variables[0]
        result: Labelled = _array_like(raster, view, only, raster.places(only))
    else:
        result = _dataset_like(raster, view, like)
    result.attrs.update(raster.tags)
    return result


def likest(path: str | Path, arrays: Sequence[Labelled]) -> Labelled:
    """The array that has the most of the bands of a raster, by name; the first of several."""
    names = set(_Raster.open(str(path)).names)
    return max(arrays, key=lambda array: len(names.intersection(view_of(array).names)))


_Places = Sequence[tuple[int, int | None]]
"""Bands of a raster (1-based), each with the band of a variable that it is (0-based); None for none."""


@dataclass(frozen=True, eq=False)
class _Raster:
    """A raster that is read as a labelled array.

    Attributes:
        path: The file.
        grid: Where its pixels lie.
        names: What its bands are called.
        dtype: Type of its numbers.
        tags: What rsgan says in it.
        pixels: Gives all bands of a window, where the file holds none.
    """

    path: str
    grid: Grid
    names: tuple[str | None, ...]
    dtype: np.dtype[Any]
    tags: dict[str, str] = field(repr=False)
    pixels: Callable[[Window], npt.NDArray[Any]] | None = field(default=None, repr=False)

    def read(self, indexes: Sequence[int], window: Window) -> npt.NDArray[Any]:
        """Stored numbers of some bands (1-based)."""
        if self.pixels is not None:
            return self.pixels(window)[[index - 1 for index in indexes]]
        with open_raster(self.path) as dataset:
            values: npt.NDArray[Any] = dataset.read(list(indexes), window=window)
            return values

    @classmethod
    def open(cls, path: str) -> "_Raster":
        with open_raster(path) as dataset:
            tags = {key: value for key, value in dataset.tags().items() if key.startswith("RSGAN_")}
            return cls(path, grid_of(dataset), tuple(dataset.descriptions), np.dtype(dataset.dtypes[0]), tags)

    def places(self, variable: Variable) -> _Places:
        """Where each band has its place in a variable: by name, or where neither has one of them, by being the only."""
        if variable.names == (None,) and len(self.names) == 1:
            return [(1, 0)]
        known = {name: place for place, name in enumerate(variable.names)}
        return [(index, known.get(name)) for index, name in enumerate(self.names, start=1)]


@dataclass(frozen=True, eq=False)
class _Values:
    """Bands of a raster as (C, H, W) values in memory."""

    raster: _Raster
    indexes: tuple[int, ...]
    dtype: np.dtype[Any]
    packing: Packing | None

    @classmethod
    def like(cls, raster: _Raster, indexes: Sequence[int], variable: Variable) -> "_Values":
        """In the type of a variable, and as it was decoded, where the raster's numbers can be."""
        dtype = variable.array.dtype
        packed = variable.packing is not None and np.issubdtype(raster.dtype, np.integer)
        alike = np.can_cast(raster.dtype, dtype, "same_kind") and dtype.kind != "c"  # intensity stays real
        packing = variable.packing if packed else None
        return cls(raster, tuple(indexes), dtype if packed or alike else raster.dtype, packing)

    @property
    def shape(self) -> tuple[int, int, int]:
        return len(self.indexes), *self.raster.grid.shape

    def read(self, bands: slice, rows: slice, columns: slice) -> npt.NDArray[Any]:
        window = Window.from_slices((rows.start, rows.stop), (columns.start, columns.stop))
        numbers = self.raster.read(self.indexes[bands], window)
        return (
            numbers.astype(self.dtype, copy=False) if self.packing is None else self.packing.unpack(numbers, self.dtype)
        )

    def now(self) -> npt.NDArray[Any]:
        """All values."""
        values = np.empty(self.shape, self.dtype)
        for start, stop in _spans(None, self.shape[1]):
            values[:, start:stop] = self.read(slice(None), slice(start, stop), slice(0, self.shape[2]))
        return values

    def later(self, chunks: tuple[int, ...]) -> Any:  # noqa: ANN401 - dask is no dependency
        """A dask array that reads chunk by chunk when it is computed."""
        import dask.array

        sizes = dask.array.core.normalize_chunks(chunks, self.shape, dtype=self.dtype)
        empty, name = np.empty((0, 0, 0), self.dtype), f"rsgan-{uuid.uuid4().hex}"
        return dask.array.map_blocks(self._chunk, chunks=sizes, dtype=self.dtype, meta=empty, name=name)

    def _chunk(self, block_info: Mapping[Any, Any]) -> npt.NDArray[Any]:
        return self.read(*(slice(start, stop) for start, stop in block_info[None]["array-location"]))


def _array_like(raster: _Raster, view: View, variable: Variable, places: _Places) -> xr.DataArray:
    """Bands of a raster as a variable like another one, with dimensions, coordinates and attributes."""
    source = variable.array
    values = _Values.like(raster, [index for index, _ in places], variable)
    band_dim = BAND if variable.band_dim is None else variable.band_dim
    dims = (band_dim, *view.dims)
    chunks = variable.planes.chunksizes
    sizes = _chunks(chunks, dims) if chunks else ()
    if sizes and raster.pixels is not None:
        sizes = (len(values.indexes), *sizes[1:])  # a window is computed with all its bands
    array = xr.DataArray(values.later(sizes) if sizes else values.now(), dims=dims)
    array.name = source.name  # dask has a name of its own, which xarray would take for None
    array = array.assign_coords(_band_coordinates(raster, variable, places))
    if variable.band_dim is None and len(places) == 1:
        array = array.squeeze(band_dim, drop=True)
    single = [dim for dim in source.dims if dim not in (*view.dims, variable.band_dim)]
    array = array.expand_dims(single)
    kept = {key: entry for key, entry in source.coords.items() if set(entry.dims) <= set(single)}
    array = array.assign_coords({key: entry for key, entry in kept.items() if key != band_dim or key in single})
    array = array.assign_coords(_centres(raster.grid, view, source))
    array = array.transpose(*(dim for dim in array.dims if dim not in source.dims), *source.dims)
    array.encoding = {key: entry for key, entry in source.encoding.items() if key not in _LAYOUT}
    array = _georeferenced(array, raster.grid, view.grid, source)
    array.attrs = _attributes(raster, view, variable, places)
    return array


def _chunks(chunks: Mapping[Any, Sequence[int]], dims: Sequence[Hashable]) -> tuple[int, int, int]:
    """Chunks as large, in pixels, as the largest of the input."""
    bands, rows, columns = (max(chunks.get(dim, (1,))) for dim in dims)
    return bands, rows, columns


def _band_coordinates(raster: _Raster, variable: Variable, places: _Places) -> dict[Hashable, Any]:
    """What is known along the bands: all that the variable says of them, or where one is new, their names alone."""
    known = [place for _, place in places if place is not None]
    if variable.band_dim is not None and len(known) == len(places):
        coords = variable.planes.isel({variable.band_dim: known}).coords
        return {key: entry for key, entry in coords.items() if entry.dims == (variable.band_dim,)}
    names = [raster.names[index - 1] or str(index) for index, _ in places]
    return {BAND if variable.band_dim is None else variable.band_dim: names}


def _centres(grid: Grid, view: View, source: xr.DataArray) -> dict[Hashable, Any]:
    """Coordinates of the centres of the pixels, where the array had such."""
    t = grid.transform
    axes = ((view.dims[0], t.f, t.e, grid.height), (view.dims[1], t.c, t.a, grid.width))
    return {
        dim: (dim, edge + (np.arange(size) + 0.5) * step, source[dim].attrs)
        for dim, edge, step, size in axes
        if dim in source.coords
    }


def _georeferenced(array: xr.DataArray, grid: Grid, old: Grid, source: xr.DataArray) -> xr.DataArray:
    """With a grid mapping of the crs of the array that was given, and the transform of the new grid."""
    mapping = source.rio.grid_mapping
    if old.crs is not None:
        array = array.rio.write_crs(old.crs, grid_mapping_name=mapping)
    if grid.has_transform and mapping in array.coords:
        array = array.rio.write_transform(grid.transform, grid_mapping_name=mapping)
    return array


def _attributes(raster: _Raster, view: View, variable: Variable, places: _Places) -> dict[Hashable, Any]:
    """Attributes as they were, those of single bands and of the pixel size as they are now."""
    attrs = {key: entry for key, entry in variable.array.attrs.items() if key != "grid_mapping"}
    known = [place for _, place in places if place is not None]
    for key in _PER_BAND:
        if not isinstance(attrs.get(key), tuple | list):
            continue
        if len(known) < len(places):
            del attrs[key]
        elif variable.labels is None and len(attrs[key]) == len(variable.names):
            attrs[key] = tuple(attrs[key][place] for place in known)  # labels that are numbers still say which is whose
    return _restated(attrs, view.grid, raster.grid)


def _restated(attrs: dict[Hashable, Any], old: Grid, new: Grid) -> dict[Hashable, Any]:
    """Attributes with the transform and pixel size of another grid where they state those of the old one.

    Source: stackstac 0.5 and xarray's former ``open_rasterio`` (``transform``, ``res``, ``resolution``).
    """
    restated = dict(attrs)
    for key in ("res", "resolution"):
        if np.allclose(_numbers(attrs.get(key)), old.gsd[0]) and np.isclose(*old.gsd):
            restated[key] = type(attrs[key])(new.gsd) if np.ndim(attrs[key]) else new.gsd[0]
    stated = _numbers(attrs.get("transform"))
    if len(stated) in (6, 9) and np.allclose(stated[:6], old.transform[:6]):
        whole = new.transform if isinstance(attrs["transform"], Affine) else tuple(new.transform)[: len(stated)]
        restated["transform"] = whole
    return restated


def _numbers(stated: Any) -> npt.NDArray[np.float64]:  # noqa: ANN401 - attributes hold anything
    """An attribute as numbers; NaN where it is none."""
    try:
        return np.ravel(np.asarray(stated, dtype=np.float64))
    except (TypeError, ValueError):
        return np.array([np.nan])


def _dataset_like(raster: _Raster, view: View, like: xr.Dataset) -> xr.Dataset:
    """Each band in the variable that it came from; bands that came from none as variables of their own."""
    arrays: dict[Hashable, xr.DataArray] = {}
    taken: set[int] = set()
    for variable in view.variables:
        places = [(index, place) for index, place in raster.places(variable) if place is not None]
        if places:
            arrays[variable.array.name] = _array_like(raster, view, variable, places)
            taken.update(index for index, _ in places)
    for index, name in enumerate(raster.names, start=1):
        if index not in taken:
            bare = _bare(view.variables[0], name)
            arrays[name or f"band_{index}"] = _array_like(raster, view, bare, [(index, None)])
    result = xr.Dataset(arrays, attrs=_restated(view.attrs, view.grid, raster.grid))
    result.encoding = {key: entry for key, entry in like.encoding.items() if key not in _LAYOUT}
    return result


def _bare(variable: Variable, name: str | None) -> Variable:
    """A variable of one band that says no more than what its numbers mean."""
    cut = {} if variable.band_dim is None else {variable.band_dim: 0}
    array, planes = variable.array.isel(cut, drop=True), variable.planes.isel(cut, drop=True)
    array.attrs = {
        key: entry for key, entry in array.attrs.items() if key in ("scale_factor", "add_offset", *FILL_KEYS)
    }
    return replace(variable, array=array, planes=planes, band_dim=None, names=(name,))
