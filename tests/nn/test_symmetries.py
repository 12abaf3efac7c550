import numpy as np
import pytest
import torch

from rsgan.nn.generators import Guide, ResidualGenerator, ResidualGeneratorConfig, SensorState
from rsgan.nn.symmetries import TURNS, averaged_passes


def generator_of(bands: int, guides: int = 0) -> ResidualGenerator:
    torch.manual_seed(3)
    made = ResidualGenerator(ResidualGeneratorConfig(bands=bands, guides=guides, scale=2, channels=8, blocks=1)).eval()
    torch.nn.init.normal_(made.tail.weight, std=0.2)
    return made


def sensor_of(n: int, bands: int) -> SensorState:
    return SensorState(torch.full((n, bands), 0.4), torch.full((n, bands), 0.1))


@torch.no_grad()
def test_mean_and_spread_are_those_of_the_passes_one_by_one(rng: torch.Generator) -> None:
    generator, observed = generator_of(2), torch.randn(1, 2, 9, 12, generator=rng)
    passes = []
    for transpose, axes in TURNS[:4]:
        turned = (observed.transpose(2, 3) if transpose else observed).flip(axes)
        enhanced = generator(turned, sensor_of(1, 2)).flip(axes)
        passes.append(enhanced.transpose(2, 3) if transpose else enhanced)
    mean, spread = averaged_passes(generator, observed, sensor_of(1, 2), passes=4)
    torch.testing.assert_close(mean, torch.stack(passes).mean(0), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(spread, torch.stack(passes).std(0), atol=1e-5, rtol=1e-3)


@torch.no_grad()
def test_one_pass_is_the_generator_itself_and_has_no_spread(rng: torch.Generator) -> None:
    generator, observed = generator_of(2), torch.randn(1, 2, 8, 8, generator=rng)
    mean, spread = averaged_passes(generator, observed, sensor_of(1, 2), passes=1)
    torch.testing.assert_close(mean, generator(observed, sensor_of(1, 2)))
    assert spread.abs().max() == 0


@pytest.mark.parametrize("passes", [2, 4, 8])
@torch.no_grad()
def test_the_mean_turns_with_the_ground(rng: torch.Generator, passes: int) -> None:
    generator, observed = generator_of(2), torch.randn(1, 2, 8, 8, generator=rng)
    straight, _ = averaged_passes(generator, observed, sensor_of(1, 2), passes=passes)
    turned, _ = averaged_passes(generator, observed.flip((2, 3)), sensor_of(1, 2), passes=passes)
    np.testing.assert_allclose(turned.flip((2, 3)).numpy(), straight.numpy(), atol=1e-5)


@torch.no_grad()
def test_a_network_of_one_band_sees_bands_one_by_one(rng: torch.Generator) -> None:
    generator, observed = generator_of(1), torch.randn(2, 3, 8, 10, generator=rng)
    together, _ = averaged_passes(generator, observed, sensor_of(2, 3), passes=2)
    for band in range(3):
        alone, _ = averaged_passes(generator, observed[:, band : band + 1], sensor_of(2, 1), passes=2)
        torch.testing.assert_close(together[:, band : band + 1], alone)


@torch.no_grad()
def test_the_guide_turns_with_the_observation(rng: torch.Generator) -> None:
    generator = generator_of(2, guides=3)
    observed, fine, estimate = (
        torch.randn(1, c, s, s, generator=rng) for c, s in ((2, 8), (3, 16), (2, 16))
    )  # fmt: skip
    straight, _ = averaged_passes(generator, observed, sensor_of(1, 2), Guide(fine, estimate), passes=4)
    flipped = Guide(fine.flip((2, 3)), estimate.flip((2, 3)))
    turned, _ = averaged_passes(generator, observed.flip((2, 3)), sensor_of(1, 2), flipped, passes=4)
    torch.testing.assert_close(turned.flip((2, 3)), straight, atol=1e-5, rtol=1e-5)
