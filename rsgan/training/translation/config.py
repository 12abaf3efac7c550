"""The config of a translation run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from rsgan.card import Domain
from rsgan.nn.discriminators import TranslationDiscriminatorConfig
from rsgan.nn.generators import TranslationConfig
from rsgan.nn.generators.haze import HazeConfig
from rsgan.sensors import atmosphere
from rsgan.training.config import AdversaryConfig, Frozen, Training, refuse_two_ways


class TranslationDescription(Frozen):
    """What the model's card will say that the data cannot.

    Attributes:
        name: file name of the model without suffix.
        gsd_m: ground sampling distance the model is for; None for any.
        licence: licence of the weights.
        training_data: sentences about data and their licences.
        limits: sentences about what not to use it for.
    """

    name: str
    gsd_m: float | None = Field(default=None, gt=0)
    licence: str
    training_data: tuple[str, ...]
    limits: tuple[str, ...]


class DomainSource(Frozen):
    """Rasters of one kind in one domain.

    Attributes:
        glob: pattern below the data root.
        exclude: patterns of files to leave out.
        bands: names or numbers of the files' bands, in the domain's order; None finds them by name.
        reflectance_scale: stored number that means reflectance 1; None reads it from the file.
        date: which date of files that have several.
        place: name of the place where the files carry no coordinates; files of one place never fall into both splits.
        share: share of the training chips drawn from these files, relative to the other sources' shares.
    """

    glob: str
    exclude: tuple[str, ...] = ()
    bands: tuple[str, ...] | None = None
    reflectance_scale: float | None = Field(default=None, gt=0)
    date: str | None = None
    place: str | None = None
    share: float = Field(default=1.0, gt=0)


class PairSource(DomainSource):
    """Rasters of the source domain, each with one of the target domain on the same grid.

    Attributes:
        partner: text in the path of a file and what stands in its place in that of its partner; None where the target's
            bands are in the same file.
        target_bands: names or numbers of the partner's bands, in the target's order; None finds them by name.
        target_date: which date of the partner.
    """

    partner: tuple[str, str] | None = None
    target_bands: tuple[str, ...] | None = None
    target_date: str | None = None


class HazeRanges(Frozen):
    """Ranges of the haze that is laid over clear chips; names, units and defaults of `atmosphere.HazeRanges`."""

    thickness: tuple[float, float] = atmosphere.HazeRanges.thickness
    contrast: tuple[float, float] = atmosphere.HazeRanges.contrast
    slope: tuple[float, float] = atmosphere.HazeRanges.slope
    white: float = Field(default=atmosphere.HazeRanges.white, ge=0, le=1)
    angstrom: tuple[float, float] = atmosphere.HazeRanges.angstrom
    airlight: tuple[float, float] = atmosphere.HazeRanges.airlight
    tint: float = Field(default=atmosphere.HazeRanges.tint, ge=0)

    @model_validator(mode="after")
    def _are_ranges(self) -> HazeRanges:
        bounds = {"thickness": (1e-4, 3.0), "contrast": (0, 2), "slope": (0, 6), "angstrom": (0, 4), "airlight": (0, 1)}
        for name, (least, most) in bounds.items():
            low, high = getattr(self, name)
            if not least <= low <= high <= most:
                raise ValueError(
                    f"{name} is [{low:g}, {high:g}]; expected lowest, highest within {least:g} .. {most:g}"
                )
        return self


class PairedData(Frozen):
    """Pairs of one ground in both domains.

    Attributes:
        root: folder; relative to the working directory; `--data` overrides it.
        training: pairs that are trained on.
        validation: held-out pairs; a place that is in both splits is an error.
        index: file that `rsgan prepare` wrote, with pairs; in place of training and validation.
    """

    kind: Literal["paired"]
    root: Path
    training: tuple[PairSource, ...] = ()
    validation: tuple[PairSource, ...] = ()
    index: Path | None = None

    @model_validator(mode="after")
    def _names_pairs_once(self) -> PairedData:
        refuse_two_ways(self.index, self.training, self.validation)
        return self


class UnpairedData(Frozen):
    """Rasters of each domain, of whatever ground.

    Attributes:
        root: folder; relative to the working directory; `--data` overrides it.
        source: rasters of the source domain; may be missing where all of them are made by `haze`.
        target: rasters of the target domain.
        validation: held-out pairs, by which the run is judged; without them only levels are compared.
        haze: haze to lay over chips of the target domain, which are then of the source domain; their truth is known.
        hazed: share of the source's chips that are made so.
        hazed_validation: held-out rasters of the target domain, by which the run is judged under drawn haze, too.
    """

    kind: Literal["unpaired"]
    root: Path
    source: tuple[DomainSource, ...] = ()
    target: tuple[DomainSource, ...] = Field(min_length=1)
    validation: tuple[PairSource, ...] = ()
    haze: HazeRanges | None = None
    hazed: float = Field(default=0.0, ge=0, le=1)
    hazed_validation: tuple[DomainSource, ...] = ()

    @model_validator(mode="after")
    def _has_both(self) -> UnpairedData:
        if self.haze is None and (self.hazed or self.hazed_validation):
            raise ValueError("hazed and hazed_validation need haze, the ranges that are drawn from")
        if not self.source and self.hazed < 1:
            raise ValueError(f"source names no rasters, but hazed is {self.hazed:g}; name some, or set hazed to 1")
        return self


class Physics(Frozen):
    """Weights of terms that hold whatever the domains: the ground stays the same.

    Attributes:
        detail: 1 - correlation of the detail finer than five pixels, of the mean over the bands, before and after.
        negative: reflectance below 0; only where the target holds reflectance.
        supervised: absolute error where the truth is known.
    """

    detail: float = Field(default=0.0, ge=0)
    negative: float = Field(default=0.0, ge=0)
    supervised: float = Field(default=0.0, ge=0)


class PairedLosses(Physics):
    """Pix2Pix.

    Attributes:
        l1: absolute error; 100 in the paper.
        adversarial: final weight of the adversarial term.
    """

    kind: Literal["pix2pix"]
    l1: float = Field(default=100.0, ge=0)
    adversarial: float = Field(default=1.0, ge=0)


class CycleLosses(Physics):
    """CycleGAN.

    Attributes:
        cycle_source: source -> target -> source against the source; 10 in the paper.
        cycle_target: target -> source -> target against the target; likewise.
        identity: what is of a domain already stays; 5 in the paper; only where both have as many bands.
        adversarial: final weight of the adversarial terms, one per domain.
    """

    kind: Literal["cycle"]
    cycle_source: float = Field(default=10.0, ge=0)
    cycle_target: float = Field(default=10.0, ge=0)
    identity: float = Field(default=5.0, ge=0)
    adversarial: float = Field(default=1.0, ge=0)


class ContrastiveLosses(Physics):
    """Contrastive unpaired translation (CUT), which learns one way only.

    Attributes:
        contrast: a place of the result is more like the same place of the input than like others of it.
        identity: the same for images of the target domain, which are to stay as they are.
        places: places that are compared, per image and size.
        temperature: of the comparison.
        adversarial: final weight of the adversarial term.
    """

    kind: Literal["contrastive"]
    contrast: float = Field(default=1.0, ge=0)
    identity: float = Field(default=1.0, ge=0)
    places: int = Field(default=256, ge=2)
    temperature: float = Field(default=0.07, gt=0)
    adversarial: float = Field(default=1.0, ge=0)


class TranslateConfig(Frozen):
    """A whole run."""

    task: Literal["translate"]
    seed: int
    model: TranslationDescription
    source: Domain
    target: Domain
    generator: TranslationConfig
    discriminator: TranslationDiscriminatorConfig | None
    data: Annotated[PairedData | UnpairedData, Field(discriminator="kind")]
    losses: Annotated[PairedLosses | CycleLosses | ContrastiveLosses, Field(discriminator="kind")]
    adversary: AdversaryConfig = AdversaryConfig()
    training: Training

    @model_validator(mode="after")
    def _fits(self) -> TranslateConfig:
        named = len(self.source.bands), len(self.target.bands)
        built = self.generator.forth.bands, self.generator.forth.target_bands
        if named != built:
            raise ValueError(
                f"source and target name {named[0]} and {named[1]} bands, generator.forth has {built[0]} and {built[1]}"
            )
        if isinstance(self.losses, PairedLosses) != isinstance(self.data, PairedData):
            raise ValueError(
                f"losses.kind {self.losses.kind} does not go with data.kind {self.data.kind}: pix2pix needs pairs, "
                "cycle and contrastive take unpaired data"
            )
        if isinstance(self.losses, CycleLosses) != (self.generator.back is not None):
            raise ValueError(f"losses.kind is {self.losses.kind}; generator.back is for cycle, and cycle needs it")
        if isinstance(self.losses, ContrastiveLosses) != bool(self.generator.projection):
            raise ValueError(
                f"losses.kind is {self.losses.kind}; generator.projection is for contrastive, which needs it (256)"
            )
        if isinstance(self.losses, ContrastiveLosses) and named[0] != named[1]:
            raise ValueError(f"contrastive compares both through one encoder, but the domains have {named} bands")
        self._haze_fits()
        self._discriminator_fits()
        return self

    def _haze_fits(self) -> None:
        for way in (self.generator.forth, self.generator.back):
            if isinstance(way, HazeConfig):
                for side in (self.source, self.target):
                    if side.quantity != "reflectance" or any(side.centre) or set(side.spread) != {way.unit}:
                        raise ValueError(
                            f"a generator of kind haze works on reflectance / {way.unit:g}; the domain {side.name} "
                            f"needs quantity reflectance, centre 0 and spread {way.unit:g} in every band"
                        )
        hazed = isinstance(self.data, UnpairedData) and self.data.haze is not None
        if hazed and (self.source.bands != self.target.bands or self.target.sensor is None):
            raise ValueError("data.haze needs the same bands of a sensor of the catalogue in source and target")

    def _discriminator_fits(self) -> None:
        judge = self.discriminator
        if judge is None:
            if self.training.adversarial_samples:
                raise ValueError("training.adversarial_samples is above 0, but there is no discriminator; name one")
            return
        self.adversary.refuse_unbounded(judge)
        if (judge.source_bands, judge.target_bands) != (len(self.source.bands), len(self.target.bands)):
            raise ValueError(
                f"discriminator has source_bands {judge.source_bands} and target_bands {judge.target_bands}, but the "
                f"domains have {len(self.source.bands)} and {len(self.target.bands)} bands"
            )
        if judge.both != isinstance(self.losses, CycleLosses):
            raise ValueError(f"discriminator.both is {judge.both}, losses.kind {self.losses.kind}; cycle needs both")
        if judge.conditional and not isinstance(self.losses, PairedLosses):
            raise ValueError("discriminator.conditional is true, but only pairs (losses.kind pix2pix) allow that")
        if judge.conditional:
            self.adversary.refuse_history()
