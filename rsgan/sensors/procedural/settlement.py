"""Villages, suburbs and farmsteads."""

import numpy as np

from rsgan.sensors.procedural.buildings import draw_building
from rsgan.sensors.procedural.land import Bools, Land
from rsgan.sensors.procedural.noise import Floats
from rsgan.sensors.procedural.spectra import (
    ASPHALT,
    BUILDING,
    FOREST,
    GRASS,
    GRAVEL,
    LUSH_GRASS,
    ROAD,
    ROOFS,
    SAND,
    WATER,
    between,
)
from rsgan.sensors.procedural.woods import draw_trees


def count_settlements(land: Land) -> int:
    """How many settlements the scene gets."""
    return int(land.rng.poisson(0.25 + 0.3 * land.area_km2))


def draw_settlement(land: Land) -> None:
    """A village or a suburb: streets that bend a little, gardens, houses along the streets, a few large sheds."""
    centre, angle_rad = land.place(), land.uniform(0.0, np.pi)
    radius = float(np.exp(land.uniform(np.log(90.0), np.log(450.0))))
    along, across = land.turned(angle_rad, centre)
    bend = np.float32(land.uniform(4.0, 26.0))
    along, across = along + bend * land.noise(350.0), across + bend * land.noise(350.0)
    built = np.hypot(along, across) / np.float32(radius) + 0.28 * land.fractal(radius, 3) < 1.0
    built &= land.land_cover != WATER
    gardens = 1.0 + np.float32(0.16) * land.noise(16.0) + np.float32(0.1) * land.noise(5.0)
    land.paint(built, between(LUSH_GRASS, GRAVEL, land.uniform(0.0, 0.5)), GRASS, gardens)
    crowns = land.noise(8.0)
    draw_trees(land, built & (crowns > land.uniform(0.7, 1.6)), crowns)
    street_m, block = _streets(land, along, across)
    land.paint(built & (street_m < land.uniform(2.0, 3.6)), ASPHALT, ROAD, land.uniform(0.85, 1.25))
    _draw_houses(land, built, street_m, angle_rad, block)


def _streets(land: Land, along: Floats, across: Floats) -> tuple[Floats, float]:
    """Distance to the nearest of two families of streets, and the shorter side of a block."""
    short, long = land.uniform(38.0, 75.0), land.uniform(80.0, 190.0)
    first = np.abs(np.mod(across, np.float32(short)) - np.float32(short / 2))
    shifted = along + np.float32(37.0) * np.sin(np.floor(across / np.float32(short)) * 2.4).astype(np.float32)
    second = np.abs(np.mod(shifted, np.float32(long)) - np.float32(long / 2))
    return np.minimum(first, second).astype(np.float32), short


def _draw_houses(land: Land, built: Bools, street_m: Floats, angle_rad: float, block: float) -> None:
    """Houses beside the streets, none on top of another."""
    rng = land.rng
    lots = np.flatnonzero(built & (street_m > 8.0) & (street_m < min(17.0, 0.45 * block)))
    if lots.size == 0:
        return
    wanted = int(built.sum() * land.gsd_m**2 / rng.uniform(350.0, 1100.0))
    palette = rng.dirichlet((2.0, 1.5, 0.8, 0.3))
    taken = np.zeros(land.shape, bool)
    for pixel in rng.choice(lots, min(2 * wanted, lots.size, 2500), replace=False):
        row, column = divmod(int(pixel), land.shape[1])
        big = rng.random() < 0.03
        size = rng.uniform(18.0, 45.0, 2) if big else rng.uniform((7.0, 9.0), (12.0, 20.0))
        turn = angle_rad + rng.choice([0.0, np.pi / 2]) + rng.normal(0.0, 0.06)
        roof = ROOFS[int(rng.choice(4, p=palette))]
        draw_building(land, (row, column), (float(size[0]), float(size[1])), turn, roof, taken)


def draw_farms(land: Land) -> None:
    """Farmsteads: a few large roofs around a yard, out in the fields."""
    rng = land.rng
    for _ in range(int(rng.poisson(0.3 + 0.8 * land.area_km2))):
        row, column = int(rng.integers(land.shape[0])), int(rng.integers(land.shape[1]))
        if land.land_cover[row, column] in (WATER, FOREST, ROAD, BUILDING):
            continue
        angle_rad, taken = rng.uniform(0.0, np.pi), np.zeros(land.shape, bool)
        centre = (float(land.east_m[row, column]), float(land.north_m[row, column]))
        far = np.hypot(*land.turned(angle_rad, centre)) + 7.0 * land.noise(45.0)
        crowns = land.noise(9.0)
        draw_trees(land, (far > 30.0) & (far < 55.0) & (crowns > 0.6), crowns)
        land.paint(far < rng.uniform(18.0, 34.0), GRAVEL, SAND, 1.0 + np.float32(0.08) * land.noise(12.0))
        for _ in range(int(rng.integers(2, 6))):
            off = np.round(rng.normal(0.0, 26.0, 2) / land.gsd_m).astype(int)
            size = (rng.uniform(9.0, 24.0), rng.uniform(18.0, 60.0))
            roof, turn = ROOFS[int(rng.integers(4))], angle_rad + rng.choice([0.0, np.pi / 2])
            draw_building(land, (row + int(off[0]), column + int(off[1])), size, turn, roof, taken)
