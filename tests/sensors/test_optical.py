import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import ndimage

from rsgan.sensors.optical import (
    MAX_SIGMA,
    Jitter,
    consistency_step,
    degrade,
    kernel_reach,
    observe,
    psf_taps,
    shift_bands,
    upsample,
)

SCALES = pytest.mark.parametrize("scale", [1, 2, 3, 4])


def sigmas(*values: float, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.tensor([values], dtype=dtype)


def random_scene(rng: torch.Generator, *shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=rng, dtype=torch.float64)


@SCALES
@pytest.mark.parametrize("sigma", [0.0, 0.3, 0.435, MAX_SIGMA])
def test_psf_taps_are_a_symmetric_density(scale: int, sigma: float) -> None:
    taps = psf_taps(torch.tensor(sigma, dtype=torch.float64), scale)
    assert float(taps.sum()) == pytest.approx(1.0, abs=1e-12)
    assert float(taps.min()) >= 0
    torch.testing.assert_close(taps, taps.flip(0))


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("sigma", [0.3, 0.5])
def test_psf_taps_have_the_variance_of_gaussian_plus_box(scale: int, sigma: float) -> None:
    taps = psf_taps(torch.tensor(sigma, dtype=torch.float64), scale)
    x = torch.arange(len(taps), dtype=torch.float64) - (len(taps) - 1) / 2
    box = (scale**2 - 1) / 12
    # a Gaussian sampled at 0.6 pixels is 2 % narrower than the continuous one
    assert float((taps * x**2).sum()) == pytest.approx((sigma * scale) ** 2 + box, rel=2e-2)


@SCALES
@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (7, 9)])
def test_degrade_keeps_a_constant_scene(scale: int, shape: tuple[int, int]) -> None:
    scene = torch.full((2, 3, scale * shape[0], scale * shape[1]), 0.237, dtype=torch.float64)
    observed = degrade(scene, sigmas(0.3, 0.4, 0.5), scale)
    assert observed.shape == (2, 3, *shape)
    torch.testing.assert_close(observed, torch.full_like(observed, 0.237), rtol=0, atol=1e-12)


@SCALES
def test_degrade_keeps_the_mean_of_a_scene_with_a_constant_border(scale: int, rng: torch.Generator) -> None:
    scene = torch.full((1, 2, 24 * scale, 20 * scale), 0.1, dtype=torch.float64)
    inner = slice(4 * scale, 14 * scale)
    scene[..., inner, inner] = random_scene(rng, 1, 2, 10 * scale, 10 * scale)
    observed = degrade(scene, sigmas(0.35, 0.5), scale)
    torch.testing.assert_close(observed.mean((2, 3)), scene.mean((2, 3)), rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("scale", "sigma", "frequency"),
    [(2, 0.40, 0.5), (2, 0.5, 0.25), (2, 0.3, 0.25), (4, 0.3, 0.5), (4, 0.4, 0.25), (4, 0.5, 0.125), (3, 0.435, 0.375)],
)
def test_a_sinusoid_is_damped_by_gaussian_times_detector(scale: int, sigma: float, frequency: float) -> None:
    x = torch.arange(64 * scale, dtype=torch.float64)
    phase = (x - (scale - 1) / 2) / scale  # position of a fine pixel's centre in input pixels
    scene = torch.cos(2 * math.pi * frequency * phase).expand(1, 1, 8 * scale, -1)
    inner = degrade(scene, sigmas(sigma), scale)[0, 0, 4, 16:48]
    wave = torch.cos(2 * math.pi * frequency * torch.arange(16, 48, dtype=torch.float64))
    amplitude = float((inner * wave).sum() / wave.square().sum())
    detector = math.sin(math.pi * frequency) / (scale * math.sin(math.pi * frequency / scale))
    assert amplitude == pytest.approx(math.exp(-2 * (math.pi * sigma * frequency) ** 2) * detector, rel=0.01)


@pytest.mark.parametrize("scale", [2, 4])
def test_degrade_is_scipys_gaussian_then_block_mean(scale: int, rng: torch.Generator) -> None:
    scene = random_scene(rng, 1, 2, 20 * scale, 24 * scale)
    widths = (0.35, 0.5)
    observed = degrade(scene, sigmas(*widths), scale)[0].numpy()
    for band, width in enumerate(widths):
        blurred = ndimage.gaussian_filter(scene[0, band].numpy(), width * scale, mode="nearest", truncate=8)
        expected = blurred.reshape(20, scale, 24, scale).mean((1, 3))
        np.testing.assert_allclose(observed[band], expected, atol=2e-4)


def test_each_band_has_its_own_width(rng: torch.Generator) -> None:
    scene = random_scene(rng, 1, 1, 32, 32).expand(1, 3, -1, -1)
    together = degrade(scene, sigmas(0.3, 0.4, 0.5), 2)
    for band, width in enumerate((0.3, 0.4, 0.5)):
        torch.testing.assert_close(together[:, band : band + 1], degrade(scene[:, :1], sigmas(width), 2))
    spreads = together.std((2, 3))[0]
    assert spreads[0] > spreads[1] > spreads[2]


