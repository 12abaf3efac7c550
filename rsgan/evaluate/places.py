"""Three places of a raster that are worth a look: the worst, a middling one, and the centre."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rsgan.evaluate.rasters import Rasters
from rsgan.evaluate.tally import ErrorMap, Tally
from rsgan.evaluate.views import View, view_of, walked
from rsgan.geo import Window

SHOWN_SIDE = 256
"""Side in enhanced pixels of what is shown of a place, at most."""
LEAST_VALID = 0.5
"""Share of valid values from which a place takes part in the comparison."""


@dataclass(frozen=True)
class Place:
    """One place.

    Attributes:
        title: Why it is shown.
        view: What lies there.
    """

    title: str
    view: View


def choose_places(rasters: Rasters, tally: Tally) -> tuple[Place, ...]:
    """The places with the largest and the median error, and the centre; those that coincide are shown once."""
    height, width = rasters.grid.shape
    what = "residual" if rasters.reference is None else "error"
    wanted = [*_by_error(tally.tiles, len(rasters.bands), what), ("Centre", (height / 2, width / 2))]
    titles: dict[tuple[int, int], list[str]] = {}
    side = max(1, SHOWN_SIDE // rasters.scale)
    tall, wide = (min(side, length) for length in walked(rasters))
    for title, (down, right) in wanted:
        row, column = down / rasters.scale - tall / 2, right / rasters.scale - wide / 2
        corner = (_inside(row, walked(rasters)[0] - tall), _inside(column, walked(rasters)[1] - wide))
        titles.setdefault(corner, []).append(title)
    return tuple(
        Place(_joined(names), view_of(rasters, Window(column, row, wide, tall)))
        for (row, column), names in titles.items()
    )


def _by_error(tiles: ErrorMap, bands: int, what: str) -> list[tuple[str, tuple[float, float]]]:
    """Centres in enhanced pixels of the tiles with the largest and the median error, among those with enough data."""
    errors = np.where(tiles.count >= LEAST_VALID * bands * tiles.block**2, tiles.rmse(), np.nan)
    known = np.flatnonzero(~np.isnan(errors))
    if not known.size:
        return []
    ranked = known[np.argsort(errors.flat[known], kind="stable")]
    centre = {
        title: np.unravel_index(tile, errors.shape)
        for title, tile in ((f"Largest {what}", ranked[-1]), (f"Median {what}", ranked[(len(ranked) - 1) // 2]))
    }
    return [
        (title, ((float(row) + 0.5) * tiles.block, (float(column) + 0.5) * tiles.block))
        for title, (row, column) in centre.items()
    ]


def _inside(start: float, last: int) -> int:
    return int(min(max(round(start), 0), last))


def _joined(names: list[str]) -> str:
    return ", ".join([names[0], *(name[0].lower() + name[1:] for name in names[1:])])
