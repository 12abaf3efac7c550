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
        guide: (N, G, scale h, scale w) finer bands in network units of their own; None without a guide.
        estimate: (N, C, scale h, scale w) linear injection of the guide, reflectance; None without a guide.
        known: (N, C) 1 where the reference holds the band, 0 where it does not; None where it holds all.
    """

    reference: Tensor
    observed: Tensor
    sigma: Tensor
    noise: Tensor
    centre: Tensor
    spread: Tensor
    guide: Tensor | None = None
    estimate: Tensor | None = None
    known: Tensor | None = None

    def to(self, device: torch.device, dtype: torch.dtype | None = None) -> Pairs:
        """The same batch on another device, and in another precision."""
        return Pairs(**{name: value.to(device, dtype) for name, value in vars(self).items() if value is not None})


def collate(samples: list[Pairs]) -> Pairs:
    """Join samples of one chip each."""
    present = [name for name, value in vars(samples[0]).items() if value is not None]
    return Pairs(**{name: torch.cat([getattr(sample, name) for sample in samples]) for name in present})
