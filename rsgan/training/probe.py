"""Fits the estimators of a scene's noise and point spread function that travel in the model's card."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from rsgan.card import ProbeCoefficients
from rsgan.sensors.observation import Jitter, observe
from rsgan.sensors.statistics import FEATURES, SMALLEST_PROBE, band_scaling, fit_probe, probe_features
from rsgan.training.chips import area_mean
from rsgan.training.config import TrainConfig
from rsgan.training.tiles import Tile

LARGEST = 160
"""Side of the largest observed chip that is looked at, input pixels; the smallest is `SMALLEST_PROBE`."""
ATTEMPTS = 20
"""Tries per simulated observation before the tiles are given up."""


def _observed(
    tile: Tile, config: TrainConfig, rng: np.random.Generator
) -> tuple[NDArray[np.float64], float, float] | None:
    """One simulated observation (C, h, w) of a random part of a tile, its sigma and noise; None if it has holes."""
    scale, zoom = config.generator.scale, tile.zoom[0]
    limit = int(min(min(tile.valid.shape) / zoom, LARGEST * scale)) // scale
    if limit < SMALLEST_PROBE:
        return None
    side = int(rng.integers(SMALLEST_PROBE, limit + 1)) * scale
    own = math.ceil(side * zoom - 1e-9)  # in the tile's pixels
    row, column = (int(rng.integers(n - own + 1)) for n in tile.valid.shape)
    if not tile.valid[row : row + own, column : column + own].all():
        return None
    bands = slice(None)
    if not config.model.bands:
        band = int(rng.integers(len(tile.values)))
        bands = slice(band, band + 1)
    chip = area_mean(tile.values[bands, row : row + own, column : column + own], own / side)
    part = torch.from_numpy(chip[None].copy())
    exact = {"band_sigma": 0.0, "misregistration": 0.0, "sigma_error": 0.0, "noise_error": 0.0}
    jitter = Jitter(**config.sensor.model_dump() | exact)
    seen = observe(part, scale, jitter, torch.Generator().manual_seed(int(rng.integers(2**62))))
    return seen.observed[0].double().numpy(), float(seen.sigma[0, 0]), float(seen.noise[0, 0])


def fit_scene_probe(tiles: list[Tile], config: TrainConfig, samples: int) -> ProbeCoefficients | None:
    """Simulate observations of the training tiles and regress their noise and sigma on what they show.

    Args:
        tiles: training tiles.
        config: of the run; gives the ranges of the sensor and the seed.
        samples: simulated observations.

    Returns:
        None where the tiles are too small or too full of holes for as many as there are features.
    """
    tiles = [tile for tile in tiles if tile.known is None]  # a band that a file lacks shows neither noise nor detail
    if not tiles:
        return None
    rng = np.random.default_rng((config.seed, 1))
    weights = np.array([tile.weight for tile in tiles])
    features: list[NDArray[np.floating]] = []
    ratios: list[NDArray[np.floating]] = []
    sigmas: list[NDArray[np.floating]] = []
    for _ in range(ATTEMPTS * samples):
        if len(sigmas) == samples:
            break
        found = _observed(tiles[int(rng.choice(len(tiles), p=weights / weights.sum()))], config, rng)
        if found is None:
            continue
        seen, sigma, noise = found
        spread = band_scaling(seen).spread
        whole = np.ones(seen.shape[1:], dtype=bool)
        features.append(probe_features(seen, whole, spread))
        ratios.append(noise / spread)
        sigmas.append(np.full(len(spread), sigma))
    if len(sigmas) < FEATURES:
        return None
    probe = fit_probe(np.concatenate(features), np.concatenate(ratios), np.concatenate(sigmas))
    values = {name: tuple(float(f"{v:.6g}") for v in getattr(probe, name)) for name in ProbeCoefficients.model_fields}
    return ProbeCoefficients(**values)
