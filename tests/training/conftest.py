from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from rsgan.sensors.procedural import draw_scene
from rsgan.training.config import TrainConfig

Tiny = Callable[..., TrainConfig]
WriteTile = Callable[..., Path]


@pytest.fixture
def write_tile(tmp_path: Path) -> WriteTile:
    """A function that writes synthetic RGBN land to tmp_path/tiles, with rasterio alone."""
    folder = tmp_path / "tiles"
    folder.mkdir()

    def write(
        name: str,
        *,
        west: float = 500_000.0,
        size: int = 64,
        seed: int = 0,
        holes: bool = False,
        crs: str | None = "EPSG:32633",
    ) -> Path:
        reflectance, _ = draw_scene(np.random.default_rng(seed), (size, size), 10.0)
        dn = np.clip(np.rint(reflectance * 10_000), 1, 65_535).astype(np.uint16)
        if holes:
            dn[:, : size // 2, : size // 3] = 0
        profile = {"driver": "GTiff", "count": 4, "height": size, "width": size, "dtype": "uint16", "nodata": 0}
        with rasterio.open(
            folder / name, "w", crs=crs, transform=Affine(10, 0, west, 0, -10, 5_000_000), **profile
        ) as dataset:
            dataset.write(dn)
            dataset.descriptions = ("B02", "B03", "B04", "B08")
            dataset.scales = (1e-4,) * 4
        return folder / name

    return write


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    """A function that gives the config of a run of seconds; keywords change settings of the section `training`."""

    def make(
        *,
        seed: int = 3,
        procedural: float = 0.0,
        losses: dict | None = None,
        adversary: dict | None = None,
        **training: object,
    ) -> TrainConfig:
        return TrainConfig.model_validate(
            {
                "task": "superres",
                "seed": seed,
                "model": {
                    "name": "tiny",
                    "sensor": "sentinel-2a",
                    "bands": ["B02", "B03", "B04", "B08"],
                    "gsd_m": 10,
                    "licence": "Apache-2.0",
                    "training_data": ["synthetic"],
                    "limits": ["none"],
                },
                "generator": {"bands": 4, "scale": 2, "channels": 4, "blocks": 1, "consistency_steps": 1},
                "discriminator": {"bands": 4, "scale": 2, "channels": 4, "strided": 1},
                "data": {
                    "root": str(tmp_path / "tiles"),
                    "training": [{"glob": "a*.tif"}],
                    "validation": [{"glob": "b*.tif"}],
                    "procedural": procedural,
                },
                "sensor": {},
                "losses": losses or {},
                "adversary": adversary or {"r1": 1.0, "every": 2},
                "training": {
                    "batch_size": 2,
                    "chip_size": 16,
                    "faithful_samples": 8,
                    "adversarial_samples": 8,
                    "discriminator_warmup": 2,
                    "ramp_samples": 4,
                    "learning_rate": 1e-3,
                    "learning_rate_warmup": 4,
                    "ema_half_life": 4,
                    "threads": 1,
                    "validate_every": 1000,
                    "checkpoint_every": 2,
                    "log_every": 2,
                    "probe_samples": 0,
                }
                | training,
            }
        )

    return make


@pytest.fixture
def two_places(write_tile: WriteTile) -> None:
    """A training tile and a validation tile far from it."""
    write_tile("a.tif")
    write_tile("b.tif", west=600_000.0, seed=1)
