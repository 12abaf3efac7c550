"""Residual blocks: plain, conditional as in BigGAN, or led by a map of classes as in SPADE."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from rsgan.nn.generators.synthesis.layout import FIRST, Embedding, Layout, NetworkFields
from rsgan.nn.layers import SelfAttention
from rsgan.nn.ranks import BatchNorm


class ResidualConfig(NetworkFields):
    """Architecture of `ResidualNetwork`.

    Attributes:
        embedding: numbers that stand for a class, one table for all layers.
        hierarchical: whether each block gets a piece of the code of its own, which scales its features.
        attention: side of the features at which every place sees all others, pixels; 0 for nowhere.
    """

    kind: Literal["residual"] = "residual"
    embedding: int = Field(default=32, ge=1, le=4096)
    hierarchical: bool = True
    attention: int = Field(default=0, ge=0, le=64)


class GivenNorm(nn.Module):
    """Batch normalisation whose gain and offset are told: by a code, or pixel by pixel by a map of classes.

    Source: de Vries et al. 2017, arXiv:1707.00683 (by a code); Park et al. 2019, arXiv:1903.07291 (by a map).
    """

    def __init__(self, channels: int, told: int, planes: int) -> None:
        super().__init__()
        self.norm = BatchNorm(channels, affine=not told and not planes)
        self.tell: nn.Module | None = None
        if planes:
            self.tell = nn.Sequential(
                nn.Conv2d(planes, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 2 * channels, 3, padding=1)
            )
        elif told:
            self.tell = nn.Linear(told, 2 * channels, bias=False)

    def forward(self, features: Tensor, told: Tensor) -> Tensor:
        """(N, C, H, W) features, and (N, L) code or (N, K, H, W) planes."""
        normalised: Tensor = self.norm(features)
        if self.tell is None:
            return normalised
        gain, offset = self.tell(told).chunk(2, 1)
        if gain.ndim == 2:
            gain, offset = gain[..., None, None], offset[..., None, None]
        scaled: Tensor = normalised * (1 + gain) + offset
        return scaled


class UpBlock(nn.Module):
    """Doubled in size, two convolutions, beside a way around them.

    Source: Brock et al. 2019, arXiv:1809.11096, figure 15.
    """

    def __init__(self, before: int, after: int, told: int, planes: int) -> None:
        super().__init__()
        self.first, self.second = GivenNorm(before, told, planes), GivenNorm(after, told, planes)
        self.widen, self.refine = nn.Conv2d(before, after, 3, padding=1), nn.Conv2d(after, after, 3, padding=1)
        self.around = nn.Conv2d(before, after, 1)

    def forward(self, features: Tensor, small: Tensor, large: Tensor) -> Tensor:
        """Features, and what is told at their size and at twice their size (the same code for both, or planes)."""
        doubled = functional.interpolate(functional.relu(self.first(features, small)), scale_factor=2.0)
        made = self.refine(functional.relu(self.second(self.widen(doubled), large)))
        result: Tensor = made + functional.interpolate(self.around(features), scale_factor=2.0)
        return result


class ResidualNetwork(nn.Module):
    """Blocks from 4 x 4 to full size.

    Source: Brock et al. 2019, arXiv:1809.11096, appendix B (shared embedding, hierarchical code); Park et al. 2019,
    arXiv:1903.07291, where a map of classes is given.
    """

    def __init__(self, config: ResidualConfig, layout: Layout) -> None:
        super().__init__()
        self.layout, sides, widths = layout, layout.sides, layout.widths(config)
        planes = layout.classes if layout.given == "map" else 0
        self.pieces = len(sides) if config.hierarchical and not planes else 1
        self.piece = -(-config.latent // self.pieces)
        self.codes = self.latent = self.piece * self.pieces
        self.embedding = Embedding(layout, config.embedding)
        told = self.embedding.width + (self.piece if self.pieces > 1 else 0)
        self.head = nn.Linear(self.piece, widths[0] * FIRST**2)
        self.blocks = nn.ModuleList(UpBlock(a, b, told, planes) for a, b in pairwise(widths))
        sized = dict(zip(map(str, sides), widths, strict=True))
        seen = str(config.attention)
        self.attention = nn.ModuleDict({seen: SelfAttention(sized[seen])} if seen in sized else {})
        self.last = nn.Sequential(BatchNorm(widths[-1]), nn.ReLU(), nn.Conv2d(widths[-1], layout.bands, 3, padding=1))
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.orthogonal_(module.weight)

    def forward(self, noise: Tensor, classes: Tensor | None = None) -> Tensor:
        """(N, latent) and (N,) or (N, side, side) classes -> (N, bands, side, side)."""
        first, *others = noise.split(self.piece, 1)
        features = self.head(first).unflatten(1, (-1, FIRST, FIRST))
        for number, block in enumerate(self.blocks):
            side = features.shape[2]
            if self.layout.given == "map" and classes is not None:
                features = block(features, *(self.layout.planes(classes, s).to(noise) for s in (side, 2 * side)))
            else:
                told = self.embedding(others[number] if others else noise[:, :0], classes)
                features = block(features, told, told)
            if str(2 * side) in self.attention:
                features = self.attention[str(2 * side)](features)
        made: Tensor = self.last(features)
        return made


def orthogonal_penalty(network: nn.Module) -> Tensor:
    """Mean over layers of the squared products of different filters of a layer: filters that are alike cost.

    Source: Brock et al. 2019, arXiv:1809.11096, equation 3; makes truncated codes safe.
    """
    terms = []
    for name, weight in network.named_parameters():
        if name.endswith("weight") and not name.endswith("table.weight") and weight.ndim > 1:
            filters = weight.flatten(1)
            products = filters @ filters.T
            terms.append(products.square().sum() - products.diagonal().square().sum())
    return torch.stack(terms).mean()
