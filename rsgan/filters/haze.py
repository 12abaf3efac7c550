"""Learning-free ways to take haze off: one number per band, or a map from the darkest bands around each pixel.

numpy only; (C, H, W) reflectance in and out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.floating]
DARKEST = 0.01
"""Share of the pixels below the dark object, and the reflectance that it is given: nothing is quite black."""


def dark_object(values: Floats, valid: NDArray[np.bool_]) -> Floats:
    """Take off each band what its darkest ground shows too much.

    Args:
        values: (C, H, W) reflectance.
        valid: (H, W) where usable.

    Source: Chavez 1988, doi:10.1016/0034-4257(88)90019-3, with the 1 % of Chavez 1996 for the dark object itself.
    """
    darkest = np.quantile(values[:, valid], DARKEST, axis=1)
    cleared: Floats = values - np.maximum(darkest - DARKEST, 0)[:, None, None]
    return cleared


def dark_channel(values: Floats, visible: tuple[int, ...], *, size: int = 15, kept: float = 0.05) -> Floats:
    """Take off what the darkest visible band around each pixel shows, by the law of scattering.

    Args:
        values: (C, H, W) reflectance, holes filled.
        visible: channels of blue, green and red.
        size: side of the window in which the darkest pixel is looked for, odd.
        kept: share of the haze that is left, so that distance stays visible.

    Source: He et al. 2011, doi:10.1109/TPAMI.2010.168; the map is smoothed along the image's edges by the guided filter
    of He et al. 2013, doi:10.1109/TPAMI.2012.213.
    """
    shown = values[list(visible)]
    dark = ndimage.minimum_filter(shown.min(0), size)
    brightest = dark >= np.quantile(dark, 0.999)
    airlight = np.maximum(values[:, brightest].mean(1), 0.05)
    relative = ndimage.minimum_filter((shown / airlight[list(visible), None, None]).min(0), size)
    through = _guided(shown.mean(0), 1 - (1 - kept) * relative, 2 * size + 1)
    light = airlight[:, None, None]
    cleared: Floats = (values - light) / np.maximum(through, 0.1) + light
    return cleared


def _guided(guide: Floats, wanted: Floats, size: int, ridge: float = 1e-4) -> Floats:
    """`wanted` as a local linear function of `guide`."""

    def mean(x: Floats) -> Floats:
        return np.asarray(ndimage.uniform_filter(x, size, mode="nearest"))

    centre, level = mean(guide), mean(wanted)
    slope = (mean(guide * wanted) - centre * level) / (mean(guide**2) - centre**2 + ridge)
    return mean(slope) * guide + mean(level - slope * centre)
