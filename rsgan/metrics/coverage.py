"""Whether a stated uncertainty holds: how often the error lies within the interval that it promises.

Source: coverage of prediction intervals, Gneiting, Balabdaoui, Raftery, Probabilistic forecasts, calibration and
sharpness, JRSS B 69, 2007, section 3.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import norm
from scipy.stats import t as student

from rsgan.metrics.comparison import Bools, Floats

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.68, 0.8, 0.9, 0.95, 0.99)
"""Nominal shares at which the coverage is measured; 0.68 and 0.95 are those that are usually promised."""

TERCILES = ("smooth", "middle", "edges")
"""The pixels in thirds, by the local gradient of the reference."""

_EDGES = np.concatenate([[0.0], np.geomspace(1e-6, 1.0, 600)])
"""Borders of the gradient's bins, reflectance per pixel; each is 2.3 % wider than the one before."""


def half_widths(factor_95: float | None = None) -> Floats:
    """Half the width of the interval of each level, in stated standard errors.

    Args:
        factor_95: standard errors to each side that are to hold 95 % where one holds 68 %: the widths are then those of
            the Student distribution with that ratio, whose tails are as heavy; None takes the normal distribution.
    """
    probabilities = 0.5 + np.array(LEVELS) / 2
    normal: Floats = norm.ppf(probabilities)
    if factor_95 is None:
        return normal
    at_68, at_95 = 0.5 + 0.68 / 2, 0.5 + 0.95 / 2

    def excess(log_freedom: float) -> float:
        freedom = np.exp(log_freedom)
        return float(student.ppf(at_95, freedom) / student.ppf(at_68, freedom) - factor_95)

    heaviest, lightest = np.log(0.7), np.log(1e4)
    if excess(lightest) > 0:
        log_freedom = lightest
    elif excess(heaviest) < 0:
        log_freedom = heaviest
    else:
        log_freedom = brentq(excess, heaviest, lightest)
    freedom = np.exp(log_freedom)
    widths: Floats = student.ppf(probabilities, freedom) / student.ppf(at_68, freedom)
    return widths


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
        widths: Floats | None = None,
    ) -> "CoverageCounts":
        """The counts of one window.

        Args:
            error: (C, H, W) enhanced - reference.
            sigma: (C, H, W) stated standard error, same unit; values that are not above zero promise no error at all.
            gradient: (H, W) length of the local gradient of the reference, same unit per pixel.
            valid: bool (C, H, W).
            widths: half widths of the levels in standard errors, from `half_widths`; None takes the normal ones.
        """
        widths = half_widths() if widths is None else widths
        bins = np.broadcast_to(np.searchsorted(_EDGES, gradient, side="right") - 1, error.shape)[valid]
        size, promised = np.abs(error[valid]), np.maximum(sigma[valid], 0)
        count = len(_EDGES)
        within = [np.bincount(bins[size <= width * promised], minlength=count) for width in widths]
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
