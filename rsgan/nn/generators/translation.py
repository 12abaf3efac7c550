"""Generators that translate one domain into another at the same pixels, in the network units of the two.

A domain's network units are (value - centre) / spread, with numbers that its description in the card states, so a
translator knows absolute levels; nothing is decided per scene.
"""

from __future__ import annotations

import math
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Final, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from rsgan.errors import ConfigError, RsganError
from rsgan.nn.generators.haze import HazeConfig, HazeGenerator
from rsgan.nn.generators.residual import ResidualBlock
from rsgan.nn.generators.same_pixels import OneWayFields, SamePixelsConfig, padded
from rsgan.nn.precision import full
from rsgan.nn.ranks import with_shared_statistics

PROBED = 1024
"""Side of the image on which the reach of a network that is not ours is measured."""


class TranslatorConfig(OneWayFields):
    """Architecture of `Translator`.

    Attributes:
        channels: width at full size; doubles at every halving.
        halvings: times that width and height are halved before the blocks.
        blocks: residual blocks at the smallest size.
    """

    kind: Literal["translator"] = "translator"
    channels: int = Field(default=32, ge=4, le=4096)
    halvings: int = Field(default=2, ge=0, le=4)
    blocks: int = Field(default=6, ge=1, le=1000)


class UnetConfig(OneWayFields):
    """Architecture of `Unet`.

    Attributes:
        encoder: name of an encoder of segmentation-models-pytorch, such as resnet18; its weights are drawn.
        depth: halvings.
        dropout: share of the features of the smallest size that are left out in training, the paper's noise.
    """

    kind: Literal["unet"] = "unet"
    encoder: str = Field(default="resnet18", pattern=r"^[A-Za-z0-9_.-]+$")  # no hub, no folder
    depth: int = Field(default=5, ge=3, le=5)
    dropout: float = Field(default=0.0, ge=0, lt=1)


