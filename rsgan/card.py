"""The model card: a machine-readable statement inside the model file."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from rsgan.catalogue import SENSORS
from rsgan.nn.discriminators import DiscriminatorConfig
from rsgan.nn.generators import GeneratorConfig, SynthesisConfig
from rsgan.nn.objectives import ObjectiveName
from rsgan.nn.uncertainty import UncertaintyConfig
from rsgan.sensors.statistics import FEATURES


class Figure(BaseModel):
    """One held-out figure.

    Attributes:
        protocol: how it was measured, for example 'P40 x2'.
        what: the quantity with its unit.
        ours: value of this model.
        baseline: value of the best learning-free baseline.
        spread: standard deviation over tiles of (ours - baseline).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    protocol: str
    what: str
    ours: float
    baseline: float
    spread: float


class ProbeCoefficients(BaseModel):
    """Linear estimators of noise and point spread function, see `sensors.statistics.probe`.

    Attributes:
        mean: mean of each feature over the training chips.
        deviation: standard deviation of each feature.
        log_noise: intercept, then one weight per standardised feature; natural log of noise / spread.
        sigma: intercept, then one weight per standardised feature; input pixels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    log_noise: tuple[float, ...]
    sigma: tuple[float, ...]

    @model_validator(mode="after")
    def _fits(self) -> ProbeCoefficients:
        found = len(self.mean), len(self.deviation), len(self.log_noise), len(self.sigma)
        expected = FEATURES, FEATURES, 1 + 2 * FEATURES, 1 + 2 * FEATURES
        if found != expected:
            raise ValueError(f"has coefficients of lengths {found}, expected {expected}")
        return self


class Uncertainty(BaseModel):
    """The network that tells how wrong enhanced pixels may be, and how its standard errors become intervals.

    Attributes:
        head: its architecture.
        factor_68: standard errors to each side that cover 68 % of the errors.
        factor_95: the same for 95 %.
        floor: reflectance that every standard error has at least, before the factors: the noise of the references,
            which no network can foresee.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    head: UncertaintyConfig
    factor_68: float = Field(gt=0)
    factor_95: float = Field(gt=0)
    floor: float = Field(default=0.0, ge=0)


Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^/\\\x00-\x1f.][^/\\\x00-\x1f]*$")]
"""Of a model or domain: part of file names, so no folder."""


