"""Pieces of ground that are independent enough: for bootstraps, and for judges that must not know what they judge."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from rsgan.diagnose.calibration import Calibration, Way
from rsgan.diagnose.ground import Cells, Ground, Shown
from rsgan.diagnose.logits import Judge, LogitMaps, Progress, dense_logits
from rsgan.diagnose.refit import Batch, Learnt, Refit, learn, noisy
from rsgan.errors import GridError

Floats = NDArray[np.float64]
PIECES = 100
"""Blocks that a scene is parted into, about."""
LARGEST, WINDOW = 64, 24
"""Longest side of a block, and side of the windows that a fresh judge learns from, cells."""
CHECKS = 24
"""Blocks that are looked at, at most, to see when to stop."""


@dataclass(frozen=True)
class Blocks:
    """Squares of cells, and the fold that each belongs to.

    Attributes:
        shape: rows and columns of cells.
        side: of a block, cells.
        margin: cells at its border whose patches reach into a neighbour's.
        folds: (rows of blocks, columns of blocks).
    """

    shape: tuple[int, int]
    side: int
    margin: int
    folds: NDArray[np.int64]

    @classmethod
    def of(cls, ground: Ground, folds: int, seed: int) -> Blocks:
        """Part a ground.

        Raises:
            GridError: it is too small for one block per fold.
        """
        rows, columns = ground.shape
        margin = -(-ground.geometry.side // (2 * ground.geometry.stride))
        side = min(max(2 * margin + 2, round(math.sqrt(rows * columns / PIECES))), LARGEST)
        parts = -(-rows // side), -(-columns // side)
        count = parts[0] * parts[1]
        if count < folds:
            raise GridError(
                f"{ground.observed.name} has room for {count} independent blocks of {side * ground.geometry.stride} "
                f"pixels; expected at least {folds}. Take a larger scene."
            )
        order = np.random.default_rng(seed).permutation(count) % folds
        return cls((rows, columns), side, margin, order.reshape(parts))

    @cached_property
    def numbers(self) -> NDArray[np.int64]:
        """(rows, columns), the number of the block of each cell."""
        return self._spread(np.arange(self.folds.size).reshape(self.folds.shape))

    @cached_property
    def fold_of(self) -> NDArray[np.int64]:
        """(rows, columns), the fold of each cell."""
        return self._spread(self.folds)

    @cached_property
    def inner(self) -> NDArray[np.bool_]:
        """(rows, columns), whether no patch of another block reaches into that of the cell."""
        inside = []
        for length in self.shape:
            place = np.arange(length)
            to_end = np.where(
                place // self.side == (length - 1) // self.side, self.side, self.side - 1 - place % self.side
            )
            from_start = np.where(place < self.side, self.side, place % self.side)
            inside.append((to_end >= self.margin) & (from_start >= self.margin))
        return np.asarray(inside[0][:, None] & inside[1][None])

    def cells(self, fold: int) -> list[Cells]:
        """The blocks of a fold."""
        rows, columns = self.shape
        return [
            Cells(r * self.side, min((r + 1) * self.side, rows), c * self.side, min((c + 1) * self.side, columns))
            for r, c in np.argwhere(self.folds == fold)
        ]

    def _spread(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        return values.repeat(self.side, 0).repeat(self.side, 1)[: self.shape[0], : self.shape[1]]


@dataclass(frozen=True)
class GroundScores:
    """Scores of every cell, by judges that have not learnt from it.

    Attributes:
        logits: as the judges gave them.
        ratios: log density ratios, calibrated on other blocks; the logits themselves where they have no density.
        blocks: of the ground.
        counted: (rows, columns), cells that figures are drawn from.
        learnt: the judge of every fold; empty for one left over from training.
    """

    logits: LogitMaps
    ratios: LogitMaps
    blocks: Blocks
    counted: NDArray[np.bool_]
    learnt: tuple[Learnt, ...] = ()


def calibrated(logits: LogitMaps, blocks: Blocks, counted: NDArray[np.bool_], way: Way) -> LogitMaps:
    """Log density ratios of logits: the law for each fold comes from the blocks of the others."""
    fold_of, maps = blocks.fold_of, {kind: found.copy() for kind, found in logits.of.items()}
    for fold in np.unique(blocks.folds):
        others, mine = counted & (fold_of != fold), fold_of == fold
        law = Calibration.fitted(way, *(logits.of[kind][others].astype(np.float64) for kind in ("real", "generated")))
        for found in maps.values():
            known = mine & np.isfinite(found)
            found[known] = law(found[known].astype(np.float64))
    return LogitMaps(maps)


def refit_ground(
    ground: Ground,
    how: Refit,
    build: Callable[[], nn.Module],
    *,
    way: Way,
    device: torch.device,
    progress: Progress | None = None,
) -> GroundScores:
    """Judge a ground by discriminators that are learnt afresh on it, each on other blocks than it judges.

    Args:
        ground: with both kinds of candidates.
        how: settings.
        build: gives an untrained discriminator, its patches those of the ground's geometry.
        way: of calibration.
        device: where to compute.
        progress: called after each fold.

    Raises:
        GridError: the ground is too small.
    """
    blocks = Blocks.of(ground, how.folds, how.seed)
    inner, fold_of, learnt = blocks.inner, blocks.fold_of, []
    for fold in range(how.folds):
        stop = (fold + 1) % how.folds
        mine = inner & (fold_of != fold) & (fold_of != stop)
        torch.manual_seed(how.seed * 1009 + fold)
        checks = [_batch(ground, [cells], inner) for cells in blocks.cells(stop)[:CHECKS]]
        checks = [check for check in checks if check.real_counts.any()]
        if not checks or not mine.any():
            raise GridError(
                f"{ground.observed.name}: too few blocks of {blocks.side * ground.geometry.stride} pixels lie on data "
                "alone for a discriminator to be learnt. Take a larger scene, or leave --refit out."
            )
        found = learn(
            build(),
            partial(_draw, ground, mine, how.batch),
            checks,
            how,
            device=device,
            seed=how.seed * 1009 + fold,
        )
        learnt.append(found)
        if progress is not None:
            progress(fold + 1, how.folds)

    def judge_of(cells: Cells) -> Judge:
        fold = int(blocks.folds[cells.top // blocks.side, cells.left // blocks.side])
        chance = torch.Generator().manual_seed(how.seed * 1_000_003 + cells.top * 65_537 + cells.left)
        return lambda candidate, *given: learnt[fold].network(noisy(candidate, how.noise, chance), *given)

    logits = dense_logits(ground, judge_of, device=device, side=blocks.side)
    counted = logits.known & inner
    return GroundScores(logits, calibrated(logits, blocks, counted, way), blocks, counted, tuple(learnt))


def _draw(ground: Ground, mine: NDArray[np.bool_], count: int, rng: np.random.Generator) -> Batch:
    """A batch to learn from."""
    return _batch(ground, _drawn(ground, rng, count, mine), mine)


def _drawn(ground: Ground, rng: np.random.Generator, count: int, mine: NDArray[np.bool_]) -> list[Cells]:
    """Windows around cells that may be learnt from; they start at whole observed pixels."""
    rows, columns = ground.shape
    step = math.lcm(ground.geometry.stride, ground.scale) // ground.geometry.stride
    high, wide = (max(step, min(WINDOW, length) // step * step) for length in (rows, columns))
    places = np.argwhere(mine)
    drawn = []
    for row, column in places[rng.integers(len(places), size=count)]:
        top, left = (
            int(np.clip(place - length // 2 + rng.integers(-4, 5), 0, whole - length)) // step * step
            for place, length, whole in ((row, high, rows), (column, wide, columns))
        )
        drawn.append(Cells(top, top + high, left, left + wide))
    return drawn


def _batch(ground: Ground, windows: list[Cells], mine: NDArray[np.bool_]) -> Batch:
    """Windows of both kinds; of each, the cells count that are usable and may be looked at."""
    shown = [ground.show(cells) for cells in windows]
    counts = torch.stack([_counts(ground, one, cells, mine) for one, cells in zip(shown, windows, strict=True)])
    given = [torch.cat(parts) for parts in zip(*(one.given for one in shown), strict=True)]
    real, generated = (torch.cat([one.candidates[kind] for one in shown]) for kind in ("real", "generated"))
    return Batch((real, *given), (generated, *given), counts, counts)


def _counts(ground: Ground, shown: Shown, cells: Cells, mine: NDArray[np.bool_]) -> torch.Tensor:
    """Which logits of a judge count, among all that it gives for what is shown."""
    height, width = (length // ground.geometry.stride for length in next(iter(shown.candidates.values())).shape[2:])
    counts = torch.zeros(1, 1, height, width)
    ground.of_cells(counts, cells)[:] = torch.from_numpy(mine[cells.place] & shown.usable)
    return counts[0, 0] > 0
