"""Conditional dense discriminators: one logit per patch, with known stride and receptive field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, cat, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from rsgan.errors import ConfigError
from rsgan.nn.generators.despeckle import CONDITIONS, SpeckleState
from rsgan.nn.images import ImageDiscriminator, ImageDiscriminatorConfig
from rsgan.nn.layers import MinibatchDeviation, MinibatchDiscrimination, SelfAttention
from rsgan.nn.ranks import BatchNorm
from rsgan.sensors.optical import upsample


class PatchLayersConfig(BaseModel):
    """Architecture of `patch_layers`.

    Attributes:
        channels: width of the first layer; doubles twice.
        strided: number of stride-2 layers; a logit has stride 2**strided pixels of the candidate.
        spectral_norm: whether every layer's slope is held at 1.
        normalisation: of the features between first and last layer; `batch` makes the logits of an image depend on the
            others of its batch, so penalties on gradients are refused beside it.
        last_kernel: side of the kernels of the last two layers; 4 with three strided layers is the 70 x 70 PatchGAN.
        minibatch_deviation: whether it sees how much the images of a batch differ; a batch of one differs by 0.
        minibatch_kernels: learned features by which it compares the images of a batch; 0 compares none.
        attention: whether every place sees all others before the last layer; then no logit has a receptive field.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    channels: int = Field(default=32, ge=4, le=4096)
    strided: int = Field(default=2, ge=1, le=4)
    spectral_norm: bool = True
    normalisation: Literal["none", "batch", "instance"] = "none"
    last_kernel: Literal[3, 4] = 3
    minibatch_deviation: bool = False
    minibatch_kernels: int = Field(default=0, ge=0, le=4096)
    attention: bool = False


class PatchDiscriminatorConfig(PatchLayersConfig):
    """Architecture of `PatchDiscriminator`.

    Attributes:
        bands: spectral bands of the candidate and of the condition.
        scale: output pixels per input pixel (the condition is upsampled by it).
    """

    kind: Literal["patch"] = "patch"
    bands: int = Field(ge=1, le=1024)
    scale: int = Field(ge=1, le=16)


NORMS: Final[dict[str, Callable[[int], nn.Module]]] = {
    "batch": BatchNorm,
    "instance": lambda width: nn.InstanceNorm2d(width, affine=True),
}
"""Normalisation -> layer for a width."""


def patch_layers(inputs: int, config: PatchLayersConfig) -> nn.Sequential:
    """Convolutions of a PatchGAN: `inputs` channels in, one logit per patch out.

    Source: Isola et al. 2017, arXiv:1611.07004 (patch logits); Miyato et al. 2018, arXiv:1802.05957 (spectral norm).
    """
    bounded: Callable[[nn.Module], nn.Module] = spectral_norm if config.spectral_norm else (lambda layer: layer)
    layers: list[nn.Module] = []
    width, last = config.channels, config.last_kernel

    def convolution(out: int, kernel: int, stride: int, *, normed: bool) -> None:
        layers.append(bounded(nn.Conv2d(inputs, out, kernel, stride=stride, padding=1)))
        if normed and config.normalisation != "none":
            layers.append(NORMS[config.normalisation](out))
        layers.append(nn.LeakyReLU(0.2))

    for number in range(config.strided):
        convolution(width, 4, 2, normed=number > 0)
        inputs, width = width, min(2 * width, (8 if last == 4 else 4) * config.channels)
    convolution(width, last, 1, normed=True)
    inputs = width
    if config.attention:
        layers.append(SelfAttention(inputs))
    if config.minibatch_kernels:
        layers.append(MinibatchDiscrimination(inputs, config.minibatch_kernels))
        inputs += config.minibatch_kernels
    if config.minibatch_deviation:
        layers.append(MinibatchDeviation())
        inputs += 1
    return nn.Sequential(*layers, bounded(nn.Conv2d(inputs, 1, last, padding=1)))


def patch_side(config: PatchLayersConfig) -> int:
    """Side of the patch that one logit of `patch_layers` sees, in pixels of its input."""
    side, jump = 1, 1
    for _ in range(config.strided):
        side, jump = side + 3 * jump, jump * 2
    return side + 2 * (config.last_kernel - 1) * jump


