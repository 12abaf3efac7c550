"""What the loop asks of a task: its data, its game, its held-out figures and its card."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from rsgan.card import ModelCard, ProbeCoefficients
from rsgan.errors import ConfigError
from rsgan.nn.discriminators import (
    Discriminator,
    PatchDiscriminator,
    SpeckleDiscriminator,
    TranslationDiscriminator,
)
from rsgan.nn.generators import (
    ChipEncoder,
    DespeckleGenerator,
    Generator,
    ResidualGenerator,
    SynthesisGenerator,
    TranslationGenerator,
)
from rsgan.nn.images import ImageDiscriminator
from rsgan.training import batch
from rsgan.training.config import TrainConfig
from rsgan.training.despeckle import batch as speckled
from rsgan.training.despeckle.config import DespeckleConfig
from rsgan.training.despeckle.loading import load_despeckle
from rsgan.training.despeckle.observed import ObservedDataset
from rsgan.training.despeckle.synthetic import SyntheticDataset
from rsgan.training.despeckle.validation import DespeckleValidation, ObservedValidation
from rsgan.training.distillation import open_teacher
from rsgan.training.games.adversary import Adversary
from rsgan.training.games.despeckle import DespeckleGame
from rsgan.training.games.ground import Ground
from rsgan.training.games.paired import PairedGame
from rsgan.training.games.pix2pix import Pix2PixGame
from rsgan.training.games.synthesis import EncodeGame, SynthesisGame
from rsgan.training.games.unpaired import ContrastiveGame, CycleGame
from rsgan.training.guided import GuidedPairDataset, GuidedValidation, load_guided
from rsgan.training.loading import AnyConfig
from rsgan.training.pairs import PairDataset
from rsgan.training.probe import fit_scene_probe
from rsgan.training.reweighting import class_weights
from rsgan.training.synthesis import batch as labelled
from rsgan.training.synthesis.config import EncodeConfig, SynthesizeConfig
from rsgan.training.synthesis.samples import LabelledDataset, load_labelled
from rsgan.training.synthesis.validation import EncodeValidation, SynthesisValidation
from rsgan.training.tiles import Tile, load_tiles
from rsgan.training.translation import batch as translated
from rsgan.training.translation.config import CycleLosses, PairedLosses, TranslateConfig
from rsgan.training.translation.samples import PairedDataset, UnpairedDataset, load_samples
from rsgan.training.translation.validation import TranslationValidation
from rsgan.training.validation import Validation

INDEX_BANDS = (("B08", "B04"), ("B03", "B08"))
"""Bands (positive, negative) of the indices that training keeps, where a model has them: NDVI and NDWI."""


class Batch(Protocol):
    """Samples of one update; what is in them is between dataset and game."""

    @property
    def reference(self) -> Tensor: ...  # noqa: D102

    def to(self, device: torch.device, dtype: torch.dtype | None = None) -> Any: ...  # noqa: D102, ANN401 - its like


class Samples(Protocol):
    """A dataset of as many samples as the whole run has; sample i depends on (seed, i) only."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Any: ...  # noqa: ANN401 - what `Task.collate` joins


class Game(Protocol):
    """Losses of one step, see `training.games`."""

    def generator_terms(self, pairs: Any, adversarial: bool) -> dict[str, Tensor]: ...  # noqa: D102, ANN401

    def discriminator_terms(self, pairs: Any) -> dict[str, Tensor]: ...  # noqa: D102, ANN401


class HeldOut(Protocol):
    """Figures and pictures of a generator on held-out ground."""

    def measure(self, generator: Any) -> dict[str, float]: ...  # noqa: D102, ANN401

    def panel(self, generator: Any, path: Any) -> None: ...  # noqa: D102, ANN401


