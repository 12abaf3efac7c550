"""The paired game (Pix2Pix-style): content, physics and a conditional adversary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from rsgan.nn.discriminators import Discriminator
from rsgan.nn.generators import Generator, Guide, SensorState
from rsgan.nn.losses import charbonnier_loss, consistency_loss, index_loss, spectral_angle_loss
from rsgan.nn.precision import full, reduced
from rsgan.nn.ranks import mean_over_ranks
from rsgan.sensors.optical import degrade
from rsgan.training.batch import Pairs
from rsgan.training.config import Losses
from rsgan.training.games.adversary import Adversary, needed


@dataclass(frozen=True)
class Units:
    """Reflectance <-> network units of a batch; centre and spread are (N, C, 1, 1)."""

    centre: Tensor
    spread: Tensor

    @classmethod
    def of(cls, pairs: Pairs) -> Units:
        """The scaling of a batch."""
        return cls(pairs.centre[..., None, None], pairs.spread[..., None, None])

    def network(self, reflectance: Tensor) -> Tensor:
        """Reflectance -> network units."""
        return (reflectance - self.centre) / self.spread

    def reflectance(self, network: Tensor) -> Tensor:
        """Network units -> reflectance."""
        return network * self.spread + self.centre


def condition(pairs: Pairs) -> tuple[Tensor, SensorState, Guide | None]:
    """Put what a generator is given of a batch into network units: observed, sensor, and the guide if there is one."""
    units = Units.of(pairs)
    guide = None
    if pairs.guide is not None and pairs.estimate is not None:
        guide = Guide(pairs.guide, units.network(pairs.estimate))
    return units.network(pairs.observed), SensorState(pairs.sigma, pairs.noise / pairs.spread), guide


@dataclass(frozen=True)
class PairedGame:
    """Losses of one step.

    Attributes:
        generator: G, observed -> enhanced.
        discriminator: D, (candidate | observed) -> logits; None in a run without adversary.
        losses: weights.
        adversary: objective and penalties.
        index_pairs: channels (positive, negative) of the normalised differences to keep.
        precision: dtype inside the networks.
        teacher: function that gives a finished model's result for a batch, (N, C, scale h, scale w) reflectance; None
            without distillation.
        teacher_share: share of the content loss that compares with the teacher's result.
    """

    generator: Generator
    discriminator: Discriminator | None
    losses: Losses
    adversary: Adversary
    index_pairs: tuple[tuple[int, int], ...]
    precision: torch.dtype = torch.float32
    teacher: Callable[[Pairs], Tensor] | None = None
    teacher_share: float = 0.0

    def enhance(self, pairs: Pairs) -> Tensor:
        """Compute G(observed), (N, C, scale h, scale w) in network units, float32."""
        observed, sensor, guide = condition(pairs)
        with reduced(pairs.observed.device, self.precision == torch.bfloat16):
            enhanced: Tensor = self.generator(observed, sensor, guide)
        return full(enhanced)

    def logits(self, candidate: Tensor, pairs: Pairs) -> Tensor:
        """D(candidate | observed), float32.

        Raises:
            ConfigError: there is no discriminator.
        """
        judge = needed(self.discriminator)
        with reduced(pairs.observed.device, self.precision == torch.bfloat16):
            logits: Tensor = judge(candidate, Units.of(pairs).network(pairs.observed))
        return full(logits)

    def generator_terms(self, pairs: Pairs, adversarial: bool) -> dict[str, Tensor]:
        """Every term of the generator's loss, weighted but for the adversarial one, which is on a ramp."""
        units = Units.of(pairs)
        network = self.enhance(pairs)
        enhanced = units.reflectance(network)
        # One unit of error for the chip as a whole, shared evenly between a band's own spread and the pooled one:
        # pooled PSNR alone would listen to the near infrared only.
        pooled = pairs.spread.square().mean(1, keepdim=True).sqrt()
        unit = (pairs.spread * pooled).sqrt().clamp_min(1e-3)[..., None, None]
        residual = degrade(enhanced, pairs.sigma, self.generator.config.scale) - pairs.observed
        reference, share = pairs.reference, torch.ones(())
        if pairs.known is not None:  # what a tile does not hold counts neither for nor against
            known, share = pairs.known[..., None, None], mean_over_ranks(pairs.known.mean())
            enhanced, reference, residual = enhanced * known, reference * known, residual * known
        content = charbonnier_loss((enhanced - reference) / unit, self.losses.charbonnier_epsilon) / share
        terms = {
            "content": (1 - self.teacher_share) * content,
            "consistency": self.losses.consistency * consistency_loss(residual, pairs.noise),
            "spectral_angle": self.losses.spectral_angle * spectral_angle_loss(enhanced, reference),
            "index": self.losses.index * index_loss(enhanced, reference, self.index_pairs),
        }
        if self.teacher is not None:
            error = (units.reflectance(network) - self.teacher(pairs)) / unit
            terms["distillation"] = self.teacher_share * charbonnier_loss(error, self.losses.charbonnier_epsilon)
        if adversarial:
            real = units.network(pairs.reference)
            terms["adversarial"] = self.adversary.generator_term(lambda x: self.logits(x, pairs), network, real)
        return terms

    def discriminator_terms(self, pairs: Pairs) -> dict[str, Tensor]:
        """Reference against enhanced, both given the observation."""
        with torch.no_grad():
            enhanced = self.enhance(pairs)
        real = Units.of(pairs).network(pairs.reference)
        return self.adversary.discriminator_terms(lambda x: self.logits(x, pairs), real, enhanced)
