"""Penalties on the discriminator and bounds on its weights."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, autograd, nn


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
