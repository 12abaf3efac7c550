"""One raster as delivered, in one file or several, opened for reading as reflectance or backscatter."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp
from rasterio.errors import RasterioError
from rasterio.windows import Window

from rsgan.catalogue import RGBN_SENSOR
from rsgan.errors import InputError
from rsgan.geo.addresses import is_remote
from rsgan.geo.backscatter import SarWords, find_backscatter
from rsgan.geo.bands import BandChoice
from rsgan.geo.cloud_mask import CloudMask
from rsgan.geo.files import (
    BandAt,
    Stated,
    names_of,
    said_by,
    shared_grid,
    stated_by,
    take_all,
)
from rsgan.geo.grid import ControlPoints, Grid
from rsgan.geo.inputs import Inputs
from rsgan.geo.opening import at_least_one, choose, label_of, notes_of, overruled, refuse_ambiguous_names
from rsgan.geo.polarisations import choose_sar
from rsgan.geo.reflectance import find_radiometry, percentile_note
from rsgan.geo.windows import probes, spread
from rsgan.radiometry import SAR_INPUT_DTYPES, Backscatter, Quantity, Radiometry

_PLAIN: Final = {".tif", ".tiff", ".jp2", ".vrt"}
"""Endings of rasters that are no product."""

_SUSPICIOUS_ZEROS: Final = 0.01
"""Share of pixels that are 0 in every band from which they are more likely nodata that nobody declared."""

_SEARCH_SIDE_PX: Final = 1024
"""Side of the windows in which a measurement is looked for where those nine hold none."""
_SEARCHED_PLACES: Final = 64
"""Such windows along a side, at most: all of a scene of 65536 pixels."""


@dataclass(frozen=True)
class Chip:
    """What was read through a window.

    Attributes:
        values: (C, H, W) float32 reflectance, 0..1 nominal, or intensity of backscatter; 0 where invalid.
        valid: (C, H, W) bool, True where the pixel is usable.
        grid: Where the pixels lie.
    """

    values: npt.NDArray[np.float32]
    valid: npt.NDArray[np.bool_]
    grid: Grid


@dataclass(frozen=True)
class Scene:
    """One raster, open for reading; use it in a ``with`` statement.

    Attributes:
        paths: The files, as given.
        grid: Where the pixels lie; the identity transform when the files do not say.
        gsd_m: Metres per pixel along rows and columns; None when unknown.
        bands: Names of the bands, in the order wanted.
        band_choice: Which bands of the files these are, and why.
        radiometry: What the stored numbers mean.
        stated: What the files state about these bands: type, nodata, descriptions, scales, colours, tags.
        notes: What the user must be told, one sentence each.
    """

    paths: tuple[str, ...]
    grid: Grid
    gsd_m: tuple[float, float] | None
    bands: tuple[str, ...]
    band_choice: BandChoice
    radiometry: Radiometry | Backscatter
    stated: Stated
    notes: tuple[str, ...]
    _chosen: tuple[BandAt, ...] = field(repr=False)
    _files: ExitStack = field(repr=False)
    _clouds: tuple[CloudMask, ...] = field(repr=False, default=())
    _lock: Any = field(repr=False, compare=False, default_factory=RLock)

    @classmethod
    def open(
        cls,
        paths: Sequence[str | Path],
        *,
        wanted: tuple[str, ...] | None,
        bands: tuple[str, ...] | None = None,
        rank: int | None = None,
        reflectance_scale: float | None = None,
        gsd_m: float | None = None,
        nodata: float | None = None,
        sensor_name: str = RGBN_SENSOR,
        mask_clouds: bool = False,
        date: str | None = None,
    ) -> "Scene":
        """Open one raster of several bands, or several rasters of which the bands that are taken share one grid.

        Args:
            paths: Files that GDAL can open, and products: a Sentinel-2 ``.SAFE`` folder or zip, a Landsat Collection 2
                folder or tar, or the metadata file of one.
            wanted: Names of the bands in the catalogue, in the order that the model takes; None takes bands of any
                kind under the names that the files give them.
            bands: The user's choice (``--bands``): names or 1-based numbers, which count on from file to file.
            rank: Without `wanted` and `bands`: which of the files' pixel sizes, 0 the finest, 1 the next, and so on;
                None where all files share one grid.
            reflectance_scale: Stored number that means reflectance 1 (``--reflectance-scale``).
            gsd_m: Metres per pixel (``--gsd``); wins over the files.
            nodata: Stored number that says "no data" in every band (``--nodata``); wins over the files.
            sensor_name: Sensor of the catalogue whose names `wanted` are.
            mask_clouds: Whether pixels of cloud, cirrus and cloud shadow are invalid in every band (``--mask-clouds``).
            date: Which date of a NetCDF file or Zarr group that has several (``--date``).

        Raises:
            InputError: If a file is missing, damaged or no raster, its numbers cannot be reflectance, the files are of
                different days or tiles, or clouds are to be masked that no layer shows.
            BandError: If the wanted bands are not all there, or not clear.
            GridError: If the bands that are taken do not share one grid, or the layer of clouds does not fit it.
        """
        names = tuple(str(path) for path in paths)
        with ExitStack() as opening:
            inputs = Inputs.open(
                at_least_one(names), opening, keep_alpha=bands is not None, sensor_name=sensor_name, date=date
            )
            inputs.refuse_missing(bands or wanted or ())
            offered = inputs.bands if bands is None else inputs.offered
            if wanted is None:
                choice, chosen = take_all(offered, bands, rank, label_of(names))
            else:
                choice, chosen = choose(offered, wanted, bands, sensor_name, label_of(names))
            grid = shared_grid([(band.path, band.dataset) for band in chosen])
            metres = grid.gsd_m(gsd_m)
            if wanted is not None and bands is None:
                refuse_ambiguous_names(offered, wanted, metres, sensor_name)
            masks = inputs.masks(grid, opening, label_of(names)) if mask_clouds else ()
            stated = overruled(stated_by(chosen), nodata)
            stated = replace(stated, has_mask=stated.has_mask or mask_clouds)
            known = None if wanted is None else sensor_name
            radiometry, assumed = find_radiometry(stated, reflectance_scale, label_of(names), known)
            notes = (*notes_of(choice, chosen, assumed, metres), *(inputs.notes if wanted is None else ()))
            named = wanted or names_of(chosen)
            scene = cls(names, grid, metres, named, choice, radiometry, stated, notes, chosen, opening, masks)
            stated_by_product = all(band.layer for band in chosen)  # and then looking for doubts only costs seconds
            doubts = () if wanted is None or stated_by_product else scene._doubts()
            return replace(scene, notes=(*notes, *doubts), _files=opening.pop_all())

    @classmethod
    def open_sar(
        cls,
        paths: Sequence[str | Path],
        *,
        bands: tuple[str, ...] | None = None,
        quantity: Quantity | None = None,
        stored_scale: float | None = None,
        nodata: float | None = None,
        date: str | None = None,
        gsd_m: float | None = None,
        zero_valid: bool = False,
    ) -> "Scene":
        """Open the backscatter of one radar raster of any number of bands, or of several on one grid.

        Bands that a description, a tag or a file's name calls VV, VH, HH or HV are taken under that name; where none
        is called so, all are. Chips hold intensity, which is linear power, whatever the files store.

        Valid, band by band, is what neither nodata nor a mask excludes and what is a number: NaN and infinite ones (the
        decibels of 0) are invalid, and so is an intensity, amplitude or complex number of exactly 0, the fill around a
        product, unless `zero_valid`. Negative intensities, as subtracted noise leaves them, are valid; negative
        amplitudes are refused.

        Args:
            paths: Files that GDAL can open, NetCDF files or Zarr groups.
            bands: The user's choice (``--bands``): names, polarisations, or 1-based numbers that count on from file to
                file.
            quantity: What the stored numbers are (``--quantity``); None finds out, and `radiometry.source` says how.
            stored_scale: Stored number that means 1 dB or 1 unit (``--stored-scale``); wins over the files.
            nodata: Stored number that says "no data" in every band (``--nodata``); wins over the files.
            date: Which date of a NetCDF file or Zarr group that has several (``--date``).
            gsd_m: Metres per pixel (``--gsd``); wins over the files.
            zero_valid: Whether an intensity of exactly 0 is a measurement.

        Raises:
            InputError: If a file is missing, damaged or no raster, holds no measurement, or its numbers do not tell
                what they are or contradict what is said.
            BandError: If a band that is asked for is not there, or a colour picture is given without a choice.
            GridError: If the bands that are taken do not share one grid.
            ConfigError: If a scale cannot be meant.
        """
        names = tuple(str(path) for path in paths)
        said = SarWords(quantity, stored_scale, zero_valid)
        with ExitStack() as opening:
            inputs = Inputs.open(
                at_least_one(names),
                opening,
                keep_alpha=bands is not None,
                sensor_name=RGBN_SENSOR,
                date=date,
                dtypes=SAR_INPUT_DTYPES,
            )
            choice, chosen, called, chosen_notes = choose_sar(inputs.offered, bands, label_of(names))
            grid = shared_grid([(band.path, band.dataset) for band in chosen])
            metres = grid.gsd_m(gsd_m)
            stated = overruled(stated_by(chosen), nodata)
            ones, zeros = (1.0,) * len(chosen), (0.0,) * len(chosen)
            unread = Backscatter("intensity", ones, zeros, "float32", "not looked at yet")
            scene = cls(names, grid, metres, called, choice, unread, stated, (), chosen, opening)
            found, found_notes = find_backscatter(
                stated, chosen, scene._declared_valid_samples(), said, names=called, file_name=scene.name
            )
            if found.is_complex:  # results are intensity, which is what scale and offset are of
                stated = replace(stated, scales=found.scale, offsets=found.offset)
            notes = (*chosen_notes, *notes_of(choice, chosen, None, metres, points_kept=True), *found_notes)
            return replace(scene, radiometry=found, stated=stated, notes=notes, _files=opening.pop_all())

    def __enter__(self) -> "Scene":
        """Give the scene itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the files."""
        self.close()

    def close(self) -> None:
        """Close the files."""
        self._files.close()

    @property
    def name(self) -> str:
        """What messages call the scene."""
        return label_of(self.paths)

    @property
    def files(self) -> tuple[str, ...]:
        """The files of the bands that are taken."""
        return tuple(dict.fromkeys(band.path for band in self._chosen))

    @property
    def unused(self) -> tuple[str, ...]:
        """Plain rasters that were given and of which no band is taken, not even for clouds, unasked."""
        if self._clouds or self.band_choice.by_hand:
            return ()
        plain = (path for path in self.paths if Path(path).suffix.casefold() in _PLAIN)
        return tuple(path for path in plain if path not in self.files)

    @property
    def dtype(self) -> str:
        """Numpy name of the stored type."""
        return self.stated.dtype

    @property
    def nodata(self) -> tuple[float | None, ...]:
        """Nodata of each band; None where none is declared that the type can hold."""
        return self.stated.nodata

    @property
    def colorinterp(self) -> tuple[ColorInterp, ...]:
        """Colour interpretation of each band."""
        return self.stated.colorinterp

    @property
    def descriptions(self) -> tuple[str | None, ...]:
        """What the files call each band; None where nothing."""
        return self.stated.descriptions

    @property
    def tags(self) -> Mapping[str, str]:
        """Tags of the first file."""
        return self.stated.tags

    @property
    def output_nodata(self) -> float | None:
        """The nodata that a result of the same type declares, which has one for all bands; None when it needs none.

        The first that is declared; where only a mask, an alpha band or NaN says what is invalid, what the radiometry
        says: for reflectance NaN, or the lowest number of integers; for backscatter none, unless there is a mask.
        """
        declared = next((nodata for nodata in self.nodata if nodata is not None), None)
        if declared is not None:
            return declared
        return self.radiometry.undeclared_nodata(has_mask=self.stated.has_mask)

    def control_points(self, part: Window | None = None) -> ControlPoints | None:
        """Ground control points of the first band's file, for a part of the scene; None where it needs or has none.

        They place the pixels of products in the radar's own geometry, such as Sentinel-1 GRD as delivered.
        """
        points, crs = self._chosen[0].dataset.gcps
        if not points or self.grid.has_transform:
            return None
        row, column = (0, 0) if part is None else (part.row_off, part.col_off)
        moved = (
            GroundControlPoint(point.row - row, point.col - column, point.x, point.y, point.z or 0.0, point.id)
            for point in points
        )
        return ControlPoints(tuple(moved), crs)

    def read_dn(self, window: Window) -> npt.NDArray[Any]:
        """Stored numbers in a window.

        Returns:
            (C, H, W) array of the stored type, bands in the order wanted.

        Raises:
            GridError: If the window reaches outside the scene.
            InputError: If the file is damaged there.
        """
        self.grid.crop(window)
        return self._gather(window, lambda bands: bands[0].dataset.read([band.index for band in bands], window=window))

    def read_kept(self, window: Window) -> npt.NDArray[Any]:
        """Stored numbers in a window, for a result that keeps them and declares one nodata for all bands.

        They are those of the files, but for pixels of which only a mask or a nodata that is another band's says that
        they are invalid: these get `output_nodata`.

        Returns:
            (C, H, W) array of the stored type.

        Raises:
            GridError: If the window reaches outside the scene.
            InputError: If the file is damaged there.
        """
        dn, kept = self.read_dn(window), self.output_nodata
        if kept is not None:
            dn[~self._declared_valid(dn, window)] = _cast(kept, dn.dtype)
        return dn

    def read(self, window: Window) -> Chip:
        """Reflectance or intensity in a window, and what is valid in it.

        Raises:
            GridError: If the window reaches outside the scene.
            InputError: If the file is damaged there.
        """
        return self._chip(self.read_dn(window), window)

    def _chip(self, dn: npt.NDArray[Any], window: Window) -> Chip:
        """Stored numbers of a window as reflectance or intensity, with what is valid in it."""
        valid = self._declared_valid(dn, window) & self.radiometry.usable(dn)
        values = self.radiometry.to_physical(dn if valid.all() else np.where(valid, dn, dn.dtype.type(0)))
        valid &= np.isfinite(values)
        if not valid.all():
            values[~valid] = 0.0
        return Chip(values, valid, self.grid.crop(window))

    def _declared_valid(self, dn: npt.NDArray[Any], window: Window) -> npt.NDArray[np.bool_]:
        """What nodata, mask band, alpha band and clouds leave."""
        valid = self._gather(window, lambda bands: _opaque(bands, window))
        for plane, numbers, nodata in zip(valid, dn, self.nodata, strict=True):
            if nodata is not None and not np.isnan(nodata):
                plane &= numbers != _cast(nodata, numbers.dtype)
        with self._lock:
            for clouds in self._clouds:
                valid &= ~clouds.read(window)
        return valid

    def _declared_valid_samples(self) -> list[npt.NDArray[Any]]:
        """Stored numbers of each band from nine small windows, without those that are declared invalid.

        Where these windows hold nothing but zeros and what is no number, the first window of the scene that does.
        """
        everywhere = spread(self.grid.shape, _SEARCH_SIDE_PX, _SEARCHED_PLACES)
        samples = _joined([self._declared_valid_in(window) for window in probes(self.grid.shape)])
        while not any(np.any(np.isfinite(sample) & (sample != 0)) for sample in samples):
            window = next(everywhere, None)
            if window is None:
                break
            samples = self._declared_valid_in(window)
        return samples

    def _declared_valid_in(self, window: Window) -> list[npt.NDArray[Any]]:
        dn = self.read_dn(window)
        return [numbers[valid] for numbers, valid in zip(dn, self._declared_valid(dn, window), strict=True)]

    def _gather(self, window: Window, read: Callable[[list[BandAt]], npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """Stack what `read` gives for each run of bands of one file, with clear words when a file is damaged."""
        parts = []
        for path, bands in groupby(self._chosen, key=lambda band: band.path):
            try:
                with self._lock:  # GDAL lets one thread at a time read an open file
                    parts.append(read(list(bands)))
            except RasterioError as error:
                why = "The file is damaged or cut short; copy or download it again."
                if is_remote(path):
                    why = "The server did not give it, though it was asked again; try later, or download the file."
                raise InputError(
                    f"{path} cannot be read at rows {window.row_off} to {window.row_off + window.height}: "
                    f"{said_by(error)}. {why}"
                ) from error
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _doubts(self) -> list[str]:
        """Notes on values that cannot be reflectance and zeros that look like nodata, from nine small windows."""
        stored = [(self.read_dn(window), window) for window in probes(self.grid.shape)]
        chips = [self._chip(dn, window) for dn, window in stored]
        values = np.concatenate([chip.values[chip.valid] for chip in chips])
        notes = []
        if values.size:
            plain = not self.radiometry.is_integer
            note = percentile_note(float(np.percentile(values, 99)), self.name, stored_as_reflectance=plain)
            notes += [] if note is None else [note]
        if self.radiometry.is_integer and self.output_nodata is None:
            zero = np.concatenate([(dn == 0).all(0).ravel() for dn, _ in stored])
            if zero.mean() > _SUSPICIOUS_ZEROS:
                notes.append(
                    f"{self.name} declares no nodata, but about {zero.mean():.0%} of its pixels are 0 in every band. "
                    f"They are taken for measurements. Give --nodata 0 if they are not."
                )
        return notes


def _opaque(bands: Sequence[BandAt], window: Window) -> npt.NDArray[np.bool_]:
    """(C, H, W) bool of bands of one file: True where mask band and alpha band let the pixel through."""
    dataset, alpha = bands[0].dataset, bands[0].alpha
    through = np.ones((len(bands), int(window.height), int(window.width)), dtype=np.bool_)
    if alpha is not None:
        through &= dataset.read(alpha, window=window) > 0
    for plane, band in zip(through, bands, strict=True):
        if band.has_mask:
            plane &= dataset.read_masks(band.index, window=window) > 0
    return through


def _cast(nodata: float, dtype: np.dtype[Any]) -> Any:  # noqa: ANN401 - a scalar of whatever type is stored
    with np.errstate(over="ignore"):
        return dtype.type(nodata)


def _joined(parts: Sequence[Sequence[npt.NDArray[Any]]]) -> list[npt.NDArray[Any]]:
    """Numbers of each band, of several places together."""
    return [np.concatenate(of_band) for of_band in zip(*parts, strict=True)]
