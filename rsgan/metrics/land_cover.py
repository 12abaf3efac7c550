"""Coarse land cover from indices, and the class of a patch by majority; for where no map is at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.floating]

INDICES: Mapping[int, str] = {
    1: "water", 2: "dense vegetation", 3: "sparse vegetation", 4: "bright bare or built", 5: "dark bare or built",
}  # fmt: skip
"""Classes that indices tell; 0 is no data."""
WATER_NDWI, DENSE_NDVI, SPARSE_NDVI, BRIGHT = 0.0, 0.6, 0.25, 0.18
"""Thresholds, usual ones: NDWI of water, McFeeters 1996, doi:10.1080/01431169608948714; NDVI of closed canopies and of
any vegetation; mean of green and red reflectance that parts bright from dark ground."""
MIXED = -1
"""Class of a patch of which no class has enough."""


def index_classes(green: Floats, red: Floats, nir: Floats, valid: NDArray[np.bool_] | None = None) -> NDArray[np.uint8]:
    """Classes (H, W), keys of `INDICES`, from reflectance (H, W); 0 where not valid."""
    ndvi, ndwi = _difference(nir, red), _difference(green, nir)
    found = np.select(
        [ndwi > WATER_NDWI, ndvi > DENSE_NDVI, ndvi > SPARSE_NDVI, (green + red) / 2 > BRIGHT], [1, 2, 3, 4], 5
    ).astype(np.uint8)
    return found if valid is None else np.where(valid, found, np.uint8(0))


def _difference(first: Floats, second: Floats) -> NDArray[np.float64]:
    """Normalised difference; 0 where both are 0."""
    total = (first + second).astype(np.float64)
    return np.divide(first - second, total, out=np.zeros_like(total), where=total != 0)


def patch_classes(
    pixels: NDArray[np.integer],
    numbers: Sequence[int],
    side: int,
    centres: tuple[NDArray[np.int64], NDArray[np.int64]],
    purity: float,
) -> NDArray[np.int64]:
    """The class of each patch, `MIXED` where none has enough of it.

    Args:
        pixels: (H, W) class numbers.
        numbers: those that count.
        side: of a patch, pixels.
        centres: rows (R,) and columns (K,) of the patches' centres.
        purity: share of a patch that its class has to have.

    Returns:
        (R, K) class numbers.
    """
    seen = (ndimage.uniform_filter((pixels == number).astype(np.float32), side, mode="nearest") for number in numbers)
    shares = np.stack([share[np.ix_(*centres)] for share in seen])
    return np.where(shares.max(axis=0) >= purity, np.array(numbers)[shares.argmax(axis=0)], MIXED)
