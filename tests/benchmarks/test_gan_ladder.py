import numpy as np
import pytest
import torch

from benchmarks.gan_ladder import ENOUGH, MODES, SAMPLES, Perceptrons, Play, covered, ring, sliced_wasserstein
from rsgan.nn.objectives import OBJECTIVES


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


@pytest.mark.parametrize("name", ["wasserstein", "relativistic-average"])
def test_a_game_of_a_few_updates_gives_samples(name: str) -> None:
    made = Play(OBJECTIVES[name], r1=0.1, gradient_penalty=1.0).run(2, 3)
    assert made.shape == (2, SAMPLES, 2)
    assert torch.isfinite(made).all()
