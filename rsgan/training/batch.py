"""What a game is played with: a batch of references, observations and the sensor that links them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Pairs:
    """A batch in reflectance, with the scaling that links it to network units.

    Attributes:
        reference: (N, C, scale h, scale w).
        observed: (N, C, h, w).
        sigma: (N, C) Gaussian width in input pixels.
        noise: (N, C) reflectance.
        centre: (N, C) reflectance.
        spread: (N, C) reflectance.
    """

    reference: Tensor
    observed: Tensor
    sigma: Tensor
    noise: Tensor
    centre: Tensor
    spread: Tensor

    def to(self, device: torch.device) -> Pairs:
        """The same batch on another device."""
        return Pairs(*(t.to(device) for t in vars(self).values()))


def collate(samples: list[Pairs]) -> Pairs:
    """Join samples of one chip each."""
    return Pairs(*(torch.cat(parts) for parts in zip(*(vars(s).values() for s in samples), strict=True)))
