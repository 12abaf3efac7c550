"""Experimental: scenes with height, as three planes of features that are rendered from any angle.

A research module: it is trained on drawn terrain of known height only (`sensors.procedural.terrain`), it is in no
shipped model and no command, and nothing says yet that its heights mean anything on real rasters.

Source: Chan et al. 2022, arXiv:2112.07945 (tri-planes); Mildenhall et al. 2020, arXiv:2003.08934, equation 3 (volume
rendering). Parallel rays here, as satellites have them.
"""

from __future__ import annotations

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional


class TriplaneConfig(BaseModel):
    """Architecture of `TriplaneGenerator`.

    Attributes:
        bands: of the reflectance.
        side: of the planes and of a rendered image, pixels.
        latent: random numbers of a scene.
        channels: features of each plane.
        hidden: width of the decoder.
        samples: points along a ray.
        tallest: top of the volume, in sides of the scene.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bands: int = Field(default=4, ge=1, le=1024)
    side: int = Field(default=32, ge=8, le=256, multiple_of=8)
    latent: int = Field(default=64, ge=1, le=4096)
    channels: int = Field(default=16, ge=1, le=1024)
    hidden: int = Field(default=32, ge=1, le=4096)
    samples: int = Field(default=24, ge=2, le=1024)
    tallest: float = Field(default=0.25, gt=0)


class Planes(nn.Module):
    """A code becomes three planes of features, by convolutions that double their size three times."""

    def __init__(self, config: TriplaneConfig) -> None:
        super().__init__()
        self.first, width = config.side // 8, 4 * config.channels
        self.head = nn.Linear(config.latent, width * self.first**2)
        layers: list[nn.Module] = []
        for _ in range(3):
            layers += [
                nn.Upsample(scale_factor=2, mode="bilinear"), nn.Conv2d(width, width, 3, padding=1), nn.LeakyReLU(0.2)
            ]  # fmt: skip
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, 3 * config.channels, 3, padding=1))

    def forward(self, code: Tensor) -> Tensor:
        """(N, latent) -> (N, 3, channels, side, side): over (x, y), (x, height) and (y, height)."""
        planes: Tensor = self.layers(self.head(code).unflatten(1, (-1, self.first, self.first)))
        three: Tensor = planes.unflatten(1, (3, -1))
        return three


class TriplaneGenerator(nn.Module):
    """Scenes of random numbers; each can be seen from above or aslant, and its height be read."""

    def __init__(self, config: TriplaneConfig) -> None:
        super().__init__()
        self.config = config
        self.planes = Planes(config)
        self.decoder = nn.Sequential(
            nn.Linear(config.channels + 1, config.hidden), nn.Softplus(), nn.Linear(config.hidden, 1 + config.bands)
        )

    @property
    def latent(self) -> int:
        """Random numbers that make one scene."""
        return self.config.latent

    def forward(self, code: Tensor, slope: float = 0.0) -> tuple[Tensor, Tensor]:
        """Make scenes and look at them.

        Args:
            code: (N, latent).
            slope: see `sensors.procedural.terrain.seen_aslant`.

        Returns:
            Reflectance (N, bands, side, side), 0 .. 1, and height (N, 1, side, side) of what is seen, in sides.
        """
        return self.rendered(self.planes(code), slope)

    def rendered(self, planes: Tensor, slope: float) -> tuple[Tensor, Tensor]:
        """The same of planes (N, 3, channels, side, side)."""
        config, side = self.config, self.config.side
        steps = torch.linspace(1, 0, config.samples, device=planes.device)  # from the top
        at = (torch.arange(side, device=planes.device) + 0.5) / side
        up, y, x = torch.meshgrid(steps, at, at, indexing="ij")
        x = (x - slope * config.tallest * up) % 1  # the scene repeats itself beyond its edges
        places = [torch.stack(pair, -1) * 2 - 1 for pair in ((x, y), (x, up), (y, up))]
        shape = (config.samples, side * side)
        found = torch.zeros(len(planes), config.channels, *shape, device=planes.device)
        for number, place in enumerate(places):
            grid = place.reshape(1, *shape, 2).expand(len(planes), -1, -1, -1)
            found = found + functional.grid_sample(planes[:, number], grid, padding_mode="border", align_corners=False)
        level = steps.reshape(1, 1, -1, 1).expand(len(planes), 1, -1, side * side)
        told = self.decoder(torch.cat([found, level], 1).permute(0, 2, 3, 1))
        density = functional.softplus(told[..., 0] - 1) * 8
        density = torch.cat([density[:, :-1], torch.full_like(density[:, -1:], 1e3)], 1)  # the lowest is solid
        opaque = 1 - torch.exp(-density)
        through = torch.cumprod(torch.cat([torch.ones_like(opaque[:, :1]), 1 - opaque[:, :-1]], 1), 1)
        weights = opaque * through
        seen = (weights[..., None] * torch.sigmoid(told[..., 1:])).sum(1)
        height = (weights * (steps * config.tallest)[None, :, None]).sum(1)
        return seen.transpose(1, 2).unflatten(2, (side, side)), height.reshape(-1, 1, side, side)
