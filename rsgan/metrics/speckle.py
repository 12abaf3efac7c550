"""Figures of despeckled SAR: what is left in the image, what went into the ratio image, and whether edges are kept.

Arrays are (H, W) linear intensity of one band; the ratio image is observed / despeckled, which is nothing but speckle
if the despeckled image is right. `valid` is bool (H, W), True = usable; all pixels when None.
"""

from __future__ import annotations

from dataclasses import dataclass, field

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
        GridError: `valid` is of another shape.
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
    sums = LagSums(lags)
    sums.add(np.asarray(ratio, np.float64))
    return sums.structure(correlation)


def edge_correlation(ratio: ArrayLike, enhanced: ArrayLike) -> float:
    """|Correlation| of the ratio image with the Sobel magnitude of the logarithm of the despeckled one; 0 is ideal."""
    sums = EdgeSums()
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
    shuffled. Where nothing at all was removed the looks of the ratio image, and with them M, have no upper end.

    Source: Gomez et al. 2017, arXiv:1704.05952, section 3.
    """
    ratio = ratio_image(observed, enhanced)
    blocks = Blocks(looks, block)
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


def ratio_counts(ratio: Floats) -> Floats:
    """(BINS,) how many values of the ratio image (N,) lie in each bin of dB between the ends `RATIO_DB`."""
    decibel = 10 * np.log10(np.maximum(ratio, 1e-12))
    return np.histogram(np.clip(decibel, *RATIO_DB), BINS, RATIO_DB)[0].astype(np.float64)


@dataclass
class LagSums:
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
        """Take the ratio image (h, w) of one window."""
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
        """See `ratio_structure`; NaN where nothing could be measured."""
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
class EdgeSums:
    """Moments of the ratio image and of the Sobel magnitude of the despeckled logarithm."""

    sums: Floats = field(default_factory=lambda: np.zeros(6))

    def add(self, ratio: Floats, enhanced: NDArray[np.floating]) -> None:
        """Take one window, (h, w) each."""
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
        """See `edge_correlation`; NaN where nothing could be measured."""
        count, first, second, squares, slopes, mixed = self.sums
        if not count:
            return float("nan")
        spread = (squares / count - (first / count) ** 2) * (slopes / count - (second / count) ** 2)
        return float(abs(mixed / count - first * second / count**2) / np.sqrt(spread)) if spread > 1e-20 else 0.0


@dataclass
class Blocks:
    """Homogeneous blocks: those without an invalid pixel whose observed looks are about the scene's."""

    looks: float
    side: int
    found: list[Floats] = field(default_factory=list)
    histogram: Floats = field(default_factory=lambda: np.zeros(BINS))

    def add(self, observed: NDArray[np.floating], enhanced: NDArray[np.floating], ratio: Floats) -> None:
        """Take one window, (h, w) each."""
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
        self.histogram += ratio_counts(ratios[:, ::STRIDE, ::STRIDE].ravel())

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
    return usable & _mask(valid, left.shape)


def _mask(valid: ArrayLike | None, shape: tuple[int, ...]) -> Bools:
    if valid is None:
        return np.ones(shape, bool)
    mask = np.asarray(valid, bool)
    if mask.shape != shape:
        raise GridError(f"valid is {mask.shape}, the image {shape} (height, width); expected one grid.")
    return mask


def _values(image: ArrayLike, valid: ArrayLike | None) -> Floats:
    values = np.asarray(image, np.float64)
    usable = np.isfinite(values) & _mask(valid, values.shape)
    if not usable.any():
        raise InputError("no pixel is valid: there is nothing to measure. Choose a window with data.")
    kept: Floats = values[usable]
    return kept


def _correlation(first: Floats, second: Floats) -> float:
    if first.size < 2 or first.std() == 0 or second.std() == 0:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])