@dataclass(frozen=True)
class PatchGeometry:
    """Where the patches of logits lie, in pixels of the candidate from its first edge.

    Attributes:
        stride: from one patch to the next.
        side: of a patch.
        start: first edge of the first patch; below 0 where it reaches into the padding.
    """

    stride: int
    side: int
    start: int

    @property
    def shift(self) -> int:
        """From the first edge of the image to that of the first logit's cell, which has the side of a stride."""
        return self.start + (self.side - self.stride) // 2


def patch_geometry(config: PatchLayersConfig) -> PatchGeometry:
    """Of `patch_layers`, whose layers all pad by one.

    Raises:
        ConfigError: every logit sees the whole image, or the rest of its batch.
    """
    seen = [
        name
        for name, there in (
            ("attention", config.attention),
            ("minibatch_deviation", config.minibatch_deviation),
            ("minibatch_kernels", config.minibatch_kernels > 0),
            ("normalisation: " + config.normalisation, config.normalisation != "none"),
        )
        if there
    ]
    if seen:
        raise ConfigError(
            f"the discriminator has {', '.join(seen)}, so each of its logits depends on more than a patch and has no "
            "place on the ground. Give --refit, which trains one without, or train such a one."
        )
    stride = 2**config.strided
    first = (stride - 1) + (2 * stride)  # padding of the strided layers, then of the last two
    return PatchGeometry(stride, patch_side(config), -first)


