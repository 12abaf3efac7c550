"""Trees: woods, hedges, rows and single ones."""

import numpy as np
from scipy import ndimage

from rsgan.sensors.procedural.land import Bools, Land
from rsgan.sensors.procedural.noise import Floats
from rsgan.sensors.procedural.parcels import Parcels
from rsgan.sensors.procedural.spectra import CONIFER, DECIDUOUS, FOREST


def draw_woods(land: Land, parcels: Parcels) -> None:
    """Woods of every size, with ragged borders or with those of fields; hedges along field edges; single trees."""
    density = land.fractal(land.uniform(350.0, 1200.0), 6, 0.55)
    count = parcels.angles_rad.size
    of_parcel = np.asarray(ndimage.mean(density, parcels.labels, np.arange(count)), np.float32)
    tidy = land.uniform(-1.5, 2.0) + land.fractal(900.0, 2) > 0
    density = np.where(tidy, of_parcel[parcels.labels] + np.float32(0.12) * density, density)
    woods = density > np.float32(land.rng.normal(1.15, 0.6))
    crowns = land.noise(land.uniform(7.0, 13.0))
    hedge_here = land.noise(300.0) > np.float32(land.uniform(-0.3, 1.8))
    hedges = (parcels.edge_m < land.uniform(2.0, 5.0)) & hedge_here & (crowns > -0.4)
    draw_trees(land, woods | hedges, crowns)
    park = land.noise(450.0) > np.float32(land.uniform(0.6, 2.4))
    crowns = land.noise(land.uniform(8.0, 12.0))
    draw_trees(land, (crowns > np.float32(1.9)) & park, crowns, tall_m=5.0)


def draw_trees(land: Land, where: Bools, crowns: Floats, tall_m: float = 11.0) -> None:
    """Tree crowns, lit on the sun's side, with their shadow on the ground behind."""
    land.shade(where, tall_m * land.uniform(0.7, 1.4))
    slope_north, slope_east = np.gradient(crowns)
    lit = land.sun[1] * slope_north - land.sun[0] * slope_east
    lit = -lit / (float(lit.std()) + 1e-6)
    kind = np.clip(0.5 + 0.9 * land.fractal(420.0, 3) + land.uniform(-0.7, 0.7), 0.0, 1.0).astype(np.float32)
    texture = np.clip(1.0 + 0.13 * crowns + 0.14 * lit, 0.35, 1.7).astype(np.float32)
    texture *= 1.0 + np.float32(0.06) * land.noise(60.0)
    for channel, (leaf, needle) in enumerate(zip(DECIDUOUS, CONIFER, strict=True)):
        level = np.float32(needle) + np.float32(leaf - needle) * kind[where]
        land.reflectance[channel][where] = level * texture[where]
    land.land_cover[where] = FOREST
