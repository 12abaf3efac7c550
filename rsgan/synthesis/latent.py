"""Tools of the latent space: ways between chips, directions in which they vary, sums of classes, and the way back."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from rsgan.errors import ConfigError
from rsgan.nn.encoder import ChipEncoder
from rsgan.nn.generators import SynthesisGenerator
from rsgan.nn.generators.synthesis import StyleNetwork
from rsgan.nn.generators.synthesis.sampling import mean_styles, noise_of

STEP = 1e-3
"""Share of the way between two codes, over which path lengths are taken."""


def linear(first: Tensor, second: Tensor, shares: Tensor) -> Tensor:
    """(S, F) points on the straight line between two (F,), at `shares` (S,) of the way; the way between styles."""
    return torch.lerp(first[None], second[None], shares[:, None])


def spherical(first: Tensor, second: Tensor, shares: Tensor) -> Tensor:
    """The same on the great circle, along which codes of many dimensions stay as likely as those at its ends.

    Source: White 2016, arXiv:1609.04468, section 2.1.
    """
    cosine = functional.cosine_similarity(first, second, dim=0).clamp(-1, 1)
    angle = torch.acos(cosine)
    if angle < 1e-4:
        return linear(first, second, shares)
    weights = torch.stack([torch.sin((1 - shares) * angle), torch.sin(shares * angle)], 1) / torch.sin(angle)
    return weights[:, :1] * first[None] + weights[:, 1:] * second[None]


def styled(generator: SynthesisGenerator) -> StyleNetwork:
    """The style network of a generator.

    Raises:
        ConfigError: it has none.
    """
    if generator.style is None:
        raise ConfigError("the generator has no styles; expected one network of kind style.")
    return generator.style


@torch.no_grad()
def interpolated(generator: SynthesisGenerator, noise: Tensor, shares: Tensor, given: Tensor | None = None) -> Tensor:
    """(S, bands, side, side) chips on the way between two, with the grain of the first.

    Args:
        generator: of any network; styles are mixed where there are any, else codes on the great circle.
        noise: (2, latent) of the ends.
        shares: (S,) of the way.
        given: (2,) classes of the ends; they may differ for style networks only, others take the first.
    """
    grain = noise[:1, generator.codes :].expand(len(shares), -1)
    if generator.style is not None:
        styles = generator.style.styles(noise[:, : generator.style.codes], given)
        return generator.within(generator.style.images_of(linear(styles[0], styles[1], shares), grain))
    codes = spherical(noise[0, : generator.codes], noise[1, : generator.codes], shares)
    made: Tensor = generator(torch.cat([codes, grain], 1), None if given is None else given[:1].expand(len(shares)))
    return made


@dataclass(frozen=True)
class Directions:
    """In which the styles vary.

    Attributes:
        mean: (F,) style.
        lines: (D, F) directions of length 1, the one with the largest variance first.
        deviations: (D,) standard deviation of the styles along each.
        shares: (D,) of the whole variance.
    """

    mean: Tensor
    lines: Tensor
    deviations: Tensor
    shares: Tensor


@torch.no_grad()
def principal_directions(
    generator: SynthesisGenerator, count: int = 8, *, place: int | None = None, samples: int = 4096, seed: int = 0
) -> Directions:
    """Principal components of the styles of random codes.

    Args:
        generator: of kind style.
        count: directions.
        place: of the class; None for generators without.
        samples: codes.
        seed: of the codes.

    Raises:
        ConfigError: it has no styles.

    Source: Harkonen et al. 2020, arXiv:2004.02546, section 2.1.
    """
    network = styled(generator)
    chance = torch.Generator().manual_seed(seed)
    codes = torch.randn(samples, network.codes, generator=chance).to(generator.low)
    given = None if place is None else torch.full((samples,), place, device=codes.device)
    styles = network.styles(codes, given).double()
    mean = styles.mean(0)
    _, values, lines = torch.linalg.svd(styles - mean, full_matrices=False)
    variances = values.square() / (samples - 1)
    return Directions(
        mean.float(),
        lines[:count].float(),
        variances[:count].sqrt().float(),
        (variances / variances.sum())[:count].float(),
    )


@torch.no_grad()
def moved_to_class(generator: SynthesisGenerator, styles: Tensor, before: int, after: int) -> Tensor:
    """(N, F) styles of one class with its mean taken off and that of another put on.

    Source: Radford et al. 2016, arXiv:1511.06434, section 6.3.2 (arithmetic of codes).
    """
    means = mean_styles(generator)
    return styles - means[before] + means[after]


@torch.no_grad()
def path_length(
    generator: SynthesisGenerator, encoder: ChipEncoder, *, place: int | None = None, pairs: int = 256, seed: int = 0
) -> float:
    """Mean squared change of an encoder's features over a small step between two styles, over that step squared.

    Smaller is smoother. Figures of two encoders must not be compared.

    Args:
        generator: of kind style.
        encoder: whose features count.
        place: of the class; None for generators without.
        pairs: of codes.
        seed: of codes and places between them.

    Raises:
        ConfigError: the generator has no styles.

    Source: Karras et al. 2019, arXiv:1812.04948, equation 3.
    """
    network = styled(generator)
    noise = noise_of(generator, seed, range(2 * pairs)).to(generator.low)
    given = None if place is None else torch.full((2 * pairs,), place, device=noise.device)
    styles = network.styles(noise[:, : network.codes], given).unflatten(0, (pairs, 2))
    share = torch.rand(pairs, 1, generator=torch.Generator().manual_seed(seed)).to(noise) * (1 - STEP)
    grain = noise[::2, network.codes :]
    ends = [
        encoder.features(generator.within(network.images_of(torch.lerp(styles[:, 0], styles[:, 1], at), grain)))
        for at in (share, share + STEP)
    ]
    return float((ends[1] - ends[0]).square().sum(1).mean() / STEP**2)


@dataclass(frozen=True)
class Projection:
    """A chip as the generator would make it.

    Attributes:
        styles: (1, layers, F) of every layer.
        image: (1, bands, side, side) network units.
        error: root mean square difference from the chip, network units.
    """

    styles: Tensor
    image: Tensor
    error: float


def projected(
    generator: SynthesisGenerator,
    chip: Tensor,
    *,
    place: int | None = None,
    encoder: ChipEncoder | None = None,
    steps: int = 200,
    rate: float = 0.05,
) -> Projection:
    """The styles, one for each layer, whose image is nearest to a chip.

    Args:
        generator: of kind style.
        chip: (1, bands, side, side) network units.
        place: of the class whose mean style is the start; None for generators without.
        encoder: whose features have to agree as well as the pixels.
        steps: of Adam.
        rate: its learning rate at the start; falls to 0.

    Raises:
        ConfigError: the generator has no styles, or the chip has another shape.

    Source: Karras et al. 2020, arXiv:1912.04958, section 5 (projection), with pixels and the encoder of land cover in
    place of a perceptual distance; Abdal et al. 2019, arXiv:1904.03189 (a style for each layer).
    """
    network, config = styled(generator), generator.config
    if chip.shape != (1, config.bands, config.side, config.side):
        raise ConfigError(
            f"the chip is {tuple(chip.shape)}; expected (1, {config.bands}, {config.side}, {config.side})."
        )
    start = mean_styles(generator)[place or 0]
    styles = start.expand(1, len(network.layers), -1).clone().requires_grad_()
    grain = torch.zeros(1, network.latent - network.codes).to(chip)
    wanted = None if encoder is None else encoder.features(chip).detach()
    optimizer = torch.optim.Adam([styles], lr=rate)
    plan = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        image = generator.within(network.images_of(styles, grain))
        loss = (image - chip).square().mean()
        if encoder is not None and wanted is not None:
            loss = loss + (encoder.features(image) - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        plan.step()
    with torch.no_grad():
        image = generator.within(network.images_of(styles, grain))
    return Projection(styles.detach(), image, float((image - chip).square().mean().sqrt()))
