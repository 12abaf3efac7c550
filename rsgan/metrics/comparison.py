"""Two images of one grid, made ready to be compared, and the figures that a comparison gives."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rsgan.errors import BandError, ConfigError, GridError, InputError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class BandFigures:
    """One figure per band, in band order, and one for the whole image.

    Attributes:
        per_band: the figure of each band; nan for a band without a valid pixel.
        pooled: the figure of all bands together; each metric says how it pools.
    """

    per_band: tuple[float, ...]
    pooled: float


@dataclass(frozen=True)
class Comparison:
    """Two images (C, H, W) in float64 and where both may be used, (C, H, W); unusable values are zero."""

    left: Floats
    right: Floats
    valid: Bools

    @classmethod
    def of(cls, names: tuple[str, str], left: ArrayLike, right: ArrayLike, valid: ArrayLike | None) -> "Comparison":
        """Check two images once, at the border of every metric.

        Args:
            names: what to call the two images in a message.
            left: (C, H, W) numbers.
            right: (C, H, W) numbers of the same shape.
            valid: bool (C, H, W) or (H, W), True = usable; all pixels when None.

        Raises:
            InputError: An image is not (C, H, W), holds non-finite values where it is valid, or no pixel is valid.
            GridError: The shapes differ.
        """
        first, second = _image(names[0], left), _image(names[1], right)
        if first.shape != second.shape:
            raise GridError(
                f"{names[0]} is {first.shape} and {names[1]} is {second.shape} (bands, height, width); "
                "a comparison needs the same bands on the same grid. Degrade, resample or crop one of them first."
            )
        usable = _valid(valid, first.shape)
        for name, image in zip(names, (first, second), strict=True):
            _refuse_non_finite(name, image, usable)
        return cls(np.where(usable, first, 0.0), np.where(usable, second, 0.0), usable)

    @property
    def difference(self) -> Floats:
        """Left minus right, (C, H, W); zero where not valid."""
        return self.left - self.right


def mean_where(values: Floats, valid: Bools) -> BandFigures:
    """Mean of `values` (C, H, W) where `valid` (C, H, W), per band and over all of them; nan where nothing is valid."""
    counts, sums = valid.sum(axis=(1, 2)), np.where(valid, values, 0.0).sum(axis=(1, 2))
    means = np.divide(sums, counts, out=np.full(len(counts), np.nan), where=counts > 0)
    total = int(counts.sum())
    return BandFigures(tuple(means.tolist()), float(sums.sum()) / total if total else float("nan"))


def one_per_band(name: str, value: float | Sequence[float], bands: int) -> Floats:
    """One positive number per band, (C,), from one for all or one each.

    Raises:
        BandError: The count is not that of the bands.
        ConfigError: A number is not positive.
    """
    numbers = np.asarray(value, dtype=np.float64)
    if numbers.ndim > 0 and numbers.shape != (bands,):
        raise BandError(f"{name} has {numbers.size} values; the image has {bands} bands. Give one value, or {bands}.")
    if not np.all(np.isfinite(numbers) & (numbers > 0)):
        raise ConfigError(f"{name} is {value}; it must be greater than zero, in the unit of the image.")
    return np.broadcast_to(numbers, (bands,)).copy()


def _image(name: str, values: ArrayLike) -> Floats:
    image = np.asarray(values)
    if image.ndim != 3 or 0 in image.shape or np.iscomplexobj(image):
        raise InputError(
            f"{name} is {image.dtype} of shape {image.shape}; expected real numbers (bands, height, width), "
            "none of them zero. Add the band axis in front, for example image[None]."
        )
    return image.astype(np.float64)


def _valid(valid: ArrayLike | None, shape: tuple[int, ...]) -> Bools:
    if valid is None:
        return np.ones(shape, dtype=np.bool_)
    given = np.asarray(valid)
    if given.dtype != np.bool_ or given.shape not in (shape, shape[1:]):
        raise GridError(
            f"valid is {given.dtype} of shape {given.shape}; expected bool of shape {shape} or {shape[1:]}, "
            "True where the images may be used."
        )
    if not given.any():
        raise InputError("valid is False everywhere: there is nothing to compare. Choose a window with data.")
    return np.broadcast_to(given, shape).copy()


def _refuse_non_finite(name: str, image: Floats, valid: Bools) -> None:
    broken = int(np.count_nonzero(valid & ~np.isfinite(image)))
    if broken:
        raise InputError(f"{name} holds {broken} non-finite values among the valid ones. Mark them False in valid.")
