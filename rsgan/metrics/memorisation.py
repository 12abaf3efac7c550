"""Whether made images are copies of training images: nearest neighbours, beside those of images that were held out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

Floats = NDArray[np.floating]
Doubles = NDArray[np.float64]

RARE = 0.01
"""Share of held-out images that are nearer to a training image than what counts as near for made ones."""


@dataclass(frozen=True)
class Audit:
    """How near made images come to training images.

    Attributes:
        nearest: (N,) which training image is nearest to each made one.
        distances: (N,) how far it is.
        held_out: (M,) distances of held-out images from their nearest training images.
        too_near: share of made images that are nearer than all but `RARE` of the held-out ones; about `RARE` where
            nothing is copied, much more where something is.
        authenticity: share of made images that are farther from their nearest training image than that image is from
            its own nearest neighbour in the training set; about 0.5 where made images are like new ones, near 0 for
            copies.
    """

    nearest: NDArray[np.intp]
    distances: Doubles
    held_out: Doubles
    too_near: float
    authenticity: float

    @property
    def closest(self) -> NDArray[np.intp]:
        """(N,) made images, the nearest to a training image first: those to look at."""
        return np.argsort(self.distances)


def audit(made: Floats, training: Floats, held_out: Floats) -> Audit:
    """Compare nearest neighbours; features (encoder, or pixels) decide what counts as near.

    Args:
        made: (N, F) features.
        training: (T, F) features of training images, T > 1.
        held_out: (M, F) features of images of the same kinds that were not trained on.

    Source: Alaa et al. 2022, arXiv:2102.08921, section 3.3 (authenticity); Meehan et al. 2020, arXiv:2004.05675
    (held-out images as the measure of what is near).
    """
    apart = cdist(made, training)
    nearest = apart.argmin(1)
    distances = apart[np.arange(len(made)), nearest]
    among = cdist(training, training)
    np.fill_diagonal(among, np.inf)
    beside = cdist(held_out, training).min(1)
    return Audit(
        nearest,
        distances,
        beside,
        float((distances < np.quantile(beside, RARE)).mean()),
        float((distances > among.min(1)[nearest]).mean()),
    )
