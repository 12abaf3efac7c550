import numpy as np
import pytest
import torch

from benchmarks.gan_ladder import (
    ENOUGH,
    MODES,
    SAMPLES,
    TOYS,
    Perceptrons,
    Play,
    chips,
    covered,
    covered_kinds,
    ring,
    sliced_wasserstein,
)
from rsgan.nn.objectives import OBJECTIVES
from rsgan.nn.regularizers import r1_penalty


def test_the_ring_covers_all_its_modes_and_a_point_one() -> None:
    torch.manual_seed(0)
    samples = ring((SAMPLES,)).numpy()
    assert covered(samples) == MODES
    assert covered(np.repeat(samples[:1], SAMPLES, axis=0)) == 1
    assert covered(np.zeros((SAMPLES, 2))) == 0
    few = np.concatenate([np.repeat(samples[:1], SAMPLES - ENOUGH + 1, axis=0), np.zeros((ENOUGH - 1, 2))])
    assert covered(few) == 1


def test_the_sliced_distance_of_a_shift_is_its_mean_projection() -> None:
    samples = np.random.default_rng(0).normal(size=(500, 2))
    assert sliced_wasserstein(samples, samples) == 0
    assert sliced_wasserstein(samples, samples + np.array([3.0, 0.0])) == pytest.approx(3 * 2 / np.pi, rel=1e-3)


def test_seeds_trained_side_by_side_do_not_see_one_another() -> None:
    torch.manual_seed(0)
    networks = Perceptrons(3, 2, 1)
    values = torch.randn(3, 5, 2)
    alone = values.clone()
    alone[1:] = 0
    torch.testing.assert_close(networks(values)[0], networks(alone)[0])
    assert not torch.equal(networks(values[:1].expand(3, -1, -1))[0], networks(values[:1].expand(3, -1, -1))[1])


@pytest.mark.parametrize("what", TOYS)
@pytest.mark.parametrize("name", ["wasserstein", "relativistic-average"])
def test_a_game_of_a_few_updates_gives_samples(name: str, what: str) -> None:
    made = Play(OBJECTIVES[name], TOYS[what], r1=0.1, gradient_penalty=1.0).run(2, 3)
    assert made.shape == (2, SAMPLES, TOYS[what].dimensions)
    assert torch.isfinite(made).all()


def test_chips_cover_all_kinds_of_land_and_one_kind_one() -> None:
    torch.manual_seed(0)
    samples = chips((SAMPLES,)).numpy()
    assert covered_kinds(samples) == MODES
    assert covered_kinds(np.repeat(samples[:1], SAMPLES, axis=0)) == 1
    assert covered_kinds(np.zeros_like(samples)) == 0  # the mean of all kinds is none of them


def test_the_sliced_distance_of_chips_is_small_between_draws_and_grows_with_a_shift() -> None:
    torch.manual_seed(0)
    first, second = chips((SAMPLES,)).numpy(), chips((SAMPLES,)).numpy()
    near = sliced_wasserstein(first, second)
    assert near < 0.05
    assert sliced_wasserstein(first, second + 1.0) > 5 * near


def test_penalties_are_those_of_each_seed_summed_up() -> None:
    torch.manual_seed(0)
    network = Perceptrons(3, 2, 1)
    real, made = ring((3, 7)), torch.randn(3, 7, 2)
    play = Play(OBJECTIVES["hinge"], TOYS["ring"], r1=0.4)
    alone = []
    for seed in range(3):
        at = real[seed].clone().requires_grad_()
        every = real.clone()
        logits = network(torch.cat([every[:seed], at[None], every[seed + 1 :]]))[seed, :, 0]
        alone.append(0.2 * r1_penalty(logits, at))
    torch.testing.assert_close(play._penalty(network, real, made), torch.stack(alone).sum())
