"""Pairs of a scene without speckle and the same with drawn speckle; sample i depends on (seed, i) only."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from rsgan.sensors.procedural.backscatter import draw_lines, draw_points
from rsgan.sensors.sar import add_noise_floor, add_point, draw_speckle, looks_before_averaging
from rsgan.training.despeckle.batch import SpecklePairs
from rsgan.training.despeckle.config import DespeckleConfig, SpeckleRanges
from rsgan.training.despeckle.scenes import CleanScenes

Floats = NDArray[np.float32]

LEVEL_JITTER = 0.7
"""Standard deviation of (a scene's median log-intensity - that of its chips)."""


class SyntheticDataset(Dataset[SpecklePairs]):
    """Random chips with drawn speckle; `len` is the number of samples of the whole run."""

    def __init__(self, scenes: CleanScenes, config: DespeckleConfig) -> None:
        self.scenes, self.config = scenes, config

    def __len__(self) -> int:
        return self.config.training.samples

    def __getitem__(self, index: int) -> SpecklePairs:
        rng, ranges = np.random.default_rng((self.config.seed, index)), self.config.speckle
        reference = self.scenes.draw(rng)
        if rng.random() < ranges.lines:
            reference = np.exp(draw_lines(rng, np.log(reference), most=3))
        reference = add_noise_floor(reference, rng.uniform(*ranges.floor_db))
        looks, correlation, averaged = draw_law(rng, ranges)
        observed = reference * draw_speckle(rng, reference.shape, looks, correlation, averaged)
        if rng.random() < ranges.points:
            power, phase = draw_points(rng, reference)
            observed, reference = add_point(observed, power, phase), reference + power
        fresh = draw_speckle(rng, reference.shape, looks, correlation, averaged)
        valid = draw_holes(rng, reference.shape) if rng.random() < ranges.holes else np.ones(reference.shape, bool)
        told = looks * np.exp(ranges.looks_error * rng.standard_normal())
        rho = np.clip(np.array(correlation) + ranges.correlation_error * rng.standard_normal(2), 0, 1)
        return as_pairs(reference, observed, valid, fresh, told, rho, level=LEVEL_JITTER * rng.standard_normal())


def draw_law(rng: np.random.Generator, ranges: SpeckleRanges) -> tuple[float, tuple[float, float], tuple[int, int]]:
    """Looks and correlation of one chip, and how many neighbours were averaged along each axis."""
    low, high = np.log(ranges.looks)
    looks = ranges.looks[0] if rng.random() < ranges.single else float(np.exp(rng.uniform(low, high)))
    if rng.random() >= ranges.correlated:
        return looks, (0.0, 0.0), (1, 1)
    first = rng.uniform(*ranges.correlation)
    second = first if rng.random() < 0.4 else rng.uniform(*ranges.correlation)
    looks, correlation = max(looks, 1.0), (float(first), float(second))
    if ranges.averaged and rng.random() < ranges.averaged:
        most = [int(1 / (1 - rho)) for rho in correlation]
        averaged = (int(rng.integers(most[0])) + 1, int(rng.integers(most[1])) + 1)
        if looks_before_averaging(looks, correlation, averaged) >= 1:
            return looks, correlation, averaged
    return looks, correlation, (1, 1)


def draw_holes(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Valid pixels (H, W) beside a slanted border, a rectangle or scattered holes."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    kind = rng.random()
    if kind < 0.4:
        angle = rng.uniform(0, 2 * np.pi)
        side = (rows / shape[0] - 0.5) * np.sin(angle) + (columns / shape[1] - 0.5) * np.cos(angle)
        return np.asarray(side < rng.uniform(-0.1, 0.5))
    if kind < 0.7:
        high, wide = (int(rng.integers(2, n // 2)) for n in shape)
        top, left = int(rng.integers(shape[0] - high)), int(rng.integers(shape[1] - wide))
        return np.asarray(~((rows >= top) & (rows < top + high) & (columns >= left) & (columns < left + wide)))
    scattered: NDArray[np.bool_] = rng.random(shape) > rng.uniform(0, 0.1)
    return scattered


def as_pairs(
    reference: Floats,
    observed: Floats,
    valid: NDArray[np.bool_],
    fresh: Floats,
    looks: float,
    correlation: NDArray[np.floating],
    *,
    level: float = 0.0,
    clean: bool = True,
) -> SpecklePairs:
    """A batch of one chip from intensities (H, W), relative to the median of the observed one and `level`."""
    usable = observed[valid]
    median = float(np.log(np.median(usable))) if usable.size else 0.0
    logs = [np.log(np.maximum(values, 1e-12)) for values in (reference, observed, fresh)]
    first, second, third = (torch.from_numpy(values.astype(np.float32))[None, None] for values in logs)
    return SpecklePairs(
        reference=first - (median + level),
        observed=second - (median + level),
        valid=torch.from_numpy(valid.astype(np.float32))[None, None],
        looks=torch.tensor([looks], dtype=torch.float32),
        correlation=torch.from_numpy(np.asarray(correlation, np.float32))[None],
        fresh=third,
        clean=torch.tensor([float(clean)]),
    )
