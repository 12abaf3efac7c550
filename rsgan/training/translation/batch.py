"""What a translation is learnt from: chips of two domains."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class DomainChips:
    """A batch in the network units of the two domains.

    Attributes:
        source: (N, C, H, W).
        target: (N, D, H, W) of the same ground as `source` where the task is paired, else of any.
        truth: (N, D, H, W) what `source` is in the target domain, where that is known.
        known: (N,) 1 where it is, else 0.
    """

    source: Tensor
    target: Tensor
    truth: Tensor
    known: Tensor

    @property
    def reference(self) -> Tensor:
        """The target's chips, which the loop counts."""
        return self.target

    def to(self, device: torch.device, dtype: torch.dtype | None = None) -> DomainChips:
        """The same batch on another device, and in another precision."""
        return DomainChips(**{name: value.to(device, dtype) for name, value in vars(self).items()})


def collate(samples: list[DomainChips]) -> DomainChips:
    """Join samples of one chip each."""
    return DomainChips(**{name: torch.cat([getattr(sample, name) for sample in samples]) for name in vars(samples[0])})
