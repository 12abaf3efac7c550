"""Pairs of rasters of one ground: found by name or by place, and checked to lie pixel on pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.registration import phase_cross_correlation

from rsgan.geo import Grid, Scene, Window

SIDE = 512
"""Longest side of the middle of a pair by which its shift is measured, pixels."""
UPSAMPLING = 20
"""Parts of a pixel in which a shift is measured."""
ALIKE = 0.15
"""Correlation of the two, once shifted, below which a measured shift means nothing."""


@dataclass(frozen=True)
class Shift:
    """How far the second of a pair lies from the first.

    Attributes:
        rows: pixels down.
        columns: pixels to the right.
        correlation: of the edges of the two, once shifted; near 0 the shift means nothing.
    """

    rows: float
    columns: float
    correlation: float

    @property
    def known(self) -> bool:
        """Whether the two are alike enough for the shift to mean anything."""
        return self.correlation >= ALIKE

    @property
    def length(self) -> float:
        """Pixels."""
        return float(np.hypot(self.rows, self.columns))


def measured_shift(first: Scene, second: Scene) -> Shift:
    """Phase correlation of the edges in the middle of two scenes on one grid.

    Source: Guizar-Sicairos et al. 2008, doi:10.1364/OL.33.000156, as in scikit-image.
    """
    edges = [_edges(scene) for scene in (first, second)]
    shift, *_ = phase_cross_correlation(*edges, upsample_factor=UPSAMPLING)
    moved = ndimage.shift(edges[1], shift, order=1, mode="nearest")
    correlation = float(np.corrcoef(edges[0].ravel(), moved.ravel())[0, 1]) if min(map(np.std, edges)) > 0 else 0.0
    return Shift(-float(shift[0]), -float(shift[1]), correlation)


def _edges(scene: Scene) -> NDArray[np.float64]:
    """Gradient of the standardised mean band, so that two sensors may see the same edges in other colours."""
    height, width = scene.grid.shape
    high, wide = min(height, SIDE), min(width, SIDE)
    chip = scene.read(Window((width - wide) // 2, (height - high) // 2, wide, high))
    bands = [
        (np.where(ok, band, band[ok].mean() if ok.any() else 0) - band.mean()) / max(float(band.std()), 1e-9)
        for band, ok in zip(chip.values.astype(np.float64), chip.valid, strict=True)
    ]
    edges: NDArray[np.float64] = ndimage.gaussian_gradient_magnitude(np.mean(bands, axis=0), 1.0)
    hann = np.outer(np.hanning(high), np.hanning(wide))
    tapered: NDArray[np.float64] = (edges - edges.mean()) * hann
    return tapered


def beside(path: Path, root: Path, text: str, replacement: str) -> Path | None:
    """The partner by name: `text` in the path below the root is replaced; None where the text is not in it."""
    inside = path.relative_to(root).as_posix()
    return root / inside.replace(text, replacement) if text in inside else None


def on_one_grid(grid: Grid, candidates: Sequence[tuple[Path, Grid]]) -> tuple[Path | None, str]:
    """The partner by place: the first of the candidates with the same pixels; else why there is none, in words."""
    mine, near = grid.lonlat_bounds(), []
    for path, other in candidates:
        theirs = other.lonlat_bounds()
        if mine is None or theirs is None:
            continue
        if grid.matches(other) and grid.has_transform:
            return path, ""
        if mine[0] < theirs[2] and theirs[0] < mine[2] and mine[1] < theirs[3] and theirs[1] < mine[3]:
            near.append((path, other))
    if not near:
        return None, "no raster of the other folder shows its ground"
    left, bottom, right, top = grid.bounds
    size = f"-te {left:.10g} {bottom:.10g} {right:.10g} {top:.10g} -ts {grid.width} {grid.height}"
    crs = "" if grid.crs is None else f"-t_srs {grid.crs.to_string()} "
    return None, f"{near[0][0].name} shows its ground on another grid; resample it: gdalwarp {crs}{size} -r cubic"
