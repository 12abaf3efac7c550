"""U-Net generator for despeckling: one channel of log-intensity at a time, conditioned on the speckle."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from rsgan.nn.generators.same_pixels import Blocks, SamePixelsConfig, Width
from rsgan.nn.precision import full

LOWEST_LOG = math.log(1e-6)
"""Log-intensity, relative to the scene's median, below which an observation is taken to be this low."""
CONDITIONS = 4
"""Numbers that tell a network about the speckle of a chip."""


class DespeckleGeneratorConfig(SamePixelsConfig):
    """Architecture of `DespeckleGenerator`.

    Attributes:
        channels: widths of the features at full size, half size, quarter size and so on.
        descending: residual blocks at each size on the way down; as many as `channels`.
        ascending: residual blocks at each size but the coarsest on the way up, full size first.
    """

    kind: Literal["despeckle"] = "despeckle"
    channels: tuple[Width, ...] = Field(min_length=2, max_length=6)
    descending: tuple[Blocks, ...] = Field(min_length=2, max_length=6)
    ascending: tuple[Blocks, ...] = Field(min_length=1, max_length=5)

    @model_validator(mode="after")
    def _agree(self) -> DespeckleGeneratorConfig:
        sizes = len(self.channels)
        if (len(self.descending), len(self.ascending)) != (sizes, sizes - 1):
            raise ValueError(
                f"channels names {sizes} sizes, descending {len(self.descending)} and ascending {len(self.ascending)}; "
                f"expected {sizes} and {sizes - 1}"
            )
        return self

    @property
    def bands(self) -> int:
        """Channels in and out: polarisations are despeckled one by one."""
        return 1

    @property
    def stride(self) -> int:
        """Pixels of which windows must begin at a multiple."""
        return int(2 ** (len(self.channels) - 1))


@dataclass(frozen=True)
class SpeckleState:
    """What the networks are told about the speckle of a batch.

    Attributes:
        looks: (N,) equivalent number of looks.
        correlation: (N, 2) lag-1 intensity correlation, from row to row and from column to column.
    """

    looks: Tensor
    correlation: Tensor

    @property
    def log_bias(self) -> Tensor:
        """(N, 1, 1, 1) psi(L) - ln L, mean of log-speckle."""
        return (torch.digamma(self.looks) - self.looks.log()).reshape(-1, 1, 1, 1)

    @property
    def log_deviation(self) -> Tensor:
        """(N, 1, 1, 1) sqrt(psi'(L)), standard deviation of log-speckle."""
        return torch.polygamma(1, self.looks).sqrt().reshape(-1, 1, 1, 1)

    @property
    def conditions(self) -> Tensor:
        """(N, `CONDITIONS`) numbers of order 1."""
        deviation = self.log_deviation.reshape(-1, 1)
        return torch.cat([deviation, self.looks.log().reshape(-1, 1) / 2, 2 * self.correlation], 1)

    def transposed(self) -> SpeckleState:
        """Of the same chips with rows and columns exchanged."""
        return SpeckleState(self.looks, self.correlation.flip(1))


