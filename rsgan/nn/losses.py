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
    first, second = (  # the norm written out: torch's own along the second axis takes ten times as long on a CPU
        x / (x.square().sum(1, keepdim=True).add(1e-12).sqrt() + floor) for x in (enhanced, reference)
    )
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


def itakura_saito(excess: Tensor) -> Tensor:
    """Itakura-Saito divergence of each pixel, R / R_hat - ln(R / R_hat) - 1, from ln R - ln R_hat.

    Its optimum is E[R | observed], also where R is another observation with speckle of its own: up to a constant it is
    the negative log-likelihood of gamma speckle, ln R_hat + I / R_hat.

    Source: Itakura and Saito 1968; Banerjee et al. 2005, JMLR 6, theorem 1 (optimum of Bregman divergences).
    """
    return excess.exp() - excess - 1


def poisson_divergence(reference: Tensor, enhanced: Tensor, valid: Tensor) -> Tensor:
    """(N,) mean of R ln(R / R_hat) - R + R_hat over valid pixels, over each chip's mean R.

    Also a Bregman divergence, so its optimum is E[R | observed], but an error counts as in amplitude: near the minimum
    it is 2 (sqrt R - sqrt R_hat)^2.

    Args:
        reference: (N, 1, H, W) ln R; anything finite where not valid.
        enhanced: (N, 1, H, W) ln R_hat; anything finite where not valid.
        valid: (N, 1, H, W) 0 or 1.

    Source: Kullback and Leibler 1951; Banerjee et al. 2005, JMLR 6, table 1 (generalised I-divergence).
    """
    truth, guess = reference.exp(), enhanced.exp()
    divergence = (truth * (reference - enhanced) - truth + guess) * valid
    return divergence.sum((1, 2, 3)) / (truth * valid).sum((1, 2, 3)).clamp_min(1e-12)


def ratio_statistics(log_ratio: Tensor, log_speckle: Tensor, weight: Tensor, looks: Tensor, lags: int = 3) -> Tensor:
    """Squared departure of the ratio image's mean, L x variance and correlation from those of the true speckle.

    Args:
        log_ratio: (N, 1, H, W) ln(observed / enhanced); anything finite where the weight is 0.
        log_speckle: (N, 1, H, W) ln(observed / reference) of the same pixels.
        weight: (N, 1, H, W) 1 where the pixel counts.
        looks: (N,) equivalent number of looks.
        lags: pixels up to which correlations are compared, along rows and columns.
    """
    found, true = (_ratio_moments(x, weight, looks, lags) for x in (log_ratio, log_speckle))
    return (found - true).square().sum(1).clamp(max=4).mean()


def _ratio_moments(log_ratio: Tensor, weight: Tensor, looks: Tensor, lags: int) -> Tensor:
    """(N, 2 + 2 lags): mean, L x variance, and L x covariance at each lag of exp(log_ratio)."""
    ratio = log_ratio.clamp(max=4).exp()
    total = weight.sum((1, 2, 3)).clamp_min(1)
    mean = (ratio * weight).sum((1, 2, 3)) / total
    centred = (ratio - mean.reshape(-1, 1, 1, 1)) * weight
    moments = [mean, looks * centred.square().sum((1, 2, 3)) / total]
    for lag in range(1, lags + 1):
        moments += [
            looks * (centred[:, :, lag:] * centred[:, :, :-lag]).sum((1, 2, 3)) / total,
            looks * (centred[..., lag:] * centred[..., :-lag]).sum((1, 2, 3)) / total,
        ]
    return torch.stack(moments, 1)


def detail_loss(enhanced: Tensor, observed: Tensor, window: int = 5) -> Tensor:
    """1 - correlation of what is finer than `window` pixels, over each image as a whole; 0 .. 2.

    Ground that stays where it is keeps its edges, whatever its colours become; the sign of the contrast is to stay too.

    Args:
        enhanced: (N, 1, H, W), any unit.
        observed: (N, 1, H, W), any unit.
        window: side of the mean that is taken off, odd.
    """
    first, second = (
        x - functional.avg_pool2d(x, window, 1, window // 2, count_include_pad=False) for x in (enhanced, observed)
    )
    return (1 - functional.cosine_similarity(first.flatten(1), second.flatten(1), dim=1, eps=1e-6)).mean()


def contrastive_loss(sought: Tensor, given: Tensor, temperature: float) -> Tensor:
    """Cross-entropy of finding, for each place of one image, the same place of another among all places.

    Args:
        sought: (N, P, K) features of length 1.
        given: (N, P, K) of the same places; no gradient goes into them.
        temperature: of the softmax.

    Source: Oord et al. 2018, arXiv:1807.03748; between places of one image Park et al. 2020, arXiv:2007.15651.
    """
    alike = sought @ given.detach().transpose(1, 2) / temperature
    places = torch.arange(sought.shape[1], device=sought.device).expand(len(sought), -1)
    return functional.cross_entropy(alike.flatten(0, 1), places.flatten())
