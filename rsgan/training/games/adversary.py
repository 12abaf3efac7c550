"""What any game asks of its adversary: the losses of both players and the penalties, whatever the config chose.

A game hands over a judge, images -> logits, with the condition already in it. So a new objective or penalty is written
here and in `nn.objectives` or `nn.regularizers`, and no game changes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from zlib import crc32

import torch
from torch import Tensor, nn

from rsgan.errors import ConfigError
from rsgan.nn.augmentation import Augmenter
from rsgan.nn.discriminators import Discriminator, SpeckleDiscriminator
from rsgan.nn.objectives import find_objective
from rsgan.nn.ranks import count, gathered, mean_over_ranks, own
from rsgan.nn.regularizers import (
    Unrolled,
    captured,
    clip_weights,
    consistency_penalty,
    gradient_penalty,
    lecam_penalty,
    matching_loss,
    r1_penalty,
)
from rsgan.training.config import AdversaryConfig

Judge = Callable[[Tensor], Tensor]
Network = TypeVar("Network", bound=nn.Module)
MEMORY = 0.99
"""Share of the running means of logits that one update leaves."""


class Adversary:
    """Objective and penalties of a run, and what they remember from update to update.

    Attributes:
        config: what is chosen.
        seed: of the run.
        discriminator: whose features, weights and layers the stabilisers need; None where none of them is chosen.
    """

    def __init__(self, config: AdversaryConfig, seed: int, discriminator: Discriminator | None = None) -> None:
        self.config, self.seed, self.discriminator, self._update = config, seed, discriminator, 0
        self.objective = find_objective(config.objective, config.real_label)
        self.means: dict[str, Tensor] = {}
        self.past: dict[str, Tensor] = {}
        self.share, self.overfit = config.augment, 0.0
        self.augmenter: Augmenter | None = None
        if discriminator is not None and (config.augment or config.augment_target is not None or config.consistency):
            # speckle is not the same along rows and columns, and judges of it are told both
            turns = not isinstance(discriminator, SpeckleDiscriminator)
            self.augmenter = Augmenter(discriminator, config.augment_gain, turns=turns)

    @property
    def update(self) -> int:
        """Number of the present update, which the loop sets: what is lazy or drawn follows it."""
        return self._update

    @update.setter
    def update(self, number: int) -> None:
        self._update = number
        if self.augmenter is not None:
            self.augmenter.seed, self.augmenter.calls = self.seed * 1_000_003 + number, 0
            self.augmenter.share = self.share

    def discriminator_terms(self, judge: Judge, real: Tensor, generated: Tensor, prefix: str = "") -> dict[str, Tensor]:
        """Every term of the discriminator's loss, weighted.

        Args:
            judge: (N, ...) images -> logits.
            real: references.
            generated: as many generated images, without gradient.
            prefix: of the terms' names, where a game has several judges.
        """
        config, lazy = self.config, self.update % self.config.every == 0
        if config.history:
            generated = self._mixed(prefix, generated)
        real = self._noisy(real, 0, prefix).detach().requires_grad_(lazy and config.r1 > 0)
        generated = self._noisy(generated, 1, prefix).detach().requires_grad_(lazy and config.r2 > 0)
        real_logits, logits = judge(real), judge(generated)
        terms = {"discriminator": self._judged(real_logits, logits)}
        if lazy and config.r1 > 0:
            terms["r1"] = config.every * config.r1 / 2 * r1_penalty(real_logits, real)
        if lazy and config.r2 > 0:
            terms["r2"] = config.every * config.r2 / 2 * r1_penalty(logits, generated)
        if lazy and config.gradient_penalty > 0:
            mix = own(torch.rand(len(real) * count(), generator=self._chance(2))).to(real)
            terms["gradient_penalty"] = (
                config.every * config.gradient_penalty * gradient_penalty(judge, real, generated, mix)
            )
        if config.lecam > 0:
            terms["lecam"] = config.lecam * lecam_penalty(
                real_logits, logits, self._remember(prefix, real_logits, logits)
            )
        if config.consistency > 0:
            terms["consistency"] = config.consistency * self._inconsistency(
                judge, (real.detach(), real_logits), (generated.detach(), logits)
            )
        if config.augment_target is not None:
            self._adapt(gathered(real_logits.detach()), config.augment_target)
        return {prefix + name: value for name, value in terms.items()}

    def generator_term(self, judge: Judge, generated: Tensor, real: Tensor) -> Tensor:
        """The adversarial term of the generator's loss, not weighted, with what of its stabilisers goes with it.

        Args:
            judge: (N, ...) images -> logits.
            generated: generated images, with gradient.
            real: references; looked at by relativistic objectives, by feature matching and by unrolling only.
        """
        config = self.config
        shown, others = self._noisy(generated, 1), self._noisy(real, 0)
        if config.unrolled and self.discriminator is not None:
            judge = Unrolled(self.discriminator, judge).ahead(
                self._judged, others, shown, config.unrolled, config.unrolled_rate
            )
        if not config.feature_matching or self.discriminator is None:
            return self._term(judge(shown), judge, others)
        with captured(self.discriminator) as features:
            logits = judge(shown)
        with torch.no_grad(), captured(self.discriminator) as wanted:
            judge(others)
        return self._term(logits, judge, others) + config.feature_matching * matching_loss(features, wanted)

    def _judged(self, real_logits: Tensor, logits: Tensor) -> Tensor:
        """The discriminator's loss, of the logits of all processes: a relativistic one compares each with all."""
        return self.objective.discriminator(gathered(real_logits), gathered(logits))

    def _term(self, logits: Tensor, judge: Judge, others: Tensor) -> Tensor:
        logits = gathered(logits)
        if not self.objective.relativistic:
            return self.objective.generator(logits, logits)
        with torch.no_grad():
            real = gathered(judge(others))
        return self.objective.generator(logits, real)

    def bound(self, discriminator: nn.Module) -> None:
        """Clip the weights after an update, where the config says so."""
        if self.config.weight_clip is not None:
            clip_weights(discriminator, self.config.weight_clip)

    def state(self) -> dict[str, Any]:
        """What is remembered, for a checkpoint."""
        return {"means": dict(self.means), "past": dict(self.past), "share": self.share, "overfit": self.overfit}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.means, self.past = dict(state["means"]), dict(state["past"])
        self.share, self.overfit = state["share"], state["overfit"]

    def _inconsistency(self, judge: Judge, *judged: tuple[Tensor, Tensor]) -> Tensor:
        """Of (images, logits), against the logits of the images augmented for certain."""
        if self.augmenter is None:
            raise ConfigError("adversary.consistency needs a discriminator.")
        self.augmenter.share = 1.0
        terms = [consistency_penalty(logits, judge(images)) for images, logits in judged]
        self.augmenter.share = self.share
        return torch.stack(terms).sum()

    def _adapt(self, real_logits: Tensor, target: float) -> None:
        """Augment more while the discriminator is too sure of references, else less."""
        sign = float(self.objective.side(real_logits).mean())
        self.overfit = MEMORY * self.overfit + (1 - MEMORY) * sign
        step = len(real_logits) / self.config.augment_samples
        self.share = min(max(self.share + (step if self.overfit > target else -step), 0.0), 1.0)

    def _remember(self, prefix: str, real: Tensor, generated: Tensor) -> Tensor:
        """(2,) running means of the logits, those of this update not yet among them."""
        now = mean_over_ranks(torch.stack([real.detach().mean(), generated.detach().mean()]))
        before = self.means.get(prefix, now)
        self.means[prefix] = MEMORY * before + (1 - MEMORY) * now
        return before

    def _mixed(self, prefix: str, generated: Tensor) -> Tensor:
        """The images, half of them swapped for past ones once there are enough.

        Source: Shrivastava et al. 2017, arXiv:1612.07828, section 2.3.
        """
        past, shown, chance = list(self.past.get(prefix, ())), [], self._chance(3, prefix)
        for image in gathered(generated.detach()):
            if len(past) < self.config.history:
                past.append(image)
            elif float(torch.rand((), generator=chance)) < 0.5:
                place = int(torch.randint(len(past), (), generator=chance))
                past[place], image = image, past[place]
            shown.append(image)
        self.past[prefix] = torch.stack(past).detach()
        return own(torch.stack([image.to(generated) for image in shown]))

    def _noisy(self, images: Tensor, salt: int, prefix: str = "") -> Tensor:
        """Images with instance noise, the same for one seed, update, salt and judge."""
        if self.config.instance_noise == 0:
            return images
        noise = own(torch.randn(count() * len(images), *images.shape[1:], generator=self._chance(salt, prefix)))
        return images + self.config.instance_noise * noise.to(images)

    def _chance(self, salt: int, prefix: str = "") -> torch.Generator:
        """Random numbers of one purpose in one update, for one judge."""
        return torch.Generator().manual_seed(
            (self.seed * 1_000_003 + self.update) * 4 + salt + 8 * crc32(prefix.encode())
        )


def needed(discriminator: Network | None) -> Network:
    """The discriminator.

    Raises:
        ConfigError: there is none.
    """
    if discriminator is None:
        raise ConfigError("an adversarial stage needs a discriminator; the config names none.")
    return discriminator
