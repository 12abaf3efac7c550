import math
from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest
import torch
from scipy import special, stats
from torch import Tensor

from rsgan.errors import ConfigError
from rsgan.nn.objectives import (
    JENSEN_SHANNON,
    KL,
    OBJECTIVES,
    PEARSON,
    REVERSE_KL,
    SQUARED_HELLINGER,
    TOTAL_VARIATION,
    FDivergence,
    ObjectiveName,
    critic,
    cross_entropy,
    find_objective,
    non_saturating,
    relativistic_average,
    relativistic_paired,
    saturating,
)

REAL, GENERATED = torch.tensor([2.0, -1.0, 0.3, 0.9]).double(), torch.tensor([0.5, -3.0, 1.1, 0.2]).double()
P, Q = torch.tensor([0.6, 0.3, 0.09, 0.01]).double(), torch.tensor([0.1, 0.3, 0.2, 0.4]).double()
"""Densities of four kinds of pixels."""


def expectation(density: Tensor, values: Tensor) -> Tensor:
    return (density * values).sum()


def optimum(loss: Callable[[Tensor], Tensor], start: Tensor | None = None) -> tuple[Tensor, float]:
    """Logits of the four kinds that minimise `loss`, and its value there."""
    logits = (torch.zeros(4, dtype=torch.float64) if start is None else start.clone()).requires_grad_()
    optimizer = torch.optim.LBFGS(
        [logits], 1, 500, tolerance_grad=1e-10, tolerance_change=1e-15, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss(logits)
        value.backward()
        return value

    optimizer.step(closure)
    return logits.detach(), float(loss(logits).detach())


def in_counts(name: str, real_label: float = 1.0) -> Callable[[Tensor], Tensor]:
    """The discriminator's loss on a population of 1000 references and 1000 generated pixels of the four kinds."""
    kinds = torch.arange(4)
    real, generated = (kinds.repeat_interleave((1000 * density).round().long()) for density in (P, Q))
    objective = find_objective(name, real_label)
    return lambda logits: objective.discriminator(logits[real], logits[generated])


def jsd(p: Tensor, q: Tensor) -> float:
    middle = (p + q) / 2
    return float(sum(np.sum(special.rel_entr(x.numpy(), middle.numpy())) for x in (p, q))) / 2


@pytest.mark.parametrize("name", [name for name, one in OBJECTIVES.items() if one.log_ratio is not None])
def test_the_best_logits_tell_the_ratio_of_the_densities(name: str) -> None:
    start = 0.5 * torch.ones(4, dtype=torch.float64)
    logits, _ = optimum(in_counts(name), start)
    objective = OBJECTIVES[name]
    assert objective.log_ratio is not None
    torch.testing.assert_close(objective.log_ratio(logits), (P / Q).log(), rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", ["non-saturating", "minimax"])
def test_the_best_discriminator_is_the_share_of_references(name: str) -> None:
    torch.testing.assert_close(torch.sigmoid(optimum(in_counts(name))[0]), P / (P + Q), rtol=0, atol=1e-4)


def test_the_best_relativistic_logits_order_the_kinds_by_the_ratio() -> None:
    kinds = torch.arange(4)
    pairs = torch.cartesian_prod(kinds, kinds)
    weight = P[pairs[:, 0]] * Q[pairs[:, 1]]

    def loss(logits: Tensor) -> Tensor:
        each = torch.stack([relativistic_paired(logits[i], logits[j]) for i, j in pairs])
        return (weight * each).sum() + 1e-9 * logits.square().sum()

    logits, _ = optimum(loss)
    assert torch.equal(logits.argsort(), (P / Q).argsort())


def test_minimax_against_the_best_discriminator_is_the_jensen_shannon_divergence() -> None:
    _, value = optimum(in_counts("minimax"))
    # the loss is what the discriminator minimises, so the game's value is its negative
    assert -value == pytest.approx(2 * jsd(P, Q) - math.log(4), abs=1e-6)


@pytest.mark.parametrize(
    ("divergence", "truth"),
    [
        (KL, (P * (P / Q).log()).sum()),
        (REVERSE_KL, (Q * (Q / P).log()).sum()),
        (PEARSON, ((P - Q).square() / Q).sum()),
        (SQUARED_HELLINGER, (P.sqrt() - Q.sqrt()).square().sum()),
        (JENSEN_SHANNON, torch.tensor(2 * jsd(P, Q))),
    ],
)
def test_the_variational_bound_reaches_the_divergence(divergence: FDivergence, truth: Tensor) -> None:
    def loss(logits: Tensor) -> Tensor:
        return expectation(Q, divergence.conjugate_of_activation(logits)) - expectation(
            P, divergence.activation(logits)
        )

    _, value = optimum(loss)
    assert -value == pytest.approx(float(truth), abs=1e-5)
    for logits in (torch.zeros(4).double(), torch.tensor([1.0, -1.0, 0.5, 0.1]).double()):
        assert -float(loss(logits)) <= float(truth) + 1e-9


def test_total_variation_is_reached_by_the_sign() -> None:
    logits = 50 * torch.sign(P - Q).double()
    bound = expectation(P, TOTAL_VARIATION.activation(logits)) - expectation(
        Q, TOTAL_VARIATION.conjugate_of_activation(logits)
    )
    assert float(bound) == pytest.approx(float((P - Q).abs().sum() / 2))


@pytest.mark.parametrize(
    ("divergence", "conjugate"),
    [
        (KL, lambda t: torch.exp(t - 1)),
        (REVERSE_KL, lambda t: -1 - torch.log(-t)),
        (PEARSON, lambda t: t.square() / 4 + t),
        (SQUARED_HELLINGER, lambda t: t / (1 - t)),
        (JENSEN_SHANNON, lambda t: -torch.log(2 - torch.exp(t))),
        (TOTAL_VARIATION, lambda t: t),
    ],
)
def test_conjugates_are_those_of_the_paper(divergence: FDivergence, conjugate: Callable[[Tensor], Tensor]) -> None:
    logits = torch.linspace(-3, 3, 25).double()
    torch.testing.assert_close(divergence.conjugate_of_activation(logits), conjugate(divergence.activation(logits)))


def test_losses_are_the_cross_entropies_of_the_paper() -> None:
    expected = -torch.sigmoid(REAL).log().mean() - (1 - torch.sigmoid(GENERATED)).log().mean()
    torch.testing.assert_close(cross_entropy(REAL, GENERATED), expected)
    torch.testing.assert_close(non_saturating(GENERATED), -torch.sigmoid(GENERATED).log().mean())
    torch.testing.assert_close(saturating(GENERATED), (1 - torch.sigmoid(GENERATED)).log().mean())


def test_a_blind_discriminator_pays_two_log_two() -> None:
    zero = torch.zeros(1, 1, 4, 4)
    assert float(cross_entropy(zero, zero)) == pytest.approx(2 * math.log(2))
    assert float(non_saturating(zero)) == pytest.approx(math.log(2))
    assert float(relativistic_average(zero, zero)) == pytest.approx(2 * math.log(2))


@pytest.mark.parametrize(
    ("name", "discriminator", "generator"),
    [
        (
            "least-squares",
            ((REAL - 1).square().mean() + GENERATED.square().mean()) / 2,
            (GENERATED - 1).square().mean() / 2,
        ),
        ("hinge", (1 - REAL).clamp_min(0).mean() + (1 + GENERATED).clamp_min(0).mean(), -GENERATED.mean()),
        ("wasserstein", GENERATED.mean() - REAL.mean(), -GENERATED.mean()),
        (
            "relativistic-average",
            -torch.sigmoid(REAL - GENERATED.mean()).log().mean() - torch.sigmoid(REAL.mean() - GENERATED).log().mean(),
            -torch.sigmoid(GENERATED - REAL.mean()).log().mean() - torch.sigmoid(GENERATED.mean() - REAL).log().mean(),
        ),
        (
            "relativistic-paired",
            -torch.sigmoid(REAL - GENERATED).log().mean(),
            -torch.sigmoid(GENERATED - REAL).log().mean(),
        ),
    ],
)
def test_values_are_those_of_the_papers(name: str, discriminator: Tensor, generator: Tensor) -> None:
    torch.testing.assert_close(OBJECTIVES[name].discriminator(REAL, GENERATED), discriminator)
    torch.testing.assert_close(OBJECTIVES[name].generator(GENERATED, REAL), generator)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_higher_logit_means_looks_more_like_a_reference(name: str) -> None:
    high, low = torch.tensor([0.8]), torch.tensor([-0.8])
    objective = OBJECTIVES[name]
    assert objective.discriminator(high, low) < objective.discriminator(low, high)
    assert objective.generator(high, low) < objective.generator(low, high)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_gradients_are_right(name: str) -> None:
    objective = OBJECTIVES[name]
    real, generated = REAL.clone().requires_grad_(), GENERATED.clone().requires_grad_()
    assert torch.autograd.gradcheck(objective.discriminator, (real, generated))
    assert torch.autograd.gradcheck(objective.generator, (generated, real))


def test_the_saturating_loss_is_weaker_by_the_odds() -> None:
    for logit in (-4.0, -1.0, 0.0, 2.0):
        slopes = []
        for loss in (non_saturating, saturating):
            value = torch.tensor([logit], dtype=torch.float64, requires_grad=True)
            loss(value).backward()
            slopes.append(float(value.grad))
        d = 1 / (1 + math.exp(-logit))
        assert slopes[0] / slopes[1] == pytest.approx((1 - d) / d)


def test_the_generator_keeps_its_gradient_where_it_is_found_out() -> None:
    for loss, slope in ((non_saturating, -1.0), (saturating, 0.0)):
        logit = torch.tensor([-30.0], requires_grad=True)
        loss(logit).backward()
        assert float(logit.grad) == pytest.approx(slope, abs=1e-9)


@pytest.mark.parametrize("name", ["non-saturating", "minimax", "jensen-shannon", "relativistic-average"])
def test_far_logits_stay_finite(name: str) -> None:
    far = torch.tensor([1e4, -1e4])
    assert torch.isfinite(OBJECTIVES[name].discriminator(far, far))
    assert torch.isfinite(OBJECTIVES[name].generator(far, far))


@pytest.mark.parametrize(("alpha", "delta"), [(1.0, 2.0), (0.3, -1.5)])
def test_a_wasserstein_critic_measures_how_much_is_moved_how_far(alpha: float, delta: float) -> None:
    real = torch.zeros(1000, dtype=torch.float64)
    generated = torch.cat([torch.full((int(1000 * alpha),), delta), torch.zeros(1000 - int(1000 * alpha))]).double()
    # the best of the 1-Lipschitz critics of a line through 0
    best = max(-float(critic(slope * real, slope * generated)) for slope in (-1.0, 0.0, 1.0))
    assert best == pytest.approx(alpha * abs(delta))
    assert best == pytest.approx(stats.wasserstein_distance(real.numpy(), generated.numpy()))


def test_on_disjoint_supports_jensen_shannon_saturates_and_wasserstein_does_not() -> None:
    found = []
    for distance in (1.0, 10.0):
        apart = torch.tensor(
            [60.0, -60.0]
        ).double()  # the best discriminator between two points, whatever their distance
        divergence = math.log(4) - float(cross_entropy(apart[:1], apart[1:]))
        earth_mover = -float(critic(torch.tensor([distance]), torch.zeros(1)))
        found.append((divergence / 2, earth_mover))
    assert [value for value, _ in found] == pytest.approx([math.log(2)] * 2)
    assert [value for _, value in found] == pytest.approx([1.0, 10.0])


@pytest.mark.parametrize("name", ["non-saturating", "minimax", "least-squares"])
def test_smoothing_lowers_the_best_share_and_is_undone(name: str) -> None:
    logits, _ = optimum(in_counts(name, 0.9))
    share = logits if name == "least-squares" else torch.sigmoid(logits)
    torch.testing.assert_close(share, 0.9 * P / (P + Q), rtol=0, atol=1e-4)
    objective = find_objective(name, 0.9)
    assert objective.log_ratio is not None
    torch.testing.assert_close(objective.log_ratio(logits), (P / Q).log(), rtol=0, atol=1e-3)


def test_the_names_are_those_that_configurations_allow() -> None:
    assert set(OBJECTIVES) == set(get_args(ObjectiveName))
    assert {name for name, one in OBJECTIVES.items() if one.relativistic} == {
        "relativistic-average", "relativistic-paired"
    }  # fmt: skip


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ConfigError, match="none of non-saturating, minimax"):
        find_objective("wgan")
    for name in ("wasserstein", "hinge", "kl"):
        with pytest.raises(ConfigError, match="no labels"):
            find_objective(name, 0.9)
    for label in (0.2, 1.1):
        with pytest.raises(ConfigError, match="real_label"):
            find_objective("minimax", label)
