"""Pairs of reference and simulated observation; sample i depends on (seed, i) only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from operator import attrgetter

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from rsgan.catalogue import sensor
from rsgan.sensors.observation import Jitter, SensorDraw, draw_sensors, observe_with, with_estimation_errors
from rsgan.sensors.procedural import draw_scene
from rsgan.sensors.statistics import band_scaling
from rsgan.training.batch import Pairs
from rsgan.training.chips import ChipSampler, area_mean, batch_of_one, turn
from rsgan.training.config import TrainConfig
from rsgan.training.reweighting import COLOURS, TRIES, keeps
from rsgan.training.tiles import Tile

PROCEDURAL_SCENES = 80
"""Procedural scenes that a run draws its procedural chips from."""
PROCEDURAL_CHIPS = 3
"""Side of a procedural scene in chips."""


def simulate(truth: torch.Tensor, scale: int, draw: SensorDraw, jitter: Jitter, log_spread: torch.Tensor) -> Pairs:
    """Observe references (N, C, H, W) and measure the scaling on what was observed; log_spread (N, C) is its error."""
    seen = with_estimation_errors(observe_with(truth, scale, draw), draw, jitter.sigma)
    n, bands = truth.shape[:2]
    scaling = band_scaling(seen.observed.flatten(0, 1).numpy())
    centre, spread = (as_row(values).reshape(n, bands) for values in (scaling.centre, scaling.spread))
    return Pairs(truth, seen.observed, seen.sigma, seen.noise, centre, spread * torch.exp(log_spread))


def as_row(values: NDArray[np.floating]) -> torch.Tensor:
    """Put (C,) numbers into a (1, C) float32 tensor."""
    return batch_of_one(values.astype(np.float32))


class PairDataset(Dataset[Pairs]):
    """Random chips and their observations; `len` is the number of samples of the whole run.

    Attributes:
        weights: how often chips of each class of land cover are drawn, see `reweighting`; empty draws all alike.

    Raises:
        ConfigError: no tile holds a chip.
    """

    def __init__(self, tiles: list[Tile], config: TrainConfig) -> None:
        self.sampler = ChipSampler(tiles, config.training.chip_size, zoom=attrgetter("zoom"))
        self.config = config
        self.weights: Mapping[str, float] = {}
        self.jitter = Jitter(**config.sensor.model_dump())
        self.bands_missing = any(tile.known is not None for tile in tiles)

    @property
    def tiles(self) -> list[Tile]:
        """Those that hold a chip."""
        return self.sampler.tiles

    def __len__(self) -> int:
        return self.config.training.samples

    def __getitem__(self, index: int) -> Pairs:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Pairs]:
        """Draw samples and simulate their observations all at once: a list of one batch."""
        scale, drawn = self.config.generator.scale, [self._draw(index) for index in indices]
        references, known, sensors, spreads = zip(*drawn, strict=True)
        truth = torch.from_numpy(np.stack(references))
        pairs = simulate(truth, scale, SensorDraw.concatenated(sensors), self.jitter, torch.cat(spreads))
        if self.bands_missing:
            pairs = replace(pairs, known=torch.from_numpy(np.stack(known)).float())
        return [pairs]

    def _draw(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.bool_], SensorDraw, torch.Tensor]:
        """Reference (C, H, W), which of its bands are known (C,), sensor and error of the spread of one sample."""
        rng, data = np.random.default_rng((self.config.seed, index)), self.config.data
        known = np.ones(self.config.generator.bands, bool)
        if rng.random() < data.procedural:
            chip = self._procedural(rng)
        else:
            chip, known = self._crop(rng)
        count = (len(chip), 1, 1)
        gain = data.band_gain * rng.standard_normal(count) + data.gain * rng.standard_normal(1)
        chip = np.ascontiguousarray(chip * np.exp(gain).astype(np.float32))
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        scale = self.config.generator.scale
        observed = (1, len(chip), chip.shape[1] // scale, chip.shape[2] // scale)
        sensor_draw = draw_sensors(observed, scale, self.jitter, generator)
        return chip, known, sensor_draw, data.spread * torch.randn(1, len(chip), generator=generator)

    def _procedural(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """Cut a chip from one of a fixed number of procedural scenes, which are drawn once."""
        size = self.config.training.chip_size
        gsd_m = self.config.model.gsd_m / self.config.generator.scale
        scene = procedural_scene(self.config.seed, int(rng.integers(PROCEDURAL_SCENES)), PROCEDURAL_CHIPS * size, gsd_m)
        row, column = (int(rng.integers(side - size + 1)) for side in scene.shape[1:])
        return turn(scene[:, row : row + size, column : column + size], int(rng.integers(8)))

    def _crop(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        for _ in range(TRIES):
            tile, rows, columns = self.sampler.draw(rng)
            chip = tile.values[self._bands(tile, rng), rows, columns]
            if not self.weights or tile.known is not None or keeps(chip, self.colours, self.weights, rng):
                break
        known = np.ones(len(chip), bool) if tile.known is None else np.array(tile.known)
        chip = area_mean(chip, chip.shape[-1] / self.config.training.chip_size)
        return turn(fill_missing_bands(chip, known, rng), int(rng.integers(8))), known

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


@lru_cache(PROCEDURAL_SCENES)
def procedural_scene(seed: int, number: int, side: int, gsd_m: float) -> NDArray[np.float32]:
    """Draw one of the procedural scenes of a run, (C, side, side) reflectance; pixels are means of 2 x 2 finer ones."""
    finer, _ = draw_scene(np.random.default_rng((seed, number)), (2 * side, 2 * side), gsd_m / 2)
    scene: NDArray[np.float32] = finer.reshape(len(finer), side, 2, side, 2).mean((2, 4))
    return scene


def fill_missing_bands(
    chip: NDArray[np.float32], known: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Put a random mixture of the known bands (C, H, W) where a file holds none, so that no band is empty."""
    if known.all():
        return chip
    missing, held = np.flatnonzero(~known), chip[known]
    mixture = rng.dirichlet(np.ones(len(held)), len(missing)).astype(np.float32)
    chip = chip.copy()
    chip[missing] = np.tensordot(mixture, held, 1)
    return chip
