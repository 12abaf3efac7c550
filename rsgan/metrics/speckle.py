"""Figures of despeckled SAR: what is left in the image, what went into the ratio image, and whether edges are kept.

Arrays are (H, W) linear intensity of one band; the ratio image is observed / despeckled, which is nothing but speckle
if the despeckled image is right. `valid` is bool (H, W), True = usable; all pixels when None.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage, stats
from skimage.feature import graycomatrix, graycoprops

from rsgan.errors import GridError, InputError
from rsgan.sensors.sar import median_db

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LAGS = 5
"""Farthest neighbour, along rows or columns, with which the ratio image is correlated."""
STRIDE = 3
"""Step of the subsample from which the distribution of the ratio image is taken: its pixels are nearly independent."""
BLOCK = 25
"""Side of the blocks among which homogeneous ground is looked for, pixels."""
HOMOGENEOUS = 0.8
"""Share of the scene's looks that a homogeneous block of the observed image has at least; texture takes looks away."""
RATIO_DB = (-60.0, 20.0)
"""Ends of the histogram of the ratio image, dB."""
BINS = 8000


def enl(intensity: ArrayLike, *, valid: ArrayLike | None = None) -> float:
    """Equivalent number of looks, mean squared over variance; only telling on homogeneous ground.

    Source: Lee and Pottier 2009, Polarimetric Radar Imaging, section 4.1.

    Raises:
        InputError: no pixel is valid.
    """
    values = _values(intensity, valid)
    variance = float(values.var())
    return float(values.mean() ** 2 / variance) if variance > 0 else float("inf")


def ratio_image(observed: ArrayLike, enhanced: ArrayLike, *, valid: ArrayLike | None = None) -> Floats:
    """(H, W) observed / despeckled; NaN where not valid or not positive.

    Raises:
        GridError: the shapes differ.
    """
    above, below = np.asarray(observed, np.float64), np.asarray(enhanced, np.float64)
    usable = _usable(above, below, valid)
    ratio: Floats = np.divide(above, below, out=np.full(above.shape, np.nan), where=usable)
    return ratio


def mean_ratio(ratio: ArrayLike) -> float:
    """MoR, mean of the ratio image; 1 if the mean intensity is kept everywhere.

    Source: Oliver and Quegan 2004, section 6.5.
    """
    return float(_values(ratio, None).mean())


def ratio_variance(ratio: ArrayLike, looks: float) -> float:
    """L x VoR, variance of the ratio image over that of L-look speckle: below 1 speckle stays, above 1 ground goes.

    Source: Oliver and Quegan 2004, section 6.5.
    """
    return float(looks * _values(ratio, None).var())


def median_ratio_db(ratio: ArrayLike, looks: float) -> float:
    """Median of the ratio image over that of L-look speckle, dB; 0 is ideal."""
    return float(10 * np.log10(np.median(_values(ratio, None))) - median_db(looks))


def ks_distance(ratio: ArrayLike, looks: float, stride: int = STRIDE) -> float:
    """Kolmogorov-Smirnov distance between every `stride`-th pixel of the ratio image and Gamma(L, 1/L)."""
    values = np.asarray(ratio, np.float64)[::stride, ::stride]
    return float(stats.kstest(_values(values, None), stats.gamma(looks, scale=1 / looks).cdf).statistic)


def ratio_structure(ratio: ArrayLike, correlation: tuple[float, float] = (0.0, 0.0), lags: int = LAGS) -> float:
    """Largest |correlation of the ratio image with its neighbours - that of the speckle|, up to some lag on both axes.

    Args:
        ratio: (H, W); NaN is left out.
        correlation: lag-1 intensity correlation of the speckle, from row to row and from column to column.
        lags: farthest neighbour.
    """
    sums = _LagSums(lags)
    sums.add(np.asarray(ratio, np.float64))
    return sums.structure(correlation)


