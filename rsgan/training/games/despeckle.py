"""The despeckling game: divergences of intensity, statistics of the ratio image, and two conditional adversaries."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rsgan.errors import ConfigError
from rsgan.nn.discriminators import SpeckleDiscriminator
from rsgan.nn.generators import DespeckleGenerator
from rsgan.nn.losses import itakura_saito, poisson_divergence, ratio_statistics
from rsgan.nn.objectives import discriminator_loss, generator_loss
from rsgan.nn.regularizers import r1_penalty
from rsgan.training.despeckle.batch import SpecklePairs
from rsgan.training.despeckle.config import DespeckleLosses


@dataclass(frozen=True)
class DespeckleGame:
    """Losses of one step.

    Attributes:
        generator: G, observed -> enhanced.
        discriminator: D, (candidate | observed) and (ratio | speckle) -> logits; None in a run without adversary.
        losses: weights.
        precision: dtype inside the networks.
    """

    generator: DespeckleGenerator
    discriminator: SpeckleDiscriminator | None
    losses: DespeckleLosses
    precision: torch.dtype = torch.float32

    def enhance(self, pairs: SpecklePairs) -> Tensor:
        """G(observed), (N, 1, H, W) log-intensity relative to each chip's level, float32."""
        with self._autocast(pairs):
            enhanced: Tensor = self.generator(pairs.observed, pairs.speckle, pairs.valid)
        return enhanced.float()

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
            image, ratio = self.logits(enhanced, pairs.observed - enhanced, pairs)
            terms["adversarial"] = generator_loss(image) + self.losses.adversarial_ratio * generator_loss(ratio)
        return terms

    def discriminator_terms(self, pairs: SpecklePairs, r1_weight: float) -> dict[str, Tensor]:
        """Cross-entropy of both discriminators, plus the R1 penalties where `r1_weight` > 0."""
        with torch.no_grad():
            enhanced = self.enhance(pairs)
        real = pairs.reference.clone().requires_grad_(r1_weight > 0)
        fresh = pairs.fresh.clone().requires_grad_(r1_weight > 0)
        real_image, real_ratio = self.logits(real, fresh, pairs)
        image, ratio = self.logits(enhanced, pairs.observed - enhanced, pairs)
        terms = {
            "discriminator": discriminator_loss(real_image, image),
            "ratio_discriminator": discriminator_loss(real_ratio, ratio),
        }
        if r1_weight > 0:
            penalty = r1_penalty(real_image, real) + r1_penalty(real_ratio, fresh)
            terms["r1"] = r1_weight / 2 * penalty
        return terms

    def logits(self, candidate: Tensor, log_ratio: Tensor, pairs: SpecklePairs) -> tuple[Tensor, Tensor]:
        """Logits of an image and of a ratio image, float32; what is invalid is alike in all of them.

        Raises:
            ConfigError: there is no discriminator.
        """
        if self.discriminator is None:
            raise ConfigError("an adversarial stage needs a discriminator; the config names none.")
        with self._autocast(pairs):
            image = self.discriminator(candidate * pairs.valid, pairs.observed * pairs.valid, pairs.speckle)
            ratio = self.discriminator.judge_ratio(log_ratio * pairs.valid, pairs.speckle)
        return image.float(), ratio.float()

    def _autocast(self, pairs: SpecklePairs) -> torch.autocast:
        enabled = self.precision != torch.float32
        return torch.autocast(
            pairs.observed.device.type, dtype=self.precision if enabled else torch.bfloat16, enabled=enabled
        )


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean; 0 where nothing counts."""
    return (values * weight).sum() / weight.sum().clamp_min(1)
