"""The generator bound to a scene: averaging over the symmetries of the square."""

import numpy as np
import pytest
import torch

from rsgan.enhance.scene_enhancer import SceneEnhancer
from rsgan.enhance.statistics import SceneStatistics
from rsgan.nn.generators import ResidualGenerator, ResidualGeneratorConfig
from rsgan.nn.symmetries import TURNS
from rsgan.sensors.statistics import BandScaling

SHAPE = (1, 2, 9, 12)


def enhance(observed: np.ndarray, symmetries: int) -> np.ndarray:
    torch.manual_seed(3)
    generator = ResidualGenerator(ResidualGeneratorConfig(bands=2, scale=2, channels=8, blocks=1)).eval()
    torch.nn.init.normal_(generator.tail.weight, std=0.2)
    two = np.array([0.4, 0.4])
    statistics = SceneStatistics(BandScaling(np.zeros(2), np.ones(2)), 0.1 * two, two, "given")
    enhancer = SceneEnhancer(
        generator, statistics, torch.device("cpu"), 2, generator.receptive_field, symmetries=symmetries
    )
    inner = slice(0, observed.shape[2]), slice(0, observed.shape[3])
    return enhancer(observed.astype(np.float32), inner, np.ones(observed.shape, bool)).values


@pytest.fixture
def observed() -> np.ndarray:
    return np.random.default_rng(1).random(SHAPE)


@pytest.mark.parametrize("symmetries", [1, 2, 4, 8])
def test_a_turned_scene_gives_the_turned_result_for_every_symmetry_averaged(
    observed: np.ndarray, symmetries: int
) -> None:
    whole = enhance(observed, symmetries)
    for transpose, axes in TURNS[:symmetries]:
        turned = np.flip(observed.swapaxes(2, 3) if transpose else observed, axes)
        back = np.flip(enhance(turned, symmetries), axes)
        np.testing.assert_allclose(back.swapaxes(2, 3) if transpose else back, whole, atol=2e-6)


def test_one_pass_alone_has_an_up(observed: np.ndarray) -> None:
    turned = np.flip(enhance(np.flip(observed, (2, 3)), 1), (2, 3))
    assert np.abs(turned - enhance(observed, 1)).max() > 1e-3
