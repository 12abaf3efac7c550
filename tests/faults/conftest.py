from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def scene(make_raster: Callable[..., Path]) -> Path:
    """Four bands of 200 x 100 pixels, with a hole."""
    values = np.random.default_rng(0).integers(500, 3000, (4, 200, 100)).astype(np.uint16)
    values[:, 120:130, 20:40] = 0
    return make_raster("scene.tif", values, nodata=0, descriptions=("B02", "B03", "B04", "B08"), scales=(1e-4,) * 4)
