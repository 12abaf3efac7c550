"""An encoder of chips: features to compare sets of them by, learnt by telling classes of land cover apart."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field
from torch import Tensor, nn

from rsgan.errors import RsganError
from rsgan.nn.generators.same_pixels import SamePixelsConfig
from rsgan.nn.precision import full
from rsgan.nn.ranks import with_shared_statistics


class EncoderConfig(SamePixelsConfig):
    """Architecture of `ChipEncoder`.

    Attributes:
        bands: of a chip.
        classes: that it tells.
        network: name of a network of timm, such as resnet18; its weights are drawn.
        depth: halvings after which the features are taken.
    """

    kind: Literal["encoder"] = "encoder"
    bands: int = Field(ge=1, le=1024)
    classes: int = Field(ge=2, le=255)
    network: str = Field(default="resnet18", pattern=r"^[a-z0-9_]+$")  # no hub, no folder
    depth: int = Field(default=4, ge=2, le=5)


class ChipEncoder(nn.Module):
    """A network of timm up to some depth, the mean over the chip, then one linear layer.

    Attributes:
        width: numbers of the features of a chip.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        try:
            import timm  # takes seconds, and only this network needs it
        except ImportError as error:
            raise RsganError(
                "an encoder needs timm, which is not installed. Install the extra 'train' of rsgan, or timm itself."
            ) from error
        self.config = config
        try:
            network: Any = timm.create_model(
                config.network, in_chans=config.bands, features_only=True, out_indices=(config.depth - 1,)
            )
        except (RuntimeError, AssertionError) as error:
            raise ValueError(f"generator.network: timm has no {config.network} of depth {config.depth}") from error
        self.net: nn.Module = with_shared_statistics(network)
        self.width = int(network.feature_info.channels()[-1])
        self.last = nn.Linear(self.width, config.classes)

    @property
    def stride(self) -> int:
        """Pixels of a chip for each of its last features."""
        return int(2**self.config.depth)

    @property
    def receptive_field(self) -> int:
        """Chips are seen whole."""
        return 0

    def features(self, chips: Tensor) -> Tensor:
        """(N, bands, H, W) network units -> (N, width)."""
        found: Tensor = full(self.net(chips)[-1]).mean((2, 3))
        return found

    def forward(self, chips: Tensor) -> Tensor:
        """(N, bands, H, W) network units -> (N, classes) logits."""
        logits: Tensor = self.last(self.features(chips))
        return logits
