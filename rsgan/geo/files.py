"""Raster files as GDAL opens them, with clear words for every way in which that can fail."""

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from rsgan.errors import BandError, GridError, InputError
from rsgan.geo.addresses import is_remote, is_text, patient
from rsgan.geo.bands import BandChoice, band_named
from rsgan.geo.grid import Grid
from rsgan.geo.products import Layer

_VIRTUAL: Final = re.compile(r"^(/vsi|[A-Za-z0-9_]{2,}:)")
"""Names that are GDAL's business, not files to look for: ``/vsizip/...``, ``https://...``, ``NETCDF:...``."""

_NUMBER_AND_UNIT: Final = re.compile(r"\s*([0-9]*\.?[0-9]+)\s*([a-zA-Zµμ]*)")
_WAVELENGTH_KEYS: Final = ("central_wavelength_um", "wavelength", "central_wavelength", "center_wavelength")
_LANDSAT_FILE: Final = re.compile(r"(?:^|[^A-Za-z0-9])L[COTEM]0[1-9](?![A-Za-z0-9])", re.IGNORECASE)
"""Landsat's names (``LC08_..._B5.TIF``), whose band numbers mean other bands than those of other sensors."""


@dataclass(frozen=True)
class BandAt:
    """One band of one open file, with what the file says about it.

    Attributes:
        path: The file, as given.
        dataset: The open `rasterio.DatasetReader`.
        index: 1-based number in that file.
        hint: What names the band: description, else colour interpretation, else (alone in its file) the file's name.
        alpha: 1-based number of the band of that file that says what is opaque; None when there is none.
        layer: What the metadata of a product say about the band, which wins over the file; None for a plain raster.
    """

    path: str
    dataset: Any
    index: int
    hint: str | None
    alpha: int | None
    layer: Layer | None = None

    @property
    def dtype(self) -> str:
        """Numpy name of the type that the band is read as."""
        return _numpy_name(self.dataset.dtypes[self.index - 1])

    @property
    def declared_nodata(self) -> float | None:
        """Nodata as the product or the file declares it, whether its type can hold it or not."""
        nodata = self.layer.nodata if self.layer else self.dataset.nodatavals[self.index - 1]
        return None if nodata is None else float(nodata)

    @property
    def nodata(self) -> float | None:
        """Nodata as pixels can have it; None where none is declared or the type cannot hold it."""
        nodata = self.declared_nodata
        return nodata if nodata is not None and holds(self.dtype, nodata) else None

    @property
    def description(self) -> str | None:
        """What the product or the file calls the band."""
        if self.layer:
            return self.layer.name
        text = self.dataset.descriptions[self.index - 1]
        return str(text) if text else None

    @property
    def colorinterp(self) -> ColorInterp:
        """Colour interpretation of the band."""
        return self.dataset.colorinterp[self.index - 1]

    @property
    def scale(self) -> float:
        """The product's or GDAL's scale of the band; 1 where the file says nothing."""
        return self.layer.scale if self.layer else float(self.dataset.scales[self.index - 1])

    @property
    def offset(self) -> float:
        """The product's or GDAL's offset of the band; 0 where the file says nothing."""
        return self.layer.offset if self.layer else float(self.dataset.offsets[self.index - 1])

    @property
    def unit(self) -> str | None:
        """Unit of the band as the product or the file states it."""
        if self.layer:
            return self.layer.unit
        text = self.dataset.units[self.index - 1]
        return str(text) if text else None

    @property
    def has_mask(self) -> bool:
        """Whether a mask band (not nodata, not alpha) says what is valid."""
        flags = self.dataset.mask_flag_enums[self.index - 1]
        return MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags

    @property
    def wavelength_um(self) -> float | None:
        """Centre wavelength in micrometres, from the tags of the band."""
        dataset = self.dataset
        tags = {**dataset.tags(), **dataset.tags(self.index), **dataset.tags(self.index, ns="IMAGERY")}
        return wavelength_in(tags)


@dataclass(frozen=True)
class Stated:
    """What the files state about the chosen bands, and what a result on their grid should state again.

    Attributes:
        dtype: Numpy name of the stored type.
        nodata: Nodata of each band; None where none is declared that the type can hold.
        has_mask: Whether a mask or alpha band says what is valid.
        colorinterp: Colour interpretation of each band.
        descriptions: What the files call each band; None where nothing.
        scales: GDAL's scale of each band; 1 where nothing is said.
        offsets: GDAL's offset of each band; 0 where nothing is said.
        units: Unit of each band; None where nothing is said.
        tags: Tags of the first file.
    """

    dtype: str
    nodata: tuple[float | None, ...]
    has_mask: bool
    colorinterp: tuple[ColorInterp, ...]
    descriptions: tuple[str | None, ...]
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    units: tuple[str | None, ...]
    tags: Mapping[str, str]


