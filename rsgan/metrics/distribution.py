"""Sets of images against sets of images: whether one varies as much as the other, and reaches everywhere.

Images are compared by features (N, F), whatever finds them: `descriptors`, or an encoder that was trained. All
distances depend on the features; figures of two kinds of features must not be compared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.stats import wasserstein_distance

Floats = NDArray[np.floating]
Doubles = NDArray[np.float64]


def descriptors(images: Floats) -> Doubles:
    """(N, C, H, W) -> (N, 3 C): mean, standard deviation and mean gradient of each band, all that a toy needs."""
    rows, columns = np.gradient(images, axis=(2, 3))
    sharp = np.hypot(rows, columns)
    return np.concatenate([images.mean((2, 3)), images.std((2, 3)), sharp.mean((2, 3))], axis=1).astype(np.float64)


def diversity(made: Floats, wanted: Floats) -> float:
    """Median over features of how much they vary among the made images, over how much among the wanted ones.

    Args:
        made: (N, F) features.
        wanted: (M, F) features.
    """
    usual = np.maximum(wanted.std(0), 1e-12)
    return float(np.median(made.std(0) / usual))


def coverage(made: Floats, wanted: Floats, neighbours: int = 5) -> float:
    """Share of the wanted images that have a made one nearer than their k-th nearest among the wanted.

    About 1 - 1 / 2^k, the k being `neighbours`, where both sets are of one kind and size; it falls with every kind of
    image that is never made. Features are in units of their spread among the wanted.

    Args:
        made: (N, F) features.
        wanted: (M, F) features, M > neighbours.
        neighbours: k.

    Source: Naeem et al. 2020, arXiv:2002.09797, equation 7.
    """
    unit = np.maximum(wanted.std(0), 1e-12)
    first, second = made / unit, wanted / unit
    return float((cdist(second, first).min(1) < _reach(second, neighbours)).mean())


@dataclass(frozen=True)
class Neighbourhood:
    """Figures of nearest neighbours, each about as large as it gets where both sets are of one kind.

    Attributes:
        precision: share of the made images that lie within reach of a wanted one, 0 .. 1.
        recall: share of the wanted images that lie within reach of a made one, 0 .. 1.
        density: how many wanted images reach a made one, over `neighbours`; 1 expected, may exceed it.
        coverage: share of the wanted images that reach a made one, 0 .. 1.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def neighbourhood(made: Floats, wanted: Floats, neighbours: int = 5) -> Neighbourhood:
    """Figures of nearest neighbours; an image reaches as far as its k-th nearest among those of its own kind.

    Args:
        made: (N, F) features, N > neighbours.
        wanted: (M, F) features, M > neighbours.
        neighbours: k.

    Raises:
        ValueError: one of them holds too few images.

    Source: Kynkaanniemi et al. 2019, arXiv:1904.06991, equations 1 to 3; Naeem et al. 2020, arXiv:2002.09797,
    equations 5 and 7.
    """
    if min(len(made), len(wanted)) <= neighbours:
        raise ValueError(f"{len(made)} made and {len(wanted)} wanted images; expected more than {neighbours} of each.")
    reach_wanted, reach_made = _reach(wanted, neighbours), _reach(made, neighbours)
    apart = cdist(wanted, made)
    reached = apart < reach_wanted[:, None]
    return Neighbourhood(
        precision=float(reached.any(0).mean()),
        recall=float((apart < reach_made[None]).any(1).mean()),
        density=float(reached.sum(0).mean() / neighbours),
        coverage=float((apart.min(1) < reach_wanted).mean()),
    )


def _reach(features: Floats, neighbours: int) -> Doubles:
    """(N,) distance of each from its k-th nearest neighbour; the nearest of all is itself."""
    found: Doubles = np.partition(cdist(features, features), neighbours, axis=1)[:, neighbours]
    return found


def frechet_distance(made: Floats, wanted: Floats) -> float:
    """Squared Frechet distance between Gaussians of the same means and covariances; 0 for equal ones.

    Too large for few images, by about a term in 1 / N: compare sets of one size, or see `frechet_extrapolated`.

    Args:
        made: (N, F) features, N > 1.
        wanted: (M, F) features, M > 1.

    Source: Heusel et al. 2017, arXiv:1706.08500, equation 6.
    """
    first, second = np.cov(made, rowvar=False), np.cov(wanted, rowvar=False)
    shared = np.linalg.eigvals(np.atleast_2d(first) @ np.atleast_2d(second)).real  # of a product of two, all >= 0
    apart = np.square(made.mean(0) - wanted.mean(0)).sum()
    traces = np.trace(np.atleast_2d(first)) + np.trace(np.atleast_2d(second))
    return float(apart + traces - 2 * np.sqrt(np.maximum(shared, 0)).sum())


