"""Content losses and losses bound to physics; all take (N, C, H, W) tensors and return one number."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def charbonnier_loss(error: Tensor, epsilon: float) -> Tensor:
    """Mean of sqrt(e^2 + eps^2) - eps: quadratic below `epsilon`, linear above.

    Source: Charbonnier et al. 1994, doi:10.1109/ICIP.1994.413553.
    """
    excess: Tensor = torch.sqrt(error.square() + epsilon**2) - epsilon
    return excess.mean()


def spectral_angle_loss(enhanced: Tensor, reference: Tensor, floor: float = 1e-3) -> Tensor:
    """Mean sine of half the angle between spectra, 0 where they are parallel; smooth at zero, unlike arccos.

    Args:
        enhanced: (N, C, H, W) reflectance.
        reference: (N, C, H, W) reflectance.
        floor: reflectance added to the norms against division by zero.

    Source: angle of Kruse et al. 1993, doi:10.1016/0034-4257(93)90013-N, as the chord of unit spectra.
    """
    first = enhanced / (enhanced.norm(dim=1, keepdim=True) + floor)
    second = reference / (reference.norm(dim=1, keepdim=True) + floor)
    chord: Tensor = (first - second).square().sum(1).add(1e-8).sqrt()
    return chord.mean() / 2


def normalised_difference(positive: Tensor, negative: Tensor, floor: float = 0.02) -> Tensor:
    """(p - n) / (p + n), the sum kept above `floor` reflectance: NDVI for (NIR, red), NDWI for (green, NIR).

    Source: Tucker 1979, doi:10.1016/0034-4257(79)90013-0; McFeeters 1996, doi:10.1080/01431169608948714.
    """
    return (positive - negative) / (positive + negative).clamp_min(floor)


def index_loss(enhanced: Tensor, reference: Tensor, pairs: tuple[tuple[int, int], ...]) -> Tensor:
    """Mean absolute difference of normalised differences over channel `pairs` (positive, negative), reflectance in.

    0 without pairs: the bands have no index.
    """
    if not pairs:
        return enhanced.new_zeros(())
    terms = [
        functional.l1_loss(
            normalised_difference(enhanced[:, p], enhanced[:, n]),
            normalised_difference(reference[:, p], reference[:, n]),
        )
        for p, n in pairs
    ]
    return torch.stack(terms).mean()


def consistency_loss(
    residual: Tensor, noise: Tensor, low: float = 0.75, high: float = 1.05, floor: float = 2e-4
) -> Tensor:
    """Departure of the residual's RMS from what the sensor's noise allows (discrepancy principle), per chip and band.

    Below `low` times the noise the enhanced scene repeats the noise; above `high` times it contradicts the observation.

    Args:
        residual: degrade(enhanced) - observed, reflectance, (N, C, h, w).
        noise: noise standard deviation, reflectance, (N, C).
        low: lowest RMS / noise without a penalty; not asked of chips quieter than `floor`.
        high: highest RMS / noise without a penalty.
        floor: reflectance below which noise is taken as `floor`.

    Source: Morozov 1966 (discrepancy principle); Engl, Hanke, Neubauer 1996, section 4.3.
    """
    ratio = residual.square().mean((2, 3)).add(1e-12).sqrt() / noise.clamp_min(floor)
    below = functional.relu(low - ratio) * (noise > floor)
    return (functional.relu(ratio - high).clamp(max=5) + below).mean()
