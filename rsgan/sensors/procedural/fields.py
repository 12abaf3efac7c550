"""What grows on the parcels, and what lies between them: margins and farm tracks."""

import numpy as np

from rsgan.sensors.procedural.land import Bools, Land
from rsgan.sensors.procedural.noise import Floats
from rsgan.sensors.procedural.parcels import Parcels, cut_parcels
from rsgan.sensors.procedural.spectra import (
    ASPHALT,
    BARE,
    CROPLAND,
    CROPS,
    DRY_GRASS,
    GRASS,
    GRAVEL,
    LUSH_GRASS,
    ROAD,
    SOILS,
    between,
)


def draw_fields(land: Land) -> Parcels:
    """Cover everything with parcels and return them."""
    parcels = cut_parcels(land)
    rng, labels, count = land.rng, parcels.labels, parcels.angles_rad.size
    crops = np.array(CROPS, np.float32)[rng.choice(len(CROPS), count, p=rng.dirichlet(np.full(len(CROPS), 0.8)))]
    soil = np.array(SOILS, np.float32)[rng.choice(3, p=(0.35, 0.45, 0.2))] * rng.uniform(0.85, 1.2)
    cover = rng.beta(0.7, rng.uniform(0.35, 1.2), count).astype(np.float32)
    meadow = rng.random(count) < rng.beta(1.2, 3.0)
    grasses = rng.random((count, 1)).astype(np.float32) ** 2
    crops[meadow] = (np.array(LUSH_GRASS) * (1 - grasses) + np.array(DRY_GRASS) * grasses)[meadow]
    cover[meadow] = 0.85 + 0.15 * cover[meadow]
    crops *= rng.normal(1.0, 0.09, (count, 1)).astype(np.float32).clip(0.7, 1.3)
    soils = soil * rng.normal(1.0, 0.1, (count, 1)).clip(0.7, 1.35)
    share = _cover_share(land, parcels, cover, meadow)
    texture = _rows(land, parcels, meadow)
    for channel in range(4):
        bare, green = soils[:, channel].astype(np.float32)[labels], crops[:, channel][labels]
        land.reflectance[channel] = (bare + (green - bare) * share) * texture
    kind = np.where(meadow, GRASS, np.where(cover > 0.3, CROPLAND, BARE)).astype(np.uint8)
    land.land_cover[:] = kind[labels]
    _draw_margins(land, parcels)
    return parcels


def _cover_share(land: Land, parcels: Parcels, cover: Floats, meadow: Bools) -> Floats:
    """Share of the ground that plants cover: per field, uneven within it as soil and wetness are."""
    rng, labels = land.rng, parcels.labels
    unevenness = rng.gamma(1.6, 0.05, cover.size).astype(np.float32)
    unevenness[meadow] *= 1.6
    blotches = land.fractal(rng.uniform(60.0, 220.0), 4, 0.65)
    return np.clip(cover[labels] + unevenness[labels] * blotches, 0.0, 1.0).astype(np.float32)


def _rows(land: Land, parcels: Parcels, meadow: Bools) -> Floats:
    """Brightness of swaths and of the wheel tracks that a sprayer leaves, along each field's own direction."""
    rng, labels, count = land.rng, parcels.labels, parcels.angles_rad.size
    angle_rad = parcels.angles_rad + (rng.random(count) < 0.3) * np.float32(np.pi / 2)
    across = land.north_m * np.cos(angle_rad)[labels] - land.east_m * np.sin(angle_rad)[labels]
    across += np.float32(rng.uniform(0.0, 4.0)) * land.noise(180.0)
    swath_m = rng.uniform(5.0, 16.0, count).astype(np.float32)
    strength = (rng.gamma(1.0, 0.025, count) * (rng.random(count) < 0.7)).clip(0.0, 0.11).astype(np.float32)
    planted = rng.random(count) < rng.uniform(0.0, 0.12)  # vines and orchards: strong narrow rows
    strength[planted], swath_m[planted] = 0.24, rng.uniform(4.0, 8.0)
    texture = 1.0 + strength[labels] * np.sin(2 * np.pi * across / swath_m[labels])
    track_every = rng.choice([18.0, 24.0, 36.0], count).astype(np.float32)
    depth = np.where(meadow, 0.0, rng.uniform(0.0, 0.16, count)).astype(np.float32)
    in_track = np.abs(np.mod(across, track_every[labels]) - 2.0) < 0.9
    return np.asarray(texture - depth[labels] * in_track, np.float32)


def _draw_margins(land: Land, parcels: Parcels) -> None:
    """Strips of rough grass between fields, here wide, there missing."""
    width = np.float32(land.uniform(0.6, 2.4)) * np.clip(1.0 + land.noise(260.0), 0.0, 2.5)
    texture = 1.0 + np.float32(0.12) * land.noise(9.0)
    spectrum = between(LUSH_GRASS, DRY_GRASS, land.uniform(0.0, 0.8))
    land.paint(parcels.edge_m < width, spectrum, GRASS, texture)


def draw_tracks(land: Land, track_m: Floats) -> None:
    """Farm tracks between blocks of fields: gravel with a green strip beside."""
    half = np.float32(land.uniform(1.3, 2.4))
    land.paint(track_m < half + 1.5, between(LUSH_GRASS, DRY_GRASS, land.uniform(0, 1)), GRASS)
    texture = 1.0 + np.float32(0.08) * land.noise(12.0)
    land.paint(track_m < half, between(GRAVEL, ASPHALT, land.uniform(0, 1)), ROAD, texture)
