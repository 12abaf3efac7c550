"""A guided network fitted to the scene itself, one scale up, where the scene's own coarse bands are the references."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rsgan.enhance.guiding import EDGE, Guiding
from rsgan.enhance.statistics import SceneStatistics, representative
from rsgan.errors import RsganError
from rsgan.filters.linear_injection import LinearFit
from rsgan.geo import Scene, fill
from rsgan.nn.generators import Generator, Guide, SensorState
from rsgan.nn.losses import charbonnier_loss
from rsgan.sensors.optical import degrade
from rsgan.sensors.statistics import band_scaling, plain_noise

UPDATES = 400
BATCH = 8
CHIP = 24
"""Updates of the network, chips per update, and side of a chip in pixels of the scene seen one scale up."""
LEARNING_RATE = 2e-4
EPSILON = 0.5
"""Error in units of a band's spread where the loss turns from quadratic to linear."""
WITHHELD = 0.25
"""Share of the columns of every window on which the fit is judged and not made."""


@dataclass(frozen=True)
class Adaptation:
    """A network fitted to a scene, and whether that helped.

    Attributes:
        generator: the fitted network, or the one as it came where fitting did not help.
        before: RMSE of the network as it came, over ground that was withheld, one scale up, reflectance.
        after: the same of the fitted one.
        seconds: wall time.
    """

    generator: Generator
    before: float
    after: float
    seconds: float

    @property
    def helped(self) -> bool:
        """Whether the fitted network is the better one."""
        return self.after < self.before

    def __str__(self) -> str:
        kept = "" if self.helped else "; the model as it came is kept"
        return (
            f"adapted in {self.seconds:.0f} s: RMSE one scale up, on ground that was withheld, {self.before:.5f} -> "
            f"{self.after:.5f} reflectance{kept}"
        )


@dataclass(frozen=True)
class _Lesson:
    """One window of the scene one scale up, in network units; `valid` (h, w) on its observed grid."""

    reference: Tensor
    observed: Tensor
    guide: Guide
    sensor: SensorState
    valid: NDArray[np.bool_]
    unit: Tensor


def adapt(
    generator: Generator,
    scene: Scene,
    guiding: Guiding,
    statistics: SceneStatistics,
    *,
    seed: int = 0,
    updates: int = UPDATES,
    progress: Callable[[int, int], None] | None = None,
) -> Adaptation:
    """Fit a guided network to a scene.

    Args:
        generator: of the model.
        scene: open scene.
        guiding: its finer bands.
        statistics: of the scene.
        seed: of the choice of chips.
        updates: of the network.
        progress: called with (updates done, updates in all).

    Raises:
        RsganError: the scene is too small to be seen one scale up.
    """
    started = time.perf_counter()
    lessons = list(_lessons(scene, guiding, statistics))
    fitted, rng = copy.deepcopy(generator).train(), np.random.default_rng(seed)
    before = _withheld_rmse(generator, lessons)
    optimizer = torch.optim.AdamW(fitted.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.99), weight_decay=0.0)
    for done in range(updates):
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * (1 + math.cos(math.pi * done / updates)) / 2
        optimizer.zero_grad(set_to_none=True)
        _loss(fitted, lessons, rng).backward()
        torch.nn.utils.clip_grad_norm_(fitted.parameters(), 0.5)
        optimizer.step()
        if progress is not None:
            progress(done + 1, updates)
    after = _withheld_rmse(fitted.eval(), lessons)
    better = (fitted if after < before else generator).eval()
    return Adaptation(better, before, after, time.perf_counter() - started)


