"""How SAR files are read, and with which method and settings they are despeckled."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rsgan.enhance.options import Running
from rsgan.enhance.speckle import Network, Remove, SpeckleEnhancer, SpeckleStatistics, classical, multitemporal
from rsgan.errors import ConfigError, ModelError, RsganError
from rsgan.filters.speckle import reach
from rsgan.model import Model, find_model, open_model
from rsgan.nn.generators import DespeckleGenerator
from rsgan.radiometry import Quantity
from rsgan.runtimes import computed_by

Way = Literal["network", "lee", "refined-lee", "lee-sigma", "gamma-map", "frost", "boxcar", "quegan-yu"]
"""`network` runs a model; the others are learning-free filters, `quegan-yu` one for several dates."""
MODEL = "sar-despeckle"
"""Model of the package that despeckles."""
FEWEST_LOOKS, MOST_LOOKS = 0.25, 1000.0


@dataclass(frozen=True)
class SarReading:
    """How SAR files are read: what they do not say, or say wrongly.

    Attributes:
        bands: names or 1-based numbers of the bands to take; None takes all.
        quantity: what the stored numbers are; None finds out.
        stored_scale: stored number that means 1 dB or 1 unit, where the files do not say.
        nodata: stored number that says "no data", where the files do not declare it.
        date: which date of a NetCDF file or Zarr group that has several.
        gsd_m: metres per pixel where the files do not say.
        zero_valid: whether an intensity of 0 was measured; else it is the fill beside the swath.
    """

    bands: tuple[str, ...] | None = None
    quantity: Quantity | None = None
    stored_scale: float | None = None
    nodata: float | None = None
    date: str | None = None
    gsd_m: float | None = None
    zero_valid: bool = False


@dataclass(frozen=True)
class DespeckleOptions(Running):
    """How to despeckle, apart from what and with which method.

    Attributes:
        looks: equivalent number of looks; None measures it.
        correlation: lag-1 intensity correlation, from row to row and from column to column; None measures it.
        filter_size: side of a filter's window, pixels.
        output_quantity: what the output's numbers are; None keeps the input's.
        ratio: GeoTIFF for the ratio image, float32; None writes none.
    """

    window: int = 768
    looks: float | None = None
    correlation: tuple[float, float] | None = None
    filter_size: int = 7
    output_quantity: Quantity | None = None
    ratio: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be meant, whatever the scene.

        Raises:
            RsganError: naming the flag.
        """
        super().__post_init__()
        if self.looks is not None and not FEWEST_LOOKS <= self.looks <= MOST_LOOKS:
            raise RsganError(
                f"--looks {self.looks:g}: expected {FEWEST_LOOKS:g} .. {MOST_LOOKS:g} (1 for single-look data, about "
                "4.4 for Sentinel-1 GRD), or auto."
            )
        if self.correlation is not None and not all(0 <= rho <= 0.95 for rho in self.correlation):
            raise RsganError(f"--correlation {self.correlation}: expected two numbers, 0 (white) .. 0.95.")


@dataclass(frozen=True)
class SpeckleMethod:
    """What is done to a scene.

    Attributes:
        name: of the model or filter.
        reach: pixels that an output pixel can depend on, to each side.
        stride: pixels of which windows begin at a multiple.
        model: open model; None for a filter.
    """

    name: str
    reach: int
    stride: int
    model: Model | None = None

    @property
    def looks(self) -> tuple[float, float]:
        """Fewest, most looks that it knows."""
        known = None if self.model is None else self.model.card.looks
        return known or (FEWEST_LOOKS, MOST_LOOKS)


def chosen_method(method: Way, model: str | Path | None, options: DespeckleOptions) -> SpeckleMethod:
    """The network asked for, or a filter.

    Raises:
        RsganError: the model is missing or of another task, or flags contradict each other.
    """
    if method != "network":
        for flag, given in (("--model", model), ("--sharpness", options.sharpness)):
            if given is not None:
                raise ConfigError(f"{flag} {given}: --method {method} has no network. Leave {flag} out.")
        return SpeckleMethod(method, reach(method, options.filter_size), 1)
    opened = open_model(find_model(MODEL if model is None else model))
    if opened.card.task != "despeckle":
        raise ModelError(
            f"--model {opened.card.name} is for {opened.card.task}, not for despeckling. Leave --model out, or see "
            "rsgan models."
        )
    generator = opened.generator(options.sharpness)
    if not isinstance(generator, DespeckleGenerator):
        raise ModelError(f"--model {opened.card.name} has no generator that despeckles.")
    return SpeckleMethod(opened.card.name, generator.receptive_field, generator.config.stride, opened)


def bound(
    method: SpeckleMethod,
    options: DespeckleOptions,
    statistics: SpeckleStatistics,
    groups: tuple[tuple[int, ...], ...],
) -> SpeckleEnhancer:
    """A method bound to a scene; `groups` are the bands that show one polarisation at several dates.

    Raises:
        ModelError: the model does not despeckle.
    """
    remove: Remove
    if method.model is not None:
        generator = method.model.generator(options.sharpness)
        if not isinstance(generator, DespeckleGenerator):
            raise ModelError(f"{method.model.card.name} is for {method.model.card.task}, not for despeckling.")
        network = computed_by(options.backend, generator)
        remove = Network(network, statistics, options.place, options.precision, options.symmetries, method.looks)
    elif method.name == "quegan-yu":
        remove = multitemporal(groups, statistics, options.filter_size)
    else:
        remove = classical(method.name, statistics, options.filter_size)
    return SpeckleEnhancer(remove, method.reach, keep_ratio=options.ratio is not None, stride=method.stride)