def edge_correlation(ratio: ArrayLike, enhanced: ArrayLike) -> float:
    """|Correlation| of the ratio image with the Sobel magnitude of the logarithm of the despeckled one; 0 is ideal."""
    sums = _EdgeSums()
    sums.add(np.asarray(ratio, np.float64), np.asarray(enhanced, np.float64))
    return sums.correlation


def epi(enhanced: ArrayLike, reference: ArrayLike, *, valid: ArrayLike | None = None) -> float:
    """Edge preservation index: correlation of the Laplacians of despeckled and reference; 1 is ideal.

    Source: Sattar et al. 1997, doi:10.1109/83.585233, equation 20.
    """
    left, right = np.asarray(enhanced, np.float64), np.asarray(reference, np.float64)
    usable = ndimage.binary_erosion(_usable(left, right, valid), np.ones((3, 3)))
    first, second = (ndimage.laplace(image)[usable] for image in (left, right))
    return _correlation(first, second)


def epd_roa(enhanced: ArrayLike, reference: ArrayLike, edges: ArrayLike) -> float:
    """Edge preservation degree by the ratio of averages, on edge pixels, mean of both directions; 1 is ideal.

    Args:
        enhanced: (H, W) despeckled intensity.
        reference: (H, W) intensity without speckle; the observed intensity where there is none.
        edges: (H, W) bool, the pixels that count.

    Source: Feng et al. 2011, doi:10.1109/TGRS.2011.2114353, equation 28 (ratios of neighbours, summed up).
    """
    left, right = np.asarray(enhanced, np.float64), np.asarray(reference, np.float64)
    usable = _usable(left, right, edges)
    degrees = []
    for axis in (0, 1):
        known = np.swapaxes(usable, 0, axis)
        counted = known[1:] & known[:-1]
        ends = [np.swapaxes(image, 0, axis) for image in (left, right)]
        steps = [np.abs(image[1:][counted] / image[:-1][counted]).sum() for image in ends]
        if counted.any():
            degrees.append(steps[0] / steps[1])
    return float(np.mean(degrees)) if degrees else float("nan")


def texture_variation(observed: ArrayLike, enhanced: ArrayLike, looks: float) -> tuple[float, float]:
    """Cx, coefficient of variation of the ground: in the despeckled image, and as the observed one lets expect it.

    Source: Touzi 2002, doi:10.1109/TGRS.2002.804596: Cx^2 = (Cy^2 - 1/L) / (1 + 1/L).
    """
    above, below = _values(observed, None), _values(enhanced, None)
    excess = (above.var() / above.mean() ** 2 - 1 / looks) / (1 + 1 / looks)
    return float(below.std() / below.mean()), float(np.sqrt(max(excess, 0.0)))


def m_index(
    observed: ArrayLike, enhanced: ArrayLike, looks: float, *, seed: int = 0, shuffles: int = 10, block: int = BLOCK
) -> float:
    """M, departure of the ratio image from speckle: looks and mean on homogeneous ground, and structure; 0 is ideal.

    The first part is half the mean, over homogeneous blocks, of the relative change of the looks and of |1 - mean
    ratio|; the second is 100 times the relative change of the homogeneity of grey levels when the ratio image is
    shuffled.

    Source: Gomez et al. 2017, arXiv:1704.05952, section 3.
    """
    ratio = ratio_image(observed, enhanced)
    blocks = _Blocks(looks, block)
    blocks.add(np.asarray(observed, np.float64), np.asarray(enhanced, np.float64), ratio)
    found = blocks.figures
    residual = 0.0
    if len(found):
        of_ratio = found[:, 2] ** 2 / np.maximum(found[:, 3], 1e-12)
        residual = 0.5 * float(np.mean(np.abs(found[:, 0] - of_ratio) / found[:, 0] + np.abs(1 - found[:, 2])))
    rng = np.random.default_rng(seed)
    levels = np.clip(np.nan_to_num(ratio, nan=1.0) / (1 + 4 / np.sqrt(looks)) * 63, 0, 63).astype(np.uint8)
    before = _homogeneity(levels)
    after = np.mean([_homogeneity(rng.permutation(levels.ravel()).reshape(levels.shape)) for _ in range(shuffles)])
    return residual + 100 * abs(before - float(after)) / before


