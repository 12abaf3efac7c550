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
from scipy import ndimage
from torch import Tensor

from rsgan.enhance.guiding import EDGE, Guiding, both_valid
from rsgan.enhance.statistics import SceneStatistics, representative
from rsgan.errors import RsganError
from rsgan.filters.linear_injection import LinearFit, LinearInjection
from rsgan.geo import Scene, fill, valid_blocks
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
KEPT = 0.5
"""Weight of the network as it came in the mean of the two: not all that one scale up teaches holds at the scene's own.
Source: Wortsman et al. 2022, "Robust fine-tuning of zero-shot models", arXiv:2109.01903."""
DRAWS = 4
"""Draws of noise with which each window is seen."""
WITHHELD = 0.25
"""Share of the columns of every window on which the fit is judged and not made."""
NARROWEST = math.ceil(CHIP / (1 - WITHHELD))
"""Least width of a window, in pixels of the scene seen one scale up: what is not withheld holds a chip."""


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
class _Window:
    """One window of the scene as it would look one scale up, reflectance.

    Attributes:
        reference: (1, C, scale h, scale w) the coarse bands as they are.
        observed: (1, C, h, w) the same, degraded.
        guide: (1, G, scale h, scale w) the finer bands, degraded.
        valid: (h, w) True where nothing of it was filled, nor beside it.
    """

    reference: Tensor
    observed: Tensor
    guide: Tensor
    valid: NDArray[np.bool_]

    @property
    def withheld(self) -> int:
        """First observed column from which nothing is learnt."""
        return int(self.valid.shape[1] * (1 - WITHHELD))

    @property
    def teaches(self) -> bool:
        """Whether there is ground to learn from, and ground to be judged on."""
        return bool(self.valid[:, : self.withheld].any() and self.valid[:, self.withheld + EDGE :].any())


@dataclass(frozen=True)
class _Lesson:
    """One window in network units, with the linear estimate.

    Attributes:
        reference: (1, C, scale h, scale w).
        observed: (1, C, h, w).
        guide: of the same ground.
        sensor: of the window.
        valid: (1, 1, scale h, scale w) 1 where the reference counts, else 0.
        withheld: first observed column from which nothing is learnt.
        unit: (1, C, 1, 1) reflectance per network unit.
    """

    reference: Tensor
    observed: Tensor
    guide: Guide
    sensor: SensorState
    valid: Tensor
    withheld: int
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
    lessons = _lessons(scene, guiding, statistics, torch.Generator().manual_seed(seed))
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
    with torch.no_grad():
        for weight, kept in zip(fitted.parameters(), generator.parameters(), strict=True):
            weight.lerp_(kept.to(weight), KEPT)
    after = _withheld_rmse(fitted.eval(), lessons)
    better = (fitted if after < before else generator).eval()
    return Adaptation(better, before, after, time.perf_counter() - started)


