"""Images from seeds: image number i depends on (seed, i) only, however many are made, and in whatever batches."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rsgan.nn.generators.synthesis.generator import SynthesisGenerator

AT_ONCE = 64
"""Images that go through a network at once."""
POPULATION = 1024
"""Codes of which a mean style is taken."""


def noise_of(generator: SynthesisGenerator, seed: int, numbers: Sequence[int]) -> Tensor:
    """(N, latent) standard normal numbers of images by their numbers."""
    drawn = [
        torch.randn(generator.latent, generator=torch.Generator().manual_seed((seed * 1_000_003 + n) % 2**63))
        for n in numbers
    ]
    return torch.stack(drawn)


@torch.no_grad()
def sample(
    generator: SynthesisGenerator, noise: Tensor, given: Tensor | None = None, truncation: float | None = None
) -> Tensor:
    """Images of noise.

    Args:
        generator: in evaluation mode, on the device where it computes.
        noise: (N, latent) on the CPU.
        given: (N,) classes or (N, side, side) of pixels, as the generator wants.
        truncation: of networks of kind style, share of the way from the mean style of the class, 0 .. 1; of others,
            largest code. Smaller is more usual, and less varied. None truncates nothing.

    Returns:
        (N, bands, side, side) network units, on the CPU.

    Source: Karras et al. 2019, arXiv:1812.04948, section B; Brock et al. 2019, arXiv:1809.11096, section 3.1.
    """
    device, made, means = generator.low.device, [], None
    if truncation is not None and generator.style is not None:
        means = mean_styles(generator)
    for first in range(0, len(noise), AT_ONCE):
        part = slice(first, first + AT_ONCE)
        told = None if given is None else given[part].to(device)
        made.append(_truncated(generator, noise[part].to(device), told, truncation, means).cpu())
    return torch.cat(made)


def _truncated(
    generator: SynthesisGenerator, noise: Tensor, given: Tensor | None, truncation: float | None, means: Tensor | None
) -> Tensor:
    if truncation is None:
        images: Tensor = generator(noise, given)
        return images
    network = generator.style
    if network is None or means is None:
        low, high = torch.special.ndtr(torch.tensor([-truncation, truncation], dtype=torch.float64)).tolist()
        code, grain = noise.split([generator.codes, generator.latent - generator.codes], 1)
        shares = torch.special.ndtr(code.double()) * (high - low) + low
        images = generator(torch.cat([torch.special.ndtri(shares).to(noise), grain], 1), given)
        return images
    code, grain = noise.split([network.codes, network.latent - network.codes], 1)
    mean = means[0][None] if given is None else means[given]
    return generator.within(network.images_of(torch.lerp(mean, network.styles(code, given), truncation), grain))


@torch.no_grad()
def mean_styles(generator: SynthesisGenerator) -> Tensor:
    """(K, styles) mean style of every class, or (1, styles) of all images without classes.

    Raises:
        ValueError: the generator is of another kind than style.
    """
    network = generator.style
    if network is None:
        raise ValueError("only one network of kind style has styles.")
    chance = torch.Generator().manual_seed(0)
    codes = torch.randn(POPULATION, network.codes, generator=chance).to(generator.low)
    kinds = generator.config.classes if generator.config.given == "class" else 0
    if not kinds:
        return network.styles(codes).mean(0, keepdim=True)
    each = [network.styles(codes, torch.full((POPULATION,), k, device=codes.device)).mean(0) for k in range(kinds)]
    return torch.stack(each)
