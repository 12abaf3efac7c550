"""Atmospheric scattering: how haze, smoke and thin cloud lie over a surface, and how they are taken off.

observed = T surface + (1 - T) airlight, band by band, with the transmission T = exp(-thickness (wavelength / 0.55 um)^
-angstrom). What a path scatters grows with what it hides, so one thickness makes both.

Source: Koschmieder 1924; Narasimhan and Nayar 2002, doi:10.1023/A:1016328200723 (the model of an image through haze);
Angstrom 1929, doi:10.2307/519399 (the exponent: 0 for droplets and ice, about 1.3 for dust-free haze, up to 2 for
fresh smoke). Light that bounces between ground and haze is left out; it is below 0.01 reflectance for thicknesses up to
0.5 over ground darker than 0.3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

REFERENCE_UM = 0.55
"""Wavelength at which thickness is stated, micrometres."""


@dataclass(frozen=True)
class Haze:
    """What lies over a batch of chips; all broadcastable to (N, C, H, W).

    Attributes:
        thickness: (N, 1, H, W) optical thickness at 0.55 um, along the path of the light, 0 and above.
        angstrom: (N, 1, H, W) exponent of its fall with wavelength.
        airlight: (N, C, H, W) reflectance of haze too thick to see through.
    """

    thickness: Tensor
    angstrom: Tensor
    airlight: Tensor


def transmission(haze: Haze, wavelengths_um: Tensor) -> Tensor:
    """(N, C, H, W) share of the surface's light that gets through, 0 .. 1; `wavelengths_um` is (C,)."""
    relative = torch.log(wavelengths_um / REFERENCE_UM).reshape(1, -1, 1, 1).to(haze.thickness)
    return torch.exp(-haze.thickness * torch.exp(-haze.angstrom * relative))


def add_haze(surface: Tensor, haze: Haze, wavelengths_um: Tensor) -> Tensor:
    """(N, C, H, W) reflectance of the surface -> reflectance through haze."""
    through = transmission(haze, wavelengths_um)
    return through * surface + (1 - through) * haze.airlight


def remove_haze(observed: Tensor, haze: Haze, wavelengths_um: Tensor) -> Tensor:
    """(N, C, H, W) reflectance through haze -> reflectance of the surface; the inverse of `add_haze`."""
    through = transmission(haze, wavelengths_um)
    return (observed - (1 - through) * haze.airlight) / through


@dataclass(frozen=True)
class HazeRanges:
    """What `draw_haze` draws from, evenly but for the thickness, which is even in its logarithm.

    Attributes:
        thickness: lowest, highest mean thickness of a chip.
        contrast: lowest, highest standard deviation of the logarithm of the thickness within a chip.
        slope: lowest, highest exponent of the power spectrum of that logarithm: 2 is ragged, 4 smooth.
        white: share of chips whose haze is as thick in all bands, as thin cloud is.
        angstrom: lowest, highest exponent of the others.
        airlight: lowest, highest reflectance of thick haze.
        tint: standard deviation of the logarithm of the airlight over the bands.
    """

    thickness: tuple[float, float] = (0.02, 0.8)
    contrast: tuple[float, float] = (0.0, 0.9)
    slope: tuple[float, float] = (2.5, 4.0)
    white: float = 0.4
    angstrom: tuple[float, float] = (0.0, 1.8)
    airlight: tuple[float, float] = (0.35, 0.95)
    tint: float = 0.06


def draw_haze(bands: int, side: int, ranges: HazeRanges, rng: torch.Generator) -> Haze:
    """Haze over one square chip of `side` pixels: one spectrum, a thickness that varies like clouds do.

    Returns:
        Thickness (1, 1, side, side), angstrom (1, 1, 1, 1), airlight (1, bands, 1, 1).
    """
    low, high = (math.log(value) for value in ranges.thickness)
    mean = math.exp(_even(low, high, rng))
    contrast = _even(*ranges.contrast, rng)
    field = fractal_field(side, _even(*ranges.slope, rng), rng)
    thickness = mean * torch.exp(contrast * field - contrast**2 / 2)
    white = float(torch.rand((), generator=rng)) < ranges.white
    angstrom = 0.0 if white else _even(*ranges.angstrom, rng)
    tint = torch.exp(ranges.tint * torch.randn(bands, generator=rng))
    airlight = (_even(*ranges.airlight, rng) * tint).clamp(max=1.0)
    return Haze(thickness[None, None], torch.full((1, 1, 1, 1), angstrom), airlight.reshape(1, -1, 1, 1))


def fractal_field(side: int, slope: float, rng: torch.Generator) -> Tensor:
    """(side, side) Gaussian field of mean 0 and variance 1 whose power falls with frequency to the power -slope.

    It is cut out of one twice as wide, so that opposite borders do not meet.

    Source: spectral synthesis, Voss 1988, doi:10.1007/978-1-4612-3784-6_1.
    """
    wide = 2 * side
    frequency = torch.hypot(torch.fft.fftfreq(wide)[:, None], torch.fft.rfftfreq(wide)[None])
    frequency[0, 0] = torch.inf
    white = torch.fft.rfft2(torch.randn(wide, wide, generator=rng))
    field = torch.fft.irfft2(white * frequency ** (-slope / 2), s=(wide, wide))[:side, :side]
    standard: Tensor = (field - field.mean()) / field.std().clamp_min(1e-9)
    return standard


def _even(low: float, high: float, rng: torch.Generator) -> float:
    return low + (high - low) * float(torch.rand((), generator=rng))
