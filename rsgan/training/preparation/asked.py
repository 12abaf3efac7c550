"""What is asked of `rsgan prepare`: which rasters, how they are read, and where their partners are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rsgan.card import Domain
from rsgan.catalogue import RGBN
from rsgan.geo import Scene, open_quantity
from rsgan.training.preparation.index import BandStatistics, Side


@dataclass(frozen=True)
class Reads:
    """How the rasters of one domain are read.

    Attributes:
        quantity: what their numbers are.
        sensor: of the catalogue; None where the bands have names of their own.
        bands: names, in the catalogue where there is a sensor.
        chosen: names or numbers of the files' bands to take for them; None finds them by name.
        reflectance_scale: stored number that means reflectance 1.
        mask_clouds: whether clouds are nodata, by the layers that the files bring.
    """

    quantity: Literal["reflectance", "intensity", "number"] = "reflectance"
    sensor: str | None = "sentinel-2a"
    bands: tuple[str, ...] = RGBN
    chosen: tuple[str, ...] | None = None
    reflectance_scale: float | None = None
    mask_clouds: bool = False

    @property
    def domain(self) -> Domain:
        """The same, in units of its own: network units are values (or logarithms of intensity) themselves."""
        count = len(self.bands)
        return Domain(
            name="tiles", quantity=self.quantity, sensor=self.sensor, bands=self.bands, centre=(0.0,) * count,
            spread=(1.0,) * count,
        )  # fmt: skip

    def open(self, path: Path) -> Scene:
        """One raster.

        Raises:
            RsganError: one of its children says what is wrong with it.
        """
        return open_quantity(
            [path],
            self.quantity,
            self.bands,
            sensor_name=self.sensor,
            bands=self.chosen,
            reflectance_scale=self.reflectance_scale,
            mask_clouds=self.mask_clouds and self.quantity != "intensity",
        )

    def side(self, statistics: tuple[BandStatistics, ...]) -> Side:
        """What an index says of it."""
        return Side(
            quantity=self.quantity, sensor=self.sensor, bands=self.bands, chosen=self.chosen,
            reflectance_scale=self.reflectance_scale, statistics=statistics,
        )  # fmt: skip


@dataclass(frozen=True)
class Partners:
    """Where the other one of each pair is: by name, by place, or in the same file where neither is given.

    Attributes:
        reads: how they are read.
        names: text in a path and what stands in its place in that of the partner.
        folder: of rasters that show the same ground on the same pixels.
        largest_shift: pixels by which a pair may lie apart.
    """

    reads: Reads
    names: tuple[str, str] | None = None
    folder: Path | None = None
    largest_shift: float = 1.0


@dataclass(frozen=True)
class Preparing:
    """What is asked for.

    Attributes:
        root: folder of the rasters.
        reads: how they are read.
        partners: of each; None without pairs.
        pattern: of their paths below the root; None takes every raster.
        chip: side of a chip, pixels.
        held_out: share of the chips to hold out.
        flattest: detail, as a share of the median chip's, below which a chip is left out.
        seed: of the draw of the places.
    """

    root: Path
    reads: Reads = Reads()
    partners: Partners | None = None
    pattern: str | None = None
    chip: int = 128
    held_out: float = 0.2
    flattest: float = 0.05
    seed: int = 0
