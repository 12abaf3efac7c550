"""Optical sensor model: how a sharp scene becomes the observed one, and how the observed one constrains the sharp one.

All functions take float tensors (N, C, H, W). `sigma` is the standard deviation of the Gaussian part of the point
spread function in INPUT pixels (pixels of the observed raster), shape (N, C) or broadcastable to it; the detector's
box is the area mean. See `catalogue.psf_sigma` for the link to a published MTF at Nyquist.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

MAX_SIGMA = 0.65
"""Widest Gaussian in input pixels; fixes the kernel's length, so that its reach does not depend on the scene."""


def kernel_reach(scale: int) -> int:
    """Input pixels that `degrade` looks beyond its own footprint, on each side."""
    return -(-_radius(scale) // scale)


def _radius(scale: int) -> int:
    """Radius of the sampled Gaussian in output pixels: 3.7 of the widest sigma."""
    return max(2, round(3.7 * MAX_SIGMA * scale))


def psf_taps(sigma: Tensor, scale: int) -> Tensor:
    """One-dimensional point spread function of a detector: Gaussian convolved with the box of `scale` output pixels.

    Args:
        sigma: (...,) Gaussian standard deviation in input pixels, 0 allowed.
        scale: output pixels per input pixel.

    Returns:
        (..., 2 * radius + scale) taps that sum to 1.
    """
    radius = _radius(scale)
    x = torch.arange(-radius, radius + 1, dtype=sigma.dtype, device=sigma.device)
    width = (sigma * scale).clamp_min(1e-3).unsqueeze(-1)
    gaussian = torch.exp(-0.5 * (x / width) ** 2)
    gaussian = gaussian / gaussian.sum(-1, keepdim=True)
    padded = functional.pad(gaussian, (scale - 1, scale - 1))
    return padded.unfold(-1, scale, 1).sum(-1) / scale


def degrade(scene: Tensor, sigma: Tensor, scale: int) -> Tensor:
    """Sensor model without noise: Gaussian point spread function, then area mean.

    The mean of a scene is kept up to its border, where pixels are repeated outwards.

    Args:
        scene: (N, C, scale * h, scale * w), any unit linear in radiance.
        sigma: Gaussian standard deviation in input pixels, broadcastable to (N, C).
        scale: output pixels per input pixel.

    Returns:
        (N, C, h, w) in the unit of `scene`.

    Source: MTF-matched Gaussian filtering, Aiazzi et al. 2006, doi:10.14358/PERS.72.5.591.
    """
    n, c, height, width = scene.shape
    radius = _radius(scale)
    taps = psf_taps(sigma.to(scene.dtype).expand(n, c).reshape(n * c), scale)
    x = scene.reshape(1, n * c, height, width)
    x = functional.pad(x, (radius, radius, 0, 0), mode="replicate")
    x = functional.conv2d(x, taps[:, None, None, :], stride=(1, scale), groups=n * c)
    x = functional.pad(x, (0, 0, radius, radius), mode="replicate")
    x = functional.conv2d(x, taps[:, None, :, None], stride=(scale, 1), groups=n * c)
    return x.reshape(n, c, height // scale, width // scale)


def upsample(observed: Tensor, scale: int) -> Tensor:
    """Bicubic interpolation (Keys, a = -0.5) with pixel areas aligned; (N, C, h, w) -> (N, C, scale h, scale w).

    At the border the weights of the pixels that are there are brought to a sum of 1. Convolutions, not torch's own
    interpolation: they are faster, and any runtime of networks does them alike.

    Source: Keys 1981, doi:10.1109/TASSP.1981.1163711.
    """
    n, c, height, width = observed.shape
    taps = _keys_taps(scale).to(observed)
    ones = torch.ones(1, 1, height, width, dtype=observed.dtype, device=observed.device)
    weights = _finer_rows(ones[..., :1], taps) * _finer_columns(ones[:, :, :1], taps)
    finer = _finer_columns(_finer_rows(observed.reshape(n * c, 1, height, width), taps), taps) / weights
    return finer.reshape(n, c, height * scale, width * scale)


def _finer_rows(x: Tensor, taps: Tensor) -> Tensor:
    """(B, 1, h, w) -> (B, 1, scale h, w), nothing beyond the border."""
    batch, _, height, width = x.shape
    phases = functional.conv2d(x, taps[:, None, :, None], padding=(taps.shape[1] // 2, 0))
    return phases.transpose(1, 2).reshape(batch, 1, height * len(taps), width)


def _finer_columns(x: Tensor, taps: Tensor) -> Tensor:
    """(B, 1, h, w) -> (B, 1, h, scale w), nothing beyond the border."""
    batch, _, height, width = x.shape
    phases = functional.conv2d(x, taps[:, None, None, :], padding=(0, taps.shape[1] // 2))
    return phases.permute(0, 2, 3, 1).reshape(batch, 1, height, width * len(taps))


def _keys_taps(scale: int) -> Tensor:
    """(scale, 5) weights of the observed pixels around each of the finer ones in a pixel."""
    centres = (torch.arange(scale, dtype=torch.float64) + 0.5) / scale - 0.5
    x = (centres[:, None] - torch.arange(-2, 3, dtype=torch.float64)).abs()
    near, far = (1.5 * x - 2.5) * x**2 + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x <= 1, near, torch.where(x < 2, far, torch.zeros_like(x)))


def consistency_step(enhanced: Tensor, observed: Tensor, sigma: Tensor, scale: int, weight: Tensor | float) -> Tensor:
    """One step x <- x + weight U(y - D x) towards the scenes that the sensor would have observed as `observed`.

    Args:
        enhanced: (N, C, scale h, scale w).
        observed: (N, C, h, w), same unit.
        sigma: as in `degrade`.
        scale: output pixels per input pixel.
        weight: 0..1, scalar or broadcastable to (N, C, 1, 1); 1 trusts the observation fully.

    Source: iterative back-projection, Irani and Peleg 1991, doi:10.1016/1049-9652(91)90045-L.
    """
    return enhanced + weight * upsample(observed - degrade(enhanced, sigma, scale), scale)


@dataclass(frozen=True)
class Jitter:
    """What training varies about the sensor, each range uniform unless named otherwise.

    Attributes:
        sigma: lowest and highest Gaussian width in input pixels.
        band_sigma: largest departure of one band's width from the chip's, input pixels.
        noise: lowest and highest noise standard deviation in reflectance, log-uniform.
        noise_free: share of chips without noise.
        misregistration: largest shift of one band against the others, output pixels.
        sigma_error: standard deviation of what the network is told of the width, against the truth, input pixels.
        noise_error: standard deviation of the logarithm of what it is told of the noise, against the truth.
    """

    sigma: tuple[float, float] = (0.30, 0.50)
    band_sigma: float = 0.02
    noise: tuple[float, float] = (0.0002, 0.003)
    noise_free: float = 0.5
    misregistration: float = 0.0
    sigma_error: float = 0.0
    noise_error: float = 0.0


@dataclass(frozen=True)
class Observation:
    """A simulated observation and what is known of its sensor: observed (N, C, h, w), sigma (N, C), noise (N, C)."""

    observed: Tensor
    sigma: Tensor
    noise: Tensor


def shift_bands(scene: Tensor, shift: Tensor) -> Tensor:
    """Move each band by (dy, dx) output pixels, bilinear, borders repeated; shift is (N, C, 2)."""
    n, c, height, width = scene.shape
    theta = torch.zeros(n * c, 2, 3, dtype=scene.dtype, device=scene.device)
    theta[:, 0, 0] = theta[:, 1, 1] = 1
    theta[:, 0, 2] = -2 * shift[..., 1].reshape(-1) / width
    theta[:, 1, 2] = -2 * shift[..., 0].reshape(-1) / height
    lattice = functional.affine_grid(theta, [n * c, 1, height, width], align_corners=False)
    moved = functional.grid_sample(
        scene.reshape(n * c, 1, height, width), lattice, mode="bilinear", padding_mode="border", align_corners=False
    )
    return moved.reshape(n, c, height, width)


def observe(reference: Tensor, scale: int, jitter: Jitter, rng: torch.Generator, quantum: float = 1e-4) -> Observation:
    """Simulate what a sensor drawn from `jitter` gives of `reference`.

    Args:
        reference: (N, C, scale h, scale w) reflectance.
        scale: output pixels per input pixel.
        jitter: ranges of the sensor's properties.
        rng: source of every random number.
        quantum: rounding of the observed reflectance (1 DN); 0 for none.
    """
    n, c = reference.shape[:2]
    low, high = jitter.sigma
    sigma = low + (high - low) * torch.rand(n, 1, generator=rng)
    sigma = (sigma + jitter.band_sigma * (2 * torch.rand(n, c, generator=rng) - 1)).clamp(0.0, MAX_SIGMA)
    lowest, highest = (torch.tensor(v).log() for v in jitter.noise)
    noise = torch.exp(lowest + (highest - lowest) * torch.rand(n, 1, generator=rng))
    noise = (noise * (torch.rand(n, 1, generator=rng) >= jitter.noise_free)).expand(n, c).clone()
    if jitter.misregistration > 0:
        shift = jitter.misregistration * (2 * torch.rand(n, c, 2, generator=rng) - 1)
        reference = shift_bands(reference, shift)
    observed = degrade(reference, sigma.to(reference), scale)
    observed = observed + noise.to(observed)[..., None, None] * torch.randn(observed.shape, generator=rng).to(observed)
    if quantum > 0:
        observed = torch.round(observed / quantum) * quantum
    if jitter.sigma_error > 0:
        sigma = (sigma + jitter.sigma_error * torch.randn(n, 1, generator=rng)).clamp(*jitter.sigma)
    if jitter.noise_error > 0:
        noise = noise * torch.exp(jitter.noise_error * torch.randn(n, 1, generator=rng))
    return Observation(observed, sigma.to(reference), noise.to(reference))
