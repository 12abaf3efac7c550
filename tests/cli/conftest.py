from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine
from click.testing import CliRunner, Result

from rsgan.card import ModelCard
from rsgan.cli import main
from rsgan.model import save_model
from rsgan.nn.generators import ResidualGenerator, ResidualGeneratorConfig

RGBN = ("B02", "B03", "B04", "B08")
Run = Callable[..., Result]
MakeScene = Callable[..., Path]


@pytest.fixture(autouse=True)
def _inside_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run() -> Run:
    """Run `rsgan` with words as a user types them; an exception that no message explains fails the test."""

    def invoke(*words: object) -> Result:
        result = CliRunner().invoke(main, [str(word) for word in words])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


@pytest.fixture
def make_scene(tmp_path: Path) -> MakeScene:
    """A function that writes a small scene into the test's folder, by rasterio alone."""

    def make(name: str = "scene.tif", values: np.ndarray | None = None, **options: Any) -> Path:
        if values is None:
            values = np.random.default_rng(5).integers(500, 3000, (4, 30, 40)).astype(np.uint16)
        given = {"crs": "EPSG:32633", "transform": Affine(10, 0, 5e5, 0, -10, 5e6), "photometric": "MINISBLACK"}
        names = options.pop("descriptions", RGBN)
        scale = options.pop("scale", 1e-4)
        profile = {key: value for key, value in (given | options).items() if value is not None}
        count, height, width = values.shape
        with rasterio.open(
            tmp_path / name, "w", driver="GTiff", height=height, width=width, count=count, dtype=values.dtype, **profile
        ) as dataset:
            for index, text in enumerate(names, start=1):
                dataset.set_band_description(index, text)
            if scale is not None:
                dataset.scales = [scale] * count
            dataset.write(values)
        return Path(name)

    return make


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A very small x2 model with random weights and one generator."""
    path = tmp_path_factory.mktemp("models") / "tiny-x2.safetensors"
    torch.manual_seed(1)
    config = ResidualGeneratorConfig(bands=4, scale=2, channels=4, blocks=1, consistency_steps=1)
    card = ModelCard(
        name="tiny-x2", task="superres", sensor="sentinel-2a", bands=RGBN, gsd_m=10, scale=2, generator=config,
        discriminator=None, objective="none", sigma=(0.3, 0.5), noise=(0.0002, 0.003), samples_seen=0,
        training_data=("none",), limits=("random weights",), licence="CC0-1.0", config_sha256="0",
    )  # fmt: skip
    save_model(path, card, ResidualGenerator(config).state_dict(), None, None)
    return path
