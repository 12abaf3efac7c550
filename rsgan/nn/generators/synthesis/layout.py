"""What every network that makes images of random numbers is told, and the layers that they share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from rsgan.nn.generators.same_pixels import SamePixelsConfig

Given = Literal["nothing", "class", "map"]
"""What an image is made from besides random numbers: the class of the whole, or a map of the classes of its pixels."""
FIRST = 4
"""Side of the smallest features, pixels."""


class NetworkFields(BaseModel):
    """What every network has.

    Attributes:
        latent: numbers of the latent code.
        channels: width at full size; doubles at every halving.
        most: largest width.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    latent: int = Field(default=64, ge=1, le=4096)
    channels: int = Field(default=16, ge=1, le=4096)
    most: int = Field(default=128, ge=1, le=4096)


@dataclass(frozen=True)
class Layout:
    """What is made, of what.

    Attributes:
        bands: of an image.
        side: of an image, pixels; a power of 2.
        classes: how many there are; 0 without.
        given: see `Given`.
    """

    bands: int
    side: int
    classes: int
    given: Given

    @property
    def sides(self) -> list[int]:
        """Of the features, from the smallest to full size."""
        return [FIRST * 2**level for level in range((self.side // FIRST).bit_length())]

    def widths(self, fields: NetworkFields) -> list[int]:
        """Channels at each of `sides`."""
        return [min(fields.channels * self.side // side, fields.most) for side in self.sides]

    def planes(self, classes: Tensor, side: int) -> Tensor:
        """(N, H, W) classes of pixels, -1 for none -> (N, K, side, side) shares of each, from nothing to all."""
        shares = functional.one_hot(classes + 1, self.classes + 1)[..., 1:].permute(0, 3, 1, 2)
        return functional.adaptive_avg_pool2d(shares.to(torch.get_default_dtype()), side)


class ImageFields(SamePixelsConfig):
    """What the configs of both players say of an image.

    Attributes:
        bands: of an image.
        side: of an image, pixels.
        classes: number of classes; 0 without.
        given: what an image is made from besides random numbers, or is said to be of.
    """

    bands: int = Field(ge=1, le=1024)
    side: Literal[32, 64, 128, 256]
    classes: int = Field(default=0, ge=0, le=255)
    given: Given = "nothing"

    @model_validator(mode="after")
    def _has_classes(self) -> ImageFields:
        if self.given != "nothing" and not self.classes:
            raise ValueError(f"given is {self.given}, but there are no classes")
        return self

    @property
    def layout(self) -> Layout:
        """For the networks."""
        return Layout(self.bands, self.side, self.classes, self.given)


class Embedding(nn.Module):
    """The class of an image as numbers; none where there is no class, or a map in its place."""

    def __init__(self, layout: Layout, width: int) -> None:
        super().__init__()
        self.width = width if layout.given == "class" else 0
        self.table = nn.Embedding(layout.classes, width) if self.width else None

    def forward(self, code: Tensor, classes: Tensor | None) -> Tensor:
        """(N, L) code and (N,) classes -> (N, L + width)."""
        if self.table is None or classes is None:
            return code
        return torch.cat([code, self.table(classes).to(code)], 1)
