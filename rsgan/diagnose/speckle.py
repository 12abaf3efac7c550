"""The ratio image of a despeckled raster: what was taken out of it, beside speckle that is drawn afresh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from rsgan.diagnose.ground import Floats, Ground, Read, read_beyond, refuse_elsewhere
from rsgan.geo import Grid, Scene, Window
from rsgan.nn.discriminators import PatchGeometry, SpeckleDiscriminator
from rsgan.nn.generators import SpeckleState
from rsgan.sensors.sar import draw_speckle

TINY = 1e-30
"""Intensity below which nothing is taken for measured."""


@dataclass(frozen=True)
class RatioGround(Ground):
    """Observed / despeckled of one band (generated), and speckle of the same law (real), both as logarithms.

    Attributes:
        observed: SAR scene, intensity.
        despeckled: of it, on the same grid.
        band: which of their bands.
        looks: of the speckle.
        correlation: of neighbouring intensities, from row to row and from column to column.
        geometry: of the patches.
        seed: of the speckle that is drawn.
        scale: candidate pixels per observed pixel.
    """

    observed: Scene
    despeckled: Scene
    band: int
    looks: float
    correlation: tuple[float, float]
    geometry: PatchGeometry
    seed: int = 0
    scale: int = 1

    def __post_init__(self) -> None:
        """Refuse rasters that do not lie on each other.

        Raises:
            GridError: naming them.
        """
        refuse_elsewhere(self.observed, self.despeckled, 1)

    @property
    def fine(self) -> Grid:
        """Where the pixels lie."""
        return self.observed.grid

    @property
    def kinds(self) -> tuple[str, ...]:
        """Of candidates."""
        return ("real", "generated")

    def read(self, rows: tuple[int, int], columns: tuple[int, int]) -> Read:
        """See `Ground`; given are looks and correlation. What is drawn depends on where the window begins."""
        intensity, usable = [], []
        for scene in (self.observed, self.despeckled):
            chip, around = read_beyond(scene, rows, columns)
            values = chip.values[self.band]
            there = chip.valid[self.band] & (values > TINY)
            intensity.append(np.pad(np.log(np.where(there, values, 1)), around))
            usable.append(np.pad(there, around))
        valid = usable[0] & usable[1]
        rng = np.random.default_rng((self.seed, self.band, rows[0] + 2**20, columns[0] + 2**20))
        fresh = np.log(draw_speckle(rng, (valid.shape[0], valid.shape[1]), self.looks, self.correlation))
        made = {"real": fresh, "generated": intensity[0] - intensity[1]}
        candidates = {
            kind: torch.from_numpy(np.where(valid, x, 0).astype(np.float32))[None, None] for kind, x in made.items()
        }
        return Read(candidates, (torch.tensor([self.looks]), torch.tensor([self.correlation])), valid)

    def picture(self, window: Window) -> dict[str, Floats]:
        """See `Ground`; decibels of both images and of their ratio, beside speckle drawn afresh."""
        rows, columns = (
            (int(start), int(start + length))
            for start, length in ((window.row_off, window.height), (window.col_off, window.width))
        )
        read, decibels = self.read(rows, columns), 10 / np.log(10)
        seen = [scene.read(window).values[self.band : self.band + 1] for scene in (self.observed, self.despeckled)]
        images = dict(zip(("observed", "generated"), (10 * np.log10(np.maximum(x, TINY)) for x in seen), strict=True))
        images |= {
            name: read.candidates[kind][0].numpy() * decibels
            for name, kind in (("ratio", "generated"), ("fresh", "real"))
        }
        return {name: np.where(read.valid, x, np.float32(np.nan)).astype(np.float32) for name, x in images.items()}

    def generated(self, window: Window) -> Floats:
        """See `Ground`; decibels of the despeckled image."""
        chips = [scene.read(window) for scene in (self.observed, self.despeckled)]
        there = [chip.valid[self.band] & (chip.values[self.band] > TINY) for chip in chips]
        decibels = 10 * np.log10(np.maximum(chips[1].values[self.band], TINY))
        return np.where(there[0] & there[1], decibels, np.float32(np.nan)).astype(np.float32)[None]


class RatioJudge(nn.Module):
    """The half of a despeckler's discriminator that looks at ratio images."""

    def __init__(self, discriminator: SpeckleDiscriminator) -> None:
        super().__init__()
        self.discriminator = discriminator

    def forward(self, log_ratio: Tensor, looks: Tensor, correlation: Tensor) -> Tensor:
        """(N, 1, H, W), (N,), (N, 2) -> (N, 1, rows, columns) logits."""
        return self.discriminator.judge_ratio(log_ratio, SpeckleState(looks, correlation))
