"""Adversarial objectives as pure functions of logits; a higher logit = looks more like a reference.

An `Objective` is two losses, one for each player, and what the logit says once the discriminator is optimal. `p` is the
density of references, `q` that of generated images, d = sigmoid(logit). `OBJECTIVES` has them by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

from rsgan.errors import ConfigError

ObjectiveName = Literal[
    "non-saturating", "minimax", "least-squares", "hinge", "wasserstein", "relativistic-average", "relativistic-paired",
    "kl", "reverse-kl", "pearson", "squared-hellinger", "jensen-shannon", "total-variation",
]  # fmt: skip
"""Keys of `OBJECTIVES`."""


@dataclass(frozen=True)
class Objective:
    """What the two players of a game minimise.

    Attributes:
        name: as configurations and cards have it.
        discriminator: (logits of references, logits of generated images) -> loss.
        generator: (logits of generated images, logits of references) -> loss; only relativistic ones use the second.
        log_ratio: logits of the optimal discriminator -> log p / q, same shape; None where they do not tell it.
        meaning: what the logit says, in words, for reports.
        relativistic: whether the generator's loss uses the logits of references.
        smoothed: real label, 0 .. 1 -> the same objective with one-sided label smoothing; None where there is no label.
    """

    name: str
    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor, Tensor], Tensor]
    log_ratio: Callable[[Tensor], Tensor] | None
    meaning: str
    relativistic: bool = False
    smoothed: Callable[[float], Objective] | None = None

    @property
    def tells_side(self) -> bool:
        """Whether the sign of a logit says which of references and generated images is denser there."""
        return self.log_ratio is not None or self.meaning == _SIGN

    def side(self, logits: Tensor) -> Tensor:
        """1 where references are denser, -1 where generated images are; only where `tells_side`."""
        return (logits if self.log_ratio is None else self.log_ratio(logits)).sign()


_SIGN = "which of p and q is denser, not by how much"


def cross_entropy(real: Tensor, generated: Tensor, real_label: float = 1.0) -> Tensor:
    """Loss of the discriminator, -log d(real) - log(1 - d(generated)), at its optimum log 4 - 2 JSD(p, q).

    Its gradient at a logit is d - 1 for references and d for generated images: large where the judgement is wrong.

    Args:
        real: logits of references, any shape.
        generated: logits of generated images, any shape.
        real_label: what d should be for references; below 1 (one-sided smoothing), d* is real_label p / (p + q).

    Source: Goodfellow et al. 2014, arXiv:1406.2661, equation 1 and theorem 1; smoothing: Salimans et al. 2016,
    arXiv:1606.03498, section 3.4.
    """
    return real_label * softplus(-real).mean() + (1 - real_label) * softplus(real).mean() + softplus(generated).mean()


def non_saturating(generated: Tensor) -> Tensor:
    """Loss of the generator, -log d(generated): its gradient, d - 1, is largest where it is found out.

    Source: Goodfellow et al. 2014, arXiv:1406.2661, section 3.
    """
    return softplus(-generated).mean()


def saturating(generated: Tensor) -> Tensor:
    """Loss of the generator in the minimax game, log(1 - d(generated)).

    Its gradient, -d, vanishes where it is found out.

    Source: Goodfellow et al. 2014, arXiv:1406.2661, equation 1.
    """
    return -softplus(generated).mean()


def least_squares(real: Tensor, generated: Tensor, real_label: float = 1.0) -> Tensor:
    """Loss of the discriminator, ((real - 1)^2 + generated^2) / 2; its optimum is p / (p + q), not a logit.

    Gradients grow with the distance to the label, also for what is judged right by far.

    Source: Mao et al. 2017, arXiv:1611.04076, equation 9.
    """
    return ((real - real_label).square().mean() + generated.square().mean()) / 2


def hinge(real: Tensor, generated: Tensor) -> Tensor:
    """Loss of the discriminator, max(0, 1 - real) + max(0, 1 + generated): no gradient beyond the margin of 1.

    At its optimum the logit is sign(p - q): it says which is denser, not by how much.

    Source: Lim and Ye 2017, arXiv:1705.02894; Miyato et al. 2018, arXiv:1802.05957, equation 17.
    """
    return relu(1 - real).mean() + relu(1 + generated).mean()


def critic(real: Tensor, generated: Tensor) -> Tensor:
    """Loss of a Wasserstein critic, E[generated] - E[real]; over 1-Lipschitz critics, at best -W1(p, q).

    The gradient is constant, so the Lipschitz bound has to come from elsewhere: weight clipping, gradient penalty,
    spectral normalisation.

    Source: Arjovsky et al. 2017, arXiv:1701.07875, equation 2.
    """
    return generated.mean() - real.mean()


def relativistic_average(better: Tensor, worse: Tensor) -> Tensor:
    """-log sigmoid(better - E[worse]) - log sigmoid(E[better] - worse): each against the mean of the other kind.

    The discriminator minimises it with references as the better ones, the generator with generated images. Both sides
    get gradients from both kinds. Only differences of logits mean something.

    Source: Jolicoeur-Martineau 2018, arXiv:1807.00734, section 4.2.
    """
    return softplus(worse.mean() - better).mean() + softplus(worse - better.mean()).mean()


def relativistic_paired(better: Tensor, worse: Tensor) -> Tensor:
    """-log sigmoid(better - worse), sample by sample; the discriminator's better ones are references.

    Its optimum is log p / q up to a constant; a game of pairs of one scene compares like with like.

    Args:
        better: logits, any shape.
        worse: logits of as many samples in the same shape.

    Source: Jolicoeur-Martineau 2018, arXiv:1807.00734, section 4.1.
    """
    return softplus(worse - better).mean()


@dataclass(frozen=True)
class FDivergence:
    """An f-divergence D_f(p, q) = E_q[f(p / q)] through its Fenchel conjugate, for f convex with f(1) = 0.

    D_f is the largest E_p[T] - E_q[f*(T)] over T = activation(logit); at the optimum T = f'(p / q).

    Attributes:
        activation: logit -> T, within the domain of f*.
        conjugate_of_activation: logit -> f*(T), written out so that it stays finite.

    Source: Nowozin, Cseke, Tomioka 2016, arXiv:1606.00709, tables 1, 2 and 6.
    """

    activation: Callable[[Tensor], Tensor]
    conjugate_of_activation: Callable[[Tensor], Tensor]

    def discriminator(self, real: Tensor, generated: Tensor) -> Tensor:
        """Loss of the discriminator, E[f*(T(generated))] - E[T(real)]; -D_f at its optimum."""
        return self.conjugate_of_activation(generated).mean() - self.activation(real).mean()

    def generator(self, generated: Tensor, _: Tensor) -> Tensor:
        """Loss of the generator, -E[T(generated)].

        The saddle point's own loss, -E[f*(T)], would vanish where the generator is found out.

        Source: Nowozin, Cseke, Tomioka 2016, section 3.2.
        """
        return -self.activation(generated).mean()


KL = FDivergence(lambda v: v, lambda v: torch.exp(v - 1))
"""f = u log u, so T* = 1 + log p / q; the discriminator's gradient on generated images grows without bound."""
REVERSE_KL = FDivergence(lambda v: -torch.exp(-v), lambda v: v - 1)
"""f = -log u, so T* = -q / p; the generator's gradient grows without bound where it is found out."""
PEARSON = FDivergence(lambda v: v, lambda v: v.square() / 4 + v)
"""f = (u - 1)^2, so T* = 2 (p / q - 1)."""
SQUARED_HELLINGER = FDivergence(lambda v: 1 - torch.exp(-v), lambda v: torch.exp(v) - 1)
"""f = (sqrt u - 1)^2, so T* = 1 - sqrt(q / p)."""
JENSEN_SHANNON = FDivergence(lambda v: math.log(2) - softplus(-v), lambda v: softplus(v) - math.log(2))
"""f = u log u - (u + 1) log((u + 1) / 2): the cross-entropy game but for constants, D_f = 2 JSD; bounded by log 4."""
TOTAL_VARIATION = FDivergence(lambda v: torch.tanh(v) / 2, lambda v: torch.tanh(v) / 2)
"""f = |u - 1| / 2, so T* = sign(p - q) / 2: which is denser, not by how much; gradients vanish far from 0."""


