"""The rasters of an evaluation: opened, laid on one grid, their bands matched by name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsgan.catalogue import sensor
from rsgan.errors import BandError, GridError, InputError
from rsgan.evaluate.options import Options
from rsgan.geo import Chip, Grid, Scene, Window, band_named, scale_window, valid_blocks
from rsgan.geo.files import grid_of, open_raster
from rsgan.geo.synthetic import find_synthetic

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]

USUAL_SIGMA = 0.42
"""Gaussian width in observed pixels where neither file nor catalogue knows one: that of a system MTF of 0.27."""
NO_CLASS = -1
"""Class of a pixel where the land-cover raster has no data."""
_OF_A_SPREAD = frozenset(("sigma", "uncertainty", "std", "stddev", "error", "standard", "se"))
"""Words that the name of a band of an uncertainty raster may add to that of the band it is about."""


@dataclass(frozen=True)
class Layer:
    """One raster, which of its bands are compared, and how its pixels relate to the enhanced ones.

    Attributes:
        scene: Open raster.
        order: Index in the raster of each band that is compared.
        finer: Its pixels per enhanced pixel.
    """

    scene: Scene
    order: tuple[int, ...] = ()
    finer: int = 1

    @property
    def path(self) -> str:
        """The file, as given."""
        return self.scene.name

    def read(self, window: Window) -> Chip:
        """The compared bands through a window of the raster's own grid."""
        chip, order = self.scene.read(window), list(self.order)
        return replace(chip, values=chip.values[order], valid=chip.valid[order])

    def read_averaged(self, window: Window) -> tuple[Floats, Bools]:
        """The same through a window of the enhanced grid: the mean of the finer pixels, valid where all of them are."""
        chip = self.read(scale_window(window, self.finer))
        if self.finer == 1:
            return chip.values, chip.valid
        blocks = (len(chip.values), window.height, self.finer, window.width, self.finer)
        return np.asarray(chip.values.reshape(blocks).mean(axis=(2, 4))), valid_blocks(chip.valid, self.finer)


