"""What a job writes: the enhanced raster, alone or stacked, and the standard errors beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rsgan.catalogue import SENSORS
from rsgan.enhance.guiding import Guiding
from rsgan.enhance.method import Method
from rsgan.enhance.options import Options
from rsgan.enhance.paths import refuse_the_input
from rsgan.enhance.preview import check_preview
from rsgan.errors import OutputError
from rsgan.geo import Grid, RasterWriter, Scene

T = TypeVar("T")

TAGS_OF_THE_INPUT = (
    "AREA_OR_",
    "OVR_",
    "STATISTICS_",
    "RSGAN_",
    "WAVELENGTH",
    "CENTRAL_WAVELENGTH",
    "CENTER_WAVELENGTH",
)
"""Beginnings of tags that describe the input's pixels or one file of several, and would be wrong in the output."""


def kept_tags(scene: Scene) -> dict[str, str]:
    """Tags of the input that hold for the output too."""
    return {key: value for key, value in scene.tags.items() if not key.upper().startswith(TAGS_OF_THE_INPUT)}


@dataclass(frozen=True)
class Outputs:
    """The rasters of one job.

    Attributes:
        scene: open scene.
        guiding: open finer bands that guide; None without.
        method: what is done.
        path: of the enhanced raster.
        options: how.
        grid: of all rasters.
    """

    scene: Scene
    guiding: Guiding | None
    method: Method
    path: Path
    options: Options
    grid: Grid

    @property
    def order(self) -> tuple[int, ...]:
        """Which of (finer bands if written, then enhanced ones) each output band is; in the order of their sensor."""
        fine = self.guiding.scene.bands if self.guiding and self.options.stack else ()
        names = (*fine, *self.scene.bands)
        known = next((s for s in SENSORS.values() if all(s.find(name) for name in names)), None)
        if not fine or known is None:
            return tuple(range(len(names)))
        places = {band.name: number for number, band in enumerate(known.bands)}
        return tuple(sorted(range(len(names)), key=lambda i: places[known.band(names[i]).name]))

    @property
    def indexes(self) -> list[int]:
        """1-based numbers of the enhanced bands; not by name, which a finer band of any kind may have too."""
        first = len(self.order) - len(self.scene.bands)
        return [self.order.index(first + number) + 1 for number in range(len(self.scene.bands))]

    def writer(self) -> RasterWriter:
        """Writer of the enhanced raster; creates nothing before ``with``.

        Raises:
            OutputError: it could not or should not be written.
        """
        scene = self.scene
        stacked = [self.guiding.scene] if self.guiding is not None and self.options.stack else []

        def each(of: Callable[[Scene], Sequence[T]]) -> list[T]:
            """A property of the bands, in the order of the output."""
            values = [value for part in (*stacked, scene) for value in of(part)]
            return [values[place] for place in self.order]

        return RasterWriter(
            self.path,
            grid=self.grid,
            count=len(self.order),
            dtype=scene.dtype,
            nodata=next((s.output_nodata for s in (scene, *stacked) if s.output_nodata is not None), None),
            descriptions=each(lambda s: [said or name for said, name in zip(s.descriptions, s.bands, strict=True)]),
            colorinterp=each(lambda s: s.colorinterp) if not stacked else None,
            scales=each(lambda s: s.stated.scales),
            offsets=each(lambda s: s.stated.offsets),
            units=each(lambda s: s.stated.units),
            tags=kept_tags(scene),
            overwrite=self.options.overwrite,
            cog=self.options.cog,
        )

    def doubts_writer(self) -> RasterWriter | None:
        """Writer of the standard error; None where it is not asked for."""
        path, card = self.options.uncertainty, self.method.card
        if path is None or card is None or card.uncertainty is None:
            return None
        unit = card.uncertainty
        return RasterWriter(
            path,
            grid=self.grid,
            count=len(self.scene.bands),
            dtype="float32",
            nodata=float("nan"),
            descriptions=[f"{name} standard error" for name in self.scene.bands],
            tags={
                "RSGAN_MODEL": card.name,
                "RSGAN_UNCERTAINTY": "half width of the interval that holds 68 % of the errors, in reflectance (stored "
                f"number = {1 / self.scene.radiometry.scale[0]:g} times that); measured against references at the "
                "scale of the observations (Wald protocol)",
                "RSGAN_FACTOR_95": f"{unit.factor_95 / unit.factor_68:.4g}",
            },
            overwrite=self.options.overwrite,
            cog=self.options.cog,
        )

    def check(self, preview: Path | None = None) -> None:
        """Refuse, before anything is computed, outputs that could not or should not be written.

        Raises:
            OutputError: naming the file and the flag.
        """
        if self.options.stack:  # before the writer, to which nodata of another type would be the fault
            self._check_stack()
        self.writer()
        if preview is not None:
            check_preview(preview, overwrite=self.options.overwrite)
        if self.options.uncertainty is not None:
            self._check_uncertainty(self.options.uncertainty)
        if self.options.adapt and (self.guiding is None or self.method.model is None):
            raise OutputError(f"--adapt: {self.method.name} is no network that finer bands guide. Leave it out.")
        targets = {"--out": self.path, "--preview": preview, "--uncertainty": self.options.uncertainty}
        refuse_the_input(targets, self.scene.paths)

    def _check_uncertainty(self, path: Path) -> None:
        if self.method.model is None:
            raise OutputError(
                f"--uncertainty: {self.method.name} cannot tell how wrong its pixels may be. Leave it out."
            )
        self.method.model.uncertainty()
        if path.resolve() == self.path.resolve():
            raise OutputError(f"--uncertainty {path} is the output itself. Give another name.")
        self.doubts_writer()

    def _check_stack(self) -> None:
        if self.guiding is None:
            raise OutputError(f"--stack: {self.method.name} takes no finer bands that could be stacked. Leave it out.")
        mine, finer = self.scene.stated, self.guiding.scene.stated
        if mine.dtype != finer.dtype or (mine.scales[0], mine.offsets[0]) != (finer.scales[0], finer.offsets[0]):
            raise OutputError(
                f"--stack: the bands are stored as {mine.dtype} with scale {mine.scales[0]:g} and offset "
                f"{mine.offsets[0]:g}, the finer ones as {finer.dtype} with {finer.scales[0]:g} and "
                f"{finer.offsets[0]:g}; one raster holds one kind. Leave --stack out."
            )
