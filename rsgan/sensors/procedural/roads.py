"""Roads across the country."""

from typing import Final

import numpy as np

from rsgan.sensors.procedural.land import Land
from rsgan.sensors.procedural.noise import Floats
from rsgan.sensors.procedural.spectra import ASPHALT, GRASS, LUSH_GRASS, ROAD, WATER
from rsgan.sensors.procedural.woods import draw_trees

_LONGEST_BRIDGE_M: Final = 120.0


def draw_road(land: Land, depth_m: Floats) -> None:
    """A road with verges, and sometimes a row of trees; it bridges rivers but goes around lakes or is not built."""
    for _ in range(4):
        centre_m = land.bent_line(land.uniform(900.0, 2500.0), land.uniform(0.0, 0.14))
        if not (depth_m[centre_m < 10.0] > _LONGEST_BRIDGE_M / 2).any():
            break
    else:
        return
    half = np.float32(land.uniform(2.4, 7.0))
    verge = 1.0 + np.float32(0.1) * land.noise(10.0)
    on_land = land.land_cover != WATER
    land.paint((centre_m < half + land.uniform(1.5, 5.0)) & on_land, LUSH_GRASS, GRASS, verge)
    if land.rng.random() < 0.4:
        crowns = land.noise(9.0)
        beside = (centre_m > half + 1.5) & (centre_m < half + 7.0) & (crowns > 0.5) & on_land
        draw_trees(land, beside, crowns)
    land.paint(centre_m < half, ASPHALT, ROAD, land.uniform(0.8, 1.25))
    if half > 5.0:
        land.paint(centre_m < 0.8, LUSH_GRASS, GRASS, 0.9)
