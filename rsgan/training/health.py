"""What goes wrong in an adversarial game, found in the values that a run logs, and named with what to change."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from rsgan.nn.objectives import Objective

WINDOW = 200
"""Updates that a diagnosis looks back over; none is made before so many were seen."""
LASTING = 3
"""Validations in a row that have to show a disease of the images."""


@dataclass(frozen=True)
class Diagnosis:
    """A disease, and what speaks for it.

    Attributes:
        disease: its name.
        evidence: what was found.
        threshold: from where on it counts.
        source: who described it.
        remedy: the settings to change.
    """

    disease: str
    evidence: str
    threshold: str
    source: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.disease}: {self.evidence} (threshold {self.threshold}; {self.source}). {self.remedy}"


class Health:
    """Watches a run and names each disease once.

    The scale of the discriminator's loss is what a blind discriminator pays, one whose logits are all 0: log 4 for the
    cross-entropy, 2 for hinge. A critic has no such scale; of it only the generator's gradient is watched.
    """

    def __init__(self, objective: Objective) -> None:
        zero = torch.zeros(1)
        self.blind = float(objective.discriminator(zero, zero))
        self.losses: dict[str, deque[float]] = {}
        self.gradients: deque[float] = deque(maxlen=WINDOW)
        self.first_gradient: float | None = None
        self.named: set[str] = set()
        self.ill: Counter[str] = Counter()

    def watch(self, values: Mapping[str, float]) -> Iterator[Diagnosis]:
        """Take the values of one update, or of one validation; gives what is newly found."""
        for key, value in values.items():
            if key.startswith("discriminator/") and key.endswith("discriminator"):
                name = key.removeprefix("discriminator/")
                self.losses.setdefault(name, deque(maxlen=WINDOW)).append(value)
        if "generator/adversarial" in values:
            self.gradients.append(values["generator/norm"])
            if self.first_gradient is None and len(self.gradients) == WINDOW // 4:
                self.first_gradient = float(np.median(self.gradients))
        for find in (self._judges, self._gradient, lambda: drift(values), lambda: self._lasting(values)):
            for diagnosis in find():
                if diagnosis.disease not in self.named:
                    self.named.add(diagnosis.disease)
                    yield diagnosis

    def _lasting(self, values: Mapping[str, float]) -> Iterator[Diagnosis]:
        """What is ill in `LASTING` validations in a row: before it has learnt anything, every run is."""
        found = list(held_out(values))
        if any(key.startswith(("diversity", "checkerboard", "gain_db/")) for key in values):
            for disease in set(self.ill) - {diagnosis.disease for diagnosis in found}:
                del self.ill[disease]
        for diagnosis in found:
            self.ill[diagnosis.disease] += 1
            if self.ill[diagnosis.disease] >= LASTING:
                yield diagnosis

    def _judges(self) -> Iterator[Diagnosis]:
        for name, losses in self.losses.items():
            if len(losses) == WINDOW and self.blind > 0:
                yield from judge(name.replace("_", " "), np.array(losses) / self.blind)

    def _gradient(self) -> Iterator[Diagnosis]:
        if len(self.gradients) < WINDOW or not self.first_gradient:
            return
        now = float(np.median(self.gradients))
        if now < 0.01 * self.first_gradient:
            yield Diagnosis(
                "generator without gradient",
                f"the norm of its gradient fell to {now / self.first_gradient:.2g} of what it was",
                "0.01",
                "Arjovsky and Bottou 2017, arXiv:1701.04862",
                "Take adversary.objective non-saturating or wasserstein with a gradient_penalty, or give "
                "adversary.instance_noise.",
            )


def judge(name: str, losses: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Iterator[Diagnosis]:
    """Diseases of one discriminator, from its losses in units of a blind one's."""
    middle = float(np.median(losses))
    won, lost = float(np.mean(losses < 0.25)), float(np.mean(losses > 1.25))
    if middle < 0.1:
        yield Diagnosis(
            f"{name} too strong",
            f"its median loss is {middle:.2g} of a blind one's over {WINDOW} updates",
            "0.1",
            "Arjovsky and Bottou 2017, arXiv:1701.04862",
            "Lower training.discriminator_learning_rate, or raise adversary.r1 or adversary.instance_noise.",
        )
    elif min(won, lost) > 0.15:
        yield Diagnosis(
            f"{name} swings",
            f"{won:.0%} of its losses are below 0.25 of a blind one's, {lost:.0%} above 1.25",
            "15 % each",
            "Mescheder et al. 2018, arXiv:1801.04406",
            "Lower both learning rates, or raise adversary.r1.",
        )
    elif middle > 0.995 and float(np.std(losses)) < 0.02:
        yield Diagnosis(
            f"{name} blind",
            f"its median loss is {middle:.4f} of that of one that only guesses, over {WINDOW} updates",
            "0.995",
            "Goodfellow et al. 2014, arXiv:1406.2661, theorem 1: the game is won, or nothing is learnt",
            "If the images still differ, raise training.discriminator_learning_rate or lower adversary.r1.",
        )


