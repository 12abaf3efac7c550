"""What is decided once per scene, from windows spread over it, so that no window is treated unlike another."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rsgan.card import ModelCard
from rsgan.catalogue import SENSORS, psf_sigma, sensor
from rsgan.enhance.guiding import Guiding, fit_injection
from rsgan.errors import InputError
from rsgan.filters.linear_injection import LinearInjection
from rsgan.geo import Chip, Scene, Window, fill, places
from rsgan.sensors.optical import MAX_SIGMA
from rsgan.sensors.sampling import find_resampling
from rsgan.sensors.statistics import (
    SMALLEST_PROBE,
    SPREAD_FLOOR,
    BandScaling,
    Probe,
    band_scaling,
    plain_noise,
    probe_features,
)

SAMPLE_SIDE = 256
SAMPLES = 16
"""Windows that are looked at, at most, and their side: about a million pixels."""
LOOKED_AT = 4
"""Windows in which signs of resampling are looked for, at most."""
MOST_PLACES = 48
"""Windows along one side that may be looked at in search of data: enough for 12,000 pixels without a gap."""
LEAST_VALID = 0.25
"""Share of valid pixels from which a window is representative."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SceneStatistics:
    """What the networks are told about a scene.

    Attributes:
        scaling: centre and spread of each band.
        noise: (C,) standard deviation of the noise, reflectance.
        sigma: (C,) Gaussian width of the point spread function, input pixels.
        source: where noise and sigma come from, in words.
        guide: centre and spread of the bands that guide; None without a guide.
        injection: linear law that brings the guide's detail into the bands; None without a guide.
        resampling: signs that the pixels are not the sensor's own, see `find_resampling`; empty without.
    """

    scaling: BandScaling
    noise: Floats
    sigma: Floats
    source: str
    guide: BandScaling | None = None
    injection: LinearInjection | None = None
    resampling: tuple[str, ...] = ()


def _spread_out(count: int) -> list[int]:
    """0..count-1 in an order whose every beginning is spread evenly (golden-ratio steps)."""
    return [int(i) for i in np.argsort((np.arange(count) * 0.6180339887498949) % 1.0)]


Sample = tuple[Window, Chip]


def _samples(scene: Scene) -> Iterator[Sample]:
    """Windows with data, in a fixed order that covers the scene early."""
    spans = [places(length, SAMPLE_SIDE, MOST_PLACES) for length in scene.grid.shape]
    corners = [(row, column) for row in spans[0] for column in spans[1]]
    for index in _spread_out(len(corners)):
        row, column = corners[index]
        height, width = (min(SAMPLE_SIDE, n - first) for n, first in zip(scene.grid.shape, (row, column), strict=True))
        window = Window(column, row, width, height)
        chip = scene.read(window)
        if chip.valid.any():
            yield window, chip


def representative(scene: Scene) -> list[Sample]:
    """Windows spread over a scene that hold enough data, at most `SAMPLES`, and what was read there.

    Raises:
        InputError: every pixel is nodata.
    """
    full: list[Sample] = []
    thin: list[Sample] = []
    for sample in _samples(scene):
        if sample[1].valid.mean() >= LEAST_VALID:
            full.append(sample)
        elif len(thin) < SAMPLES:  # a scene may consist of them: memory must not grow with it
            thin.append(sample)
        if len(full) == SAMPLES:
            break
    if not full and not thin:
        raise InputError(
            f"{scene.name}: every pixel that was looked at is nodata, so there is nothing to enhance. Check the nodata "
            "value or the file."
        )
    return full or thin


def _median(chips: list[Chip]) -> Floats:
    bands = range(chips[0].values.shape[0])
    usable = [np.concatenate([c.values[b][c.valid[b]] for c in chips]) for b in bands]
    return np.array([np.median(values) if values.size else 0.0 for values in usable])


def _pooled(scalings: list[BandScaling], pixels: NDArray[np.int64]) -> BandScaling:
    """Mean over windows, each band by its own valid pixels (K, C): a band's empty window says nothing about it."""
    shares = pixels / np.maximum(pixels.sum(0), 1)
    return BandScaling(
        (shares * np.stack([s.centre for s in scalings])).sum(0),
        np.maximum((shares * np.stack([s.spread for s in scalings])).sum(0), SPREAD_FLOOR),
    )


