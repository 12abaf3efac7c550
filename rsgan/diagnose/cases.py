"""What is diagnosed: the rasters of a task, who judges them, and what they are called."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from rsgan.card import ModelCard
from rsgan.diagnose.ground import Ground, OpticalGround
from rsgan.diagnose.logits import Progress
from rsgan.diagnose.settings import Settings
from rsgan.diagnose.speckle import DespeckledGround, DespeckledJudge, RatioGround, RatioJudge
from rsgan.enhance import despeckle, superres
from rsgan.enhance.choice import open_scene
from rsgan.enhance.options import Options, Reading
from rsgan.enhance.speckle import speckle_statistics
from rsgan.enhance.speckle_method import DespeckleOptions, SarReading
from rsgan.enhance.statistics import scene_statistics
from rsgan.errors import ConfigError, ModelError
from rsgan.evaluate.pictures import rgb_channels
from rsgan.geo import Scene
from rsgan.model import Model
from rsgan.nn.discriminators import (
    PatchDiscriminator,
    PatchDiscriminatorConfig,
    PatchLayersConfig,
    SpeckleDiscriminator,
    SpeckleDiscriminatorConfig,
    patch_geometry,
)


@dataclass(frozen=True)
class Asked:
    """What a user asks for.

    Attributes:
        model: open.
        sources: what the generator is given.
        reference: what the enhanced raster should equal; None where there is none.
        enhanced: what the generator made; None has it made.
        reading: how the files are read.
        settings: of the diagnosis.
        work: where an enhanced raster is made.
        progress: called with (windows done, windows in all).
    """

    model: Model
    sources: Sequence[str | Path]
    reference: str | Path | None
    enhanced: str | Path | None
    reading: Reading | SarReading
    settings: Settings
    work: Path
    progress: Progress | None


@dataclass(frozen=True)
class Case:
    """What is judged, and by whom.

    Attributes:
        ground: open.
        judge: the discriminator left over from training; None where a fresh one is wanted.
        build: gives an untrained one.
        paths: the rasters by what they are.
        captions: of pictures, by what they show.
        alike: groups of pictures that share their colours.
        channels: shown as red, green and blue.
        real: what the better candidates are called.
        generated: what the others are called.
        notes: what the user must be told.
    """

    ground: Ground
    judge: nn.Module | None
    build: Callable[[], nn.Module]
    paths: dict[str, str]
    captions: dict[str, str]
    alike: tuple[tuple[str, ...], ...]
    channels: tuple[int, int, int]
    real: str
    generated: str
    notes: tuple[str, ...]


@contextmanager
def opened(asked: Asked) -> Iterator[Case]:
    """The case of a model's task, its files open.

    Raises:
        ModelError: the model cannot be diagnosed, or holds no discriminator.
    """
    card = asked.model.card
    if card.task == "despeckle":
        way = _despeckled
    elif card.task == "superres" and not card.guide and not card.any_band:
        way = _sharpened
    else:
        kind = (
            f"for {card.task}" if card.task != "superres" else "guided by finer bands" if card.guide else "for any band"
        )
        raise ModelError(
            f"--model {card.name} is {kind}; what is diagnosed is super-resolution of named bands, and despeckling."
        )
    if card.discriminator is None and not asked.settings.refit:
        raise ModelError(f"--model {card.name} holds no discriminator. Give --refit, which trains one.")
    with ExitStack() as opening:
        yield way(asked, opening)


def _sharpened(asked: Asked, opening: ExitStack) -> Case:
    card, settings, reading = asked.model.card, asked.settings, asked.reading
    if not isinstance(reading, Reading):
        raise ConfigError(f"--model {card.name} takes reflectance, not radar.")
    if settings.refit and asked.reference is None:
        raise ConfigError("--refit needs references to tell from what is generated. Give --reference, or leave it out.")
    enhanced = asked.enhanced
    if enhanced is None:
        enhanced = asked.work / "enhanced.tif"
        options = Options(sharpness=settings.sharpness, device=settings.device, overwrite=True)
        with superres.prepare(asked.sources, enhanced, model=asked.model.path, reading=reading, options=options) as job:
            job.run(asked.progress)
    scene = opening.enter_context(open_scene(asked.sources, card, reading))
    given = {"real": asked.reference, "generated": enhanced}
    candidates = {
        kind: opening.enter_context(open_scene([path], card, reading))
        for kind, path in given.items()
        if path is not None
    }
    layers = _layers(card, settings)
    return Case(
        OpticalGround(scene, candidates, card.scale, scene_statistics(scene, card).scaling, patch_geometry(layers)),
        None if settings.refit else asked.model.discriminator(),
        lambda: PatchDiscriminator(layers),
        _paths(asked, enhanced),
        {"observed": "Observed", "generated": "Enhanced", "real": "Reference"},
        (("real", "generated", "observed"),),
        rgb_channels(card.bands, card.sensor),
        "reference",
        "enhanced raster",
        tuple(scene.notes),
    )


def _layers(card: ModelCard, settings: Settings) -> PatchDiscriminatorConfig:
    """The architecture of whoever judges super-resolution."""
    found = card.discriminator
    if not settings.refit and isinstance(found, PatchDiscriminatorConfig):
        return found
    strided = found.strided if isinstance(found, PatchLayersConfig) else 2
    return PatchDiscriminatorConfig(
        bands=len(card.bands), scale=card.scale, channels=settings.channels, strided=strided, spectral_norm=True
    )


def _despeckled(asked: Asked, opening: ExitStack) -> Case:
    card, settings, reading = asked.model.card, asked.settings, asked.reading
    if not isinstance(reading, SarReading):
        raise ConfigError(f"--model {card.name} takes radar, not reflectance.")
    enhanced = asked.enhanced
    if enhanced is None:
        enhanced = asked.work / "enhanced.tif"
        options = DespeckleOptions(sharpness=settings.sharpness, device=settings.device, overwrite=True)
        with despeckle.prepare(
            asked.sources, enhanced, model=asked.model.path, reading=reading, options=options
        ) as job:
            job.run(asked.progress)
    scene = opening.enter_context(Scene.open_sar(asked.sources, **vars(reading)))
    made = opening.enter_context(Scene.open_sar([enhanced], **vars(replace(reading, bands=None))))
    statistics = speckle_statistics(scene, fewest=(card.looks or (1.0, 1.0))[0])
    looks = float(np.clip(statistics.looks[0], *(card.looks or (0.5, 100.0))))
    rho = statistics.correlation[0]
    layers = card.discriminator if isinstance(card.discriminator, SpeckleDiscriminatorConfig) else None
    if settings.refit or layers is None:
        strided = 2 if layers is None else layers.strided
        layers = SpeckleDiscriminatorConfig(channels=settings.channels, strided=strided, spectral_norm=True)
    left = None if settings.refit else asked.model.discriminator()
    notes = [
        *scene.notes,
        f"{scene.bands[0]} is judged, at {looks:.2f} looks and a correlation of {rho[0]:.2f} x {rho[1]:.2f} "
        f"({statistics.source})",
    ]
    seen: dict[str, Any] = {
        "observed": scene, "despeckled": made, "band": 0, "looks": looks,
        "correlation": (float(rho[0]), float(rho[1])), "geometry": patch_geometry(layers),
    }  # fmt: skip
    captions = {"observed": "Observed", "generated": "Despeckled"}
    judged: type[RatioJudge | DespeckledJudge]
    ground: RatioGround | DespeckledGround
    if asked.reference is None:
        judged, ground = RatioJudge, RatioGround(**seen, seed=settings.seed)
        captions |= {"ratio": "Ratio image", "fresh": "Fresh speckle"}
        alike: tuple[tuple[str, ...], ...] = (("generated", "observed"), ("fresh", "ratio"))
        kinds = "fresh speckle", "ratio image"
    else:
        clean = opening.enter_context(Scene.open_sar([asked.reference], **vars(reading)))
        judged, ground = DespeckledJudge, DespeckledGround(**seen, reference=clean, level=float(statistics.level[0]))
        captions |= {"real": "Reference"}
        alike, kinds = (("real", "generated", "observed"),), ("reference", "despeckled raster")
    return Case(
        ground,
        judged(left) if isinstance(left, SpeckleDiscriminator) else None,
        lambda: judged(SpeckleDiscriminator(layers)),
        _paths(asked, enhanced), captions, alike, (0, 0, 0), *kinds, tuple(notes),
    )  # fmt: skip


def _paths(asked: Asked, enhanced: str | Path) -> dict[str, str]:
    found = {"observed": " ".join(map(str, asked.sources)), "reference": asked.reference, "enhanced": enhanced}
    return {role: str(path) for role, path in found.items() if path is not None}
