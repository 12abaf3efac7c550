"""Turned and mirrored passes of a generator: their mean is better than one pass, their spread tells where it doubts."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from rsgan.nn.generators import DespeckleGenerator, Generator, Guide, SensorState, SpeckleState

TURNS = (
    (False, ()),
    (False, (2, 3)),
    (True, ()),
    (True, (2, 3)),
    (False, (2,)),
    (False, (3,)),
    (True, (2,)),
    (True, (3,)),
)
"""The symmetries of the square as (transpose, axes to flip afterwards); each beginning of 1, 2, 4 or 8 is a group."""


def averaged_passes(
    generator: Generator,
    observed: Tensor,
    sensor: SensorState,
    guide: Guide | None = None,
    *,
    passes: int,
    consistency: bool = True,
) -> tuple[Tensor, Tensor]:
    """Mean and spread over turned and mirrored passes, turned back: land has no up, so what differs is error.

    Args:
        generator: the network; one of a single band sees the bands one by one, as a batch.
        observed: (N, C, h, w) network units.
        sensor: of the batch.
        guide: finer bands, for a generator that takes them.
        passes: 1, 2, 4 or 8; each costs as much as the first.
        consistency: whether the closing steps run.

    Returns:
        Mean and standard deviation (0 for one pass), (N, C, scale h, scale w) network units each.

    Source: geometric self-ensemble, Timofte et al. 2016, arXiv:1511.02228, section 3.4.
    """
    total, squares, first = torch.zeros(()), torch.zeros(()), torch.zeros(())
    for number, (transpose, axes) in enumerate(TURNS[:passes]):
        turned = None if guide is None else Guide(*(_turn(x, transpose, axes) for x in vars(guide).values()))
        enhanced = _pass(generator, _turn(observed, transpose, axes), sensor, turned, consistency).flip(axes)
        enhanced = enhanced.transpose(2, 3) if transpose else enhanced
        if number == 0:
            first, total, squares = enhanced, torch.zeros_like(enhanced), torch.zeros_like(enhanced)
            continue
        departure = enhanced - first
        total = total + departure
        squares = squares + departure.square_()
    if passes == 1:
        return first, squares
    mean = total / passes
    variance = (squares / passes - mean.square()).clamp_min(0) * passes / (passes - 1)
    return first + mean, variance.sqrt()


def despeckled_passes(
    generator: DespeckleGenerator, observed: Tensor, speckle: SpeckleState, valid: Tensor, *, passes: int
) -> Tensor:
    """Mean intensity over turned and mirrored passes, turned back; of expected intensities it is one, too.

    The chips are made whole multiples of the network's stride first, so that a mirrored one has its blocks where the
    upright one has them, and any tiling gives the same.

    Args:
        generator: the network.
        observed: (N, 1, H, W) log-intensity relative to the scene's median.
        speckle: of the batch.
        valid: (N, 1, H, W) 1 where usable, else 0.
        passes: 1, 2, 4 or 8; each costs as much as the first.

    Returns:
        (N, 1, H, W) in the units of `observed`.

    Source: geometric self-ensemble, Timofte et al. 2016, arXiv:1511.02228, section 3.4.
    """
    height, width = observed.shape[2:]
    stride = generator.config.stride
    missing = 0, -width % stride, 0, -height % stride
    observed, valid = functional.pad(observed, missing), functional.pad(valid, missing)
    total = torch.zeros_like(observed)
    for transpose, axes in TURNS[:passes]:
        law = speckle.transposed() if transpose else speckle
        enhanced: Tensor = generator(_turn(observed, transpose, axes), law, _turn(valid, transpose, axes))
        enhanced = enhanced.flip(axes)
        total += (enhanced.transpose(2, 3) if transpose else enhanced).exp()
    return (total / passes).log()[:, :, :height, :width]


def _pass(
    generator: Generator, observed: Tensor, sensor: SensorState, guide: Guide | None, consistency: bool
) -> Tensor:
    n, bands, height, width = observed.shape
    if generator.config.bands != bands:
        observed, sensor = observed.reshape(n * bands, 1, height, width), sensor.one_by_one()
    scale = generator.config.scale
    enhanced: Tensor = generator(observed, sensor, guide, consistency=consistency)
    return enhanced.reshape(n, bands, height * scale, width * scale)


def _turn(values: Tensor, transpose: bool, axes: tuple[int, ...]) -> Tensor:
    return (values.transpose(2, 3) if transpose else values).flip(axes)
