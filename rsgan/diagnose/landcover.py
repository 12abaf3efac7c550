"""The class of every patch: from a map of land cover, or from indices of the observed bands."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from rsgan.catalogue import sensor
from rsgan.diagnose.ground import Ground
from rsgan.errors import BandError, ConfigError
from rsgan.geo import Window
from rsgan.geo.classes import read_classes
from rsgan.metrics.land_cover import INDICES, MIXED, index_classes, patch_classes

PURITY = 0.7
"""Share of a patch that its class has to have."""

LEGENDS: Mapping[str, Mapping[int, str]] = {
    "worldcover": {
        10: "tree cover", 20: "shrubland", 30: "grassland", 40: "cropland", 50: "built-up",
        60: "bare or sparse vegetation", 70: "snow and ice", 80: "permanent water", 90: "herbaceous wetland",
        95: "mangroves", 100: "moss and lichen",
    },
    "dynamic-world": {
        0: "water", 1: "trees", 2: "grass", 3: "flooded vegetation", 4: "crops", 5: "shrub and scrub", 6: "built",
        7: "bare", 8: "snow and ice",
    },
    "nlcd": {
        11: "open water", 12: "perennial ice or snow", 21: "developed, open space", 22: "developed, low intensity",
        23: "developed, medium intensity", 24: "developed, high intensity", 31: "barren land", 41: "deciduous forest",
        42: "evergreen forest", 43: "mixed forest", 51: "dwarf scrub", 52: "shrub or scrub",
        71: "grassland, herbaceous", 72: "sedge, herbaceous", 73: "lichens", 74: "moss", 81: "pasture or hay",
        82: "cultivated crops", 90: "woody wetlands", 95: "emergent herbaceous wetlands",
    },
    "corine": {
        111: "continuous urban fabric", 112: "discontinuous urban fabric", 121: "industrial or commercial units",
        122: "road and rail networks", 123: "port areas", 124: "airports", 131: "mineral extraction sites",
        132: "dump sites", 133: "construction sites", 141: "green urban areas", 142: "sport and leisure facilities",
        211: "non-irrigated arable land", 212: "permanently irrigated land", 213: "rice fields", 221: "vineyards",
        222: "fruit trees and berry plantations", 223: "olive groves", 231: "pastures",
        241: "annual with permanent crops", 242: "complex cultivation patterns",
        243: "agriculture with natural vegetation", 244: "agro-forestry areas", 311: "broad-leaved forest",
        312: "coniferous forest", 313: "mixed forest", 321: "natural grassland", 322: "moors and heathland",
        323: "sclerophyllous vegetation", 324: "transitional woodland-shrub", 331: "beaches, dunes, sands",
        332: "bare rock", 333: "sparsely vegetated areas", 334: "burnt areas", 335: "glaciers and perpetual snow",
        411: "inland marshes", 412: "peat bogs", 421: "salt marshes", 422: "salines", 423: "intertidal flats",
        511: "water courses", 512: "water bodies", 521: "coastal lagoons", 522: "estuaries", 523: "sea and ocean",
    },
}  # fmt: skip
"""Names of known legends by code. Sources: ESA WorldCover product user manual v2.0; Brown et al. 2022,
doi:10.1038/s41597-022-01307-4 (Dynamic World); MRLC, NLCD legend; CORINE land cover nomenclature, level 3."""

TELLING = ("worldcover", "nlcd", "corine")
"""Legends whose codes no own legend is likely to have; counting from 0 or 1, as Dynamic World does, is usual."""


@dataclass(frozen=True)
class Landcover:
    """The class of every patch.

    Attributes:
        classes: (rows, columns) class numbers, `MIXED` where none has enough of the patch.
        names: of the classes, by number.
        source: in words.
    """

    classes: NDArray[np.int64]
    names: Mapping[int, str]
    source: str

    def name_of(self, number: int) -> str:
        """What a class is called."""
        return self.names.get(number, f"class {number}")


def of_map(ground: Ground, path: str | Path, legend: str | None = None, purity: float = PURITY) -> Landcover:
    """From a raster of classes, by majority within each patch.

    Args:
        ground: whose patches are wanted.
        path: raster of one band of whole numbers, in any CRS.
        legend: name of a known legend, or a CSV file of number,name; None finds it out by the codes.
        purity: share of a patch that its class has to have.

    Raises:
        RsganError: one of its children says what is wrong with the map or the legend.
    """
    found = read_classes(str(path), ground.grid)
    name, names = _legend(legend, found.numbers)
    side = max(1, round(ground.geometry.side / ground.geometry.stride))
    shares = ndimage.uniform_filter(found.shares, (0, side, side), mode="nearest")
    first = shares.argmax(axis=0)
    numbers = np.array(found.numbers)[first]
    classes = np.where(shares.max(axis=0) >= purity, numbers, MIXED)
    return Landcover(classes, {n: names.get(n, f"class {n}") for n in found.numbers}, f"{path}{name}")


def _legend(legend: str | None, numbers: tuple[int, ...]) -> tuple[str, Mapping[int, str]]:
    """Which legend is meant, in words, and its names."""
    if legend is None:
        fitting = [name for name in TELLING if len(numbers) > 1 and set(numbers) <= set(LEGENDS[name])]
        if len(fitting) == 1:
            return f", legend {fitting[0]} by its codes", LEGENDS[fitting[0]]
        return "", {}
    if legend in LEGENDS:
        unknown = sorted(set(numbers) - set(LEGENDS[legend]))
        if unknown:
            raise ConfigError(f"--legend {legend} has no {unknown[0]}, which the map holds. Give another legend.")
        return f", legend {legend}", LEGENDS[legend]
    if not Path(legend).is_file():
        raise ConfigError(f"--legend {legend}: neither a file nor one of {', '.join(LEGENDS)}.")
    return f", legend {legend}", read_legend(Path(legend))


def read_legend(path: Path) -> Mapping[int, str]:
    """Names by number from a CSV file of two columns, with or without a head.

    Raises:
        ConfigError: a line holds no number and name.
    """
    names = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"--legend {path} cannot be read ({error}). Expected lines of number,name.") from error
    for line, row in enumerate(rows, start=1):
        if len(row) >= 2 and row[0].strip().lstrip("-").isdecimal():
            names[int(row[0])] = row[1].strip()
        elif line > 1:
            raise ConfigError(f"--legend {path}, line {line}: found '{','.join(row)}'; expected number,name.")
    if not names:
        raise ConfigError(f"--legend {path} has no line of number,name.")
    return names


def of_indices(ground: Ground, sensor_name: str, purity: float = PURITY) -> Landcover:
    """From NDVI, NDWI and brightness of the observed bands: coarse classes where no map is at hand.

    Args:
        ground: whose patches are wanted.
        sensor_name: whose band names are meant.
        purity: share of a patch that its class has to have.

    Raises:
        BandError: the scene has no green, red and near infrared band of those names.
    """
    scene, names = ground.observed, ("green", "red", "nir")
    known = sensor(sensor_name).common_names(scene.bands)
    if not set(names) <= set(known):
        raise BandError(f"--landcover indices needs {', '.join(names)}; {scene.name} has {' '.join(scene.bands)}.")
    pixels = np.zeros(scene.grid.shape, np.uint8)
    for top in range(0, scene.grid.height, 512):
        chip = scene.read(Window(0, top, scene.grid.width, min(512, scene.grid.height - top)))
        green, red, nir = (chip.values[known.index(name)] for name in names)
        pixels[top : top + len(green)] = index_classes(green, red, nir, np.asarray(chip.valid.all(axis=0)))
    return of_pixels(ground, pixels, INDICES, f"NDVI, NDWI and brightness of {scene.name}", purity)


def of_pixels(
    ground: Ground, pixels: NDArray[np.uint8], names: Mapping[int, str], source: str, purity: float
) -> Landcover:
    """From the classes of all observed pixels, 0 where there is none, by majority within each patch."""
    step, side = ground.geometry.stride / ground.scale, max(1, round(ground.geometry.side / ground.scale))
    rows, columns = (((np.arange(count) + 0.5) * step).astype(np.int64) for count in ground.shape)
    return Landcover(patch_classes(pixels, tuple(names), side, (rows, columns), purity), names, source)
