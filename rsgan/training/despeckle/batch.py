"""What a despeckling game is played with: observations, references and the speckle that links them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rsgan.nn.generators import SpeckleState


@dataclass(frozen=True)
class SpecklePairs:
    """A batch in logarithms of intensity, relative to a level that is each chip's own.

    Attributes:
        reference: (N, 1, H, W) without speckle, or another observation of the same ground with speckle of its own.
        observed: (N, 1, H, W).
        valid: (N, 1, H, W) 1 where usable, else 0.
        looks: (N,) equivalent number of looks, as the networks are told.
        correlation: (N, 2) lag-1 intensity correlation, likewise.
        fresh: (N, 1, H, W) logarithm of other speckle of the same law.
        clean: (N,) 1 where the reference is free of speckle, else 0.
    """

    reference: Tensor
    observed: Tensor
    valid: Tensor
    looks: Tensor
    correlation: Tensor
    fresh: Tensor
    clean: Tensor

    @property
    def speckle(self) -> SpeckleState:
        """What the networks are told about the speckle."""
        return SpeckleState(self.looks, self.correlation)

    def to(self, device: torch.device, dtype: torch.dtype | None = None) -> SpecklePairs:
        """The same batch on another device, and in another precision."""
        return SpecklePairs(**{name: value.to(device, dtype) for name, value in vars(self).items()})


def collate(samples: list[SpecklePairs]) -> SpecklePairs:
    """Join samples of one chip each."""
    return SpecklePairs(**{name: torch.cat([getattr(sample, name) for sample in samples]) for name in vars(samples[0])})