def stated_by(bands: Sequence[BandAt]) -> Stated:
    """What the files state about these bands.

    Raises:
        InputError: If the bands are stored in different types, or are colours of a palette.
    """
    first = bands[0]
    for band in bands:
        if band.colorinterp == ColorInterp.palette:
            raise InputError(
                f"band {band.index} of {band.path} holds numbers of a colour table, not measurements. Give the scene "
                f"itself, not a picture of it."
            )
        if band.dtype != first.dtype:
            raise InputError(
                f"band {first.index} of {first.path} is {first.dtype}, band {band.index} of {band.path} is "
                f"{band.dtype}; expected one type. Convert one, for example with gdal_translate -ot."
            )
    return Stated(
        dtype=first.dtype,
        nodata=tuple(band.nodata for band in bands),
        has_mask=any(band.has_mask or band.alpha is not None for band in bands),
        colorinterp=tuple(band.colorinterp for band in bands),
        descriptions=tuple(band.description for band in bands),
        scales=tuple(band.scale for band in bands),
        offsets=tuple(band.offset for band in bands),
        units=tuple(band.unit for band in bands),
        tags={key: value for key, value in first.dataset.tags().items() if key != "AREA_OR_POINT"},
    )


def wavelength_in(tags: Mapping[str, str]) -> float | None:
    """Centre wavelength in micrometres that tags of a band state; None where they do not.

    ENVI writes ``wavelength`` and ``wavelength_units``; GDAL's IMAGERY domain has ``CENTRAL_WAVELENGTH_UM``. Without a
    unit, numbers of 100 and more are nanometres: no optical band lies at 100 um, none at 100 nm.

    >>> wavelength_in({"wavelength": "842", "wavelength_units": "Nanometers"}), wavelength_in({"Wavelength": "0.842"})
    (0.842, 0.842)
    """
    lower = {key.casefold(): value for key, value in tags.items()}
    key = next((key for key in _WAVELENGTH_KEYS if key in lower), None)
    found = None if key is None else _NUMBER_AND_UNIT.match(lower[key])
    if found is None:
        return None
    number = float(found[1])
    unit = (found[2] or lower.get("wavelength_units", "")).casefold()
    in_nm = unit.startswith("nano") or unit == "nm" or (unit not in _MICROMETRE and number >= 100.0)
    return number / 1000.0 if in_nm else number


_MICROMETRE: Final = frozenset(("um", "µm", "μm", "micrometers", "micrometres", "micrometer", "micrometre", "microns"))


def holds(dtype: str, number: float) -> bool:
    """Whether a stored number of this type can equal `number`."""
    kind = np.dtype(dtype)
    if not np.issubdtype(kind, np.integer):
        return True
    limits = np.iinfo(kind)
    return bool(np.isfinite(number) and number == int(number) and limits.min <= number <= limits.max)


@contextmanager
def open_raster(path: str) -> Iterator[Any]:
    """Open one raster for reading.

    Yields:
        The open `rasterio.DatasetReader`, which has at least one band.

    Raises:
        InputError: If the file is missing, is no raster, is damaged, or has no band.
    """
    if not is_text(path):
        raise InputError(f"{path!r} is no text in UTF-8, which GDAL needs. Rename the file, or give a link to it.")
    if not _VIRTUAL.match(path) and not Path(path).exists():
        raise InputError(f"{path} does not exist. Check the spelling; the path counts from {Path.cwd()}.")
    try:
        with without_georeference_warning(), patient(path):
            dataset = rasterio.open(path)
    except RasterioError as error:
        if is_remote(path):
            raise InputError(
                f"{path} cannot be opened as a raster: {said_by(error)}. Check the address, and that it can be reached "
                "from here and without a login; or download it and give the file."
            ) from error
        raise InputError(
            f"{path} cannot be opened as a raster: {said_by(error)}. Expected a file that GDAL reads (GeoTIFF, VRT, "
            f"JPEG 2000, ...); if it is one, it is damaged or cut short: copy or download it again."
        ) from error
    with dataset:
        if dataset.count == 0:
            raise InputError(_no_bands(path, dataset.subdatasets))
        _refuse_large_blocks(path, dataset)
        yield dataset


