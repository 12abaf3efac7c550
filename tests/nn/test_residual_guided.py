"""The residual generator with finer bands beside the observed ones."""

import pytest
import torch

from rsgan.nn.generators import Guide, ResidualGenerator, ResidualGeneratorConfig, SensorState
from rsgan.sensors.optical import consistency_step


def make(trained: bool = True, **changes: int) -> ResidualGenerator:
    torch.manual_seed(0)
    settings = {"bands": 3, "guides": 2, "scale": 2, "channels": 8, "blocks": 2, "consistency_steps": 2} | changes
    generator = ResidualGenerator(ResidualGeneratorConfig(**settings))
    if trained:
        torch.nn.init.normal_(generator.tail.weight, std=0.2)
        torch.nn.init.normal_(generator.tail.bias, std=0.2)
    return generator.eval()


def state(n: int = 1, bands: int = 3, noise: float = 0.0, sigma: float = 0.4) -> SensorState:
    return SensorState(torch.full((n, bands), sigma), torch.full((n, bands), noise))


def draw(rng: torch.Generator, shape: tuple[int, int], n: int = 1, scale: int = 2) -> tuple[torch.Tensor, Guide]:
    """An observation of three bands, with two finer ones and an estimate beside it."""
    fine = scale * shape[0], scale * shape[1]
    bands, estimate = torch.randn(n, 2, *fine, generator=rng), torch.randn(n, 3, *fine, generator=rng)
    return torch.randn(n, 3, *shape, generator=rng), Guide(bands, estimate)


@pytest.mark.parametrize("scale", [2, 3, 6])
def test_untrained_it_is_the_estimate_made_consistent(scale: int, rng: torch.Generator) -> None:
    observed, guide = draw(rng, (5, 7), scale=scale)
    expected = guide.estimate
    for _ in range(2):
        expected = consistency_step(expected, observed, state().sigma, scale, 1.0)
    enhanced = make(trained=False, scale=scale)(observed, state(), guide)
    torch.testing.assert_close(enhanced, expected, rtol=0, atol=1e-5)


def test_without_consistency_it_is_the_estimate_plus_what_was_learned(rng: torch.Generator) -> None:
    generator, (observed, guide) = make(), draw(rng, (6, 5))
    plain = generator(observed, state(), guide, consistency=False)
    expected = guide.estimate + generator.residual(observed, state(), guide)
    torch.testing.assert_close(plain, expected, rtol=0, atol=0)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (3, 4), (9, 7)])
@pytest.mark.parametrize("scale", [2, 3])
def test_any_shape_grows_by_the_scale(shape: tuple[int, int], scale: int, rng: torch.Generator) -> None:
    observed, guide = draw(rng, shape, n=2, scale=scale)
    enhanced = make(scale=scale)(observed, state(2, noise=0.1), guide)
    assert enhanced.shape == (2, 3, scale * shape[0], scale * shape[1])
    assert torch.isfinite(enhanced).all()


def test_guide_and_estimate_are_both_looked_at(rng: torch.Generator) -> None:
    generator, (observed, guide) = make(), draw(rng, (6, 6))
    base = generator.residual(observed, state(), guide)
    for changed in (Guide(guide.bands.flip(3), guide.estimate), Guide(guide.bands, guide.estimate.flip(3))):
        assert (generator.residual(observed, state(), changed) - base).abs().max().item() > 1e-3


def test_a_fine_pixel_is_seen_where_it_lies(rng: torch.Generator) -> None:
    """Folded into channels and back: what one fine pixel changes is centred on its coarse pixel."""
    generator, (observed, guide) = make(blocks=1, consistency_steps=0), draw(rng, (21, 25))
    moved = guide.bands.clone()
    moved[..., 2 * 10 + 1, 2 * 12] += 3
    change = (generator(observed, state(), Guide(moved, guide.estimate)) - generator(observed, state(), guide)).abs()
    rows, columns = (change[0].amax((0, axis)).nonzero().flatten() // 2 for axis in (2, 1))
    assert (int(rows.min()), int(rows.max())) == (10 - 5, 10 + 5)  # head, two in the block, neck, tail
    assert (int(columns.min()), int(columns.max())) == (12 - 5, 12 + 5)


@pytest.mark.parametrize(("scale", "steps"), [(2, 0), (2, 2), (3, 1)])
def test_nothing_beyond_the_receptive_field_matters(scale: int, steps: int, rng: torch.Generator) -> None:
    generator = make(scale=scale, consistency_steps=steps, blocks=1)
    reach = generator.receptive_field
    side = 2 * reach + 5
    observed, guide = draw(rng, (side, side), scale=scale)
    spot = slice(side // 2 * scale, (side // 2 + 1) * scale)
    bands, estimate = guide.bands.clone(), guide.estimate.clone()
    bands[..., spot, spot] += 3
    estimate[..., spot, spot] -= 3
    before, after = (generator(observed, state(), g) for g in (guide, Guide(bands, estimate)))
    change = (after - before).abs()[0].amax((0, 2)).reshape(side, scale).amax(1)
    rows = (change > 0).nonzero().flatten() - side // 2
    assert 3 <= int(rows.abs().max()) <= reach


def test_one_chip_of_a_batch_is_what_it_is_alone(rng: torch.Generator) -> None:
    generator, (observed, guide) = make(), draw(rng, (8, 6), n=3)
    together = generator(observed, state(3), guide)
    alone = generator(observed[1:2], state(1), Guide(guide.bands[1:2], guide.estimate[1:2]))
    torch.testing.assert_close(together[1:2], alone, rtol=1e-5, atol=1e-5)


def test_every_weight_of_a_trained_generator_gets_a_gradient(rng: torch.Generator) -> None:
    generator, (observed, guide) = make(), draw(rng, (6, 6))
    generator(observed, state(noise=0.1), guide).square().mean().backward()
    for name, weight in generator.named_parameters():
        assert weight.grad is not None, name
        assert float(weight.grad.abs().max()) > 0, name


def test_without_guides_the_network_is_as_small_as_before() -> None:
    assert make(guides=0).head.in_channels == 2 * 3 + 1
    assert make().head.in_channels == 2 * 3 + 1 + (2 + 3) * 4


def test_bands_one_by_one_have_their_own_sensor() -> None:
    sigma, noise = torch.tensor([[0.3, 0.4], [0.5, 0.6]]), torch.tensor([[0.0, 0.1], [0.2, 0.3]])
    single = SensorState(sigma, noise).one_by_one()
    assert single.sigma.tolist() == torch.tensor([[0.3], [0.4], [0.5], [0.6]]).tolist()
    assert single.noise.tolist() == torch.tensor([[0.0], [0.1], [0.2], [0.3]]).tolist()
