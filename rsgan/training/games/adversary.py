"""What any game asks of its adversary: the losses of both players and the penalties, whatever the config chose.

A game hands over a judge, images -> logits, with the condition already in it. So a new objective or penalty is written
here and in `nn.objectives` or `nn.regularizers`, and no game changes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from rsgan.nn.objectives import find_objective
from rsgan.nn.regularizers import clip_weights, gradient_penalty, lecam_penalty, r1_penalty
from rsgan.training.config import AdversaryConfig

Judge = Callable[[Tensor], Tensor]
MEMORY = 0.99
"""Share of the running means of logits that one update leaves."""


class Adversary:
    """Objective and penalties of a run, and what they remember from update to update.

    Attributes:
        update: number of the present update, which the loop sets; penalties that are lazy and random numbers follow it.
    """

    def __init__(self, config: AdversaryConfig, seed: int) -> None:
        self.config, self.seed, self.update = config, seed, 0
        self.objective = find_objective(config.objective, config.real_label)
        self.means: dict[str, Tensor] = {}
        self.past: dict[str, Tensor] = {}

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
        real = self._noisy(real, 0).detach().requires_grad_(lazy and config.r1 > 0)
        generated = self._noisy(generated, 1).detach().requires_grad_(lazy and config.r2 > 0)
        real_logits, logits = judge(real), judge(generated)
        terms = {"discriminator": self.objective.discriminator(real_logits, logits)}
        if lazy and config.r1 > 0:
            terms["r1"] = config.every * config.r1 / 2 * r1_penalty(real_logits, real)
        if lazy and config.r2 > 0:
            terms["r2"] = config.every * config.r2 / 2 * r1_penalty(logits, generated)
        if lazy and config.gradient_penalty > 0:
            mix = torch.rand(len(real), generator=self._chance(2)).to(real)
            terms["gradient_penalty"] = (
                config.every * config.gradient_penalty * gradient_penalty(judge, real, generated, mix)
            )
        if config.lecam > 0:
            terms["lecam"] = config.lecam * lecam_penalty(
                real_logits, logits, self._remember(prefix, real_logits, logits)
            )
        return {prefix + name: value for name, value in terms.items()}

    def generator_term(self, judge: Judge, generated: Tensor, real: Tensor) -> Tensor:
        """The adversarial term of the generator's loss, not weighted.

        Args:
            judge: (N, ...) images -> logits.
            generated: generated images, with gradient.
            real: references; looked at by relativistic objectives only.
        """
        logits = judge(self._noisy(generated, 1))
        others = logits
        if self.objective.relativistic:
            with torch.no_grad():
                others = judge(self._noisy(real, 0))
        return self.objective.generator(logits, others)

    def bound(self, discriminator: nn.Module) -> None:
        """Clip the weights after an update, where the config says so."""
        if self.config.weight_clip is not None:
            clip_weights(discriminator, self.config.weight_clip)

    def state(self) -> dict[str, Any]:
        """What is remembered, for a checkpoint."""
        return {"means": dict(self.means), "past": dict(self.past)}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.means, self.past = dict(state["means"]), dict(state["past"])

    def _remember(self, prefix: str, real: Tensor, generated: Tensor) -> Tensor:
        """(2,) running means of the logits, those of this update not yet among them."""
        now = torch.stack([real.detach().mean(), generated.detach().mean()])
        before = self.means.get(prefix, now)
        self.means[prefix] = MEMORY * before + (1 - MEMORY) * now
        return before

    def _mixed(self, prefix: str, generated: Tensor) -> Tensor:
        """The images, half of them swapped for past ones once there are enough.

        Source: Shrivastava et al. 2017, arXiv:1612.07828, section 2.3.
        """
        past, shown, chance = list(self.past.get(prefix, ())), [], self._chance(3)
        for image in generated:
            if len(past) < self.config.history:
                past.append(image)
            elif float(torch.rand((), generator=chance)) < 0.5:
                place = int(torch.randint(len(past), (), generator=chance))
                past[place], image = image, past[place]
            shown.append(image)
        self.past[prefix] = torch.stack(past).detach()
        return torch.stack([image.to(generated) for image in shown])

    def _noisy(self, images: Tensor, salt: int) -> Tensor:
        """Images with instance noise, the same for one seed, update and salt."""
        if self.config.instance_noise == 0:
            return images
        noise = torch.randn(images.shape, generator=self._chance(salt))
        return images + self.config.instance_noise * noise.to(images)

    def _chance(self, salt: int) -> torch.Generator:
        return torch.Generator().manual_seed((self.seed * 1_000_003 + self.update) * 4 + salt)
