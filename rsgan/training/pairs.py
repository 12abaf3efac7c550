"""Pairs of reference and simulated observation; sample i depends on (seed, i) only."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from rsgan.catalogue import sensor
from rsgan.sensors.optical import Jitter, observe
from rsgan.sensors.procedural import draw_scene
from rsgan.sensors.statistics import band_scaling
from rsgan.training.batch import Pairs
from rsgan.training.chips import ChipSampler, batch_of_one, turn
from rsgan.training.config import TrainConfig
from rsgan.training.reweighting import COLOURS, TRIES, keeps
from rsgan.training.tiles import Tile

LOG_SPREAD_JITTER = 0.2
"""Standard deviation of the log of the spread's jitter: a scene's spread is not its chips'."""
LOG_GAIN_JITTER = 0.1
"""Standard deviation of the log of each band's gain: no band is known by its level."""


def simulate(reference: NDArray[np.float32], scale: int, jitter: Jitter, rng: torch.Generator) -> Pairs:
    """Observe one reference chip (C, H, W) and measure the scaling on what was observed."""
    truth = batch_of_one(reference)
    seen = observe(truth, scale, jitter, rng)
    scaling = band_scaling(seen.observed[0].numpy())
    spread = as_row(scaling.spread) * torch.exp(LOG_SPREAD_JITTER * torch.randn(1, len(reference), generator=rng))
    return Pairs(truth, seen.observed, seen.sigma, seen.noise, as_row(scaling.centre), spread)


def as_row(values: NDArray[np.floating]) -> torch.Tensor:
    """(C,) numbers as a (1, C) float32 tensor."""
    return batch_of_one(values.astype(np.float32))


class PairDataset(Dataset[Pairs]):
    """Random chips and their observations; `len` is the number of samples of the whole run.

    Attributes:
        weights: how often chips of each class of land cover are drawn, see `reweighting`; empty draws all alike.

    Raises:
        ConfigError: no tile holds a chip.
    """

    def __init__(self, tiles: list[Tile], config: TrainConfig) -> None:
        self.sampler = ChipSampler(tiles, config.training.chip_size)
        self.config = config
        self.weights: Mapping[str, float] = {}
        self.jitter = Jitter(**config.sensor.model_dump())

    @property
    def tiles(self) -> list[Tile]:
        """Those that hold a chip."""
        return self.sampler.tiles

    def __len__(self) -> int:
        return self.config.training.samples

    def __getitem__(self, index: int) -> Pairs:
        rng = np.random.default_rng((self.config.seed, index))
        chip = self._procedural(rng) if rng.random() < self.config.data.procedural else self._crop(rng)
        chip = chip * np.exp(LOG_GAIN_JITTER * rng.standard_normal((len(chip), 1, 1))).astype(np.float32)
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        return simulate(chip, self.config.generator.scale, self.jitter, generator)

    def _procedural(self, rng: np.random.Generator) -> NDArray[np.float32]:
        size = self.config.training.chip_size
        finer, _ = draw_scene(rng, (2 * size, 2 * size), self.config.model.gsd_m / self.config.generator.scale / 2)
        chip: NDArray[np.float32] = finer.reshape(len(finer), size, 2, size, 2).mean((2, 4))
        return chip

    def _crop(self, rng: np.random.Generator) -> NDArray[np.float32]:
        for _ in range(TRIES):
            tile, rows, columns = self.sampler.draw(rng)
            chip = tile.values[self._bands(tile, rng), rows, columns]
            if not self.weights or keeps(chip, self.colours, self.weights, rng):
                break
        return turn(chip, int(rng.integers(8)))

    @property
    def colours(self) -> list[int]:
        """Channels of the bands that tell classes."""
        names = sensor(self.config.model.sensor).common_names(self.config.model.bands)
        return [names.index(colour) for colour in COLOURS]

    def _bands(self, tile: Tile, rng: np.random.Generator) -> slice:
        """All bands of a tile, or one at random for a model that takes any band."""
        if self.config.model.bands:
            return slice(None)
        band = int(rng.integers(len(tile.values)))
        return slice(band, band + 1)
