import numpy as np
import pytest

from rsgan.errors import ConfigError
from rsgan.sensors.procedural import BUILDING, FOREST, LAND_COVER, WATER, draw_scene


def test_the_same_seed_draws_the_same_land() -> None:
    first, second, other = (draw_scene(np.random.default_rng(seed), (48, 64), 2.5) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])
    assert np.abs(first[0] - other[0]).mean() > 0.005


@pytest.mark.parametrize(("shape", "gsd_m"), [((8, 8), 10.0), ((33, 71), 2.5), ((120, 40), 0.5), ((64, 64), 5.0)])
def test_any_shape_and_gsd_gives_physical_reflectance_and_known_classes(shape: tuple[int, int], gsd_m: float) -> None:
    for seed in range(4):
        reflectance, land_cover = draw_scene(np.random.default_rng(seed), shape, gsd_m)
        assert reflectance.shape == (4, *shape)
        assert reflectance.dtype == np.float32
        assert land_cover.shape == shape
        assert land_cover.dtype == np.uint8
        assert 0.0 < reflectance.min() <= reflectance.max() <= 1.0
        assert set(np.unique(land_cover)) <= set(LAND_COVER)


def test_classes_have_the_spectra_of_their_kind() -> None:
    pixels = {WATER: [], FOREST: [], BUILDING: []}
    for seed in range(12):
        reflectance, land_cover = draw_scene(np.random.default_rng(seed), (128, 128), 5.0)
        for class_id, found in pixels.items():
            found.append(reflectance[:, land_cover == class_id])
    water, forest, building = (np.median(np.concatenate(found, axis=1), axis=1) for found in pixels.values())
    assert water[3] < water[1] < 0.12
    assert (forest[3] - forest[2]) / (forest[3] + forest[2]) > 0.6
    assert building[2] > 2 * forest[2]


def test_scenes_differ_in_contrast_and_in_what_covers_them() -> None:
    scenes = [draw_scene(np.random.default_rng(seed), (96, 96), 5.0) for seed in range(10)]
    spreads = [float(reflectance[2].std()) for reflectance, _ in scenes]
    woods = [float((land_cover == FOREST).mean()) for _, land_cover in scenes]
    assert max(spreads) > 1.5 * min(spreads)
    assert max(woods) - min(woods) > 0.2


def test_drawing_leaves_no_trace_of_a_tile_grid() -> None:
    column_steps = np.zeros(127)
    for seed in range(12):
        reflectance, _ = draw_scene(np.random.default_rng(seed), (128, 128), 2.5)
        column_steps += np.abs(np.diff(reflectance[2], axis=1)).mean(axis=0)
    assert column_steps.max() < 2.0 * np.median(column_steps)


@pytest.mark.parametrize(("shape", "gsd_m", "found"), [((7, 64), 2.5, "7 x 64"), ((64, 64), 20.0, "gsd_m is 20")])
def test_what_cannot_be_drawn_is_refused_with_its_number(shape: tuple[int, int], gsd_m: float, found: str) -> None:
    with pytest.raises(ConfigError, match=found):
        draw_scene(np.random.default_rng(0), shape, gsd_m)
