"""Folders of images of one shape, read whole: their numbers, their classes, and which of them show one place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rsgan.catalogue import RGBN, RGBN_SENSOR, sensor
from rsgan.diagnose.logits import Progress
from rsgan.enhance.options import Reading
from rsgan.errors import BandError, ConfigError, InputError
from rsgan.geo import Grid, Scene
from rsgan.metrics.land_cover import INDICES, MIXED, index_classes

Floats = NDArray[np.float32]
SUFFIXES = (".tif", ".tiff", ".jp2", ".vrt")
"""Of files that are taken for images."""
MOST, MOST_NUMBERS = 4000, 2**28
"""Images of a folder, and numbers in them (1 GiB), beyond which some are drawn at random."""
NEAR = 4
"""Sides of an image within which two of them count as one place."""
Place = tuple[str, int, int]


@dataclass(frozen=True)
class Images:
    """What a folder holds.

    Attributes:
        paths: of the images.
        values: (N, C, H, W) reflectance, or numbers as stored.
        bands: names of the bands.
        places: where each lies, alike for those of one place; None where a file does not say.
        notes: what was left out, and why.
    """

    paths: tuple[Path, ...]
    values: Floats
    bands: tuple[str, ...]
    places: tuple[Place | None, ...]
    notes: tuple[str, ...]


def read_images(
    folder: Path, reading: Reading, *, reflectance: bool, seed: int, progress: Progress | None = None
) -> Images:
    """Read every image below a folder, or as many as memory allows.

    Args:
        folder: of georeferenced or plain rasters, in subfolders or not.
        reading: how the files are read.
        reflectance: whether blue, green, red and near infrared reflectance is wanted, or all bands as they are.
        seed: of the choice, where there are too many.
        progress: called with (images read, images in all).

    Raises:
        InputError: there is no image, or one has other bands or another shape than the first.
    """
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise InputError(f"{folder} holds no raster ({' '.join(SUFFIXES)}). Name the folder of the images.")
    wanted = RGBN if reflectance else None
    with reading.open([found[0]], wanted) as scene:
        bands, shape = scene.bands, (len(scene.bands), *scene.grid.shape)
    most = min(MOST, max(1, MOST_NUMBERS // int(np.prod(shape))))
    notes = []
    if len(found) > most:
        notes.append(f"{most} of the {len(found)} images of {folder} are judged, drawn at random")
        chosen = np.random.default_rng(seed).choice(len(found), most, replace=False)
        found = [found[place] for place in sorted(chosen)]
    paths, chips, places = [], [], []
    for number, path in enumerate(found, start=1):
        with reading.open([path], wanted) as scene:
            _refuse_another(scene, path, found[0], bands, shape)
            chip = scene.read(scene.grid.window)
            if chip.valid.all():
                paths.append(path)
                chips.append(chip.values)
                places.append(_place(scene.grid))
        if progress is not None:
            progress(number, len(found))
    if len(paths) < len(found):
        notes.append(f"{len(found) - len(paths)} images of {folder} have pixels without data and are left out")
    if not paths:
        raise InputError(f"every image of {folder} has pixels without data. Give whole ones.")
    return Images(tuple(paths), np.stack(chips), bands, tuple(places), tuple(notes))


def _refuse_another(scene: Scene, path: Path, first: Path, bands: tuple[str, ...], shape: tuple[int, ...]) -> None:
    found = (len(scene.bands), *scene.grid.shape)
    if found != shape:
        raise InputError(f"{path} is {_size(found)}, {first} {_size(shape)}; expected images of one shape.")
    if scene.bands != bands:
        raise InputError(
            f"{path} has bands {' '.join(scene.bands)}, {first} has {' '.join(bands)}. Choose with --bands."
        )


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[0]} bands of {shape[1]} x {shape[2]} pixels"


def _place(grid: Grid) -> Place | None:
    """The square of ground, of some sides of an image, in which it lies."""
    if not grid.has_transform:
        return None
    left, bottom, right, top = grid.bounds
    return (
        str(grid.crs),
        int((left + right) / 2 // (NEAR * (right - left))),
        int((bottom + top) / 2 // (NEAR * (top - bottom))),
    )


def blocks_of(both: Sequence[Images]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """A number for each place of both kinds; an image that does not say where it lies is one by itself."""
    names: dict[object, int] = {}
    found = [
        np.array(
            [
                names.setdefault((number, path) if place is None else place, len(names))
                for path, place in zip(images.paths, images.places, strict=True)
            ]
        )
        for number, images in enumerate(both)
    ]
    return found[0], found[1]


Classes = tuple[tuple[NDArray[np.int64], NDArray[np.int64]], dict[int, str]]
"""The class of each image of both kinds, and names of the classes."""


def classes_by_folder(folders: Sequence[Path], both: Sequence[Images]) -> Classes:
    """The class of each image, which its subfolder is called after; all are of class 0, "all", where there is none.

    Raises:
        ConfigError: some images lie in a subfolder and some do not.
    """
    called = [
        [path.relative_to(folder).parts[0] if path.parent != folder else "" for path in images.paths]
        for folder, images in zip(folders, both, strict=True)
    ]
    names = sorted({name for kind in called for name in kind})
    if "" in names and len(names) > 1:
        raise ConfigError(
            f"some images of {folders[0]} and {folders[1]} lie in a subfolder, which names their class, and some do "
            "not. Put all of them into one, or none."
        )
    numbers = {name: number for number, name in enumerate(names)}
    first, second = (np.array([numbers[name] for name in kind]) for kind in called)
    return (first, second), {number: name or "all" for name, number in numbers.items()}


def classes_by_indices(both: Sequence[Images], purity: float) -> Classes:
    """The class of each image by NDVI, NDWI and brightness of its pixels; mixed ones are a class of their own.

    Raises:
        BandError: there is no green, red and near infrared band.
    """
    known = sensor(RGBN_SENSOR).common_names(both[0].bands)
    if not {"green", "red", "nir"} <= set(known):
        raise BandError(f"--landcover indices needs green, red and nir; the images have {' '.join(both[0].bands)}.")
    found = []
    for images in both:
        green, red, nir = (images.values[:, known.index(name)] for name in ("green", "red", "nir"))
        pixels = index_classes(green, red, nir)
        shares = np.stack([(pixels == number).mean(axis=(1, 2)) for number in INDICES], axis=1)
        found.append(np.where(shares.max(1) >= purity, np.array(list(INDICES))[shares.argmax(1)], MIXED))
    return (found[0], found[1]), {**INDICES, MIXED: "mixed"}
