from collections.abc import Callable

import numpy as np
import pytest

from rsgan.filters.speckle import boxcar, lee

Speckle = Callable[..., np.ndarray]
ByPixel = Callable[..., np.ndarray]


@pytest.mark.parametrize("looks", [1, 4])
@pytest.mark.parametrize("size", [3, 7])
def test_boxcar_of_n_pixels_has_n_times_the_looks(looks: int, size: int, speckle: Speckle) -> None:
    scene = speckle(np.full((1050, 1050), 5.0), looks)
    filtered = boxcar(scene, np.ones(scene.shape, bool), looks=looks, size=size)
    apart = filtered[0, size // 2 :: size, size // 2 :: size].astype(np.float64)  # windows that share no pixel
    assert apart.mean() ** 2 / apart.var() == pytest.approx(size**2 * looks, rel=4 * np.sqrt(2 / apart.size))


@pytest.mark.parametrize("size", [3, 5, 7])
def test_boxcar_is_the_mean_of_what_is_there(
    size: int, ragged: tuple[np.ndarray, np.ndarray], by_pixel: ByPixel
) -> None:
    values, valid = ragged
    filtered = boxcar(values, valid, looks=3, size=size)
    for band in (0, 1):
        expected = by_pixel(values[band], valid[band], size, lambda rows, columns, inside, centre: inside.mean())
        np.testing.assert_allclose(filtered[band], expected, rtol=1e-6)


@pytest.mark.parametrize("looks", [1.0, 4.4])
def test_lee_is_its_definition(looks: float, ragged: tuple[np.ndarray, np.ndarray], by_pixel: ByPixel) -> None:
    def rule(rows: np.ndarray, columns: np.ndarray, inside: np.ndarray, centre: float) -> float:
        speckle, variation = 1 / looks, inside.var() / inside.mean() ** 2
        weight = 1 - speckle / variation if variation > speckle else 0
        return inside.mean() + weight * (centre - inside.mean())

    values, valid = ragged
    expected = by_pixel(values[0], valid[0], 7, rule)
    np.testing.assert_allclose(lee(values[:1], valid[:1], looks=looks)[0], expected, rtol=1e-6)


def test_lee_keeps_what_has_no_speckle(speckle: Speckle) -> None:
    scene = speckle(np.full((40, 40), 2.0), 1)
    np.testing.assert_allclose(lee(scene, np.ones(scene.shape, bool), looks=1e12), scene, rtol=1e-5)


def test_lee_takes_the_mean_where_speckle_explains_all(speckle: Speckle) -> None:
    scene = speckle(np.full((40, 40), 2.0), 50)
    valid = np.ones(scene.shape, bool)
    np.testing.assert_array_equal(lee(scene, valid, looks=1.0), boxcar(scene, valid, looks=1.0))
