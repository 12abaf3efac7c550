"""Scenes without speckle, on which speckle is drawn: optical bands, means of many dates, pictures, made-up ground."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from skimage import color, data

from rsgan.errors import ConfigError
from rsgan.sensors.procedural.backscatter import draw_backscatter, draw_lattice
from rsgan.training.chips import CANDIDATES, chances, holds_chip, turn
from rsgan.training.despeckle.config import SyntheticData
from rsgan.training.tiles import OnDisk, Tile

Floats = NDArray[np.float32]

TEST_PHOTOGRAPHS = ("camera", "brick", "moon")
"""Pictures that the field tests on; nothing may be trained on them."""


def photograph(name: str) -> Floats:
    """A picture of scikit-image in grey, (H, W), 1 .. 255: the amplitude of a scene.

    Raises:
        ConfigError: there is no such picture, or it is one that the field tests on.
    """
    found = getattr(data, name, None)
    if name in TEST_PHOTOGRAPHS or found is None:
        why = "one that despecklers are tested on" if found is not None else "not a picture of skimage.data"
        raise ConfigError(f"data.photographs: '{name}' is {why}; leave it out.")
    picture = np.asarray(found())
    grey = picture if picture.ndim == 2 else 255 * color.rgb2gray(picture[..., :3])
    return np.asarray(np.maximum(grey, 1), np.float32)


@dataclass(frozen=True)
class CleanScenes:
    """Whatever chips of reference intensity can be cut from.

    Attributes:
        tiles: optical rasters.
        means: SAR rasters without speckle.
        photographs: pictures, (H, W) amplitude each.
        config: shares of each kind.
        size: side of a chip.
    """

    tiles: tuple[Tile, ...]
    means: tuple[Tile, ...]
    photographs: tuple[Floats, ...]
    config: SyntheticData
    size: int

    def draw(self, rng: np.random.Generator) -> Floats:
        """One chip of intensity around 1, (size, size)."""
        kind = rng.random()
        if kind < self.config.procedural:
            draw = draw_lattice if self.config.lattices > rng.random() else draw_backscatter
            return draw(rng, (self.size, self.size))
        if self.photographs and kind < self.config.procedural + self.config.photograph_share:
            picture = self.photographs[int(rng.integers(len(self.photographs)))]
            chip = self._cut(rng, picture[None], 0, None)
        else:
            chip, tiles = None, (*self.tiles, *self.means)
            while chip is None:
                number = int(rng.choice(len(tiles), p=self.chances))
                tile = tiles[number]
                band = int(rng.integers(len(tile.values)))
                chip = self._cut(rng, tile.values, band, tile.valid)
            if number >= len(self.tiles):
                return np.asarray(chip / chip.mean(), np.float32)
        return as_backscatter(rng, chip)  # type: ignore[arg-type]

    @cached_property
    def chances(self) -> NDArray[np.float64]:
        """Of the tiles and means, of sum 1."""
        return chances((*self.tiles, *self.means))

    def _cut(
        self, rng: np.random.Generator, values: Floats | OnDisk, band: int, valid: NDArray[np.bool_] | None
    ) -> Floats | None:
        """A turned chip, at its own pixel size or averaged to twice that; None where too little is valid."""
        largest = min(values.shape[1:]) // self.size
        coarsen = 2 if largest >= 2 and rng.random() < 0.35 else 1
        side = coarsen * self.size
        for _ in range(CANDIDATES):
            row, column = (int(rng.integers(n - side + 1)) for n in values.shape[1:])
            window = slice(row, row + side), slice(column, column + side)
            if valid is None or valid[window].all():
                chip = values[band : band + 1, window[0], window[1]]
                chip = chip.reshape(1, self.size, coarsen, self.size, coarsen).mean((2, 4))
                return np.asarray(turn(chip, int(rng.integers(8)))[0])
        return None


def as_backscatter(rng: np.random.Generator, chip: Floats) -> Floats:
    """Brightness (H, W) of any unit as intensity around 1, with a contrast that is drawn: amplitude or steeper."""
    low, high = np.quantile(chip, [0.01, 0.99])
    if high - low < 1e-6 * max(abs(high), 1e-6):
        return np.ones_like(chip)
    kept = 0.0 if rng.random() < 0.3 else rng.uniform(0, 1)  # of the brightness under the darkest pixels
    bright = (chip - low) / (high - low) + kept * max(low, 0.0) / (high - low)
    if rng.random() < 0.2:
        bright = bright.max() - bright
    bright = np.maximum(bright, 0) + np.exp(rng.uniform(np.log(4e-3), np.log(0.15)))
    power = bright ** (2.0 if rng.random() < 0.4 else rng.uniform(0.8, 3.0))
    return np.asarray(power / power.mean(), np.float32)


def clean_scenes(tiles: list[Tile], means: list[Tile], config: SyntheticData, size: int) -> CleanScenes:
    """Scenes of a config whose tiles were read.

    Raises:
        ConfigError: no tile holds a chip, or a picture is not there.
    """
    large, averaged = (tuple(tile for tile in some if holds_chip(tile.valid, size)) for some in (tiles, means))
    if not large and not averaged:
        raise ConfigError(
            f"data: none of the {len(tiles) + len(means)} training tiles holds a chip of training.chip_size {size} "
            "pixels without invalid ones. Give larger tiles or a smaller chip_size."
        )
    return CleanScenes(large, averaged, tuple(photograph(name) for name in config.photographs), config, size)
