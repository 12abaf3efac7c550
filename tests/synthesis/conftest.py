"""Small models of random weights that make chips."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from rsgan.card import Domain, ModelCard
from rsgan.model import save_model
from rsgan.nn.generators import SynthesisConfig, SynthesisGenerator

MakeModel = Callable[..., Path]
RGBN = ("B02", "B03", "B04", "B08")


@pytest.fixture
def make_model(tmp_path: Path) -> MakeModel:
    """A function that writes a model of two classes, its network as told."""

    def make(name: str = "tiny", given: str = "class", **network: Any) -> Path:
        torch.manual_seed(6)
        told = {"kind": "style", "latent": 8, "channels": 4, "most": 8} | network
        config = SynthesisConfig(
            bands=4, side=32, classes=2, given=given, low=(-1.0,) * 4, high=(6.0,) * 4, network=told
        )
        card = ModelCard(
            name=name, task="synthesize", sensor="sentinel-2a", bands=RGBN, scale=1, gsd_m=10, generator=config,
            discriminator=None, objective="none", classes=("open water", "forest"),
            target=Domain(name="chip", sensor="sentinel-2a", bands=RGBN, centre=(0.1,) * 4, spread=(0.1,) * 4),
            samples_seen=0, training_data=("none",), limits=("random weights",), licence="CC0-1.0", config_sha256="0",
        )  # fmt: skip
        path = tmp_path / f"{name}.safetensors"
        save_model(path, card, SynthesisGenerator(config).state_dict(), None, None)
        return path

    return make
