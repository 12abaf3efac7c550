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


def test_height_is_found_from_two_views_of_drawn_terrain() -> None:
    """Nothing but the pictures from two angles is shown to it; the height follows from how they differ."""
    torch.manual_seed(0)
    rng, scenes = np.random.default_rng(3), 2
    drawn = [draw_terrain(rng, 32) for _ in range(scenes)]
    views = {
        slope: torch.tensor(np.stack([seen_aslant(*scene, slope) for scene in drawn])).float() for slope in (0.0, SLOPE)
    }
    generator, codes = TriplaneGenerator(TriplaneConfig(samples=16)), torch.randn(scenes, 64, requires_grad=True)
    optimizer = torch.optim.Adam([*generator.parameters(), codes], 5e-3)
    for _ in range(400):
        loss = sum(
            ((generator(codes, slope)[0] - wanted).square().mean() for slope, wanted in views.items()),
            start=torch.zeros(()),
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        found = generator(codes)[1][:, 0].numpy()
    correlations = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, (b, _) in zip(found, drawn, strict=True)]
    assert np.mean(correlations) >= 0.7, correlations
