"""Numbers that leave a network are of full precision, whatever it computes in."""

from __future__ import annotations

import torch
from torch import Tensor


def full(values: Tensor) -> Tensor:
    """float32; float64 stays what it is."""
    return values if values.dtype == torch.float64 else values.float()
