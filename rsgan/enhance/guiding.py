"""Finer bands of the same ground, read beside a scene that they guide."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from rsgan.errors import GridError
from rsgan.filters.linear_injection import LinearFit, LinearInjection
from rsgan.geo import Chip, Scene, Window, fill, scale_window, valid_blocks

EDGE = 3
"""Coarse pixels beside an invalid one that nothing is learnt from."""


@dataclass(frozen=True)
class Guiding:
    """A finer scene and where the coarse one lies on it.

    Attributes:
        scene: open scene of the finer bands.
        nested: the coarse scene's ground, in pixels of the finer.
        scale: fine pixels per coarse pixel.
    """

    scene: Scene
    nested: Window
    scale: int

    @classmethod
    def of(cls, coarse: Scene, fine: Scene) -> Guiding:
        """Find the coarse scene on the fine one.

        Raises:
            GridError: they do not nest; the message names both.
        """
        try:
            nested = coarse.grid.nest(fine.grid)
        except GridError as error:
            raise GridError(
                f"{coarse.name}: bands {' '.join(coarse.bands)} and {' '.join(fine.bands)}: {error}"
            ) from error
        return cls(fine, nested, int(nested.height) // coarse.grid.height)

    def place(self, window: Window) -> Window:
        """The ground of a window of the coarse scene, in pixels of the finer."""
        inside = scale_window(window, self.scale)
        return Window(
            self.nested.col_off + inside.col_off, self.nested.row_off + inside.row_off, inside.width, inside.height
        )

    def read(self, window: Window) -> Chip:
        """The finer bands over a window of the coarse scene."""
        return self.scene.read(self.place(window))


def both_valid(coarse: Chip, fine: Chip, scale: int) -> NDArray[np.bool_]:
    """(h, w) on the coarse grid: True where every band of both chips of one ground is."""
    whole: NDArray[np.bool_] = np.all(coarse.valid, axis=0) & valid_blocks(np.all(fine.valid, axis=0), scale)
    return whole


def fit_injection(
    guiding: Guiding,
    samples: list[tuple[Window, Chip]],
    sigma: NDArray[np.float64],
    background: NDArray[np.float64],
    guide_background: NDArray[np.float64],
) -> LinearInjection:
    """The linear law of a scene, from the windows that its statistics looked at.

    Args:
        guiding: the finer bands.
        samples: windows of the coarse scene and what was read there.
        sigma: (C,) Gaussian width of the coarse bands' point spread function, coarse pixels.
        background: (C,) for pixels far from every valid one.
        guide_background: (G,) likewise.

    Raises:
        RsganError: no valid pixel.
    """
    fit = LinearFit(torch.from_numpy(sigma), len(guiding.scene.bands), guiding.scale)
    for window, chip in samples:
        fine = guiding.read(window)
        valid = ndimage.binary_erosion(both_valid(chip, fine, guiding.scale), iterations=EDGE, border_value=1)
        fit.add(
            torch.from_numpy(fill(chip, background))[None],
            torch.from_numpy(fill(fine, guide_background))[None],
            torch.from_numpy(valid),
        )
    return fit.solve()
