"""The config of a despeckling run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from rsgan.nn.discriminators import SpeckleDiscriminatorConfig
from rsgan.nn.generators import DespeckleGeneratorConfig
from rsgan.radiometry import Quantity
from rsgan.sensors.sar import MOST_CORRELATION
from rsgan.training.config import AdversaryConfig, Frozen, Source, Training


class DespeckleDescription(Frozen):
    """What the model's card will say that the data cannot.

    Attributes:
        name: file name of the model without suffix.
        licence: licence of the weights.
        training_data: sentences about data and their licences.
        limits: sentences about what not to use it for.
    """

    name: str
    licence: str
    training_data: tuple[str, ...]
    limits: tuple[str, ...]


class SarSource(Frozen):
    """SAR rasters of one kind.

    Attributes:
        glob: pattern below the data root.
        exclude: patterns of files to leave out.
        bands: names or numbers of the bands to take; None takes all.
        dates: for pairs of dates, where they are bands of each file: the bands of one polarisation, date by date, and
            so on for others. None: the files of the source are dates of one ground, on one grid.
        quantity: what the stored numbers are; None finds out.
        stored_scale: stored number that means 1 dB or 1 unit, where the files do not say.
        place: name of the place where the files carry no coordinates; files of one place never fall into both splits.
        share: share of the training chips drawn from these files, relative to the other sources' shares.
    """

    glob: str
    exclude: tuple[str, ...] = ()
    bands: tuple[str, ...] | None = None
    dates: tuple[tuple[str, ...], ...] | None = None
    quantity: Quantity | None = None
    stored_scale: float | None = Field(default=None, gt=0)
    place: str | None = None
    share: float = Field(default=1.0, gt=0)


class SyntheticData(Frozen):
    """Drawn speckle on scenes without any, whose truth is known.

    Attributes:
        root: folder; relative to the working directory; `--data` overrides it.
        optical: optical rasters, whose bands serve as scenes whatever their radiometry.
        means: SAR rasters averaged over many dates, in which little speckle is left; they keep their contrast.
        photographs: names of pictures of scikit-image's `data` that serve as scenes, too.
        photograph_share: share of training chips cut from them.
        procedural: share of training chips drawn by `sensors.procedural.backscatter` instead of read.
        lattices: share of those that are cells that repeat.
        validation: held-out optical rasters; a place that is in both splits is an error.
    """

    kind: Literal["synthetic"]
    root: Path
    optical: tuple[Source, ...]
    means: tuple[SarSource, ...] = ()
    photographs: tuple[str, ...] = ()
    photograph_share: float = Field(default=0.0, ge=0, le=1)
    procedural: float = Field(default=0.0, ge=0, le=1)
    lattices: float = Field(default=0.0, ge=0, le=1)
    validation: tuple[Source, ...]


class DatesData(Frozen):
    """Pairs of dates: one is despeckled, another one tells how it should look, changes taken out of it.

    Attributes:
        root: folder; relative to the working directory; `--data` overrides it.
        training: rasters of one ground at several dates.
        validation: held-out ones.
        compensation: model that despeckles every date once, so that what changed between two dates can be taken out.
    """

    kind: Literal["dates"]
    root: Path
    training: tuple[SarSource, ...]
    validation: tuple[SarSource, ...]
    compensation: str = "sar-despeckle"


class ThinningData(Frozen):
    """Single dates, each split at random into two independent observations of fewer looks.

    Attributes:
        root: folder; relative to the working directory; `--data` overrides it.
        training: rasters.
        validation: held-out ones.
        share: lowest, highest share of the looks that the despeckled half gets.
        subsample: step along both axes at which pixels are taken: 2 or 3 make correlated speckle nearly white, without
            which the halves are not independent.
    """

    kind: Literal["thinning"]
    root: Path
    training: tuple[SarSource, ...]
    validation: tuple[SarSource, ...]
    share: tuple[float, float] = (0.4, 0.7)
    subsample: int = Field(default=2, ge=1, le=4)

    @model_validator(mode="after")
    def _is_range(self) -> ThinningData:
        low, high = self.share
        if not 0 < low <= high < 1:
            raise ValueError(f"share is [{low:g}, {high:g}]; expected lowest, highest, above 0 and below 1")
        return self


class MerlinData(Frozen):
    """Single-look complex data, whose real and imaginary parts are two independent observations of half a look.

    Attributes:
        root: folder; relative to the working directory; `--data` overrides it.
        training: complex rasters.
        validation: held-out ones.
    """

    kind: Literal["merlin"]
    root: Path
    training: tuple[SarSource, ...]
    validation: tuple[SarSource, ...]


ObservedData = DatesData | ThinningData | MerlinData
"""Where references are observations, too."""


class SpeckleRanges(Frozen):
    """Ranges of the drawn speckle and of what is laid over the scenes.

    Attributes:
        looks: lowest, highest number of looks; drawn evenly in its logarithm.
        single: share of chips with exactly the lowest number of looks, the hardest and most frequent case.
        correlated: share of chips whose speckle is correlated.
        correlation: lowest, highest lag-1 intensity correlation along each axis.
        averaged: share of those whose correlation comes in part from averaging neighbours, as multilooking does.
        looks_error: standard deviation of the logarithm of (looks told / true looks).
        correlation_error: standard deviation of (correlation told - true one).
        lines: share of chips with thin lines laid over.
        points: share of chips with steady points.
        holes: share of chips with invalid pixels.
        floor_db: lowest, highest level of the thermal noise under the chip's mean, dB; it is part of the reference.
    """

    looks: tuple[float, float]
    single: float = Field(default=0.25, ge=0, le=1)
    correlated: float = Field(default=0.5, ge=0, le=1)
    correlation: tuple[float, float] = (0.02, 0.6)
    averaged: float = Field(default=0.0, ge=0, le=1)
    looks_error: float = Field(default=0.05, ge=0)
    correlation_error: float = Field(default=0.03, ge=0)
    lines: float = Field(default=0.3, ge=0, le=1)
    points: float = Field(default=0.2, ge=0, le=1)
    holes: float = Field(default=0.25, ge=0, le=1)
    floor_db: tuple[float, float] = (-40.0, -18.0)

    @model_validator(mode="after")
    def _are_ranges(self) -> SpeckleRanges:
        low, high = self.looks
        if not 0.5 <= low <= high <= 100:
            raise ValueError(f"looks is [{low:g}, {high:g}]; expected lowest, highest within 0.5 .. 100")
        low, high = self.correlation
        if not 0 <= low <= high <= MOST_CORRELATION:
            raise ValueError(
                f"correlation is [{low:g}, {high:g}]; expected lowest, highest within 0 .. {MOST_CORRELATION:g}"
            )
        return self


class DespeckleLosses(Frozen):
    """Weights of the terms of the generator's loss; that of the Itakura-Saito divergence is 1.

    Attributes:
        poisson: Kullback-Leibler divergence of intensities over the chip's mean, which listens to bright ground;
            near its minimum it is the squared error of the amplitude.
        log_l1: absolute error of the logarithm; only where the reference is free of speckle.
        looks_exponent: a chip counts as its looks to this power in the divergences and in `log_l1`: speckle of many
            looks leaves small errors, which those of one look would drown.
        ratio: mean, variance and correlation of the ratio image against those of the true speckle; only where the
            reference is free of speckle.
        adversarial: final weight of the adversarial term of the image.
        adversarial_ratio: final weight of that of the ratio image, relative to `adversarial`.
    """

    poisson: float = Field(default=1.0, ge=0)
    log_l1: float = Field(default=0.1, ge=0)
    looks_exponent: float = Field(default=0.0, ge=0, le=2)
    ratio: float = Field(default=0.05, ge=0)
    adversarial: float = Field(default=5e-3, ge=0)
    adversarial_ratio: float = Field(default=1.0, ge=0)


class DespeckleConfig(Frozen):
    """A whole run."""

    task: Literal["despeckle"]
    seed: int
    model: DespeckleDescription
    generator: DespeckleGeneratorConfig
    discriminator: SpeckleDiscriminatorConfig | None
    data: Annotated[SyntheticData | ObservedData, Field(discriminator="kind")]
    speckle: SpeckleRanges
    losses: DespeckleLosses
    adversary: AdversaryConfig = AdversaryConfig()
    training: Training

    @model_validator(mode="after")
    def _fits(self) -> DespeckleConfig:
        if self.discriminator is None and self.training.adversarial_samples:
            raise ValueError("training.adversarial_samples is above 0, but there is no discriminator; name one")
        if self.discriminator is not None:
            self.adversary.refuse_unbounded(self.discriminator)
            self.adversary.refuse_history()
        if self.training.adversarial_samples and not isinstance(self.data, SyntheticData):
            raise ValueError(
                f"training.adversarial_samples is above 0, but data.kind {self.data.kind} has no references without "
                "speckle, which a discriminator needs; set it to 0, or use data.kind synthetic"
            )
        if self.training.chip_size % self.generator.stride:
            raise ValueError(
                f"training.chip_size {self.training.chip_size} is no multiple of the generator's stride "
                f"{self.generator.stride}"
            )
        return self
