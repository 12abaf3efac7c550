"""Smooth random fields of a given wavelength."""

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Floats = npt.NDArray[np.float32]

_FINEST_KNOTS: Final = 3.0
"""Pixels between knots below which white noise is filtered instead."""


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], cell: float) -> Floats:
    """Noise (H, W) of mean 0 and, on average, standard deviation 1 that varies over about ``2 * cell`` pixels."""
    if cell < _FINEST_KNOTS:
        white = rng.standard_normal(shape, dtype=np.float32)
        return standardised(ndimage.gaussian_filter(white, cell / 2.0, mode="reflect"))
    return _spline_noise(rng, shape, cell)


def standardised(values: Floats) -> Floats:
    """The values moved and scaled to mean 0 and standard deviation 1."""
    values = values - values.mean()
    return np.asarray(values / (values.std() + np.float32(1e-6)), np.float32)


def _spline_noise(rng: np.random.Generator, shape: tuple[int, int], cell: float) -> Floats:
    """Random knots every ``cell`` pixels under a cubic B-spline; unlike a filtered image, as cheap at any ``cell``."""
    down, right = (_spline_weights(length, cell, rng.random()) for length in shape)
    knots = rng.standard_normal((down.shape[1], right.shape[1]), dtype=np.float32)
    # A cubic B-spline over unit knots has variance 151/315 per axis: no division by the sample's own deviation, which
    # would blow up where the wavelength is longer than the scene.
    return np.asarray(down @ knots @ right.T / np.float32(151.0 / 315.0), np.float32)


def _spline_weights(length: int, cell: float, phase: float) -> Floats:
    """Weights (length, knots) of the uniform cubic B-spline. Source: de Boor, A Practical Guide to Splines, ch. IX."""
    position = np.arange(length) / cell + phase
    knots = np.arange(int(position[-1]) + 4)
    away = np.abs(position[:, None] + 1.0 - knots[None, :])
    inner, outer = 2 / 3 - away**2 + away**3 / 2, np.clip(2.0 - away, 0.0, None) ** 3 / 6
    return np.where(away < 1.0, inner, outer).astype(np.float32)
