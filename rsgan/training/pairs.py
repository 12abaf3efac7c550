"""Pairs of reference and simulated observation; sample i depends on (seed, i) only."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch.utils.data import Dataset

from rsgan.errors import ConfigError
from rsgan.sensors.optical import Jitter, observe
from rsgan.sensors.procedural import draw_scene
from rsgan.sensors.statistics import band_scaling
from rsgan.training.batch import Pairs
from rsgan.training.config import TrainConfig
from rsgan.training.tiles import Tile

Number = TypeVar("Number", bound=np.generic)

CANDIDATES = 8
"""Positions tried for a chip without invalid pixels before the tile is given up for this sample."""
LOG_SPREAD_JITTER = 0.2
"""Standard deviation of the log of the spread's jitter: a scene's spread is not its chips'."""
LOG_GAIN_JITTER = 0.1
"""Standard deviation of the log of each band's gain: no band is known by its level."""


def simulate(reference: NDArray[np.float32], scale: int, jitter: Jitter, rng: torch.Generator) -> Pairs:
    """Observe one reference chip (C, H, W) and measure the scaling on what was observed."""
    truth = torch.from_numpy(reference)[None]
    seen = observe(truth, scale, jitter, rng)
    scaling = band_scaling(seen.observed[0].numpy())
    spread = _row(scaling.spread) * torch.exp(LOG_SPREAD_JITTER * torch.randn(1, len(reference), generator=rng))
    return Pairs(truth, seen.observed, seen.sigma, seen.noise, _row(scaling.centre), spread)


def _row(values: NDArray[np.floating]) -> torch.Tensor:
    """(C,) numbers as a (1, C) float32 tensor."""
    return torch.from_numpy(values.astype(np.float32))[None]


class PairDataset(Dataset[Pairs]):
    """Random chips and their observations; `len` is the number of samples of the whole run.

    Raises:
        ConfigError: no tile holds a chip.
    """

    def __init__(self, tiles: list[Tile], config: TrainConfig) -> None:
        size = config.training.chip_size
        self.tiles = [t for t in tiles if holds_chip(t.valid, size)]
        if not self.tiles:
            raise ConfigError(
                f"data: none of the {len(tiles)} training tiles holds a chip of training.chip_size {size} pixels "
                "without invalid ones. Give larger tiles or a smaller chip_size."
            )
        weights = np.array([t.weight for t in self.tiles], dtype=np.float64)
        self.shares = np.cumsum(weights / weights.sum())
        self.config = config
        self.jitter = Jitter(**config.sensor.model_dump())

    def __len__(self) -> int:
        training = self.config.training
        return training.faithful_samples + training.adversarial_samples

    def __getitem__(self, index: int) -> Pairs:
        rng = np.random.default_rng((self.config.seed, index))
        chip = self._procedural(rng) if rng.random() < self.config.data.procedural else self._crop(rng)
        chip = chip * np.exp(LOG_GAIN_JITTER * rng.standard_normal((len(chip), 1, 1))).astype(np.float32)
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        return simulate(np.ascontiguousarray(chip), self.config.generator.scale, self.jitter, generator)

    def _procedural(self, rng: np.random.Generator) -> NDArray[np.float32]:
        size = self.config.training.chip_size
        finer, _ = draw_scene(rng, (2 * size, 2 * size), self.config.model.gsd_m / self.config.generator.scale / 2)
        chip: NDArray[np.float32] = finer.reshape(len(finer), size, 2, size, 2).mean((2, 4))
        return chip

    def _crop(self, rng: np.random.Generator) -> NDArray[np.float32]:
        size = self.config.training.chip_size
        while True:
            tile = self.tiles[min(int(np.searchsorted(self.shares, rng.random())), len(self.tiles) - 1)]
            for _ in range(CANDIDATES):
                row, column = (int(rng.integers(n - size + 1)) for n in tile.valid.shape)
                rows, columns = slice(row, row + size), slice(column, column + size)
                if tile.valid[rows, columns].all():
                    return turn(tile.values[self._bands(tile, rng), rows, columns], int(rng.integers(8)))

    def _bands(self, tile: Tile, rng: np.random.Generator) -> slice:
        """All bands of a tile, or one at random for a model that takes any band."""
        if self.config.model.bands:
            return slice(None)
        band = int(rng.integers(len(tile.values)))
        return slice(band, band + 1)


def holds_chip(valid: NDArray[np.bool_], size: int) -> bool:
    """Whether a square of `size` pixels lies somewhere in (H, W) without an invalid one."""
    return bool(ndimage.minimum_filter(valid, size, mode="constant", cval=0).any())


def turn(chip: NDArray[Number], symmetry: int) -> NDArray[Number]:
    """One of the eight symmetries of the square, 0 <= symmetry < 8; (C, H, W) square."""
    turned = np.rot90(chip, symmetry % 4, axes=(1, 2))
    return turned[:, :, ::-1] if symmetry >= 4 else turned
