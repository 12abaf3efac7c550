"""Signs of processing are found, and a sensor's own pixels show none."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from rsgan.sensors.optical import degrade
from rsgan.sensors.procedural import draw_scene
from rsgan.sensors.sampling import find_resampling


@pytest.fixture(scope="module")
def native() -> np.ndarray:
    """Land as a sensor with noise would see it, whole stored numbers (4, 160, 160)."""
    finer, _ = draw_scene(np.random.default_rng(2), (320, 320), 5.0)
    seen = degrade(torch.from_numpy(finer)[None], torch.tensor([[0.4]]), 2)[0].numpy()
    noise = 8e-4 * np.random.default_rng(0).standard_normal(seen.shape)
    return np.round(1e4 * (seen + noise))


def found(values: np.ndarray, valid: np.ndarray | None = None) -> tuple[str, ...]:
    valid = np.ones(values.shape, bool) if valid is None else valid
    return find_resampling(list(zip(values, valid, strict=True)))


def test_a_sensors_own_pixels_show_nothing(native: np.ndarray) -> None:
    assert found(native) == ()
    assert found(np.full((2, 64, 64), 7.0)) == ()
    assert found(native[:, :20, :20]) == ()
    levels = np.random.default_rng(1).integers(0, 3, (100, 4, 5, 5)).astype(float)
    assert not any(found(tiny) for tiny in levels)  # too few pixels to tell
    assert found(native, np.zeros(native.shape, bool)) == ()


@pytest.mark.parametrize("factor", [1.25, 2, 3])
def test_repeated_pixels_are_found(native: np.ndarray, factor: float) -> None:
    assert found(ndimage.zoom(native, (1, factor, factor), order=0)) == ("repeated",)
    assert found(ndimage.zoom(native, (1, 1, factor), order=0)) == ("repeated",)


@pytest.mark.parametrize("order", [1, 3])
def test_interpolated_pixels_are_found(native: np.ndarray, order: int) -> None:
    assert found(np.round(ndimage.zoom(native, (1, 2, 2), order=order))) == ("interpolated",)


def test_jpeg_is_found(native: np.ndarray) -> None:
    low, high = np.percentile(native, [0.5, 99.5])
    pictures = []
    for band in native:
        file = io.BytesIO()
        Image.fromarray((255 * np.clip((band - low) / (high - low), 0, 1)).astype(np.uint8)).save(
            file, "JPEG", quality=60
        )
        pictures.append(np.asarray(Image.open(file), float))
    assert found(np.stack(pictures)) == ("jpeg",)


def test_pixels_that_are_not_valid_do_not_count(native: np.ndarray) -> None:
    holes, valid = native.copy(), np.ones(native.shape, bool)
    holes[:, :40], valid[:, :40] = 0, False
    assert found(holes, valid) == ()
