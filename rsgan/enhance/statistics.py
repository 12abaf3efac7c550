"""What is decided once per scene, from windows spread over it, so that no window is treated unlike another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from rsgan.card import ModelCard
from rsgan.catalogue import psf_sigma, sensor
from rsgan.errors import InputError
from rsgan.geo import Chip, Scene, Window, fill
from rsgan.sensors.statistics import SMALLEST_PROBE, SPREAD_FLOOR, BandScaling, Probe, band_scaling, probe_features

SAMPLE_SIDE = 256
SAMPLES = 16
"""Windows that are looked at, at most, and their side: about a million pixels."""
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
    """

    scaling: BandScaling
    noise: Floats
    sigma: Floats
    source: str


def _spread_out(count: int) -> list[int]:
    """0..count-1 in an order whose every beginning is spread evenly (golden-ratio steps)."""
    return [int(i) for i in np.argsort((np.arange(count) * 0.6180339887498949) % 1.0)]


def _samples(scene: Scene) -> Iterator[Chip]:
    """Windows with data, in a fixed order that covers the scene early."""
    spans = [_places(length) for length in scene.grid.shape]
    corners = [(row, column) for row in spans[0] for column in spans[1]]
    for index in _spread_out(len(corners)):
        row, column = corners[index]
        height, width = (min(SAMPLE_SIDE, n - first) for n, first in zip(scene.grid.shape, (row, column), strict=True))
        chip = scene.read(Window(column, row, width, height))
        if chip.valid.any():
            yield chip


def _places(length: int) -> list[int]:
    """Where windows start along one side: side by side, or evenly apart where that would be more than `MOST_PLACES`."""
    steps = -(-length // SAMPLE_SIDE)
    return [steps * place // min(steps, MOST_PLACES) * SAMPLE_SIDE for place in range(min(steps, MOST_PLACES))]


def _representative(scene: Scene) -> list[Chip]:
    full: list[Chip] = []
    thin: list[Chip] = []
    for chip in _samples(scene):
        (full if chip.valid.mean() >= LEAST_VALID else thin).append(chip)
        if len(full) == SAMPLES:
            break
    if not full and not thin:
        raise InputError(
            f"{scene.name}: every pixel that was looked at is nodata, so there is nothing to enhance. Check the nodata "
            "value or the file."
        )
    return full or list(islice(thin, SAMPLES))


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


def catalogue_sigma(card: ModelCard) -> Floats:
    """Point spread functions of the card's bands from the catalogue's MTF, input pixels."""
    instrument = sensor(card.sensor)
    values = [instrument.band(name).mtf_nyquist for name in card.bands]
    return np.array([psf_sigma(mtf) if mtf is not None else float(np.mean(card.sigma)) for mtf in values])


def _probe(card: ModelCard) -> Probe | None:
    if card.probe is None:
        return None
    return Probe(*(np.array(values) for values in card.probe.model_dump().values()))


def _estimate(
    probe: Probe, filled: list[Floats], chips: list[Chip], scalings: list[BandScaling]
) -> tuple[Floats, Floats] | None:
    """Median over windows of noise (C,) and sigma (C,), or None where no window is large enough."""
    noises, sigmas = [], []
    for values, chip, scaling in zip(filled, chips, scalings, strict=True):
        valid = np.all(chip.valid, axis=0)
        if min(valid.shape) < SMALLEST_PROBE or valid.sum() < SMALLEST_PROBE**2:
            continue
        ratio, sigma = probe.estimate(probe_features(values, valid, scaling.spread))
        noises.append(ratio * scaling.spread)
        sigmas.append(np.full(len(values), sigma.mean()))
    if not noises:
        return None
    return np.median(noises, axis=0), np.median(sigmas, axis=0)


def scene_statistics(
    scene: Scene, card: ModelCard, *, noise: float | None = None, sigma: float | None = None
) -> SceneStatistics:
    """Look at the scene once.

    Args:
        scene: open scene with the card's bands.
        card: of the model that will run.
        noise: reflectance; None estimates it.
        sigma: Gaussian width of the point spread function in input pixels; None estimates it.

    Raises:
        InputError: every pixel is nodata.
    """
    chips = _representative(scene)
    background = _median(chips)
    filled = [fill(chip, background).astype(np.float64) for chip in chips]
    scalings = [band_scaling(values, chip.valid) for values, chip in zip(filled, chips, strict=True)]
    scaling = _pooled(scalings, np.stack([chip.valid.sum((1, 2)) for chip in chips]))
    probe = _probe(card)
    estimated = None if probe is None else _estimate(probe, filled, chips, scalings)
    if estimated is None:
        noises, sigmas, source = (
            np.zeros(len(card.bands)),
            catalogue_sigma(card),
            f"not estimated: no noise, sigma of {card.sensor}",
        )
    else:
        (noises, sigmas), source = estimated, "estimated from the scene"
    low, high = card.sigma
    sigmas = np.clip(sigmas, low, high)
    if noise is not None:
        noises = np.full(len(card.bands), noise)
    if sigma is not None:
        sigmas = np.full(len(card.bands), sigma)
    given = [flag for flag, value in (("--noise", noise), ("--psf-sigma", sigma)) if value is not None]
    return SceneStatistics(scaling, noises, sigmas, ", ".join([source, *given]))