_LARGEST_BLOCK: Final = 2**30
"""Bytes of a block of pixels that are taken: a block is read, and unpacked, as a whole."""


def _refuse_large_blocks(path: str, dataset: Any) -> None:  # noqa: ANN401 - rasterio ships no types
    for (rows, columns), dtype in zip(dataset.block_shapes, dataset.dtypes, strict=True):
        size = rows * columns * np.dtype(_numpy_name(dtype)).itemsize
        if size > _LARGEST_BLOCK:
            raise InputError(
                f"{path} stores its pixels in blocks of {columns} x {rows}, {size / 2**30:.1f} GiB each, which are "
                "read as a whole. Tile it first: gdal_translate -co TILED=YES -co COMPRESS=DEFLATE INPUT OUTPUT"
            )


def _numpy_name(dtype: object) -> str:
    """GDAL's complex integers, which numpy lacks, are read as complex64."""
    return "complex64" if str(dtype) == "complex_int16" else str(dtype)


@contextmanager
def without_georeference_warning() -> Iterator[None]:
    """Keep rasterio's warning about files without georeferencing from the user, who is told in our own words."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


def said_by(error: BaseException) -> str:
    """What GDAL said: the innermost message behind a rasterio error, without a full stop."""
    innermost = error
    while innermost.__cause__ is not None:
        innermost = innermost.__cause__
    text = str(getattr(innermost, "errmsg", "") or innermost or error)
    return text.strip().rstrip(".")


def _no_bands(path: str, subdatasets: Sequence[str]) -> str:
    if not subdatasets:
        return f"{path} has no bands; expected at least one. Check how it was written."
    listed = "\n  ".join(subdatasets)
    return f"{path} has no bands of its own but holds {len(subdatasets)} rasters; give one of them:\n  {listed}"


def grid_of(dataset: Any) -> Grid:  # noqa: ANN401 - rasterio ships no types
    """Where the pixels of an open raster lie; ground control points count as no transform."""
    with without_georeference_warning():
        transform = Affine(*tuple(dataset.transform)[:6])
    return Grid(dataset.crs, transform, (int(dataset.height), int(dataset.width)))


def shared_grid(files: Sequence[tuple[str, Any]]) -> Grid:
    """The one grid on which all files lie.

    Raises:
        GridError: If one differs; the message names it and the first.
    """
    (first_path, first), *others = [(path, grid_of(dataset)) for path, dataset in files]
    for path, grid in others:
        if not first.matches(grid):
            raise GridError(
                f"{first_path} and {path} do not share one grid: {_described(first)} against {_described(grid)}. "
                f"Resample one onto the other first."
            )
    return first


def _described(grid: Grid) -> str:
    crs = "no crs" if grid.crs is None else grid.crs.to_string()
    return (
        f"{grid.height} rows x {grid.width} columns of {grid.gsd[0]:g} x {grid.gsd[1]:g} from "
        f"({grid.transform.c:.10g}, {grid.transform.f:.10g}), {crs}"
    )


def offered_bands(files: Sequence[tuple[str, Any]], *, keep_alpha: bool, sensor_name: str) -> tuple[BandAt, ...]:
    """All bands that may be chosen, file by file.

    Args:
        files: (path, open raster) of each file.
        keep_alpha: Whether alpha bands may be chosen too, which is so when the user chooses by hand.
        sensor_name: Sensor of the catalogue by whose names bands are called.
    """
    return tuple(band for path, dataset in files for band in _bands_of(path, dataset, keep_alpha, sensor_name))


def _bands_of(path: str, dataset: Any, keep_alpha: bool, sensor_name: str) -> list[BandAt]:  # noqa: ANN401
    alpha = next((i for i in dataset.indexes if _is_alpha(dataset, i, sensor_name)), None)
    indexes = [i for i in dataset.indexes if keep_alpha or i != alpha]
    stem = Path(path).stem if len(indexes) == 1 else None
    return [BandAt(path, dataset, i, _hint(dataset, i, stem, sensor_name), alpha) for i in indexes]


def take_all(
    offered: Sequence[BandAt],
    explicit: tuple[str, ...] | None,
    rank: int | None,
    file_name: str,
    names: Sequence[str] | None = None,
) -> tuple[BandChoice, tuple[BandAt, ...]]:
    """Bands of any kind: those that the user names, else every band of one pixel size.

    Args:
        offered: All bands that may be chosen.
        explicit: Names or 1-based numbers; None takes all bands of the pixel size that `rank` says.
        rank: 0 takes the finest pixels, 1 the next, and so on; None takes all bands.
        file_name: What messages call the files.
        names: What the bands are called; None takes `names_of`.

    Raises:
        BandError: If a band that is asked for is not there, or no band has pixels of that rank.
    """
    if explicit is not None:
        indexes = tuple(_find(names or names_of(offered), entry.strip(), file_name) for entry in explicit)
        if len(set(indexes)) < len(indexes):
            raise BandError(f"--bands {','.join(explicit)} takes a band of {file_name} twice: {indexes}.")
        reason = "chosen with --bands"
    else:
        sizes = sorted({pixel_size(band) for band in offered})
        if rank is not None and rank >= len(sizes):
            listed = ", ".join(f"{size:g}" for size in sizes)
            raise BandError(
                f"{file_name} has pixels of {len(sizes)} size(s) only ({listed}); coarse bands and finer ones to guide "
                f"them are needed. Give the files of both."
            )
        indexes = tuple(
            number for number, band in enumerate(offered, 1) if rank is None or pixel_size(band) == sizes[rank]
        )
        reason = "every band" if rank is None or len(sizes) == 1 else f"every band with pixels of {sizes[rank]:g}"
    return BandChoice(indexes, reason, by_hand=explicit is not None), tuple(offered[index - 1] for index in indexes)


def _find(called: Sequence[str], entry: str, file_name: str) -> int:
    """1-based number of the band that one entry of --bands means."""
    if entry.isdigit():
        if not 1 <= int(entry) <= len(called):
            raise BandError(f"--bands asks for band {entry}; {file_name} has bands 1 to {len(called)}.")
        return int(entry)
    hits = [number for number, name in enumerate(called, 1) if name.casefold() == entry.casefold()]
    if len(hits) != 1:
        raise BandError(
            f"--bands asks for {entry!r}, which names {len(hits)} bands of {file_name}: its bands are "
            f"{' '.join(called)}. Give one of these names or a number."
        )
    return hits[0]


def pixel_size(band: BandAt) -> float:
    """Side of a band's pixels in map units, rounded; without a transform, in shares of the height: finer is smaller."""
    grid = grid_of(band.dataset)
    return float(f"{min(grid.gsd):.3g}") if grid.has_transform else float(f"{1 / grid.height:.3g}")


