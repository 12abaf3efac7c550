"""What lies at one place of the rasters of an evaluation: on the enhanced grid, and on the observed one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from rsgan.evaluate.rasters import Bools, Floats, Layer, Rasters, Sensed
from rsgan.geo import FILL_REACH, Chip, Window, WindowPlan, fill, plan, scale_window, valid_blocks
from rsgan.metrics.coverage import local_gradient
from rsgan.sensors.optical import degrade, kernel_reach, upsample

WINDOW_SIDE = 512
"""Side in enhanced pixels of the windows of the walk, at most; memory grows with its square."""
BICUBIC_REACH = 2
"""Observed pixels that a bicubic value looks beyond its own pixel, on each side."""


@dataclass(frozen=True)
class Coarse:
    """The observed grid at one place; images are (C, h, w) reflectance.

    Attributes:
        observed: What the sensor gave.
        degraded: The enhanced image and the bicubic one, put through the sensor model.
        valid: Where they may be compared, (C, h, w).
        observed_valid: Where the observed raster has data.
    """

    observed: Floats
    degraded: dict[str, Floats]
    valid: Bools
    observed_valid: Bools

    def cut(self, inner: tuple[slice, slice]) -> Coarse:
        """A part of it."""
        part = (slice(None), *inner)
        degraded = {name: image[part] for name, image in self.degraded.items()}
        return Coarse(self.observed[part], degraded, self.valid[part], self.observed_valid[part])


@dataclass(frozen=True)
class View:
    """The enhanced grid at one place; images are (C, h, w) reflectance of the compared bands.

    Attributes:
        window: Where this lies, in enhanced pixels.
        images: The enhanced image and, with an observed one, its bicubic interpolation.
        enhanced_valid: Where the enhanced raster has data, (C, h, w).
        valid: Where all rasters have them, (C, h, w).
        reference: What the image should be, or None.
        gradient: Length of its local gradient (h, w), reflectance per pixel; only where there is an uncertainty.
        sigma: Stated standard error, (C, h, w), or None.
        sigma_valid: Where it is stated and everything else valid, with all neighbours in the reference.
        classes: Land cover (h, w), or None.
        coarse: The observed grid, or None.
    """

    window: Window
    images: dict[str, Floats]
    enhanced_valid: Bools
    valid: Bools
    reference: Floats | None
    gradient: Floats | None
    sigma: Floats | None
    sigma_valid: Bools | None
    classes: NDArray[np.int64] | None
    coarse: Coarse | None


def plan_views(rasters: Rasters) -> list[WindowPlan]:
    """Windows that tile the rasters, in observed pixels; all sides but the last are one power of two."""
    return plan(walked(rasters), step_side(rasters), halo=_halo(rasters))


def walked(rasters: Rasters) -> tuple[int, int]:
    """Height and width in the pixels in which the rasters are walked: the observed ones, else the enhanced ones."""
    return rasters.grid.height // rasters.scale, rasters.grid.width // rasters.scale


def step_side(rasters: Rasters) -> int:
    """Side in observed pixels of the windows of the walk."""
    return int(2 ** int(np.log2(max(1, WINDOW_SIDE // rasters.scale))))


def view_of(rasters: Rasters, part: Window) -> View:
    """What lies in a part of the rasters, given in observed pixels."""
    (step,) = plan(walked(rasters), max(part.width, part.height), halo=_halo(rasters), part=part)
    return view(rasters, step)


def view(rasters: Rasters, step: WindowPlan) -> View:
    """What lies in one window of a plan; the halo is read and let go."""
    scale = rasters.scale
    window = scale_window(step.read, scale)
    inner = tuple(slice(part.start * scale, part.stop * scale) for part in step.inner)
    cut = (slice(None), *inner)
    enhanced = rasters.enhanced.read(window)
    images, valid, coarse = {"enhanced": enhanced.values[cut]}, enhanced.valid, None
    if rasters.observed is not None and rasters.sensed is not None:
        observed = rasters.observed.read(step.read)
        bicubic = upsample(torch.from_numpy(_filled(observed))[None], scale)[0].numpy()
        images["bicubic"] = bicubic[cut]
        coarse = _coarse(observed, {"enhanced": _filled(enhanced), "bicubic": bicubic}, enhanced.valid, rasters.sensed)
        coarse = coarse.cut(step.inner)
        valid = valid & np.repeat(np.repeat(observed.valid, scale, axis=1), scale, axis=2)
    reference, known = (None, None) if rasters.reference is None else rasters.reference.read_averaged(window)
    valid = valid if known is None else valid & known
    sigma, sigma_valid, gradient = _stated(rasters.uncertainty, window, reference, valid)
    return View(
        window=scale_window(step.keep, scale),
        images=images,
        enhanced_valid=enhanced.valid[cut],
        valid=valid[cut],
        reference=None if reference is None else reference[cut],
        gradient=None if gradient is None else gradient[inner],
        sigma=None if sigma is None else sigma[cut],
        sigma_valid=None if sigma_valid is None else sigma_valid[cut],
        classes=None if rasters.land_cover is None else rasters.land_cover.read(scale_window(step.keep, scale)),
        coarse=coarse,
    )


def _halo(rasters: Rasters) -> int:
    """Observed pixels of context that a window is read with; one where only gradients need any."""
    return 1 if rasters.observed is None else kernel_reach(rasters.scale) + BICUBIC_REACH + FILL_REACH


def _coarse(observed: Chip, fine: dict[str, NDArray[np.float32]], valid: Bools, sensed: Sensed) -> Coarse:
    """The observed grid with its halo, from images of the enhanced grid whose gaps are filled."""
    scale = valid.shape[1] // observed.valid.shape[1]
    sigma = torch.from_numpy(np.asarray(sensed.sigma, dtype=np.float32))[None]
    degraded = {name: degrade(torch.from_numpy(image)[None], sigma, scale)[0].numpy() for name, image in fine.items()}
    comparable = observed.valid & _clear_of_gaps(valid, observed.valid, scale)
    return Coarse(observed.values, dict(degraded), comparable, observed.valid)


def _clear_of_gaps(enhanced: Bools, observed: Bools, scale: int) -> Bools:
    """(C, h, w): observed pixels from which the sensor model reaches no invalid one of either raster."""
    whole = valid_blocks(enhanced, scale) & observed
    side = 2 * kernel_reach(scale) + 1
    return np.asarray(ndimage.minimum_filter(whole, size=(1, side, side), mode="nearest"), dtype=np.bool_)


def _stated(
    layer: Layer | None, window: Window, reference: Floats | None, valid: Bools
) -> tuple[Floats | None, Bools | None, Floats | None]:
    """Standard errors, where they count, and the gradient of the reference."""
    if layer is None or reference is None:
        return None, None, None
    sigma, there = layer.read_averaged(window)
    whole = ndimage.minimum_filter(valid, size=(1, 3, 3), mode="nearest")
    return sigma, there & np.asarray(whole, dtype=np.bool_).all(axis=0), local_gradient(reference)


def _filled(chip: Chip) -> NDArray[np.float32]:
    medians = [
        float(np.median(band[ok])) if ok.any() else 0.0 for band, ok in zip(chip.values, chip.valid, strict=True)
    ]
    return fill(chip, medians)
