"""What synthesis is learnt from: labelled chips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rsgan.nn.generators.synthesis.layout import Given

NONE = -1
"""Class of a pixel that has none."""


@dataclass(frozen=True)
class LabelledChips:
    """A batch in network units.

    Attributes:
        reference: (N, C, H, W).
        classes: (N,) int64.
        pixels: (N, H, W) int64 classes, `NONE` where there is none.
    """

    reference: Tensor
    classes: Tensor
    pixels: Tensor

    def told(self, given: Given) -> Tensor | None:
        """What a generator, or its judge, is told of them."""
        return {"nothing": None, "class": self.classes, "map": self.pixels}[given]

    def to(self, device: torch.device, dtype: torch.dtype | None = None) -> LabelledChips:
        """The same batch on another device, its reference in another precision."""
        return LabelledChips(self.reference.to(device, dtype), self.classes.to(device), self.pixels.to(device))


def collate(samples: Sequence[LabelledChips]) -> LabelledChips:
    """Join samples of one chip each."""
    return LabelledChips(
        *(torch.cat([getattr(sample, name) for sample in samples]) for name in ("reference", "classes", "pixels"))
    )
