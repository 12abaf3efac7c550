"""Arrays in, numbers out: fidelity to a reference, consistency with the observed image, correctness of detail.

`enhanced`, `reference`, `degraded` and `observed` are (C, H, W) arrays in one physical unit, usually reflectance.
`consistency.measure` and `correctness.measure` give all the figures of their module at once.
"""

from rsgan.metrics.comparison import BandFigures
from rsgan.metrics.consistency import (
    Consistency,
    index_difference,
    index_noise,
    power_gain,
    radial_power,
    residual_over_noise,
    residual_rms,
    shift_px,
    spectral_angle_deg,
)
from rsgan.metrics.correctness import Correctness
from rsgan.metrics.fidelity import bias, ergas, psnr, rmse, sam_deg, ssim

__all__ = [
    "BandFigures",
    "Consistency",
    "Correctness",
    "bias",
    "ergas",
    "index_difference",
    "index_noise",
    "power_gain",
    "psnr",
    "radial_power",
    "residual_over_noise",
    "residual_rms",
    "rmse",
    "sam_deg",
    "shift_px",
    "spectral_angle_deg",
    "ssim",
]
