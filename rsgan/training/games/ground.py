"""What every translation game asks for: terms that hold whatever the domains, its networks, its precision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor

from rsgan.nn.discriminators import TranslationDiscriminator
from rsgan.nn.generators import TranslationGenerator
from rsgan.nn.losses import detail_loss
from rsgan.nn.precision import full, reduced
from rsgan.training.games.adversary import Adversary, needed
from rsgan.training.translation.batch import DomainChips
from rsgan.training.translation.config import Physics

Losses = TypeVar("Losses", bound=Physics)


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
class TranslationGame(Generic[Losses]):
    """One step of any of them.

    Attributes:
        generator: F, source -> target, and B, target -> source, where that is learnt, too.
        discriminator: of the target domain, and of the source domain where B is learnt; None without adversary.
        losses: weights.
        ground: terms that hold whatever the domains.
        adversary: objective and penalties.
        precision: dtype inside the networks.
    """

    generator: TranslationGenerator
    discriminator: TranslationDiscriminator | None
    losses: Losses
    ground: Ground
    adversary: Adversary
    precision: torch.dtype = torch.float32

    def judge_target(self, candidate: Tensor, source: Tensor | None = None) -> Tensor:
        """Logits of the target domain, float32; a conditional discriminator sees `source`, too.

        Raises:
            ConfigError: there is no discriminator.
        """
        judge = needed(self.discriminator)
        with self.within(candidate):
            logits: Tensor = judge(candidate, source if judge.config.conditional else None)
        return full(logits)

    def within(self, images: Tensor) -> torch.autocast:
        """The precision inside the networks, where these images are."""
        return reduced(images.device, self.precision == torch.bfloat16)
