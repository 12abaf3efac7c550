"""Pix2Pix: pairs of two domains, absolute error and a judge that may see the source image, too."""

from __future__ import annotations

import torch
from torch import Tensor

from rsgan.training.games.ground import TranslationGame
from rsgan.training.translation.batch import DomainChips
from rsgan.training.translation.config import PairedLosses


class Pix2PixGame(TranslationGame[PairedLosses]):
    """Losses of one step of Pix2Pix: the discriminator judges (candidate | source).

    Source: Isola et al. 2017, arXiv:1611.07004.
    """

    def generator_terms(self, chips: DomainChips, adversarial: bool) -> dict[str, Tensor]:
        """Every term of the generator's loss, weighted but for the adversarial one, which is on a ramp."""
        with self.within(chips.source):
            made = self.generator(chips.source)
        terms = {"l1": self.losses.l1 * (made - chips.target).abs().mean()} | self.ground.terms(made, chips)
        if adversarial:
            terms["adversarial"] = self.adversary.generator_term(
                lambda x: self.judge_target(x, chips.source), made, chips.target
            )
        return terms

    def discriminator_terms(self, chips: DomainChips) -> dict[str, Tensor]:
        """Target against translation, both given the source where the judge is conditional."""
        with torch.no_grad(), self.within(chips.source):
            made = self.generator(chips.source)
        return self.adversary.discriminator_terms(lambda x: self.judge_target(x, chips.source), chips.target, made)
