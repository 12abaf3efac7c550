"""Figures of despeckled bands that are too large to be held, and what is expected of them; see `metrics.speckle`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from rsgan.metrics.speckle import (
    BINS,
    BLOCK,
    LAGS,
    RATIO_DB,
    STRIDE,
    Blocks,
    Bools,
    EdgeSums,
    Floats,
    LagSums,
    ratio_counts,
    ratio_image,
)
from rsgan.sensors.sar import median_db


@dataclass(frozen=True)
class SpeckleFigures:
    """Figures of one band that need no reference.

    Attributes:
        pixels: that were counted: valid, observed and despeckled intensity above 0.
        looks: equivalent number of looks that the figures are held against.
        correlation: lag-1 intensity correlation of the speckle, likewise.
        blocks: homogeneous blocks of `BLOCK` pixels a side; 0 makes the figures that need them NaN.
        enl_observed: equivalent number of looks of the observed image, median over the homogeneous blocks.
        enl_enhanced: that of the despeckled one.
        mean_ratio: MoR over all pixels.
        mean_ratio_error: standard error of it if the ratio image is nothing but speckle.
        ratio_variance: L x VoR over all pixels.
        homogeneous_mean_ratio: MoR over the homogeneous blocks.
        homogeneous_ratio_variance: L x VoR within them.
        median_ratio_db: median of the ratio image over that of the speckle, dB.
        ks_distance: of the ratio image from Gamma(L, 1/L), over every `STRIDE`-th pixel of the homogeneous blocks.
        ks_pixels: how many pixels these are.
        ratio_structure: largest difference between the correlations of the ratio image and of the speckle.
        edge_correlation: |correlation| of the ratio image with the edges of the despeckled one.
        intensity_change: mean despeckled over mean observed intensity, less 1.
        histogram: share of the ratio image in each of `BINS` bins between the ends `RATIO_DB`, dB.
    """

    pixels: int
    looks: float
    correlation: tuple[float, float]
    blocks: int
    enl_observed: float
    enl_enhanced: float
    mean_ratio: float
    mean_ratio_error: float
    ratio_variance: float
    homogeneous_mean_ratio: float
    homogeneous_ratio_variance: float
    median_ratio_db: float
    ks_distance: float
    ks_pixels: int
    ratio_structure: float
    edge_correlation: float
    intensity_change: float
    histogram: Floats = field(repr=False, compare=False)


@dataclass(frozen=True)
class Criterion:
    """One figure beside what is expected of it.

    Attributes:
        key: name of the field of `SpeckleFigures`.
        title: what people read.
        value: the figure.
        lowest: that is accepted; None for any.
        highest: that is accepted; None for any.
        meaning: in plain words, what it says.
    """

    key: str
    title: str
    value: float
    lowest: float | None
    highest: float | None
    meaning: str

    @property
    def kept(self) -> bool | None:
        """Whether it is as expected; None where there is no figure."""
        if np.isnan(self.value):
            return None
        above = self.lowest is None or self.value >= self.lowest
        return bool(above and (self.highest is None or self.value <= self.highest))

    @property
    def expected(self) -> str:
        """The accepted range in words."""
        if self.lowest is None:
            return f"at most {self.highest:.3g}"
        return f"at least {self.lowest:.3g}" if self.highest is None else f"{self.lowest:.3g} .. {self.highest:.3g}"


def criteria(figures: SpeckleFigures) -> tuple[Criterion, ...]:
    """The figures that a despeckled band is accepted by, with their limits."""
    return (
        Criterion("mean_ratio", "Mean of the ratio image", figures.mean_ratio, 0.95, 1.05,
                  "1 if the mean intensity is kept everywhere; below 1 the despeckled image is too bright."),
        Criterion("homogeneous_mean_ratio", "Mean of the ratio, even ground", figures.homogeneous_mean_ratio, 0.98,
                  1.02, "The same where the observed image shows nothing but speckle."),
        Criterion("ratio_variance", "Variance of the ratio, of the speckle's", figures.ratio_variance, 0.85, 1.15,
                  "Below 1 speckle stayed in the image; above 1 ground went out with it."),
        Criterion("homogeneous_ratio_variance", "Variance of the ratio, even ground",
                  figures.homogeneous_ratio_variance, 0.90, 1.05, "The same on even ground."),
        Criterion("median_ratio_db", "Median of the ratio, dB from the speckle's", figures.median_ratio_db, -0.2, 0.2,
                  "Tells a lost bias of the logarithm, which the mean of the ratio can hide."),
        Criterion("ks_distance", "Distance of the ratio from speckle's law", figures.ks_distance, None,
                  float(0.01 + 1.63 / np.sqrt(max(figures.ks_pixels, 1))),
                  "Largest gap between the two cumulated histograms."),
        Criterion("ratio_structure", "Structure in the ratio image", figures.ratio_structure, None, 0.05,
                  "Neighbours in the ratio image are alike only as far as speckle makes them: more is ground."),
        Criterion("edge_correlation", "Edges in the ratio image", figures.edge_correlation, None, 0.05,
                  "The ratio image does not know where the edges of the despeckled one are."),
    )  # fmt: skip


@dataclass
class SpeckleTally:
    """Figures of a band that is too large to be held: add its windows one by one.

    Attributes:
        looks: equivalent number of looks that the figures are held against.
        correlation: lag-1 intensity correlation of the speckle, from row to row and from column to column.
    """

    looks: float
    correlation: tuple[float, float]
    sums: Floats = field(default_factory=lambda: np.zeros(5))
    histogram: Floats = field(default_factory=lambda: np.zeros(BINS))
    lags: LagSums = field(default_factory=lambda: LagSums(LAGS))
    edges: EdgeSums = field(default_factory=lambda: EdgeSums())
    blocks: Blocks = field(init=False)

    def __post_init__(self) -> None:
        """Begin with nothing."""
        self.blocks = Blocks(self.looks, BLOCK)

    def add(
        self,
        observed: NDArray[np.floating],
        enhanced: NDArray[np.floating],
        valid: Bools,
        *,
        row: int = 0,
        column: int = 0,
    ) -> None:
        """Take one window.

        Args:
            observed: (h, w) intensity.
            enhanced: (h, w) intensity.
            valid: (h, w).
            row: of the window's first pixel; the subsample of the distribution is laid on the whole raster.
            column: likewise.
        """
        ratio = ratio_image(observed, enhanced, valid=valid)
        usable = np.isfinite(ratio)
        if not usable.any():
            return
        kept = ratio[usable]
        self.sums += [kept.size, kept.sum(), np.square(kept).sum(), observed[usable].sum(dtype=np.float64),
                      enhanced[usable].sum(dtype=np.float64)]  # fmt: skip
        sampled = ratio[-row % STRIDE :: STRIDE, -column % STRIDE :: STRIDE]
        self.histogram += ratio_counts(sampled[np.isfinite(sampled)])
        self.lags.add(ratio)
        self.edges.add(ratio, enhanced)
        self.blocks.add(observed, enhanced, ratio)

    def state(self) -> dict[str, Floats]:
        """All that was summed up so far, by name."""
        lags = np.array([self.lags.square, self.lags.mean, self.lags.count])
        return {
            "sums": self.sums.copy(),
            "histogram": self.histogram.copy(),
            "lags": lags,
            "lag_products": self.lags.products.copy(),
            "lag_counts": self.lags.counts.copy(),
            "edges": self.edges.sums.copy(),
            "blocks": self.blocks.figures,
            "block_histogram": self.blocks.histogram.copy(),
        }

    def go_on(self, state: Mapping[str, Floats]) -> None:
        """Sum up from a `state` on."""
        self.sums, self.histogram = state["sums"], state["histogram"]
        square, mean, count = state["lags"].tolist()
        self.lags.square, self.lags.mean, self.lags.count = square, mean, int(count)
        self.lags.products, self.lags.counts = state["lag_products"], state["lag_counts"]
        self.edges.sums = state["edges"]
        self.blocks.found, self.blocks.histogram = [state["blocks"]], state["block_histogram"]

    def figures(self) -> SpeckleFigures:
        """The figures; NaN where nothing could be measured."""
        looks, correlation = self.looks, self.correlation
        with np.errstate(invalid="ignore", divide="ignore"):
            pixels, mean, square, observed, enhanced = self.sums
            mean, square = mean / pixels, square / pixels
            histogram = self.histogram / self.histogram.sum()
            change = enhanced / observed - 1
            found, even = self.blocks.figures, self.blocks.histogram
        alike = np.prod([1 + 2 * np.power(rho, np.arange(1, LAGS + 1) ** 2).sum() for rho in correlation])
        blank = float("nan")
        enl_observed, enl_enhanced = np.median(found[:, :2], 0).tolist() if len(found) else (blank, blank)
        return SpeckleFigures(
            pixels=int(pixels),
            looks=looks,
            correlation=correlation,
            blocks=len(found),
            enl_observed=enl_observed,
            enl_enhanced=enl_enhanced,
            mean_ratio=float(mean),
            mean_ratio_error=float(np.sqrt(alike / (looks * pixels))) if pixels else blank,
            ratio_variance=float(looks * (square - mean**2)),
            homogeneous_mean_ratio=float(found[:, 2].mean()) if len(found) else blank,
            homogeneous_ratio_variance=float(looks * found[:, 3].mean()) if len(found) else blank,
            median_ratio_db=_median_of(histogram) - median_db(looks) if pixels else blank,
            ks_distance=_ks_of(even / even.sum(), looks) if len(found) else blank,
            ks_pixels=int(even.sum()),
            ratio_structure=self.lags.structure(correlation),
            edge_correlation=self.edges.correlation,
            intensity_change=float(change),
            histogram=histogram,
        )


def histogram_edges() -> Floats:
    """(BINS + 1,) ends of the histogram's bins, dB."""
    return np.linspace(*RATIO_DB, BINS + 1)


def _median_of(histogram: Floats) -> float:
    cumulated = np.concatenate([[0.0], np.cumsum(histogram)])
    return float(np.interp(0.5, cumulated, histogram_edges()))


def _ks_of(histogram: Floats, looks: float) -> float:
    law = stats.gamma(looks, scale=1 / looks).cdf(10 ** (histogram_edges()[1:] / 10))
    return float(np.abs(np.cumsum(histogram) - law).max())


FIGURE_NAMES: Final = tuple(name for name in SpeckleFigures.__dataclass_fields__ if name != "histogram")
"""Fields of `SpeckleFigures` that are single numbers or pairs, in order."""


def plain_figures(figures: SpeckleFigures) -> Iterator[tuple[str, object]]:
    """Names and values for JSON: NaN becomes None."""
    for name in FIGURE_NAMES:
        value = getattr(figures, name)
        yield name, None if isinstance(value, float) and not np.isfinite(value) else value
