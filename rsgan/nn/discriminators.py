"""Conditional dense discriminators: one logit per patch, with known stride and receptive field."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, cat, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from rsgan.sensors.optical import upsample


class PatchDiscriminatorConfig(BaseModel):
    """Architecture of `PatchDiscriminator`.

    Attributes:
        bands: spectral bands of the candidate and of the condition.
        scale: output pixels per input pixel (the condition is upsampled by it).
        channels: width of the first layer; doubles twice.
        strided: number of stride-2 layers; a logit has stride 2**strided output pixels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["patch"] = "patch"
    bands: int = Field(ge=1)
    scale: int = Field(ge=1)
    channels: int = Field(default=32, ge=4)
    strided: int = Field(default=2, ge=1, le=4)


class PatchDiscriminator(nn.Module):
    """PatchGAN with spectral normalisation on [detail of the candidate, condition].

    The candidate's detail is its difference from the upsampled condition: the part that was invented.

    Source: Isola et al. 2017, arXiv:1611.07004 (patch logits); Miyato et al. 2018, arXiv:1802.05957 (spectral norm).
    """

    def __init__(self, config: PatchDiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = []
        inputs, width = 2 * config.bands, config.channels
        for _ in range(config.strided):
            layers += [spectral_norm(nn.Conv2d(inputs, width, 4, stride=2, padding=1)), nn.LeakyReLU(0.2)]
            inputs, width = width, min(2 * width, 4 * config.channels)
        layers += [spectral_norm(nn.Conv2d(inputs, width, 3, padding=1)), nn.LeakyReLU(0.2)]
        layers += [spectral_norm(nn.Conv2d(width, 1, 3, padding=1))]
        self.layers = nn.Sequential(*layers)

    @property
    def stride(self) -> int:
        """Output pixels from one logit to the next."""
        return int(2**self.config.strided)

    @property
    def receptive_field(self) -> int:
        """Side of the patch that one logit sees, in output pixels."""
        side, jump = 1, 1
        for _ in range(self.config.strided):
            side, jump = side + 3 * jump, jump * 2
        return side + 4 * jump

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


Discriminator = PatchDiscriminator
"""Any discriminator: a union where there are several."""
DiscriminatorConfig = PatchDiscriminatorConfig
"""Any discriminator's config: where there are several, a union that pydantic tells apart by `kind`."""

KINDS: Final[dict[str, type[Discriminator]]] = {"patch": PatchDiscriminator}
"""Kind -> class."""


def build_discriminator(config: DiscriminatorConfig) -> Discriminator:
    """An untrained discriminator, its weights drawn from torch's global random state."""
    return KINDS[config.kind](config)
