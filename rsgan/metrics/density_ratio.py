"""What log density ratios of patches say of classes: how often each is made, and how well.

`s` is log p / q: p the density of references, q that of generated images; d = sigmoid(s). Over a class c, with shares
P(c) and Q(c):

    E_p[s | c] = log P(c) / Q(c) + KL(p(. | c) || q(. | c)),
    P(c) / Q(c) = 1 / E_p[exp(-s) | c] = E_q[exp(s) | c] = E_q[d | c] / E_p[1 - d | c].

So the mean alone mixes what is too rare with what is badly made. The last form of the share ratio is bounded whatever a
single patch scores, and is the one used here (bridge sampling).

Source: Meng and Wong 1996, Statistica Sinica 6, 831-860, equation 2.3, with 1 / (p + q) as the bridge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit, log_expit

from rsgan.errors import ConfigError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

REPLICATES = 1000
"""Bootstrap replicates of an interval."""
LEAST_BLOCKS = 8
"""Blocks that hold patches of a class, on either side, below which nothing is said of it."""
LEAST_EFFECTIVE = 20
"""Independent patches of a class, on either side, below which nothing is said of it."""
TWO_SIDED = 1.96
"""Standard errors of a normal variable to each side of its 95 % interval."""
EVEN = 1e-9
"""Standard deviation below which scores are all alike."""
LEVEL = 0.05
"""Chance that any verdict is given where nothing is wrong, over all classes (Holm)."""


@dataclass(frozen=True)
class Side:
    """Held-out patches of one kind, references or generated ones.

    Attributes:
        scores: (N,) log density ratios, or logits where those cannot be had.
        classes: (N,) number of the class of each.
        blocks: (N,) number of the piece of ground, or of the image, that each lies in; pieces are independent. A
            number that both kinds have is the same piece of ground.
    """

    scores: Floats
    classes: Integers
    blocks: Integers

    def __post_init__(self) -> None:
        """Refuse arrays that do not belong together.

        Raises:
            ConfigError: their lengths differ, or a score is not finite.
        """
        if not self.scores.shape == self.classes.shape == self.blocks.shape:
            raise ConfigError(
                f"{self.scores.shape} scores, {self.classes.shape} classes, {self.blocks.shape} blocks; expected as "
                "many of each."
            )
        if not np.isfinite(self.scores).all():
            raise ConfigError("a score is not finite. Leave such patches out.")

    def of(self, number: int) -> Side:
        """The patches of one class."""
        chosen = self.classes == number
        return Side(self.scores[chosen], self.classes[chosen], self.blocks[chosen])


@dataclass(frozen=True)
class Estimate:
    """One figure; all nan where nothing can be said.

    Attributes:
        value: of it.
        low: lower end of the 95 % interval.
        high: its upper end.
        error: standard error.
    """

    value: float = np.nan
    low: float = np.nan
    high: float = np.nan
    error: float = np.nan

    @classmethod
    def of(cls, value: float, replicates: Floats, beside: float = 0.0) -> Estimate:
        """From bootstrap replicates, and a standard error that they do not know of."""
        usable = replicates[np.isfinite(replicates)]
        if len(usable) < 2:
            return cls(value)
        below, above = np.abs(np.percentile(usable, (2.5, 97.5)) - value)
        low, high = value - np.hypot(below, TWO_SIDED * beside), value + np.hypot(above, TWO_SIDED * beside)
        return cls(value, float(low), float(high), float(np.hypot(usable.std(ddof=1), beside)))

    def chance(self, expected: float, pieces: int) -> float:
        """Two-sided p-value of `expected`, by Student's t with one degree of freedom less than there are pieces.

        Where all replicates are alike, as where every reference scores higher, the error is taken to be one piece's.
        """
        if np.isnan(self.error):
            return np.nan
        error = self.error if self.error > EVEN else 1 / pieces
        return float(2 * stats.t.sf(abs(self.value - expected) / error, max(pieces - 1, 1)))


@dataclass(frozen=True)
class ClassFigures:
    """What the scores say of one class.

    Attributes:
        number: of the class.
        patches: of references and of generated images.
        effective: as many independent ones.
        mean: score of references.
        median: of them.
        spread: standard deviation of them.
        auroc: chance that a reference scores higher than a generated patch of the class; 0.5: they are not told apart.
        counted: log P(c) / Q(c) by counting, what the scores' own is held against; nan where shares are given.
        log_share: the same by the scores; nan where they are no density ratios, too.
        kl: KL(p(. | c) || q(. | c)), nats; likewise. Scatter of the scores adds to it: judge the class by `auroc`.
        jsd: Jensen-Shannon divergence of the same, nats, a lower bound on average; likewise.
        enough: whether there are patches enough for a verdict on how well it is made.
        p_share: Holm-adjusted p-value of equal shares, by counting; nan where not tested.
        p_auroc: that of references and generated patches that are not told apart.
    """

    number: int
    patches: tuple[int, int]
    effective: tuple[float, float]
    mean: Estimate
    median: float
    spread: float
    auroc: Estimate
    counted: Estimate
    log_share: Estimate
    kl: Estimate
    jsd: Estimate
    enough: bool
    p_share: float
    p_auroc: float

    @property
    def too_rare(self) -> bool:
        """Whether the generator makes significantly too little of it."""
        return bool(self.p_share < LEVEL and self.counted.value > 0)

    @property
    def too_common(self) -> bool:
        """Whether the generator makes significantly too much of it."""
        return bool(self.p_share < LEVEL and self.counted.value < 0)

    @property
    def told_apart(self) -> bool:
        """Whether what is made of it is significantly told from references."""
        return bool(self.p_auroc < LEVEL and self.auroc.value > 0.5)


def placements(scores: Floats, others: Floats) -> Floats:
    """Share of `others` below each score, ties counted half; its mean is the area under the ROC curve.

    Source: DeLong, DeLong, Clarke-Pearson 1988, Biometrics 44, 837-845.
    """
    ordered = np.sort(others)
    below = np.searchsorted(ordered, scores, "left") + np.searchsorted(ordered, scores, "right")
    shares: Floats = below / (2 * len(ordered))
    return shares


def holm(chances: Sequence[float]) -> Floats:
    """p-values adjusted for their number; nan stays nan and is not counted.

    Source: Holm 1979, Scandinavian Journal of Statistics 6, 65-70.
    """
    adjusted = np.array(chances, dtype=np.float64)
    tested = np.flatnonzero(~np.isnan(adjusted))
    ordered = tested[np.argsort(adjusted[tested])]
    stepped = adjusted[ordered] * np.arange(len(ordered), 0, -1)
    adjusted[ordered] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return adjusted


def class_figures(
    real: Side, generated: Side, *, density: bool, shares: bool, seed: int = 0
) -> tuple[ClassFigures, ...]:
    """What held-out scores say of every class that references or generated images hold.

    Intervals are block bootstraps. That of a share ratio also holds what no held-out patch shows: the scores were
    learnt from as many images as they are applied to, and that sample's shares are off by chance as well.

    Args:
        real: references.
        generated: generated images.
        density: whether scores are log density ratios; else they are only compared with each other.
        shares: whether images are made freely, so that a class can come too rarely; a generator that is given the
            ground (super-resolution, despeckling, paired translation) has the classes that the ground has.
        seed: of the bootstrap.

    Returns:
        One per class, by number; p-values are adjusted over the classes that have enough patches.
    """
    rng, numbers = np.random.default_rng(seed), np.union1d(real.classes, generated.classes)
    counted = _counted((real, generated), numbers, rng) if shares else [(Estimate(), np.nan)] * len(numbers)
    found = [
        _figures(int(number), (real.of(int(number)), generated.of(int(number))), share, rng, density=density)
        for number, share in zip(numbers, counted, strict=True)
    ]
    adjusted = [holm([one.p_share for one in found]), holm([one.p_auroc for one in found])]
    return tuple(
        replace(one, p_share=float(share), p_auroc=float(auroc))
        for one, share, auroc in zip(found, *adjusted, strict=True)
    )


class _Replicates:
    """Means over resampled blocks; blocks of one number are resampled together on both sides."""

    def __init__(self, sides: Sequence[Side], rng: np.random.Generator) -> None:
        names = np.unique(np.concatenate([side.blocks for side in sides]))
        self.pieces = [len(np.unique(side.blocks)) for side in sides]
        self.places = [np.searchsorted(names, side.blocks) for side in sides]
        self.weights = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), REPLICATES).astype(np.float64)

    def means(self, values: Floats, side: int) -> Floats:
        """Mean of per-patch values of one side, in every replicate; nan where it drew none of the side's blocks."""
        sums, counts = (
            self.weights @ np.bincount(self.places[side], weights, self.weights.shape[1])
            for weights in (values, np.ones_like(values))
        )
        found: Floats = np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)
        return found


