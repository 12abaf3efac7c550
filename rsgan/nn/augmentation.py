"""Augmentation of what a discriminator sees, for small training sets: it cannot learn the few references by heart.

The transforms keep the physics: land has no up, and a scene may be brighter as a whole. References, generated images
and conditions go through the same ones, so a generator never learns to make turned images.

Source: Karras et al. 2020, arXiv:2006.06676 (adaptive discriminator augmentation).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rsgan.nn.ranks import count, own


def augment(images: Tensor, share: float, gain: float, rng: torch.Generator, *, turns: bool = True) -> Tensor:
    """Each image mirrored, turned and scaled at random, each with a probability of its own.

    Args:
        images: (N, C, H, W); all channels of an image go through the same transform.
        share: probability of each transform, 0 .. 1.
        gain: standard deviation of the logarithm of the factor.
        rng: of the draw, which is made for the images of all processes, so that each image has its own wherever it is.
        turns: whether rows may become columns; only of square images.
    """
    every = len(images) * count()
    draws = own(torch.rand(every, 4, generator=rng))
    factors = own(torch.exp(gain * torch.randn(every, generator=rng)))
    made = []
    for image, (down, across, over, brighter), factor in zip(images, draws.tolist(), factors.tolist(), strict=True):
        if down < share / 2:  # half of those that are drawn stay as they are: both are as likely
            image = image.flip(1)
        if across < share / 2:
            image = image.flip(2)
        if turns and over < share / 2 and image.shape[1] == image.shape[2]:
            image = image.transpose(1, 2)
        if gain and brighter < share:
            image = image * factor
        made.append(image)
    return torch.stack(made)


class Augmenter:
    """Augments whatever goes into the layers of a discriminator, as long as it is on.

    Attributes:
        share: probability of each transform; 0 augments nothing.
        seed: of the present update's draws.
        calls: of the layers in the present update.
    """

    def __init__(self, discriminator: nn.Module, gain: float, *, turns: bool) -> None:
        self.share, self.seed, self.calls, self.gain, self.turns = 0.0, 0, 0, gain, turns
        for layers in discriminator.children():
            if isinstance(layers, nn.Sequential):
                layers.register_forward_pre_hook(self._hook)

    def _hook(self, _: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor] | None:
        if self.share <= 0:
            return None
        rng = torch.Generator().manual_seed(self.seed * 64 + self.calls)
        self.calls += 1
        return (augment(inputs[0], self.share, self.gain, rng, turns=self.turns),)
