"""The config of a super-resolution run, and the sections that every task shares: typed, unknown keys refused."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rsgan.card import refuse_unknown
from rsgan.catalogue import RGBN
from rsgan.errors import ConfigError
from rsgan.nn.discriminators import PatchDiscriminatorConfig
from rsgan.nn.generators import ResidualGeneratorConfig
from rsgan.nn.objectives import OBJECTIVES, ObjectiveName, find_objective
from rsgan.sensors.observation import Jitter
from rsgan.sensors.optical import MAX_SIGMA


class Frozen(BaseModel):
    """Base of every section: immutable, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(Frozen):
    """Rasters of one kind.

    Attributes:
        glob: pattern below the data root.
        exclude: patterns of files to leave out.
        bands: names of the file's bands to take, in the model's order; None finds them by description.
        reflectance_scale: stored number that means reflectance 1; None reads it from the file.
        gsd_m: ground sampling distance, only where the file does not tell.
        place: name of the place where the file carries no coordinates; files of one place never fall into both splits.
        share: share of the training chips drawn from these files, relative to the other sources' shares.
        holds: those of the model's bands that the files hold; None for all. The others are left out of the losses that
            compare with references.
        coarsen: pixels of the files per pixel of a reference, each way: above 1 for rasters on a finer grid than their
            sensor's; for models with a guide.
        zoom: lowest and highest number of the files' pixels, each way, that are averaged to one pixel of a reference;
            drawn for every training chip, the lowest for validation; for models without a guide.
        shuffled: whether the files' bands, whatever they are (`bands` names them), take the roles of the model's bands
            and guides at random: teaches how detail of one band is found in others, where the right bands are rare.
        guide: text in the files' names and what stands in its place in the names of the guides' files; None where the
            guide's bands are in the same files.
    """

    glob: str
    exclude: tuple[str, ...] = ()
    bands: tuple[str, ...] | None = None
    reflectance_scale: float | None = Field(default=None, gt=0)
    gsd_m: float | None = Field(default=None, gt=0)
    place: str | None = None
    share: float = Field(default=1.0, gt=0)
    holds: tuple[str, ...] | None = None
    coarsen: int = Field(default=1, ge=1)
    zoom: tuple[float, float] = (1.0, 1.0)
    shuffled: bool = False
    guide: tuple[str, str] | None = None

    @model_validator(mode="after")
    def _zooms_out(self) -> Source:
        low, high = self.zoom
        if not 1 <= low <= high:
            raise ValueError(f"zoom is [{low:g}, {high:g}]; expected lowest, highest, 1 or more pixels of the files")
        return self


def refuse_two_ways(index: Path | None, training: tuple[object, ...], validation: tuple[object, ...]) -> None:
    """Refuse tiles that are named both by an index and by patterns, or by neither.

    Raises:
        ValueError: naming the settings.
    """
    if index is not None and (training or validation):
        raise ValueError("index names the tiles of both splits already; leave training and validation empty")
    if index is None and not (training and validation):
        raise ValueError("needs training and validation, patterns of files each, or index, which rsgan prepare makes")


class Data(Frozen):
    """Where the tiles lie and which are held out.

    Attributes:
        root: folder; relative to the working directory; `--data` overrides it.
        training: sources that are trained on.
        validation: held-out sources; a place that is in both splits is an error.
        index: file that `rsgan prepare` wrote, which names the rasters, their usable chips and the split; in place of
            training and validation.
        procedural: share of training chips drawn by `sensors.procedural` instead of read.
        band_gain: standard deviation of the logarithm of the factor by which each band of a chip is multiplied; for
            models without a guide, like `gain`.
        gain: likewise, of the factor that a chip's bands share.
        spread: standard deviation of the logarithm of the factor between the spread that is told and the chip's own: a
            scene's spread is that of all its ground, and a town by the sea has far more contrast.
        reweight: after each validation of the second stage, chips of the class of land cover whose detail the
            discriminator tells from real best are drawn 1 + `reweight` times as often as those of one that it cannot
            tell; 0 draws all alike.
    """

    root: Path
    training: tuple[Source, ...] = ()
    validation: tuple[Source, ...] = ()
    index: Path | None = None
    procedural: float = Field(default=0.0, ge=0, le=1)
    band_gain: float = Field(default=0.1, ge=0, le=1)
    gain: float = Field(default=0.0, ge=0, le=1)
    spread: float = Field(default=0.2, ge=0, le=2)
    reweight: float = Field(default=0.0, ge=0, le=9)

    @model_validator(mode="after")
    def _names_tiles_once(self) -> Data:
        refuse_two_ways(self.index, self.training, self.validation)
        return self


