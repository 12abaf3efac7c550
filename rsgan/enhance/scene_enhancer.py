"""A generator bound to one scene: what it is told, and what it is measured by."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from rsgan.enhance.statistics import SceneStatistics
from rsgan.enhance.walk import Floats
from rsgan.errors import RsganError
from rsgan.nn.generators import Generator, SensorState
from rsgan.sensors.optical import degrade

Precision = Literal["float32", "bfloat16"]


@contextmanager
def _enough_memory(observed: Floats) -> Iterator[None]:
    """Say which flags help when memory does not suffice for a batch (N, C, h, w)."""
    try:
        yield
    except (MemoryError, torch.cuda.OutOfMemoryError) as error:
        n, _, height, width = observed.shape
        raise RsganError(
            f"not enough memory for {n} windows of {width} x {height} input pixels. Give a smaller --window or --batch."
        ) from error


@dataclass
class SceneEnhancer:
    """A generator bound to one scene: reflectance in, reflectance out, and the measured consistency.

    Attributes:
        generator: the network.
        statistics: of the scene.
        device: where to compute.
        precision: inside the network.
        consistency: whether the closing steps run.
        squares: sum of squared residuals of degrade(enhanced) - observed per band, so far.
        count: number of residuals per band, so far.
    """

    generator: Generator
    statistics: SceneStatistics
    device: torch.device
    precision: Precision = "float32"
    consistency: bool = True
    squares: NDArray[np.float64] = field(init=False)
    count: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        """Move the network to its device."""
        bands = len(self.statistics.noise)
        self.squares, self.count = np.zeros(bands), np.zeros(bands, dtype=np.int64)
        self.generator = self.generator.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def scale(self) -> int:
        """Output pixels per input pixel."""
        return self.generator.config.scale

    @property
    def halo(self) -> int:
        """Input pixels of context."""
        return self.generator.receptive_field

    @torch.inference_mode()
    def __call__(self, observed: Floats, inner: tuple[slice, slice], valid: NDArray[np.bool_]) -> Floats:
        """Enhance (N, C, h, w) reflectance and add to the consistency figure over the inner, valid pixels."""
        scaling, count = self.statistics.scaling, len(observed)
        seen = torch.from_numpy(scaling.to_network(observed)).to(self.device, memory_format=torch.channels_last)
        spread = torch.from_numpy(scaling.spread).float()
        sigma = torch.from_numpy(self.statistics.sigma).float().expand(count, -1).to(self.device)
        noise = (torch.from_numpy(self.statistics.noise).float() / spread).expand(count, -1).to(self.device)
        reduced = self.precision != "float32"
        with _enough_memory(observed), torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=reduced):
            enhanced = self.generator(seen, SensorState(sigma, noise), consistency=self.consistency)
        residual = (degrade(enhanced, sigma, self.scale) - seen).cpu().numpy()[:, :, inner[0], inner[1]]
        usable = valid[:, :, inner[0], inner[1]]
        squares = np.square(np.where(usable, residual, 0), dtype=np.float64)
        self.squares += squares.sum((0, 2, 3)) * scaling.spread**2
        self.count += usable.sum((0, 2, 3))
        return scaling.to_reflectance(enhanced.cpu().numpy().astype(np.float64)).astype(np.float32)

    @property
    def residual_rms(self) -> NDArray[np.float64]:
        """RMS of degrade(enhanced) - observed per band, reflectance; NaN for a band without a valid pixel."""
        return np.where(self.count > 0, np.sqrt(self.squares / np.maximum(self.count, 1)), np.nan)
