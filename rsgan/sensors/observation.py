"""Simulated observations: what sensors drawn from stated ranges would have given of a reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from rsgan.sensors.optical import MAX_SIGMA, cubic_weights, degrade


@dataclass(frozen=True)
class Jitter:
    """Ranges of a sensor's properties that training varies, each uniform unless named otherwise.

    Attributes:
        sigma: lowest and highest Gaussian width in input pixels.
        band_sigma: largest departure of one band's width from the chip's, input pixels.
        noise: lowest and highest noise standard deviation in reflectance, log-uniform.
        noise_free: share of chips without noise.
        signal_noise: largest share of the noise's variance that grows with the signal; each chip draws its own.
        misregistration: largest shift of one band against the others, output pixels.
        interpolated: share of chips that are interpolated from a grid of another phase, as orthorectification does.
        stripes: largest difference between odd and even columns, reflectance; half of the chips have none.
        sigma_error: standard deviation of the error of the width that the network is given, input pixels.
        noise_error: standard deviation of the error of the logarithm of the noise that the network is given.
    """

    sigma: tuple[float, float] = (0.30, 0.50)
    band_sigma: float = 0.02
    noise: tuple[float, float] = (0.0002, 0.003)
    noise_free: float = 0.5
    signal_noise: float = 0.0
    misregistration: float = 0.0
    interpolated: float = 0.0
    stripes: float = 0.0
    sigma_error: float = 0.0
    noise_error: float = 0.0


@dataclass(frozen=True)
class Observation:
    """A simulated observation and what the network is told of its sensor.

    Attributes:
        observed: (N, C, h, w) reflectance.
        sigma: (N, C) Gaussian width, input pixels.
        noise: (N, C) noise standard deviation, reflectance.
    """

    observed: Tensor
    sigma: Tensor
    noise: Tensor


@dataclass(frozen=True)
class SensorDraw:
    """Sensors drawn for a batch, with every random number that their observations need.

    Attributes:
        sigma: (N, C) Gaussian width, input pixels.
        noise: (N, C) noise standard deviation before interpolation, reflectance.
        signal_share: (N, 1) share of the noise's variance that grows with the signal.
        shift: (N, C, 2) misregistration down and to the right, input pixels.
        phase: (N, 1, 2) how far off the output's grid the detectors lie, input pixels; 0 where nothing is interpolated.
        stripes: (N, 1) half the difference between odd and even columns, reflectance.
        white: (N, C, h, w) standard normal numbers.
        sigma_error: (N, 1) input pixels, added to what is told.
        noise_factor: (N, 1) by which what is told is multiplied.
    """

    sigma: Tensor
    noise: Tensor
    signal_share: Tensor
    shift: Tensor
    phase: Tensor
    stripes: Tensor
    white: Tensor
    sigma_error: Tensor
    noise_factor: Tensor

    @classmethod
    def concatenated(cls, draws: Sequence[SensorDraw]) -> SensorDraw:
        """Join the draws of several batches into one."""
        return cls(**{name: torch.cat([getattr(draw, name) for draw in draws]) for name in cls.__dataclass_fields__})


def draw_sensors(shape: tuple[int, int, int, int], scale: int, jitter: Jitter, rng: torch.Generator) -> SensorDraw:
    """Draw a sensor for each observation of a batch.

    Args:
        shape: (N, C, h, w) of the observations.
        scale: output pixels per input pixel.
        jitter: ranges of the sensors' properties.
        rng: source of every random number.
    """
    n, c = shape[:2]

    def uniform(*size: int) -> Tensor:
        return torch.rand(size, generator=rng)

    low, high = jitter.sigma
    sigma = low + (high - low) * uniform(n, 1)
    sigma = (sigma + jitter.band_sigma * (2 * uniform(n, c) - 1)).clamp(0.0, MAX_SIGMA)
    lowest, highest = (torch.tensor(v).log() for v in jitter.noise)
    noise = torch.exp(lowest + (highest - lowest) * uniform(n, 1)) * (uniform(n, 1) >= jitter.noise_free)
    interpolated = (uniform(n, 1, 1) < jitter.interpolated).float()
    return SensorDraw(
        sigma=sigma,
        noise=noise.expand(n, c).clone(),
        signal_share=jitter.signal_noise * uniform(n, 1),
        shift=jitter.misregistration / scale * (2 * uniform(n, c, 2) - 1),
        phase=interpolated * (uniform(n, 1, 2) - 0.5),
        stripes=jitter.stripes / 2 * (2 * uniform(n, 1) - 1).clamp_min(0),
        white=torch.randn(shape, generator=rng),
        sigma_error=jitter.sigma_error * torch.randn(n, 1, generator=rng),
        noise_factor=torch.exp(jitter.noise_error * torch.randn(n, 1, generator=rng)),
    )


def shift_cubic(values: Tensor, shift: Tensor) -> Tensor:
    """Interpolate (N, C, h, w) at its pixels moved by shift (N, C, 2), pixels down and to the right, -1 .. 1 each.

    Cubic interpolation (Keys, a = -0.5); the border is repeated outwards.
    """
    n, c, height, width = values.shape
    down, right = (cubic_weights(s.reshape(n * c)) for s in shift.to(values.dtype).expand(n, c, 2).unbind(-1))
    padded = functional.pad(values.reshape(1, n * c, height, width), (2, 2, 2, 2), mode="replicate")
    moved = functional.conv2d(padded, right[:, None, None, :], groups=n * c)
    return functional.conv2d(moved, down[:, None, :, None], groups=n * c).reshape(values.shape)


def interpolation_gain(shift: Tensor) -> Tensor:
    """Compute the factor (N, C) by which `shift_cubic` changes the standard deviation of white noise."""
    down, right = (cubic_weights(s).square().sum(-1).sqrt() for s in shift.unbind(-1))
    return down * right


def observe_with(reference: Tensor, scale: int, draw: SensorDraw, quantum: float = 1e-4) -> Observation:
    """Observe references with sensors that are drawn already.

    The detectors look at a grid that may lie off the output's; their noise has a part that grows with the signal; the
    result is interpolated onto the grid, which correlates the noise and bends what the detectors aliased, and rounded.

    Args:
        reference: (N, C, scale h, scale w) reflectance.
        scale: output pixels per input pixel.
        draw: sensors of the batch, see `draw_sensors`.
        quantum: rounding of the observed reflectance (1 DN); 0 for none.
    """
    phase = draw.phase.to(reference).expand_as(draw.shift)
    moved = bool(draw.phase.any() or draw.shift.any())
    observed = degrade(reference, draw.sigma.to(reference), scale, draw.shift.to(reference) + phase if moved else None)
    signal = observed.clamp_min(0)
    growth = signal / signal.mean((2, 3), keepdim=True).clamp_min(1e-6) - 1
    share = draw.signal_share.to(observed)[..., None, None]
    deviation = draw.noise.to(observed)[..., None, None] * (1 + share * growth).sqrt()
    observed = observed + deviation * draw.white.to(observed)
    sign = 1 - 2 * (torch.arange(observed.shape[-1], device=observed.device) % 2)
    observed = observed + draw.stripes.to(observed)[..., None, None] * sign
    noise = draw.noise.to(observed)
    if draw.phase.any():
        observed = shift_cubic(observed, -phase)
        noise = noise * interpolation_gain(phase)
    if quantum > 0:
        observed = torch.round(observed / quantum) * quantum
    return Observation(observed, draw.sigma.to(reference), noise)


def observe(reference: Tensor, scale: int, jitter: Jitter, rng: torch.Generator, quantum: float = 1e-4) -> Observation:
    """Simulate what sensors drawn from `jitter` give of `reference`; what is told of them has the errors of `jitter`.

    Args:
        reference: (N, C, scale h, scale w) reflectance.
        scale: output pixels per input pixel.
        jitter: ranges of the sensors' properties.
        rng: source of every random number.
        quantum: rounding of the observed reflectance (1 DN); 0 for none.
    """
    n, c, height, width = reference.shape
    draw = draw_sensors((n, c, height // scale, width // scale), scale, jitter, rng)
    return with_estimation_errors(observe_with(reference, scale, draw, quantum), draw, jitter.sigma)


def with_estimation_errors(seen: Observation, draw: SensorDraw, limits: tuple[float, float]) -> Observation:
    """Replace true width and noise of the sensors by estimates, with the errors of `draw`; widths in `limits`."""
    sigma = (seen.sigma + draw.sigma_error.to(seen.sigma)).clamp(0.0, MAX_SIGMA)
    if draw.sigma_error.any():
        sigma = sigma.clamp(*limits)
    return Observation(seen.observed, sigma, seen.noise * draw.noise_factor.to(seen.noise))