SOFTEST_MTF = 0.25
"""System MTF at Nyquist below which bands of any kind are not believed to be: a raster resampled
to a finer grid looks softer, and taking that for a wide point spread function would overdo its edges."""
UNKNOWN_MTF = 0.30
"""System MTF at Nyquist of bands that no catalogue names, a usual one."""


def catalogue_sigma(sensor_name: str | None, bands: tuple[str, ...]) -> Floats:
    """Point spread functions of bands from the catalogue's MTF, pixels of their own.

    Args:
        sensor_name: whose bands these are; None for bands that no catalogue names.
        bands: their names.
    """
    found = [None if sensor_name is None else sensor(sensor_name).find(name) for name in bands]
    return np.array([psf_sigma(UNKNOWN_MTF if b is None or b.mtf_nyquist is None else b.mtf_nyquist) for b in found])


def likely_sensor(bands: tuple[str, ...], gsd_m: tuple[float, float] | None) -> str | None:
    """The sensor that has bands of these names; where several do, as Landsat and Sentinel-2, the one of such pixels.

    Args:
        bands: their names.
        gsd_m: metres per pixel that they share; None when unknown.

    Returns:
        A key of `catalogue.SENSORS`: that of the bands whose own pixels differ least among themselves, then from
        `gsd_m`; None where no sensor has them all.
    """

    def misfit(name: str) -> tuple[float, float]:
        steps = np.log([sensor(name).band(band).gsd_m / (gsd_m or (1.0,))[0] for band in bands])
        return round(float(steps.std()), 6), abs(float(steps.mean())) if gsd_m else 0.0

    return min((name for name in SENSORS if all(map(sensor(name).find, bands))), key=misfit, default=None)


def _guided_sigma(sensor_name: str | None, bands: tuple[str, ...], guide: tuple[str, ...], scale: int) -> Floats:
    """What blurs the bands beyond what already blurs the finer ones that guide them: variances subtract."""
    own, finer = catalogue_sigma(sensor_name, bands), catalogue_sigma(sensor_name, guide).mean() / scale
    sigma: Floats = np.sqrt(np.maximum(own**2 - finer**2, 0.0))
    return sigma


def _probe(card: ModelCard | None) -> Probe | None:
    if card is None or card.probe is None:
        return None
    return Probe(*(np.array(values) for values in card.probe.model_dump().values()))


def _estimate(
    probe: Probe, filled: list[Floats], chips: list[Chip], scalings: list[BandScaling], *, any_band: bool
) -> tuple[Floats, Floats]:
    """Median over windows of noise (C,) and sigma (C,), NaN for bands of which no window shows enough.

    Bands of one sensor share a point spread function; bands of any kind are looked at one by one.
    """
    bands = range(len(filled[0]))
    noises, sigmas = np.full(len(bands), np.nan), np.full(len(bands), np.nan)
    for group in [slice(b, b + 1) for b in bands] if any_band else [slice(None)]:

        def estimated(one: tuple[Floats, Chip, BandScaling], group: slice = group) -> tuple[Floats, Floats] | None:
            values, chip, scaling = one
            valid = np.all(chip.valid[group], axis=0)
            if min(valid.shape) < SMALLEST_PROBE or valid.sum() < SMALLEST_PROBE**2:
                return None
            ratio, sigma = probe.estimate(probe_features(values[group], valid, scaling.spread[group]))
            return ratio * scaling.spread[group], np.full(len(sigma), sigma.mean())

        with ThreadPoolExecutor(os.cpu_count()) as threads:  # a command waits for this before its first window
            found = threads.map(estimated, zip(filled, chips, scalings, strict=True))
        told = [one for one in found if one is not None]
        if told:
            noises[group], sigmas[group] = np.median(told, axis=0)
    return noises, sigmas


