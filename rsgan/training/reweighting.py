"""Feedback from the discriminator: chips of classes whose invented detail it tells from real are drawn more often.

A conditional discriminator cannot say that a class is made too rarely: the class is in what it is given. It says where
the generator falls short, and there the generator is given more to learn from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from rsgan.metrics.land_cover import INDICES, index_classes

TRIES = 40
"""Chips that are drawn for one sample, at most."""
AUROC = "auroc/"
"""Prefix of the figures of a class that `Validation.by_class` gives."""
COLOURS = ("green", "red", "nir")
"""Bands that tell the classes."""


def class_weights(figures: Mapping[str, float], strength: float) -> dict[str, float]:
    """How often chips of each class are drawn, from what the discriminator says of it; 1 where it tells nothing apart.

    Args:
        figures: `auroc/C` of each class C.
        strength: the class that is told apart best is drawn 1 + `strength` times as often as one that is not at all.
    """
    excess = {name.removeprefix(AUROC): max(x - 0.5, 0.0) for name, x in figures.items() if name.startswith(AUROC)}
    most = max(excess.values(), default=0.0)
    return {name: 1 + strength * found / most for name, found in excess.items()} if most else {}


def keeps(
    chip: NDArray[np.float32], colours: Sequence[int], weights: Mapping[str, float], rng: np.random.Generator
) -> bool:
    """Whether a chip (C, H, W) that was drawn is taken: by the mean weight of its pixels, of the largest there is.

    Args:
        chip: reflectance.
        colours: channels of `COLOURS`.
        weights: of the classes; 1 where none is given.
        rng: decides.
    """
    counts = np.bincount(index_classes(*(chip[channel] for channel in colours)).ravel(), minlength=len(INDICES) + 1)
    named = [weights.get(figure_name(name), 1.0) for name in INDICES.values()]
    weight = counts[list(INDICES)] @ np.array(named) / counts.sum()
    return bool(rng.random() * max(weights.values()) < weight)


def figure_name(name: str) -> str:
    """What a class is called in the log."""
    return name.replace(" ", "_")
