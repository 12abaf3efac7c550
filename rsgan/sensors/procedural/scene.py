"""A whole scene: what is drawn in which order, then the light of the day and the area mean."""

from typing import Final

import numpy as np
import numpy.typing as npt

from rsgan.errors import ConfigError
from rsgan.sensors.procedural.fields import draw_fields, draw_tracks
from rsgan.sensors.procedural.land import Land, blank_land
from rsgan.sensors.procedural.roads import draw_road
from rsgan.sensors.procedural.settlement import count_settlements, draw_farms, draw_settlement
from rsgan.sensors.procedural.spectra import WATER
from rsgan.sensors.procedural.water import draw_waters
from rsgan.sensors.procedural.woods import draw_woods

_OVERSAMPLE: Final = 2
_SMALLEST_SIDE: Final = 8


def draw_scene(
    rng: np.random.Generator, shape: tuple[int, int], gsd_m: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """Draw one piece of land.

    Kind of land, size and direction of the fields, season, sun and contrast all vary from scene to scene.

    Args:
        rng: Source of chance; the same state gives the same scene.
        shape: (height, width) in pixels, at least 8 each.
        gsd_m: Metres per pixel, 0.5 to 10.

    Returns:
        Reflectance (4, H, W) float32, B02 B03 B04 B08, 0 to 1; and the land cover (H, W) uint8, see ``LAND_COVER``.

    Raises:
        ConfigError: If the shape or the gsd is out of range.
    """
    _check(shape, gsd_m)
    land = blank_land(rng, (shape[0] * _OVERSAMPLE, shape[1] * _OVERSAMPLE), gsd_m / _OVERSAMPLE)
    parcels = draw_fields(land)
    draw_tracks(land, parcels.track_m)
    draw_woods(land, parcels)
    _light_slopes(land)
    depth_m = draw_waters(land)
    for _ in range(1 + rng.poisson(land.extent_m / 2500.0)):
        draw_road(land, depth_m)
    for _ in range(count_settlements(land)):
        draw_settlement(land)
    draw_farms(land)
    return _finished(land)


def _check(shape: tuple[int, int], gsd_m: float) -> None:
    if min(shape) < _SMALLEST_SIDE:
        raise ConfigError(f"a scene of {shape[0]} x {shape[1]} pixels was asked for; ask for at least 8 x 8.")
    if not 0.5 <= gsd_m <= 10.0:
        raise ConfigError(f"gsd_m is {gsd_m:g}; land is drawn at 0.5 to 10 m. Draw finer, then degrade.")


def _light_slopes(land: Land) -> None:
    """Slopes that face the sun are brighter."""
    relief = land.fractal(land.uniform(500.0, 1500.0), 4, 0.45)
    slope_north, slope_east = np.gradient(relief)
    facing = land.sun[1] * slope_north - land.sun[0] * slope_east
    strength = land.uniform(0.0, 0.06)
    brightness = 1.0 + strength * np.clip(facing / (facing.std() + 1e-6), -2.5, 2.5)
    for channel in range(4):
        land.reflectance[channel] *= brightness.astype(np.float32)


def _finished(land: Land) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """Fine grain of all ground, contrast of the day, then the area mean down to the grid asked for."""
    rng = land.rng
    grain = 1.0 + np.float32(rng.uniform(0.01, 0.035)) * land.noise(3.0 * land.gsd_m)
    grain = np.where(land.land_cover == WATER, np.float32(1.0), grain)
    gain = rng.uniform(0.85, 1.2) * rng.uniform(0.95, 1.05, size=4)
    haze = rng.uniform(0.0, 0.012) * np.array([1.0, 0.7, 0.5, 0.25])
    fine = land.reflectance * grain * gain[:, None, None].astype(np.float32) + haze[:, None, None].astype(np.float32)
    step = _OVERSAMPLE
    height, width = land.shape[0] // step, land.shape[1] // step
    mean = fine.reshape(4, height, step, width, step).mean(axis=(2, 4), dtype=np.float32)
    return np.clip(mean, 0.001, 1.0).astype(np.float32), np.ascontiguousarray(land.land_cover[::step, ::step])