def scene_statistics(
    scene: Scene,
    card: ModelCard | None,
    *,
    guiding: Guiding | None = None,
    noise: float | None = None,
    sigma: float | None = None,
    processing_signs: bool = False,
) -> SceneStatistics:
    """Look at the scene once.

    Args:
        scene: open scene with the card's bands.
        card: of the model that will run; None for the linear method.
        guiding: finer bands that guide.
        noise: reflectance; None estimates it.
        sigma: Gaussian width of the point spread function in input pixels; None estimates it.
        processing_signs: whether signs of resampling and compression are looked for.

    Raises:
        InputError: every pixel is nodata.
    """
    samples = representative(scene)
    chips = [chip for _, chip in samples]
    background = _median(chips)
    filled = [fill(chip, background).astype(np.float64) for chip in chips]
    scalings = [band_scaling(values, chip.valid) for values, chip in zip(filled, chips, strict=True)]
    scaling = _pooled(scalings, np.stack([chip.valid.sum((1, 2)) for chip in chips]))
    noises, sigmas, source = _noise_and_sigma(scene, card, guiding, filled, chips, scalings)
    count = len(scene.bands)
    noises = noises if noise is None else np.full(count, noise)
    sigmas = sigmas if sigma is None else np.full(count, sigma)
    given = [flag for flag, value in (("--noise", noise), ("--psf-sigma", sigma)) if value is not None]
    resampling: tuple[str, ...] = ()
    if processing_signs:
        parts = [part for chip in chips[:LOOKED_AT] for part in zip(chip.values, chip.valid, strict=True)]
        resampling = find_resampling(parts)
    statistics = SceneStatistics(scaling, noises, sigmas, ", ".join([source, *given]), resampling=resampling)
    return statistics if guiding is None else _with_guide(statistics, guiding, samples, background)


def _noise_and_sigma(
    scene: Scene,
    card: ModelCard | None,
    guiding: Guiding | None,
    filled: list[Floats],
    chips: list[Chip],
    scalings: list[BandScaling],
) -> tuple[Floats, Floats, str]:
    probe = _probe(card)
    limits = (0.0, MAX_SIGMA) if card is None or card.sigma is None else card.sigma
    if card is not None and card.any_band:
        limits = (limits[0], min(limits[1], psf_sigma(SOFTEST_MTF)))
    if card is not None and probe is not None:
        noise, sigmas = _estimate(probe, filled, chips, scalings, any_band=card.any_band)
        untold = np.isnan(noise)
        if not untold.all():
            sigmas = np.where(untold, catalogue_sigma(card.sensor, scene.bands), sigmas)
            return np.where(untold, 0.0, noise), np.clip(sigmas, *limits), "estimated from the scene"
    named = card.sensor if card is not None else likely_sensor(scene.bands, scene.gsd_m)
    if guiding is None:
        sigmas = catalogue_sigma(named, scene.bands)
    else:
        sigmas = _guided_sigma(named, scene.bands, guiding.scene.bands, guiding.scale)
    noise = np.zeros(len(scene.bands))
    if card is not None and guiding is not None:
        noise = _noise_of_flat_ground(filled, chips, scalings)
    said = f"sigma of {named}" if named else f"sigma of a usual sensor (MTF {UNKNOWN_MTF:g} at Nyquist)"
    told = "noise of flat ground" if noise.any() else "not estimated: no noise"
    return noise, np.clip(sigmas, *limits), f"{told}, {said}"


def _noise_of_flat_ground(filled: list[Floats], chips: list[Chip], scalings: list[BandScaling]) -> Floats:
    """Median over windows of the noise (C,), reflectance; 0 where all windows are too small to tell."""
    noises = [
        plain_noise(values, np.all(chip.valid, axis=0), scaling.spread)
        for values, chip, scaling in zip(filled, chips, scalings, strict=True)
        if min(values.shape[1:]) >= SMALLEST_PROBE
    ]
    median: Floats = np.median(noises, axis=0) if noises else np.zeros(len(filled[0]))
    return median


def _with_guide(
    statistics: SceneStatistics, guiding: Guiding, samples: list[Sample], background: Floats
) -> SceneStatistics:
    fine = [guiding.read(window) for window, _ in samples]
    guide_background = _median(fine)
    filled = [fill(chip, guide_background).astype(np.float64) for chip in fine]
    scalings = [band_scaling(values, chip.valid) for values, chip in zip(filled, fine, strict=True)]
    scaling = _pooled(scalings, np.stack([chip.valid.sum((1, 2)) for chip in fine]))
    law = fit_injection(guiding, samples, statistics.sigma, background, guide_background)
    return replace(statistics, guide=scaling, injection=law)
