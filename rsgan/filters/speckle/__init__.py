"""Learning-free despeckling filters: intensity and valid in, intensity out; nodata-aware, exact at every border.

All are called alike: `f(intensity, valid, *, looks, size=7)`, see `boxcar`.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rsgan.errors import ConfigError
from rsgan.filters.speckle.damped import frost
from rsgan.filters.speckle.edge_aligned import refined_lee
from rsgan.filters.speckle.local_linear import boxcar, lee
from rsgan.filters.speckle.maximum_posterior import gamma_map
from rsgan.filters.speckle.multitemporal import quegan_yu
from rsgan.filters.speckle.neighbourhood import check_size
from rsgan.filters.speckle.sigma_range import POINT_REACH, lee_sigma

__all__ = [
    "FILTERS",
    "SpeckleFilter",
    "boxcar",
    "frost",
    "gamma_map",
    "lee",
    "lee_sigma",
    "quegan_yu",
    "reach",
    "refined_lee",
]


class SpeckleFilter(Protocol):
    """How a filter is called."""

    def __call__(
        self, intensity: NDArray[np.floating], valid: NDArray[np.bool_], *, looks: float, size: int = 7
    ) -> NDArray[np.float32]:
        """Filter (C, H, W) linear power, each band by itself."""
        ...


FILTERS: dict[str, SpeckleFilter] = {
    "boxcar": boxcar,
    "lee": lee,
    "refined-lee": refined_lee,
    "lee-sigma": lee_sigma,
    "gamma-map": gamma_map,
    "frost": frost,
}
"""Filters of one date."""

EXTRA_REACH = {name: 0 for name in (*FILTERS, "quegan-yu")} | {"lee-sigma": POINT_REACH}
"""Pixels beyond the window that an output pixel depends on."""


def reach(name: str, size: int) -> int:
    """Pixels that an output pixel depends on, to each side.

    Args:
        name: of `FILTERS`, or "quegan-yu".
        size: side of the window in pixels, odd.

    Raises:
        ConfigError: there is no such filter or window.
    """
    if name not in EXTRA_REACH:
        raise ConfigError(f"--method {name}: no such filter; give {' or '.join(EXTRA_REACH)}.")
    check_size(size)
    return size // 2 + EXTRA_REACH[name]