def _counted(sides: tuple[Side, Side], numbers: Integers, rng: np.random.Generator) -> list[tuple[Estimate, float]]:
    """Of each class: log ratio of its shares among references and generated patches, and the p-value of equal ones.

    Both kinds' blocks are resampled. What is tested is the difference of the shares, which has an error even where a
    class is never made.
    """
    drawn: list[tuple[Floats, Floats]] = []
    pieces = []
    for side in sides:
        blocks, places = np.unique(side.blocks, return_inverse=True)
        counts = np.zeros((len(blocks), len(numbers)))
        np.add.at(counts, (places, np.searchsorted(numbers, side.classes)), 1)
        weights = rng.multinomial(len(blocks), np.full(len(blocks), 1 / len(blocks)), REPLICATES)
        again = weights @ counts
        drawn.append((counts.sum(0) / counts.sum(), again / again.sum(-1, keepdims=True)))
        pieces.append(len(blocks))
    with np.errstate(divide="ignore", invalid="ignore"):
        values, replicates = (np.log(first) - np.log(second) for first, second in zip(*drawn, strict=True))
    apart, others = (first - second for first, second in zip(*drawn, strict=True))
    enough = min(pieces) >= LEAST_BLOCKS
    return [
        (
            Estimate.of(float(values[place]), replicates[:, place]),
            Estimate.of(float(apart[place]), others[:, place]).chance(0.0, min(pieces)) if enough else np.nan,
        )
        for place in range(len(numbers))
    ]


