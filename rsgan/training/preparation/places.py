"""Rasters that show one ground, and which places are held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from rsgan.training.tiles import Bounds, overlap


def places_of(footprints: Sequence[Bounds | None], names: Sequence[str]) -> list[str]:
    """The place of each raster: rasters whose footprints overlap, directly or through others, show one.

    Args:
        footprints: in degrees; None where a raster has no coordinates, which is then a place of its own.
        names: of the rasters; a place is called by the first of its own.
    """
    places = list(range(len(names)))
    for number, footprint in enumerate(footprints):
        for other in range(number):
            beside = footprints[other]
            if footprint is not None and beside is not None and overlap(footprint, beside):
                kept, joined = sorted((places[number], places[other]))
                places = [kept if place == joined else place for place in places]
    return [names[place] for place in places]


def held_out_places(chips: Mapping[str, int], share: float, seed: int) -> set[str]:
    """Whole places that together have about a share of the chips, drawn at random; never all of them.

    Args:
        chips: usable chips of each place.
        share: to hold out, 0 .. below 1.
        seed: of the draw.

    Returns:
        Empty where there is one place only, or nothing is to be held out.
    """
    if share <= 0 or len(chips) < 2:
        return set()
    total, held, found = sum(chips.values()), 0, set[str]()
    order = np.random.default_rng(seed).permutation(sorted(chips))
    for place in map(str, order):
        # a place that would make it worse than leaving it is left to training
        if abs(held + chips[place] - share * total) < abs(held - share * total) and len(found) < len(chips) - 1:
            found.add(place)
            held += chips[place]
    return found or {min(chips, key=lambda place: (chips[place], place))}
