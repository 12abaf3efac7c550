from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from rsgan.card import ModelCard, Uncertainty
from rsgan.model import save_model
from rsgan.nn.generators import ResidualGenerator, ResidualGeneratorConfig
from rsgan.nn.uncertainty import UncertaintyConfig, UncertaintyHead

RGBN = ("B02", "B03", "B04", "B08")

UNCERTAINTY = Uncertainty(head=UncertaintyConfig(channels=4, layers=2), factor_68=1.5, factor_95=3.0)

MakeRaster = Callable[..., Path]
MakeModel = Callable[..., Path]


def draw_land(shape: tuple[int, int], seed: int = 3, sharpness_px: float = 1.0) -> np.ndarray:
    """(4, H, W) uint16, 10000 = reflectance 1: smooth ground of a different level in each band, with some texture."""
    rng = np.random.default_rng(seed)
    ground = gaussian_filter(rng.normal(size=(4, *shape)), (0, 8, 8)) * 6000
    texture = gaussian_filter(rng.normal(size=shape), sharpness_px) * 300
    level = np.array([700, 900, 1100, 2600])[:, None, None]
    return np.clip(level + ground + texture, 50, 9000).round().astype(np.uint16)


@pytest.fixture
def land() -> Callable[..., np.ndarray]:
    """`draw_land`."""
    return draw_land


@pytest.fixture
def make_raster(make_raster: MakeRaster) -> MakeRaster:
    """The same, with the bands named as the models take them."""
    return partial(make_raster, descriptions=RGBN)


def random_state(config: ResidualGeneratorConfig, seed: int) -> dict[str, torch.Tensor]:
    """Weights that change the picture without spoiling it."""
    torch.manual_seed(seed)
    generator = ResidualGenerator(config)
    torch.nn.init.normal_(generator.tail.weight, std=0.05)
    return generator.state_dict()


def write_model(
    path: Path, *, scale: int = 2, adversarial: bool = True, uncertainty: bool = False, **card: Any
) -> Path:
    """A model file with a very small network and random weights; without `bands` it takes any band."""
    given = {"name": path.stem, "sensor": "sentinel-2a", "gsd_m": 10.0, "bands": RGBN, **card}
    config = ResidualGeneratorConfig(
        bands=len(given["bands"]) or 1, guides=len(given.get("guide", ())), scale=scale, channels=4, blocks=1,
        consistency_steps=1,
    )  # fmt: skip
    stated = ModelCard(
        task="superres", scale=scale, generator=config, discriminator=None, objective="none", sigma=(0.3, 0.5),
        noise=(0.0002, 0.003), samples_seen=0, training_data=("none",), limits=("random weights",),
        licence="CC0-1.0", config_sha256="0", uncertainty=UNCERTAINTY if uncertainty else None, **given,
    )  # fmt: skip
    torch.manual_seed(9)
    head = UncertaintyHead(UNCERTAINTY.head).state_dict() if uncertainty else None
    sharp = random_state(config, 2) if adversarial else None
    save_model(path, stated, random_state(config, 1), sharp, None, head)
    return path


@pytest.fixture
def make_model(tmp_path: Path) -> MakeModel:
    """`write_model` under the test's folder."""

    def make(name: str, **options: Any) -> Path:
        return write_model(tmp_path / name, **options)

    return make


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A very small x2 model with random weights, both generators."""
    return write_model(tmp_path_factory.mktemp("models") / "tiny-x2.safetensors")


@pytest.fixture(scope="session")
def guided_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A very small x2 model of three 20 m bands that the 10 m bands guide, with random weights."""
    path = tmp_path_factory.mktemp("models") / "tiny-20to10.safetensors"
    return write_model(path, bands=("B05", "B8A", "B11"), guide=RGBN, gsd_m=20.0, adversarial=False)


@pytest.fixture(scope="session")
def any_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A very small x2 model of any band, with random weights."""
    return write_model(tmp_path_factory.mktemp("models") / "tiny-any.safetensors", bands=(), adversarial=False)
