"""A despeckled raster: its ratio image beside fresh speckle, or itself beside a reference without speckle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from rsgan.diagnose.ground import Bools, Floats, Ground, Read, read_beyond, refuse_elsewhere
from rsgan.geo import Grid, Scene, Window
from rsgan.nn.discriminators import PatchGeometry, SpeckleDiscriminator
from rsgan.nn.generators import SpeckleState
from rsgan.sensors.sar import draw_speckle

TINY = 1e-30
"""Intensity below which nothing is taken for measured."""
DECIBELS = 10 / np.log(10)
"""Of one unit of the natural logarithm of intensity."""


@dataclass(frozen=True, kw_only=True)
class SarGround(Ground):
    """One band of a scene and of what despeckling made of it.

    Attributes:
        observed: SAR scene, intensity.
        despeckled: of it, on the same grid.
        band: which of their bands.
        looks: of the speckle.
        correlation: of neighbouring intensities, from row to row and from column to column.
        geometry: of the patches.
        scale: candidate pixels per observed pixel.
    """

    observed: Scene
    despeckled: Scene
    band: int
    looks: float
    correlation: tuple[float, float]
    geometry: PatchGeometry
    scale: int = 1

    @property
    def scenes(self) -> tuple[Scene, ...]:
        """Those that have to be valid."""
        return self.observed, self.despeckled

    def __post_init__(self) -> None:
        """Refuse rasters that do not lie on each other.

        Raises:
            GridError: naming them.
        """
        for scene in self.scenes[1:]:
            refuse_elsewhere(self.observed, scene, 1)

    @property
    def fine(self) -> Grid:
        """Where the pixels lie."""
        return self.observed.grid

    @property
    def kinds(self) -> tuple[str, ...]:
        """Of candidates."""
        return ("real", "generated")

    @property
    def law(self) -> tuple[Tensor, Tensor]:
        """Looks (1,) and correlation (1, 2), as judges are given them."""
        return torch.tensor([self.looks]), torch.tensor([self.correlation])

    def logarithms(self, rows: tuple[int, int], columns: tuple[int, int]) -> tuple[list[Floats], Bools]:
        """Log-intensity (H, W) of every scene, and where all of them hold one."""
        logs, usable = [], []
        for scene in self.scenes:
            chip, around = read_beyond(scene, rows, columns)
            values = chip.values[self.band]
            there = chip.valid[self.band] & (values > TINY)
            logs.append(np.pad(np.log(np.where(there, values, np.float32(1))), around))
            usable.append(np.pad(there, around))
        return logs, np.asarray(np.all(usable, axis=0))

    def generated(self, window: Window) -> Floats:
        """See `Ground`; decibels of the despeckled image."""
        logs, valid = self.logarithms(*_pixels(window))
        return _decibels(logs[1], valid)


@dataclass(frozen=True, kw_only=True)
class RatioGround(SarGround):
    """Observed / despeckled (generated), and speckle of the same law (real), both as logarithms.

    Attributes:
        seed: of the speckle that is drawn.
    """

    seed: int = 0

    def read(self, rows: tuple[int, int], columns: tuple[int, int]) -> Read:
        """See `Ground`; given are looks and correlation. What is drawn depends on where the window begins."""
        (observed, despeckled), valid = self.logarithms(rows, columns)
        candidates = {
            "real": _candidate(self._fresh(rows, columns), valid),
            "generated": _candidate(observed - despeckled, valid),
        }
        return Read(candidates, self.law, valid)

    def picture(self, window: Window) -> dict[str, Floats]:
        """See `Ground`; decibels of both images and of their ratio, beside speckle drawn afresh."""
        rows, columns = _pixels(window)
        (observed, despeckled), valid = self.logarithms(rows, columns)
        images = {"observed": observed, "generated": despeckled, "ratio": observed - despeckled}
        images["fresh"] = self._fresh(rows, columns)
        return {name: _decibels(logs, valid) for name, logs in images.items()}

    def _fresh(self, rows: tuple[int, int], columns: tuple[int, int]) -> Floats:
        """(H, W) logarithms of speckle."""
        rng = np.random.default_rng((self.seed, self.band, rows[0] + 2**20, columns[0] + 2**20))
        shape = rows[1] - rows[0], columns[1] - columns[0]
        return np.log(draw_speckle(rng, shape, self.looks, self.correlation)).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class DespeckledGround(SarGround):
    """The despeckled image (generated) and the same ground without speckle (real), relative to the scene's level.

    Attributes:
        reference: without speckle, on the same grid.
        level: median log-intensity of the observed band.
    """

    reference: Scene
    level: float

    @property
    def scenes(self) -> tuple[Scene, ...]:
        """See `SarGround`."""
        return self.observed, self.despeckled, self.reference

    def read(self, rows: tuple[int, int], columns: tuple[int, int]) -> Read:
        """See `Ground`; given are the observed image, looks and correlation."""
        logs, valid = self.logarithms(rows, columns)
        observed, generated, real = (_candidate(log - np.float32(self.level), valid) for log in logs)
        return Read({"real": real, "generated": generated}, (observed, *self.law), valid)

    def picture(self, window: Window) -> dict[str, Floats]:
        """See `Ground`; decibels of all three images."""
        logs, valid = self.logarithms(*_pixels(window))
        return {name: _decibels(log, valid) for name, log in zip(("observed", "generated", "real"), logs, strict=True)}


def _pixels(window: Window) -> tuple[tuple[int, int], tuple[int, int]]:
    """Rows and columns of a window, each from where to where."""
    top, left = int(window.row_off), int(window.col_off)
    return (top, top + int(window.height)), (left, left + int(window.width))


def _candidate(logs: Floats, valid: Bools) -> Tensor:
    """(1, 1, H, W), 0 where invalid."""
    return torch.from_numpy(np.where(valid, logs, np.float32(0)).astype(np.float32))[None, None]


def _decibels(logs: Floats, valid: Bools) -> Floats:
    """(1, H, W), nan where invalid."""
    return np.where(valid, logs * np.float32(DECIBELS), np.float32(np.nan)).astype(np.float32)[None]


class RatioJudge(nn.Module):
    """The half of a despeckler's discriminator that looks at ratio images."""

    def __init__(self, discriminator: SpeckleDiscriminator) -> None:
        super().__init__()
        self.discriminator = discriminator

    def forward(self, log_ratio: Tensor, looks: Tensor, correlation: Tensor) -> Tensor:
        """(N, 1, H, W), (N,), (N, 2) -> (N, 1, rows, columns) logits."""
        return self.discriminator.judge_ratio(log_ratio, SpeckleState(looks, correlation))


class DespeckledJudge(nn.Module):
    """The half of a despeckler's discriminator that looks at images."""

    def __init__(self, discriminator: SpeckleDiscriminator) -> None:
        super().__init__()
        self.discriminator = discriminator

    def forward(self, candidate: Tensor, observed: Tensor, looks: Tensor, correlation: Tensor) -> Tensor:
        """(N, 1, H, W) twice, (N,), (N, 2) -> (N, 1, rows, columns) logits."""
        logits: Tensor = self.discriminator(candidate, observed, SpeckleState(looks, correlation))
        return logits