class Translator(nn.Module):
    """Halved, residual blocks, doubled again; no normalisation, so no pixel depends on the whole scene.

    Where as many bands go out as come in, it learns the change; the last convolution starts at zero, so an untrained
    one changes nothing.

    Source: the generator of Zhu et al. 2017, arXiv:1703.10593, without its instance normalisation.
    """

    def __init__(self, config: TranslatorConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.channels * 2**size for size in range(config.halvings + 1)]
        self.head = nn.Conv2d(config.bands, widths[0], 3, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 4, 2, 1) for a, b in pairwise(widths))
        self.body = nn.ModuleList(ResidualBlock(widths[-1]) for _ in range(config.blocks))
        self.up = nn.ModuleList(nn.Conv2d(b, 4 * a, 1) for a, b in pairwise(widths))
        self.tail = nn.Conv2d(widths[0], config.target_bands, 3, padding=1)
        if config.bands == config.target_bands:
            nn.init.zeros_(self.tail.weight)
            nn.init.zeros_(self.tail.bias)  # type: ignore[arg-type]

    @property
    def stride(self) -> int:
        """Pixels of which windows must begin at a multiple."""
        return int(2**self.config.halvings)

    @property
    def receptive_field(self) -> int:
        """Pixels that an output pixel can depend on, to each side of its own; a multiple of the stride."""
        down = sum(2 * 2**size for size in range(self.config.halvings))
        reach = 2 + down + 2 * self.config.blocks * self.stride + self.stride
        return int(math.ceil(reach / self.stride) * self.stride)

    def features(self, observed: Tensor) -> list[Tensor]:
        """Of the way down: after the head, after each halving and after half of the blocks."""
        found = [functional.relu(self.head(observed))]
        for layer in self.down:
            found.append(functional.relu(layer(found[-1])))
        deep = found[-1]
        for block in self.body[: len(self.body) // 2]:
            deep = block(deep)
        return [*found, deep]

    def forward(self, observed: Tensor) -> Tensor:
        """(N, bands, H, W) -> (N, target_bands, H, W), network units, float32."""
        seen = padded(observed, self.stride)
        first, *_, deep = self.features(seen)
        for block in self.body[len(self.body) // 2 :]:
            deep = block(deep)
        for layer in reversed(self.up):
            deep = functional.relu(functional.pixel_shuffle(layer(deep), 2))
        made = full(self.tail(deep + first)[..., : observed.shape[2], : observed.shape[3]])
        return full(observed) + made if self.config.bands == self.config.target_bands else made


class Unet(nn.Module):
    """The U-Net of segmentation-models-pytorch with any of its encoders and any bands; weights are drawn.

    Source: Ronneberger et al. 2015, arXiv:1505.04597; as a generator Isola et al. 2017, arXiv:1611.07004.
    """

    def __init__(self, config: UnetConfig) -> None:
        super().__init__()
        try:
            import segmentation_models_pytorch as smp  # takes seconds, and only this network needs it
        except ImportError as error:
            raise RsganError(
                "a generator of kind unet needs segmentation-models-pytorch, which is not installed. Install the extra "
                "'train' of rsgan, or segmentation-models-pytorch itself."
            ) from error
        self.config = config
        widths = (256, 128, 64, 32, 16)[-config.depth :]
        self.net = with_shared_statistics(
            smp.Unet(
                config.encoder,
                encoder_depth=config.depth,
                encoder_weights=None,
                decoder_channels=widths,
                in_channels=config.bands,
                classes=config.target_bands,
            )
        )
        self.dropout = nn.Dropout2d(config.dropout)

    @property
    def stride(self) -> int:
        """Pixels of which windows must begin at a multiple."""
        return int(2**self.config.depth)

    @cached_property
    def receptive_field(self) -> int:
        """Pixels that an output pixel can depend on, to each side of its own: how far one NaN spreads.

        `PROBED` where it reaches that far: encoders that look at the whole image have no receptive field.
        """
        probe = torch.zeros(1, self.config.bands, PROBED, PROBED)
        probe[..., PROBED // 2, PROBED // 2] = torch.nan
        was, place = self.training, next(self.parameters()).device
        with torch.no_grad():
            hit = self.eval()(probe.to(place)).isnan().any(1)[0]
        self.train(was)
        rows = hit.any(1).nonzero().flatten()
        reach = max(PROBED // 2 - int(rows[0]), int(rows[-1]) - PROBED // 2)
        if reach >= PROBED // 2 - self.stride:
            return PROBED
        return (reach // self.stride + 2) * self.stride  # the spread depends on where in a stride the NaN lies

    def features(self, observed: Tensor) -> list[Tensor]:
        """Of the encoder, but for the image itself."""
        found: list[Tensor] = self.net.encoder(padded(observed, self.stride))[1:]
        return found

    def forward(self, observed: Tensor) -> Tensor:
        """(N, bands, H, W) -> (N, target_bands, H, W), network units, float32."""
        features = self.net.encoder(padded(observed, self.stride))
        features[-1] = self.dropout(features[-1])
        made: Tensor = self.net.segmentation_head(self.net.decoder(features))
        return full(made[..., : observed.shape[2], : observed.shape[3]])


OneWayConfig = Annotated[TranslatorConfig | UnetConfig | HazeConfig, Field(discriminator="kind")]
"""Config of one translation."""
OneWay = Translator | Unet | HazeGenerator
"""One translation."""
ONE_WAY: Final[dict[str, type[OneWay]]] = {"translator": Translator, "unet": Unet, "haze": HazeGenerator}
"""Kind -> class."""


class TranslationConfig(SamePixelsConfig):
    """Architecture of `TranslationGenerator`.

    Attributes:
        forth: from the source to the target domain.
        back: from the target to the source domain; None where only the first is learnt.
        projection: width of the heads that contrastive training compares features through; 0 without.
    """

    kind: Literal["translation"] = "translation"
    forth: OneWayConfig
    back: OneWayConfig | None = None
    projection: int = Field(default=0, ge=0, le=4096)

    @model_validator(mode="after")
    def _is_a_way_back(self) -> TranslationConfig:
        if self.back is not None:
            ways = (self.forth.bands, self.forth.target_bands), (self.back.target_bands, self.back.bands)
            if ways[0] != ways[1]:
                raise ValueError(f"forth takes bands {ways[0]}, back the other way round {ways[1]}; they must agree")
        if self.projection and self.forth.kind == "haze":
            raise ValueError("a forth of kind haze has no features to compare; set projection to 0")
        return self

    @property
    def bands(self) -> int:
        """Channels in."""
        return self.forth.bands


class TranslationGenerator(nn.Module):
    """The networks of one translation: forth, and back where that is learnt, too."""

    def __init__(self, config: TranslationConfig) -> None:
        super().__init__()
        self.config = config
        self.forth: OneWay = build_one_way(config.forth)
        self.back: OneWay | None = None if config.back is None else build_one_way(config.back)
        self.heads: nn.ModuleList | None = None
        if config.projection and not isinstance(self.forth, HazeGenerator):
            with torch.no_grad():
                found = self.forth.eval().features(torch.zeros(1, config.bands, 64, 64))
            self.forth.train()
            width = config.projection
            self.heads = nn.ModuleList(
                nn.Sequential(nn.Linear(layer.shape[1], width), nn.ReLU(), nn.Linear(width, width)) for layer in found
            )

    @property
    def receptive_field(self) -> int:
        """Pixels that an output pixel of either way can depend on, to each side of its own."""
        return max(way.receptive_field for way in (self.forth, self.back) if way is not None)

    def forward(self, observed: Tensor) -> Tensor:
        """(N, bands, H, W) source -> (N, target_bands, H, W) target, network units."""
        made: Tensor = self.forth(observed)
        return made

    def sizes(self, image: Tensor) -> list[int]:
        """Pixels of the features that are projected, size by size, for an image of this shape."""
        return [layer.shape[2] * layer.shape[3] for layer in self._features(image[:1])]

    def projected(self, image: Tensor, places: list[Tensor]) -> list[Tensor]:
        """Features of an image at some places of every size, through the heads, of length 1.

        Args:
            image: (N, bands, H, W).
            places: one (P,) tensor of flat pixel numbers per size, see `sizes`.

        Returns:
            One (N, P, projection) tensor per size.

        Raises:
            ConfigError: the generator has no projection.
        """
        found = self._features(image)
        if self.heads is None:
            raise ConfigError("losses.kind contrastive needs generator.projection, the width of its heads (256).")
        taken = [layer.flatten(2)[..., at].transpose(1, 2) for layer, at in zip(found, places, strict=True)]
        return [functional.normalize(head(x), dim=-1) for head, x in zip(self.heads, taken, strict=True)]

    def _features(self, image: Tensor) -> list[Tensor]:
        if isinstance(self.forth, HazeGenerator):
            raise ConfigError("a forth of kind haze has no features to compare.")
        return self.forth.features(image)


def build_one_way(config: OneWayConfig) -> OneWay:
    """An untrained translation."""
    return ONE_WAY[config.kind](config)  # type: ignore[arg-type]