def _homogeneity(levels: NDArray[np.uint8]) -> float:
    angles = [0, np.pi / 4, np.pi / 2, 3 * np.pi / 4]
    matrix = graycomatrix(levels, [1], angles, levels=64, symmetric=True, normed=True)
    return float(graycoprops(matrix, "homogeneity").mean())


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
    lags: _LagSums = field(default_factory=lambda: _LagSums(LAGS))
    edges: _EdgeSums = field(default_factory=lambda: _EdgeSums())
    blocks: _Blocks = field(init=False)

    def __post_init__(self) -> None:
        """Begin with nothing."""
        self.blocks = _Blocks(self.looks, BLOCK)

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
        self.histogram += _histogram(sampled[np.isfinite(sampled)])
        self.lags.add(ratio)
        self.edges.add(ratio, enhanced)
        self.blocks.add(observed, enhanced, ratio)

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


def _histogram(ratio: Floats) -> Floats:
    decibel = 10 * np.log10(np.maximum(ratio, 1e-12))
    return np.histogram(np.clip(decibel, *RATIO_DB), BINS, RATIO_DB)[0].astype(np.float64)


def _median_of(histogram: Floats) -> float:
    cumulated = np.concatenate([[0.0], np.cumsum(histogram)])
    return float(np.interp(0.5, cumulated, histogram_edges()))


def _ks_of(histogram: Floats, looks: float) -> float:
    law = stats.gamma(looks, scale=1 / looks).cdf(10 ** (histogram_edges()[1:] / 10))
    return float(np.abs(np.cumsum(histogram) - law).max())


@dataclass
class _LagSums:
    """Covariances of the ratio image, about 1, with its neighbours along both axes."""

    lags: int
    square: float = 0.0
    mean: float = 0.0
    count: int = 0
    products: Floats = field(init=False)
    counts: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.products, self.counts = np.zeros((2, self.lags)), np.zeros((2, self.lags))

    def add(self, ratio: Floats) -> None:
        usable = np.isfinite(ratio)
        excess = np.where(usable, ratio - 1, 0.0).astype(np.float32)
        self.count += int(usable.sum())
        self.mean += float(excess.sum(dtype=np.float64))
        self.square += float(np.vdot(excess, excess))
        for axis in (0, 1):
            values, known = np.swapaxes(excess, 0, axis), np.swapaxes(usable, 0, axis)
            for lag in range(1, min(self.lags, len(values) - 1) + 1):
                self.products[axis, lag - 1] += float(np.sum(values[lag:] * values[:-lag], dtype=np.float64))
                self.counts[axis, lag - 1] += int(np.count_nonzero(known[lag:] & known[:-lag]))

    def structure(self, correlation: tuple[float, float]) -> float:
        if not self.count:
            return float("nan")
        mean = self.mean / self.count
        variance = self.square / self.count - mean**2
        if variance <= 0:
            return float("nan")
        found = np.divide(self.products, self.counts, out=np.zeros_like(self.products), where=self.counts > 0) - mean**2
        expected = np.power(np.array(correlation)[:, None], np.arange(1, self.lags + 1) ** 2)
        gaps = np.abs(found / variance - expected)[self.counts > 0]
        return float(gaps.max()) if gaps.size else float("nan")