class Domain(BaseModel):
    """One side of a translation: what its rasters hold, and the fixed link to network units.

    Network units are (value - centre) / spread. A value is reflectance, the natural logarithm of intensity, or the
    stored number itself.

    Attributes:
        name: for people, such as hazy or clear.
        quantity: what the rasters hold.
        sensor: key of `catalogue.SENSORS`, whose names the bands have; None where the bands have names of their own.
        bands: in channel order.
        centre: of each band.
        spread: of each band, above 0.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    quantity: Literal["reflectance", "intensity", "number"] = "reflectance"
    sensor: str | None = None
    bands: tuple[str, ...] = Field(min_length=1)
    centre: tuple[float, ...]
    spread: tuple[Annotated[float, Field(gt=0)], ...]

    @model_validator(mode="after")
    def _fits(self) -> Domain:
        if not len(self.bands) == len(self.centre) == len(self.spread):
            raise ValueError(
                f"names {len(self.bands)} bands, {len(self.centre)} centres and {len(self.spread)} spreads; expected "
                "as many of each"
            )
        if self.sensor is not None:
            refuse_unknown(self.sensor, self.bands)
        return self

    @property
    def colours(self) -> tuple[int, int, int]:
        """Channels to show as red, green and blue; the first one three times where no bands are called so."""
        found = [next((name for name in names if name in self.bands), None) for names in RED_GREEN_BLUE]
        red, green, blue = (0 if name is None or None in found else self.bands.index(name) for name in found)
        return red, green, blue

    def to_network(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """(..., C, H, W) reflectance, intensity or numbers -> network units."""
        if self.quantity == "intensity":
            values = np.log(np.maximum(values, LEAST_INTENSITY))
        return ((values - _column(self.centre)) / _column(self.spread)).astype(np.float32)

    def to_physical(self, network: NDArray[np.floating]) -> NDArray[np.float32]:
        """The inverse of `to_network`."""
        values = network * _column(self.spread) + _column(self.centre)
        return (np.exp(values) if self.quantity == "intensity" else values).astype(np.float32)


RED_GREEN_BLUE = (("B04", "R", "red"), ("B03", "G", "green"), ("B02", "B", "blue"))
"""Names of the bands that pictures show in colour."""
LEAST_INTENSITY = 1e-6
"""Intensity below which a translation sees none: -60 dB, under the noise of any radar."""


def folder_of(name: str) -> str:
    """A class as part of a path: letters, digits and hyphens."""
    return "-".join(name.split())


def _column(numbers: tuple[float, ...]) -> NDArray[np.float64]:
    return np.array(numbers)[:, None, None]


def refuse_unknown(sensor: str, bands: tuple[str, ...]) -> None:
    """Refuse a sensor or bands that the catalogue does not hold.

    Raises:
        ValueError: naming them; pydantic puts the place in front.
    """
    known = SENSORS.get(sensor)
    missing = [name for name in bands if known is None or known.find(name) is None]
    if known is None or missing:
        what = f"bands {' '.join(missing)} of sensor" if known else "sensor"
        raise ValueError(f"names {what} {sensor!r}, which this version of rsgan does not know")


class ModelCard(BaseModel):
    """What a model is, what it was trained on and what it may be used for.

    Attributes:
        format: version of this card.
        name: name of the model.
        task: what it does.
        sensor: key of `catalogue.SENSORS`; 'sar' for any radar.
        bands: band names in channel order; empty for a model that takes any band, one at a time.
        guide: names of the finer bands that guide the others, in channel order; empty without a guide.
        gsd_m: input ground sampling distance the model is for; None for any.
        scale: input gsd / output gsd.
        sharpness: default interpolation between the faithful (0) and the adversarial (1) generator.
        generator: architecture of both generators, or of an encoder.
        discriminator: architecture of the discriminator, None if none is in the file.
        objective: adversarial game that trained the discriminator; tells what its logits mean.
        real_label: what the discriminator was to say of references; below 1, one-sided label smoothing.
        augmented: whether the discriminator was shown turned, mirrored or brighter images in training.
        instance_noise: standard deviation of the noise on what it was shown, network units.
        sigma: range of point spread functions seen in training, input pixels; super-resolution only.
        noise: range of noise seen in training, reflectance; super-resolution only.
        looks: range of looks seen in training; despeckling only.
        correlation: range of lag-1 intensity correlation seen in training; despeckling only.
        source: what goes into a translation.
        target: what comes out of a translation or a synthesis, or what an encoder looks at.
        classes: of chips, in the order of the network's; synthesis and encoders only.
        probe: estimators of a scene's noise and point spread function, None if the file has none.
        uncertainty: of the enhanced pixels, None if the file cannot tell.
        samples_seen: chips of training, both stages.
        training_data: data, places and licences.
        metrics: held-out figures.
        limits: what not to use it for.
        licence: licence of the weights.
        config_sha256: digest of the training config.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    name: Name
    task: Literal["superres", "despeckle", "translate", "synthesize", "encode"]
    sensor: str
    bands: tuple[str, ...]
    guide: tuple[str, ...] = ()
    gsd_m: float | None = Field(default=None, gt=0)
    scale: int = Field(ge=1, le=16)
    sharpness: float = Field(default=0.0, ge=0, le=1)
    generator: GeneratorConfig
    discriminator: DiscriminatorConfig | None
    objective: ObjectiveName | Literal["none"]
    real_label: float = Field(default=1.0, gt=0, le=1)
    augmented: bool = False
    instance_noise: float = Field(default=0.0, ge=0)
    sigma: tuple[float, float] | None = None
    noise: tuple[float, float] | None = None
    looks: tuple[float, float] | None = None
    correlation: tuple[float, float] | None = None
    source: Domain | None = None
    target: Domain | None = None
    classes: tuple[str, ...] = ()
    probe: ProbeCoefficients | None = None
    uncertainty: Uncertainty | None = None
    samples_seen: int = Field(ge=0)
    training_data: tuple[str, ...]
    metrics: tuple[Figure, ...] = ()
    limits: tuple[str, ...]
    licence: str
    config_sha256: str

    @model_validator(mode="after")
    def _is_whole(self) -> ModelCard:
        needed, kind = {
            "superres": (("gsd_m", "sigma", "noise"), "residual"),
            "despeckle": (("looks", "correlation"), "despeckle"),
            "translate": (("source", "target"), "translation"),
            "synthesize": (("target",), "synthesis"),
            "encode": (("target", "classes"), "encoder"),
        }[self.task]
        missing = [name for name in needed if getattr(self, name) in (None, ())]
        if missing or self.generator.kind != kind:
            wanted = f"lacks {' '.join(missing)}" if missing else f"has a generator of kind {self.generator.kind}"
            raise ValueError(f"is of task {self.task}, but {wanted}")
        return self

    @model_validator(mode="after")
    def _agrees(self) -> ModelCard:
        if self.task == "superres":
            refuse_unknown(self.sensor, (*self.bands, *self.guide))
        stated = len(self.bands) or 1, len(self.guide), self.scale
        built = self.generator.bands, self.generator.guides, self.generator.scale
        if stated != built:
            raise ValueError(
                f"names {stated[0]} bands, {stated[1]} guides and scale {stated[2]}, but its generator is built for "
                f"{built[0]} bands, {built[1]} guides and scale {built[2]}"
            )
        return self

    @property
    def bands_in_words(self) -> str:
        """The bands, and those that guide them; of a translation, both sides; of chips, their classes as well."""
        if self.classes:
            return f"{' '.join(self.bands)}; {', '.join(self.classes)}"
        if self.source is not None and self.target is not None:
            return " -> ".join(f"{side.name} {' '.join(side.bands)}" for side in (self.source, self.target))
        guide = f" guided by {' '.join(self.guide)}" if self.guide else ""
        return (" ".join(self.bands) or "any band") + guide

    @property
    def pixels_in_words(self) -> str:
        """What pixels go in and come out; for radar, what speckle."""
        if self.looks is not None and self.correlation is not None:
            low, high = self.looks
            return f"{low:g} to {high:g} looks, correlation up to {self.correlation[1]:g}, pixels of any size"
        if isinstance(self.generator, SynthesisConfig):
            return f"chips of {self.generator.side} x {self.generator.side} pixels"
        if self.task in ("translate", "encode"):
            return "pixels of any size" if self.gsd_m is None else f"{self.gsd_m:g} m"
        gsd = self.gsd_m or 0.0
        return f"{gsd:g} m -> {gsd / self.scale:g} m"

    @property
    def any_band(self) -> bool:
        """Whether the model takes any band, one at a time."""
        return not self.bands
