"""Which model a scene gets: by its bands, its gsd and the scale asked for."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from rsgan.card import ModelCard
from rsgan.catalogue import RGBN_SENSOR
from rsgan.enhance.guiding import Guiding
from rsgan.enhance.options import Reading
from rsgan.errors import BandError, GridError, ModelError
from rsgan.geo import Scene
from rsgan.model import find_model, read_card, zoo_names

GSD_TOLERANCE = 0.3
"""Relative departure from the model's gsd from which the user is told."""


def candidates(scale: int | None) -> dict[Path, ModelCard]:
    """Cards of the package's models that take a scene of certain bands, for a scale (None: any), by file.

    Models that need finer bands beside the scene, or that take any band, are only used when they are asked for.

    Raises:
        ModelError: no model of that scale.
    """
    cards = {path: read_card(path) for path in map(find_model, zoo_names())}
    cards = {path: card for path, card in cards.items() if card.task == "superres" and card.bands and not card.guide}
    fitting = {path: card for path, card in cards.items() if scale in (None, card.scale)}
    if not fitting:
        known = ", ".join(str(known) for known in sorted({card.scale for card in cards.values()}))
        raise ModelError(f"--scale {scale}: no such model; there are models for {known or 'none'}.")
    return fitting


def departs(scene: Scene, card: ModelCard) -> bool:
    """Whether the scene's gsd, where known, is not the one that the model was trained for."""
    trained = card.gsd_m
    if card.any_band or trained is None:
        return False
    return any(abs(gsd / trained - 1) > GSD_TOLERANCE for gsd in scene.gsd_m or ())


def choose_model(scene: Scene, cards: dict[Path, ModelCard], scale: int | None) -> tuple[Path, str]:
    """Model for a scene among those that take its bands, and why: trained for its gsd, then the smallest scale."""
    order = sorted(cards, key=lambda path: (departs(scene, cards[path]), cards[path].scale, path.name))
    card, others = cards[order[0]], sorted({cards[path].scale for path in order} - {cards[order[0]].scale})
    reason = f"chosen for {' '.join(card.bands)}" + ("" if scene.gsd_m is None else f" at {metres(scene)}")
    if scale is not None:
        return order[0], f"{reason} and --scale {scale}"
    further = ", ".join(f"--scale {other}" for other in others)
    return order[0], reason + (f"; the smallest scale invents least, {further} goes further" if others else "")


def metres(scene: Scene, scale: int = 1) -> str:
    """Ground sampling distance in words, both ways where they differ."""
    both = [f"{gsd / scale:.4g}" for gsd in scene.gsd_m or ()]
    return " x ".join(dict.fromkeys(both)) + " m"


def open_scene(sources: Sequence[str | Path], card: ModelCard, reading: Reading) -> Scene:
    """The scene with the bands of a card: every band of the files for a card of any band."""
    return reading.open(sources, card.bands or None, sensor_name=card.sensor)


def open_guide(sources: Sequence[str | Path], card: ModelCard | None, scene: Scene, reading: Reading) -> Guiding:
    """The finer bands that guide a scene: those of the card, or those with the finest pixels.

    Raises:
        BandError: the finest pixels are those of the scene itself.
        GridError: they do not nest, or not as the card needs.
    """
    wanted, named = (None, RGBN_SENSOR) if card is None else (card.guide, card.sensor)
    with ExitStack() as opening:
        finer = reading.of_guide().open(sources, wanted, sensor_name=named, rank=0 if card is None else None)
        opening.enter_context(finer)
        guiding = Guiding.of(scene, finer)
        if guiding.scale == 1:
            raise BandError(
                f"{scene.name}: bands {' '.join(scene.bands)} already have the finest pixels of the files, so nothing "
                f"guides them. Give a raster with finer pixels of the same ground as well."
            )
        if card is not None and guiding.scale != card.scale:
            raise GridError(
                f"{scene.name}: a pixel of {scene.bands[0]} holds {guiding.scale} of {card.guide[0]} each way; "
                f"{card.name} takes {card.scale}. Give the files at their native pixels, or use --method linear, which "
                f"takes any whole number."
            )
        opening.pop_all()
        return guiding


def open_fitting(
    sources: Sequence[str | Path], cards: dict[Path, ModelCard], reading: Reading
) -> tuple[Scene, dict[Path, ModelCard]]:
    """The scene with the bands of the first models that fit it, and the cards of all models of these bands.

    Raises:
        BandError: the scene has the bands of no model; what the first one lacked.
    """
    refusals = []
    for first in {(card.bands, card.sensor): card for card in reversed(cards.values())}.values():
        try:
            scene = open_scene(sources, first, reading)
        except BandError as error:
            refusals.append(error)
            continue
        return scene, {p: c for p, c in cards.items() if (c.bands, c.sensor) == (first.bands, first.sensor)}
    raise refusals[-1]