def _ratio_of_share(share: Tensor, real_label: float = 1.0) -> Tensor:
    """Log p / q from d* = real_label p / (p + q); infinite where the share is not within 0 .. real_label."""
    return torch.log(share.clamp_min(0)) - torch.log((real_label - share).clamp_min(0))


def _cross_entropy_of(name: str, generator: Callable[[Tensor], Tensor], real_label: float = 1.0) -> Objective:
    exact = real_label == 1
    return Objective(
        name,
        lambda real, generated: cross_entropy(real, generated, real_label),
        lambda generated, _: generator(generated),
        (lambda v: v) if exact else (lambda v: _ratio_of_share(torch.sigmoid(v), real_label)),
        "the log density ratio, log p / q" if exact else f"log p / q through the label {real_label:g} of references",
        smoothed=lambda label: _cross_entropy_of(name, generator, label),
    )


def _least_squares_of(real_label: float = 1.0) -> Objective:
    return Objective(
        "least-squares",
        lambda real, generated: least_squares(real, generated, real_label),
        lambda generated, _: (generated - 1).square().mean() / 2,
        lambda v: _ratio_of_share(v, real_label),
        f"a share, {real_label:g} p / (p + q)",
        smoothed=_least_squares_of,
    )


def _f_gan(name: str, divergence: FDivergence, log_ratio: Callable[[Tensor], Tensor] | None, meaning: str) -> Objective:
    return Objective(name, divergence.discriminator, divergence.generator, log_ratio, meaning)


