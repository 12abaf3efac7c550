import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from rsgan.sensors.optical import (
    MAX_SIGMA,
    consistency_step,
    consistent,
    degrade,
    kernel_reach,
    psf_taps,
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


@pytest.mark.parametrize("shape", [(1, 1), (2, 9), (12, 7)])
@pytest.mark.parametrize("with_base", [False, True])
@SCALES
def test_the_closed_form_is_the_steps_written_out(
    scale: int, shape: tuple[int, int], with_base: bool, rng: torch.Generator
) -> None:
    fine = scale * shape[0], scale * shape[1]
    observed, learned, base = (random_scene(rng, 2, 2, *size) for size in (shape, fine, fine))
    width, weight = sigmas(0.3, MAX_SIGMA), torch.rand(2, 2, 1, 1, generator=rng, dtype=torch.float64)
    expected = learned + (base if with_base else upsample(observed, scale))
    for steps in range(4):
        enhanced = consistent(learned, observed, width, scale, weight, steps, base if with_base else None)
        torch.testing.assert_close(enhanced, expected, rtol=0, atol=1e-12)
        expected = consistency_step(expected, observed, width, scale, weight)


def test_the_closed_form_has_exact_gradients(rng: torch.Generator) -> None:
    observed, learned = random_scene(rng, 1, 2, 3, 2), random_scene(rng, 1, 2, 6, 4).requires_grad_()
    width, weight = sigmas(0.35, 0.45).requires_grad_(), torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, s, w: consistent(x, observed, s, 2, w, 3), (learned, width, weight))


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("scale", [2, 4])
def test_detectors_beside_their_place_see_the_scene_there(scale: int, axis: int, rng: torch.Generator) -> None:
    steps = torch.arange(24.0 * scale, dtype=torch.float64)
    ramp = (steps[:, None] if axis == 0 else steps[None, :]).expand(24 * scale, 24 * scale)[None, None]
    shift = torch.tensor([[[0.3, -0.2]]], dtype=torch.float64)
    seen = degrade(ramp, sigmas(0.4), scale, shift) - degrade(ramp, sigmas(0.4), scale)
    inner = seen[..., 5:-5, 5:-5]
    torch.testing.assert_close(inner, torch.full_like(inner, float(shift[0, 0, axis]) * scale), rtol=0, atol=2e-3)
