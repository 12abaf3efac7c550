"""The way between two chips: its chips, a strip and an animation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from rsgan.errors import ConfigError
from rsgan.model import open_model
from rsgan.report.panels import Panel, limits_of, stretch
from rsgan.synthesis.job import MODEL, Options, Progress, SynthesisJob, Synthesized, config_of
from rsgan.synthesis.latent import interpolated

ANIMATION = "animation.gif"
FRAME_MS, ENLARGED = 200, 4
"""Of the animation: time of a frame, and screen pixels for each pixel."""


@dataclass(frozen=True)
class End:
    """One end of the way: a chip that `rsgan synthesize` would make."""

    name: str
    number: int

    @classmethod
    def of(cls, text: str, known: Sequence[str]) -> End:
        """From class:number.

        Raises:
            ConfigError: it is none, or of another class.
        """
        name, colon, number = text.rpartition(":")
        if not colon or not number.isdecimal() or name not in known:
            raise ConfigError(f"--interpolate {text}: expected class:number, the class one of {', '.join(known)}.")
        return cls(name, int(number))


class WayJob(SynthesisJob):
    """Chips on the way between two that a `SynthesisJob` would make with the same seed."""

    ends: tuple[End, End]

    @cached_property
    def _way(self) -> NDArray[np.float32]:
        """(steps, bands, side, side) reflectance."""
        (steps,) = self.wanted.values()
        noise = torch.cat([self._noise(end.name, [end.number]) for end in self.ends])
        given = None
        if self.generator.config.given == "class":
            given = torch.tensor([self.card.classes.index(end.name) for end in self.ends])
        device = self.generator.low.device
        images = interpolated(
            self.generator,
            noise.to(device),
            torch.linspace(0, 1, steps, device=device),
            None if given is None else given.to(device),
        )
        return self.domain.to_physical(images.cpu().numpy())

    def physical(self, name: str, numbers: range) -> NDArray[np.float32]:
        """(N, bands, side, side) reflectance of those that there are."""
        return self._way[numbers.start : numbers.stop]

    def run(self, progress: Progress | None = None) -> Synthesized:
        """Make and write everything, then the animation, there and back."""
        done = super().run(progress)
        limits = limits_of(Panel("", np.concatenate(list(self._way), axis=1)), self.domain.colours)
        frames = []
        for chip in self._way:
            frame = Image.fromarray(stretch(chip[list(self.domain.colours)], limits))
            frames.append(frame.resize((frame.width * ENLARGED, frame.height * ENLARGED), Image.Resampling.NEAREST))
        frames[0].save(
            self.out / ANIMATION, save_all=True, append_images=frames[1:] + frames[-2:0:-1], duration=FRAME_MS, loop=0
        )
        return done


def prepare_way(
    out: str | Path,
    ends: tuple[str, str],
    steps: int,
    *,
    model: str | Path = MODEL,
    options: Options | None = None,
) -> WayJob:
    """Check what is asked for.

    Args:
        out: folder to make.
        ends: class:number of the first chip and of the last one.
        steps: chips, both ends among them.
        model: name or file of a model of task synthesize that is given no map.
        options: how chips are made.

    Raises:
        RsganError: the model is of another task, an end is none of its chips, or the folder is in use.
    """
    opened = open_model(model)
    config = config_of(opened.card)
    if config.given == "map":
        raise ConfigError(f"--interpolate: {opened.card.name} makes chips of a map, which have no way between them.")
    known = opened.card.classes if config.given == "class" else ("any",)
    first, last = (End.of(text, known) for text in ends)
    if config.network.kind != "style" and first.name != last.name:
        raise ConfigError(f"--interpolate: {opened.card.name} has no styles, so both ends have to be of one class.")
    name = f"{first.name} {first.number} to {last.name} {last.number}"
    job = WayJob(opened, Path(out), {name: steps}, None, options or Options())
    job.ends = (first, last)
    return job
