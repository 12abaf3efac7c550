"""What a discriminator is shown of the ground: candidates pixel on pixel, and what they were made from."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from rsgan.errors import GridError
from rsgan.geo import Grid, Scene, Window
from rsgan.nn.discriminators import PatchGeometry
from rsgan.sensors.statistics import BandScaling

Bools = NDArray[np.bool_]
CONTEXT = 3
"""Observed pixels around a patch that its upsampled condition depends on."""


@dataclass(frozen=True)
class Shown:
    """A piece of ground, as a discriminator sees it; N = 1.

    Attributes:
        candidates: (N, C, H, W) network units, by kind: "real" (references), "generated".
        observed: (N, C, H / scale, W / scale) network units.
        usable: (rows, columns), whether the patch of a cell lies on data alone.
    """

    candidates: dict[str, Tensor]
    observed: Tensor
    usable: Bools


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


@dataclass(frozen=True)
class Ground:
    """Rasters of one place, open, and the grid on which logits of them lie: one cell per stride, patches centred on it.

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
            try:
                window = self.observed.grid.nest(scene.grid)
            except GridError as error:
                raise GridError(f"{self.observed.name} and {scene.name}: {error}") from error
            if (
                window.height,
                window.width,
            ) != scene.grid.shape or window.height != self.scale * self.observed.grid.height:
                raise GridError(
                    f"{scene.name} has {scene.grid.height} x {scene.grid.width} pixels; expected {self.scale} times "
                    f"the {self.observed.grid.height} x {self.observed.grid.width} of {self.observed.name}, and its "
                    "corners. Crop one to the other."
                )
        if min(self.shape) < 1:
            raise GridError(f"{self.observed.name} is smaller than one patch of {self.geometry.side} pixels.")

    @property
    def grid(self) -> Grid:
        """Where the cells lie."""
        return next(iter(self.candidates.values())).grid.coarsen(self.geometry.stride)

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
        read = {kind: self._read(scene, rows, columns, 1) for kind, scene in self.candidates.items()}
        observed, seen = self._read(self.observed, rows, columns, self.scale)
        near = ndimage.minimum_filter(seen, 2 * CONTEXT - 1)
        valid = near.repeat(self.scale, 0).repeat(self.scale, 1)
        for _, there in read.values():
            valid = valid & there
        stride, margin = self.geometry.stride, self.margin
        first, left = cells.top * stride - margin - rows[0], cells.left * stride - margin - columns[0]
        height, width = ((count - 1) * stride + self.geometry.side for count in cells.shape)
        holes = torch.from_numpy(~valid[first : first + height, left : left + width])[None].float()
        pooled = functional.max_pool2d(holes, self.geometry.side, stride)[0]
        return Shown({kind: values for kind, (values, _) in read.items()}, observed, pooled.numpy() == 0)

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

    def _read(
        self, scene: Scene, rows: tuple[int, int], columns: tuple[int, int], coarser: int
    ) -> tuple[Tensor, Bools]:
        """Network units (1, C, H, W) and what is valid in all bands (H, W), invalid beyond the raster."""
        (top, bottom), (left, right) = ((a // coarser, b // coarser) for a, b in (rows, columns))
        inside = Window.from_slices(
            (max(top, 0), min(bottom, scene.grid.height)), (max(left, 0), min(right, scene.grid.width))
        )
        chip = scene.read(inside)
        around = (
            (int(inside.row_off) - top, bottom - int(inside.row_off + inside.height)),
            (int(inside.col_off) - left, right - int(inside.col_off + inside.width)),
        )
        valid = chip.valid.all(axis=0)
        values = np.where(valid, self.scaling.to_network(chip.values), np.float32(0))
        padded = np.pad(values, ((0, 0), *around))
        return torch.from_numpy(padded)[None], np.pad(valid, around)
