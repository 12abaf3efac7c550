"""Terrain of known height, and how it looks from above and aslant: for generators that are to find the height."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float64]

TALLEST: Final = 0.25
"""Height of the highest ground, in sides of the scene."""
_SUN: Final = (-0.5, 0.3, 0.81)
"""Direction to the sun: east, north, up."""
_SLICES: Final = 256
"""Heights at which a ray is asked whether it has met the ground."""


def draw_terrain(rng: np.random.Generator, side: int, bands: int = 4) -> tuple[Floats, Floats]:
    """Hills under patches of land cover, lit by the sun.

    Args:
        rng: of the draw.
        side: pixels.
        bands: of the reflectance.

    Returns:
        Height (side, side), 0 .. `TALLEST` sides of the scene, and reflectance (bands, side, side) seen from above.
    """
    hills = ndimage.gaussian_filter(rng.standard_normal((side, side)), side / 8, mode="wrap")
    hills = (hills - hills.min()) / (hills.max() - hills.min())
    height = TALLEST * hills
    rough = ndimage.gaussian_filter(rng.standard_normal((bands, side, side)), (0, side / 16, side / 16), mode="wrap")
    cover = 0.3 + 0.08 * rough / rough.std()
    down, across = np.gradient(height * side)
    normal = np.stack([-across, down, np.ones_like(height)]) / np.sqrt(1 + across**2 + down**2)
    light = np.clip(np.tensordot(_SUN, normal, 1), 0.05, None)
    return height, np.clip(cover * light, 0, 1)


def seen_aslant(height: Floats, reflectance: Floats, slope: float) -> Floats:
    """The same ground from a sensor that looks from the west, by parallel rays.

    Args:
        height: (H, W) in sides of the scene.
        reflectance: (bands, H, W) seen from above.
        slope: how far a ray moves to the west for each unit that it rises; 0 looks straight down.

    Returns:
        (bands, H, W); the pixel at column x looks at the ground that its ray meets first, and would be at x if flat.
    """
    side = height.shape[1]
    rows, columns = np.mgrid[: height.shape[0], :side].astype(np.float64)
    place, met = columns.copy(), np.zeros(height.shape, bool)
    for level in np.linspace(TALLEST, 0, _SLICES):
        at = columns - slope * level * side
        ground = ndimage.map_coordinates(height, [rows, at], order=1, mode="grid-wrap")
        now = ~met & (ground >= level)
        place[now], met = at[now], met | now
    return np.stack([ndimage.map_coordinates(band, [rows, place], order=1, mode="grid-wrap") for band in reflectance])
