"""Logits on the ground: a discriminator over a whole scene, one number per cell, without seams."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils import parametrize

from rsgan.diagnose.ground import Cells, Ground
from rsgan.geo import ahead

Judge = Callable[..., Tensor]
"""Candidates (N, C, H, W), and what is given beside them -> logits (N, 1, rows, columns)."""
Progress = Callable[[int, int], None]
"""Called with (windows done, windows in all)."""
WINDOW = 120
"""Side of the windows of the walk, cells: small enough that a CPU's cache holds a layer, large beside the halo."""


@dataclass(frozen=True)
class LogitMaps:
    """Logits of every cell of a ground, nan where a patch does not lie on data alone.

    Attributes:
        of: (rows, columns) float32 by kind of candidate.
    """

    of: dict[str, NDArray[np.float32]]

    @property
    def known(self) -> NDArray[np.bool_]:
        """(rows, columns), where all kinds have a logit."""
        return np.asarray(np.isfinite(np.stack(list(self.of.values()))).all(axis=0))


@torch.inference_mode()
@parametrize.cached()  # spectral norms once, not once per window
def dense_logits(
    ground: Ground,
    judge_of: Callable[[Cells], Judge],
    *,
    device: torch.device,
    side: int = WINDOW,
    progress: Progress | None = None,
) -> LogitMaps:
    """Judge a whole ground, window by window.

    Args:
        ground: what is judged.
        judge_of: cells of a window -> who judges them; one and the same, or by folds.
        device: where to compute.
        side: of the windows, cells; changes memory, no logit beyond rounding.
        progress: called after each window.
    """
    windows = list(ground.walk(side))
    maps = {kind: np.full(ground.shape, np.nan, np.float32) for kind in ground.kinds}
    with ahead(ground.show, windows) as steps:
        for done, (cells, shown) in enumerate(zip(windows, steps, strict=True), start=1):
            judge, given = judge_of(cells), [one.to(device) for one in shown.given]
            for kind, candidate in shown.candidates.items():
                logits = ground.of_cells(judge(candidate.to(device), *given), cells)[0].float().cpu().numpy()
                maps[kind][cells.place] = np.where(shown.usable, logits, np.float32(np.nan))
            if progress is not None:
                progress(done, len(windows))
    return LogitMaps(maps)
