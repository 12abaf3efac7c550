import pytest
import torch
from pydantic import ValidationError

from rsgan.filters.back_projection import back_projection
from rsgan.nn.generators import ResidualGenerator, ResidualGeneratorConfig, SensorState
from rsgan.sensors.optical import consistency_step, upsample


def make(trained: bool = False, **changes: int) -> ResidualGenerator:
    torch.manual_seed(0)
    settings = {"bands": 3, "scale": 2, "channels": 8, "blocks": 2, "consistency_steps": 3} | changes
    generator = ResidualGenerator(ResidualGeneratorConfig(**settings))
    if trained:
        torch.nn.init.normal_(generator.tail.weight, std=0.2)
        torch.nn.init.normal_(generator.tail.bias, std=0.2)
    return generator.eval()


def state(n: int = 1, bands: int = 3, noise: float = 0.0, sigma: float = 0.4) -> SensorState:
    return SensorState(torch.full((n, bands), sigma), torch.full((n, bands), noise))


SHAPES = [(1, 1), (1, 5), (2, 1), (3, 4), (5, 5), (9, 7)]


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("steps", [0, 1, 3])
def test_untrained_it_is_back_projection(scale: int, steps: int, rng: torch.Generator) -> None:
    observed = torch.randn(2, 3, 9, 7, generator=rng)
    enhanced = make(scale=scale, consistency_steps=steps)(observed, state(2))
    expected = back_projection(observed, torch.full((2, 3), 0.4), scale, steps)
    torch.testing.assert_close(enhanced, expected, rtol=0, atol=1e-5)


def test_untrained_and_noisy_it_takes_weighted_steps(rng: torch.Generator) -> None:
    generator, observed = make(), torch.randn(1, 3, 8, 8, generator=rng)
    sensor = SensorState(torch.tensor([[0.35, 0.4, 0.5]]), torch.tensor([[0.0, 0.1, 1.0]]))
    expected = upsample(observed, 2)
    weight = generator.consistency_weight(sensor.noise)
    for _ in range(3):
        expected = consistency_step(expected, observed, sensor.sigma, 2, weight)
    torch.testing.assert_close(generator(observed, sensor), expected, rtol=0, atol=1e-5)


def test_the_weight_of_the_steps_falls_with_noise() -> None:
    generator = make()
    trust = generator.log_trust.exp().item()
    weight = generator.consistency_weight(torch.tensor([[0.0, trust, 3 * trust]]))
    assert weight.shape == (1, 3, 1, 1)
    torch.testing.assert_close(weight.flatten(), torch.tensor([1.0, 0.5, 0.1]))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scale", [2, 3])
def test_any_shape_grows_by_the_scale(shape: tuple[int, int], scale: int, rng: torch.Generator) -> None:
    observed = torch.randn(2, 3, *shape, generator=rng)
    enhanced = make(trained=True, scale=scale)(observed, state(2, noise=0.1))
    assert enhanced.shape == (2, 3, scale * shape[0], scale * shape[1])
    assert enhanced.dtype == torch.float32
    assert torch.isfinite(enhanced).all()


def test_without_consistency_it_is_bicubic_plus_what_was_learned(rng: torch.Generator) -> None:
    generator, observed, sensor = make(trained=True), torch.randn(1, 3, 6, 5, generator=rng), state()
    plain = generator(observed, sensor, consistency=False)
    torch.testing.assert_close(plain, upsample(observed, 2) + generator.residual(observed, sensor), rtol=0, atol=0)
    assert (plain - generator(observed, sensor)).abs().max().item() > 1e-3


@pytest.mark.parametrize(("scale", "steps", "blocks"), [(2, 0, 1), (2, 2, 2), (4, 1, 1), (3, 3, 1)])
def test_nothing_beyond_the_receptive_field_matters(scale: int, steps: int, blocks: int, rng: torch.Generator) -> None:
    generator = make(trained=True, scale=scale, consistency_steps=steps, blocks=blocks, bands=1).double()
    reach = generator.receptive_field
    side = 2 * reach + 9
    observed = torch.randn(1, 1, side, side, generator=rng, dtype=torch.float64)
    spot = observed.clone()
    spot[..., side // 2, side // 2] += 3.0
    sensor = SensorState(*(t.double() for t in vars(state(bands=1, sigma=0.5)).values()))
    change = (generator(spot, sensor) - generator(observed, sensor)).abs()[0, 0]
    rows = change.amax(1).reshape(side, scale).amax(1).nonzero().flatten() - side // 2
    assert int(rows.abs().max()) <= reach
    assert set(range(-3, 4)) <= set(rows.tolist())


def test_sigma_and_noise_are_conditions(rng: torch.Generator) -> None:
    generator, observed = make(trained=True, consistency_steps=0), torch.randn(1, 3, 6, 6, generator=rng)
    base = generator(observed, state())
    assert not torch.equal(base, generator(observed, state(noise=0.2)))
    assert not torch.equal(base, generator(observed, state(sigma=0.5)))


def test_every_weight_of_a_trained_generator_gets_a_gradient(rng: torch.Generator) -> None:
    generator = make(trained=True)
    generator(torch.randn(1, 3, 6, 6, generator=rng), state(noise=0.1)).square().mean().backward()
    for name, weight in generator.named_parameters():
        assert weight.grad is not None, name
        assert torch.isfinite(weight.grad).all(), name
        assert float(weight.grad.abs().max()) > 0, name


@pytest.mark.gpu
def test_cuda_gives_what_the_cpu_gives(rng: torch.Generator) -> None:
    generator, observed, sensor = make(trained=True), torch.randn(1, 3, 16, 16, generator=rng), state(noise=0.1)
    expected = generator(observed, sensor)
    there = SensorState(sensor.sigma.cuda(), sensor.noise.cuda())
    torch.testing.assert_close(generator.cuda()(observed.cuda(), there).cpu(), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("wrong", [{"bands": 0}, {"scale": 0}, {"blocks": 0}, {"consistency_steps": -1}, {"width": 3}])
def test_impossible_architectures_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        ResidualGeneratorConfig(**({"bands": 4, "scale": 2} | wrong))