@SCALES
def test_degrade_moves_with_the_scene(scale: int, rng: torch.Generator) -> None:
    scene = random_scene(rng, 1, 1, 16 * scale, 16 * scale)
    moved = torch.roll(scene, (scale, -2 * scale), (2, 3))
    first, second = (degrade(s, sigmas(0.45), scale) for s in (scene, moved))
    inner = slice(5, 11)
    torch.testing.assert_close(torch.roll(first, (1, -2), (2, 3))[..., inner, inner], second[..., inner, inner])


@pytest.mark.parametrize("scale", [2, 3])
def test_degrade_and_its_step_have_exact_gradients(scale: int, rng: torch.Generator) -> None:
    scene = random_scene(rng, 1, 2, 3 * scale, 2 * scale).requires_grad_()
    width = sigmas(0.35, 0.45).requires_grad_()
    observed = random_scene(rng, 1, 2, 3, 2)
    assert torch.autograd.gradcheck(lambda s, w: degrade(s, w, scale), (scene, width))
    assert torch.autograd.gradcheck(lambda s, w: consistency_step(s, observed, w, scale, 0.7), (scene, width))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_kernel_reach_bounds_what_a_pixel_touches(scale: int) -> None:
    scene = torch.zeros(1, 1, 21 * scale, 21 * scale, dtype=torch.float64)
    touched = set()
    for corner in (0, scale - 1):
        spot = scene.clone()
        spot[..., 10 * scale + corner, 10 * scale + corner] = 1
        rows = degrade(spot, sigmas(MAX_SIGMA), scale)[0, 0].nonzero()[:, 0]
        touched |= {int(row) - 10 for row in rows}
    assert max(abs(row) for row in touched) <= kernel_reach(scale)
    assert touched >= {-1, 0, 1}


@SCALES
def test_upsample_keeps_linear_ramps_with_pixel_areas_aligned(scale: int) -> None:
    def ramp(height: int, width: int, step: float) -> torch.Tensor:
        rows, columns = (((torch.arange(n, dtype=torch.float64) + 0.5) * step) for n in (height, width))
        return (0.3 + 0.02 * rows[:, None] - 0.05 * columns[None, :])[None, None]

    enhanced = upsample(ramp(10, 12, 1.0), scale)
    expected = ramp(10 * scale, 12 * scale, 1 / scale)
    inner = slice(2 * scale, -2 * scale)
    torch.testing.assert_close(enhanced[..., inner, inner], expected[..., inner, inner], rtol=0, atol=1e-9)


@pytest.mark.parametrize("scale", [2, 4])
def test_consistency_steps_shrink_the_residual(scale: int, rng: torch.Generator) -> None:
    observed = degrade(random_scene(rng, 1, 2, 24 * scale, 24 * scale), sigmas(0.4, 0.5), scale)
    enhanced, residuals = upsample(observed, scale), []
    for _ in range(4):
        residuals.append(float((degrade(enhanced, sigmas(0.4, 0.5), scale) - observed).square().mean()))
        enhanced = consistency_step(enhanced, observed, sigmas(0.4, 0.5), scale, 1.0)
    assert residuals == sorted(residuals, reverse=True)
    assert residuals[-1] < 0.15 * residuals[0]


def test_a_weight_of_zero_leaves_the_scene_alone(rng: torch.Generator) -> None:
    enhanced, observed = random_scene(rng, 1, 1, 8, 8), random_scene(rng, 1, 1, 4, 4)
    assert torch.equal(consistency_step(enhanced, observed, sigmas(0.4), 2, 0.0), enhanced)


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


def plane(down: float, right: float) -> torch.Tensor:
    rows, columns = torch.arange(24, dtype=torch.float64), torch.arange(32, dtype=torch.float64)
    return (down * rows[:, None] + right * columns[None, :])[None, None]


@pytest.mark.parametrize("make", [lambda: plane(1.0, 0.0), lambda: plane(0.0, 1.0)], ids=["rows", "columns"])
def test_shift_bands_moves_each_band_by_what_was_asked(make: Callable[[], torch.Tensor]) -> None:
    ramp = make()
    axis = 0 if float(ramp[0, 0, 1, 0]) > 0 else 1
    shift = torch.tensor([[[0.25, -1.5], [-2.0, 0.75]]], dtype=torch.float64)
    moved = shift_bands(ramp.expand(1, 2, -1, -1), shift)
    inner = slice(4, -4)
    for band in range(2):
        fallen = (ramp[0, 0] - moved[0, band])[inner, inner]
        torch.testing.assert_close(fallen, torch.full_like(fallen, float(shift[0, band, axis])), rtol=0, atol=1e-9)


def test_a_whole_shift_is_a_roll(rng: torch.Generator) -> None:
    scene = random_scene(rng, 1, 1, 16, 16)
    moved = shift_bands(scene, torch.tensor([[[2.0, -3.0]]], dtype=torch.float64))
    rolled = torch.roll(scene, (2, -3), (2, 3))
    torch.testing.assert_close(moved[..., 4:-4, 4:-4], rolled[..., 4:-4, 4:-4])
