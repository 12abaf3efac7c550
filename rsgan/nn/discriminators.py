"""Conditional dense discriminators: one logit per patch, with known stride and receptive field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, cat, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from rsgan.nn.generators.despeckle import CONDITIONS, SpeckleState
from rsgan.sensors.optical import upsample


class PatchLayersConfig(BaseModel):
    """Architecture of `patch_layers`.

    Attributes:
        channels: width of the first layer; doubles twice.
        strided: number of stride-2 layers; a logit has stride 2**strided pixels of the candidate.
        spectral_norm: whether every layer's slope is held at 1.
        minibatch_deviation: whether it sees how much the images of a batch differ; a batch of one differs by 0.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    channels: int = Field(default=32, ge=4)
    strided: int = Field(default=2, ge=1, le=4)
    spectral_norm: bool = True
    minibatch_deviation: bool = False


class PatchDiscriminatorConfig(PatchLayersConfig):
    """Architecture of `PatchDiscriminator`.

    Attributes:
        bands: spectral bands of the candidate and of the condition.
        scale: output pixels per input pixel (the condition is upsampled by it).
    """

    kind: Literal["patch"] = "patch"
    bands: int = Field(ge=1)
    scale: int = Field(ge=1)


class MinibatchDeviation(nn.Module):
    """Appends one channel: the standard deviation over the batch, averaged over channels and pixels.

    A generator whose images are all alike is told by it, whatever each of them looks like.

    Source: Karras et al. 2018, arXiv:1710.10196, section 3.
    """

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C + 1, H, W)."""
        deviation = (features - features.mean(0)).square().mean(0).add(1e-8).sqrt().mean()
        return cat([features, deviation.expand(len(features), 1, *features.shape[2:])], 1)


def patch_layers(inputs: int, config: PatchLayersConfig) -> nn.Sequential:
    """Convolutions of a PatchGAN: `inputs` channels in, one logit per patch out.

    Source: Isola et al. 2017, arXiv:1611.07004 (patch logits); Miyato et al. 2018, arXiv:1802.05957 (spectral norm).
    """
    bounded: Callable[[nn.Module], nn.Module] = spectral_norm if config.spectral_norm else (lambda layer: layer)
    layers: list[nn.Module] = []
    width = config.channels
    for _ in range(config.strided):
        layers += [bounded(nn.Conv2d(inputs, width, 4, stride=2, padding=1)), nn.LeakyReLU(0.2)]
        inputs, width = width, min(2 * width, 4 * config.channels)
    layers += [bounded(nn.Conv2d(inputs, width, 3, padding=1)), nn.LeakyReLU(0.2)]
    if config.minibatch_deviation:
        layers.append(MinibatchDeviation())
    layers += [bounded(nn.Conv2d(width + config.minibatch_deviation, 1, 3, padding=1))]
    return nn.Sequential(*layers)


def patch_side(strided: int) -> int:
    """Side of the patch that one logit of `patch_layers` sees, in pixels of its input."""
    side, jump = 1, 1
    for _ in range(strided):
        side, jump = side + 3 * jump, jump * 2
    return side + 4 * jump


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
        return patch_side(self.config.strided)

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
        return patch_side(self.config.strided)

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


Discriminator = PatchDiscriminator | SpeckleDiscriminator
"""Any discriminator."""
DiscriminatorConfig = Annotated[PatchDiscriminatorConfig | SpeckleDiscriminatorConfig, Field(discriminator="kind")]
"""Any discriminator's config; pydantic tells them apart by `kind`."""

KINDS: Final[dict[str, type[Discriminator]]] = {"patch": PatchDiscriminator, "speckle": SpeckleDiscriminator}
"""Kind -> class."""


def build_discriminator(config: DiscriminatorConfig) -> Discriminator:
    """An untrained discriminator, its weights drawn from torch's global random state."""
    return KINDS[config.kind](config)  # type: ignore[arg-type]
