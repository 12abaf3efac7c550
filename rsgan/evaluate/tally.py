"""What the walk over the windows adds up: everything that is a sum, and a small map of where the errors are."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rsgan.catalogue import sensor
from rsgan.errors import InputError
from rsgan.evaluate.options import Options
from rsgan.evaluate.rasters import NO_CLASS, Bools, Floats, Rasters
from rsgan.evaluate.views import View, step_side, walked
from rsgan.metrics.coverage import CoverageCounts, half_widths
from rsgan.metrics.sums import IndexSums, Sums

INDICES = {"NDVI": ("nir", "red"), "NDWI": ("green", "nir")}
"""Normalised indices by common names of their bands P and N. Source: NDVI, Rouse et al. 1974; NDWI of open water,
McFeeters, The use of the normalized difference water index in the delineation of open water features, IJRS 17, 1996."""

MOST_CLASSES = 256
"""More classes than this are no land cover."""
TILE_SIDE = 128
"""Side in enhanced pixels, at most, of the places that are compared with one another."""
MAP_SIDE = 640
"""Longest side in pixels, about, of the map of errors."""


def fits_two_sensors(bands: tuple[str, ...]) -> bool:
    """Whether the names may be those of Sentinel-2, where B08 is near infrared, and of Landsat, where it is pan."""
    return {"B05", "B08"} <= set(bands) and not {"B8A", "B12"} & set(bands)


def index_bands(bands: tuple[str, ...], sensor_name: str) -> dict[str, tuple[int, int]]:
    """Where the two bands of each index are, for those that are there."""
    common = {band.common_name: band.name for band in sensor(sensor_name).bands}
    if "nir" not in common and "nir08" in common:
        common["nir"] = common["nir08"]
    wanted = {name: tuple(common.get(colour) for colour in pair) for name, pair in INDICES.items()}
    return {name: (bands.index(p), bands.index(n)) for name, (p, n) in wanted.items() if p in bands and n in bands}


@dataclass(frozen=True)
class Ranges:
    """What values an image holds, per band.

    Attributes:
        lowest: (C,) smallest valid value; inf without one.
        highest: (C,) largest valid value; -inf without one.
        total: (C,) sum of the valid values.
        valid: (C,) how many these are.
        negative: (C,) how many are below 0.
        above_one: (C,) how many are above 1.
        pixels: All pixels, valid or not.
    """

    lowest: Floats
    highest: Floats
    total: Floats
    valid: Floats
    negative: Floats
    above_one: Floats
    pixels: int

    @classmethod
    def of(cls, values: Floats, valid: Bools) -> Ranges:
        """Of one window, (C, H, W)."""
        axes = (1, 2)
        return cls(
            values.min(axis=axes, where=valid, initial=np.inf),
            values.max(axis=axes, where=valid, initial=-np.inf),
            values.sum(axis=axes, where=valid, dtype=np.float64),
            valid.sum(axis=axes).astype(np.float64),
            (valid & (values < 0)).sum(axis=axes).astype(np.float64),
            (valid & (values > 1)).sum(axis=axes).astype(np.float64),
            valid[0].size,
        )

    def __add__(self, other: Ranges) -> Ranges:
        return Ranges(
            np.minimum(self.lowest, other.lowest),
            np.maximum(self.highest, other.highest),
            self.total + other.total,
            self.valid + other.valid,
            self.negative + other.negative,
            self.above_one + other.above_one,
            self.pixels + other.pixels,
        )


class ErrorMap:
    """Mean squared error in blocks of pixels, for a picture and to find places.

    Attributes:
        block: Side of a block in enhanced pixels.
        squared: (rows, columns) sum of squared errors of the enhanced image.
        count: (rows, columns) values that these are.
    """

    def __init__(self, shape: tuple[int, int], block: int) -> None:
        self.block = block
        size = tuple(-(-length // block) for length in shape)
        self.squared: NDArray[np.float64] = np.zeros(size)
        self.count: NDArray[np.float64] = np.zeros(size)

    def add(self, top: int, left: int, squared: NDArray[np.float64], count: NDArray[np.float64]) -> None:
        """Add a window that starts at a multiple of the block, (H, W) sums over the bands of each pixel."""
        row, column = top // self.block, left // self.block
        for total, part in ((self.squared, squared), (self.count, count)):
            blocks = _block_sums(part, self.block)
            total[row : row + blocks.shape[0], column : column + blocks.shape[1]] += blocks

    def rmse(self) -> NDArray[np.float64]:
        """Root mean squared error of each block; nan where nothing is valid."""
        mean = np.divide(self.squared, self.count, out=np.full(self.count.shape, np.nan), where=self.count > 0)
        root: NDArray[np.float64] = np.sqrt(mean)
        return root


def _block_sums(values: NDArray[np.float64], block: int) -> NDArray[np.float64]:
    rows = np.add.reduceat(values, np.arange(0, values.shape[0], block), axis=0)
    return np.asarray(np.add.reduceat(rows, np.arange(0, values.shape[1], block), axis=1))


def _stated_factor(rasters: Rasters) -> float | None:
    """Standard errors that hold 95 %, as `rsgan superres --uncertainty` states them; None for another raster."""
    stated = None if rasters.uncertainty is None else rasters.uncertainty.scene.tags.get("RSGAN_FACTOR_95")
    try:
        return None if stated is None else float(stated)
    except ValueError:
        return None


class Tally:
    """Sums over the whole raster; `add` takes one window after the other.

    Attributes:
        against_reference: Sums of the enhanced and the bicubic image against the reference.
        against_observed: Sums of both, degraded, against the observed image.
        indices: By image and index.
        classes: By image and class.
        ranges: Of the enhanced image.
        coverage: Of the stated uncertainty.
        valid: Pixels that all rasters have in every band; of each raster, the values (pixels times bands).
        map: Of the errors, for a picture.
        tiles: Of the errors, of the places that are compared.
    """

    def __init__(self, rasters: Rasters, options: Options) -> None:
        bands = len(rasters.bands)
        unclear = options.sensor is None and fits_two_sensors(rasters.bands)
        self._indices = {} if unclear else index_bands(rasters.bands, options.sensor_name)
        self._class_path = "" if rasters.land_cover is None else rasters.land_cover.path
        self.against_reference: dict[str, Sums] = defaultdict(lambda: Sums.none(bands))
        self.against_observed: dict[str, Sums] = defaultdict(lambda: Sums.none(bands))
        self.indices: dict[tuple[str, str], IndexSums] = defaultdict(IndexSums)
        self.classes: dict[tuple[str, int], Sums] = defaultdict(lambda: Sums.none(bands))
        self.ranges: Ranges | None = None
        self.coverage: CoverageCounts | None = None
        self._widths = half_widths(_stated_factor(rasters))
        self.valid: Counter[str] = Counter()
        self.map = ErrorMap(rasters.grid.shape, _map_block(rasters))
        self.tiles = ErrorMap(rasters.grid.shape, tile_side(rasters))

    def add(self, view: View) -> None:
        """Add one window.

        Raises:
            InputError: The land cover has too many classes to be one.
        """
        ranges = Ranges.of(view.images["enhanced"], view.enhanced_valid)
        self.ranges = ranges if self.ranges is None else self.ranges + ranges
        self.valid["used"] += int(view.valid.sum())
        self.valid["enhanced"] += int(view.enhanced_valid.sum())
        self.valid["all"] += view.valid.size
        if view.coarse is not None:
            for name, image in view.coarse.degraded.items():
                self.against_observed[name] += Sums.of(image, view.coarse.observed, view.coarse.valid)
        if view.reference is not None:
            self._add_reference(view, view.reference)
        self._add_errors(view)

    def _add_reference(self, view: View, reference: Floats) -> None:
        for name, image in view.images.items():
            self.against_reference[name] += Sums.of(image, reference, view.valid)
            for index, pair in self._indices.items():
                bands = list(pair)
                self.indices[name, index] += IndexSums.of(image[bands], reference[bands], view.valid[bands])
        if view.classes is not None:
            self._add_classes(view, reference, view.classes)
        if view.sigma is not None and view.sigma_valid is not None and view.gradient is not None:
            error = view.images["enhanced"].astype(np.float64) - reference
            counts = CoverageCounts.of(error, view.sigma, view.gradient, view.sigma_valid, self._widths)
            self.coverage = counts if self.coverage is None else self.coverage + counts

    def _add_classes(self, view: View, reference: Floats, classes: NDArray[np.int64]) -> None:
        for number in np.unique(classes[view.valid.any(axis=0)]).tolist():
            if number == NO_CLASS:
                continue
            for name, image in view.images.items():
                self.classes[name, number] += Sums.of(image, reference, view.valid & (classes == number))
        if len({number for _, number in self.classes}) > MOST_CLASSES:
            raise InputError(
                f"--landcover {self._class_path} holds more than {MOST_CLASSES} classes; expected a raster of land "
                f"cover, with a whole number per class."
            )

    def _add_errors(self, view: View) -> None:
        """Against the reference, else against what was observed, each observed pixel for all enhanced ones in it."""
        if view.reference is not None:
            left, right, valid, repeats = view.images["enhanced"], view.reference, view.valid, 1
        elif view.coarse is not None:
            left, right, valid = view.coarse.degraded["enhanced"], view.coarse.observed, view.coarse.valid
            repeats = view.valid.shape[1] // valid.shape[1]
        else:
            return
        squared = np.where(valid, (left.astype(np.float64) - right) ** 2, 0.0).sum(axis=0)
        count = valid.sum(axis=0).astype(np.float64)
        parts = [part.repeat(repeats, axis=0).repeat(repeats, axis=1) for part in (squared, count)]
        for each in (self.map, self.tiles):
            each.add(int(view.window.row_off), int(view.window.col_off), *parts)


def tile_side(rasters: Rasters) -> int:
    """Side in enhanced pixels of the places that are compared; it divides the windows of the walk."""
    whole = max(1, TILE_SIDE // rasters.scale)
    return int(min(2 ** int(np.log2(whole)), step_side(rasters))) * rasters.scale


def _map_block(rasters: Rasters) -> int:
    """Side in enhanced pixels of the blocks of the map: 1, else the least that is small enough."""
    if max(rasters.grid.shape) <= MAP_SIDE:
        return 1
    block = 1
    while max(walked(rasters)) > block * MAP_SIDE and block < step_side(rasters):
        block *= 2
    return block * rasters.scale