class Task(Protocol):
    """One kind of run."""

    weights: Mapping[str, float]
    """How often chips of each class of land cover are drawn, see `reweighting`; empty draws all alike."""

    @property
    def dataset(self) -> Samples: ...  # noqa: D102

    @property
    def validation(self) -> HeldOut: ...  # noqa: D102

    @property
    def collate(self) -> Callable[[list[Any]], Batch]: ...  # noqa: D102

    def load(self, device: torch.device) -> None:
        """Read the tiles: `dataset` and `validation` are there afterwards."""
        ...

    def game(self, generator: Generator, discriminator: Discriminator | None, adversary: Adversary) -> Game:
        """The losses of the run."""
        ...

    def by_class(self, generator: Any, judge: Discriminator) -> dict[str, float]:  # noqa: ANN401
        """What the discriminator says of each class of held-out land cover; empty where it can tell none."""
        ...

    def reweigh(self, figures: dict[str, float]) -> None:
        """Draw the samples that follow by what those figures, by class, say."""
        ...

    def probe(self) -> ProbeCoefficients | None:
        """What is fitted at the end, after the networks."""
        ...

    def card(self, **learned: Any) -> ModelCard:  # noqa: ANN401
        """The card, from the config and from what only the run knows."""
        ...


class Superres:
    """Super-resolution, with or without finer bands that guide."""

    dataset: PairDataset | GuidedPairDataset
    validation: Validation | GuidedValidation
    collate = staticmethod(batch.collate)

    def __init__(self, config: TrainConfig) -> None:
        self.config = config
        self.weights: Mapping[str, float] = {}
        self._tiles: list[Tile] = []

    def load(self, device: torch.device) -> None:
        """See `Task.load`."""
        config = self.config
        if config.model.guide:
            self.dataset, self.validation = load_guided(config, device)
            return
        self._tiles, held_out = load_tiles(config.data, config.model.bands, config.model.sensor)
        self.dataset = PairDataset(self._tiles, config)
        self.dataset.weights = self.weights
        self.validation = Validation(held_out, config, device, self._tiles)

    def game(self, generator: Generator, discriminator: Discriminator | None, adversary: Adversary) -> Game:
        """See `Task.game`."""
        config, bands = self.config, self.config.model.bands
        if not isinstance(generator, ResidualGenerator) or not isinstance(discriminator, PatchDiscriminator | None):
            raise ConfigError("task superres needs a generator of kind residual and a discriminator of kind patch.")
        distillation, teacher = config.distillation, None
        if distillation is not None:
            teacher = open_teacher(config, distillation, next(generator.parameters()).device)
        return PairedGame(
            generator,
            discriminator,
            config.losses,
            adversary,
            tuple((bands.index(p), bands.index(n)) for p, n in INDEX_BANDS if p in bands and n in bands),
            getattr(torch, config.training.precision),
            teacher,
            0.0 if distillation is None else distillation.share,
        )

    def by_class(self, generator: Any, judge: Discriminator) -> dict[str, float]:  # noqa: ANN401
        """See `Task.by_class`; guided models are not asked."""
        if not isinstance(self.validation, Validation) or not isinstance(judge, PatchDiscriminator):
            return {}
        return self.validation.by_class(generator, judge)

    def reweigh(self, figures: dict[str, float]) -> None:
        """See `Task.reweigh`."""
        strength = self.config.data.reweight
        if strength and isinstance(self.dataset, PairDataset):
            self.dataset.weights = self.weights = class_weights(figures, strength) or self.weights

    def probe(self) -> ProbeCoefficients | None:
        """See `Task.probe`."""
        count = self.config.training.probe_samples
        return fit_scene_probe(self._tiles, self.config, count) if count else None

    def card(self, **learned: Any) -> ModelCard:  # noqa: ANN401
        """See `Task.card`."""
        config, model = self.config, self.config.model
        if config.distillation is not None:
            taught = f"results of {config.distillation.passes} passes of model {Path(config.distillation.teacher).stem}"
            model = model.model_copy(update={"training_data": (*model.training_data, taught)})
        return ModelCard(
            **model.model_dump(),
            task=config.task,
            scale=config.generator.scale,
            generator=config.generator,
            sigma=config.sensor.sigma,
            noise=config.sensor.noise,
            **learned,
        )


