"""A method bound to one scene: what it is told, and what it is measured by."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rsgan.enhance.statistics import SceneStatistics
from rsgan.enhance.walk import Floats
from rsgan.errors import RsganError
from rsgan.nn.generators import Generator, Guide, SensorState
from rsgan.sensors.optical import degrade

Precision = Literal["float32", "bfloat16"]
Symmetries = Literal[1, 2, 4, 8]
TURNS = (
    (False, ()),
    (False, (2, 3)),
    (True, ()),
    (True, (2, 3)),
    (False, (2,)),
    (False, (3,)),
    (True, (2,)),
    (True, (3,)),
)
"""The symmetries of the square as (transpose, axes to flip afterwards); each beginning of 1, 2, 4 or 8 is a group."""


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
    """A method bound to one scene: reflectance in, reflectance out, and the measured consistency.

    Attributes:
        generator: the network; None leaves it at the linear injection of the scene's statistics.
        statistics: of the scene.
        device: where to compute.
        scale: output pixels per input pixel.
        halo: input pixels that an output pixel can depend on, to each side.
        precision: inside the network.
        consistency: whether the closing steps run.
        symmetries: turned and mirrored passes that are averaged; each costs as much as the first.
        squares: sum of squared residuals of degrade(enhanced) - observed per band, so far.
        count: number of residuals per band, so far.
    """

    generator: Generator | None
    statistics: SceneStatistics
    device: torch.device
    scale: int
    halo: int
    precision: Precision = "float32"
    consistency: bool = True
    symmetries: Symmetries = 1
    squares: NDArray[np.float64] = field(init=False)
    count: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        """Move the network to its device."""
        bands = len(self.statistics.noise)
        self.squares, self.count = np.zeros(bands), np.zeros(bands, dtype=np.int64)
        if self.generator is not None:
            layout = {"device": self.device, "memory_format": torch.channels_last}
            self.generator = self.generator.to(**layout)  # type: ignore[call-overload]

    @torch.inference_mode()
    def __call__(
        self, observed: Floats, inner: tuple[slice, slice], valid: NDArray[np.bool_], guide: Floats | None = None
    ) -> Floats:
        """Enhance (N, C, h, w) reflectance and add to the consistency figure over the inner, valid pixels."""
        scaling, count = self.statistics.scaling, len(observed)
        seen = torch.from_numpy(scaling.to_network(observed)).to(self.device, memory_format=torch.channels_last)
        spread = torch.from_numpy(scaling.spread).float()
        sigma = torch.from_numpy(self.statistics.sigma).float().expand(count, -1).to(self.device)
        noise = (torch.from_numpy(self.statistics.noise).float() / spread).expand(count, -1).to(self.device)
        reduced = self.precision != "float32"
        with _enough_memory(observed), torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=reduced):
            finer = None if guide is None else self._guide(observed, guide)
            enhanced = self._averaged(seen, SensorState(sigma, noise), finer)
        residual = (degrade(enhanced, sigma, self.scale) - seen).cpu().numpy()[:, :, inner[0], inner[1]]
        usable = valid[:, :, inner[0], inner[1]]
        squares = np.square(np.where(usable, residual, 0), dtype=np.float64)
        self.squares += squares.sum((0, 2, 3)) * scaling.spread**2
        self.count += usable.sum((0, 2, 3))
        return scaling.to_reflectance(enhanced.cpu().numpy().astype(np.float64)).astype(np.float32)

    def _guide(self, observed: Floats, guide: Floats) -> Guide:
        """The guide and what the scene's linear law makes of it, in network units."""
        statistics = self.statistics
        if statistics.guide is None or statistics.injection is None:
            raise RsganError("finer bands were given to a method that takes none.")
        law = statistics.injection if self.consistency else replace(statistics.injection, steps=0)
        with torch.autocast(self.device.type, enabled=False):
            arrays = [torch.from_numpy(values).to(self.device) for values in (observed, guide)]
            estimate = law.to(self.device, torch.float32)(*arrays)
        units = statistics.guide.to_network(guide), statistics.scaling.to_network(estimate.cpu().numpy())
        return Guide(*(torch.from_numpy(values).to(self.device) for values in units))

    def _averaged(self, seen: Tensor, sensor: SensorState, guide: Guide | None) -> Tensor:
        """Mean over turned and mirrored passes, turned back: land has no up, so what differs between them is error.

        Source: geometric self-ensemble, Timofte et al. 2016, arXiv:1511.02228, section 3.4.
        """
        if self.generator is None and guide is not None:
            return guide.estimate
        total = torch.zeros(())
        for transpose, axes in TURNS[: self.symmetries]:
            turned = None if guide is None else Guide(*(_turn(x, transpose, axes) for x in vars(guide).values()))
            enhanced = self._pass(_turn(seen, transpose, axes), sensor, turned).flip(axes)
            total = total.to(enhanced) + (enhanced.transpose(2, 3) if transpose else enhanced)
        return total / self.symmetries

    def _pass(self, seen: Tensor, sensor: SensorState, guide: Guide | None) -> Tensor:
        """One pass of the network; one that takes a single band sees the bands one by one, as a batch."""
        if self.generator is None:
            raise RsganError("the linear method needs finer bands.")
        n, bands, height, width = seen.shape
        if self.generator.config.bands != bands:
            seen, sensor = seen.reshape(n * bands, 1, height, width), sensor.one_by_one()
        enhanced: Tensor = self.generator(seen, sensor, guide, consistency=self.consistency)
        return enhanced.reshape(n, bands, height * self.scale, width * self.scale)

    @property
    def residual_rms(self) -> NDArray[np.float64]:
        """RMS of degrade(enhanced) - observed per band, reflectance; NaN for a band without a valid pixel."""
        return np.where(self.count > 0, np.sqrt(self.squares / np.maximum(self.count, 1)), np.nan)


def _turn(values: Tensor, transpose: bool, axes: tuple[int, ...]) -> Tensor:
    return (values.transpose(2, 3) if transpose else values).flip(axes)
