"""Pix2Pix: pairs of two domains, absolute error and a judge that may see the source image, too."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rsgan.errors import ConfigError
from rsgan.nn.discriminators import TranslationDiscriminator
from rsgan.nn.generators import TranslationGenerator
from rsgan.nn.losses import detail_loss
from rsgan.nn.precision import full
from rsgan.training.games.adversary import Adversary
from rsgan.training.translation.batch import DomainChips
from rsgan.training.translation.config import PairedLosses, Physics


@dataclass(frozen=True)
class Ground:
    """What holds in every translation game.

    Attributes:
        physics: weights.
        zero: (D, 1, 1) network units of reflectance 0 in the target domain; None where it holds no reflectance.
    """

    physics: Physics
    zero: Tensor | None

    def terms(self, made: Tensor, chips: DomainChips) -> dict[str, Tensor]:
        """Terms of weight above 0, weighted, for the translation `made` (N, D, H, W) of the source."""
        physics, terms = self.physics, dict[str, Tensor]()
        if physics.detail:
            terms["detail"] = physics.detail * detail_loss(
                made.mean(1, keepdim=True), chips.source.mean(1, keepdim=True)
            )
        if physics.negative and self.zero is not None:
            terms["negative"] = physics.negative * (self.zero.to(made) - made).clamp_min(0).mean()
        if physics.supervised:
            error = (made - chips.truth).abs().mean((1, 2, 3))
            terms["supervised"] = physics.supervised * (error * chips.known).mean()
        return terms


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


def needed(judge: TranslationDiscriminator | None) -> TranslationDiscriminator:
    """The discriminator.

    Raises:
        ConfigError: there is none.
    """
    if judge is None:
        raise ConfigError("an adversarial stage needs a discriminator; the config names none.")
    return judge


def autocast(chips: DomainChips, precision: torch.dtype) -> torch.autocast:
    """Reduced precision inside the networks, where it is asked for."""
    enabled = precision == torch.bfloat16
    return torch.autocast(chips.source.device.type, dtype=torch.bfloat16, enabled=enabled)