class PatchDiscriminator(nn.Module):
    """PatchGAN with spectral normalisation on [detail of the candidate, condition].

    The candidate's detail is its difference from the upsampled condition: the part that was invented.
    """

    def __init__(self, config: PatchDiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        self.layers = patch_layers(2 * config.bands, config)

    @property
    def stride(self) -> int:
        """Output pixels from one logit to the next."""
        return int(2**self.config.strided)

    @property
    def receptive_field(self) -> int:
        """Side of the patch that one logit sees, in output pixels."""
        return patch_side(self.config)

    def forward(self, candidate: Tensor, observed: Tensor) -> Tensor:
        """Logits, positive = looks like a reference.

        Args:
            candidate: (N, C, scale h, scale w) network units.
            observed: (N, C, h, w) network units.

        Returns:
            (N, 1, scale h / stride, scale w / stride).
        """
        condition = upsample(observed, self.config.scale)
        logits: Tensor = self.layers(cat([candidate - condition, functional.leaky_relu(condition, 0.2)], 1))
        return logits


class SpeckleDiscriminatorConfig(PatchLayersConfig):
    """Architecture of `SpeckleDiscriminator`, whose two networks are alike."""

    kind: Literal["speckle"] = "speckle"

    @property
    def bands(self) -> int:
        """Channels of the candidate and of the condition: polarisations are judged one by one."""
        return 1

    @property
    def scale(self) -> int:
        """Output pixels per input pixel."""
        return 1


class SpeckleDiscriminator(nn.Module):
    """Two PatchGANs: one on the image, given the observation, and one on the ratio image, given the speckle's law.

    The first tells despeckled ground from ground; the second tells observed / despeckled from fresh speckle, so that
    whatever structure the generator takes out of the image shows in its logits.

    Source: see `patch_layers`; the ratio image as what is judged after Gomez et al. 2017, arXiv:1704.05952.
    """

    def __init__(self, config: SpeckleDiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        self.image = patch_layers(2 + CONDITIONS, config)
        self.ratio = patch_layers(1 + CONDITIONS, config)

    @property
    def stride(self) -> int:
        """Pixels from one logit to the next."""
        return int(2**self.config.strided)

    @property
    def receptive_field(self) -> int:
        """Side of the patch that one logit sees, in pixels."""
        return patch_side(self.config)

    def forward(self, candidate: Tensor, observed: Tensor, speckle: SpeckleState) -> Tensor:
        """Logits of the image, positive = looks like ground without speckle.

        Args:
            candidate: (N, 1, H, W) log-intensity relative to the scene's median.
            observed: (N, 1, H, W) in the same units.
            speckle: of the batch.

        Returns:
            (N, 1, H / stride, W / stride).
        """
        logits: Tensor = self.image(cat([candidate, candidate - observed, _planes(speckle, observed)], 1))
        return logits

    def judge_ratio(self, log_ratio: Tensor, speckle: SpeckleState) -> Tensor:
        """Logits of the ratio image, positive = looks like fresh speckle.

        Args:
            log_ratio: (N, 1, H, W) ln(observed / candidate).
            speckle: of the batch.

        Returns:
            (N, 1, H / stride, W / stride).
        """
        standardised = (log_ratio - speckle.log_bias) / speckle.log_deviation
        logits: Tensor = self.ratio(cat([standardised, _planes(speckle, log_ratio)], 1))
        return logits


def _planes(speckle: SpeckleState, like: Tensor) -> Tensor:
    """The speckle's conditions as constant channels of the size of another tensor."""
    return speckle.conditions.to(like)[..., None, None].expand(-1, -1, *like.shape[2:])


class TranslationDiscriminatorConfig(PatchLayersConfig):
    """Architecture of `TranslationDiscriminator`, whose networks are alike.

    Attributes:
        source_bands: bands of the source domain.
        target_bands: bands of the target domain.
        conditional: whether the target's judge sees the source image, too; only pairs allow that.
        both: whether the source domain has a judge as well, as cycles need.
    """

    kind: Literal["translation"] = "translation"
    source_bands: int = Field(ge=1, le=1024)
    target_bands: int = Field(ge=1, le=1024)
    conditional: bool = False
    both: bool = False


class TranslationDiscriminator(nn.Module):
    """A PatchGAN for the target domain, given the source image or not, and one for the source domain.

    Source: Isola et al. 2017, arXiv:1611.07004 (conditional); Zhu et al. 2017, arXiv:1703.10593 (one per domain).
    """

    def __init__(self, config: TranslationDiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        self.target = patch_layers(config.target_bands + config.source_bands * config.conditional, config)
        self.source = patch_layers(config.source_bands, config) if config.both else None

    @property
    def stride(self) -> int:
        """Pixels from one logit to the next."""
        return int(2**self.config.strided)

    @property
    def receptive_field(self) -> int:
        """Side of the patch that one logit sees, in pixels."""
        return patch_side(self.config)

    def forward(self, candidate: Tensor, source: Tensor | None = None) -> Tensor:
        """Logits of the target domain, positive = looks like one of its images.

        Args:
            candidate: (N, target_bands, H, W) network units of the target domain.
            source: (N, source_bands, H, W) what it was made from; given exactly where the judge is conditional.

        Returns:
            (N, 1, about H / stride, about W / stride).
        """
        seen = candidate if source is None else cat([candidate, source], 1)
        logits: Tensor = self.target(seen)
        return logits

    def judge_source(self, candidate: Tensor) -> Tensor:
        """Logits of the source domain, likewise.

        Raises:
            ConfigError: there is no judge for it.
        """
        if self.source is None:
            raise ConfigError("discriminator.both is false, so nothing judges the source domain; set it to true.")
        logits: Tensor = self.source(candidate)
        return logits


Discriminator = PatchDiscriminator | SpeckleDiscriminator | TranslationDiscriminator | ImageDiscriminator
"""Any discriminator."""
DiscriminatorConfig = Annotated[
    PatchDiscriminatorConfig | SpeckleDiscriminatorConfig | TranslationDiscriminatorConfig | ImageDiscriminatorConfig,
    Field(discriminator="kind"),
]
"""Any discriminator's config; pydantic tells them apart by `kind`."""

KINDS: Final[dict[str, type[Discriminator]]] = {
    "patch": PatchDiscriminator,
    "speckle": SpeckleDiscriminator,
    "translation": TranslationDiscriminator,
    "image": ImageDiscriminator,
}
"""Kind -> class."""


def build_discriminator(config: DiscriminatorConfig) -> Discriminator:
    """An untrained discriminator, its weights drawn from torch's global random state."""
    return KINDS[config.kind](config)  # type: ignore[arg-type]
