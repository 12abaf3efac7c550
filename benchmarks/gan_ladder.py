"""Which games cover all modes: objectives x penalties on a ring of 8 Gaussians, and on chips of 8 kinds of land.

    python -m benchmarks.gan_ladder [--set ring] [--steps 2500] [--seeds 10]
    python -m benchmarks.gan_ladder --set chips [--steps 2500] [--seeds 10] [--objectives NAME ...]

Generator and discriminator are multilayer perceptrons of two hidden layers of 128; Adam, batches of 256, one update of
the discriminator per update of the generator, rates `RATES`, all rows alike. The seeds of a row are trained side by
side, none sees another.

Ring: a mode counts as covered where at least 20 of 2500 samples lie within 3 standard deviations of it (of 312 that
would be its share); the distance is the sliced Wasserstein distance to fresh samples of the ring, which has radius 2.
Chips: 8 x 8 pixels of four bands, drawn from the spectra of `sensors.procedural`, each kind with a brightness and a
texture of its own, each band in units of its spread; a kind is covered where as many chips have a mean spectrum that is
nearer to its own than to any other's, and within 3 of its standard deviations. Writes a section of RESULTS.md.

Source of the ring and of counting modes: Metz et al. 2017, arXiv:1611.02163, section 3.1.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.results import record, table
from rsgan.nn.objectives import OBJECTIVES, Objective
from rsgan.nn.regularizers import gradient_penalty, r1_penalty
from rsgan.sensors.procedural.spectra import CLEAR_WATER, CONIFER, CROPS, DRY_SAND, ROOFS, SOILS, TURBID_WATER

MODES, RADIUS, DEVIATION = 8, 2.0, 0.05
BATCH, LATENT, WIDTH = 256, 8, 128
SAMPLES, ENOUGH = 2500, 20
RATES = (2e-3, 1e-3)
"""Learning rates of the discriminator and of the generator."""
SIDE, BANDS = 8, 4
KINDS = (CLEAR_WATER, TURBID_WATER, SOILS[1], CROPS[0], CROPS[3], CONIFER, ROOFS[2], DRY_SAND)
CONTRAST = (0.02, 0.03, 0.05, 0.06, 0.08, 0.2, 0.15, 0.04)
"""Spectra of the kinds of land, and relative standard deviation of their texture."""
BRIGHTNESS = 0.05
"""Standard deviation of the logarithm of a chip's brightness."""


class Perceptrons(nn.Module):
    """One multilayer perceptron per seed, trained side by side: (S, B, inputs) -> (S, B, outputs)."""

    def __init__(self, seeds: int, inputs: int, outputs: int) -> None:
        super().__init__()
        sizes = (inputs, WIDTH, WIDTH, outputs)
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for fan_in, fan_out in pairwise(sizes):
            bound = fan_in**-0.5
            self.weights.append(torch.empty(seeds, fan_in, fan_out).uniform_(-bound, bound))
            self.biases.append(torch.zeros(seeds, 1, fan_out))

    def forward(self, values: Tensor) -> Tensor:
        """Outputs of every seed's network."""
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            values = torch.baddbmm(bias, values, weight)
            if number < len(self.weights) - 1:
                values = torch.nn.functional.leaky_relu(values, 0.2)
        return values


def ring(shape: tuple[int, ...]) -> Tensor:
    """Samples of the ring, (*shape, 2)."""
    angle = 2 * torch.pi * torch.randint(MODES, shape) / MODES
    return RADIUS * torch.stack([angle.cos(), angle.sin()], -1) + DEVIATION * torch.randn(*shape, 2)


def covered(samples: NDArray[np.floating]) -> int:
    """Modes with enough samples near by, of (N, 2)."""
    angles = 2 * np.pi * np.arange(MODES) / MODES
    centres = RADIUS * np.stack([np.cos(angles), np.sin(angles)], 1)
    near = np.linalg.norm(samples[:, None] - centres, axis=2) < 3 * DEVIATION
    return int((near.sum(0) >= ENOUGH * len(samples) / SAMPLES).sum())


