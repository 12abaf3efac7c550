"""What generators have in common whose output lies on the pixels of their input."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.nn import functional

Blocks = Annotated[int, Field(ge=0, le=100)]
"""Residual blocks at one size."""
Width = Annotated[int, Field(ge=1, le=4096)]
"""Features at one size."""


class SamePixelsConfig(BaseModel):
    """Architecture of a generator that neither enlarges nor is guided."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @property
    def guides(self) -> int:
        """Bands that guide: none."""
        return 0

    @property
    def scale(self) -> int:
        """Output pixels per input pixel."""
        return 1


class OneWayFields(SamePixelsConfig):
    """Of a translation from one domain to another.

    Attributes:
        bands: channels in.
        target_bands: channels out.
    """

    bands: int = Field(ge=1, le=1024)
    target_bands: int = Field(ge=1, le=1024)


def padded(observed: Tensor, stride: int) -> Tensor:
    """Rows and columns repeated up to a multiple of the stride."""
    height, width = (-n % stride for n in observed.shape[2:])
    return functional.pad(observed, (0, width, 0, height), mode="replicate") if height or width else observed
