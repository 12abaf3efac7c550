import math

import pytest
import torch

from rsgan.nn.objectives import discriminator_loss, generator_loss
from rsgan.nn.regularizers import r1_penalty


def test_losses_are_the_cross_entropies_of_the_paper() -> None:
    real, generated = torch.tensor([2.0, -1.0, 0.3]).double(), torch.tensor([0.5, -3.0]).double()
    expected = -torch.sigmoid(real).log().mean() - (1 - torch.sigmoid(generated)).log().mean()
    torch.testing.assert_close(discriminator_loss(real, generated), expected)
    torch.testing.assert_close(generator_loss(generated), -torch.sigmoid(generated).log().mean())


def test_a_blind_discriminator_pays_two_log_two() -> None:
    zero = torch.zeros(1, 1, 4, 4)
    assert float(discriminator_loss(zero, zero)) == pytest.approx(2 * math.log(2))
    assert float(generator_loss(zero)) == pytest.approx(math.log(2))


def test_a_positive_logit_means_looks_like_a_reference() -> None:
    high, low = torch.tensor([3.0]), torch.tensor([-3.0])
    assert discriminator_loss(high, low) < discriminator_loss(low, high)
    assert generator_loss(high) < generator_loss(low)


def test_the_generator_keeps_its_gradient_where_it_is_found_out() -> None:
    logit = torch.tensor([-30.0], requires_grad=True)
    generator_loss(logit).backward()
    assert float(logit.grad) == pytest.approx(-1.0)


def test_far_logits_stay_finite() -> None:
    far = torch.tensor([1e4, -1e4])
    assert torch.isfinite(discriminator_loss(far, far))
    assert float(generator_loss(torch.tensor([-1e4]))) == pytest.approx(1e4)


def test_the_best_logits_are_the_log_ratio_of_the_densities() -> None:
    counts_real, counts_generated = torch.tensor([600, 300, 90, 10]), torch.tensor([100, 300, 200, 400])
    classes = torch.arange(4)
    real, generated = classes.repeat_interleave(counts_real), classes.repeat_interleave(counts_generated)
    logits = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([logits], max_iter=100, tolerance_grad=1e-10, tolerance_change=1e-14)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = discriminator_loss(logits[real], logits[generated])
        loss.backward()
        return loss

    optimizer.step(closure)
    torch.testing.assert_close(logits.detach(), (counts_real.double() / counts_generated).log(), rtol=0, atol=1e-4)


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
