"""The game of synthesis: images of random numbers and classes, against labelled references."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, autograd, nn
from torch.nn import functional

from rsgan.nn.generators import SynthesisGenerator
from rsgan.nn.generators.synthesis.layout import Given
from rsgan.nn.generators.synthesis.residual import orthogonal_penalty
from rsgan.nn.images import ImageDiscriminator
from rsgan.nn.precision import full, reduced
from rsgan.training.games.adversary import Adversary
from rsgan.training.games.sampled import drawn
from rsgan.training.synthesis.batch import LabelledChips
from rsgan.training.synthesis.config import SynthesisLosses

LAZY = 8
"""Updates between two penalties on path lengths, whose weight grows by as much."""
PACE = 0.01
"""Share of the newest in the running mean of path lengths."""


@dataclass(frozen=True)
class SynthesisGame:
    """Losses of one step: a generated image of each reference's class, or map, against that reference.

    Attributes:
        generator: G, noise and classes -> image.
        discriminator: D, image and classes -> logit.
        losses: weights.
        adversary: objective and penalties; its `update` seeds the noise.
        growing: chips for each size of networks that grow; 0 for others.
        batch_size: chips per update.
        precision: dtype inside the networks.

    Source: Goodfellow et al. 2014, arXiv:1406.2661; Mirza and Osindero 2014, arXiv:1411.1784 (of a class).
    """

    generator: SynthesisGenerator
    discriminator: ImageDiscriminator
    losses: SynthesisLosses
    adversary: Adversary
    growing: int = 0
    batch_size: int = 1
    precision: torch.dtype = torch.float32

    def generator_terms(self, chips: LabelledChips, adversarial: bool) -> dict[str, Tensor]:
        """Every term of the generator's loss, weighted but for the adversarial one, which is on a ramp."""
        terms: dict[str, Tensor] = {}
        if adversarial:
            given = chips.told(self.given)
            made = self.made(chips, 0)
            terms["adversarial"] = self.adversary.generator_term(self.judge(given), made, chips.reference)
            terms |= self._told(made, chips)
        if self.losses.orthogonal:
            terms["orthogonal"] = self.losses.orthogonal * orthogonal_penalty(self.generator)
        if self.losses.path_length and self.adversary.update % LAZY == 0:
            terms["path_length"] = LAZY * self.losses.path_length * self._unevenness(chips)
        return terms

    def discriminator_terms(self, chips: LabelledChips) -> dict[str, Tensor]:
        """References against images made for this update."""
        self._grow()
        with torch.no_grad():
            made = self.made(chips, 1)
        terms = self.adversary.discriminator_terms(self.judge(chips.told(self.given)), chips.reference, made)
        return terms | self._told(chips.reference, chips)

    @property
    def given(self) -> Given:
        """What both players are told of the images."""
        return self.generator.config.given

    def made(self, chips: LabelledChips, salt: int) -> Tensor:
        """As many images as there are references, of their classes; the same for one seed, update and salt."""
        noise = drawn(self.adversary, self.generator.latent, len(chips.reference), salt).to(chips.reference)
        with reduced(noise.device, self.precision == torch.bfloat16):
            images: Tensor = self.generator(noise, chips.told(self.given))
        return images

    def judge(self, given: Tensor | None) -> Judged:
        """The discriminator, told what the images are of."""
        return Judged(self.discriminator, given, self.precision == torch.bfloat16)

    def _told(self, images: Tensor, chips: LabelledChips) -> dict[str, Tensor]:
        """How well an auxiliary discriminator tells the class; both players gain where it can."""
        classifier = self.discriminator.classifier
        if classifier is None or not self.losses.auxiliary:
            return {}
        logits = full(classifier(self.discriminator.features(images)))
        return {"auxiliary": self.losses.auxiliary * functional.cross_entropy(logits, chips.classes)}

    def _unevenness(self, chips: LabelledChips) -> Tensor:
        """Squared departure from their running mean of the lengths by which a step of the style changes an image.

        Source: Karras et al. 2020, arXiv:1912.04958, equation 4.
        """
        style = self.generator.style
        if style is None:
            raise RuntimeError("path lengths are of one network of kind style, as the config says")
        noise = drawn(self.adversary, self.generator.latent, len(chips.reference), 2).to(chips.reference)
        code, grain = noise.split([style.codes, style.latent - style.codes], 1)
        styles = style.styles(code, chips.told(self.given))
        images = self.generator.within(style.images_of(styles, grain))
        probe = torch.randn(images.shape, generator=torch.Generator().manual_seed(self.adversary.update)).to(images)
        size = math.sqrt(images.shape[2] * images.shape[3])
        (slope,) = autograd.grad((images * probe).sum() / size, styles, create_graph=True)
        lengths = (slope.square().sum(1) + 1e-8).sqrt()
        before = self.adversary.means.get("path_length", lengths.detach().mean())
        mean = torch.lerp(before.to(lengths), lengths.detach().mean(), PACE)
        self.adversary.means["path_length"] = mean
        return (lengths - mean).square().mean()

    def _grow(self) -> None:
        """Let the next size fade in through the second half of each period, in both networks."""
        if not self.growing:
            return
        done = self.adversary.update * self.batch_size / self.growing
        level = int(done) + max(0.0, 2 * (done % 1) - 1)
        for network in (self.generator, self.discriminator):
            for module in network.modules():
                grown = getattr(module, "grown", None)
                if isinstance(grown, Tensor):
                    grown.fill_(min(level, len(self.discriminator.layout.sides) - 1))


@dataclass(frozen=True)
class Judged:
    """A discriminator that knows what its images are said to be of."""

    discriminator: ImageDiscriminator
    given: Tensor | None
    reduced: bool

    def __call__(self, images: Tensor) -> Tensor:
        """(N, bands, side, side) -> (N, 1) logits, float32."""
        with reduced(images.device, self.reduced):
            logits: Tensor = self.discriminator(images, self.given)
        return full(logits)


@dataclass(frozen=True)
class EncodeGame:
    """The loss of an encoder: cross-entropy of the classes it tells."""

    encoder: nn.Module
    smoothing: float
    precision: torch.dtype = torch.float32

    def generator_terms(self, chips: LabelledChips, adversarial: bool) -> dict[str, Tensor]:
        """The one term."""
        with reduced(chips.reference.device, self.precision == torch.bfloat16):
            logits = self.encoder(chips.reference)
        return {"cross_entropy": functional.cross_entropy(full(logits), chips.classes, label_smoothing=self.smoothing)}

    def discriminator_terms(self, chips: LabelledChips) -> dict[str, Tensor]:
        """None: there is no other player."""
        return {}
