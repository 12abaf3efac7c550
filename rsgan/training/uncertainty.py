"""Fits the network that tells how wrong enhanced pixels may be, to a model that is trained already."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset

from rsgan.card import Uncertainty
from rsgan.errors import ConfigError
from rsgan.model import Model, save_model
from rsgan.nn.generators import Generator
from rsgan.nn.symmetries import averaged_passes
from rsgan.nn.uncertainty import PASSES, UncertaintyConfig, UncertaintyHead
from rsgan.training.batch import Pairs, collate
from rsgan.training.config import TrainConfig
from rsgan.training.games.paired import Units, condition
from rsgan.training.guided import GuidedPairDataset, load_guided
from rsgan.training.pairs import PairDataset
from rsgan.training.tiles import read_split

BATCH = 8
LEARNING_RATE = 3e-3
BORDER = 8
"""Output pixels at a chip's border that nothing is learnt from."""
NOMINAL = (0.68, 0.95)
"""Shares of errors that the two stored factors are to cover."""
CALIBRATION = 0.2
"""Share of the chips on which the factors are set instead of the network trained."""


@dataclass(frozen=True)
class Errors:
    """Chips of one batch in network units: error of the generator and the head's standard error, (N, C, H, W)."""

    error: Tensor
    standard: Tensor


def _errors(generator: Generator, head: UncertaintyHead, pairs: Pairs) -> Errors:
    observed, sensor, guide = condition(pairs)
    with torch.no_grad():
        enhanced, doubt = averaged_passes(generator, observed, sensor, guide, passes=PASSES)
    standard = head(enhanced, observed, doubt, sensor.noise)
    error = enhanced - Units.of(pairs).network(pairs.reference)
    inner = slice(BORDER, -BORDER)
    return Errors(error[:, :, inner, inner], standard[:, :, inner, inner])


def fit_uncertainty(model: Model, config: TrainConfig, samples: int) -> Iterator[dict[str, float]]:
    """Train the head on simulated observations of the training tiles and write it into the model's file.

    Args:
        model: open model; its file gets the head and a card that names its factors.
        config: of the model's training.
        samples: chips.

    Yields:
        `samples_seen` and the loss, or the factors at the end.

    Raises:
        RsganError: the data cannot be read, or the config is not that of the model.
    """
    if config.model.name != model.card.name:
        raise ConfigError(f"the config is that of {config.model.name}, the model is {model.card.name}.")
    if config.training.chip_size <= 2 * BORDER:
        raise ConfigError(
            f"training.chip_size is {config.training.chip_size}; the uncertainty is learnt from chips of more than "
            f"{2 * BORDER} pixels. Give a larger one."
        )
    dataset: Dataset[Pairs] = _dataset(config)
    torch.manual_seed(config.seed)
    generator, settings = model.generator(), UncertaintyConfig()
    head = UncertaintyHead(settings)
    optimizer = torch.optim.AdamW(head.parameters(), lr=LEARNING_RATE, weight_decay=0.0)
    training = int(samples * (1 - CALIBRATION)) // BATCH * BATCH
    ratios: list[Tensor] = []
    seen = 0
    for pairs in DataLoader(Subset(dataset, range(samples)), BATCH, collate_fn=collate, drop_last=True):
        if seen < training:
            found = _errors(generator, head, pairs)
            known = torch.ones(()) if pairs.known is None else pairs.known[..., None, None]
            # negative log-likelihood of Laplace's distribution: no single error decides
            loss = ((found.error.abs() / found.standard + found.standard.log()) * known).mean()
            for group in optimizer.param_groups:
                group["lr"] = LEARNING_RATE * (1 + math.cos(math.pi * seen / training)) / 2
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            yield {"samples_seen": seen + BATCH, "uncertainty/loss": float(loss.detach())}
        else:
            with torch.no_grad():
                found = _errors(generator, head, pairs)
            kept = found.error.abs() / found.standard
            ratios.append((kept if pairs.known is None else kept[pairs.known > 0]).flatten())
        seen += BATCH
    factors = [float(f"{np.quantile(torch.cat(ratios).numpy(), share):.4g}") for share in NOMINAL]
    card = model.card.model_copy(
        update={"uncertainty": Uncertainty(head=settings, factor_68=factors[0], factor_95=factors[1])}
    )
    save_model(model.path, card, *model.states(), head.state_dict())
    yield {"samples_seen": seen, "uncertainty/factor_68": factors[0], "uncertainty/factor_95": factors[1]}


def _dataset(config: TrainConfig) -> PairDataset | GuidedPairDataset:
    if config.model.guide:
        return load_guided(config, torch.device("cpu"))[0]
    return PairDataset(
        read_split(config.data.root, config.data.training, config.model.bands, config.model.sensor), config
    )
