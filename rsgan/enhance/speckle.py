"""Speckle of one scene: what is decided about it once, and what removes it window by window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from rsgan.enhance.batches import Floats, Inner, Made
from rsgan.enhance.scene_enhancer import Precision, Symmetries
from rsgan.enhance.statistics import representative
from rsgan.filters.speckle import FILTERS, quegan_yu
from rsgan.geo import Scene
from rsgan.nn.generators import DespeckleGenerator, SpeckleState
from rsgan.nn.precision import reduced
from rsgan.nn.symmetries import despeckled_passes
from rsgan.sensors.sar import SpeckleEstimate, estimate_speckle

Remove = Callable[[Floats, NDArray[np.bool_]], Floats]
"""Intensity and valid, (C, h, w) each, to intensity without speckle."""
HARDLY_ANY = 40.0
"""Looks above which an image hardly shows speckle: optical bands, means of many dates."""
TINY = 1e-37
"""Intensity below which a float32 has no logarithm worth taking; the network floors far above it."""


@dataclass(frozen=True)
class SpeckleStatistics:
    """What is decided about the speckle of a scene.

    Attributes:
        looks: (C,) equivalent number of looks of each band.
        correlation: (C, 2) lag-1 intensity correlation, from row to row and from column to column.
        level: (C,) median of the logarithm of intensity.
        measured: what the bands themselves say, whether it was asked for or not.
        source: where looks and correlation come from, in words.
    """

    looks: NDArray[np.float64]
    correlation: NDArray[np.float64]
    level: NDArray[np.float64]
    measured: tuple[SpeckleEstimate, ...]
    source: str

    def doubts(self, bands: Sequence[str]) -> list[str]:
        """What is odd for speckled radar, in words."""
        return [
            f"note: {name}: {one.looks:.0f} looks are measured, hardly any speckle; despeckling is for radar that was "
            "not averaged much before"
            for name, one in zip(bands, self.measured, strict=True)
            if one.windows and one.looks > HARDLY_ANY
        ]


def speckle_statistics(
    scene: Scene,
    *,
    looks: float | None = None,
    correlation: tuple[float, float] | None = None,
    fewest: float = 0.0,
) -> SpeckleStatistics:
    """Look at the scene once, in windows spread over it.

    Args:
        scene: open SAR scene.
        looks: of every band; None measures them.
        correlation: of every band; None measures it.
        fewest: looks that bands have at least, whatever is measured: texture of towns passes for fewer.

    Raises:
        InputError: every pixel is nodata.
    """
    chips = [chip for _, chip in representative(scene)]
    bands = range(len(scene.bands))
    measured = tuple(estimate_speckle([(chip.values[b], chip.valid[b]) for chip in chips]) for b in bands)
    found = np.array([max(one.looks, fewest) for one in measured])
    levels = [np.concatenate([_positive(chip.values[b], chip.valid[b]) for chip in chips]) for b in bands]
    way = "measured" if all(one.windows for one in measured) else "assumed: too few pixels to measure"
    said = [
        f"{name} {'given' if given is not None else way}"
        for name, given in (("looks", looks), ("correlation", correlation))
    ]
    rhos = np.array([one.correlation if correlation is None else correlation for one in measured])
    return SpeckleStatistics(
        looks=found if looks is None else np.full(len(measured), looks),
        correlation=rhos,
        level=np.array([np.median(np.log(level.astype(np.float64))) if level.size else 0.0 for level in levels]),
        measured=measured,
        source=", ".join(said),
    )


def _positive(values: Floats, valid: NDArray[np.bool_]) -> Floats:
    kept: Floats = values[valid & (values > TINY)]
    return kept


@dataclass(frozen=True)
class Network:
    """A despeckling generator bound to one scene.

    Attributes:
        generator: the network.
        statistics: of the scene.
        device: where to compute.
        precision: inside the network.
        limits: fewest, most looks that the network knows; it is told the nearest.
        symmetries: turned and mirrored passes that are averaged.
    """

    generator: DespeckleGenerator
    statistics: SpeckleStatistics
    device: torch.device
    precision: Precision
    symmetries: Symmetries
    limits: tuple[float, float]

    def __post_init__(self) -> None:
        """Move the network to its device."""
        layout = {"device": self.device, "memory_format": torch.channels_last}
        self.generator.to(**layout)  # type: ignore[call-overload]

    @torch.inference_mode()
    def __call__(self, intensity: Floats, valid: NDArray[np.bool_]) -> Floats:
        """See `Remove`; one band after the other, so memory does not grow with their number."""
        enhanced = np.zeros_like(intensity)
        for band, (values, usable) in enumerate(zip(intensity, valid, strict=True)):
            if usable.any():
                enhanced[band] = self._band(values, usable, band)
        return enhanced

    def _band(self, values: Floats, valid: NDArray[np.bool_], band: int) -> Floats:
        level = self.statistics.level[band]
        told = np.clip(self.statistics.looks[band : band + 1], *self.limits)
        logs = np.log(np.maximum(values, TINY, dtype=np.float64)) - level
        observed = torch.from_numpy(logs.astype(np.float32))[None, None].to(self.device)
        mask = torch.from_numpy(valid)[None, None].to(observed)
        law = (told, self.statistics.correlation[band : band + 1])
        speckle = SpeckleState(*(torch.from_numpy(x.astype(np.float32)).to(self.device) for x in law))
        with reduced(self.device, self.precision == "bfloat16"):
            enhanced = despeckled_passes(self.generator, observed, speckle, mask, passes=self.symmetries)
        made: Floats = np.exp(enhanced[0, 0].double().cpu().numpy() + level).astype(np.float32)
        return made


def classical(name: str, statistics: SpeckleStatistics, size: int) -> Remove:
    """A learning-free filter bound to one scene, see `filters.speckle.FILTERS`."""
    filtered = FILTERS[name]

    def remove(intensity: Floats, valid: NDArray[np.bool_]) -> Floats:
        bands = [
            filtered(intensity[b : b + 1], valid[b : b + 1], looks=float(looks), size=size)
            for b, looks in enumerate(statistics.looks)
        ]
        return np.concatenate(bands)

    return remove


def same_polarisation(bands: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """Channels of bands that show the same at several dates: those of one name, else all of them."""
    kinds = ["VV", "VH", "HH", "HV"]
    named = [next((kind for kind in kinds if kind in name.upper()), "") for name in bands]
    return tuple(tuple(number for number, name in enumerate(named) if name == kind) for kind in dict.fromkeys(named))


def multitemporal(groups: tuple[tuple[int, ...], ...], statistics: SpeckleStatistics, size: int) -> Remove:
    """The filter of Quegan and Yu for bands of which each group shows one polarisation at several dates."""

    def remove(intensity: Floats, valid: NDArray[np.bool_]) -> Floats:
        enhanced = np.zeros_like(intensity)
        for group in groups:
            bands = list(group)
            looks = float(np.median(statistics.looks[bands]))
            enhanced[bands] = quegan_yu(intensity[bands][:, None], valid[bands][:, None], looks=looks, size=size)[:, 0]
        return enhanced

    return remove


@dataclass(frozen=True)
class SpeckleEnhancer:
    """A method bound to one scene, as the window walk wants it: intensity in, intensity without speckle out.

    Attributes:
        remove: what is done to the bands of one window.
        halo: pixels that an output pixel can depend on, to each side.
        keep_ratio: whether the ratio image is kept for the second raster.
        stride: pixels of which a chip begins at a multiple.
        scale: output pixels per input pixel.
    """

    remove: Remove
    halo: int
    keep_ratio: bool = False
    stride: int = 1
    scale: int = 1

    def __call__(self, observed: Floats, inner: Inner, valid: NDArray[np.bool_], guide: Floats | None = None) -> Made:
        """Despeckle (N, C, h, w) intensity; `inner` and `guide` are of no use here."""
        enhanced = np.stack([self.remove(values, usable) for values, usable in zip(observed, valid, strict=True)])
        ratio = None
        if self.keep_ratio:
            ratio = np.divide(observed, enhanced, out=np.full_like(observed, np.nan), where=valid & (enhanced > 0))
        return Made(enhanced, ratio)
