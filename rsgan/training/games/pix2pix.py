"""Pix2Pix: pairs of two domains, absolute error and a judge that may see the source image, too."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rsgan.nn.discriminators import TranslationDiscriminator
from rsgan.nn.generators import TranslationGenerator
from rsgan.nn.precision import full
from rsgan.training.games.adversary import Adversary
from rsgan.training.games.ground import Ground, autocast, needed
from rsgan.training.translation.batch import DomainChips
from rsgan.training.translation.config import PairedLosses


@dataclass(frozen=True)
class Pix2PixGame:
    """Losses of one step.

    Attributes:
        generator: G, source -> target.
        discriminator: D, (candidate | source) -> logits; None in a run without adversary.
        losses: weights.
        ground: terms that hold whatever the domains.
        adversary: objective and penalties.
        precision: dtype inside the networks.
    """

    generator: TranslationGenerator
    discriminator: TranslationDiscriminator | None
    losses: PairedLosses
    ground: Ground
    adversary: Adversary
    precision: torch.dtype = torch.float32

    def generator_terms(self, chips: DomainChips, adversarial: bool) -> dict[str, Tensor]:
        """Every term of the generator's loss, weighted but for the adversarial one, which is on a ramp."""
        with autocast(chips, self.precision):
            made = self.generator(chips.source)
        terms = {"l1": self.losses.l1 * (made - chips.target).abs().mean()} | self.ground.terms(made, chips)
        if adversarial:
            terms["adversarial"] = self.adversary.generator_term(lambda x: self.logits(x, chips), made, chips.target)
        return terms

    def discriminator_terms(self, chips: DomainChips) -> dict[str, Tensor]:
        """Target against translation, both given the source where the judge is conditional."""
        with torch.no_grad(), autocast(chips, self.precision):
            made = self.generator(chips.source)
        return self.adversary.discriminator_terms(lambda x: self.logits(x, chips), chips.target, made)

    def logits(self, candidate: Tensor, chips: DomainChips) -> Tensor:
        """D(candidate | source), float32.

        Raises:
            ConfigError: there is no discriminator.
        """
        judge = needed(self.discriminator)
        with autocast(chips, self.precision):
            logits: Tensor = judge(candidate, chips.source if judge.config.conditional else None)
        return full(logits)