def _figures(
    number: int, sides: tuple[Side, Side], share: tuple[Estimate, float], rng: np.random.Generator, *, density: bool
) -> ClassFigures:
    (real, generated), (counted, p_share) = sides, share
    shares = not np.isnan(counted.value)
    patches, nothing = (len(real.scores), len(generated.scores)), Estimate()
    if not min(patches):
        median, spread = (float(np.median(real.scores)), float(real.scores.std())) if patches[0] else (np.nan, np.nan)
        empty = (nothing, counted, nothing, nothing, nothing)
        return ClassFigures(number, patches, (0.0, 0.0), nothing, median, spread, *empty, False, p_share, np.nan)
    drawn = _Replicates(sides, rng)
    means = [Estimate.of(float(side.scores.mean()), drawn.means(side.scores, i)) for i, side in enumerate(sides)]
    effective = tuple(map(_effective, sides, means, drawn.pieces))
    higher, lower = placements(real.scores, generated.scores), placements(generated.scores, real.scores)
    area = float(higher.mean())
    auroc = Estimate.of(area, (drawn.means(higher, 0) + (1 - drawn.means(lower, 1)) - area).clip(0, 1))
    log_share, kl, jsd = _ratios(sides, drawn, shares=shares) if density else (nothing,) * 3
    pieces = min(drawn.pieces)
    enough = pieces >= LEAST_BLOCKS and min(effective) >= LEAST_EFFECTIVE
    return ClassFigures(
        number, patches, (effective[0], effective[1]), means[0], float(np.median(real.scores)),
        float(real.scores.std()), auroc, counted, log_share, kl, jsd, enough, p_share,
        auroc.chance(0.5, pieces) if enough else np.nan,
    )  # fmt: skip


def _effective(side: Side, mean: Estimate, pieces: int) -> float:
    """As many independent patches would have a mean of that standard error; where all are alike, one per block."""
    spread = float(side.scores.std())
    return (
        float(min(len(side.scores), (spread / mean.error) ** 2)) if spread > EVEN and mean.error > 0 else float(pieces)
    )


def _ratios(sides: tuple[Side, Side], drawn: _Replicates, *, shares: bool) -> tuple[Estimate, Estimate, Estimate]:
    """Log share ratio, and both divergences of what is left once it is taken off the scores."""
    (real, generated), share, off = sides, 0.0, np.zeros(REPLICATES)
    log_share = Estimate()
    if shares:
        missed, found = expit(-real.scores), expit(generated.scores)
        share = float(np.log(found.mean()) - np.log(missed.mean()))
        off = np.log(drawn.means(found, 1)) - np.log(drawn.means(missed, 0))
        log_share = Estimate.of(share, off, float(np.sqrt(sum(1 / count for count in drawn.pieces))))
    kl = Estimate.of(float(real.scores.mean()) - share, drawn.means(real.scores, 0) - off)
    right, wrong = log_expit(real.scores - share), log_expit(share - generated.scores)
    jsd = Estimate.of(
        float(np.log(2) + (right.mean() + wrong.mean()) / 2),
        np.log(2) + (drawn.means(right, 0) + drawn.means(wrong, 1)) / 2,
    )
    return log_share, kl, jsd
