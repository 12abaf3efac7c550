import numpy as np
import pytest
import torch

from rsgan.filters.back_projection import back_projection
from rsgan.metrics.fidelity import psnr
from rsgan.sensors.optical import degrade, upsample
from rsgan.sensors.procedural import draw_scene


def land(scale: int) -> torch.Tensor:
    reflectance, _ = draw_scene(np.random.default_rng(3), (160, 160), 10.0 / scale)
    return torch.from_numpy(reflectance)[None].double()


def inner_psnr(enhanced: torch.Tensor, reference: torch.Tensor) -> float:
    first, second = (t[0, :, 16:-16, 16:-16].numpy() for t in (enhanced, reference))
    return psnr(first, second, data_range=1.0).pooled


@pytest.mark.parametrize("scale", [2, 4])
def test_five_steps_with_the_true_sensor_beat_bicubic(scale: int) -> None:
    reference, sigma = land(scale), torch.tensor([[0.40]]).double()
    observed = degrade(reference, sigma, scale)
    bicubic, stepped = (inner_psnr(back_projection(observed, sigma, scale, n), reference) for n in (0, 5))
    assert stepped > bicubic + 0.5


def test_many_steps_amplify_noise(rng: torch.Generator) -> None:
    reference, sigma = land(2), torch.tensor([[0.50]]).double()
    observed = degrade(reference, sigma, 2)
    observed = observed + 0.01 * torch.randn(observed.shape, generator=rng, dtype=torch.float64)
    few, many = (inner_psnr(back_projection(observed, sigma, 2, n), reference) for n in (5, 30))
    assert many < few - 0.5


def test_no_step_is_bicubic(rng: torch.Generator) -> None:
    observed = torch.rand(1, 4, 9, 7, generator=rng)
    assert torch.equal(back_projection(observed, torch.tensor([[0.4]]), 2, 0), upsample(observed, 2))


def test_a_constant_scene_stays_constant() -> None:
    observed = torch.full((1, 2, 5, 6), 0.31, dtype=torch.float64)
    enhanced = back_projection(observed, torch.tensor([[0.4]]).double(), 4, 7)
    torch.testing.assert_close(enhanced, torch.full((1, 2, 20, 24), 0.31, dtype=torch.float64), rtol=0, atol=1e-12)
