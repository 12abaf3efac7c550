"""Discriminators of whole images, with or without a class or a map of classes: one logit per image."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from rsgan.nn.generators.synthesis.layout import FIRST, ImageFields, NetworkFields
from rsgan.nn.layers import MinibatchDeviation, SelfAttention


class ImageDiscriminatorConfig(ImageFields):
    """Architecture of `ImageDiscriminator`.

    Attributes:
        channels: width at full size; doubles at every halving.
        most: largest width.
        spectral_norm: whether every layer's slope is held at 1.
        minibatch_deviation: whether it sees how much the images of a batch differ.
        attention: side of the features at which every place sees all others, pixels; 0 for nowhere.
        auxiliary: whether it tells the class of an image in place of being told, as AC-GAN has it.
        growing: whether it begins with small images, as its generator does.
    """

    kind: Literal["image"] = "image"
    channels: int = Field(default=16, ge=1, le=4096)
    most: int = Field(default=128, ge=1, le=4096)
    spectral_norm: bool = False
    minibatch_deviation: bool = True
    attention: int = Field(default=0, ge=0, le=64)
    auxiliary: bool = False
    growing: bool = False

    @model_validator(mode="after")
    def _fits(self) -> ImageDiscriminatorConfig:
        if self.auxiliary and self.given != "class":
            raise ValueError("auxiliary tells the class of an image; set given to class")
        return self

    @property
    def normalisation(self) -> Literal["none"]:
        """Of the features: none, so that an image's logit depends on the others by the deviation alone."""
        return "none"


class DownBlock(nn.Module):
    """Two convolutions, halved in size, beside a way around them.

    Source: Karras et al. 2020, arXiv:1912.04958, figure 7 (residual discriminator).
    """

    def __init__(self, before: int, after: int, *, bounded: bool) -> None:
        super().__init__()
        bound = spectral_norm if bounded else nn.Identity()
        self.first = bound(nn.Conv2d(before, before, 3, padding=1))
        self.second = bound(nn.Conv2d(before, after, 3, padding=1))
        self.around = bound(nn.Conv2d(before, after, 1, bias=False))
        self.active = nn.LeakyReLU(0.2)

    def forward(self, features: Tensor) -> Tensor:
        """(N, before, H, W) -> (N, after, H / 2, W / 2)."""
        made = functional.avg_pool2d(self.active(self.second(self.active(self.first(features)))), 2)
        result: Tensor = (made + self.around(functional.avg_pool2d(features, 2))) / math.sqrt(2)
        return result


class Seen(nn.Module):
    """Bands to features, at full size; for judges that grow, at every size, the small ones first.

    Attributes:
        grown: levels that are there already; the fraction is the share of the one that fades in.

    Source: Karras et al. 2018, arXiv:1710.10196, figure 2.
    """

    grown: Tensor

    def __init__(self, inputs: int, widths: list[int], blocks: nn.ModuleList, *, growing: bool) -> None:
        super().__init__()
        self.blocks = blocks
        self.inputs = nn.ModuleList(nn.Conv2d(inputs, width, 1) for width in (widths if growing else widths[-1:]))
        self.active = nn.LeakyReLU(0.2)
        self.register_buffer("grown", torch.tensor(0.0 if growing else float(len(widths) - 1)))

    def forward(self, image: Tensor) -> Tensor:
        """(N, inputs, side, side) -> (N, C, 4, 4)."""
        top = math.ceil(float(self.grown))
        features = self._entered(image, top)
        for level in range(top, 0, -1):
            features = self.blocks[level - 1](features)
            fading = float(self.grown) - top + 1
            if level == top and fading < 1:
                features = torch.lerp(self._entered(image, top - 1), features, fading)
        return features

    def _entered(self, image: Tensor, level: int) -> Tensor:
        """Features of a level, from the image at its size."""
        layer = self.inputs[level] if len(self.inputs) > 1 else self.inputs[0]
        entered: Tensor = self.active(layer(functional.avg_pool2d(image, 2 ** (len(self.blocks) - level))))
        return entered


class ImageDiscriminator(nn.Module):
    """Residual blocks down to 4 x 4, then one logit; the class is compared with the features.

    Source: Karras et al. 2020, arXiv:1912.04958 (residual, minibatch deviation); Miyato and Koyama 2018,
    arXiv:1802.05637 (projection of the class); Odena et al. 2017, arXiv:1610.09585 (auxiliary classifier).
    """

    def __init__(self, config: ImageDiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        self.layout = config.layout
        bound = spectral_norm if config.spectral_norm else nn.Identity()
        widths = self.layout.widths(NetworkFields(channels=config.channels, most=config.most))
        inputs = config.bands + (config.classes if config.given == "map" else 0)
        blocks = nn.ModuleList(DownBlock(b, a, bounded=config.spectral_norm) for a, b in pairwise(widths))
        if config.attention in self.layout.sides[:-1]:
            place = self.layout.sides.index(config.attention)
            blocks[place] = nn.Sequential(blocks[place], SelfAttention(widths[place]))
        width, extra = widths[0], int(config.minibatch_deviation)
        deviation = [MinibatchDeviation()] if extra else []
        self.layers = nn.Sequential(
            Seen(inputs, widths, blocks, growing=config.growing),
            *deviation,
            bound(nn.Conv2d(width + extra, width, 3, padding=1)),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            bound(nn.Linear(width * FIRST**2, width)),
            nn.LeakyReLU(0.2),
        )
        self.last = bound(nn.Linear(width, 1))
        projected = config.given == "class" and not config.auxiliary
        self.embedding = bound(nn.Embedding(config.classes, width)) if projected else None
        self.classifier = nn.Linear(width, config.classes) if config.auxiliary else None
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear) and not config.spectral_norm:
                nn.init.kaiming_normal_(module.weight, a=0.2)

    @property
    def stride(self) -> int:
        """Images are judged whole."""
        return self.config.side

    @property
    def receptive_field(self) -> int:
        """Images are judged whole."""
        return self.config.side

    def forward(self, image: Tensor, classes: Tensor | None = None) -> Tensor:
        """Logits, positive = looks like a reference of that class, or with that map.

        Args:
            image: (N, bands, side, side) network units.
            classes: (N,) or (N, side, side) int64, see `SynthesisGenerator.forward`.

        Returns:
            (N, 1).
        """
        return self.judged(self.features(image, classes), classes)

    def features(self, image: Tensor, classes: Tensor | None = None) -> Tensor:
        """(N, F) that the logit, and the class where it is told, are read from."""
        if self.config.given == "map" and classes is not None:
            image = torch.cat([image, self.layout.planes(classes, self.config.side).to(image)], 1)
        found: Tensor = self.layers(image)
        return found

    def judged(self, features: Tensor, classes: Tensor | None) -> Tensor:
        """(N, 1) logits of features."""
        logits: Tensor = self.last(features)
        if self.embedding is not None and classes is not None:
            logits = logits + (self.embedding(classes) * features).sum(1, keepdim=True) / math.sqrt(features.shape[1])
        return logits
