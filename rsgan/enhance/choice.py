"""Which model a scene gets: by its bands, its gsd and the scale asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rsgan.card import ModelCard
from rsgan.errors import BandError, ModelError
from rsgan.geo import Scene
from rsgan.model import find_model, read_card, zoo_names

GSD_TOLERANCE = 0.3
"""Relative departure from the model's gsd from which the user is told."""


def candidates(scale: int | None) -> dict[Path, ModelCard]:
    """Cards of the package's models for a scale (None: any), by file.

    Raises:
        ModelError: no model of that scale.
    """
    cards = {path: read_card(path) for path in map(find_model, zoo_names())}
    cards = {path: card for path, card in cards.items() if card.task == "superres"}
    fitting = {path: card for path, card in cards.items() if scale in (None, card.scale)}
    if not fitting:
        known = ", ".join(str(known) for known in sorted({card.scale for card in cards.values()}))
        raise ModelError(f"--scale {scale}: no such model; there are models for {known or 'none'}.")
    return fitting


def departs(scene: Scene, card: ModelCard) -> bool:
    """Whether the scene's gsd, where known, is not the one that the model was trained for."""
    return any(abs(gsd / card.gsd_m - 1) > GSD_TOLERANCE for gsd in scene.gsd_m or ())


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


def open_scene(sources: Sequence[str | Path], card: ModelCard, how: dict[str, Any]) -> Scene:
    """The scene with the bands of a card; `how` are further settings of `Scene.open`."""
    return Scene.open(sources, wanted=card.bands, sensor_name=card.sensor, **how)


def open_fitting(
    sources: Sequence[str | Path], cards: dict[Path, ModelCard], how: dict[str, Any]
) -> tuple[Scene, dict[Path, ModelCard]]:
    """The scene with the bands of the first models that fit it, and the cards of all models of these bands.

    Raises:
        BandError: the scene has the bands of no model; what the first one lacked.
    """
    refusals = []
    for first in {(card.bands, card.sensor): card for card in reversed(cards.values())}.values():
        try:
            scene = open_scene(sources, first, how)
        except BandError as error:
            refusals.append(error)
            continue
        return scene, {p: c for p, c in cards.items() if (c.bands, c.sensor) == (first.bands, first.sensor)}
    raise refusals[-1]
