"""Optical sensor model: how a sharp scene becomes the observed one, and how the observed one constrains the sharp one.

All functions take float tensors (N, C, H, W). `sigma` is the standard deviation of the Gaussian part of the point
spread function in INPUT pixels (pixels of the observed raster), shape (N, C) or broadcastable to it; the detector's
box is the area mean. See `catalogue.psf_sigma` for the link to a published MTF at Nyquist.
"""

from __future__ import annotations

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


def psf_taps(sigma: Tensor, scale: int, shift: Tensor | None = None) -> Tensor:
    """One-dimensional point spread function of a detector: Gaussian convolved with the box of `scale` output pixels.

    Args:
        sigma: (...,) Gaussian standard deviation in input pixels, 0 allowed.
        scale: output pixels per input pixel.
        shift: (...,) input pixels by which the detector looks beside its place; None for none.

    Returns:
        (..., 2 * radius + scale) taps that sum to 1.
    """
    radius = _radius(scale)
    x = torch.arange(-radius, radius + 1, dtype=sigma.dtype, device=sigma.device)
    narrowest = 1e-3 if shift is None else 0.2  # beside a pixel's middle, a point would fall between the samples
    width = (sigma * scale).clamp_min(narrowest).unsqueeze(-1)
    offset = x if shift is None else x - (shift * scale).unsqueeze(-1)
    gaussian = torch.exp(-0.5 * (offset / width) ** 2)
    gaussian = gaussian / gaussian.sum(-1, keepdim=True)
    padded = functional.pad(gaussian, (scale - 1, scale - 1))
    return padded.unfold(-1, scale, 1).sum(-1) / scale


def degrade(scene: Tensor, sigma: Tensor, scale: int, shift: Tensor | None = None) -> Tensor:
    """Sensor model without noise: Gaussian point spread function, then area mean.

    The mean of a scene is kept up to its border, where pixels are repeated outwards.

    Args:
        scene: (N, C, scale * h, scale * w), any unit linear in radiance.
        sigma: Gaussian standard deviation in input pixels, broadcastable to (N, C).
        scale: output pixels per input pixel.
        shift: (N, C, 2) input pixels down and to the right by which the detectors look beside their place; up to 1.

    Returns:
        (N, C, h, w) in the unit of `scene`.

    Source: MTF-matched Gaussian filtering, Aiazzi et al. 2006, doi:10.14358/PERS.72.5.591.
    """
    n, c, height, width = scene.shape
    width_per_band = sigma.to(scene.dtype).expand(n, c).reshape(n * c)
    down, right = (None, None) if shift is None else shift.to(scene.dtype).reshape(n * c, 2).unbind(-1)
    x = _observed_columns(scene.reshape(1, n * c, height, width), psf_taps(width_per_band, scale, right), scale)
    x = _observed_rows(x, psf_taps(width_per_band, scale, down), scale)
    return x.reshape(n, c, height // scale, width // scale)


def _observed_columns(x: Tensor, taps: Tensor, scale: int) -> Tensor:
    """(1, B, H, scale w) -> (1, B, H, w), each channel with its own taps (B, K); the border is repeated outwards."""
    radius = _radius(scale)
    padded = functional.pad(x, (radius, radius, 0, 0), mode="replicate")
    return functional.conv2d(padded, taps[:, None, None, :], stride=(1, scale), groups=len(taps))


def _observed_rows(x: Tensor, taps: Tensor, scale: int) -> Tensor:
    """(1, B, scale h, W) -> (1, B, h, W), each channel with its own taps (B, K); the border is repeated outwards."""
    radius = _radius(scale)
    padded = functional.pad(x, (0, 0, radius, radius), mode="replicate")
    return functional.conv2d(padded, taps[:, None, :, None], stride=(scale, 1), groups=len(taps))


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
    return cubic_weights((torch.arange(scale, dtype=torch.float64) + 0.5) / scale - 0.5)


def cubic_weights(position: Tensor) -> Tensor:
    """Weights of cubic interpolation (Keys, a = -0.5): (...,) positions -1 .. 1 -> (..., 5) of the pixels -2 .. 2.

    Source: Keys 1981, doi:10.1109/TASSP.1981.1163711.
    """
    x = (position[..., None] - torch.arange(-2, 3, dtype=position.dtype, device=position.device)).abs()
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


def consistent(
    learned: Tensor,
    observed: Tensor,
    sigma: Tensor,
    scale: int,
    weight: Tensor | float,
    steps: int,
    base: Tensor | None = None,
) -> Tensor:
    """Add learned detail to the base and apply `steps` consistency steps, in closed form: the same result.

    With D degrade, U upsample, A = D U and x0 = base + learned, steps x <- x + w U(y - D x) leave the residual
    r_k = (I - w A)^k (y - D x0), so x = x0 + U(w sum of r_k, k < steps). A is linear, separable and lives on the
    observed grid; at the border it is exact too. Any number of steps takes one degrade and one upsample.

    Args:
        learned: (N, C, scale h, scale w) detail added to the base.
        observed: (N, C, h, w), same unit.
        sigma: as in `degrade`.
        scale: output pixels per input pixel.
        weight: 0..1, scalar or broadcastable to (N, C, 1, 1).
        steps: number of steps, 0 or more.
        base: (N, C, scale h, scale w); None takes `upsample(observed)`.

    Returns:
        (N, C, scale h, scale w) in the unit of `observed`.
    """
    if steps == 0:
        return learned + (upsample(observed, scale) if base is None else base)
    rows, columns = _interpolation_responses(observed, sigma, scale)

    def observed_again(x: Tensor) -> Tensor:
        return rows @ x @ columns

    if base is None:
        residual = observed - observed_again(observed) - degrade(learned, sigma, scale)
    else:
        learned = base + learned
        residual = observed - degrade(learned, sigma, scale)
    total = residual
    for _ in range(steps - 1):
        total = residual + total - weight * observed_again(total)
    correction = weight * total
    return learned + upsample(correction if base is not None else observed + correction, scale)


def _interpolation_responses(observed: Tensor, sigma: Tensor, scale: int) -> tuple[Tensor, Tensor]:
    """Matrices (N, C, h, h) and (N, C, w, w): rows @ x @ columns is degrade(upsample(x)) for x (N, C, h, w)."""
    n, c, height, width = observed.shape
    taps = psf_taps(sigma.to(observed.dtype).expand(n, c).reshape(n * c), scale)
    keys = _keys_taps(scale).to(observed)
    responses = []
    for length in (height, width):
        index = torch.arange(length, device=observed.device)
        identity = (index[:, None] == index).to(observed.dtype)[None, None]
        finer = _finer_rows(identity, keys) / _finer_rows(torch.ones_like(identity[..., :1]), keys)
        finer = finer.expand(1, n * c, length * scale, length)
        responses.append(_observed_rows(finer, taps, scale).reshape(n, c, length, length))
    return responses[0], responses[1].transpose(2, 3)
