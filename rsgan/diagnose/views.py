"""Pieces of a ground to be looked at: the whole in small, and the patches that score highest and lowest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rsgan.diagnose.blocks import GroundScores
from rsgan.diagnose.ground import Ground
from rsgan.geo import Window

SIDE = 96
"""Side of what is shown of a place, candidate pixels, about."""
MOST = 6
"""Places that are shown."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class View:
    """One place in all rasters, pixel on pixel.

    Attributes:
        title: why it is shown.
        caption: where it lies.
        images: (C, H, W) by what they show, nan where invalid; see `Ground.picture`.
    """

    title: str
    caption: str
    images: Mapping[str, Floats]


def whole(ground: Ground) -> Floats:
    """(C, rows, columns): mean of the generated picture in every cell, nan where nothing is valid."""
    stride, (rows, columns) = ground.geometry.stride, ground.shape
    strips = []
    step = max(1, 512 // stride)
    for top in range(0, rows, step):
        count = min(step, rows - top)
        values = ground.generated(Window(0, top * stride, columns * stride, count * stride))
        blocks = values.reshape(len(values), count, stride, columns, stride)
        valid = np.isfinite(blocks)
        sums = np.where(valid, blocks, 0).sum(axis=(2, 4))
        with np.errstate(invalid="ignore", divide="ignore"):
            strips.append((sums / valid.sum(axis=(2, 4))).astype(np.float32))
    return np.concatenate(strips, axis=1)


def telling(ground: Ground, scores: GroundScores, classes: Mapping[str, NDArray[np.bool_]]) -> tuple[View, ...]:
    """Where references and generated patches score furthest apart in each class, and where they are most alike.

    Args:
        ground: open.
        scores: of it.
        classes: cells of each class by its name, most telling class first.
    """
    apart = scores.ratios.of["real"] - scores.ratios.of["generated"]
    views = []
    for name, cells in classes.items():
        places = np.where(cells & scores.counted, apart, np.nan)
        if not np.isfinite(places).any():
            continue
        for title, at in (("furthest apart", np.nanargmax(places)), ("hardest to tell", np.nanargmin(np.abs(places)))):
            row, column = (int(place) for place in np.unravel_index(at, places.shape))
            views.append(_view(ground, f"{name}: {title}", row, column, float(places[row, column])))
        if len(views) >= MOST:
            break
    return tuple(views)


def _view(ground: Ground, title: str, row: int, column: int, apart: float) -> View:
    step, scale = ground.geometry.stride, ground.scale
    side = max(SIDE, 2 * ground.geometry.side) // scale * scale
    height, width = ground.fine.shape
    corner = []
    for place, length in ((row, height), (column, width)):
        start = min(max(place * step + step // 2 - side // 2, 0), max(length - side, 0))
        corner.append(start // scale * scale)
    high, wide = min(side, height - corner[0]), min(side, width - corner[1])
    window = Window(corner[1], corner[0], wide // scale * scale, high // scale * scale)
    caption = f"Row {corner[0]}, column {corner[1]}; the real one scores {apart:+.2f} over the generated one."
    return View(title, caption, ground.picture(window))
