"""Adversarial objectives as pure functions of logits; positive logit = looks like a reference."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus


def discriminator_loss(real: Tensor, generated: Tensor) -> Tensor:
    """Cross-entropy of the discriminator, -log d(real) - log(1 - d(generated)); its optimum is log p_data / p_g.

    Source: Goodfellow et al. 2014, arXiv:1406.2661, equation 1.
    """
    return softplus(-real).mean() + softplus(generated).mean()


def generator_loss(generated: Tensor) -> Tensor:
    """Non-saturating loss of the generator, -log d(generated); gradient does not vanish where d is near 0.

    Source: Goodfellow et al. 2014, arXiv:1406.2661, section 3.
    """
    return softplus(-generated).mean()