def _lessons(scene: Scene, guiding: Guiding, statistics: SceneStatistics) -> Iterator[_Lesson]:
    """Windows of the scene as they would look one scale up, with the linear law that they teach together."""
    scale, sigma = guiding.scale, torch.from_numpy(statistics.sigma).float()
    windows = []
    guide_centre = statistics.guide.centre if statistics.guide is not None else 0.0
    for window, chip in representative(scene):
        height, width = (side // scale * scale for side in chip.valid.shape[1:])
        if min(height, width) < scale * CHIP:
            continue
        reference = torch.from_numpy(fill(chip, statistics.scaling.centre))[None, :, :height, :width]
        fine = torch.from_numpy(fill(guiding.read(window), guide_centre))[None, :, : height * scale, : width * scale]
        guide = degrade(fine, sigma.mean().reshape(1, 1), scale)
        observed = degrade(reference, sigma[None], scale)
        whole = np.all(chip.valid, axis=0)[:height, :width].reshape(height // scale, scale, width // scale, scale)
        windows.append((reference, observed, guide, np.all(whole, axis=(1, 3))))
    if not windows:
        raise RsganError(
            f"--adapt: {scene.name} has no window of {scale * CHIP} x {scale * CHIP} pixels with data, too little to "
            "be seen one scale up. Leave --adapt out."
        )
    fit = LinearFit(sigma, len(guiding.scene.bands), scale)
    for _, observed, guide, valid in windows:
        fit.add(observed, guide, torch.from_numpy(valid))
    law = fit.solve().to(torch.device("cpu"), torch.float32)
    for reference, observed, guide, valid in windows:
        scaling, own = band_scaling(observed[0].numpy()), band_scaling(guide[0].numpy())
        centre, spread = (torch.from_numpy(x).float()[None, :, None, None] for x in (scaling.centre, scaling.spread))
        noise = plain_noise(observed[0].numpy().astype(np.float64), valid, scaling.spread) / scaling.spread
        estimate = law(observed, guide)
        yield _Lesson(
            (reference - centre) / spread,
            (observed - centre) / spread,
            Guide(torch.from_numpy(own.to_network(guide[0].numpy()))[None], (estimate - centre) / spread),
            SensorState(sigma[None], torch.from_numpy(noise).float()[None]),
            valid,
            spread,
        )


def _columns(lesson: _Lesson) -> int:
    """First withheld column of a window, on its observed grid."""
    return max(int(lesson.valid.shape[1] * (1 - WITHHELD)), CHIP)


def _loss(generator: Generator, lessons: list[_Lesson], rng: np.random.Generator) -> Tensor:
    """Charbonnier loss of a batch of chips from one window, turned at random."""
    lesson = lessons[int(rng.integers(len(lessons)))]
    scale = generator.config.scale
    parts: list[list[Tensor]] = [[], [], [], []]
    for _ in range(BATCH):
        row = int(rng.integers(lesson.valid.shape[0] - CHIP + 1))
        column = int(rng.integers(max(_columns(lesson) - CHIP, 0) + 1))
        turns, mirrored = int(rng.integers(4)), bool(rng.integers(2))
        whole = (
            (lesson.reference, scale),
            (lesson.observed, 1),
            (lesson.guide.bands, scale),
            (lesson.guide.estimate, scale),
        )
        for part, (values, zoom) in zip(parts, whole, strict=True):
            rows, columns = (slice(first * zoom, (first + CHIP) * zoom) for first in (row, column))
            chip = torch.rot90(values[:, :, rows, columns], turns, (2, 3))
            part.append(chip.flip(3) if mirrored else chip)
    reference, observed, guide, estimate = (torch.cat(part) for part in parts)
    sensor = SensorState(*(x.expand(BATCH, -1) for x in vars(lesson.sensor).values()))
    return charbonnier_loss(generator(observed, sensor, Guide(guide, estimate)) - reference, EPSILON)


@torch.no_grad()
def _withheld_rmse(generator: Generator, lessons: list[_Lesson]) -> float:
    """Mean over bands of the RMSE, reflectance, over the columns that nothing is learnt from."""
    squares, count = torch.zeros(lessons[0].reference.shape[1]), 0
    generator.eval()
    for lesson in lessons:
        first = _columns(lesson) + EDGE
        if first >= lesson.valid.shape[1]:
            first = 0
        error = (generator(lesson.observed, lesson.sensor, lesson.guide) - lesson.reference) * lesson.unit
        scale = generator.config.scale
        usable = torch.from_numpy(lesson.valid[:, first:].repeat(scale, 0).repeat(scale, 1))
        squares += error[0, :, :, first * scale :].square()[:, usable].sum(1)
        count += int(usable.sum())
    return float((squares / max(count, 1)).sqrt().mean())
