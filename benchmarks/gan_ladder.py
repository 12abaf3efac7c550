"""Which games cover all modes: objectives x penalties on a ring of 8 Gaussians; writes a section of RESULTS.md.

    python -m benchmarks.gan_ladder [--steps 2500] [--seeds 10]

Generator and discriminator are multilayer perceptrons of two hidden layers of 128; Adam, batches of 256, one update of
the discriminator per update of the generator, rates `RATES`, all rows alike. The seeds of a row are trained side by
side, none sees another. A mode counts as covered where at least 20 of 2500 samples lie within 3 standard deviations of
it (of 312 that would be its share); the distance is the sliced Wasserstein distance to fresh samples of the ring, which
has radius 2.

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

MODES, RADIUS, DEVIATION = 8, 2.0, 0.05
BATCH, LATENT, WIDTH = 256, 8, 128
SAMPLES, ENOUGH = 2500, 20
RATES = (2e-3, 1e-3)
"""Learning rates of the discriminator and of the generator."""
PENALTIES: dict[str, dict[str, float]] = {"none": {}, "R1": {"r1": 0.1}, "gradient penalty": {"gradient_penalty": 1.0}}
"""Weights for a ring of radius 2; the images of the papers have other slopes."""


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


def sliced_wasserstein(first: NDArray[np.floating], second: NDArray[np.floating], directions: int = 64) -> float:
    """Mean over directions of the Wasserstein-1 distance between the projections of two sets of (N, 2)."""
    angles = np.pi * np.arange(directions) / directions
    axes = np.stack([np.cos(angles), np.sin(angles)])
    one, other = (np.sort(samples @ axes, axis=0) for samples in (first, second))
    return float(np.abs(one - other).mean())


@dataclass(frozen=True)
class Play:
    """One row: an objective under one penalty."""

    objective: Objective
    r1: float = 0.0
    gradient_penalty: float = 0.0

    def run(self, seeds: int, steps: int) -> Tensor:
        """Train `seeds` games side by side; (S, SAMPLES, 2) of the generators, nan where a game broke down."""
        torch.manual_seed(0)
        generator, discriminator = Perceptrons(seeds, LATENT, 2), Perceptrons(seeds, 2, 1)
        optimizers = [
            torch.optim.Adam(network.parameters(), lr=rate, betas=(0.5, 0.9))
            for network, rate in ((discriminator, RATES[0]), (generator, RATES[1]))
        ]
        per_seed = torch.vmap(self.objective.discriminator), torch.vmap(self.objective.generator)
        for _ in range(steps):
            real, generated = ring((seeds, BATCH)), self._draw(generator, seeds, BATCH)
            losses = per_seed[0](discriminator(real)[..., 0], discriminator(generated.detach())[..., 0])
            self._step(optimizers[0], losses.sum() + self._penalty(discriminator, real, generated.detach()))
            with torch.no_grad():
                real_logits = discriminator(real)[..., 0]
            self._step(optimizers[1], per_seed[1](discriminator(generated)[..., 0], real_logits).sum())
        with torch.no_grad():
            return self._draw(generator, seeds, SAMPLES)

    def _penalty(self, judge: Callable[[Tensor], Tensor], real: Tensor, generated: Tensor) -> Tensor:
        """Of all seeds, each as in `nn.regularizers`, whose means over samples are taken seed by seed here."""
        total = torch.zeros(())
        for weight, share, target in ((self.r1 / 2, 1.0, 0.0), (self.gradient_penalty, None, 1.0)):
            if weight:
                mix = torch.rand(*real.shape[:2], 1) if share is None else share
                at = (mix * real + (1 - mix) * generated).requires_grad_()
                (gradient,) = torch.autograd.grad(judge(at).sum(), at, create_graph=True)
                norm = gradient.square().sum(-1).add(1e-12).sqrt()
                total = total + weight * (norm - target).square().mean(1).sum()
        return total

    @staticmethod
    def _draw(generator: nn.Module, seeds: int, count: int) -> Tensor:
        drawn: Tensor = generator(torch.randn(seeds, count, LATENT))
        return drawn

    @staticmethod
    def _step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()


def measure(task: tuple[str, str, int, int]) -> list[str]:
    """One line of the table: objective, penalty, seeds, updates."""
    name, penalty, seeds, steps = task
    torch.set_num_threads(1)
    made = Play(OBJECTIVES[name], **PENALTIES[penalty]).run(seeds, steps).double().numpy()
    torch.manual_seed(1)
    fresh = ring((SAMPLES,)).numpy()
    whole = [samples for samples in made if np.isfinite(samples).all() and np.abs(samples).max() < 1e3]
    modes = [covered(samples) for samples in whole] + [0] * (seeds - len(whole))
    distance = [sliced_wasserstein(samples, fresh) for samples in whole]
    low, middle, high = np.percentile(modes, (0, 50, 100))
    far = f"{np.median(distance):.3f}" if distance else "-"
    return [f"{name}, {penalty}", f"{middle:g}", f"{low:g} .. {high:g}", far, str(seeds - len(whole))]


def main() -> None:
    """Play every game, and write the section."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--seeds", type=int, default=10)
    arguments = parser.parse_args()
    head = [
        f"{arguments.steps} updates, {arguments.seeds} seeds",
        "modes of 8, median",
        "worst .. best",
        "distance",
        "broken",
    ]
    tasks = [(name, penalty, arguments.seeds, arguments.steps) for name in OBJECTIVES for penalty in PENALTIES]
    lines = []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for line in pool.map(measure, tasks):
            lines.append(line)
            print(*line, sep=" | ", flush=True)
    record("gan_ladder.py", f"`python -m benchmarks.gan_ladder`\n\n{table(head, lines)}")


if __name__ == "__main__":
    main()
