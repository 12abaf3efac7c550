"""Whether a stated uncertainty holds: how often the error lies within the interval that it promises.

Source: coverage of prediction intervals, Gneiting, Balabdaoui, Raftery, Probabilistic forecasts, calibration and
sharpness, JRSS B 69, 2007, section 3.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from rsgan.metrics.comparison import Bools, Floats

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.68, 0.8, 0.9, 0.95, 0.99)
"""Nominal shares at which the coverage is measured; 0.68 and 0.95 are those that are usually promised."""

TERCILES = ("smooth", "middle", "edges")
"""The pixels in thirds, by the local gradient of the reference."""

_EDGES = np.concatenate([[0.0], np.geomspace(1e-6, 1.0, 600)])
"""Borders of the gradient's bins, reflectance per pixel; each is 2.3 % wider than the one before."""

_HALF_WIDTHS = norm.ppf(0.5 + np.array(LEVELS) / 2)
"""Half the width of a normal interval of each level, standard deviations."""


@dataclass(frozen=True)
class Coverage:
    """Measured shares of the values whose error lies within the interval of each nominal level.

    Attributes:
        levels: Nominal shares, 0..1.
        overall: Measured shares, one per level.
        terciles: Measured shares by the local gradient of the reference: smooth, middle, edges.
        count: Values (pixels times bands) that were looked at.
    """

    levels: tuple[float, ...]
    overall: tuple[float, ...]
    terciles: dict[str, tuple[float, ...]]
    count: int


@dataclass(frozen=True)
class CoverageCounts:
    """How many values of each gradient lie within the interval of each level; those of two windows are added with +.

    Attributes:
        within: (bins of the gradient, levels) values inside.
        total: (bins of the gradient,) values looked at.
    """

    within: Floats
    total: Floats

    @classmethod
    def none(cls) -> "CoverageCounts":
        """Nothing counted yet."""
        bins = len(_EDGES)
        return cls(np.zeros((bins, len(LEVELS))), np.zeros(bins))

    @classmethod
    def of(
        cls,
        error: NDArray[np.floating],
        sigma: NDArray[np.floating],
        gradient: NDArray[np.floating],
        valid: Bools,
    ) -> "CoverageCounts":
        """The counts of one window.

        Args:
            error: (C, H, W) enhanced - reference.
            sigma: (C, H, W) stated standard error, same unit; values that are not above zero promise no error at all.
            gradient: (H, W) length of the local gradient of the reference, same unit per pixel.
            valid: bool (C, H, W).
        """
        bins = np.broadcast_to(np.searchsorted(_EDGES, gradient, side="right") - 1, error.shape)[valid]
        size, promised = np.abs(error[valid]), np.maximum(sigma[valid], 0)
        count = len(_EDGES)
        within = [np.bincount(bins[size <= width * promised], minlength=count) for width in _HALF_WIDTHS]
        return cls(np.stack(within, axis=1).astype(np.float64), np.bincount(bins, minlength=count).astype(np.float64))

    def __add__(self, other: "CoverageCounts") -> "CoverageCounts":
        return CoverageCounts(self.within + other.within, self.total + other.total)

    def coverage(self) -> Coverage:
        """The measured shares; nan where nothing was counted.

        The thirds are cut between bins of the gradient, so they hold a third of the values to the width of a bin.
        """
        below = np.cumsum(self.total) - self.total / 2
        third = np.minimum(below * 3 / max(self.total.sum(), 1), 2.999).astype(int)
        return Coverage(
            levels=LEVELS,
            overall=self._shares(np.ones(len(self.total), dtype=np.bool_)),
            terciles={name: self._shares(third == number) for number, name in enumerate(TERCILES)},
            count=int(self.total.sum()),
        )

    def _shares(self, bins: Bools) -> tuple[float, ...]:
        total = self.total[bins].sum()
        inside = self.within[bins].sum(axis=0)
        return tuple((inside / total).tolist()) if total else (float("nan"),) * len(LEVELS)


def local_gradient(reference: NDArray[np.floating]) -> Floats:
    """(C, H, W) -> (H, W): length of the gradient by central differences, averaged over the bands, unit per pixel."""
    rows, columns = (np.gradient(reference.astype(np.float64), axis=axis) for axis in (1, 2))
    return np.asarray(np.hypot(rows, columns).mean(axis=0))
