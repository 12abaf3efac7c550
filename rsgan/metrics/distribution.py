"""Sets of images against sets of images: whether one varies as much as the other, and reaches everywhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

Floats = NDArray[np.floating]


def descriptors(images: Floats) -> NDArray[np.float64]:
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
    among = np.sort(cdist(second, second), axis=1)[:, neighbours]  # the nearest is the image itself
    return float((cdist(second, first).min(1) < among).mean())
