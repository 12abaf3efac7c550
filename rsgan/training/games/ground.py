"""What every translation game asks for: terms that hold whatever the domains, its judge, its precision."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rsgan.errors import ConfigError
from rsgan.nn.discriminators import TranslationDiscriminator
from rsgan.nn.losses import detail_loss
from rsgan.training.translation.batch import DomainChips
from rsgan.training.translation.config import Physics


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