class ConditionedBlock(nn.Module):
    """Two convolutions with a skip; the speckle scales and shifts the features between them.

    Source: residual block of Lim et al. 2017, arXiv:1707.02921; feature-wise modulation of Perez et al. 2018,
    arXiv:1709.07871.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.modulation = nn.Linear(CONDITIONS, 2 * width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, features: Tensor, conditions: Tensor) -> Tensor:
        """(N, width, H, W) features, (N, CONDITIONS) conditions -> features of the same shape."""
        gain, shift = self.modulation(conditions)[..., None, None].chunk(2, 1)
        inner = (self.first(features) * (1 + gain)).add_(shift).relu_()  # in place: full-size features are large
        changed: Tensor = self.second(inner).add_(features)
        return changed


class DespeckleGenerator(nn.Module):
    """Log-intensity in, logarithm of the expected intensity out: ln E[R | observed].

    The skip is log I - (psi(L) - ln L), an unbiased logarithm; the network learns the rest, and its loss, which is
    stationary where E[I / R] = 1, keeps the mean intensity: nothing is added afterwards. Every size of the U-Net also
    sees the logarithm of the intensity's block means over valid pixels, which are multi-look images of its own pixel
    size. Invalid pixels enter as zeros with a channel that says so, so what a raster holds there cannot matter.

    Input and output are relative to the scene's median log-intensity, so f(c I) = c f(I).

    Source: U-Net of Ronneberger et al. 2015, arXiv:1505.04597; residual in the log domain after Chierchia et al. 2017,
    arXiv:1704.00275.
    """

    def __init__(self, config: DespeckleGeneratorConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.channels
        sizes = range(1, len(widths))
        self.head = nn.Conv2d(2, widths[0], 3, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(widths[i - 1], widths[i], 2, stride=2) for i in sizes)
        self.coarse = nn.ModuleList(nn.Conv2d(2, widths[i], 3, padding=1) for i in sizes)
        self.up = nn.ModuleList(nn.Conv2d(widths[i], 4 * widths[i - 1], 1) for i in sizes)
        self.descend, self.ascend = (
            nn.ModuleList(
                nn.ModuleList(ConditionedBlock(width) for _ in range(count))
                for width, count in zip(widths, counts, strict=False)
            )
            for counts in (config.descending, config.ascending)
        )
        self.tail = nn.Conv2d(widths[0], 1, 3, padding=1)
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)  # type: ignore[arg-type]

    @property
    def receptive_field(self) -> int:
        """Pixels that an output pixel can depend on, to each side of its own; a multiple of the stride."""
        reach, stride = 0, self.config.stride
        for size, blocks in enumerate(
            map(sum, zip_longest(self.config.descending, self.config.ascending, fillvalue=0))
        ):
            # each block has two 3 x 3 convolutions, and a size one at its entry; a pixel of it is 2^size wide
            reach += 2**size * (2 * blocks + 2)
        return math.ceil((reach + 1) / stride) * stride

    def forward(self, observed: Tensor, speckle: SpeckleState, valid: Tensor | None = None) -> Tensor:
        """Despeckle a batch.

        Args:
            observed: (N, 1, H, W) log-intensity minus the scene's median log-intensity.
            speckle: of the batch.
            valid: (N, 1, H, W) 1 where usable, 0 elsewhere; None where all is.

        Returns:
            (N, 1, H, W) in the units of `observed`, float32.
        """
        valid = torch.ones_like(observed) if valid is None else valid.to(observed)
        with torch.autocast(observed.device.type, enabled=False):
            skip = torch.where(valid > 0, full(observed).clamp_min(LOWEST_LOG) - speckle.log_bias, 0.0)
            seen, whole = self._padded(skip, valid), valid.shape[2:]
            pyramid = self._pyramid(*seen.chunk(2, 1))
            conditions = speckle.conditions
        learned = self._learned(seen, pyramid, conditions)
        return skip + full(learned[:, :, : whole[0], : whole[1]])

    def _padded(self, skip: Tensor, valid: Tensor) -> Tensor:
        """Skip and valid, with invalid rows and columns up to a multiple of the stride."""
        height, width = (-n % self.config.stride for n in skip.shape[2:])
        return functional.pad(torch.cat([skip, valid], 1), (0, width, 0, height))

    def _pyramid(self, skip: Tensor, valid: Tensor) -> list[Tensor]:
        """Log of the block means of valid intensity and the valid share, at half size, quarter size and so on."""
        power, levels = (skip.exp() * valid), []
        for _ in self.down:
            power, valid = functional.avg_pool2d(power, 2), functional.avg_pool2d(valid, 2)
            mean = (power / valid.clamp_min(1e-6)).clamp_min(math.exp(LOWEST_LOG)).log()
            levels.append(torch.cat([mean * (valid > 0), valid], 1))
        return levels

    def _learned(self, seen: Tensor, pyramid: list[Tensor], conditions: Tensor) -> Tensor:
        features, kept = self.head(seen), []
        for size, blocks in enumerate(self.descend):
            if size:
                features = self.down[size - 1](features).add_(self.coarse[size - 1](pyramid[size - 1]))
            for block in blocks:  # type: ignore[attr-defined]
                features = block(features, conditions)
            if size < len(self.ascend):
                kept.append(features)
        for size in range(len(self.ascend) - 1, -1, -1):
            features = functional.pixel_shuffle(self.up[size](features), 2).add_(kept.pop())
            for block in self.ascend[size]:  # type: ignore[attr-defined]
                features = block(features, conditions)
        return self.tail(features)  # type: ignore[no-any-return]
