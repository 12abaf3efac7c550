"""Figures of rasters that are too large to be held: what has to be added up, window by window, for exact results.

Images are (C, H, W) in one unit, usually reflectance; `valid` is bool (C, H, W), True = usable. Unlike the functions
of `fidelity`, a window without a valid pixel is allowed here: it adds nothing.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rsgan.errors import ConfigError
from rsgan.metrics.comparison import BandFigures, Bools, Comparison, Floats
from rsgan.metrics.fidelity import sam_deg

INDEX_FLOOR = 0.1
"""Least sum of the two reflectances for which a normalised index is compared, as in `consistency.index_difference`."""

_NAMES = ("the image", "what it is compared with")


@dataclass(frozen=True)
class Sums:
    """Sums over the valid pixels of two images; those of two windows are added with +.

    Attributes:
        count: (C,) valid pixels of each band.
        difference: (C,) of left - right.
        absolute: (C,) of |left - right|.
        squared: (C,) of (left - right)^2.
        level: (C,) of right.
        angle_deg: of the spectral angles, over pixels with all bands valid and no zero spectrum.
        angles: how many angles these are.
    """

    count: Floats
    difference: Floats
    absolute: Floats
    squared: Floats
    level: Floats
    angle_deg: float
    angles: int

    @classmethod
    def none(cls, bands: int) -> "Sums":
        """Nothing added up yet."""
        zero = np.zeros(bands)
        return cls(zero, zero, zero, zero, zero, 0.0, 0)

    @classmethod
    def of(cls, left: NDArray[np.floating], right: NDArray[np.floating], valid: Bools) -> "Sums":
        """The sums over one window.

        Raises:
            InputError: An image is not (C, H, W), or holds non-finite values where it is valid.
            GridError: The shapes differ.
        """
        if not valid.any():
            return cls.none(len(left))
        pair = Comparison.of(_NAMES, left, right, valid)
        difference = pair.difference
        whole = pair.valid.all(axis=0) & (pair.left != 0).any(axis=0) & (pair.right != 0).any(axis=0)
        angles = int(np.count_nonzero(whole)) if len(pair.left) > 1 else 0
        return cls(
            count=pair.valid.sum(axis=(1, 2)).astype(np.float64),
            difference=difference.sum(axis=(1, 2)),
            absolute=np.abs(difference).sum(axis=(1, 2)),
            squared=(difference**2).sum(axis=(1, 2)),
            level=pair.right.sum(axis=(1, 2)),
            angle_deg=sam_deg(pair.left, pair.right, valid=whole) * angles if angles else 0.0,
            angles=angles,
        )

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(
            self.count + other.count,
            self.difference + other.difference,
            self.absolute + other.absolute,
            self.squared + other.squared,
            self.level + other.level,
            self.angle_deg + other.angle_deg,
            self.angles + other.angles,
        )

    def rmse(self) -> BandFigures:
        """Root mean squared difference; pooled over all valid values of all bands."""
        squares = self._mean(self.squared)
        return BandFigures(tuple(np.sqrt(squares.per_band).tolist()), float(np.sqrt(squares.pooled)))

    def bias(self) -> BandFigures:
        """Mean of left - right; positive = the left image is brighter."""
        return self._mean(self.difference)

    def mean_absolute(self) -> BandFigures:
        """Mean of |left - right|."""
        return self._mean(self.absolute)

    def psnr_db(self, data_range: float) -> BandFigures:
        """20 log10(data_range / rmse) in dB; pooled from the pooled error, inf when the images are equal.

        Raises:
            ConfigError: data_range is not greater than zero.
        """
        if not (np.isfinite(data_range) and data_range > 0):
            raise ConfigError(
                f"--data-range is {data_range:g}; expected the peak in the unit of the images, 1 for reflectance."
            )
        error = self.rmse()
        with np.errstate(divide="ignore"):
            per_band = 20 * np.log10(data_range / np.array(error.per_band))
            pooled = 20 * np.log10(data_range / np.float64(error.pooled))
        return BandFigures(tuple(per_band.tolist()), float(pooled))

    def sam_deg(self) -> float:
        """Mean spectral angle in degrees, as `fidelity.sam_deg`; nan for a single band, whose angle says nothing."""
        return self.angle_deg / self.angles if self.angles else float("nan")

    def ergas(self, gsd_ratio: float) -> float:
        """Relative global error in per cent, as `fidelity.ergas`; nan where a band of the right image has mean zero.

        Args:
            gsd_ratio: Fine gsd over coarse gsd, 0.5 for scale 2.
        """
        used = self.count > 0
        level = self.level[used] / self.count[used]
        if not used.any() or np.any(level == 0):
            return float("nan")
        return float(100 * gsd_ratio * np.sqrt(np.mean(self.squared[used] / self.count[used] / level**2)))

    def _mean(self, total: Floats) -> BandFigures:
        means = np.divide(total, self.count, out=np.full(len(total), np.nan), where=self.count > 0)
        pooled = float(total.sum() / self.count.sum()) if self.count.any() else float("nan")
        return BandFigures(tuple(means.tolist()), pooled)


@dataclass(frozen=True)
class IndexSums:
    """Sums over the differences of a normalised index (P - N) / (P + N) between two images.

    Attributes:
        count: Pixels whose P + N of the right image exceeds `INDEX_FLOOR`.
        difference: Sum of left - right.
        absolute: Sum of |left - right|.
    """

    count: int = 0
    difference: float = 0.0
    absolute: float = 0.0

    @classmethod
    def of(cls, left: NDArray[np.floating], right: NDArray[np.floating], valid: Bools) -> "IndexSums":
        """The sums over one window.

        The pixels are chosen by the right image alone, so that a wrong left image cannot leave itself out; an index
        beyond -1..1, which negative reflectances give, counts as -1 or 1.

        Args:
            left: (2, H, W), P and N.
            right: (2, H, W), P and N of what it is compared with.
            valid: bool (2, H, W).
        """
        bright = valid.all(axis=0) & (right.sum(axis=0) > INDEX_FLOOR)
        difference = _index(left[:, bright]) - _index(right[:, bright])
        return cls(int(np.count_nonzero(bright)), float(difference.sum()), float(np.abs(difference).sum()))

    def __add__(self, other: "IndexSums") -> "IndexSums":
        return IndexSums(self.count + other.count, self.difference + other.difference, self.absolute + other.absolute)

    @property
    def bias(self) -> float:
        """Mean difference; nan without a pixel."""
        return self.difference / self.count if self.count else float("nan")

    @property
    def mean_absolute(self) -> float:
        """Mean |difference|; nan without a pixel."""
        return self.absolute / self.count if self.count else float("nan")


def _index(pair: NDArray[np.floating]) -> Floats:
    numbers = pair.astype(np.float64)
    total = numbers.sum(axis=0)
    index = np.divide(numbers[0] - numbers[1], total, out=np.zeros(total.shape), where=total != 0)
    clipped: Floats = np.clip(index, -1.0, 1.0)
    return clipped
