"""What may be concluded from the logits of a game, and what may not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from rsgan.errors import ConfigError
from rsgan.nn.objectives import find_objective

Floats = NDArray[np.float64]
MOST = 20.0
"""Log density ratios beyond which a conversion is not believed: shares of 0 and 1 give infinite ones."""


@dataclass(frozen=True)
class Meaning:
    """How to read a discriminator's logits.

    Attributes:
        objective: by which it was trained.
        log_ratio: logits -> log p / q, finite; None where the game does not tell it.
        says: in words, what a logit is.
        warnings: what must be known beside it, a sentence each.
    """

    objective: str
    log_ratio: Callable[[NDArray[np.floating]], Floats] | None
    says: str
    warnings: tuple[str, ...] = ()

    def ratios(self, logits: NDArray[np.floating]) -> Floats:
        """Log p / q of logits.

        Raises:
            ConfigError: the game does not tell it.
        """
        if self.log_ratio is None:
            raise ConfigError(
                f"a discriminator of the {self.objective} game tells {self.says}: no density ratio, share or "
                "divergence can be concluded from its logits. Give --refit, which trains one by cross-entropy."
            )
        return self.log_ratio(logits)


def meaning_of(
    objective: str, real_label: float = 1.0, *, augmented: bool = False, instance_noise: float = 0.0
) -> Meaning:
    """How to read the logits of a game at its optimum.

    Args:
        objective: name, as cards have it.
        real_label: what references were labelled as; below 1 the discriminator's share is corrected for it.
        augmented: whether it was shown augmented images, which cannot be corrected.
        instance_noise: on what it was shown in training, network units; cannot be corrected either.

    Raises:
        ConfigError: there is no such objective.
    """
    found = find_objective(objective, real_label)
    convert = found.log_ratio
    warnings = list(_shown(augmented=augmented, instance_noise=instance_noise))
    if convert is None:
        return Meaning(objective, None, found.meaning, tuple(warnings))

    def ratios(logits: NDArray[np.floating]) -> Floats:
        converted = convert(torch.from_numpy(np.asarray(logits, dtype=np.float64))).numpy()
        return np.asarray(np.clip(np.nan_to_num(converted, nan=0.0), -MOST, MOST))

    if real_label < 1:
        warnings.append(f"references were labelled {real_label:g}; the density ratio is corrected for that")
    return Meaning(objective, ratios, found.meaning, tuple(warnings))


def _shown(*, augmented: bool, instance_noise: float) -> Iterator[str]:
    """What lies between the images of training and those that are judged."""
    if augmented:
        yield (
            "in training the discriminator was shown augmented images: its logits are those of turned, mirrored and "
            "brighter images, too; compare them, and take a fresh one (--refit) for their size"
        )
    if instance_noise:
        yield (
            f"in training the discriminator was shown images with noise of {instance_noise:g} network units, which "
            "makes logits smaller than those of images without; compare them, and take a fresh one for their size"
        )
