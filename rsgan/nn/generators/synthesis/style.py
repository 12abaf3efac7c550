"""A style-based generator: a mapped code scales the features of every layer, and noise adds what is by chance."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from rsgan.nn.generators.synthesis.layout import FIRST, Embedding, Layout, NetworkFields


class StyleConfig(NetworkFields):
    """Architecture of `StyleNetwork`.

    Attributes:
        styles: numbers of a style.
        mapping: layers between code and style.
        pace: how fast these learn, relative to the others.
        mixing: probability, in training, that the layers from a random one on get the style of another image.
        growing: whether it begins with small images, and larger layers fade in; see `StyleNetwork.grown`.
    """

    kind: Literal["style"] = "style"
    styles: int = Field(default=64, ge=1, le=4096)
    mapping: int = Field(default=4, ge=1, le=16)
    pace: float = Field(default=0.01, gt=0, le=1)
    mixing: float = Field(default=0.5, ge=0, le=1)
    growing: bool = False


class EvenLinear(nn.Module):
    """A linear layer whose weights all learn at one pace, whatever the width.

    Source: Karras et al. 2018, arXiv:1710.10196, section 4.1.
    """

    def __init__(self, inputs: int, outputs: int, *, bias: float = 0.0, pace: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / pace)
        self.bias = nn.Parameter(torch.full((outputs,), bias / pace))
        self.gain, self.pace = pace / math.sqrt(inputs), pace

    def forward(self, values: Tensor) -> Tensor:
        """(N, inputs) -> (N, outputs)."""
        made: Tensor = functional.linear(values, self.weight * self.gain, self.bias * self.pace)
        return made


class StyledConvolution(nn.Module):
    """A convolution whose input channels a style scales; its output is brought back to unit variance.

    Source: Karras et al. 2020, arXiv:1912.04958, equations 1 and 3; here the features are scaled in place of the
    weights, which gives the same numbers.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, styles: int, *, demodulated: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.style = EvenLinear(styles, inputs, bias=1.0)
        self.gain, self.demodulated = 1 / math.sqrt(inputs * kernel**2), demodulated

    def forward(self, features: Tensor, style: Tensor) -> Tensor:
        """(N, inputs, H, W) and (N, styles) -> (N, outputs, H, W)."""
        scale, weight = self.style(style), self.weight * self.gain
        made = functional.conv2d(features * scale[..., None, None], weight, padding=weight.shape[-1] // 2)
        if self.demodulated:
            size = scale.square() @ weight.square().sum((2, 3)).T
            made = made * (size + 1e-8).rsqrt()[..., None, None]
        return made


class StyledLayer(nn.Module):
    """A styled convolution, then noise, offset and activation; doubled in size before it where asked."""

    def __init__(self, inputs: int, outputs: int, styles: int, *, doubled: bool) -> None:
        super().__init__()
        self.convolution = StyledConvolution(inputs, outputs, 3, styles)
        self.strength = nn.Parameter(torch.zeros(()))
        self.offset = nn.Parameter(torch.zeros(outputs, 1, 1))
        self.doubled = doubled

    def forward(self, features: Tensor, style: Tensor, noise: Tensor) -> Tensor:
        """Features, (N, styles) and (N, 1, H, W) noise of the output's size."""
        if self.doubled:
            features = functional.interpolate(features, scale_factor=2.0, mode="bilinear")
        made = self.convolution(features, style) + self.strength * noise + self.offset
        return functional.leaky_relu(made, 0.2) * math.sqrt(2)


class StyleNetwork(nn.Module):
    """Mapping from code to style, then layers whose sum of images at all sizes is the result.

    All that is random is in the numbers that go in: the code, then the noise of every layer, from the smallest to full
    size. One code with other noise is the same ground with other grain.

    Attributes:
        grown: levels that are there already, in networks that grow; the fraction is the share of the one that fades in.

    Source: Karras et al. 2020, arXiv:1912.04958 (skip outputs, no normalisation); Karras et al. 2019, arXiv:1812.04948
    (mapping, noise, style mixing); Karras et al. 2018, arXiv:1710.10196 (growing).
    """

    grown: Tensor

    def __init__(self, config: StyleConfig, layout: Layout) -> None:
        super().__init__()
        self.config, self.layout = config, layout
        sides, widths = layout.sides, layout.widths(config)
        self.embedding = Embedding(layout, config.latent)
        wide = [config.latent + self.embedding.width, *[config.styles] * config.mapping]
        self.mapping = nn.ModuleList(EvenLinear(a, b, pace=config.pace) for a, b in pairwise(wide))
        self.start = nn.Parameter(torch.randn(1, widths[0], FIRST, FIRST))
        each = [(widths[0], widths[0], False)]
        for before, after in pairwise(widths):
            each += [(before, after, True), (after, after, False)]
        self.layers = nn.ModuleList(StyledLayer(a, b, config.styles, doubled=d) for a, b, d in each)
        self.images = nn.ModuleList(
            StyledConvolution(width, layout.bands, 1, config.styles, demodulated=False) for width in widths
        )
        self.offset = nn.Parameter(torch.zeros(layout.bands, 1, 1))
        self.codes, self.noises = config.latent, [side**2 for side in (sides[0], *(s for s in sides[1:] for _ in "ab"))]
        self.latent = self.codes + sum(self.noises)
        self.register_buffer("grown", torch.tensor(0.0 if config.growing else float(len(sides) - 1)))

    def styles(self, code: Tensor, classes: Tensor | None = None) -> Tensor:
        """(N, codes) and (N,) classes -> (N, styles)."""
        style: Tensor = self.embedding(code * (code.square().mean(1, keepdim=True) + 1e-8).rsqrt(), classes)
        for layer in self.mapping:
            style = functional.leaky_relu(layer(style), 0.2) * math.sqrt(2)
        return style

    def images_of(self, styles: Tensor, noise: Tensor) -> Tensor:
        """Images of styles, one for all layers or one for each.

        Args:
            styles: (N, styles), or (N, layers, styles).
            noise: (N, latent - codes).
        """
        each = styles[:, None].expand(-1, len(self.layers), -1) if styles.ndim == 2 else styles
        grains = noise.split(self.noises, 1)
        features, done = self.start.expand(len(noise), -1, -1, -1), 0
        made = noise.new_zeros(len(noise), self.layout.bands, FIRST, FIRST)
        for level, (side, image) in enumerate(zip(self.layout.sides, self.images, strict=True)):
            if level:
                made = functional.interpolate(made, scale_factor=2.0, mode="bilinear")
            share = float((self.grown - level + 1).clamp(0, 1))
            if share == 0:
                continue
            for _ in range(1 if level == 0 else 2):
                features = self.layers[done](features, each[:, done], grains[done].reshape(-1, 1, side, side))
                done += 1
            made = made + share * image(features, each[:, done - 1])
        result: Tensor = made + self.offset
        return result

    def forward(self, noise: Tensor, classes: Tensor | None = None) -> Tensor:
        """(N, latent) and (N,) classes -> (N, bands, side, side)."""
        code, grain = noise.split([self.codes, self.latent - self.codes], 1)
        styles = self.styles(code, classes)
        if self.training and self.config.mixing:
            styles = self._mixed(styles)
        return self.images_of(styles, grain)

    def _mixed(self, styles: Tensor) -> Tensor:
        """(N, layers, styles): the style of another image of the batch from a random layer on, for a share of them."""
        count, layers = len(styles), len(self.layers)
        first = torch.randint(1, layers, (count, 1))
        first = torch.where(torch.rand(count, 1) < self.config.mixing, first, layers).to(styles.device)
        own = torch.arange(layers, device=styles.device)[None] < first
        mixed: Tensor = torch.where(own[..., None], styles[:, None], styles.roll(1, 0)[:, None])
        return mixed
