"""What `rsgan.diagnose` says of games that were really trained: writes a section of RESULTS.md.

    python -m benchmarks.diagnose_games [--seeds 3] [--updates 3000]

A small generator learns chips of `benchmarks.diagnose` by the sampled game (non-saturating, R1). References of the
diagnosis have a quarter of each class.

- Unconditional, trained on chips of which class 0 has a sixteenth: how often each class is made is not known before; a
  classifier that learnt from labelled chips counts it. What the scores alone say of the shares stands beside it.
- Class-conditional: the class is an input of the generator and of the discriminator. Which class is made worst is
  measured by a logistic regression on means, spreads and gradients of the chips, cross-fitted, beside the diagnosis.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from benchmarks.diagnose import CLASSES, SIDE, chips, rarer
from benchmarks.results import record, table
from rsgan.diagnose.images import judge_images
from rsgan.diagnose.refit import Refit
from rsgan.metrics.density_ratio import ClassFigures, Side, class_figures
from rsgan.metrics.distribution import descriptors
from rsgan.training.config import AdversaryConfig
from rsgan.training.games.adversary import Adversary
from rsgan.training.games.sampled import SampledGame

LATENT, BATCH, JUDGED = 32, 64, 2000
EVEN = (1 / CLASSES,) * CLASSES
HOW = Refit(updates=600, batch=64, channels=12, patience=4)


class Sampler(nn.Module):
    """Noise -> chips of two bands, and with `told` a plane per class beside them, drawn evenly by the noise itself."""

    def __init__(self, *, told: bool) -> None:
        super().__init__()
        self.told, self.latent = told, LATENT + 1
        inputs = LATENT + CLASSES * told
        self.first = nn.Sequential(nn.Linear(inputs, 128 * 16), nn.ReLU())
        self.rest = nn.Sequential(
            nn.Upsample(scale_factor=2), nn.Conv2d(128, 64, 3, padding=1), nn.ReLU(),
            nn.Upsample(scale_factor=2), nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 2, 3, padding=1),
        )  # fmt: skip

    def classes(self, noise: Tensor) -> Tensor:
        """(N,) numbers of the classes that a noise asks for."""
        even = torch.special.ndtr(noise[:, -1])
        return (even * CLASSES).long().clamp(0, CLASSES - 1)

    def forward(self, noise: Tensor) -> Tensor:
        """(N, LATENT + 1) -> (N, 2 or 2 + CLASSES, SIDE, SIDE)."""
        seen = noise[:, :-1]
        wanted = nn.functional.one_hot(self.classes(noise), CLASSES).to(noise)
        if self.told:
            seen = torch.cat([seen, wanted], 1)
        made: Tensor = self.rest(self.first(seen).reshape(-1, 128, 4, 4))
        return torch.cat([made, planes(wanted)], 1) if self.told else made


def planes(wanted: Tensor) -> Tensor:
    """(N, CLASSES) -> (N, CLASSES, SIDE, SIDE)."""
    return wanted[..., None, None].expand(-1, -1, SIDE, SIDE)


def judge(channels: int) -> nn.Module:
    """A discriminator of one logit per chip."""
    return nn.Sequential(
        nn.Conv2d(channels, 32, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(32, 64, 4, 2, 1), nn.LeakyReLU(0.2),
        nn.Conv2d(64, 64, 3, padding=1), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(64 * 16, 1),
    )  # fmt: skip


def play(references: Tensor, *, told: bool, updates: int, seed: int) -> Sampler:
    """The averaged generator of a game."""
    torch.manual_seed(seed)
    rng, network = np.random.default_rng(seed), Sampler(told=told)
    critic = judge(references.shape[1])
    averaged = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.995))
    game = SampledGame(
        network, critic, Adversary(AdversaryConfig.model_validate({"r1": 1.0, "every": 8}), seed, None)
    )  # fmt: skip
    players = [torch.optim.Adam(x.parameters(), lr=1e-3, betas=(0.0, 0.99)) for x in (critic, network)]
    for update in range(updates):
        game.adversary.update = update
        batch = references[torch.from_numpy(rng.integers(len(references), size=BATCH))]
        for player, terms_of in zip(players, (game.discriminator_terms, game.generator_terms), strict=True):
            player.zero_grad()
            torch.stack(list(terms_of(batch).values())).sum().backward()
            player.step()
        averaged.update_parameters(network)
    return averaged.module


@torch.no_grad()
def made(sampler: Sampler, seed: int) -> tuple[Tensor, NDArray[np.int64]]:
    """Chips, and the class that each was asked to be."""
    noise = torch.randn(JUDGED, sampler.latent, generator=torch.Generator().manual_seed(seed + 99))
    return sampler(noise)[:, :2], sampler.classes(noise).numpy()


def figures(
    both: tuple[Tensor, Tensor], classes: tuple[NDArray[np.int64], NDArray[np.int64]], *, shares: bool, seed: int
) -> tuple[ClassFigures, ...]:
    """What the diagnosis says of every class."""
    found = judge_images(*both, Refit(**{**vars(HOW), "seed": seed}))
    scores, blocks = (found.real, found.generated), np.arange(2 * JUDGED).reshape(2, JUDGED)
    sides = [Side(s, c, b) for s, c, b in zip(scores, classes, blocks, strict=True)]
    return class_figures(sides[0], sides[1], density=True, shares=shares, seed=seed)


def unconditional(seed: int, updates: int) -> Iterator[list[str]]:
    """A row per class: its share, by count and by the scores, and the verdicts."""
    rng = np.random.default_rng(seed)
    references, _ = chips(rarer(4).shares, 20000, rng)
    labelled, names = chips(EVEN, 8000, rng)
    teacher = RandomForestClassifier(200, random_state=seed, n_jobs=1).fit(descriptors(labelled.numpy()), names)
    fresh, truth = chips(EVEN, JUDGED, rng)
    right = float((teacher.predict(descriptors(fresh.numpy())) == truth).mean())
    generated, _ = made(play(references, told=False, updates=updates, seed=seed), seed)
    others = teacher.predict(descriptors(generated.numpy())).astype(np.int64)
    for one in figures((fresh, generated), (truth, others), shares=True, seed=seed):
        said = "too rare" if one.too_rare else "too common" if one.too_common else "-"
        log = f"{one.counted.value:+.2f} ({one.counted.low:+.2f} .. {one.counted.high:+.2f})"
        scored = f"{one.log_share.value:+.2f} ({one.log_share.low:+.2f} .. {one.log_share.high:+.2f})"
        trained = np.log(EVEN[0] / rarer(4).shares[one.number])
        yield [
            f"{seed}",
            f"{one.number}",
            f"{trained:+.2f}",
            log,
            scored,
            said,
            f"{one.auroc.value:.2f}",
            f"{right:.3f}",
        ]


def told_classes(seed: int, updates: int) -> Iterator[list[str]]:
    """A row per class: how well it is told apart, by the diagnosis and by a measure that knows none."""
    rng = np.random.default_rng(seed)
    references, names = chips(EVEN, 20000, rng)
    wanted = nn.functional.one_hot(torch.from_numpy(names), CLASSES).float()
    sampler = play(torch.cat([references, planes(wanted)], 1), told=True, updates=updates, seed=seed)
    (generated, asked), (fresh, truth) = made(sampler, seed), chips(EVEN, JUDGED, rng)
    for one in figures((fresh, generated), (truth, asked), shares=False, seed=seed):
        parts = [
            descriptors(x[torch.from_numpy(c == one.number)].numpy()) for x, c in ((fresh, truth), (generated, asked))
        ]
        labels = np.repeat([1, 0], [len(part) for part in parts])
        law = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        chance = cross_val_predict(law, np.concatenate(parts), labels, cv=5, method="predict_proba")[:, 1]
        area = float(roc_auc_score(labels, chance))
        verdict = "badly made" if one.told_apart else "-"
        yield [f"{seed}", f"{one.number}", f"{one.auroc.value:.3f}", verdict, f"{area:.3f}"]


def both(task: tuple[int, int]) -> tuple[list[list[str]], list[list[str]]]:
    """All rows of one seed."""
    torch.set_num_threads(1)
    rows = list(unconditional(*task)), list(told_classes(*task))
    for row in (*rows[0], *rows[1]):
        print(*row, sep=" | ", flush=True)
    return rows


def main() -> None:
    """Measure, and write the section."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--updates", type=int, default=3000)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    with ProcessPoolExecutor(arguments.processes) as pool:
        found = list(pool.map(both, [(seed, arguments.updates) for seed in range(arguments.seeds)]))
    free, told = ([row for rows in found for row in rows[place]] for place in (0, 1))
    first = table(
        ["seed", "class", "log ratio in training", "by count", "by the scores", "verdict", "AUROC", "teacher right"],
        free,
    )  # fmt: skip
    second = table(["seed", "class", "AUROC", "verdict", "AUROC of logistic regression"], told)
    order = stats.spearmanr([float(row[2]) for row in told], [float(row[4]) for row in told]).statistic
    body = (
        f"Unconditional game, class 0 trained on four times too rarely:\n\n{first}\n\nClass-conditional game:\n\n"
        f"{second}\n\nRank correlation of both AUROC: {order:+.2f} over {len(told)} classes."
    )
    record("diagnose_games.py", f"`python -m benchmarks.diagnose_games`\n\n{body}")


if __name__ == "__main__":
    main()
