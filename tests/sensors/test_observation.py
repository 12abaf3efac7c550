import math

import pytest
import torch
from scipy import ndimage

from rsgan.sensors.observation import Jitter, draw_sensors, interpolation_gain, observe, observe_with, shift_cubic
from rsgan.sensors.optical import degrade


def fixed_sensor(**changes: object) -> Jitter:
    return Jitter(**({"sigma": (0.4, 0.4), "band_sigma": 0.0, "noise": (0.002, 0.002), "noise_free": 0.0} | changes))


def test_observe_adds_the_noise_it_states(rng: torch.Generator) -> None:
    reference = torch.full((2, 4, 128, 128), 0.2)
    seen = observe(reference, 2, fixed_sensor(), rng, quantum=0.0)
    torch.testing.assert_close(seen.noise, torch.full((2, 4), 0.002))
    residual = seen.observed - degrade(reference, seen.sigma, 2)
    # 4096 pixels: relative standard error of a standard deviation 1.1 %
    torch.testing.assert_close(residual.std((2, 3)), torch.full((2, 4), 0.002), rtol=0.05, atol=0)
    assert float(residual.mean().abs()) < 5 * 0.002 / math.sqrt(8 * 4096)


def test_observe_rounds_to_its_quantum(rng: torch.Generator) -> None:
    reference = torch.rand(1, 4, 32, 32, generator=rng, dtype=torch.float64)
    seen = observe(reference, 2, fixed_sensor(noise_free=1.0), rng, quantum=1e-3)
    numbers = seen.observed / 1e-3
    torch.testing.assert_close(numbers, numbers.round(), rtol=0, atol=1e-8)
    assert float((seen.observed - degrade(reference, seen.sigma, 2)).abs().max()) <= 0.5e-3 + 1e-12
    assert float(seen.noise.abs().max()) == 0


def test_one_state_of_chance_gives_one_observation() -> None:
    reference = torch.rand(2, 4, 32, 32, generator=torch.Generator().manual_seed(0))
    jitter = Jitter(noise_free=0.0, misregistration=0.5)
    first, second, other = (observe(reference, 4, jitter, torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert torch.equal(first.observed, second.observed)
    assert torch.equal(first.sigma, second.sigma)
    assert not torch.equal(first.observed, other.observed)


def test_drawn_sensors_stay_in_their_ranges(rng: torch.Generator) -> None:
    jitter = Jitter(sigma=(0.3, 0.5), band_sigma=0.02, noise=(2e-4, 3e-3), noise_free=0.5)
    seen = observe(torch.zeros(400, 2, 4, 4), 2, jitter, rng)
    assert 0.28 <= float(seen.sigma.min()) < 0.3 < 0.5 < float(seen.sigma.max()) <= 0.52
    noisy = seen.noise[seen.noise > 0]
    assert 2e-4 * 0.999 <= float(noisy.min()) < 3e-4 < 2e-3 < float(noisy.max()) <= 3e-3 * 1.001
    assert float((seen.noise[:, 0] > 0).float().mean()) == pytest.approx(0.5, abs=0.1)
    assert float((seen.sigma[:, 0] - seen.sigma[:, 1]).abs().max()) <= 0.04 + 1e-6


def test_interpolation_hits_the_pixels_and_follows_a_plane(rng: torch.Generator) -> None:
    values = torch.rand(2, 3, 9, 8, generator=rng, dtype=torch.float64)
    whole = shift_cubic(values, torch.tensor([1.0, -1.0], dtype=torch.float64).expand(2, 3, 2))
    torch.testing.assert_close(whole[..., :-1, 1:], values[..., 1:, :-1], rtol=0, atol=1e-12)
    plane = torch.arange(9.0, dtype=torch.float64)[:, None] + 2 * torch.arange(8.0, dtype=torch.float64)
    moved = shift_cubic(plane[None, None], torch.tensor([[[0.3, -0.2]]], dtype=torch.float64))
    inner = (moved - plane)[..., 2:-2, 2:-2]
    torch.testing.assert_close(inner, torch.full_like(inner, 0.3 - 2 * 0.2), rtol=0, atol=1e-12)


def test_interpolated_noise_is_told_and_correlated(rng: torch.Generator) -> None:
    jitter = fixed_sensor(interpolated=1.0)
    draw = draw_sensors((1, 1, 256, 256), 2, jitter, rng)
    seen = observe_with(torch.full((1, 1, 512, 512), 0.2), 2, draw, quantum=0.0)
    noise = seen.observed - 0.2
    assert float(noise.std()) == pytest.approx(float(seen.noise), rel=0.02)
    torch.testing.assert_close(seen.noise, draw.noise * interpolation_gain(draw.phase))
    neighbours = float((noise[..., 1:] * noise[..., :-1]).mean() / noise.var())
    assert neighbours > 0.05  # 0.004 is what chance gives


def test_an_interpolated_scene_stays_where_it_is(rng: torch.Generator) -> None:
    smooth = torch.from_numpy(ndimage.gaussian_filter(torch.rand(96, 96, generator=rng).numpy(), 8))[None, None]
    jitter = fixed_sensor(noise_free=1.0, interpolated=1.0)
    seen = observe(smooth.float(), 2, jitter, rng, quantum=0.0)
    plain = degrade(smooth.float(), seen.sigma, 2)
    torch.testing.assert_close(seen.observed[..., 3:-3, 3:-3], plain[..., 3:-3, 3:-3], rtol=0, atol=2e-4)


def test_noise_grows_with_the_signal_as_far_as_it_is_asked_to(rng: torch.Generator) -> None:
    halves = torch.full((1, 1, 256, 512), 0.1)
    halves[..., 256:] = 0.4
    draw = draw_sensors((1, 1, 128, 256), 2, fixed_sensor(signal_noise=1.0), rng)
    noise = observe_with(halves, 2, draw, quantum=0.0).observed - degrade(halves, draw.sigma, 2)
    share = float(draw.signal_share)
    for half, level in ((noise[..., :120], 0.1), (noise[..., 136:], 0.4)):
        expected = 0.002 * math.sqrt(1 + share * (level / 0.25 - 1))
        assert float(half.std()) == pytest.approx(expected, rel=0.05)


def test_stripes_part_odd_from_even_columns(rng: torch.Generator) -> None:
    draw = draw_sensors((64, 1, 8, 8), 2, fixed_sensor(noise_free=1.0, stripes=4e-4), rng)
    seen = observe_with(torch.full((64, 1, 16, 16), 0.2), 2, draw, quantum=0.0).observed
    torch.testing.assert_close(
        (seen[..., ::2] - seen[..., 1::2]).mean((1, 2, 3)), 2 * draw.stripes[:, 0], rtol=0, atol=1e-6
    )
    assert float((draw.stripes == 0).float().mean()) == pytest.approx(0.5, abs=0.2)
    assert float(draw.stripes.max()) <= 2e-4
