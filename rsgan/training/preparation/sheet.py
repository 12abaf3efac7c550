"""The contact sheet: what a run will see, and what it will not."""

from __future__ import annotations

import numpy as np

from rsgan.card import Domain
from rsgan.geo import Scene, Window
from rsgan.report.panels import Panel, limits_of, stretch
from rsgan.report.sheet import Thumbnail
from rsgan.report.sheet import thumbnail as reduced


def thumbnail(scene: Scene, place: tuple[int, int], side: int, domain: Domain, caption: str) -> Thumbnail:
    """A chip of a scene, with a stretch of its own; the scene is closed."""
    with scene:
        chip = scene.read(Window(place[1], place[0], side, side))
    red, green, blue = domain.colours
    valid = np.all(chip.valid, axis=0)
    panel = Panel(caption, domain.to_network(chip.values), valid)
    pixels = stretch(panel.values[[red, green, blue]], limits_of(panel, (red, green, blue)))
    pixels[~valid] = 255
    return reduced(pixels, caption)
