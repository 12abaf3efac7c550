import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import rasterio

from rsgan.geo.products import Layer


def load_builder(name: str) -> ModuleType:
    """A builder beside this file, which is no package."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def safe_builder() -> Callable[..., Any]:
    return load_builder("make_safe").make_safe


@pytest.fixture(scope="session")
def landsat_builder() -> Callable[..., Any]:
    return load_builder("make_landsat").make_landsat


@pytest.fixture
def make_safe(tmp_path: Path, safe_builder: Callable[..., Any]) -> Callable[..., Any]:
    """A function that writes a Sentinel-2 product under the test's folder."""
    return lambda **options: safe_builder(tmp_path, **options)


@pytest.fixture
def make_landsat(tmp_path: Path, landsat_builder: Callable[..., Any]) -> Callable[..., Any]:
    """A function that writes a Landsat product under the test's folder."""
    return lambda **options: landsat_builder(tmp_path, **options)


@pytest.fixture
def read_layer() -> Callable[[Layer], tuple[np.ndarray, float]]:
    """A function that reads what a layer points at, with its metres per pixel, by rasterio alone."""

    def read(layer: Layer) -> tuple[np.ndarray, float]:
        with rasterio.open(layer.path) as dataset:
            return dataset.read(layer.index), dataset.transform.a

    return read
