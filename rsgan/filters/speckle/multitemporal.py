"""Quegan-Yu: what differs between dates is kept, what is speckle is averaged over them."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from rsgan.filters.speckle.local_linear import boxcar
from rsgan.filters.speckle.neighbourhood import Bools

Scalar = TypeVar("Scalar", bound=np.generic)


def quegan_yu(stack: NDArray[np.floating], valid: Bools, *, looks: float, size: int = 7) -> NDArray[np.float32]:
    """Local mean of each date times the mean over dates of intensity / local mean.

    On flat ground T dates and N pixels per window give N T L / (N + T - 1) looks. A date counts at a pixel where it is
    valid and its local mean is above 0.

    Args:
        stack: (T, C, H, W) linear power of T dates on one grid; anything, NaN too, where not valid.
        valid: (T, C, H, W) True = usable.
        looks: of no use here, as all dates have the same; taken and checked so that all filters are called alike.
        size: side of the window of the local mean in pixels, odd.

    Returns:
        (T, C, H, W) linear power, 0 where not valid.

    Raises:
        ConfigError: looks or size cannot be.
        GridError: the shapes differ.

    Source: Quegan and Yu 2001, doi:10.1109/36.964973, with equal weights, as uncorrelated dates have.
    """
    mean = boxcar(_bands(stack), _bands(valid), looks=looks, size=size).reshape(stack.shape)
    counted = valid & (mean > 0)
    ratio = np.divide(stack, mean, out=np.zeros(stack.shape), where=counted, dtype=np.float64)
    dates = counted.sum(0)
    common = np.where(dates > 0, ratio.sum(0) / np.maximum(dates, 1), 1)
    return (mean * common).astype(np.float32)


def _bands(stack: NDArray[Scalar]) -> NDArray[Scalar]:
    """(T, C, H, W) as (T C, H, W)."""
    return stack.reshape(-1, *stack.shape[2:])