@dataclass(frozen=True)
class LandCover:
    """One class raster, read on the enhanced grid by the nearest pixel.

    Attributes:
        path: The file.
        dataset: The open raster.
        coarser: Enhanced pixels per pixel of it, along a row; 1 where it is finer.
        finer: Its pixels per enhanced pixel, along a row; 1 where it is coarser.
        corner: (column, row) in its pixels of the enhanced raster's first corner.
    """

    path: str
    dataset: Any
    coarser: int
    finer: int
    corner: tuple[int, int]

    def read(self, window: Window) -> NDArray[np.int64]:
        """Class numbers (H, W) in a window of the enhanced grid, `NO_CLASS` where there are no data."""
        rows = self._places(window.row_off, window.height, self.corner[1])
        columns = self._places(window.col_off, window.width, self.corner[0])
        part = Window(columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1)
        found = self.dataset.read(1, window=part).astype(np.int64)
        found[self.dataset.read_masks(1, window=part) == 0] = NO_CLASS
        return np.asarray(found[np.ix_(rows - rows[0], columns - columns[0])])

    def _places(self, start: int, length: int, corner: int) -> NDArray[np.int64]:
        pixels = np.arange(start, start + length)
        return np.asarray(corner + pixels * self.finer // self.coarser + self.finer // 2)


@dataclass(frozen=True)
class Sensed:
    """What is taken for the sensor.

    Attributes:
        sigma: (C,) width of the Gaussian in observed pixels.
        noise: (C,) standard deviation of the noise in reflectance, or None where nobody says.
        source: In words, where the widths come from.
    """

    sigma: Floats
    noise: Floats | None
    source: str


@dataclass(frozen=True)
class Rasters:
    """Everything that an evaluation reads.

    Attributes:
        enhanced: What is judged.
        reference: What it should be, or None.
        observed: What the sensor gave, or None.
        uncertainty: Stated standard errors, or None.
        land_cover: Classes, or None.
        bands: Names of the bands that are compared.
        scale: Enhanced pixels per observed pixel; 1 without an observed raster.
        sensed: The sensor model that goes with `observed`, or None.
        notes: What the user must be told, one sentence each.
    """

    enhanced: Layer
    reference: Layer | None
    observed: Layer | None
    uncertainty: Layer | None
    land_cover: LandCover | None
    bands: tuple[str, ...]
    scale: int
    sensed: Sensed | None
    notes: tuple[str, ...]

    @property
    def layers(self) -> dict[str, Layer]:
        """The rasters that are there, by what they are."""
        named = {
            "enhanced": self.enhanced,
            "reference": self.reference,
            "observed": self.observed,
            "uncertainty": self.uncertainty,
        }
        return {role: layer for role, layer in named.items() if layer is not None}

    @property
    def grid(self) -> Grid:
        """Where the enhanced pixels lie."""
        return self.enhanced.scene.grid


@contextmanager
def open_rasters(
    enhanced: str | Path,
    *,
    reference: str | Path | None = None,
    observed: str | Path | None = None,
    uncertainty: str | Path | None = None,
    land_cover: str | Path | None = None,
    options: Options,
) -> Iterator[Rasters]:
    """Open the rasters, lay them on the enhanced grid and match their bands.

    Yields:
        The open rasters.

    Raises:
        InputError: A file is missing or damaged, or the land cover is none.
        BandError: No band is in all of them.
        GridError: They do not show the same ground in pixels that nest.
    """
    given = {"enhanced": enhanced, "reference": reference, "observed": observed, "uncertainty": uncertainty}
    with ExitStack() as files:
        scenes = {
            role: files.enter_context(_open(role, path, options)) for role, path in given.items() if path is not None
        }
        ours = scenes["enhanced"]
        classes = None if land_cover is None else files.enter_context(_open_classes(str(land_cover), ours))
        scale = _nested(scenes["observed"], ours) if "observed" in scenes else 1
        if "observed" in scenes and scale == 1:
            raise GridError(
                f"{observed} and {enhanced} have pixels of one size; --observed takes the coarser raster from which "
                f"the enhanced one was made. Give that, or compare the two with --reference."
            )
        bands = _common_bands(scenes, options.sensor_name)
        layers = {
            role: Layer(scene, _order(scene, bands, options.sensor_name), _finer(role, scene, ours))
            for role, scene in scenes.items()
        }
        yield Rasters(
            layers["enhanced"], layers.get("reference"), layers.get("observed"), layers.get("uncertainty"), classes,
            bands, scale, _sensed(ours, bands, options) if "observed" in scenes else None,
            tuple(dict.fromkeys((*_made_up(given), *_notes(scenes, bands, options.sensor_name)))),
        )  # fmt: skip


def _open(role: str, path: str | Path, options: Options) -> Scene:
    return Scene.open(
        (path,),
        wanted=None,
        reflectance_scale=None if role == "uncertainty" else options.reflectance_scale,  # always reflectance
        nodata=options.nodata,
        gsd_m=options.gsd_m if role == "enhanced" else None,
    )


def _finer(role: str, scene: Scene, ours: Scene) -> int:
    """Pixels of a raster per enhanced pixel; 1 for the observed one, which is coarser.

    Raises:
        GridError: The raster is coarser, or the two do not nest.
    """
    if role in ("enhanced", "observed"):
        return 1
    if role == "uncertainty" and scene.grid.shape != ours.grid.shape:
        raise GridError(
            f"{scene.name} has {scene.grid.height} x {scene.grid.width} pixels and {ours.name} "
            f"{ours.grid.height} x {ours.grid.width}; an uncertainty raster has those of the enhanced one."
        )
    if scene.grid.height < ours.grid.height and scene.grid.gsd[0] > ours.grid.gsd[0]:
        raise GridError(
            f"{scene.name} is coarser than {ours.name}; a reference has the same pixels or finer ones. If the enhanced "
            f"raster was made from it, give it with --observed."
        )
    return _nested(ours, scene)


def _nested(coarse: Scene, fine: Scene) -> int:
    """Fine pixels per coarse pixel of two rasters of the same corners.

    Raises:
        GridError: The rasters do not nest; the message names both.
    """
    try:
        window = coarse.grid.nest(fine.grid)
    except GridError as error:
        raise GridError(f"{coarse.name} and {fine.name}: {error}") from error
    if (window.height, window.width) != fine.grid.shape:
        raise GridError(
            f"{coarse.name} covers only rows {window.row_off} to {window.row_off + window.height} and columns "
            f"{window.col_off} to {window.col_off + window.width} of the {fine.grid.height} x {fine.grid.width} pixels "
            f"of {fine.name}; expected the same corners. Crop one to the other, for example with rio clip --like."
        )
    return int(window.height) // coarse.grid.height


def band_key(name: str, sensor_name: str) -> str:
    """By what a band is matched: its name in the catalogue where it has one, else its own without case.

    >>> band_key("blue", "sentinel-2a"), band_key("B2", "sentinel-2a"), band_key("Slope", "sentinel-2a")
    ('B02', 'B02', 'slope')
    """
    words = [word for word in re.split(r"[\W_]+", name) if word.casefold() not in _OF_A_SPREAD]
    plain = name if len(words) == len(re.split(r"[\W_]+", name)) else " ".join(words)
    return band_named(plain, sensor_name) or plain.casefold()


def _keys(scene: Scene, sensor_name: str) -> tuple[str, ...]:
    """The key of each band; its own name where two bands would share one."""
    keys = [band_key(name, sensor_name) for name in scene.bands]
    return tuple(key if keys.count(key) == 1 else name.casefold() for key, name in zip(keys, scene.bands, strict=True))


def _common_bands(scenes: dict[str, Scene], sensor_name: str) -> tuple[str, ...]:
    """Keys of the bands that all rasters have, in the order of the enhanced one.

    Raises:
        BandError: There is none.
    """
    keys = {role: _keys(scene, sensor_name) for role, scene in scenes.items()}
    common = tuple(key for key in keys["enhanced"] if all(key in others for others in keys.values()))
    if not common:
        listed = "; ".join(f"{scene.name} has {' '.join(scene.bands)}" for scene in scenes.values())
        raise BandError(
            f"the rasters have no band in common: {listed}. Bands are matched by their names (band descriptions); "
            f"name them alike, for example with rio edit-info or gdal_edit.py."
        )
    return common


def _order(scene: Scene, bands: Sequence[str], sensor_name: str) -> tuple[int, ...]:
    keys = _keys(scene, sensor_name)
    return tuple(keys.index(band) for band in bands)


def _made_up(given: Mapping[str, str | Path | None]) -> Iterator[str]:
    """Which of the rasters show ground that does not exist."""
    for role, path in given.items():
        if path is None or not Path(path).is_file():
            continue
        try:
            found = find_synthetic(str(path))
        except InputError:  # a container of several rasters
            continue
        if found is not None:
            yield f"{role} {Path(path).name} is {found.sentence}"


def _notes(scenes: dict[str, Scene], bands: Sequence[str], sensor_name: str) -> Iterator[str]:
    for role, scene in scenes.items():
        keys = _keys(scene, sensor_name)
        left = [name for name, key in zip(scene.bands, keys, strict=True) if key not in bands]
        if left:
            yield f"{role} {scene.name}: bands {' '.join(left)} are not in all rasters and are left out"
        if scene.radiometry.source.startswith("stored numbers") and set(scene.radiometry.scale) != {1.0}:
            yield f"{scene.name} does not say what its numbers mean; taken as reflectance: {scene.radiometry.source}"
        yield from (note.rstrip(".") for note in scene.notes if role == "enhanced" or "--gsd" not in note)


def _sensed(enhanced: Scene, bands: tuple[str, ...], options: Options) -> Sensed:
    """The sensor model, from the flag, the tags of the enhanced file, or the catalogue."""
    names, keys = enhanced.tags, _keys(enhanced, options.sensor_name)
    stated = {name: _tagged(names.get(name), keys, bands) for name in ("RSGAN_PSF_SIGMA", "RSGAN_NOISE")}
    noise = stated["RSGAN_NOISE"]
    if options.psf_sigma is not None:
        return Sensed(np.full(len(bands), options.psf_sigma), noise, "--psf-sigma")
    if stated["RSGAN_PSF_SIGMA"] is not None:
        return Sensed(stated["RSGAN_PSF_SIGMA"], noise, f"stated by {enhanced.name}")
    known = [sensor(options.sensor_name).find(band) for band in bands]
    sigma = [USUAL_SIGMA if band is None or band.mtf_nyquist is None else band.psf_sigma for band in known]
    title = sensor(options.sensor_name).title
    return Sensed(np.array(sigma), noise, f"of {title}, and {USUAL_SIGMA:g} for bands that it does not know")


def _tagged(text: str | None, keys: Sequence[str], bands: Sequence[str]) -> Floats | None:
    """Positive numbers of the compared bands from a tag that lists all bands; None where it does not say."""
    if text is None:
        return None
    try:
        listed = json.loads(text)
        values = np.array([listed[keys.index(band)] for band in bands], dtype=np.float64)
    except (ValueError, TypeError, LookupError):
        return None
    return values if len(listed) == len(keys) and np.all(values > 0) else None


@contextmanager
def _open_classes(path: str, ours: Scene) -> Iterator[LandCover]:
    """Open a class raster that covers the enhanced one in pixels that nest.

    Raises:
        InputError: It does not hold whole numbers, or has several bands.
        GridError: It lies elsewhere, or its pixels do not nest.
    """
    with open_raster(path) as dataset:
        if dataset.count != 1 or not np.issubdtype(np.dtype(dataset.dtypes[0]), np.integer):
            raise InputError(
                f"--landcover {path} has {dataset.count} bands of {dataset.dtypes[0]}; expected one band of whole "
                f"numbers, one per class."
            )
        try:
            coarser, finer, corner = _class_pixels(grid_of(dataset), ours.grid)
        except GridError as error:
            raise GridError(f"--landcover {path} and {ours.name}: {error}") from error
        yield LandCover(path, dataset, coarser, finer, corner)


def _class_pixels(classes: Grid, ours: Grid) -> tuple[int, int, tuple[int, int]]:
    """Enhanced pixels per class pixel, class pixels per enhanced pixel, and the first corner in class pixels."""
    if classes.gsd[0] <= ours.gsd[0] * 1.001:
        window = ours.nest(classes)
        return 1, int(window.height) // ours.height, (int(window.col_off), int(window.row_off))
    window = classes.nest(ours)
    if (window.height, window.width) != ours.shape:
        raise GridError(
            f"it covers rows {window.row_off} to {window.row_off + window.height} and columns {window.col_off} to "
            f"{window.col_off + window.width} of {ours.height} x {ours.width} pixels; expected all of them"
        )
    return int(window.height) // classes.height, 1, (0, 0)