def names_of(bands: Sequence[BandAt]) -> tuple[str, ...]:
    """What to call bands of any kind: as the files do, by number where they say nothing or the same twice."""
    said = [band.description or band.hint for band in bands]
    return tuple(
        name if name and said.count(name) == 1 else f"band{number}" for number, name in enumerate(said, start=1)
    )


def _is_alpha(dataset: Any, index: int, sensor_name: str) -> bool:  # noqa: ANN401
    """Whether a band says what is opaque: marked so, and not called by the name of a band."""
    marked = dataset.colorinterp[index - 1] == ColorInterp.alpha
    return marked and band_named(dataset.descriptions[index - 1], sensor_name) is None


def _hint(dataset: Any, index: int, stem: str | None, sensor_name: str) -> str | None:  # noqa: ANN401
    """What names a band, the most telling first: description, colour interpretation, name of the file."""
    description = dataset.descriptions[index - 1]
    foreign = stem is not None and _LANDSAT_FILE.search(stem) and not sensor_name.startswith("landsat")
    colour = None if description else dataset.colorinterp[index - 1].name  # a band that has a name is not its colour
    texts = (description, colour, None if foreign else stem)
    return next((str(text) for text in texts if text and band_named(text, sensor_name)), description)


def refuse_picture(bands: Sequence[BandAt], grid: Grid, wanted: Sequence[str]) -> None:
    """Say plainly that a picture is no scene, when that is what was given.

    Raises:
        BandError: If the bands are red, green and blue in 8 bits, lie nowhere, and do not suffice.
    """
    colours = [band.colorinterp.name for band in bands]
    if colours != ["red", "green", "blue"] or {band.dtype for band in bands} != {"uint8"}:
        return
    if grid.crs is not None or grid.has_transform or {band_named(colour) for colour in colours} >= set(wanted):
        return
    raise BandError(
        f"{bands[0].path} is an 8-bit RGB picture without georeferencing: 3 bands (red green blue); model needs "
        f"{len(wanted)} ({' '.join(wanted)}). Give the scene itself, with these bands, or choose another model."
    )
