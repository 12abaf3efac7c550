"""DCGAN: transposed convolutions with batch normalisation, by its guidelines."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from rsgan.nn.generators.synthesis.layout import FIRST, Embedding, Layout, NetworkFields
from rsgan.nn.ranks import BatchNorm


class ConvolutionalConfig(NetworkFields):
    """Architecture of `ConvolutionalNetwork`."""

    kind: Literal["convolutional"] = "convolutional"


class ConvolutionalNetwork(nn.Module):
    """A code becomes 4 x 4 features, which transposed convolutions double; ReLU, and weights of standard deviation .02.

    Source: Radford et al. 2016, arXiv:1511.06434, section 3; the class is part of the code.
    """

    def __init__(self, config: ConvolutionalConfig, layout: Layout) -> None:
        super().__init__()
        self.codes = self.latent = config.latent
        widths = layout.widths(config)
        self.embedding = Embedding(layout, config.latent)
        self.head = nn.ConvTranspose2d(config.latent + self.embedding.width, widths[0], FIRST, bias=False)
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [BatchNorm(before), nn.ReLU(), nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False)]
        last = nn.Conv2d(widths[-1], layout.bands, 3, padding=1)
        self.layers = nn.Sequential(*layers, BatchNorm(widths[-1]), nn.ReLU(), last)
        for module in self.modules():
            if isinstance(module, nn.ConvTranspose2d | nn.Conv2d):
                nn.init.normal_(module.weight, std=0.02)

    def forward(self, noise: Tensor, classes: Tensor | None = None) -> Tensor:
        """(N, latent) and (N,) classes -> (N, bands, side, side)."""
        code = self.embedding(noise, classes)
        made: Tensor = self.layers(self.head(code[..., None, None]))
        return made
