"""Reduced precision inside networks; numbers that leave them are of full precision, whatever they compute in."""

from __future__ import annotations

import torch
from torch import Tensor


def reduced(device: torch.device, wanted: bool) -> torch.autocast:
    """bfloat16 inside the networks, where it is wanted."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=wanted)


def fast_in_bfloat16(device: str) -> bool:
    """Tell whether a kind of device multiplies matrices faster in bfloat16 than in float32; False if it is not there.

    Args:
        device: "cpu", "cuda" or "mps".

    Source: torch.cuda and torch.cpu.get_capabilities (AMX-BF16, AVX512-BF16); False where torch is too old to tell.
    """
    if device == "cuda":
        return torch.cuda.is_available() and bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device != "cpu" or not hasattr(torch.cpu, "get_capabilities"):
        return False
    able = torch.cpu.get_capabilities()
    return bool(able.get("amx_bf16") or able.get("avx512_bf16"))


def full(values: Tensor) -> Tensor:
    """float32; float64 stays what it is."""
    return values if values.dtype == torch.float64 else values.float()
