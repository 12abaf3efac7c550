"""A generator of images: one network or a mixture of some, and values that stay within bounds."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from rsgan.nn.generators.synthesis.convolutional import ConvolutionalConfig, ConvolutionalNetwork
from rsgan.nn.generators.synthesis.layout import ImageFields
from rsgan.nn.generators.synthesis.residual import ResidualConfig, ResidualNetwork
from rsgan.nn.generators.synthesis.style import StyleConfig, StyleNetwork
from rsgan.nn.precision import full

NetworkConfig = Annotated[ConvolutionalConfig | ResidualConfig | StyleConfig, Field(discriminator="kind")]
"""Any network's config; pydantic tells them apart by `kind`."""
Network = ConvolutionalNetwork | ResidualNetwork | StyleNetwork
NETWORKS: Final[dict[str, type[Network]]] = {
    "convolutional": ConvolutionalNetwork,
    "residual": ResidualNetwork,
    "style": StyleNetwork,
}
"""Kind -> class."""
SHARP = 8.0
"""How sharply values turn off at their bounds: within about 1 / SHARP network units of them."""


class SynthesisConfig(ImageFields):
    """Architecture of `SynthesisGenerator`.

    Attributes:
        low: least value of each band, network units.
        high: greatest value of each band.
        network: of each expert.
        experts: networks, each of which makes an equal share of the images; above 1 for data in pieces that no path
            connects, as a single continuous network cannot leave the ground between them empty.
    """

    kind: Literal["synthesis"] = "synthesis"
    low: tuple[float, ...]
    high: tuple[float, ...]
    network: NetworkConfig
    experts: int = Field(default=1, ge=1, le=64)

    @model_validator(mode="after")
    def _fits(self) -> SynthesisConfig:
        if not len(self.low) == len(self.high) == self.bands:
            raise ValueError(f"has {self.bands} bands, {len(self.low)} values low and {len(self.high)} high")
        if any(low >= high for low, high in zip(self.low, self.high, strict=True)):
            raise ValueError("low has to be below high in every band")
        if self.given == "map" and not isinstance(self.network, ResidualConfig):
            raise ValueError("given map needs a network of kind residual, whose layers see the map")
        return self


class SynthesisGenerator(nn.Module):
    """Images of random numbers, within bounds.

    Attributes:
        config: architecture.
        latent: random numbers that make one image.
        codes: how many of them say what is shown; the others, if any, are grain.

    Source of the mixture: Hoang et al. 2018, arXiv:1708.02556, without its classifier.
    """

    low: Tensor
    high: Tensor

    def __init__(self, config: SynthesisConfig) -> None:
        super().__init__()
        self.config = config
        build = NETWORKS[config.network.kind]
        self.experts = nn.ModuleList(build(config.network, config.layout) for _ in range(config.experts))  # type: ignore[arg-type]
        choice = int(config.experts > 1)
        self.latent, self.codes = (getattr(self.experts[0], name) + choice for name in ("latent", "codes"))
        for name in ("low", "high"):
            self.register_buffer(name, torch.tensor(getattr(config, name))[:, None, None], persistent=False)

    @property
    def stride(self) -> int:
        """Images are made whole."""
        return self.config.side

    @property
    def receptive_field(self) -> int:
        """Images are made whole."""
        return self.config.side

    @property
    def style(self) -> StyleNetwork | None:
        """The network, where there is one alone and it is style-based."""
        (first, *others) = self.experts
        return first if isinstance(first, StyleNetwork) and not others else None

    def forward(self, noise: Tensor, classes: Tensor | None = None) -> Tensor:
        """Make images.

        Args:
            noise: (N, latent) standard normal numbers.
            classes: (N,) class of each image, or (N, side, side) of its pixels, -1 for none, as `given` says; int64.

        Returns:
            (N, bands, side, side) network units, float32, low <= values <= high.
        """
        if len(self.experts) == 1:
            return self.within(self.experts[0](noise, classes))
        share = torch.special.ndtr(noise[:, 0].double())
        chosen = (share * len(self.experts)).long().clamp(max=len(self.experts) - 1)
        places = [(chosen == number).nonzero()[:, 0] for number in range(len(self.experts))]
        made = [
            expert(noise[place, 1:], None if classes is None else classes[place])
            for expert, place in zip(self.experts, places, strict=True)
            if len(place)
        ]
        return self.within(torch.cat(made)[torch.cat(places).argsort()])

    def within(self, images: Tensor) -> Tensor:
        """(N, bands, H, W) of any value -> the same, turned off smoothly at the bounds."""
        values = full(images)
        below = self.high - functional.softplus(self.high - values, beta=SHARP)
        above = self.low + functional.softplus(below - self.low, beta=SHARP)
        return torch.minimum(above, self.high)