def drift(values: Mapping[str, float]) -> Iterator[Diagnosis]:
    """Radiometry that leaves what was observed, from held-out figures."""
    checks: tuple[tuple[str, Callable[[float], bool], str, str], ...] = (
        ("residual/", lambda value: value > 2, "2", "times the noise lies between degrade(enhanced) and observed"),
        ("bias/", lambda value: abs(value) > 0.05, "5 %", "of the mean intensity is gained or lost"),
    )
    for prefix, ill, threshold, words in checks:
        worst = max((value for key, value in values.items() if key.startswith(prefix)), key=abs, default=0.0)
        if ill(worst):
            yield Diagnosis(
                "radiometric drift",
                f"{worst:.3g} {words} on held-out tiles",
                threshold,
                "Wald et al. 1997: degraded again, the result has to give the observation",
                "Raise losses.consistency (superres) or lower losses.adversarial.",
            )


def held_out(values: Mapping[str, float]) -> Iterator[Diagnosis]:
    """Diseases of the images, from held-out figures."""
    if values.get("diversity", 1.0) < 0.2:
        yield Diagnosis(
            "mode collapse",
            f"made images vary {values['diversity']:.2f} times as much as the references",
            "0.2",
            "Goodfellow 2017, arXiv:1701.00160, section 5.1.1",
            "Set discriminator.minibatch_deviation to true, or give adversary.feature_matching or adversary.unrolled.",
        )
    elif values.get("coverage", 1.0) < 0.5:
        yield Diagnosis(
            "dropped modes",
            f"only {values['coverage']:.0%} of the references have a made image like them; 97 % is usual",
            "50 %",
            "Naeem et al. 2020, arXiv:2002.09797",
            "Give adversary.r1 or adversary.lecam, or set discriminator.minibatch_deviation to true; see that both "
            "domains show like ground.",
        )
    if values.get("checkerboard", 0.0) > 0.1:
        yield Diagnosis(
            "checkerboard",
            f"{values['checkerboard']:.0%} of the finest detail repeats with the network's upsampling",
            "10 %",
            "Odena et al. 2016, doi:10.23915/distill.00003",
            "Lower losses.adversarial or training.adversarial_learning_rate, or train longer.",
        )
    yield from memorised(values)


def memorised(values: Mapping[str, float]) -> Iterator[Diagnosis]:
    """Training tiles that are learnt by heart, from figures on them beside held-out ones."""
    gap, times = values.get("known_db/P40", -99.0) - values.get("gain_db/P40", 99.0), 0.0
    if values.get("known", 0.0) > 0:
        times = values.get("error/pairs", 0.0) / values["known"]
    if gap > 3 or times > 2:
        found = f"{gap:.1f} dB better" if gap > 3 else f"{times:.1f} times nearer to the truth"
        yield Diagnosis(
            "memorisation of training tiles",
            f"the generator is {found} on tiles that it was trained on than on held-out ones",
            "3 dB" if gap > 3 else "2 times",
            "Arora and Zhang 2017, arXiv:1706.08224; held-out against training error",
            "Give more tiles, a smaller generator or fewer samples; for the discriminator, adversary.augment_target or "
            "adversary.lecam.",
        )
    if values.get("too_near", 0.0) > 0.1:
        yield Diagnosis(
            "memorisation of training tiles",
            f"{values['too_near']:.0%} of the made images are nearer to a training one than 99 % of held-out ones are",
            "10 %, ten times what chance gives",
            "Meehan et al. 2020, arXiv:2004.05675",
            "Look at the pairs in the panel. Give more tiles, a smaller generator or fewer samples.",
        )
