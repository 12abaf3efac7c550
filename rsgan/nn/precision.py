"""Reduced precision inside networks; numbers that leave them are of full precision, whatever they compute in."""

from __future__ import annotations

import torch
from torch import Tensor


def reduced(device: torch.device, wanted: bool) -> torch.autocast:
    """bfloat16 inside the networks, where it is wanted."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=wanted)


def full(values: Tensor) -> Tensor:
    """float32; float64 stays what it is."""
    return values if values.dtype == torch.float64 else values.float()
