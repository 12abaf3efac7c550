"""A finite discriminator is not the optimal one: how far its logits can be believed, and how they are mended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from rsgan.errors import ConfigError

Floats = NDArray[np.float64]
Way = Literal["none", "temperature", "platt", "isotonic"]
BINS = 10
"""Of a reliability diagram."""
SURE = 1e-3
"""Shares nearer to 0 or 1 than this are not given by isotonic calibration: steps of few patches reach both."""


@dataclass(frozen=True)
class Calibration:
    """Logits -> log density ratios.

    Attributes:
        way: by which it was fitted.
        slope: of the logits; 0: they tell nothing, 1: nothing is to be mended.
        offset: added.
        steps: the isotonic law; None for the others.
    """

    way: Way
    slope: float = 1.0
    offset: float = 0.0
    steps: IsotonicRegression | None = None

    @classmethod
    def fitted(cls, way: Way, real: Floats, generated: Floats) -> Calibration:
        """From logits of patches that the discriminator has not learnt from, as many of each kind counted.

        Source: temperature: Guo et al. 2017, arXiv:1706.04599; Platt 1999; isotonic: Zadrozny and Elkan 2002,
        doi:10.1145/775047.775151.

        Raises:
            ConfigError: a kind has no patch, or there is no such way.
        """
        if not (len(real) and len(generated)):
            raise ConfigError("calibration needs held-out patches of both kinds, and one of them has none.")
        scores = np.concatenate([real, generated])
        labels = np.repeat([1, 0], [len(real), len(generated)])
        weights = np.repeat([0.5 / len(real), 0.5 / len(generated)], [len(real), len(generated)]) * len(scores)
        if way == "none":
            return cls(way)
        if way == "isotonic":
            steps = IsotonicRegression(y_min=SURE, y_max=1 - SURE, out_of_bounds="clip")
            return cls(way, steps=steps.fit(scores, labels, sample_weight=weights))
        if way not in ("temperature", "platt"):
            raise ConfigError(f"calibration is '{way}'; expected none, temperature, platt or isotonic.")
        spread = max(float(scores.std()), 1e-9)  # so that the solver's step does not depend on the logits' unit
        law = LogisticRegression(C=1e6, fit_intercept=way == "platt", max_iter=1000)
        law.fit(scores[:, None] / spread, labels, sample_weight=weights)
        return cls(way, float(law.coef_[0, 0]) / spread, float(law.intercept_[0]) if way == "platt" else 0.0)

    def __call__(self, scores: Floats) -> Floats:
        """Log density ratios of logits."""
        if self.steps is not None:
            return np.asarray(logit(self.steps.predict(scores)))
        return self.slope * scores + self.offset


@dataclass(frozen=True)
class Reliability:
    """How often references are among patches that get a certain share.

    Attributes:
        stated: (bins,) mean share that patches got; nan for an empty bin.
        found: (bins,) share of references among them.
        weights: (bins,) share of all patches that are in it.
    """

    stated: Floats
    found: Floats
    weights: Floats

    @property
    def error(self) -> float:
        """Expected calibration error, 0 (as stated) .. 1.

        Source: Naeini, Cooper, Hauskrecht 2015, AAAI.
        """
        there = self.weights > 0
        return float((self.weights[there] * np.abs(self.stated - self.found)[there]).sum())


def reliability(real: Floats, generated: Floats, bins: int = BINS) -> Reliability:
    """Of log density ratios of held-out patches, both kinds counted alike."""
    shares = expit(np.concatenate([real, generated]))
    labels = np.repeat([1.0, 0.0], [len(real), len(generated)])
    weights = np.repeat([0.5 / max(len(real), 1), 0.5 / max(len(generated), 1)], [len(real), len(generated)])
    place = np.minimum((shares * bins).astype(int), bins - 1)
    sums = [np.bincount(place, w, bins).astype(np.float64) for w in (weights, weights * shares, weights * labels)]
    with np.errstate(invalid="ignore"):
        return Reliability(sums[1] / sums[0], sums[2] / sums[0], sums[0])
