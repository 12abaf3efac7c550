"""Single buildings: roof, shadow, and the ground that they take."""

import numpy as np
from scipy import ndimage

from rsgan.sensors.procedural.land import Bools, Land
from rsgan.sensors.procedural.spectra import BUILDING, Spectrum


def draw_building(
    land: Land,
    spot: tuple[int, int],
    size_m: tuple[float, float],
    angle_rad: float,
    roof: Spectrum,
    taken: Bools,
) -> None:
    """One roof of two pitches, the one that faces the sun brighter, and its shadow; skipped where ``taken``.

    Args:
        land: Painted in place.
        spot: (row, column) of the building's middle.
        size_m: Across and along the ridge.
        angle_rad: Direction of the ridge, from east.
        roof: Spectrum of the roof.
        taken: (H, W) ground that other buildings and their yards have; grows by this one.
    """
    reach = int(np.ceil((np.hypot(*size_m) / 2 + 14.0) / land.gsd_m))
    rows = slice(max(spot[0] - reach, 0), min(spot[0] + reach + 1, land.shape[0]))
    columns = slice(max(spot[1] - reach, 0), min(spot[1] + reach + 1, land.shape[1]))
    if rows.stop <= rows.start or columns.stop <= columns.start:
        return
    north = (spot[0] - np.arange(rows.start, rows.stop))[:, None] * land.gsd_m
    east = (np.arange(columns.start, columns.stop) - spot[1])[None, :] * land.gsd_m
    along, across = (
        east * np.cos(angle_rad) + north * np.sin(angle_rad),
        north * np.cos(angle_rad) - east * np.sin(angle_rad),
    )
    inside = (np.abs(across) < size_m[0] / 2) & (np.abs(along) < size_m[1] / 2)
    if not inside.any() or taken[rows, columns][inside].any():
        return
    taken[rows, columns] |= ndimage.binary_dilation(inside, iterations=max(1, round(2.0 / land.gsd_m)))
    part = land.part(rows, columns)
    part.shade(inside, land.uniform(4.0, 9.0))
    facing = np.cos(angle_rad) * land.sun[1] - np.sin(angle_rad) * land.sun[0]
    pitch = 1.0 - 0.22 * facing * np.sign(across) if max(roof) < 0.3 else np.ones_like(across)
    part.paint(inside, roof, BUILDING, (pitch * land.uniform(0.8, 1.2)).astype(np.float32))
