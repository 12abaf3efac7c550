"""Penalties on the discriminator."""

from __future__ import annotations

from torch import Tensor, autograd


def r1_penalty(logits: Tensor, real: Tensor) -> Tensor:
    """Mean squared gradient norm of the logits at references; the loss is r1_gamma / 2 times this.

    Args:
        logits: discriminator output for `real`, any shape.
        real: (N, ...) with requires_grad.

    Source: Mescheder et al. 2018, arXiv:1801.04406, equation 9.
    """
    (gradient,) = autograd.grad(logits.sum(), real, create_graph=True)
    return gradient.square().flatten(1).sum(1).mean()
