"""Figures of several bands on one tile, and their tables: RMSE in DN, spectral angle, ERGAS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.results import table
from benchmarks.wald import Floats, spread_text
from rsgan.metrics import fidelity

DN = 1e-4
"""Reflectance of one unit in the tables, whatever the files store."""


@dataclass(frozen=True)
class Row:
    """Figures of one method on one tile under one protocol.

    Attributes:
        protocol: name.
        tile: name.
        held_out: whether no model was trained on its place.
        method: name.
        bands: names.
        rmse: of each band, DN of 0.0001 reflectance.
        sam_deg: mean spectral angle; NaN for a single band.
        ergas: per cent.
    """

    protocol: str
    tile: str
    held_out: bool
    method: str
    bands: tuple[str, ...]
    rmse: tuple[float, ...]
    sam_deg: float
    ergas: float

    @property
    def mean_rmse(self) -> float:
        """Mean over the bands."""
        return float(np.mean(self.rmse))


def figures(enhanced: Floats, reference: Floats, scale: int) -> dict[str, object]:
    """The measured fields of a row; both images without their border."""
    error = fidelity.rmse(enhanced, reference)
    return {
        "rmse": tuple(value / DN for value in error.per_band),
        "sam_deg": fidelity.sam_deg(enhanced, reference) if len(reference) > 1 else float("nan"),
        "ergas": fidelity.ergas(enhanced, reference, gsd_ratio=1 / scale),
    }


def of(rows: Sequence[Row], method: str) -> list[Row]:
    """The rows of one method, tile by tile."""
    return [row for row in rows if row.method == method]


def ratios(rows: Sequence[Row], method: str, rival: str) -> Floats:
    """RMSE of a method over that of its rival, tile by tile."""
    mine, other = ({row.tile: row.mean_rmse for row in of(rows, name)} for name in (method, rival))
    return np.array([mine[tile] / other[tile] for tile in mine])


def methods(rows: Sequence[Row]) -> list[str]:
    """Names in order."""
    return list(dict.fromkeys(row.method for row in rows))


def method_table(rows: Sequence[Row], rival: str) -> str:
    """One line per method: mean and spread over the tiles."""
    bands = rows[0].bands
    body = []
    for method in methods(rows):
        mine = of(rows, method)
        per_band = [f"{np.mean([row.rmse[number] for row in mine]):.1f}" for number in range(len(bands))]
        body.append(
            [
                method,
                spread_text([row.mean_rmse for row in mine], 1),
                *per_band,
                "-" if len(bands) == 1 else spread_text([row.sam_deg for row in mine], 3),
                spread_text([row.ergas for row in mine], 3),
                spread_text(ratios(rows, method, rival), 3),
            ]
        )
    return table(["method", "RMSE, DN", *bands, "SAM, deg", "ERGAS", f"RMSE / {rival}"], body)


def tile_table(rows: Sequence[Row], shown: Sequence[str], rival: str) -> str:
    """One line per tile: RMSE of the methods, and the ratio of the last one to the rival."""
    shown = [method for method in shown if of(rows, method)]
    body = []
    for tile in dict.fromkeys(row.tile for row in rows):
        here = {row.method: row for row in rows if row.tile == tile}
        known = [here.get(method) for method in shown]
        share = "-" if known[-1] is None else f"{known[-1].mean_rmse / here[rival].mean_rmse:.3f}"
        place = "held out" if next(iter(here.values())).held_out else "trained on"
        body.append([tile, place, *("-" if row is None else f"{row.mean_rmse:.1f}" for row in known), share])
    return table(["tile", "its place", *shown, f"{shown[-1]} / {rival}"], body)
