"""What a discriminator is shown of the ground: candidates pixel on pixel, and what they were made from."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from rsgan.errors import GridError
from rsgan.geo import Chip, Grid, Scene, Window
from rsgan.nn.discriminators import PatchGeometry
from rsgan.sensors.statistics import BandScaling

Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]
CONTEXT = 3
"""Observed pixels around a patch that its upsampled condition depends on."""


@dataclass(frozen=True)
class Shown:
    """A piece of ground, as a discriminator sees it; N = 1.

    Attributes:
        candidates: (N, C, H, W) network units, by kind: "real" (references), "generated".
        given: what the judge is given beside a candidate, each (N, ...).
        usable: (rows, columns), whether the patch of a cell lies on data alone.
    """

    candidates: dict[str, Tensor]
    given: tuple[Tensor, ...]
    usable: Bools


@dataclass(frozen=True)
class Read:
    """Pixels of a piece of ground: candidates by kind, what is given beside them, and where all is valid (H, W)."""

    candidates: dict[str, Tensor]
    given: tuple[Tensor, ...]
    valid: Bools


@dataclass(frozen=True)
class Cells:
    """A window of the grid of logits: rows `top` to `bottom`, columns `left` to `right`, ends left out."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.bottom - self.top, self.right - self.left

    @property
    def place(self) -> tuple[slice, slice]:
        """Where they lie in an array of the whole grid."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


class Ground(ABC):
    """A place, open, and the grid on which logits of it lie: one cell per stride, each patch centred on its cell."""

    observed: Scene
    """What the generator was given."""
    scale: int
    """Candidate pixels per observed pixel."""
    geometry: PatchGeometry
    """Of the patches."""

    @property
    @abstractmethod
    def fine(self) -> Grid:
        """Where the candidates' pixels lie."""

    @property
    @abstractmethod
    def kinds(self) -> tuple[str, ...]:
        """Of candidates."""

    @abstractmethod
    def read(self, rows: tuple[int, int], columns: tuple[int, int]) -> Read:
        """Candidate pixels of some rows and columns, which may lie beyond the raster: invalid there."""

    @abstractmethod
    def picture(self, window: Window) -> dict[str, Floats]:
        """What people look at: (C, H, W) of candidate pixels inside the raster, nan where invalid, by what it shows."""

    @abstractmethod
    def generated(self, window: Window) -> Floats:
        """What was generated alone, as `picture` has it."""

    @property
    def grid(self) -> Grid:
        """Where the cells lie.

        Raises:
            GridError: there is no room for one.
        """
        return self.fine.coarsen(self.geometry.stride)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        return self.grid.shape

    @property
    def margin(self) -> int:
        """Pixels by which a patch reaches beyond its cell."""
        return (self.geometry.side - self.geometry.stride) // 2

    def walk(self, side: int) -> Iterator[Cells]:
        """Windows of `side` x `side` cells that tile the grid."""
        rows, columns = self.shape
        for top in range(0, rows, side):
            for left in range(0, columns, side):
                yield Cells(top, min(top + side, rows), left, min(left + side, columns))

    def show(self, cells: Cells) -> Shown:
        """What the patches of some cells see; beyond the rasters nothing is usable."""
        rows, columns = self._pixels(cells)
        read, stride = self.read(rows, columns), self.geometry.stride
        first, left = cells.top * stride - self.margin - rows[0], cells.left * stride - self.margin - columns[0]
        height, width = ((count - 1) * stride + self.geometry.side for count in cells.shape)
        whole = read.valid[first : first + height, left : left + width]
        return Shown(read.candidates, read.given, self._usable(whole))

    def _usable(self, valid: Bools) -> Bools:
        """Whether all pixels of each patch are valid; patches begin at every stride."""
        side, stride = self.geometry.side, self.geometry.stride
        if valid.all():
            rows, columns = ((length - side) // stride + 1 for length in valid.shape)
            return np.ones((rows, columns), dtype=bool)
        holes = torch.from_numpy(~valid)[None].float()
        pooled = functional.max_pool2d(functional.max_pool2d(holes, (side, 1), (stride, 1)), (1, side), (1, stride))
        return np.asarray(pooled[0].numpy() == 0)

    def of_cells(self, logits: Tensor, cells: Cells) -> Tensor:
        """The logits of those cells among all that a judge gives for what `show` gives, a view (N, rows, columns)."""
        first, left = (
            cell - (start + self.geometry.shift) // self.geometry.stride
            for cell, (start, _) in zip((cells.top, cells.left), self._pixels(cells), strict=True)
        )
        rows, columns = cells.shape
        return logits[:, 0, first : first + rows, left : left + columns]

    def _pixels(self, cells: Cells) -> tuple[tuple[int, int], tuple[int, int]]:
        """Rows and columns of candidate pixels that `show` gives for some cells; they start at whole strides."""
        stride, step = self.geometry.stride, math.lcm(self.geometry.stride, self.scale)
        reach = self.margin + CONTEXT * self.scale

        def span(first: int, last: int) -> tuple[int, int]:
            return (first * stride - reach) // step * step, -(-(last * stride + reach) // step) * step

        return span(cells.top, cells.bottom), span(cells.left, cells.right)


@dataclass(frozen=True)
class OpticalGround(Ground):
    """Super-resolution: references and enhanced rasters on one grid, and the coarser one that was observed.

    Attributes:
        observed: what the generator was given.
        candidates: references and what was generated, by kind, all on one grid `scale` times finer.
        scale: candidate pixels per observed pixel.
        scaling: reflectance <-> network units.
        geometry: of the patches.
    """

    observed: Scene
    candidates: dict[str, Scene]
    scale: int
    scaling: BandScaling
    geometry: PatchGeometry

    def __post_init__(self) -> None:
        """Refuse rasters that do not lie on each other.

        Raises:
            GridError: naming them.
        """
        for scene in self.candidates.values():
            refuse_elsewhere(self.observed, scene, self.scale)

    @property
    def fine(self) -> Grid:
        """Where the candidates' pixels lie."""
        return next(iter(self.candidates.values())).grid

    @property
    def kinds(self) -> tuple[str, ...]:
        """Of candidates."""
        return tuple(self.candidates)

    def read(self, rows: tuple[int, int], columns: tuple[int, int]) -> Read:
        """See `Ground`; given is the observed raster, and beside one of its holes nothing is valid."""
        observed, seen = self._read(self.observed, rows, columns, self.scale)
        valid = ndimage.minimum_filter(seen, 2 * CONTEXT - 1).repeat(self.scale, 0).repeat(self.scale, 1)
        candidates = {}
        for kind, scene in self.candidates.items():
            candidates[kind], there = self._read(scene, rows, columns, 1)
            valid = valid & there
        return Read(candidates, (observed,), valid)

    def picture(self, window: Window) -> dict[str, Floats]:
        """See `Ground`; reflectance."""
        scale = self.scale
        coarse = Window(*(part // scale for part in (window.col_off, window.row_off, window.width, window.height)))
        images = {"observed": shown(self.observed.read(coarse)).repeat(scale, 1).repeat(scale, 2)}
        return images | {kind: shown(scene.read(window)) for kind, scene in self.candidates.items()}

    def generated(self, window: Window) -> Floats:
        """See `Ground`."""
        return shown(self.candidates["generated"].read(window))

    def _read(
        self, scene: Scene, rows: tuple[int, int], columns: tuple[int, int], coarser: int
    ) -> tuple[Tensor, Bools]:
        """Network units (1, C, H, W), and what is valid in all bands (H, W)."""
        chip, around = read_beyond(scene, rows, columns, coarser)
        valid = chip.valid.all(axis=0)
        centre, spread = (
            torch.from_numpy(x)[:, None, None].float() for x in (self.scaling.centre, self.scaling.spread)
        )
        values = torch.from_numpy(chip.values).sub(centre).div_(spread)
        if not valid.all():
            values.mul_(torch.from_numpy(valid))
        (above, below), (before, after) = around
        return functional.pad(values, (before, after, above, below))[None], np.pad(valid, around)


def refuse_elsewhere(observed: Scene, candidate: Scene, scale: int) -> None:
    """Refuse a raster that does not lie on the observed one, `scale` times finer.

    Raises:
        GridError: naming both.
    """
    try:
        window = observed.grid.nest(candidate.grid)
    except GridError as error:
        raise GridError(f"{observed.name} and {candidate.name}: {error}") from error
    expected = scale * observed.grid.height, scale * observed.grid.width
    if (window.height, window.width) != candidate.grid.shape or candidate.grid.shape != expected:
        raise GridError(
            f"{candidate.name} has {candidate.grid.height} x {candidate.grid.width} pixels; expected {scale} times "
            f"the {observed.grid.height} x {observed.grid.width} of {observed.name}, and its corners. Crop one to the "
            "other."
        )


Around = tuple[tuple[int, int], tuple[int, int]]
"""Pixels that are missing before and after, along rows and columns."""


def read_beyond(scene: Scene, rows: tuple[int, int], columns: tuple[int, int], coarser: int = 1) -> tuple[Chip, Around]:
    """What a scene holds of some rows and columns, given in pixels `coarser` times finer, and what lies beyond it."""
    (top, bottom), (left, right) = ((a // coarser, b // coarser) for a, b in (rows, columns))
    inside = Window.from_slices(
        (max(top, 0), min(bottom, scene.grid.height)), (max(left, 0), min(right, scene.grid.width))
    )
    around = (
        (int(inside.row_off) - top, bottom - int(inside.row_off + inside.height)),
        (int(inside.col_off) - left, right - int(inside.col_off + inside.width)),
    )
    return scene.read(inside), around


def shown(chip: Chip) -> Floats:
    """Values (C, H, W), nan where they are invalid."""
    return np.where(chip.valid, chip.values, np.float32(np.nan))
