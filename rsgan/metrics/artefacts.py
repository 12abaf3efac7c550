"""Patterns that networks leave in images and that no ground has."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def checkerboard(values: NDArray[np.floating], period: int) -> float:
    """How much of an image's finest detail repeats every `period` pixels, whatever it shows.

    The detail (difference from the 5 x 5 mean) is averaged over all pixels of one phase, of which there are period^2;
    ground has none that these means would share. The figure is their standard deviation over that of the detail, less
    what chance gives: 0 without a pattern, 1 where all detail is pattern.

    Args:
        values: (C, H, W), any unit; the largest figure of the bands counts.
        period: pixels after which the pattern repeats, 2 or more: the stride of the network's upsampling.

    Source: Odena et al. 2016, doi:10.23915/distill.00003 (how upsampling layers make it).
    """
    height, width = (n // period * period for n in values.shape[1:])
    kept = values[:, :height, :width].astype(np.float64)
    detail = kept - ndimage.uniform_filter(kept, (1, 5, 5), mode="reflect")
    phases = detail.reshape(len(values), height // period, period, width // period, period).mean((1, 3))
    spread = np.maximum(detail.std((1, 2)), 1e-12)
    chance = period**2 / (height * width)
    shares = (phases.reshape(len(values), -1).std(1) / spread) ** 2 - chance
    return float(np.sqrt(np.maximum(shares, 0)).max())