def _windows(scene: Scene, guiding: Guiding, statistics: SceneStatistics) -> Iterator[_Window]:
    scale, sigma = guiding.scale, torch.from_numpy(statistics.sigma).float()
    background = np.zeros(len(guiding.scene.bands)) if statistics.guide is None else statistics.guide.centre
    for window, chip in representative(scene):
        height, width = (side // scale * scale for side in chip.valid.shape[1:])
        if height < scale * CHIP or width < scale * NARROWEST:
            continue
        finer = guiding.read(window)
        reference = torch.from_numpy(fill(chip, statistics.scaling.centre))[None, :, :height, :width]
        fine = torch.from_numpy(fill(finer, background))[None, :, : height * scale, : width * scale]
        whole = valid_blocks(both_valid(chip, finer, scale)[:height, :width], scale)
        yield _Window(
            reference,
            degrade(reference, sigma[None], scale),
            degrade(fine, sigma.mean().reshape(1, 1), scale),
            ndimage.binary_erosion(whole, iterations=EDGE, border_value=1),
        )


def _lessons(scene: Scene, guiding: Guiding, statistics: SceneStatistics, rng: torch.Generator) -> list[_Lesson]:
    """Windows of the scene one scale up, with the linear law that they teach together.

    Degrading averages the scene's noise away, so as much is added as makes it what it is in the scene, relative to the
    detail: a network fitted to less would take noise for detail.
    """
    scale, sigma = guiding.scale, torch.from_numpy(statistics.sigma).float()
    windows = [window for window in _windows(scene, guiding, statistics) if window.teaches]
    if not windows:
        raise RsganError(
            f"--adapt: {scene.name} has no window of {scale * NARROWEST} x {scale * CHIP} pixels with data in all "
            "bands and in the finer ones, too little to be seen one scale up. Leave --adapt out."
        )
    fit = LinearFit(sigma, len(guiding.scene.bands), scale)
    for window in windows:
        fit.add(window.observed, window.guide, torch.from_numpy(window.valid))
    law = fit.solve().to(torch.device("cpu"), torch.float32)
    noise = statistics.noise / statistics.scaling.spread
    return [_lesson(window, law, noise, rng) for window in windows for _ in range(DRAWS)]


def _lesson(window: _Window, law: LinearInjection, noise: NDArray[np.floating], rng: torch.Generator) -> _Lesson:
    """One window with noise (C,) in network units, of which it has a part already."""
    seen, finer = window.observed[0].numpy(), window.guide[0].numpy()
    scaling, own = band_scaling(seen), band_scaling(finer)
    centre, spread = (torch.from_numpy(x).float()[None, :, None, None] for x in (scaling.centre, scaling.spread))
    present = plain_noise(seen.astype(np.float64), window.valid, scaling.spread) / scaling.spread
    lacking = torch.from_numpy(np.sqrt(np.maximum(noise**2 - present**2, 0))).float()[None, :, None, None]
    observed = window.observed + lacking * spread * torch.randn(window.observed.shape, generator=rng)
    told = torch.from_numpy(np.maximum(noise, present)).float()[None]
    valid = torch.from_numpy(window.valid.repeat(law.scale, 0).repeat(law.scale, 1)).float()
    return _Lesson(
        (window.reference - centre) / spread,
        (observed - centre) / spread,
        Guide(torch.from_numpy(own.to_network(finer))[None], (law(observed, window.guide) - centre) / spread),
        SensorState(law.sigma[None], told),
        valid[None, None],
        window.withheld,
        spread,
    )


def _loss(generator: Generator, lessons: list[_Lesson], rng: np.random.Generator) -> Tensor:
    """Charbonnier loss of a batch of chips from one window, turned at random; filled ground does not count."""
    lesson = lessons[int(rng.integers(len(lessons)))]
    scale = generator.config.scale
    whole = (
        (lesson.reference, scale),
        (lesson.observed, 1),
        (lesson.guide.bands, scale),
        (lesson.guide.estimate, scale),
        (lesson.valid, scale),
    )
    parts: list[list[Tensor]] = [[] for _ in whole]
    for _ in range(BATCH):
        row = int(rng.integers(lesson.observed.shape[2] - CHIP + 1))
        column = int(rng.integers(lesson.withheld - CHIP + 1))
        turns, mirrored = int(rng.integers(4)), bool(rng.integers(2))
        for part, (values, zoom) in zip(parts, whole, strict=True):
            rows, columns = (slice(first * zoom, (first + CHIP) * zoom) for first in (row, column))
            chip = torch.rot90(values[:, :, rows, columns], turns, (2, 3))
            part.append(chip.flip(3) if mirrored else chip)
    reference, observed, guide, estimate, valid = (torch.cat(part) for part in parts)
    sensor = SensorState(*(x.expand(BATCH, -1) for x in vars(lesson.sensor).values()))
    error = generator(observed, sensor, Guide(guide, estimate)) - reference
    return charbonnier_loss(error * valid, EPSILON)


@torch.no_grad()
def _withheld_rmse(generator: Generator, lessons: list[_Lesson]) -> float:
    """Mean over bands of the RMSE, reflectance, over the columns that nothing is learnt from."""
    squares, count = torch.zeros(lessons[0].reference.shape[1]), 0.0
    generator.eval()
    for lesson in lessons:
        error = (generator(lesson.observed, lesson.sensor, lesson.guide) - lesson.reference) * lesson.unit
        judged = slice((lesson.withheld + EDGE) * generator.config.scale, None)
        squares += (error.square() * lesson.valid)[0, :, :, judged].sum((1, 2))
        count += float(lesson.valid[..., judged].sum())
    return float((squares / count).sqrt().mean())
