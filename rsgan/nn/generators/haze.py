"""A generator that finds the haze over a scene, and takes it off or lays it on by the law of scattering."""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from rsgan.nn.generators.residual import ResidualBlock
from rsgan.nn.generators.same_pixels import Blocks, OneWayFields, padded
from rsgan.nn.precision import full
from rsgan.sensors.atmosphere import Haze, add_haze, remove_haze

THICKEST = 3.0
"""Optical thickness that haze may have at most: a twentieth of the ground's light gets through."""


class HazeConfig(OneWayFields):
    """Architecture of `HazeGenerator`.

    Attributes:
        wavelengths_um: centre of each band.
        removes: whether it takes haze off; else it lays haze on.
        unit: reflectance of one network unit; the centre of both domains is 0.
        cell: pixels per value of the haze's maps, which are smooth in between.
        channels: width.
        descending: residual blocks at each size on the way down; every size is half the one before.
        ascending: the same on the way up.
    """

    kind: Literal["haze"] = "haze"
    wavelengths_um: tuple[float, ...]
    removes: bool = True
    unit: float = Field(default=0.1, gt=0)
    cell: int = Field(default=8, ge=2, le=256)
    channels: int = Field(default=48, ge=4, le=4096)
    descending: tuple[Blocks, ...] = Field(default=(1, 1, 2), min_length=1, max_length=6)
    ascending: tuple[Blocks, ...] = (1, 1)

    @model_validator(mode="after")
    def _fits(self) -> HazeConfig:
        if not len(self.wavelengths_um) == self.bands == self.target_bands:
            raise ValueError(
                f"bands is {self.bands}, target_bands {self.target_bands}, and there are {len(self.wavelengths_um)} "
                "wavelengths_um; haze changes no band into another, so the three must agree"
            )
        if len(self.descending) != len(self.ascending) + 1:
            raise ValueError(
                f"descending names {len(self.descending)} sizes and ascending {len(self.ascending)}; expected one less"
            )
        return self


class HazeGenerator(nn.Module):
    """Finds the haze over a scene, and takes it off (or lays it on) by the law of scattering.

    All that it learns are smooth maps: thickness, its exponent and the airlight, one value per cell. So it can change
    levels, colour and contrast, and cannot invent detail. What it looks at are means, minima and spreads of the cells:
    the minima are what haze shows in first.

    Source: `sensors.atmosphere`; the minima after He et al. 2011, doi:10.1109/TPAMI.2010.168.
    """

    def __init__(self, config: HazeConfig) -> None:
        super().__init__()
        self.config = config
        width, steps = config.channels, len(config.ascending)
        self.head = nn.Conv2d(3 * config.bands, width, 3, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(width, width, 2, stride=2) for _ in range(steps))
        self.up = nn.ModuleList(nn.Conv2d(width, 4 * width, 1) for _ in range(steps))
        self.descend, self.ascend = (
            nn.ModuleList(nn.Sequential(*(ResidualBlock(width) for _ in range(count))) for count in counts)
            for counts in (config.descending, config.ascending)
        )
        self.tail = nn.Conv2d(width, 2 + config.bands, 3, padding=1)
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)  # type: ignore[arg-type]

    @property
    def stride(self) -> int:
        """Pixels of which windows must begin at a multiple."""
        return int(self.config.cell * 2 ** len(self.config.ascending))

    @property
    def receptive_field(self) -> int:
        """Pixels that an output pixel can depend on, to each side of its own; a multiple of the stride."""
        config = self.config
        ascending = (*config.ascending, 0)
        reach = sum(
            config.cell * 2**size * 2 * (down + up)
            for size, (down, up) in enumerate(zip(config.descending, ascending, strict=True))
        )
        reach += 4 * config.cell  # head, tail, and the maps in between their values
        return int(math.ceil((reach + self.stride - 1) / self.stride) * self.stride)

    def haze(self, observed: Tensor) -> Haze:
        """What it finds over (N, bands, H, W) network units, in maps of the same height and width."""
        height, width = observed.shape[2:]
        maps = full(self._maps(self._cells(padded(observed, self.stride))))
        fine = functional.interpolate(maps, scale_factor=self.config.cell, mode="bilinear", align_corners=False)
        thickness, angstrom, airlight = fine[..., :height, :width].split([1, 1, self.config.bands], 1)
        return Haze(_above_zero(thickness), 2 * _between(angstrom), _between(airlight + 0.5))

    def forward(self, observed: Tensor) -> Tensor:
        """(N, bands, H, W) -> the same shape, network units, float32."""
        haze = self.haze(observed)
        wavelengths = torch.tensor(self.config.wavelengths_um).to(observed)
        change = remove_haze if self.config.removes else add_haze
        return change(full(observed) * self.config.unit, haze, wavelengths) / self.config.unit

    def _cells(self, observed: Tensor) -> Tensor:
        cell = self.config.cell
        mean = functional.avg_pool2d(observed, cell)
        lowest = -functional.max_pool2d(-observed, cell)
        square = functional.avg_pool2d(observed.square(), cell)
        spread = (square - mean.square()).clamp_min(1e-6).sqrt()
        return torch.cat([mean, lowest, spread], 1)

    def _maps(self, cells: Tensor) -> Tensor:
        features, kept = functional.relu(self.head(cells)), []
        for size, blocks in enumerate(self.descend):
            if size:
                features = functional.relu(self.down[size - 1](features))
            features = blocks(features)
            kept.append(features)
        for size in range(len(self.ascend) - 1, -1, -1):
            features = functional.pixel_shuffle(self.up[size](features), 2) + kept[size]
            features = self.ascend[size](features)
        maps: Tensor = self.tail(features)
        return maps


def _above_zero(x: Tensor) -> Tensor:
    """0 .. `THICKEST`, rising everywhere.

    Its slope falls with 1 / x^2 only, so a network that found no haze can still learn that there is some, where the
    slope of a sigmoid would be gone.
    """
    above = (x + (x.square() + 0.5).sqrt()) / 8
    return THICKEST * above / (THICKEST + above)


def _between(x: Tensor) -> Tensor:
    """0 .. 1, likewise."""
    return (1 + x / (1 + x.abs())) / 2
