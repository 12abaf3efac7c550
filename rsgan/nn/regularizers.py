"""Penalties on the discriminator and bounds on its weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, autograd, nn
from torch.func import functional_call

from rsgan.nn.ranks import mean_over_ranks


def r1_penalty(logits: Tensor, images: Tensor) -> Tensor:
    """Mean squared gradient norm of the logits at `images`; the loss is gamma / 2 times this.

    At references it is R1, at generated images R2.

    Args:
        logits: discriminator output for `images`, any shape.
        images: (N, ...) with requires_grad.

    Source: Mescheder et al. 2018, arXiv:1801.04406, equations 9 and 10.
    """
    (gradient,) = autograd.grad(logits.sum(), images, create_graph=True)
    return gradient.square().flatten(1).sum(1).mean()


def gradient_penalty(judge: Callable[[Tensor], Tensor], real: Tensor, generated: Tensor, mix: Tensor) -> Tensor:
    """Mean squared departure of the gradient's norm from 1, between references and generated images.

    Args:
        judge: (N, ...) images -> logits, any shape; an image's score is the mean of its logits.
        real: (N, ...) references.
        generated: as many, in the same shape.
        mix: (N,) share of the reference in each image at which the gradient is taken, 0 .. 1, drawn evenly.

    Source: Gulrajani et al. 2017, arXiv:1704.00028, equation 3 (weight 10 there).
    """
    share = mix.reshape(-1, *[1] * (real.ndim - 1))
    between = (share * real.detach() + (1 - share) * generated.detach()).requires_grad_()
    score = judge(between).reshape(len(between), -1).mean(1)
    (gradient,) = autograd.grad(score.sum(), between, create_graph=True)
    norm: Tensor = gradient.square().flatten(1).sum(1).add(1e-12).sqrt()
    return (norm - 1).square().mean()


def lecam_penalty(real: Tensor, generated: Tensor, means: Tensor) -> Tensor:
    """Squared distance of the logits of each kind from the running mean of the other: for small training sets.

    Args:
        real: logits of references, any shape.
        generated: logits of generated images, any shape.
        means: (2,) running means of the logits of references and of generated images.

    Source: Tseng et al. 2021, arXiv:2104.03310, equation 4.
    """
    return (real - means[1]).square().mean() + (generated - means[0]).square().mean()


@torch.no_grad()
def clip_weights(network: nn.Module, bound: float) -> None:
    """Bring every weight within -bound .. bound, a crude bound on the slope of a critic.

    Source: Arjovsky et al. 2017, arXiv:1701.07875, algorithm 1 (0.01 there).
    """
    for weight in network.parameters():
        weight.clamp_(-bound, bound)


def consistency_penalty(plain: Tensor, augmented: Tensor) -> Tensor:
    """Squared difference of an image's mean logit before and after augmentation: an image turned is as real.

    Args:
        plain: (N, ...) logits of images.
        augmented: (N, ...) logits of the same images, augmented.

    Source: Zhang et al. 2020, arXiv:1910.12027; of generated images, too, Zhao et al. 2020, arXiv:2002.04724.
    """
    first, second = (logits.reshape(len(logits), -1).mean(1) for logits in (plain, augmented))
    return (first - second).square().mean()


def matching_loss(generated: Sequence[Tensor], real: Sequence[Tensor]) -> Tensor:
    """Absolute difference of the mean features of generated and of real images, mean over layers and channels.

    Args:
        generated: (N, C, H, W) features of each layer of a discriminator.
        real: of references, likewise; no gradient goes into them.

    Source: Salimans et al. 2016, arXiv:1606.03498, section 3.1, with the absolute in place of the squared norm, so that
    layers count alike.
    """
    terms = [
        mean_over_ranks(a.mean((0, 2, 3)) - b.detach().mean((0, 2, 3))).abs().mean()
        for a, b in zip(generated, real, strict=True)
    ]
    return torch.stack(terms).mean()


@contextmanager
def captured(network: nn.Module) -> Iterator[list[Tensor]]:
    """The outputs of all activations of a network, in the order of the calls, while the context lasts."""
    found: list[Tensor] = []
    hooks = [
        module.register_forward_hook(lambda _, __, output: found.append(output))
        for module in network.modules()
        if isinstance(module, nn.LeakyReLU)
    ]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


class Unrolled(nn.Module):
    """A judge some steps of gradient descent ahead; its loss tells a generator what the discriminator will answer.

    Source: Metz et al. 2017, arXiv:1611.02163, equations 2 to 4; the gradient goes through the steps.
    """

    def __init__(self, discriminator: nn.Module, judge: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.discriminator = discriminator
        self._judge = (judge,)  # in a tuple, or torch would take a judge that is a module for another part of this one

    def forward(self, images: Tensor) -> Tensor:
        """What the judge says, with whatever weights the discriminator has at this moment."""
        return self._judge[0](images)

    def ahead(
        self, loss: Callable[[Tensor, Tensor], Tensor], real: Tensor, generated: Tensor, steps: int, rate: float
    ) -> Callable[[Tensor], Tensor]:
        """The judge after `steps` steps of `rate` down the loss of (logits of real, logits of generated) images."""
        weights = {
            f"discriminator.{name}": weight.detach().clone().requires_grad_()
            for name, weight in self.discriminator.named_parameters()
        }

        def judged(images: Tensor) -> Tensor:
            logits: Tensor = functional_call(self, weights, (images,))
            return logits

        for _ in range(steps):
            present = loss(judged(real), judged(generated))
            slopes = autograd.grad(present, list(weights.values()), create_graph=True, allow_unused=True)
            weights = {
                name: weight if slope is None else weight - rate * mean_over_ranks(slope)
                for (name, weight), slope in zip(weights.items(), slopes, strict=True)
            }
        return judged
