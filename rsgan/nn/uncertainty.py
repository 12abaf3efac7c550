"""How wrong an enhanced pixel may be: a small network that reads it from what the generator did."""

from __future__ import annotations

from itertools import pairwise

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional

from rsgan.sensors.optical import upsample

PASSES = 4
"""Symmetries whose spread the network reads."""
FLOOR = 1e-3
"""Smallest standard error in network units."""


class UncertaintyConfig(BaseModel):
    """Architecture of `UncertaintyHead`.

    Attributes:
        channels: width.
        layers: 3 x 3 convolutions, the first and the last one included.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    channels: int = Field(default=16, ge=2, le=4096)
    layers: int = Field(default=4, ge=2, le=100)


class UncertaintyHead(nn.Module):
    """Logarithm of the standard error of every enhanced pixel; every band by itself, with the same weights.

    It sees the enhanced band, what was added to bicubic interpolation, the spread over turned passes, the gradient and
    the noise that the sensor is said to have.

    Source: learned heteroscedastic scale, Kendall and Gal 2017, arXiv:1703.04977, section 2.2.
    """

    def __init__(self, config: UncertaintyConfig) -> None:
        super().__init__()
        widths = [5, *[config.channels] * (config.layers - 1), 1]
        self.layers = nn.ModuleList(nn.Conv2d(before, after, 3, padding=1) for before, after in pairwise(widths))

    @property
    def reach(self) -> int:
        """Output pixels that a value can depend on beyond its own, to each side."""
        return len(self.layers) + 1

    def forward(self, enhanced: Tensor, observed: Tensor, spread: Tensor, noise: Tensor) -> Tensor:
        """Standard error in network units.

        Args:
            enhanced: (N, C, scale h, scale w) network units.
            observed: (N, C, h, w) network units.
            spread: (N, C, scale h, scale w) standard deviation over turned passes, network units.
            noise: (N, C) of the sensor, network units.

        Returns:
            (N, C, scale h, scale w), above `FLOOR`.
        """
        n, bands, height, width = enhanced.shape
        scale = height // observed.shape[2]
        added = enhanced - upsample(observed, scale)
        gradient = _gradient(enhanced)
        planes = [
            enhanced * 0.1,
            added,
            (spread + FLOOR).log(),
            (gradient + FLOOR).log(),
            (noise + FLOOR).log()[..., None, None].expand_as(enhanced),
        ]
        x = torch.stack(planes, 2).reshape(n * bands, len(planes), height, width)
        for number, layer in enumerate(self.layers):
            x = layer(functional.relu(x) if number else x)
        return x.clamp(-7, 7).exp().reshape(n, bands, height, width) + FLOOR


def _gradient(values: Tensor) -> Tensor:
    """Length of the gradient by central differences, borders repeated."""
    padded = functional.pad(values, (1, 1, 1, 1), mode="replicate")
    across = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    down = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    return torch.hypot(across, down)
