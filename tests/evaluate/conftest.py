from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from affine import Affine
from scipy import ndimage

from rsgan.sensors.optical import degrade, upsample

RGBN = ("B02", "B03", "B04", "B08")
SIGMA = 0.4
"""Of the sensor that made the observed image, observed pixels."""
FINE, COARSE = Affine(5, 0, 500000, 0, -5, 5000000), Affine(10, 0, 500000, 0, -10, 5000000)


@dataclass(frozen=True)
class Scenery:
    """Three rasters of one place as arrays of reflectance and as files."""

    enhanced: np.ndarray
    reference: np.ndarray
    observed: np.ndarray
    folder: Path

    @property
    def paths(self) -> dict[str, Path]:
        return {name: self.folder / f"{name}.tif" for name in ("enhanced", "reference", "observed")}

    @property
    def bicubic(self) -> np.ndarray:
        return upsample(torch.from_numpy(self.observed)[None], 2)[0].numpy()

    def degraded(self, image: np.ndarray, sigma: float = SIGMA) -> np.ndarray:
        width = torch.full((1, len(image)), sigma)
        return degrade(torch.from_numpy(image.astype(np.float32))[None], width, 2)[0].numpy()


def land(seed: int, shape: tuple[int, int]) -> np.ndarray:
    """(4, H, W) reflectance with detail of all sizes, bright enough for indices."""
    noise = np.random.default_rng(seed).normal(size=(4, *shape))
    mixed = sum(ndimage.gaussian_filter(noise, (0, width, width)) * width for width in (1, 4))
    return (0.25 + 0.05 * mixed / mixed.std()).clip(0.02, 0.9).astype(np.float32)


@pytest.fixture
def make_place(make_raster: Callable[..., Path], tmp_path: Path) -> Callable[..., Scenery]:
    """A function that writes enhanced, reference and observed rasters of one place.

    `holes` gives, by raster, a bool (H, W) array of its pixels without data.
    """

    def make(shape: tuple[int, int] = (96, 128), seed: int = 1, holes: dict[str, np.ndarray] | None = None) -> Scenery:
        reference = land(seed, shape)
        width = torch.full((1, 4), SIGMA)
        observed = degrade(torch.from_numpy(reference)[None], width, 2)[0].numpy()
        bicubic = upsample(torch.from_numpy(observed)[None], 2)[0].numpy()
        enhanced = 0.4 * bicubic + 0.6 * reference + np.float32(0.001)
        images = {"enhanced": enhanced, "reference": reference, "observed": observed}
        for name, image in images.items():
            hole = (holes or {}).get(name, np.zeros(image.shape[1:], bool))
            options: dict[str, Any] = {"transform": COARSE if name == "observed" else FINE, "descriptions": RGBN}
            make_raster(f"{name}.tif", np.where(hole, np.float32(np.nan), image), nodata=np.nan, **options)
        return Scenery(enhanced, reference, observed, tmp_path)

    return make


@pytest.fixture
def place(make_place: Callable[..., Scenery]) -> Scenery:
    return make_place()
