"""The configs of a synthesis run and of the run of an encoder, which learn from the same labelled tiles."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from rsgan.card import Domain
from rsgan.nn.encoder import EncoderConfig
from rsgan.nn.generators.synthesis import SynthesisConfig
from rsgan.nn.generators.synthesis.style import StyleConfig
from rsgan.nn.images import ImageDiscriminatorConfig
from rsgan.training.config import AdversaryConfig, Frozen, Training
from rsgan.training.translation.config import DomainSource, TranslationDescription


class ChipClass(Frozen):
    """A class of chips.

    Attributes:
        name: of the class.
        share: part of a chip's pixels that has to be of it; a chip that could be of several is of the first that is
            listed, so list the scarce ones first.
    """

    name: str = Field(min_length=1, max_length=60, pattern=r"^[\w][\w -]*$")
    share: float = Field(default=0.6, gt=0, le=1)


class LabelledSource(DomainSource):
    """Rasters with labels on the same grid.

    Attributes:
        labels: texts in the path of a file, and what stands in their places in that of its labels.
        names: number in the labels -> name of a class; other numbers are no class.
        rows: first row, and the one after the last, that are used; None for all. A single map can so be split.
    """

    labels: tuple[tuple[str, str], ...] = Field(min_length=1)
    names: dict[int, str] = Field(min_length=1)
    rows: tuple[int, int] | None = None

    @model_validator(mode="after")
    def _has_rows(self) -> LabelledSource:
        if self.rows is not None and not 0 <= self.rows[0] < self.rows[1]:
            raise ValueError(f"rows is {list(self.rows)}; expected the first row, and the one after the last")
        return self


class LabelledData(Frozen):
    """Where the tiles lie and which are held out.

    Attributes:
        root: folder; relative to the working directory; `--data` overrides it.
        training: sources that are trained on.
        validation: held-out sources; a place that is in both splits is an error.
    """

    root: Path
    training: tuple[LabelledSource, ...] = Field(min_length=1)
    validation: tuple[LabelledSource, ...] = Field(min_length=1)

    def refuse_unknown(self, classes: tuple[ChipClass, ...]) -> None:
        """Refuse labels of classes that are not listed.

        Raises:
            ValueError: naming them.
        """
        listed = {each.name for each in classes}
        named = {name for source in (*self.training, *self.validation) for name in source.names.values()}
        if len(listed) < len(classes) or named - listed:
            raise ValueError(f"data names classes {sorted(named)}, classes lists {[each.name for each in classes]}")


class SynthesisLosses(Frozen):
    """Weights of the terms of the generator's loss.

    Attributes:
        adversarial: of the game itself.
        path_length: of how unevenly a step of the style changes the image; for networks of kind style.
        orthogonal: of how alike the filters of a layer are.
        auxiliary: of the class that an auxiliary discriminator tells, for both players.
    """

    adversarial: float = Field(default=1.0, gt=0)
    path_length: float = Field(default=0.0, ge=0)
    orthogonal: float = Field(default=0.0, ge=0)
    auxiliary: float = Field(default=1.0, ge=0)


class SynthesizeConfig(Frozen):
    """A whole synthesis run.

    Attributes:
        encoder: model of task encode, by name or by file, whose features the held-out figures are of; None takes means,
            deviations and gradients of the bands.
        growing: chips in which each size of images is learnt, and the next one fades in; for networks that grow.
    """

    task: Literal["synthesize"]
    seed: int
    model: TranslationDescription
    target: Domain
    classes: tuple[ChipClass, ...] = Field(min_length=1)
    generator: SynthesisConfig
    discriminator: ImageDiscriminatorConfig
    data: LabelledData
    losses: SynthesisLosses = SynthesisLosses()
    adversary: AdversaryConfig
    training: Training
    encoder: str | None = None
    growing: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _fits(self) -> SynthesizeConfig:
        made, judged = self.generator, self.discriminator
        self.data.refuse_unknown(self.classes)
        for name in ("bands", "side", "classes", "given"):
            if getattr(made, name) != getattr(judged, name):
                raise ValueError(
                    f"generator.{name} is {getattr(made, name)} and discriminator.{name} {getattr(judged, name)}; make "
                    "them agree"
                )
        if made.bands != len(self.target.bands) or (made.given != "nothing" and made.classes != len(self.classes)):
            raise ValueError(
                f"generator is built for {made.bands} bands and {made.classes} classes, but target names "
                f"{len(self.target.bands)} and classes {len(self.classes)}"
            )
        if self.training.chip_size != made.side:
            raise ValueError(f"training.chip_size is {self.training.chip_size}, generator.side {made.side}")
        if self.training.faithful_samples or not self.training.adversarial_samples:
            raise ValueError("a synthesis run has no first stage; set training.faithful_samples to 0")
        self.adversary.refuse_unbounded(judged)
        self._style_fits()
        return self

    def _style_fits(self) -> None:
        network = self.generator.network
        if self.losses.path_length and not (isinstance(network, StyleConfig) and self.generator.experts == 1):
            raise ValueError("losses.path_length needs one network of kind style; set it to 0")
        grows = isinstance(network, StyleConfig) and network.growing
        if not grows == self.discriminator.growing == bool(self.growing):
            raise ValueError(
                "generator.network.growing, discriminator.growing and growing, the chips for each size, go together"
            )


class EncodeLosses(Frozen):
    """Of an encoder.

    Attributes:
        smoothing: share of a label that is spread over all classes.
        adversarial: none.
    """

    smoothing: float = Field(default=0.1, ge=0, lt=1)
    adversarial: Literal[0] = 0


class EncodeConfig(Frozen):
    """The whole run of an encoder, which learns to tell the classes of chips."""

    task: Literal["encode"]
    seed: int
    model: TranslationDescription
    target: Domain
    classes: tuple[ChipClass, ...] = Field(min_length=2)
    generator: EncoderConfig
    discriminator: None = None
    data: LabelledData
    losses: EncodeLosses = EncodeLosses()
    adversary: AdversaryConfig = AdversaryConfig()
    training: Training

    @model_validator(mode="after")
    def _fits(self) -> EncodeConfig:
        self.data.refuse_unknown(self.classes)
        if self.generator.bands != len(self.target.bands) or self.generator.classes != len(self.classes):
            raise ValueError(
                f"generator is built for {self.generator.bands} bands and {self.generator.classes} classes, but target "
                f"names {len(self.target.bands)} and classes {len(self.classes)}"
            )
        if self.training.adversarial_samples:
            raise ValueError("an encoder has no adversary; set training.adversarial_samples to 0")
        return self