class Despeckle:
    """Despeckling of one channel at a time."""

    dataset: SyntheticDataset | ObservedDataset
    validation: DespeckleValidation | ObservedValidation
    collate = staticmethod(speckled.collate)

    def __init__(self, config: DespeckleConfig) -> None:
        self.config = config
        self.weights: Mapping[str, float] = {}

    def load(self, device: torch.device) -> None:
        """See `Task.load`."""
        self.dataset, self.validation = load_despeckle(self.config, device)

    def game(self, generator: Generator, discriminator: Discriminator | None, adversary: Adversary) -> Game:
        """See `Task.game`."""
        if not isinstance(generator, DespeckleGenerator) or not isinstance(discriminator, SpeckleDiscriminator | None):
            raise ConfigError("task despeckle needs a generator of kind despeckle and a discriminator of kind speckle.")
        precision = getattr(torch, self.config.training.precision)
        return DespeckleGame(generator, discriminator, self.config.losses, adversary, precision)

    def by_class(self, generator: Any, judge: Discriminator) -> dict[str, float]:  # noqa: ANN401
        """See `Task.by_class`; none is told here."""
        return {}

    def reweigh(self, figures: dict[str, float]) -> None:
        """See `Task.reweigh`; nothing is told by class here."""

    def probe(self) -> ProbeCoefficients | None:
        """Nothing: looks and correlation are estimated by a law, see `sensors.sar.estimate_speckle`."""
        return None

    def card(self, **learned: Any) -> ModelCard:  # noqa: ANN401
        """See `Task.card`."""
        config = self.config
        return ModelCard(
            **config.model.model_dump(),
            task=config.task,
            sensor="sar",
            bands=(),
            scale=1,
            generator=config.generator,
            looks=config.speckle.looks,
            correlation=(0.0, config.speckle.correlation[1]),
            **learned,
        )


class Translate:
    """Translation of one domain into another: Pix2Pix, CycleGAN or contrastive, as the losses say."""

    dataset: PairedDataset | UnpairedDataset
    validation: TranslationValidation
    collate = staticmethod(translated.collate)

    def __init__(self, config: TranslateConfig) -> None:
        self.config = config
        self.weights: Mapping[str, float] = {}

    def load(self, device: torch.device) -> None:
        """See `Task.load`."""
        self.dataset, pairs, clear = load_samples(self.config)
        self.validation = TranslationValidation(pairs, clear, self.dataset, self.config, device)

    def game(self, generator: Generator, discriminator: Discriminator | None, adversary: Adversary) -> Game:
        """See `Task.game`."""
        if not isinstance(generator, TranslationGenerator) or not isinstance(
            discriminator, TranslationDiscriminator | None
        ):
            raise ConfigError("task translate needs a generator and a discriminator of kind translation.")
        losses, target = self.config.losses, self.config.target
        zero = None
        if target.quantity == "reflectance":
            zero = torch.from_numpy(target.to_network(np.zeros((len(target.bands), 1, 1))))
        ground, precision = Ground(losses, zero), getattr(torch, self.config.training.precision)
        if isinstance(losses, PairedLosses):
            return Pix2PixGame(generator, discriminator, losses, ground, adversary, precision)
        if isinstance(losses, CycleLosses):
            return CycleGame(generator, discriminator, losses, ground, adversary, precision)
        return ContrastiveGame(generator, discriminator, losses, ground, adversary, precision)

    def by_class(self, generator: Any, judge: Discriminator) -> dict[str, float]:  # noqa: ANN401
        """See `Task.by_class`; none is told here."""
        return {}

    def reweigh(self, figures: dict[str, float]) -> None:
        """See `Task.reweigh`; nothing is told by class here."""

    def probe(self) -> ProbeCoefficients | None:
        """Nothing: the domains' units are fixed."""
        return None

    def card(self, **learned: Any) -> ModelCard:  # noqa: ANN401
        """See `Task.card`."""
        config = self.config
        return ModelCard(
            **config.model.model_dump(),
            task=config.task,
            sensor=config.source.sensor or config.source.quantity,
            bands=config.source.bands,
            scale=1,
            generator=config.generator,
            source=config.source,
            target=config.target,
            **learned,
        )


