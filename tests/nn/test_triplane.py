"""The experimental generator of scenes with height."""

import numpy as np
import pytest
import torch

from rsgan.nn.generators.triplane import TriplaneConfig, TriplaneGenerator
from rsgan.sensors.procedural.terrain import TALLEST, draw_terrain, seen_aslant

SLOPE = 0.6


def test_flat_ground_looks_the_same_from_everywhere() -> None:
    _, cover = draw_terrain(np.random.default_rng(0), 32)
    np.testing.assert_allclose(seen_aslant(np.zeros((32, 32)), cover, SLOPE), cover)


def test_higher_ground_moves_by_its_height_times_the_slope() -> None:
    cover = np.zeros((1, 32, 32))
    cover[..., 10] = 1
    level = 5 / 32 / SLOPE
    seen = seen_aslant(np.full((32, 32), level), cover, SLOPE)
    assert abs(int(seen[0, 16].argmax()) - 15) <= 1


def test_terrain_is_within_its_bounds() -> None:
    height, cover = draw_terrain(np.random.default_rng(1), 48, bands=3)
    assert (height.min(), height.max()) == (0, pytest.approx(TALLEST))
    assert cover.shape == (3, 48, 48)
    assert ((cover >= 0) & (cover <= 1)).all()


def test_rendering_a_step_in_density_gives_its_height() -> None:
    """Features that say "solid below half the top": every ray stops there."""
    generator = TriplaneGenerator(TriplaneConfig(channels=1, hidden=1, samples=65, bands=1))
    planes = torch.zeros(1, 3, 1, 32, 32)
    planes[:, 1, :, 16:] = 0.0
    planes[:, 1, :, :16] = 1.0  # rows are height: the first ones are low
    generator.decoder = torch.nn.Sequential(torch.nn.Linear(2, 2))
    generator.decoder[0].weight.data = torch.tensor([[60.0, 0.0], [0.0, 0.0]])
    generator.decoder[0].bias.data = torch.tensor([-30.0, 0.0])
    for slope in (0.0, SLOPE):
        seen, height = generator.rendered(planes, slope)
        torch.testing.assert_close(height, torch.full_like(height, 0.125), rtol=0, atol=0.01)
        assert seen.shape == (1, 1, 32, 32)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_two_views_of_one_ground_pull_its_height_to_where_it_is(seed: int) -> None:
    """Nothing but a picture is compared: seen aslant it moves the height the right way, from above it says nothing."""
    _, cover = draw_terrain(np.random.default_rng(seed), 32, bands=1)
    generator = TriplaneGenerator(TriplaneConfig(channels=1, hidden=1, samples=65, bands=1))
    planes = torch.zeros(1, 3, 1, 32, 32)
    planes[0, 0, 0] = torch.from_numpy(cover[0]).float().logit(1e-4)
    generator.decoder = torch.nn.Sequential(
        torch.nn.Linear(2, 2)
    )  # colour of the plane from above, solid below a level
    generator.decoder[0].weight.data = torch.tensor([[0.0, -60.0], [1.0, 0.0]])

    def pull(level: float, slope: float) -> float:
        """Slope of the error of a picture, over the level of the ground; the true one is 0.5."""
        wanted = torch.from_numpy(seen_aslant(np.full((32, 32), 0.5 * TALLEST), cover, slope)).float()[None]
        generator.decoder[0].bias.data = torch.tensor([60 * level, 0.0])
        error = (generator.rendered(planes, slope)[0] - wanted).square().mean()
        (gradient,) = torch.autograd.grad(error, generator.decoder[0].bias)
        return float(gradient[0])

    below, above = ([pull(level, SLOPE) for level in levels] for levels in ((0.1, 0.2, 0.3, 0.4), (0.6, 0.7, 0.8, 0.9)))
    assert max(below) < 0 < min(above)
    assert max(abs(pull(level, 0.0)) for level in (0.3, 0.7)) < 1e-3 * min(above)
