import pytest
import torch
from torch import Tensor, nn

from rsgan.nn.discriminators import TranslationDiscriminator, TranslationDiscriminatorConfig
from rsgan.nn.objectives import cross_entropy
from rsgan.nn.regularizers import (
    Unrolled,
    captured,
    clip_weights,
    consistency_penalty,
    gradient_penalty,
    lecam_penalty,
    matching_loss,
    r1_penalty,
)


def test_r1_of_a_linear_discriminator_is_its_squared_norm(rng: torch.Generator) -> None:
    weight = torch.randn(12, generator=rng, dtype=torch.float64)
    real = torch.randn(5, 3, 2, 2, generator=rng, dtype=torch.float64, requires_grad=True)
    penalty = r1_penalty(real.flatten(1) @ weight, real)
    torch.testing.assert_close(penalty, weight.square().sum())


def test_r1_of_a_quadratic_discriminator_pushes_weights_down(rng: torch.Generator) -> None:
    gain = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    real = torch.randn(4, 6, generator=rng, dtype=torch.float64, requires_grad=True)
    penalty = r1_penalty(gain * real.square().sum(1) / 2, real)
    mean_square = real.detach().square().sum(1).mean()
    torch.testing.assert_close(penalty.detach(), 1.5**2 * mean_square)
    penalty.backward()
    torch.testing.assert_close(gain.grad, 2 * 1.5 * mean_square)


def test_the_gradient_penalty_of_a_linear_critic_is_how_far_its_slope_is_from_one(rng: torch.Generator) -> None:
    real, generated = (torch.randn(3, 2, 4, generator=rng, dtype=torch.float64) for _ in range(2))
    weight = torch.full((8,), 0.75, dtype=torch.float64)
    mix = torch.rand(3, generator=rng, dtype=torch.float64)
    penalty = gradient_penalty(lambda x: x.flatten(1) @ weight, real, generated, mix)
    assert float(penalty.detach()) == pytest.approx((0.75 * 8**0.5 - 1) ** 2)
    penalty = gradient_penalty(lambda x: x.flatten(1) @ weight / (0.75 * 8**0.5), real, generated, mix)
    assert float(penalty.detach()) == pytest.approx(0, abs=1e-9)


def test_the_gradient_penalty_is_taken_between_the_two_kinds() -> None:
    real, generated = torch.full((2, 1), 3.0).double(), torch.zeros(2, 1).double()
    seen: list[Tensor] = []

    def judge(images: Tensor) -> Tensor:
        seen.append(images)
        return images.square().sum(1)

    penalty = gradient_penalty(judge, real, generated, torch.tensor([0.5, 1.0]).double())
    torch.testing.assert_close(seen[0].detach(), torch.tensor([[1.5], [3.0]]).double())
    assert float(penalty.detach()) == pytest.approx(((3 - 1) ** 2 + (6 - 1) ** 2) / 2)


def test_the_gradient_penalty_teaches_the_critic() -> None:
    critic = nn.Linear(4, 1).double()
    one = torch.ones(2, 4).double()
    gradient_penalty(critic, one, 0 * one, torch.tensor([0.3, 0.6])).backward()
    assert critic.weight.grad is not None
    assert float(critic.weight.grad.abs().max()) > 0


def test_lecam_pulls_each_kind_towards_the_mean_of_the_other() -> None:
    real, generated = torch.tensor([2.0, 4.0]).requires_grad_(), torch.tensor([-1.0]).requires_grad_()
    penalty = lecam_penalty(real, generated, torch.tensor([3.0, -2.0]))
    assert float(penalty.detach()) == pytest.approx((4**2 + 6**2) / 2 + 4**2)
    penalty.backward()
    assert real.grad is not None
    assert generated.grad is not None
    assert real.grad.min() > 0 > float(generated.grad)


def test_clipped_weights_are_within_the_bound() -> None:
    network = nn.Linear(5, 5)
    nn.init.normal_(network.weight)
    kept = network.bias.detach().clamp(-0.05, 0.05).clone()
    clip_weights(network, 0.05)
    assert float(network.weight.detach().abs().max()) == pytest.approx(0.05)
    torch.testing.assert_close(network.bias.detach(), kept)


def test_consistency_is_zero_for_a_judge_that_does_not_care(rng: torch.Generator) -> None:
    logits = torch.randn(3, 1, 4, 4, generator=rng)
    assert float(consistency_penalty(logits, logits.flip(2))) == pytest.approx(0, abs=1e-12)
    assert float(consistency_penalty(logits, logits + 2)) == pytest.approx(4, rel=1e-5)


def test_matching_compares_means_over_images_and_pixels(rng: torch.Generator) -> None:
    features = [torch.randn(4, 3, 5, 5, generator=rng), torch.randn(4, 2, 2, 2, generator=rng)]
    order = torch.randperm(4, generator=rng)
    shuffled = [layer[order].flip(3) for layer in features]
    assert float(matching_loss(shuffled, features)) == pytest.approx(0, abs=1e-6)
    assert float(matching_loss([features[0] + 1, features[1] - 3], features)) == pytest.approx(2, rel=1e-5)


def test_features_are_captured_in_order_and_only_inside(rng: torch.Generator) -> None:
    network = nn.Sequential(nn.Linear(2, 3), nn.LeakyReLU(0.2), nn.Linear(3, 1), nn.LeakyReLU(0.2))
    seen = torch.randn(4, 2, generator=rng)
    with captured(network) as found:
        out = network(seen)
    network(seen)
    assert [tuple(layer.shape) for layer in found] == [(4, 3), (4, 1)]
    torch.testing.assert_close(found[-1], out)


def test_unrolling_goes_down_the_discriminators_loss_and_leaves_it_alone() -> None:
    """One weight w, judge w x: the step of -rate d/dw of (logit generated - logit real) is rate (real - generated)."""
    judge = nn.Linear(1, 1, bias=False)
    judge.weight.data.fill_(2.0)
    judge.requires_grad_(False)
    real, generated = torch.tensor([[3.0]]), torch.tensor([[1.0]], requires_grad=True)
    ahead = Unrolled(judge, judge).ahead(lambda r, g: (g - r).mean(), real, generated, steps=2, rate=0.1)
    logit = ahead(generated)
    assert float(logit.detach()) == pytest.approx(2 + 2 * 0.1 * (3 - 1))
    # through the steps: d/dx of x (2 + 0.2 (3 - x)) at 1 = 2 + 0.6 - 0.4
    (slope,) = torch.autograd.grad(logit.sum(), generated)
    assert float(slope) == pytest.approx(2.2)
    assert float(judge.weight) == 2.0
    assert not judge.weight.requires_grad


def test_unrolling_works_through_spectral_norm(rng: torch.Generator) -> None:
    judge = TranslationDiscriminator(
        TranslationDiscriminatorConfig(source_bands=1, target_bands=1, channels=4, strided=1)
    )
    before = {name: value.clone() for name, value in judge.named_parameters()}
    generated = torch.randn(2, 1, 8, 8, generator=rng, requires_grad=True)
    real = torch.randn(2, 1, 8, 8, generator=rng)
    ahead = Unrolled(judge, judge).ahead(cross_entropy, real, generated, steps=3, rate=0.5)
    with torch.no_grad():
        later, now = cross_entropy(ahead(real), ahead(generated)), cross_entropy(judge(real), judge(generated))
    assert float(later) < float(now)
    ahead(generated).sum().backward()
    assert generated.grad.abs().sum() > 0
    for name, value in judge.named_parameters():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