class SensorRanges(Frozen):
    """Ranges of the simulated sensor, with the names, units and defaults of `sensors.observation.Jitter`."""

    sigma: tuple[float, float] = Jitter.sigma
    band_sigma: float = Field(default=Jitter.band_sigma, ge=0)
    noise: tuple[float, float] = Jitter.noise
    noise_free: float = Field(default=Jitter.noise_free, ge=0, le=1)
    signal_noise: float = Field(default=Jitter.signal_noise, ge=0, le=1)
    misregistration: float = Field(default=Jitter.misregistration, ge=0)
    interpolated: float = Field(default=Jitter.interpolated, ge=0, le=1)
    stripes: float = Field(default=Jitter.stripes, ge=0)
    sigma_error: float = Field(default=Jitter.sigma_error, ge=0)
    noise_error: float = Field(default=Jitter.noise_error, ge=0)

    @model_validator(mode="after")
    def _are_ranges(self) -> SensorRanges:
        low, high = self.sigma
        if not 0 <= low <= high <= MAX_SIGMA:
            raise ValueError(f"sigma is [{low:g}, {high:g}]; expected lowest, highest within 0 .. {MAX_SIGMA:g} pixels")
        low, high = self.noise
        if not 0 < low <= high < 1:
            raise ValueError(
                f"noise is [{low:g}, {high:g}]; expected lowest, highest reflectance, above 0 and below 1 "
                "(noise_free is the share of chips without any)"
            )
        return self


class Losses(Frozen):
    """Weights of the terms of the generator's loss; content is 1.

    Attributes:
        charbonnier_epsilon: error in units of the chip's spread where quadratic turns linear.
        consistency: degrade(enhanced) against observed, within the noise.
        spectral_angle: chord between spectra.
        index: NDVI and NDWI.
        adversarial: final weight of the adversarial term, relative to the content loss.
    """

    charbonnier_epsilon: float = Field(default=0.5, gt=0)
    consistency: float = Field(default=0.01, ge=0)
    spectral_angle: float = Field(default=0.1, ge=0)
    index: float = Field(default=0.05, ge=0)
    adversarial: float = Field(default=5e-3, ge=0)


class Bounded(Protocol):
    """What bounds the slope of a judge, and what couples the images of its batch."""

    @property
    def spectral_norm(self) -> bool: ...  # noqa: D102

    @property
    def normalisation(self) -> str: ...  # noqa: D102


