"""A fresh discriminator for a frozen generator: stopped in time, and never asked about what it has learnt from.

One left over from training is biased: it chased a generator that has moved on, and knows its training tiles. Where
references and generated images share no support, as behind a deterministic generator, the density ratio is unbounded;
instance noise on both makes it finite, and belongs to every figure that is drawn from it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from rsgan.errors import ConfigError
from rsgan.nn.objectives import cross_entropy

HALF_LIVES = 2.0
"""Half-lives of the running average of a judge's weights between two looks: it is far steadier than the last update."""
Seen = tuple[Tensor, ...]
"""What a judge is called with: candidates (N, ...), and what they were made from, if anything."""


@dataclass(frozen=True)
class Refit:
    """How a fresh discriminator is learnt.

    Attributes:
        updates: at most, per fold.
        folds: one is judged, one says when to stop, the others are learnt from.
        batch: images of each kind per update.
        noise: standard deviation of the instance noise on both kinds, network units.
        channels: width of the first layer of a fresh discriminator, its capacity.
        learning_rate: of Adam.
        check_every: updates between two looks at the fold that says when to stop.
        patience: looks without progress after which it stops.
        seed: of everything that is drawn.
    """

    updates: int = 600
    folds: int = 4
    batch: int = 8
    noise: float = 0.0
    channels: int = 16
    learning_rate: float = 2e-3
    check_every: int = 50
    patience: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be meant.

        Raises:
            ConfigError: naming the setting.
        """
        if self.folds < 3:
            raise ConfigError(f"folds is {self.folds}; expected at least 3: to learn from, to stop by, and to judge.")
        if min(self.updates, self.batch, self.channels, self.check_every, self.patience) < 1:
            raise ConfigError("updates, batch, channels, check_every and patience have to be at least 1.")
        if not self.noise >= 0:
            raise ConfigError(f"noise is {self.noise:g}; expected network units, at least 0.")


@dataclass(frozen=True)
class Batch:
    """Images of both kinds, and which of a judge's logits count, (N, rows, columns) or (N,)."""

    real: Seen
    generated: Seen
    real_counts: Tensor
    generated_counts: Tensor


@dataclass(frozen=True)
class Learnt:
    """A discriminator that was learnt afresh.

    Attributes:
        network: in evaluation mode.
        loss: cross-entropy on the fold that said when to stop; 2 ln 2 = 1.386 tells nothing apart.
        updates: that it took.
    """

    network: nn.Module
    loss: float
    updates: int


def noisy(candidate: Tensor, noise: float, rng: torch.Generator) -> Tensor:
    """A candidate with instance noise."""
    return candidate if not noise else candidate + noise * torch.randn(candidate.shape, generator=rng).to(candidate)


def learn(
    network: nn.Module,
    draw: Callable[[np.random.Generator], Batch],
    checks: Sequence[Batch],
    how: Refit,
    *,
    device: torch.device,
    seed: int,
) -> Learnt:
    """Teach a discriminator until the checks say that it gets no better.

    Args:
        network: untrained; (candidate, ...) -> logits whose shape fits the batches' counts.
        draw: a batch to learn from.
        checks: batches of ground that is not learnt from.
        how: settings.
        device: where to compute.
        seed: of batches and instance noise.
    """
    rng, chance = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    network = network.to(device).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=how.learning_rate, betas=(0.9, 0.99))
    averaged = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.5 ** (HALF_LIVES / how.check_every)))
    best, kept, waited, at = np.inf, copy.deepcopy(averaged.module), 0, 0
    for update in range(1, how.updates + 1):
        loss = _loss(network, draw(rng), how.noise, chance, device)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        averaged.update_parameters(network)
        if update % how.check_every and update < how.updates:
            continue
        found = held_out_loss(averaged.module, checks, how.noise, device, seed)
        if found < best:
            best, kept, waited, at = found, copy.deepcopy(averaged.module), 0, update
        else:
            waited += 1
            if waited == how.patience:
                break
    return Learnt(kept.eval(), float(best), at)


def held_out_loss(network: nn.Module, checks: Sequence[Batch], noise: float, device: torch.device, seed: int) -> float:
    """Cross-entropy, log 4 at best where nothing can be told apart, with the same noise at every call."""
    chance = torch.Generator().manual_seed(seed + 1)
    network.eval()
    with torch.inference_mode():
        losses = [float(_loss(network, check, noise, chance, device)) for check in checks]
    return float(np.mean(losses))


def _loss(network: nn.Module, batch: Batch, noise: float, chance: torch.Generator, device: torch.device) -> Tensor:
    logits = []
    for (candidate, *given), counts in ((batch.real, batch.real_counts), (batch.generated, batch.generated_counts)):
        shown = noisy(candidate, noise, chance).to(device)
        found = network(shown, *(one.to(device) for one in given))
        logits.append(found.reshape(counts.shape)[counts.to(device)])
    return cross_entropy(*logits)
