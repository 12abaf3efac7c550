"""Held-out figures of a synthesis run: made images as a set, beside training chips and held-out ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rsgan.errors import ConfigError
from rsgan.metrics import distribution, spectral_realism
from rsgan.metrics.memorisation import audit
from rsgan.model import open_model
from rsgan.nn.encoder import ChipEncoder
from rsgan.nn.generators import SynthesisGenerator
from rsgan.nn.generators.synthesis.sampling import AT_ONCE, noise_of, sample
from rsgan.report.sheet import Thumbnail, save_sheet, thumbnails
from rsgan.training.synthesis.config import EncodeConfig, SynthesizeConfig
from rsgan.training.synthesis.samples import LabelledDataset

POPULATION = 512
"""Chips of each set that are compared while a run goes on."""
SHOWN = 8
"""Chips of a class in a panel."""
AUDITED = 2048
"""Training chips among which the nearest to each made one is looked for."""


def open_encoder(name: str, bands: tuple[str, ...]) -> ChipEncoder:
    """The encoder of a model, by name or by file.

    Raises:
        ModelError: there is no such model.
        ConfigError: it is no encoder, or of other bands.
    """
    model = open_model(name)
    network = model.generator()
    if not isinstance(network, ChipEncoder) or model.card.bands != bands:
        raise ConfigError(
            f"encoder: {name} is of task {model.card.task} and bands {' '.join(model.card.bands)}; expected one of "
            f"task encode and bands {' '.join(bands)}."
        )
    return network


@torch.no_grad()
def features_of(chips: Tensor, encoder: ChipEncoder | None) -> NDArray[np.float64]:
    """(N, F) features of chips (N, C, H, W) in network units: of an encoder, or descriptors without one."""
    if encoder is None:
        return distribution.descriptors(chips.cpu().numpy())
    found = [encoder.features(part).cpu().numpy() for part in chips.split(AT_ONCE)]
    return np.concatenate(found).astype(np.float64)


class SynthesisValidation:
    """Two sets of chips of all classes alike, drawn once: from the training tiles, and from held-out ones."""

    def __init__(
        self, training: LabelledDataset, held_out: LabelledDataset, config: SynthesizeConfig, device: torch.device
    ) -> None:
        self.config, self.device = config, device
        self.encoder = None if config.encoder is None else open_encoder(config.encoder, config.target.bands).to(device)
        self.sets = {
            "training": training.chips(POPULATION, config.seed + 1),
            "held_out": held_out.chips(POPULATION, config.seed + 2),
        }
        self.features = {
            name: features_of(chips.reference.to(device), self.encoder) for name, chips in self.sets.items()
        }
        self.real = {
            f"real/{key.partition('/')[0]}": value
            for key, value in _compared(self.features["training"], self.features["held_out"], "").items()
        }
        self.audited = training.chips(AUDITED, config.seed + 3).reference
        self.audited_features = features_of(self.audited.to(device), self.encoder)

    def measure(self, generator: SynthesisGenerator) -> dict[str, float]:
        """Figures of as many made chips; the generator is in training mode afterwards.

        Returns:
            `frechet/...`, `precision/...`, `recall/...`, `density/...` and `coverage/...` of the made chips against
            training chips and against held-out ones, see `metrics.distribution`; `real/...`, those of the training
            chips against the held-out ones, which is what chips of other places reach; `diversity` and `coverage`,
            against the training chips; `power_db` and `covariance`, see `metrics.spectral_realism`; `too_near` and
            `authenticity`, see `metrics.memorisation`.
        """
        generator.eval()
        chips = self.sets["training"]
        made = sample(
            generator, noise_of(generator, self.config.seed, range(POPULATION)), chips.told(self.config.generator.given)
        )
        found = features_of(made.to(self.device), self.encoder)
        figures: dict[str, float] = {}
        for name, wanted in self.features.items():
            figures |= _compared(found, wanted, name)
        figures |= self.real
        copied = audit(found, self.audited_features, self.features["held_out"])
        pixels, real = (x.numpy().astype(np.float64) for x in (made, chips.reference))
        figures |= {
            "diversity": distribution.diversity(found, self.features["training"]),
            "coverage": distribution.coverage(found, self.features["training"]),
            "power_db": spectral_realism.power_difference_db(pixels, real),
            "covariance": spectral_realism.covariance_difference(pixels, real),
            "too_near": copied.too_near,
            "authenticity": copied.authenticity,
        }
        generator.train()
        return figures

    def panel(self, generator: SynthesisGenerator, path: Path) -> None:
        """Made chips and training chips of each class, as a contact sheet."""
        generator.eval()
        chips, target = self.sets["training"], self.config.target
        kinds, groups = len(self.config.classes), {}
        shown = slice(0, SHOWN * kinds)
        given = chips.told(self.config.generator.given)
        noise = noise_of(generator, self.config.seed, range(SHOWN * kinds))
        made = sample(generator, noise, None if given is None else given[shown])
        for place, each in enumerate(self.config.classes):
            real = target.to_physical(chips.reference[shown][place::kinds].numpy())
            groups[f"{each.name}, made"] = thumbnails(
                target.to_physical(made[place::kinds].numpy()), target.colours, real
            )
            groups[f"{each.name}, real"] = thumbnails(real, target.colours)
        groups |= self._nearest(made)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_sheet(path, groups)
        generator.train()

    def _nearest(self, made: Tensor) -> dict[str, list[Thumbnail]]:
        """The made chips that are nearest to training chips, above those: copies would be seen here."""
        found = features_of(made.to(self.device), self.encoder)
        near = audit(found, self.audited_features, self.features["held_out"])
        target, first = self.config.target, near.closest[:SHOWN]
        real = target.to_physical(self.audited[near.nearest[first]].numpy())
        return {
            "made, nearest to a training chip": thumbnails(
                target.to_physical(made[first].numpy()), target.colours, real
            ),
            "those training chips": thumbnails(real, target.colours),
        }


def _compared(made: NDArray[np.float64], wanted: NDArray[np.float64], name: str) -> dict[str, float]:
    near = distribution.neighbourhood(made, wanted)
    return {f"frechet/{name}": distribution.frechet_distance(made, wanted)} | {
        f"{key}/{name}": value for key, value in vars(near).items()
    }


class EncodeValidation:
    """How well an encoder tells the classes of held-out chips."""

    def __init__(self, held_out: LabelledDataset, config: EncodeConfig, device: torch.device) -> None:
        self.config, self.device = config, device
        self.chips = held_out.chips(POPULATION, config.seed + 2)

    @torch.no_grad()
    def measure(self, generator: ChipEncoder) -> dict[str, float]:
        """Share of held-out chips whose class is told, of all, and `accuracy/...` of each class."""
        generator.eval()
        parts = self.chips.reference.split(AT_ONCE)
        told = torch.cat([generator(part.to(self.device)).argmax(1).cpu() for part in parts])
        right = (told == self.chips.classes).double()
        generator.train()
        figures = {"accuracy": float(right.mean())}
        for place, each in enumerate(self.config.classes):
            figures[f"accuracy/{each.name}"] = float(right[self.chips.classes == place].mean())
        return figures

    def panel(self, generator: ChipEncoder, path: Path) -> None:
        """Held-out chips of each class, as a contact sheet."""
        kinds, target, groups = len(self.config.classes), self.config.target, {}
        for place, each in enumerate(self.config.classes):
            chips = self.chips.reference[place::kinds][:SHOWN]
            groups[each.name] = thumbnails(target.to_physical(chips.numpy()), target.colours)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_sheet(path, groups)