class Labelled:
    """What synthesis and encoders share: labelled chips, and nothing that is told by class while they learn."""

    dataset: LabelledDataset
    collate = staticmethod(labelled.collate)

    def __init__(self, config: SynthesizeConfig | EncodeConfig) -> None:
        self._labelled = config
        self.weights: Mapping[str, float] = {}

    def by_class(self, generator: Any, judge: Discriminator) -> dict[str, float]:  # noqa: ANN401
        """See `Task.by_class`; none is told here."""
        return {}

    def reweigh(self, figures: dict[str, float]) -> None:
        """See `Task.reweigh`; chips of all classes are drawn alike."""

    def probe(self) -> ProbeCoefficients | None:
        """Nothing: the domain's units are fixed."""
        return None

    def card(self, **learned: Any) -> ModelCard:  # noqa: ANN401
        """See `Task.card`."""
        config = self._labelled
        return ModelCard(
            **config.model.model_dump(),
            task=config.task,
            sensor=config.target.sensor or config.target.quantity,
            bands=config.target.bands,
            scale=1,
            generator=config.generator,
            target=config.target,
            classes=tuple(each.name for each in config.classes),
            **learned,
        )


class Synthesize(Labelled):
    """Images of random numbers, of a class or of a map of classes."""

    validation: SynthesisValidation

    def __init__(self, config: SynthesizeConfig) -> None:
        super().__init__(config)
        self.config = config

    def load(self, device: torch.device) -> None:
        """See `Task.load`."""
        self.dataset, held_out = load_labelled(self.config)
        self.validation = SynthesisValidation(self.dataset, held_out, self.config, device)

    def game(self, generator: Generator, discriminator: Discriminator | None, adversary: Adversary) -> Game:
        """See `Task.game`."""
        config = self.config
        if not isinstance(generator, SynthesisGenerator) or not isinstance(discriminator, ImageDiscriminator):
            raise ConfigError("task synthesize needs a generator of kind synthesis and a discriminator of kind image.")
        precision = getattr(torch, config.training.precision)
        return SynthesisGame(
            generator, discriminator, config.losses, adversary, config.growing, config.training.batch_size, precision
        )


class Encode(Labelled):
    """An encoder that tells the classes of chips."""

    validation: EncodeValidation

    def __init__(self, config: EncodeConfig) -> None:
        super().__init__(config)
        self.config = config

    def load(self, device: torch.device) -> None:
        """See `Task.load`."""
        self.dataset, held_out = load_labelled(self.config)
        self.validation = EncodeValidation(held_out, self.config, device)

    def game(self, generator: Generator, discriminator: Discriminator | None, adversary: Adversary) -> Game:
        """See `Task.game`."""
        if not isinstance(generator, ChipEncoder):
            raise ConfigError("task encode needs a generator of kind encoder.")
        return EncodeGame(generator, self.config.losses.smoothing, getattr(torch, self.config.training.precision))


def task_of(config: AnyConfig) -> Task:
    """The task of a run."""
    if isinstance(config, TranslateConfig):
        return Translate(config)
    if isinstance(config, SynthesizeConfig):
        return Synthesize(config)
    if isinstance(config, EncodeConfig):
        return Encode(config)
    return Despeckle(config) if isinstance(config, DespeckleConfig) else Superres(config)
