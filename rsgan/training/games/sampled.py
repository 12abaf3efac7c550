"""The sampled game: images from random numbers, judged against references of no ground in particular."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from rsgan.nn.ranks import count, own
from rsgan.training.games.adversary import Adversary, Judge


class Sampler(Protocol):
    """Whatever makes images of random numbers."""

    @property
    def latent(self) -> int:
        """Random numbers that make one image."""
        ...

    def __call__(self, noise: Tensor) -> Tensor:
        """(N, latent) standard normal numbers -> (N, ...) images."""
        ...


@dataclass(frozen=True)
class SampledGame:
    """Losses of one step, for references (N, ...); nothing pairs them with what is made.

    Source: Goodfellow et al. 2014, arXiv:1406.2661, algorithm 1.

    Attributes:
        generator: G, noise -> image.
        judge: D, image -> logits.
        adversary: objective and penalties; its `update` seeds the noise.
    """

    generator: Sampler
    judge: Judge
    adversary: Adversary

    def generator_terms(self, references: Tensor, adversarial: bool = True) -> dict[str, Tensor]:
        """The adversarial term: without it there is nothing to learn."""
        if not adversarial:
            return {}
        return {"adversarial": self.adversary.generator_term(self.judge, self.made(references, 0), references)}

    def discriminator_terms(self, references: Tensor) -> dict[str, Tensor]:
        """References against images made for this update."""
        with torch.no_grad():
            made = self.made(references, 1)
        return self.adversary.discriminator_terms(self.judge, references, made)

    def made(self, references: Tensor, salt: int) -> Tensor:
        """As many images as there are references; the same for one seed, update and salt."""
        return self.generator(drawn(self.adversary, self.generator.latent, len(references), salt).to(references))


def drawn(adversary: Adversary, latent: int, images: int, salt: int) -> Tensor:
    """(images, latent) standard normal numbers of this process; the same for one seed, update and salt, 0 or 1."""
    rng = torch.Generator().manual_seed((adversary.seed * 1_000_003 + adversary.update) * 2 + salt)
    return own(torch.randn(count() * images, latent, generator=rng))
