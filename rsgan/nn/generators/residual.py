"""Residual generator for optical super-resolution, conditioned on the sensor and bound to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional

from rsgan.nn.precision import full
from rsgan.sensors.optical import consistent, kernel_reach

BICUBIC_REACH = 2
"""Input pixels that bicubic interpolation looks to each side."""


class ResidualGeneratorConfig(BaseModel):
    """Architecture of `ResidualGenerator`.

    Attributes:
        bands: number of spectral bands, in and out.
        guides: number of bands on the output's grid that guide the others; 0 for none.
        scale: output pixels per input pixel.
        channels: width of the body.
        blocks: residual blocks in the body.
        consistency_steps: unrolled steps of the consistency layer at the end.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["residual"] = "residual"
    bands: int = Field(ge=1, le=1024)
    guides: int = Field(default=0, ge=0, le=1024)
    scale: int = Field(ge=1, le=16)
    channels: int = Field(default=48, ge=4, le=4096)
    blocks: int = Field(default=12, ge=1, le=1000)
    consistency_steps: int = Field(default=3, ge=0, le=100)


@dataclass(frozen=True)
class SensorState:
    """What the networks are told about the sensor of a batch: two (N, C) tensors.

    Attributes:
        sigma: Gaussian width of the point spread function in input pixels.
        noise: noise standard deviation in network units (noise / spread of the band).
    """

    sigma: Tensor
    noise: Tensor

    def one_by_one(self) -> SensorState:
        """The same for bands that are looked at one by one: (N C, 1) each."""
        return SensorState(self.sigma.reshape(-1, 1), self.noise.reshape(-1, 1))


@dataclass(frozen=True)
class Guide:
    """What finer bands of the same ground add to an observation.

    Attributes:
        bands: (N, G, scale h, scale w) the finer bands, network units of their own.
        estimate: (N, C, scale h, scale w) the observed bands with the guide's detail injected, network units; see
            `filters.linear_injection`.
    """

    bands: Tensor
    estimate: Tensor


class ResidualBlock(nn.Module):
    """x + conv(relu(conv(x))), no normalisation, so that no pixel depends on the whole scene."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, h, w) in and out."""
        inner = self.first(x).relu_()  # in place: features of a window are large
        result: Tensor = self.second(inner).add_(x)
        return result


class ResidualGenerator(nn.Module):
    """Bicubic skip + learned residual, closed by consistency steps with the sensor model.

    With a guide, the skip is the linear estimate instead, and the body sees guide and estimate with their pixels folded
    into channels.

    The last convolution starts at zero, so an untrained generator is exactly `consistency_steps` steps of
    back-projection, which already beats bicubic. The weight of the steps falls with the noise: w = 1 / (1 + (n / t)^2),
    n the noise in network units and t the learned `trust`.

    Input and output are in network units: (reflectance - centre) / spread of each band.
    """

    def __init__(self, config: ResidualGeneratorConfig) -> None:
        super().__init__()
        self.config = config
        width = config.channels
        folded = (config.guides + config.bands) * config.scale**2 if config.guides else 0
        self.head = nn.Conv2d(2 * config.bands + 1 + folded, width, 3, padding=1)
        self.body = nn.Sequential(*[ResidualBlock(width) for _ in range(config.blocks)])
        self.neck = nn.Conv2d(width, width, 3, padding=1)
        self.tail = nn.Conv2d(width, config.bands * config.scale**2, 3, padding=1)
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)  # type: ignore[arg-type]
        self.log_trust = nn.Parameter(torch.tensor(-2.3))

    @property
    def receptive_field(self) -> int:
        """Input pixels that an output pixel can depend on, to each side of its own."""
        convolutions = 3 + 2 * self.config.blocks
        step = kernel_reach(self.config.scale) + BICUBIC_REACH
        return max(convolutions, BICUBIC_REACH) + self.config.consistency_steps * step

    def consistency_weight(self, noise: Tensor) -> Tensor:
        """Weight of the consistency steps, (N, C, 1, 1), from the noise (N, C) in network units."""
        return (1 / (1 + (noise / self.log_trust.exp()) ** 2))[..., None, None]

    def residual(self, observed: Tensor, sensor: SensorState, guide: Guide | None = None) -> Tensor:
        """The learned part alone, (N, C, scale h, scale w)."""
        n, _, height, width = observed.shape
        noise = (sensor.noise * 5).clamp(max=5)[..., None, None].expand(-1, -1, height, width)
        sigma = ((sensor.sigma.mean(1) - 0.4) * 10).reshape(n, 1, 1, 1).expand(-1, -1, height, width)
        seen = [observed, noise, sigma]
        if guide is not None:
            scale = self.config.scale
            seen += [functional.pixel_unshuffle(x, scale) for x in (guide.bands, guide.estimate)]
        features = self.head(torch.cat(seen, 1))
        features = self.neck(self.body(features)).add_(features)
        return functional.pixel_shuffle(self.tail(features), self.config.scale)

    def forward(
        self, observed: Tensor, sensor: SensorState, guide: Guide | None = None, *, consistency: bool = True
    ) -> Tensor:
        """Enhance a batch.

        Args:
            observed: (N, C, h, w) network units.
            sensor: point spread function and noise of the batch.
            guide: finer bands; given exactly if the config has `guides`.
            consistency: False leaves the closing steps out.

        Returns:
            (N, C, scale h, scale w) network units, float32.
        """
        scale = self.config.scale
        learned = full(self.residual(observed, sensor, guide))
        with torch.autocast(observed.device.type, enabled=False):
            return consistent(
                learned,
                full(observed),
                sensor.sigma,
                scale,
                self.consistency_weight(sensor.noise),
                self.config.consistency_steps if consistency else 0,
                None if guide is None else full(guide.estimate),
            )
