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
from rsgan.training.tiles import overlap

TOLERANCE = 0.05
"""Pixels by which the pixels of two grids may lie apart and still coincide."""
SIDE = 512
"""Longest side of the middle of a pair by which its shift is measured, pixels."""
UPSAMPLING = 20
"""Parts of a pixel in which a shift is measured."""
ALIKE, BETTER = 0.3, 0.1
"""Correlation of the two once shifted, and its gain over that unshifted, below which a shift means nothing: the largest
of thousands of random correlations lies somewhere, too."""


@dataclass(frozen=True)
class Shift:
    """How far the second of a pair lies from the first.

    Attributes:
        rows: pixels down.
        columns: pixels to the right.
        correlation: of the edges of the two, once shifted.
        unshifted: the same as they are.
    """

    rows: float
    columns: float
    correlation: float
    unshifted: float

    @property
    def stands_out(self) -> bool:
        """Whether the two are alike once shifted, and much more so than as they are."""
        return self.correlation >= ALIKE and self.correlation - self.unshifted >= BETTER

    @property
    def length(self) -> float:
        """Pixels."""
        return float(np.hypot(self.rows, self.columns))


def shared_pixels(first: Grid, second: Grid) -> tuple[Window, Window] | None:
    """The same ground in pixels of each of two grids; None where their pixels do not coincide, or no ground is shared.

    Grids without coordinates coincide where they are of one size.
    """
    if not first.has_transform and not second.has_transform:
        return (first.window, second.window) if first.shape == second.shape else None
    a, b = first.transform, second.transform
    size = max(abs(a.a), abs(a.e), abs(a.b), abs(a.d))
    unlike = max(abs(getattr(a, name) - getattr(b, name)) for name in "abde")
    if first.crs != second.crs or unlike * max(*first.shape, *second.shape) > TOLERANCE * size:
        return None
    left, top = ~a @ (b.c, b.f)
    if max(abs(left - round(left)), abs(top - round(top))) > TOLERANCE:
        return None
    row, column = round(top), round(left)
    rows = max(row, 0), min(row + second.height, first.height)
    columns = max(column, 0), min(column + second.width, first.width)
    height, width = rows[1] - rows[0], columns[1] - columns[0]
    if height < 1 or width < 1:
        return None
    return Window(columns[0], rows[0], width, height), Window(columns[0] - column, rows[0] - row, width, height)


def measured_shift(first: Scene, second: Scene, shared: tuple[Window, Window]) -> Shift:
    """Phase correlation of the edges in the middle of what two scenes share.

    Source: Guizar-Sicairos et al. 2008, doi:10.1364/OL.33.000156, as in scikit-image.
    """
    edges = [_edges(scene, window) for scene, window in zip((first, second), shared, strict=True)]
    shift, *_ = phase_cross_correlation(*edges, upsample_factor=UPSAMPLING)
    moved = ndimage.shift(edges[1], shift, order=1, mode="nearest")
    found = [
        float(np.corrcoef(edges[0].ravel(), other.ravel())[0, 1]) if min(edges[0].std(), other.std()) > 0 else 0.0
        for other in (moved, edges[1])
    ]
    return Shift(-float(shift[0]), -float(shift[1]), *found)


def _edges(scene: Scene, shared: Window) -> NDArray[np.float64]:
    """Gradient of the standardised mean band, so that two sensors may see the same edges in other colours."""
    high, wide = min(shared.height, SIDE), min(shared.width, SIDE)
    row, column = shared.row_off + (shared.height - high) // 2, shared.col_off + (shared.width - wide) // 2
    chip = scene.read(Window(column, row, wide, high))
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


def on_one_lattice(grid: Grid, candidates: Sequence[tuple[Path, Grid]]) -> tuple[Path | None, str]:
    """The partner by place: the candidate that shares most pixels; else why there is none, in words."""
    mine, shared, near = grid.lonlat_bounds(), list[tuple[int, Path]](), list[Path]()
    for path, other in candidates:
        windows, theirs = shared_pixels(grid, other) if grid.has_transform else None, other.lonlat_bounds()
        if windows is not None:
            shared.append((windows[0].width * windows[0].height, path))
        elif mine is not None and theirs is not None and overlap(mine, theirs):
            near.append(path)
    if shared:
        return max(shared)[1], ""
    if not near:
        return None, "no raster of the other folder shows its ground"
    left, bottom, right, top = grid.bounds
    size = f"-te {left:.10g} {bottom:.10g} {right:.10g} {top:.10g} -ts {grid.width} {grid.height}"
    crs = "" if grid.crs is None else f"-t_srs {grid.crs.to_string()} "
    return None, f"{near[0].name} shows its ground on other pixels; resample it: gdalwarp {crs}{size} -r cubic"
