"""A method bound to one scene: what it is told, and what it is measured by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rsgan.enhance.batches import Floats, Inner, Made
from rsgan.enhance.statistics import SceneStatistics
from rsgan.errors import RsganError
from rsgan.nn.generators import Generator, Guide, SensorState
from rsgan.nn.precision import reduced
from rsgan.nn.symmetries import averaged_passes
from rsgan.nn.uncertainty import UncertaintyHead
from rsgan.sensors.optical import degrade

Precision = Literal["auto", "float32", "bfloat16"]
Symmetries = Literal[1, 2, 4, 8]


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
        head: network that tells how wrong pixels may be; None leaves that out.
        factor: what the head's standard errors are multiplied by.
        floor: reflectance that is added to them in square before that.
        stride: input pixels of which a chip begins at a multiple.
    """

    generator: Generator | None
    statistics: SceneStatistics
    device: torch.device
    scale: int
    halo: int
    precision: Precision = "float32"
    consistency: bool = True
    symmetries: Symmetries = 1
    head: UncertaintyHead | None = None
    factor: float = 1.0
    floor: float = 0.0
    stride: int = 1

    def __post_init__(self) -> None:
        """Move the network to its device."""
        if self.generator is not None:
            layout = {"device": self.device, "memory_format": torch.channels_last}
            self.generator = self.generator.to(**layout)  # type: ignore[call-overload]
        if self.head is not None:
            self.head = self.head.to(self.device)

    @torch.inference_mode()
    def __call__(self, observed: Floats, inner: Inner, valid: NDArray[np.bool_], guide: Floats | None = None) -> Made:
        """Enhance (N, C, h, w) reflectance; the figures are those of `consistency` over the inner, valid pixels."""
        scaling, count = self.statistics.scaling, len(observed)
        seen = torch.from_numpy(scaling.to_network(observed)).to(self.device, memory_format=torch.channels_last)
        spread = torch.from_numpy(scaling.spread).float()
        sigma = torch.from_numpy(self.statistics.sigma).float().expand(count, -1).to(self.device)
        noise = (torch.from_numpy(self.statistics.noise).float() / spread).expand(count, -1).to(self.device)
        with reduced(self.device, self.precision == "bfloat16"):
            finer = None if guide is None else self._guide(observed, guide)
            enhanced, doubt = self._enhanced(seen, SensorState(sigma, noise), finer)
        residual = (degrade(enhanced, sigma, self.scale) - seen).cpu().numpy()[:, :, inner[0], inner[1]]
        usable = valid[:, :, inner[0], inner[1]]
        squares = np.square(np.where(usable, residual, 0), dtype=np.float64)
        figures = {"squares": squares.sum((2, 3)) * scaling.spread**2, "count": usable.sum((2, 3))}
        error = None
        if self.head is not None:
            standard = self.head(enhanced, seen, doubt, noise).cpu().numpy() * scaling.spread[:, None, None]
            error = (self.factor * np.hypot(standard, self.floor)).astype(np.float32)
        return Made(scaling.to_reflectance(enhanced.cpu().numpy()), error, figures)

    def _enhanced(self, seen: Tensor, sensor: SensorState, guide: Guide | None) -> tuple[Tensor, Tensor]:
        """Enhanced batch and its spread over turned passes, network units."""
        if self.generator is not None:
            return averaged_passes(
                self.generator, seen, sensor, guide, passes=self.symmetries, consistency=self.consistency
            )
        if guide is None:
            raise RsganError("the linear method needs finer bands.")
        return guide.estimate, torch.zeros_like(guide.estimate)

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


def residual_rms(figures: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    """RMS of degrade(enhanced) - observed per band, reflectance, of summed figures; NaN without a valid pixel."""
    squares, count = figures["squares"], figures["count"]
    rms: NDArray[np.float64] = np.where(count > 0, np.sqrt(squares / np.maximum(count, 1)), np.nan)
    return rms