def chips(shape: tuple[int, ...]) -> Tensor:
    """Chips of land, (*shape, SIDE * SIDE * BANDS), each band in units of its spread over the kinds."""
    kind = torch.randint(MODES, shape)
    spectrum, contrast = torch.tensor(KINDS)[kind], torch.tensor(CONTRAST)[kind]
    brightness = torch.exp(BRIGHTNESS * torch.randn(*shape, 1, 1, 1))
    rough = torch.randn(*shape, 1, SIDE, SIDE)
    texture = 1 + contrast[..., None, None, None] * (rough + rough.roll(1, -1) + rough.roll(1, -2)) / 3**0.5
    land = spectrum[..., None, None] * brightness * texture
    return ((land - _LEVEL[:, None, None]) / _SPREAD[:, None, None]).flatten(-3)


_LEVEL, _SPREAD = torch.tensor(KINDS).mean(0), torch.tensor(KINDS).std(0)


def covered_kinds(samples: NDArray[np.floating]) -> int:
    """Kinds of land with enough chips, of (N, SIDE * SIDE * BANDS)."""
    level, spread, spectra = (x.numpy().astype(np.float64) for x in (_LEVEL, _SPREAD, torch.tensor(KINDS)))
    means = samples.reshape(len(samples), BANDS, -1).mean(2) * spread + level
    centres = (spectra - level) / spread
    # brightness and what is left of the texture in a mean of 64 pixels
    deviation = np.linalg.norm(
        spectra / spread * np.hypot(BRIGHTNESS, 3**0.5 * np.array(CONTRAST)[:, None] / SIDE), axis=1
    )
    away = np.linalg.norm(((means - level) / spread)[:, None] - centres, axis=2)
    hits = (away.argmin(1)[:, None] == np.arange(MODES)) & (away < 3 * deviation)
    return int((hits.sum(0) >= ENOUGH * len(samples) / SAMPLES).sum())


def sliced_wasserstein(first: NDArray[np.floating], second: NDArray[np.floating], directions: int = 64) -> float:
    """Mean over directions of the Wasserstein-1 distance between the projections of two sets of (N, D)."""
    if first.shape[1] == 2:
        angles = np.pi * np.arange(directions) / directions
        axes = np.stack([np.cos(angles), np.sin(angles)])
    else:
        axes = np.random.default_rng(0).standard_normal((first.shape[1], directions))
        axes /= np.linalg.norm(axes, axis=0)
    one, other = (np.sort(samples @ axes, axis=0) for samples in (first, second))
    return float(np.abs(one - other).mean())


@dataclass(frozen=True)
class Toy:
    """What is to be learnt.

    Attributes:
        draw: (shape) -> samples (*shape, dimensions).
        dimensions: of a sample.
        covered: (N, dimensions) -> modes of `MODES`.
        r1: weight of R1 in its row; what the images of the papers take has other slopes.
        gradient_penalty: likewise.
    """

    draw: Callable[[tuple[int, ...]], Tensor]
    dimensions: int
    covered: Callable[[NDArray[np.floating]], int]
    r1: float
    gradient_penalty: float

    @property
    def penalties(self) -> dict[str, dict[str, float]]:
        """The rows of every objective."""
        return {
            "none": {},
            "R1": {"r1": self.r1},
            "gradient penalty": {"gradient_penalty": self.gradient_penalty},
        }


TOYS = {
    "ring": Toy(ring, 2, covered, r1=0.1, gradient_penalty=1.0),
    "chips": Toy(chips, SIDE * SIDE * BANDS, covered_kinds, r1=2.0, gradient_penalty=10.0),
}


