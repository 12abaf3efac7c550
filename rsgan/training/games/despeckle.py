"""The despeckling game: divergences of intensity, statistics of the ratio image, and two conditional adversaries."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rsgan.nn.discriminators import SpeckleDiscriminator
from rsgan.nn.generators import DespeckleGenerator
from rsgan.nn.losses import itakura_saito, poisson_divergence, ratio_statistics
from rsgan.nn.precision import full, reduced
from rsgan.nn.ranks import count, mean_over_ranks
from rsgan.training.despeckle.batch import SpecklePairs
from rsgan.training.despeckle.config import DespeckleLosses
from rsgan.training.games.adversary import Adversary, needed


@dataclass(frozen=True)
class DespeckleGame:
    """Losses of one step.

    Attributes:
        generator: G, observed -> enhanced.
        discriminator: D, (candidate | observed) and (ratio | speckle) -> logits; None in a run without adversary.
        losses: weights.
        adversary: objective and penalties.
        precision: dtype inside the networks.
    """

    generator: DespeckleGenerator
    discriminator: SpeckleDiscriminator | None
    losses: DespeckleLosses
    adversary: Adversary
    precision: torch.dtype = torch.float32

    def enhance(self, pairs: SpecklePairs) -> Tensor:
        """G(observed), (N, 1, H, W) log-intensity relative to each chip's level, float32."""
        with reduced(pairs.observed.device, self.precision == torch.bfloat16):
            enhanced: Tensor = self.generator(pairs.observed, pairs.speckle, pairs.valid)
        return full(enhanced)

    def generator_terms(self, pairs: SpecklePairs, adversarial: bool) -> dict[str, Tensor]:
        """Every term of the generator's loss, weighted but for the adversarial ones, which are on a ramp."""
        enhanced, valid = self.enhance(pairs), pairs.valid
        clean = valid * pairs.clean.reshape(-1, 1, 1, 1)
        excess = pairs.reference - enhanced
        importance = pairs.looks**self.losses.looks_exponent
        per_pixel = importance.reshape(-1, 1, 1, 1)
        terms = {
            "content": _mean(itakura_saito(excess) * per_pixel, valid),
            "poisson": self.losses.poisson * (poisson_divergence(pairs.reference, enhanced, valid) * importance).mean(),
            "log_l1": self.losses.log_l1 * _mean(excess.abs() * per_pixel, clean),
            "ratio": self.losses.ratio
            * ratio_statistics(pairs.observed - enhanced, pairs.observed - pairs.reference, clean, pairs.looks),
        }
        if adversarial:
            image = self.adversary.generator_term(lambda x: self.judge_image(x, pairs), enhanced, pairs.reference)
            log_ratio = pairs.observed - enhanced
            ratio = self.adversary.generator_term(lambda x: self.judge_ratio(x, pairs), log_ratio, pairs.fresh)
            terms["adversarial"] = image + self.losses.adversarial_ratio * ratio
        return terms

    def discriminator_terms(self, pairs: SpecklePairs) -> dict[str, Tensor]:
        """Reference against enhanced, given the observation; fresh speckle against the ratio image, given its law."""
        with torch.no_grad():
            enhanced = self.enhance(pairs)
        of = self.adversary.discriminator_terms
        return of(lambda x: self.judge_image(x, pairs), pairs.reference, enhanced) | of(
            lambda x: self.judge_ratio(x, pairs), pairs.fresh, pairs.observed - enhanced, "ratio_"
        )

    def judge_image(self, candidate: Tensor, pairs: SpecklePairs) -> Tensor:
        """Logits of an image, float32; what is invalid is alike in all of them.

        Raises:
            ConfigError: there is no discriminator.
        """
        with reduced(pairs.observed.device, self.precision == torch.bfloat16):
            judge, observed = needed(self.discriminator), pairs.observed * pairs.valid
            logits: Tensor = judge(candidate * pairs.valid, observed, pairs.speckle)
        return full(logits)

    def judge_ratio(self, log_ratio: Tensor, pairs: SpecklePairs) -> Tensor:
        """Logits of a ratio image, likewise."""
        with reduced(pairs.observed.device, self.precision == torch.bfloat16):
            logits = needed(self.discriminator).judge_ratio(log_ratio * pairs.valid, pairs.speckle)
        return full(logits)


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean over the chips of all processes; 0 where nothing counts."""
    return (values * weight).sum() / mean_over_ranks(weight.sum()).clamp_min(1 / count())