class AdversaryConfig(Frozen):
    """The adversarial game: its objective, and what keeps the discriminator in bounds.

    Attributes:
        objective: key of `nn.objectives.OBJECTIVES`.
        real_label: what the discriminator is to say of references; below 1, one-sided label smoothing.
        r1: weight of the squared gradient at references; lazy, like all penalties on gradients.
        r2: the same at generated images.
        gradient_penalty: weight of the departure of the gradient's norm from 1 between the two; 10 in WGAN-GP.
        every: updates between two penalties on gradients, whose weight grows by as much.
        lecam: weight of the LeCam penalty, for small training sets.
        instance_noise: standard deviation of noise on whatever the discriminator sees, in the network's units.
        weight_clip: largest weight of the discriminator; None clips nothing.
        critic_updates: updates of the discriminator per update of the generator.
        history: generated images of past updates that the discriminator is shown again, half of the time, in place of
            present ones; for judges without a condition only. 50 in CycleGAN.
        feature_matching: weight, in the generator's loss, of the difference of the mean features that the discriminator
            has of generated images and of references.
        consistency: weight of the difference of logits before and after augmentation.
        augment: probability of each transform of what the discriminator sees: mirrored, turned, brighter.
        augment_target: overfitting, 0 .. 1, at which the probability is held instead: the mean sign of the logits of
            references; 0.6 is usual.
        augment_samples: chips after which the probability may have gone from 0 to 1.
        augment_gain: standard deviation of the logarithm of the factor by which images become brighter.
        unrolled: steps that the generator looks ahead at what the discriminator will learn.
        unrolled_rate: size of such a step.
    """

    objective: ObjectiveName = "non-saturating"
    real_label: float = Field(default=1.0, gt=0, le=1)
    r1: float = Field(default=0.0, ge=0)
    r2: float = Field(default=0.0, ge=0)
    gradient_penalty: float = Field(default=0.0, ge=0)
    every: int = Field(default=16, ge=1)
    lecam: float = Field(default=0.0, ge=0)
    instance_noise: float = Field(default=0.0, ge=0)
    weight_clip: float | None = Field(default=None, gt=0)
    critic_updates: int = Field(default=1, ge=1)
    history: int = Field(default=0, ge=0)
    feature_matching: float = Field(default=0.0, ge=0)
    consistency: float = Field(default=0.0, ge=0)
    augment: float = Field(default=0.0, ge=0, le=1)
    augment_target: float | None = Field(default=None, gt=0, lt=1)
    augment_samples: int = Field(default=50_000, ge=1)
    augment_gain: float = Field(default=0.0, ge=0)
    unrolled: int = Field(default=0, ge=0, le=20)
    unrolled_rate: float = Field(default=1e-3, gt=0)

    @model_validator(mode="after")
    def _makes_sense(self) -> AdversaryConfig:
        try:
            find_objective(self.objective, self.real_label)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        if self.weight_clip is not None and self.gradient_penalty > 0:
            raise ValueError(
                "adversary.weight_clip and adversary.gradient_penalty both bound the critic's slope, and clipping "
                "keeps it from reaching 1; give one of them"
            )
        if self.augment and self.augment_target is not None:
            raise ValueError(
                "adversary.augment fixes the probability that adversary.augment_target is to find; give one of them"
            )
        if self.augment_target is not None and not OBJECTIVES[self.objective].tells_side:
            raise ValueError(
                f"adversary.augment_target reads overfitting off the sign of logits, which means nothing for "
                f"{self.objective}; give adversary.augment, a fixed probability"
            )
        return self

    def refuse_unbounded(self, judge: Bounded) -> None:
        """Refuse a critic without a bound on its slope, and settings that undo each other.

        Raises:
            ValueError: naming the settings.
        """
        if self.weight_clip is not None and judge.spectral_norm:
            raise ValueError(
                "adversary.weight_clip bounds weights that discriminator.spectral_norm rescales anyway; set "
                "discriminator.spectral_norm to false, or leave weight_clip out"
            )
        if judge.normalisation == "batch" and max(self.r1, self.r2, self.gradient_penalty) > 0:
            raise ValueError(
                "discriminator.normalisation batch makes the logits of an image depend on the others of its batch, and "
                "r1, r2 and gradient_penalty are about the gradient at one image; take instance or none"
            )
        bounded = judge.spectral_norm or self.weight_clip is not None or self.gradient_penalty > 0
        if self.objective == "wasserstein" and not bounded:
            raise ValueError(
                "adversary.objective wasserstein needs a critic of bounded slope; give adversary.gradient_penalty (10 "
                "is usual) or adversary.weight_clip (0.01), or set discriminator.spectral_norm to true"
            )

    def refuse_history(self) -> None:
        """Refuse past images where the discriminator is given what they were made from.

        Raises:
            ValueError: naming the setting.
        """
        if self.history:
            raise ValueError(
                "adversary.history keeps images without what they were made from, which a conditional discriminator "
                "needs; set it to 0"
            )


