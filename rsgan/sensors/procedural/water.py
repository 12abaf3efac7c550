"""Lakes and rivers with their shores."""

import numpy as np

from rsgan.sensors.procedural.land import Land
from rsgan.sensors.procedural.noise import Floats
from rsgan.sensors.procedural.spectra import CLEAR_WATER, DRY_SAND, GRASS, LUSH_GRASS, SAND, TURBID_WATER, WATER
from rsgan.sensors.procedural.woods import draw_trees


def draw_waters(land: Land) -> Floats:
    """A lake, a river, both as one water, or neither; returns metres inwards from the shore."""
    depths = [draw(land) for draw, share in ((_lake, 0.5), (_river, 0.55)) if land.rng.random() < share]
    if not depths:
        return np.zeros(land.shape, np.float32)
    depth_m = np.asarray(np.max(depths, axis=0), np.float32)
    _draw_shore(land, depth_m)
    _draw_water(land, depth_m)
    return depth_m


def _lake(land: Land) -> Floats:
    """Metres inwards from the uneven shore of a lake or a pond."""
    radius = min(float(np.exp(land.uniform(np.log(25.0), np.log(420.0)))), 0.4 * land.extent_m)
    along, across = land.turned(land.uniform(0.0, np.pi), land.place())
    stretch = np.sqrt(np.float32(land.uniform(1.0, 2.4)))
    shore = np.float32(radius) * (1.0 + np.float32(0.22) * land.fractal(radius * 1.6, 4, 0.5))
    return np.asarray(shore - np.hypot(along / stretch, across * stretch), np.float32)


def _river(land: Land) -> Floats:
    """Metres inwards from the banks of a river or a stream."""
    centre_m = land.bent_line(land.uniform(250.0, 800.0), land.uniform(0.1, 0.32))
    half_m = float(np.exp(land.uniform(np.log(3.0), np.log(45.0))))
    return np.asarray(np.float32(half_m) * (1.0 + np.float32(0.2) * land.noise(220.0)) - centre_m, np.float32)


def _draw_water(land: Land, depth_m: Floats) -> None:
    """Water where ``depth_m`` (metres from the shore, inwards) is positive, clearer away from the shore."""
    turbid = land.uniform(0.0, 0.9)
    swirl = np.clip(0.5 + 0.25 * land.fractal(300.0, 3), 0.0, 1.0)
    mix = np.clip(turbid * swirl + 0.5 * np.exp(-np.maximum(depth_m, 0.0) / 12.0), 0.0, 1.0).astype(np.float32)
    where = depth_m > 0
    for channel, (clear, muddy) in enumerate(zip(CLEAR_WATER, TURBID_WATER, strict=True)):
        land.reflectance[channel][where] = clear + (muddy - clear) * mix[where]
    land.land_cover[where] = WATER


def _draw_shore(land: Land, depth_m: Floats) -> None:
    """Bank of sand, grass or trees outside the water."""
    spread = np.clip(1.0 + land.noise(150.0), 0.0, 3.0)
    texture = 1.0 + np.float32(0.12) * land.noise(14.0)
    grassy = (depth_m <= 0) & (depth_m > -np.float32(land.uniform(4.0, 20.0)) * spread)
    land.paint(grassy, LUSH_GRASS, GRASS, texture)
    sandy = (depth_m <= 0) & (depth_m > -np.float32(land.uniform(0.0, 7.0)) * (spread - 0.6))
    land.paint(sandy, DRY_SAND, SAND, texture)
    crowns = land.noise(9.0)
    trees = (depth_m <= -2.0) & (depth_m > -18.0 * spread) & (crowns > 0.0) & (land.noise(200.0) > 0.2)
    draw_trees(land, trees, crowns)
