import math

import pytest
import torch

from rsgan.nn.losses import (
    charbonnier_loss,
    consistency_loss,
    index_loss,
    normalised_difference,
    spectral_angle_loss,
)

PAIRS = ((3, 2), (1, 3))


@pytest.fixture
def reference(rng: torch.Generator) -> torch.Tensor:
    return 0.05 + 0.4 * torch.rand(2, 4, 6, 5, generator=rng, dtype=torch.float64)


def test_charbonnier_is_quadratic_near_zero_and_linear_far_away() -> None:
    error = torch.tensor([3.0, -4.0]).double()
    expected = (math.sqrt(9 + 0.25) + math.sqrt(16 + 0.25)) / 2 - 0.5
    assert float(charbonnier_loss(error, 0.5)) == pytest.approx(expected)
    assert float(charbonnier_loss(torch.tensor([1e-3]).double(), 0.5)) == pytest.approx(1e-6, rel=1e-3)
    assert float(charbonnier_loss(torch.tensor([1e3]).double(), 0.5)) == pytest.approx(1e3 - 0.5, rel=1e-3)


def test_losses_vanish_at_the_reference(reference: torch.Tensor) -> None:
    assert float(charbonnier_loss(reference - reference, 0.5)) == 0
    assert float(spectral_angle_loss(reference, reference)) == pytest.approx(0, abs=1e-4)
    assert float(index_loss(reference, reference, PAIRS)) == 0


def test_the_better_prediction_has_the_lower_loss(reference: torch.Tensor, rng: torch.Generator) -> None:
    error = torch.randn(reference.shape, generator=rng, dtype=torch.float64)
    for loss in (
        lambda x: charbonnier_loss(x - reference, 0.1),
        lambda x: spectral_angle_loss(x, reference),
        lambda x: index_loss(x, reference, PAIRS),
    ):
        near, far = (float(loss(reference + share * error)) for share in (0.002, 0.02))
        assert 0 < near < far


def test_spectral_angle_is_the_sine_of_half_the_angle() -> None:
    first, second = torch.zeros(1, 2, 1, 1).double(), torch.zeros(1, 2, 1, 1).double()
    first[0, 0], second[0, 1] = 1.0, 1.0
    right = float(spectral_angle_loss(first, second, floor=0.0))
    assert right == pytest.approx(math.sin(math.pi / 4), rel=1e-6)
    second[0, 0] = 1.0
    assert float(spectral_angle_loss(first, second, floor=0.0)) == pytest.approx(math.sin(math.pi / 8), rel=1e-6)


def test_spectral_angle_hardly_minds_brightness(reference: torch.Tensor) -> None:
    brighter = float(spectral_angle_loss(1.5 * reference, reference))
    assert brighter < 1e-3


def test_normalised_difference_is_ndvi() -> None:
    nir, red = torch.tensor([0.4, 0.001]).double(), torch.tensor([0.1, 0.0]).double()
    torch.testing.assert_close(normalised_difference(nir, red), torch.tensor([0.6, 0.05]).double())


def test_index_loss_is_the_mean_difference_over_the_pairs() -> None:
    enhanced, reference = (torch.zeros(1, 3, 1, 1).double() for _ in range(2))
    enhanced[0, :, 0, 0] = torch.tensor([0.1, 0.3, 0.1])
    reference[0, :, 0, 0] = torch.tensor([0.1, 0.1, 0.1])
    # pair (1, 0): 0.5 against 0; pair (2, 0): 0 against 0
    assert float(index_loss(enhanced, reference, ((1, 0), (2, 0)))) == pytest.approx(0.25)


def test_a_scene_without_index_pairs_has_no_index_loss(reference: torch.Tensor) -> None:
    assert float(index_loss(reference, 2 * reference, ())) == 0


def test_gradients_stay_finite_where_roots_and_quotients_are_at_zero() -> None:
    zero = torch.zeros(1, 4, 3, 3, dtype=torch.float64)
    noise = torch.full((1, 4), 1e-3, dtype=torch.float64)
    for loss in (
        lambda x: charbonnier_loss(x, 0.5),
        lambda x: spectral_angle_loss(x, zero),
        lambda x: index_loss(x, zero, PAIRS),
        lambda x: consistency_loss(x, noise),
    ):
        start = zero.clone().requires_grad_()
        loss(start).backward()
        assert torch.isfinite(start.grad).all()


def test_losses_have_exact_gradients(reference: torch.Tensor, rng: torch.Generator) -> None:
    enhanced = (reference + 0.01 * torch.randn(reference.shape, generator=rng, dtype=torch.float64)).requires_grad_()
    small, truth = enhanced[:1, :, :2, :2].detach().requires_grad_(), reference[:1, :, :2, :2]
    assert torch.autograd.gradcheck(lambda x: charbonnier_loss(x - truth, 0.1), small)
    assert torch.autograd.gradcheck(lambda x: spectral_angle_loss(x, truth), small)
    assert torch.autograd.gradcheck(lambda x: index_loss(x, truth, PAIRS), small)
    assert torch.autograd.gradcheck(lambda x: consistency_loss(x - truth, torch.full((1, 4), 5e-3).double()), small)


def residual_of(rms: float) -> torch.Tensor:
    checks = torch.ones(1, 1, 4, 4, dtype=torch.float64)
    checks[..., ::2] = -1
    return rms * checks


@pytest.mark.parametrize(
    ("ratio", "expected"), [(0.75, 0.0), (0.9, 0.0), (1.05, 0.0), (0.5, 0.25), (1.55, 0.5), (2.05, 1.0), (50.0, 5.0)]
)
def test_a_residual_within_the_noise_costs_nothing(ratio: float, expected: float) -> None:
    noise = torch.full((1, 1), 0.01, dtype=torch.float64)
    assert float(consistency_loss(residual_of(0.01 * ratio), noise)) == pytest.approx(expected, abs=1e-6)


def test_quiet_chips_may_fit_the_observation_exactly() -> None:
    quiet = torch.zeros(1, 1, dtype=torch.float64)
    assert float(consistency_loss(residual_of(0.0), quiet)) == pytest.approx(0, abs=1e-6)
    assert float(consistency_loss(residual_of(4e-4), quiet)) == pytest.approx(2 - 1.05, abs=1e-3)


def test_the_gradient_pulls_the_residual_back_into_the_noise() -> None:
    noise = torch.full((1, 1), 0.01, dtype=torch.float64)
    for ratio, sign in ((0.4, -1), (2.0, 1)):
        residual = residual_of(0.01 * ratio).requires_grad_()
        consistency_loss(residual, noise).backward()
        assert float((residual.grad * residual.detach()).sum()) * sign > 0
