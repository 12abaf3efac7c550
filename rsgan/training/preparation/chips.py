"""Which chips of a raster are worth training on, read window by window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rsgan.card import Domain
from rsgan.geo import Scene, Window, plan
from rsgan.sensors.statistics import detail

Reason = Literal["nodata", "cloud", "flat"]
CLOUDY = 0.05
"""Share of cloudy pixels above which a chip is left out."""
WHITE, HAZY, BRIGHT = 0.7, 0.08, 0.25
"""Whiteness below which, and haze index and mean visible reflectance above which, a pixel is taken for cloud. Source:
the basic tests of Fmask, Zhu and Woodcock 2012, doi:10.1016/j.rse.2011.10.028, equations 2 and 3; without the third,
roofs and bare soil under a hazy sky count, too. Snow counts as cloud."""
NOISE_ONLY = 0.6
"""Structure below which a band shows noise and nothing else."""
ROWS = 8
"""Rows of chips that are read at once."""


@dataclass(frozen=True)
class Looked:
    """What was seen of one chip.

    Attributes:
        place: (row, column) of its first pixel.
        reason: why it is left out; None where it may be used.
        mean: (C,) of its values.
        square: (C,) mean of their squares.
        detail: (C,) mean absolute detail finer than three pixels.
        structure: (C,) standard deviation of the means of 4 x 4 pixels over that of the detail: 0.27 in white noise, 1
            and more where there is ground to see.
    """

    place: tuple[int, int]
    reason: Reason | None
    mean: NDArray[np.float64]
    square: NDArray[np.float64]
    detail: NDArray[np.float64]
    structure: NDArray[np.float64]


def look_at_chips(scene: Scene, domain: Domain, side: int, part: Window | None = None) -> Iterator[Looked]:
    """Every chip of a scene, row by row, each from its own pixels alone.

    Args:
        scene: open scene with the domain's bands.
        domain: what its numbers are; values are looked at as it sees them.
        side: of a chip, pixels; what is left over at the right and below is not looked at.
        part: of the scene that is looked at; None for all.
    """
    whole = part or scene.grid.window
    large = plan((whole.height // side * side, whole.width // side * side), ROWS * side)
    for step in large if min(whole.height, whole.width) >= side else ():
        top, left = whole.row_off + step.keep.row_off, whole.col_off + step.keep.col_off
        chip = scene.read(Window(left, top, step.keep.width, step.keep.height))
        for row in range(0, step.keep.height, side):
            for column in range(0, step.keep.width, side):
                window = (slice(None), slice(row, row + side), slice(column, column + side))
                yield _look(chip.values[window], chip.valid[window], domain, (top + row, left + column))


def _look(values: NDArray[np.float32], valid: NDArray[np.bool_], domain: Domain, place: tuple[int, int]) -> Looked:
    seen = domain.to_network(values).astype(np.float64)
    reason: Reason | None = None
    if not valid.all():
        reason = "nodata"
    elif _cloudy(values, domain) > CLOUDY:
        reason = "cloud"
    axes, sharp = (1, 2), detail(seen)
    height, width = (n // 4 * 4 for n in seen.shape[1:])
    blocks = seen[:, :height, :width].reshape(len(seen), height // 4, 4, width // 4, 4).mean((2, 4))
    structure = blocks.std(axes) / np.maximum(sharp.std(axes), 1e-12)
    return Looked(place, reason, seen.mean(axes), np.square(seen).mean(axes), np.abs(sharp).mean(axes), structure)


def _cloudy(values: NDArray[np.float32], domain: Domain) -> float:
    """Share of pixels that look like cloud: white, and bluer than ground is; 0 where the bands cannot tell."""
    names = domain.bands
    if domain.quantity != "reflectance" or not {"B02", "B03", "B04"} <= set(names):
        return 0.0
    blue, green, red = (values[names.index(name)] for name in ("B02", "B03", "B04"))
    mean = np.maximum((blue + green + red) / 3, 1e-3)
    whiteness = sum(np.abs(band - mean) for band in (blue, green, red)) / mean
    return float(((whiteness < WHITE) & (mean > BRIGHT) & (blue - 0.5 * red - HAZY > 0)).mean())


def without_flat(chips: list[Looked], flattest: float) -> list[Looked]:
    """The same with chips left out that teach nothing: open water, fog.

    Those are chips of noise only in all bands, and chips whose detail is below `flattest` times that of the median
    usable chip in all bands: how much detail is little depends on the sensor, so the chips themselves say it.
    """
    usable = [chip.detail for chip in chips if chip.reason is None]
    if not usable:
        return chips
    least = flattest * np.median(usable, axis=0)

    def flat(chip: Looked) -> bool:
        return bool((chip.structure < NOISE_ONLY).all() or (chip.detail < least).all())

    return [replace(chip, reason="flat") if chip.reason is None and flat(chip) else chip for chip in chips]
