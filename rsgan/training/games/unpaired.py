"""Unpaired games: CycleGAN, which learns both ways and closes the circle, and CUT, which learns one way by contrast."""

from __future__ import annotations

import torch
from torch import Tensor

from rsgan.errors import ConfigError
from rsgan.nn.generators.translation import OneWay
from rsgan.nn.losses import contrastive_loss
from rsgan.nn.precision import full
from rsgan.training.games.adversary import needed
from rsgan.training.games.ground import TranslationGame
from rsgan.training.translation.batch import DomainChips
from rsgan.training.translation.config import ContrastiveLosses, CycleLosses


class CycleGame(TranslationGame[CycleLosses]):
    """Losses of one step of CycleGAN.

    Source: Zhu et al. 2017, arXiv:1703.10593.
    """

    def generator_terms(self, chips: DomainChips, adversarial: bool) -> dict[str, Tensor]:
        """Every term of the generators' loss, weighted but for the adversarial one, which is on a ramp."""
        losses, forth, back = self.losses, self.generator.forth, self._back
        with self.within(chips.source):
            target, source = forth(chips.source), back(chips.target)  # F(s), B(t)
            terms = {
                "cycle_source": losses.cycle_source * (back(target) - chips.source).abs().mean(),
                "cycle_target": losses.cycle_target * (forth(source) - chips.target).abs().mean(),
            }
            if losses.identity and chips.source.shape[1] == chips.target.shape[1]:
                kept = (forth(chips.target) - chips.target).abs().mean() + (
                    back(chips.source) - chips.source
                ).abs().mean()
                terms["identity"] = losses.identity * kept
        terms |= self.ground.terms(target, chips)
        if adversarial:
            of = self.adversary.generator_term
            terms["adversarial"] = of(self.judge_target, target, chips.target) + of(
                self.judge_source, source, chips.source
            )
        return terms

    def discriminator_terms(self, chips: DomainChips) -> dict[str, Tensor]:
        """Each domain's images against what is translated into it."""
        with torch.no_grad(), self.within(chips.source):
            target, source = self.generator.forth(chips.source), self._back(chips.target)
        of = self.adversary.discriminator_terms
        return of(self.judge_target, chips.target, target) | of(self.judge_source, chips.source, source, "source_")

    def judge_source(self, candidate: Tensor) -> Tensor:
        """Logits of the source domain, float32."""
        judge = needed(self.discriminator)
        with self.within(candidate):
            logits = judge.judge_source(candidate)
        return full(logits)

    @property
    def _back(self) -> OneWay:
        if self.generator.back is None:
            raise ConfigError("losses.kind cycle needs generator.back, the way from the target to the source domain.")
        return self.generator.back


class ContrastiveGame(TranslationGame[ContrastiveLosses]):
    """Losses of one step of contrastive unpaired translation; the generator has heads that project its features.

    Source: Park et al. 2020, arXiv:2007.15651.
    """

    def generator_terms(self, chips: DomainChips, adversarial: bool) -> dict[str, Tensor]:
        """Every term of the generator's loss, weighted but for the adversarial one, which is on a ramp."""
        losses = self.losses
        with self.within(chips.source):
            made = self.generator(chips.source)
            terms = {"contrast": losses.contrast * self._contrast(made, chips.source)}
            if losses.identity and chips.source.shape[1] == chips.target.shape[1]:
                terms["identity"] = losses.identity * self._contrast(self.generator(chips.target), chips.target)
        terms |= self.ground.terms(made, chips)
        if adversarial:
            terms["adversarial"] = self.adversary.generator_term(self.judge_target, made, chips.target)
        return terms

    def discriminator_terms(self, chips: DomainChips) -> dict[str, Tensor]:
        """The target's images against translations."""
        with torch.no_grad(), self.within(chips.source):
            made = self.generator(chips.source)
        return self.adversary.discriminator_terms(self.judge_target, chips.target, made)

    def _contrast(self, made: Tensor, image: Tensor) -> Tensor:
        """Mean over sizes; the result and its input have to have as many bands, or the encoder could not see both."""
        chance = torch.Generator().manual_seed(self.adversary.seed * 1_000_003 + self.adversary.update)
        with torch.no_grad():
            sizes = self.generator.sizes(image)
        places = [torch.randperm(size, generator=chance)[: self.losses.places].to(image.device) for size in sizes]
        sought, given = (self.generator.projected(x, places) for x in (made, image))
        pairs = zip(sought, given, strict=True)
        return torch.stack([contrastive_loss(full(a), full(b), self.losses.temperature) for a, b in pairs]).mean()
