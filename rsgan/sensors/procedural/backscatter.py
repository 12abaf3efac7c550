"""Backscatter of a made-up scene: patches of land of any contrast, texture, thin lines, and steady points."""

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from rsgan.sensors.procedural.noise import smooth_noise

Floats = npt.NDArray[np.float32]

DB: Final = np.float32(np.log(10) / 10)
"""Natural logarithm of intensity per decibel."""


def draw_backscatter(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Intensity without speckle, (H, W) float32, around 1: mostly 10 to 40 dB between its darkest and brightest."""
    log = _patches(rng, shape)
    if rng.random() < 0.6:
        log = log + rng.uniform(0.2, 2.5) * DB * smooth_noise(rng, shape, float(np.exp(rng.uniform(0.0, 3.5))))
    return np.exp(draw_lines(rng, log)).astype(np.float32)


def draw_lines(rng: np.random.Generator, log: Floats, most: int = 5) -> Floats:
    """Thin straight structures, roads, dykes and canals, laid over the logarithm of intensity (H, W)."""
    log = log.copy()
    rows, columns = np.mgrid[: log.shape[0], : log.shape[1]].astype(np.float32)
    for _ in range(int(rng.integers(0, most + 1))):
        angle, width = rng.uniform(0, np.pi), rng.choice([1.0, 1.0, 2.0, 3.0, 3.0, 4.0, 6.0])
        centre = rng.uniform(0, log.shape[0]), rng.uniform(0, log.shape[1])
        along = (rows - centre[0]) * np.sin(angle) + (columns - centre[1]) * np.cos(angle)
        across = (rows - centre[0]) * np.cos(angle) - (columns - centre[1]) * np.sin(angle)
        across += rng.choice([0.0, rng.normal(0, 0.004)]) * along**2
        on = np.clip(width / 2 + 0.5 - np.abs(across), 0, 1) * (np.abs(along) < rng.uniform(0.3, 2.0) * log.shape[0])
        # dark water and tar against bright hedges and rails; mixed in intensity, as a pixel does
        level = np.median(log) + DB * (rng.uniform(-25, -3) if rng.random() < 0.65 else rng.uniform(3, 15))
        log = np.log(np.exp(log) * (1 - on) + np.exp(level) * on).astype(np.float32)
    return log


def draw_lattice(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Intensity (H, W) around 1 of cells that repeat: orchards, rows of houses, beds and walls, with gaps between."""
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    bend = rng.uniform(0, 3) * smooth_noise(rng, shape, float(np.exp(rng.uniform(3.0, 4.5))))
    angle = rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)]) + rng.normal(0, 0.03)
    across = rows * np.cos(angle) - columns * np.sin(angle) + bend
    along = rows * np.sin(angle) + columns * np.cos(angle) + bend
    height = float(np.exp(rng.uniform(np.log(4), np.log(40))))
    length = height * float(np.exp(rng.uniform(0, 1.3)))
    row = np.floor(across / height)
    shifted = along / length + rng.choice([0.0, 0.5, rng.random()]) * row
    column = np.floor(shifted)
    edge = np.minimum(
        0.5 - np.abs(across / height - row - 0.5), (0.5 - np.abs(shifted - column - 0.5)) * length / height
    )
    gap = np.clip(rng.uniform(0.3, 2.0) + 0.5 - edge * height, 0, 1)  # 1 inside a gap of a few pixels
    levels = rng.normal(0, rng.uniform(0, 2.5), (64, 64))
    cells = levels[(row.astype(int)) % 64, (column.astype(int)) % 64]
    texture = rng.uniform(0, 1.5) * smooth_noise(rng, shape, float(np.exp(rng.uniform(0.0, 2.0))))
    contrast = rng.uniform(1, 12) * rng.choice([-1, 1])
    bright = np.exp(DB * (cells + texture))
    dark = np.exp(DB * (contrast + rng.uniform(0, 1) * texture))
    return np.asarray(bright * (1 - gap) + dark * gap, np.float32)


def draw_points(rng: np.random.Generator, intensity: Floats) -> tuple[Floats, Floats]:
    """Steady scatterers: their power over the ground's median, up to +25 dB, and the phase between both, (H, W)."""
    power = np.zeros_like(intensity)
    count = int(rng.integers(1, 16))
    rows, columns = (rng.integers(0, n, count) for n in intensity.shape)
    power[rows, columns] = np.median(intensity) * np.exp(DB * rng.uniform(5, 25, count))
    phase = np.zeros_like(intensity)
    phase[rows, columns] = rng.uniform(0, 2 * np.pi, count)
    return power, phase


def _patches(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Log-intensity of fields, by nearest seed in a stretched and turned plane, or of two covers that interlock."""
    spread = rng.uniform(1.0, 7.0) * DB
    if rng.random() < 0.3:
        field = smooth_noise(rng, shape, float(np.exp(rng.uniform(1.5, 4.0))))
        steps = np.digitize(field, np.sort(rng.normal(0, 1, int(rng.integers(1, 4)))))
        return (spread * rng.standard_normal(5)[steps]).astype(np.float32)
    count = int(np.exp(rng.uniform(0.0, 5.0)))
    angle, stretch = rng.uniform(0, np.pi), np.exp(rng.uniform(0, 1.5))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.diag([1.0, stretch])
    seeds = rng.uniform(0, 1, (count, 2)) * shape
    place = np.mgrid[: shape[0], : shape[1]].reshape(2, -1).T
    nearest = cKDTree(seeds @ turn).query(place @ turn)[1].reshape(shape)
    levels: Floats = (spread * rng.standard_normal(count)[nearest]).astype(np.float32)
    return levels