@dataclass
class _EdgeSums:
    """Moments of the ratio image and of the Sobel magnitude of the despeckled logarithm."""

    sums: Floats = field(default_factory=lambda: np.zeros(6))

    def add(self, ratio: Floats, enhanced: NDArray[np.floating]) -> None:
        usable = np.isfinite(ratio)
        if not usable.any():
            return
        logs = np.log(np.where(usable, enhanced, 1.0)).astype(np.float32)
        inner = ndimage.binary_erosion(usable, np.ones((3, 3)))
        slope = np.hypot(ndimage.sobel(logs, 0), ndimage.sobel(logs, 1))[inner].astype(np.float64)
        values = ratio[inner]
        pairs = ((values, values), (slope, slope), (values, slope))
        self.sums += [values.size, values.sum(), slope.sum(), *(float(np.vdot(a, b)) for a, b in pairs)]

    @property
    def correlation(self) -> float:
        count, first, second, squares, slopes, mixed = self.sums
        if not count:
            return float("nan")
        spread = (squares / count - (first / count) ** 2) * (slopes / count - (second / count) ** 2)
        return float(abs(mixed / count - first * second / count**2) / np.sqrt(spread)) if spread > 1e-20 else 0.0


@dataclass
class _Blocks:
    """Homogeneous blocks: those without an invalid pixel whose observed looks are about the scene's."""

    looks: float
    side: int
    found: list[Floats] = field(default_factory=list)
    histogram: Floats = field(default_factory=lambda: np.zeros(BINS))

    def add(self, observed: NDArray[np.floating], enhanced: NDArray[np.floating], ratio: Floats) -> None:
        side = self.side
        high, wide = (n // side for n in ratio.shape)
        if not high or not wide:
            return
        ratios, before, after = (
            image.astype(np.float64)[: high * side, : wide * side]
            .reshape(high, side, wide, side)
            .swapaxes(1, 2)
            .reshape(-1, side, side)
            for image in (ratio, observed, enhanced)
        )
        even = np.flatnonzero(np.isfinite(ratios).all((1, 2)))
        even = even[_looks_of(before[even]) >= HOMOGENEOUS * self.looks]
        ratios = ratios[even]
        means, spread = ratios.mean((1, 2)), ratios.var((1, 2))
        self.found.append(np.stack([_looks_of(before[even]), _looks_of(after[even]), means, spread], 1))
        self.histogram += _histogram(ratios[:, ::STRIDE, ::STRIDE].ravel())

    @property
    def figures(self) -> Floats:
        """(K, 4): looks before and after, mean and variance of the ratio image."""
        return np.concatenate(self.found) if self.found else np.zeros((0, 4))


def _looks_of(blocks: Floats) -> Floats:
    squares = blocks.mean((1, 2)) ** 2
    looks: Floats = squares / np.maximum(blocks.var((1, 2)), 1e-12 * squares)
    return looks


def _usable(left: Floats, right: Floats, valid: ArrayLike | None) -> Bools:
    if left.shape != right.shape:
        raise GridError(f"the images are {left.shape} and {right.shape} (height, width); expected one grid.")
    usable: Bools = np.isfinite(left) & np.isfinite(right) & (left > 0) & (right > 0)
    return usable if valid is None else usable & np.asarray(valid, bool)


def _values(image: ArrayLike, valid: ArrayLike | None) -> Floats:
    values = np.asarray(image, np.float64)
    usable = np.isfinite(values) if valid is None else np.isfinite(values) & np.asarray(valid, bool)
    if not usable.any():
        raise InputError("no pixel is valid: there is nothing to measure. Choose a window with data.")
    kept: Floats = values[usable]
    return kept


def _correlation(first: Floats, second: Floats) -> float:
    if first.size < 2 or first.std() == 0 or second.std() == 0:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])


FIGURE_NAMES: Final = tuple(name for name in SpeckleFigures.__dataclass_fields__ if name != "histogram")
"""Fields of `SpeckleFigures` that are single numbers or pairs, in order."""


def plain_figures(figures: SpeckleFigures) -> Iterator[tuple[str, object]]:
    """Names and values for JSON: NaN becomes None."""
    for name in FIGURE_NAMES:
        value = getattr(figures, name)
        yield name, None if isinstance(value, float) and not np.isfinite(value) else value