OBJECTIVES: dict[str, Objective] = {
    objective.name: objective
    for objective in (
        _cross_entropy_of("non-saturating", non_saturating),
        _cross_entropy_of("minimax", saturating),
        _least_squares_of(),
        Objective("hinge", hinge, lambda generated, _: -generated.mean(), None, _SIGN),
        Objective("wasserstein", critic, lambda generated, _: -generated.mean(), None, "a critic's score, no density"),
        Objective(
            "relativistic-average", relativistic_average, relativistic_average, None,
            "only its difference to the mean of the other kind", relativistic=True
        ),
        Objective(
            "relativistic-paired", relativistic_paired, relativistic_paired, None,
            "log p / q up to an unknown constant", relativistic=True
        ),
        _f_gan("kl", KL, lambda v: v - 1, "1 + log p / q"),
        _f_gan("reverse-kl", REVERSE_KL, lambda v: v, "the log density ratio, log p / q"),
        _f_gan("pearson", PEARSON, lambda v: torch.log((1 + v / 2).clamp_min(0)), "2 (p / q - 1)"),
        _f_gan("squared-hellinger", SQUARED_HELLINGER, lambda v: 2 * v, "half the log density ratio"),
        _f_gan("jensen-shannon", JENSEN_SHANNON, lambda v: v, "the log density ratio, log p / q"),
        _f_gan("total-variation", TOTAL_VARIATION, None, _SIGN),
    )
}  # fmt: skip
"""Every objective by its name."""


def find_objective(name: str, real_label: float = 1.0) -> Objective:
    """An objective, with one-sided label smoothing where `real_label` is below 1.

    Raises:
        ConfigError: there is no such objective, the label is not within 0.5 .. 1, or the objective has no labels.
    """
    if name not in OBJECTIVES:
        raise ConfigError(f"adversary.objective: '{name}' is none of {', '.join(OBJECTIVES)}.")
    objective = OBJECTIVES[name]
    if real_label == 1:
        return objective
    if not 0.5 < real_label < 1:
        raise ConfigError(f"adversary.real_label is {real_label:g}; expected above 0.5 and at most 1 (0.9 is usual).")
    if objective.smoothed is None:
        with_labels = ", ".join(name for name, one in OBJECTIVES.items() if one.smoothed is not None)
        raise ConfigError(
            f"adversary.real_label is {real_label:g}, but '{name}' has no labels that could be smoothed: its logit is "
            f"{objective.meaning}. Leave real_label at 1, or take one of {with_labels}."
        )
    return objective.smoothed(real_label)