class Training(Frozen):
    """How long and how fast; durations count chips.

    Attributes:
        batch_size: chips per update.
        chip_size: side of the reference chip, output pixels; a multiple of the scale.
        faithful_samples: chips of the first stage, without adversary.
        adversarial_samples: chips of the second stage; 0 ships no adversarial generator.
        discriminator_warmup: first chips of the second stage in which only the discriminator learns.
        ramp_samples: chips over which the adversarial weight then grows to its final value.
        learning_rate: peak of the generator's cosine schedule in the first stage.
        adversarial_learning_rate: peak of the generator's schedule in the second stage.
        discriminator_learning_rate: peak of the discriminator's; None takes the generator's. A discriminator that
            learns faster stays near its optimum (two time scales, Heusel et al. 2017, arXiv:1706.08500).
        momentum: of the generator's optimiser, its first beta.
        discriminator_momentum: of the discriminator's.
        learning_rate_warmup: chips of linear rise at the start of each stage.
        ema_half_life: chips after which an old weight counts half.
        gradient_clip: largest norm of the generator's gradient.
        precision: bfloat16 inside the networks only, whose losses are float32; float64 throughout, to check sums by.
        compile: whether torch compiles the generator, which takes a minute at the start and a C++ compiler; it cannot
            compile a discriminator whose gradient is penalised.
        start_from: model, by name or by file, whose faithful generator the run starts from; None draws the weights.
        keep_start: share of the weights of `start_from` that stay in the faithful generator: a mean of both forgets
            less and fits the new tiles less (Wortsman et al. 2022, arXiv:2109.01903). What learns is not held back.
        threads: CPU threads of torch; 0 leaves torch's choice.
        workers: processes that read tiles; 0 reads in the training process.
        validate_every: chips between two validations.
        checkpoint_every: chips between two checkpoints.
        log_every: chips between two lines of the log.
        probe_samples: simulated observations on which the estimators of noise and point spread function are fitted at
            the end; 0 leaves them out of the model.
        uncertainty_samples: chips on which `--uncertainty-of` fits how wrong the pixels of a finished model may be.
    """

    batch_size: int = Field(ge=1)
    chip_size: int = Field(ge=16)
    faithful_samples: int = Field(ge=0)
    adversarial_samples: int = Field(default=0, ge=0)
    discriminator_warmup: int = Field(default=0, ge=0)
    ramp_samples: int = Field(default=1, ge=1)
    learning_rate: float = Field(gt=0)
    adversarial_learning_rate: float = Field(default=1e-4, gt=0)
    discriminator_learning_rate: float | None = Field(default=None, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    discriminator_momentum: float = Field(default=0.5, ge=0, lt=1)
    learning_rate_warmup: int = Field(default=0, ge=0)
    ema_half_life: float = Field(gt=0)
    gradient_clip: float = Field(default=1.0, gt=0)
    precision: Literal["float32", "bfloat16", "float64"] = "float32"
    compile: bool = False
    start_from: str | None = None
    keep_start: float = Field(default=0.0, ge=0, lt=1)
    threads: int = Field(default=0, ge=0)
    workers: int = Field(default=0, ge=0)
    validate_every: int = Field(ge=1)
    checkpoint_every: int = Field(ge=1)
    log_every: int = Field(default=800, ge=1)
    probe_samples: int = Field(default=2000, ge=0)
    uncertainty_samples: int = Field(default=4000, ge=80)

    @property
    def samples(self) -> int:
        """Chips of both stages."""
        return self.faithful_samples + self.adversarial_samples

    @model_validator(mode="after")
    def _keeps_what_there_is(self) -> Training:
        if self.keep_start and self.start_from is None:
            raise ValueError(
                "keep_start keeps weights of start_from, which is not given; name a model, or leave it out"
            )
        return self


class ModelDescription(Frozen):
    """What the model's card will say that the data cannot.

    Attributes:
        name: file name of the model without suffix.
        sensor: key of `catalogue.SENSORS`.
        bands: band names in channel order; empty for a model that takes any band, one at a time.
        guide: names of the finer bands that guide the others, in channel order.
        gsd_m: input gsd the model is for.
        licence: licence of the weights.
        training_data: sentences about data and their licences.
        limits: sentences about what not to use it for.
    """

    name: str
    sensor: str
    bands: tuple[str, ...]
    guide: tuple[str, ...] = ()
    gsd_m: float = Field(gt=0)
    licence: str
    training_data: tuple[str, ...]
    limits: tuple[str, ...]

    @model_validator(mode="after")
    def _is_in_the_catalogue(self) -> ModelDescription:
        refuse_unknown(self.sensor, (*self.bands, *self.guide))
        return self


class Distillation(Frozen):
    """A finished model that teaches the generator what several of its passes give.

    Attributes:
        teacher: model, by name or by file, of the same bands and scale.
        passes: turned and mirrored passes of the teacher that are averaged: 1, 2, 4 or 8.
        share: share of the content loss that compares with the teacher's result; the rest compares with the reference.

    Source: Hinton, Vinyals, Dean 2015, arXiv:1503.02531.
    """

    teacher: str
    passes: Literal[1, 2, 4, 8] = 8
    share: float = Field(default=0.5, gt=0, le=1)


class TrainConfig(Frozen):
    """A whole run of super-resolution."""

    task: Literal["superres"]
    seed: int
    model: ModelDescription
    generator: ResidualGeneratorConfig
    discriminator: PatchDiscriminatorConfig | None
    data: Data
    sensor: SensorRanges
    losses: Losses
    adversary: AdversaryConfig = AdversaryConfig()
    distillation: Distillation | None = None
    training: Training

    @model_validator(mode="after")
    def _fits(self) -> TrainConfig:
        count = len(self.model.bands) or 1
        if count != self.generator.bands or len(self.model.guide) != self.generator.guides:
            raise ValueError(
                f"model names {count} bands and {len(self.model.guide)} guides, but generator.bands is "
                f"{self.generator.bands} and generator.guides {self.generator.guides}; make them agree"
            )
        self._discriminator_fits()
        self._reweighting_fits()
        self._sources_fit()
        self._sensor_fits()
        if self.data.procedural > 0 and self.model.bands != RGBN:
            bands = " ".join(self.model.bands)
            raise ValueError(f"data.procedural draws {' '.join(RGBN)} only, not {bands}; set it to 0")
        if self.training.chip_size % self.generator.scale:
            raise ValueError(
                f"training.chip_size {self.training.chip_size} is no multiple of generator.scale {self.generator.scale}"
            )
        return self

    def _sources_fit(self) -> None:
        guided = bool(self.model.guide)
        for source in (*self.data.training, *self.data.validation):
            unknown = sorted(set(source.holds or ()) - set(self.model.bands))
            if unknown:
                raise ValueError(
                    f"source {source.glob} holds {' '.join(unknown)}, which model.bands does not name; leave it out"
                )
            if guided and source.zoom != (1.0, 1.0):
                raise ValueError(f"source {source.glob}: zoom is for models without a guide; give coarsen")
            if not guided and (source.coarsen > 1 or source.shuffled or source.guide is not None):
                raise ValueError(
                    f"source {source.glob}: coarsen, shuffled and guide are for models with a guide; give zoom, or "
                    "leave them out"
                )

    def _sensor_fits(self) -> None:
        """Refuse point spread functions so narrow that a shift of a part of a pixel would be lost."""
        moves = self.sensor.interpolated > 0 or self.sensor.misregistration > 0
        if moves and self.sensor.sigma[0] * self.generator.scale < 0.5:
            raise ValueError(
                "sensor.interpolated and sensor.misregistration need a lowest sensor.sigma of half an output pixel, "
                f"{0.5 / self.generator.scale:g} input pixels here"
            )
        if self.sensor.misregistration > self.generator.scale / 2:
            raise ValueError(
                f"sensor.misregistration is {self.sensor.misregistration:g} output pixels; expected half an input "
                f"pixel, {self.generator.scale / 2:g}, at most"
            )

    def _reweighting_fits(self) -> None:
        if not self.data.reweight:
            return
        if self.model.guide or not {"B03", "B04", "B08"} <= set(self.model.bands):
            raise ValueError(
                "data.reweight needs bands B03, B04 and B08, which tell classes of land cover, and no guide; set it to "
                "0"
            )
        if not self.training.adversarial_samples:
            raise ValueError("data.reweight asks the discriminator, and there is no second stage; set it to 0")

    def _discriminator_fits(self) -> None:
        if self.discriminator is None:
            if self.training.adversarial_samples:
                raise ValueError("training.adversarial_samples is above 0, but there is no discriminator; name one")
            return
        self.adversary.refuse_unbounded(self.discriminator)
        self.adversary.refuse_history()
        built = self.generator.bands, self.generator.scale
        judged = self.discriminator.bands, self.discriminator.scale
        if built != judged:
            raise ValueError(
                f"generator.bands is {built[0]} and generator.scale is {built[1]}, discriminator.bands is {judged[0]} "
                f"and discriminator.scale {judged[1]}; they must be equal"
            )