@dataclass(frozen=True)
class Play:
    """One row: an objective under one penalty."""

    objective: Objective
    toy: Toy
    r1: float = 0.0
    gradient_penalty: float = 0.0

    def run(self, seeds: int, steps: int) -> Tensor:
        """Train `seeds` games side by side; (S, SAMPLES, D) of the generators, nan where a game broke down."""
        torch.manual_seed(0)
        size = self.toy.dimensions
        generator, discriminator = Perceptrons(seeds, LATENT, size), Perceptrons(seeds, size, 1)
        optimizers = [
            torch.optim.Adam(network.parameters(), lr=rate, betas=(0.5, 0.9))
            for network, rate in ((discriminator, RATES[0]), (generator, RATES[1]))
        ]
        per_seed = torch.vmap(self.objective.discriminator), torch.vmap(self.objective.generator)
        for _ in range(steps):
            real, generated = self.toy.draw((seeds, BATCH)), self._draw(generator, seeds, BATCH)
            losses = per_seed[0](discriminator(real)[..., 0], discriminator(generated.detach())[..., 0])
            self._step(optimizers[0], losses.sum() + self._penalty(discriminator, real, generated.detach()))
            with torch.no_grad():
                real_logits = discriminator(real)[..., 0]
            self._step(optimizers[1], per_seed[1](discriminator(generated)[..., 0], real_logits).sum())
        with torch.no_grad():
            return self._draw(generator, seeds, SAMPLES)

    def _penalty(self, judge: Callable[[Tensor], Tensor], real: Tensor, generated: Tensor) -> Tensor:
        """Of all seeds: the mean over all samples times the seeds is the sum of the seeds' means."""
        seeds, count = real.shape[:2]

        def flat(samples: Tensor) -> Tensor:
            return judge(samples.reshape(seeds, count, -1)).reshape(seeds * count)

        total, at = torch.zeros(()), real.flatten(0, 1).requires_grad_(self.r1 > 0)
        if self.r1:
            total = total + self.r1 / 2 * r1_penalty(flat(at), at)
        if self.gradient_penalty:
            mix = torch.rand(seeds * count)
            total = total + self.gradient_penalty * gradient_penalty(flat, at, generated.flatten(0, 1), mix)
        return seeds * total

    @staticmethod
    def _draw(generator: nn.Module, seeds: int, count: int) -> Tensor:
        drawn: Tensor = generator(torch.randn(seeds, count, LATENT))
        return drawn

    @staticmethod
    def _step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()


def measure(task: tuple[str, str, str, int, int]) -> list[str]:
    """One line of the table: toy, objective, penalty, seeds, updates."""
    what, name, penalty, seeds, steps = task
    torch.set_num_threads(1)
    toy = TOYS[what]
    made = Play(OBJECTIVES[name], toy, **toy.penalties[penalty]).run(seeds, steps).double().numpy()
    torch.manual_seed(1)
    fresh = toy.draw((SAMPLES,)).double().numpy()
    whole = [samples for samples in made if np.isfinite(samples).all() and np.abs(samples).max() < 1e3]
    modes = [toy.covered(samples) for samples in whole] + [0] * (seeds - len(whole))
    distance = [sliced_wasserstein(samples, fresh) for samples in whole]
    low, middle, high = np.percentile(modes, (0, 50, 100))
    far = f"{np.median(distance):.3f}" if distance else "-"
    return [f"{name}, {penalty}", f"{middle:g}", f"{low:g} .. {high:g}", far, str(seeds - len(whole))]


def main() -> None:
    """Play every game, and write the section."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--set", choices=tuple(TOYS), default="ring")
    parser.add_argument("--objectives", nargs="+", choices=tuple(OBJECTIVES), default=tuple(OBJECTIVES))
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    head = [
        f"{arguments.steps} updates, {arguments.seeds} seeds",
        "modes of 8, median",
        "worst .. best",
        "distance",
        "broken",
    ]
    games = [(name, penalty) for name in arguments.objectives for penalty in TOYS[arguments.set].penalties]
    tasks = [(arguments.set, *game, arguments.seeds, arguments.steps) for game in games]
    lines = []
    with ProcessPoolExecutor(arguments.processes) as pool:
        for line in pool.map(measure, tasks):
            lines.append(line)
            print(*line, sep=" | ", flush=True)
    script = "gan_ladder.py" if arguments.set == "ring" else f"gan_ladder.py --set {arguments.set}"
    record(script, f"`python -m benchmarks.{script.replace('.py', '')}`\n\n{table(head, lines)}")


if __name__ == "__main__":
    main()
