"""What `rsgan prepare` finds out about a folder of rasters, as a file that a run reads."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from rsgan.errors import ConfigError
from rsgan.training.config import Frozen

Split = Literal["training", "validation"]


class BandStatistics(Frozen):
    """One band over the usable chips, in the units of the index's quantity (the logarithm of intensity for radar).

    Attributes:
        band: its name.
        mean: of its values.
        deviation: standard deviation of them.
    """

    band: str
    mean: float
    deviation: float


class Side(Frozen):
    """How the rasters of one domain are read, and what they hold.

    Attributes:
        quantity: what their numbers are.
        sensor: of the catalogue, whose names the bands have; None where they have names of their own.
        bands: in order.
        chosen: names or numbers of the files' bands that were asked for instead; None finds them by name.
        reflectance_scale: stored number that means reflectance 1; None reads it from the files.
        statistics: of each band.
    """

    quantity: Literal["reflectance", "intensity", "number"]
    sensor: str | None
    bands: tuple[str, ...]
    chosen: tuple[str, ...] | None = None
    reflectance_scale: float | None = None
    statistics: tuple[BandStatistics, ...] = ()


class IndexedRaster(Frozen):
    """One raster, or one part of it.

    Attributes:
        path: below the root.
        partner: that of the other domain, below the root; None without pairs.
        offset: (rows, columns) to be added to a pixel of the raster for the same ground in its partner.
        place: ground that it shows; no place is in both splits.
        split: which side it is on.
        chips: (row, column) of the first pixel of each usable chip.
    """

    path: str
    partner: str | None = None
    offset: tuple[int, int] = (0, 0)
    place: str
    split: Split
    chips: tuple[tuple[int, int], ...]


class Index(Frozen):
    """A whole folder.

    Attributes:
        format: version of this file.
        root: the folder.
        chip: side of a chip, pixels.
        side: of the rasters.
        target: of their partners; None without pairs.
        rasters: with usable chips.
    """

    format: Literal[1] = 1
    root: Path
    chip: int = Field(ge=16)
    side: Side
    target: Side | None = None
    rasters: tuple[IndexedRaster, ...]

    def of(self, split: Split) -> tuple[IndexedRaster, ...]:
        """Rasters of one side of the split."""
        return tuple(raster for raster in self.rasters if raster.split == split)


def read_index(path: Path) -> Index:
    """Read the file that `rsgan prepare` wrote.

    Raises:
        ConfigError: it is missing or another kind of file.
    """
    try:
        return Index.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"data.index {path}: cannot be read ({error}). Make it with rsgan prepare.") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ConfigError(
            f"data.index {path}: no index that this version of rsgan reads ({place}: {first['msg']}). Make it again "
            "with rsgan prepare."
        ) from error