def frechet_extrapolated(made: Floats, wanted: Floats, *, steps: int = 12, repeats: int = 4, seed: int = 0) -> float:
    """Frechet distance that endless sets would have: a line in 1 / N through subsets of growing size, at 0.

    Args:
        made: (N, F) features.
        wanted: (M, F) features.
        steps: sizes, from a quarter of the smaller set to all of it.
        repeats: subsets of each size.
        seed: of the subsets.

    Source: Chong and Forsyth 2020, arXiv:1911.07023, section 3; both sets shrink here, as both are finite.
    """
    rng, most = np.random.default_rng(seed), min(len(made), len(wanted))
    sizes = np.repeat(np.linspace(most // 4, most, steps).astype(int), repeats)
    found = [frechet_distance(*(x[rng.choice(len(x), size, replace=False)] for x in (made, wanted))) for size in sizes]
    return float(np.polynomial.Polynomial.fit(1 / sizes, found, 1)(0.0))


def kernel_distance(made: Floats, wanted: Floats) -> float:
    """Squared maximum mean discrepancy under the kernel (x . y / F + 1)^3; 0 expected for sets of one kind.

    Unbiased, so it may be below 0, whatever the number of images.

    Args:
        made: (N, F) features, N > 1.
        wanted: (M, F) features, M > 1.

    Source: Binkowski et al. 2018, arXiv:1801.01401, section 4 and equation 4.
    """
    among = [(_kernel(x, x).sum() - np.trace(_kernel(x, x))) / (len(x) * (len(x) - 1)) for x in (made, wanted)]
    return float(among[0] + among[1] - 2 * _kernel(made, wanted).mean())


def _kernel(first: Floats, second: Floats) -> Doubles:
    found: Doubles = (first.astype(np.float64) @ second.T / first.shape[1] + 1) ** 3
    return found


def class_score(probabilities: Floats) -> float:
    """Exponential of the mean information that an image gives on its class: 1 .. number of classes.

    High where a classifier is sure of each image, and all classes are there: it sees no reference, and does not tell
    whether the images of a class differ.

    Args:
        probabilities: (N, K) of each class, each row of sum 1.

    Source: Salimans et al. 2016, arXiv:1606.03498, section 4 (there with a classifier of photographs).
    """
    sure, mean = np.maximum(probabilities, 1e-30), np.maximum(probabilities.mean(0), 1e-30)
    return float(np.exp((probabilities * (np.log(sure) - np.log(mean))).sum(1).mean()))


def sliced_wasserstein(made: Floats, wanted: Floats, *, directions: int = 128, seed: int = 0) -> float:
    """Mean Wasserstein-1 distance of the features along random directions of length 1.

    Args:
        made: (N, F) features.
        wanted: (M, F) features.
        directions: number of directions.
        seed: of the directions.

    Source: Bonneel et al. 2015, doi:10.1007/s10851-014-0506-3.
    """
    drawn = np.random.default_rng(seed).standard_normal((directions, made.shape[1]))
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    return float(np.mean([wasserstein_distance(made @ line, wanted @ line) for line in drawn]))


@dataclass(frozen=True)
class Measured:
    """A figure of two sets and what chance makes of it.

    Attributes:
        value: of all images.
        low: lower end of the interval of 95 %.
        high: its upper end.
    """

    value: float
    low: float
    high: float


def with_interval(
    figure: Callable[[Floats, Floats], float], made: Floats, wanted: Floats, *, repeats: int = 50, seed: int = 0
) -> Measured:
    """A figure with the interval that half-samples give.

    The spread of a mean over random halves is the standard error over all. A bootstrap with replacement would show
    copies, which are each other's nearest neighbours at distance 0.

    Args:
        figure: of (made, wanted) features.
        made: (N, F) features.
        wanted: (M, F) features.
        repeats: half-samples.
        seed: of the half-samples.

    Source: Politis and Romano 1994, doi:10.1214/aos/1176325770 (subsampling), halves as the size.
    """
    rng, value = np.random.default_rng(seed), figure(made, wanted)
    halves = [figure(*(x[rng.permutation(len(x))[: len(x) // 2]] for x in (made, wanted))) for _ in range(repeats)]
    spread = 1.96 * float(np.std(halves, ddof=1))
    return Measured(value, value - spread, value + spread)
