"""One translation: what will be done, what it will cost, the doing, and what was done."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsgan.card import Domain
from rsgan.enhance.batches import Batches
from rsgan.enhance.choice import departs, metres
from rsgan.enhance.cluster import computing
from rsgan.enhance.outputs import kept_tags
from rsgan.enhance.paths import refuse_the_input
from rsgan.enhance.preview import check_preview, worth_showing
from rsgan.enhance.resuming import notes_of_kept, resumed
from rsgan.enhance.translation import (
    Direction,
    TranslateOptions,
    TranslationEnhancer,
    bound,
    domains_of,
    stored_as,
)
from rsgan.enhance.walk import Deferred, Progress, Sums, walk
from rsgan.errors import GridError, OutputError
from rsgan.geo import FILL_REACH, RasterWriter, Scene, Window, WindowPlan
from rsgan.geo.files import open_raster
from rsgan.model import Model, choose_device
from rsgan.nn.generators.haze import HazeGenerator
from rsgan.nn.generators.translation import PROBED, OneWay
from rsgan.radiometry import Backscatter, Radiometry
from rsgan.report.panels import Panel, limits_of, save_tiles, stretch


@dataclass(frozen=True)
class Translated:
    """What was done.

    Attributes:
        path: the raster that was written.
        bands: of it.
        change: mean of (translated - observed) per band, in the units of the domain; None where the domains differ.
        transmission: the raster of the transmission; None without.
        seconds: wall time.
    """

    path: Path
    bands: tuple[str, ...]
    change: NDArray[np.float64] | None
    transmission: Path | None
    seconds: float

    def lines(self) -> list[str]:
        """The result in words."""
        lines = []
        if self.change is not None:
            rows = " ".join(f"{name} {value:+.4f}" for name, value in zip(self.bands, self.change, strict=True))
            lines.append(f"mean change: {rows}")
        if self.transmission is not None:
            lines.append(f"wrote {self.transmission}, the share of the ground's light that gets through")
        return [*lines, f"wrote {self.path} in {self.seconds:.1f} s"]


@dataclass(frozen=True)
class TranslateJob:
    """One scene, one way, one output, ready to run; use it in a ``with`` statement, which closes the files.

    Attributes:
        scene: open scene.
        model: open model.
        direction: which way.
        way: the network of that direction.
        path: raster to write.
        options: how.
        part: what is translated, in the scene's pixels.
        windows: what is read and kept, origins in the scene.
    """

    scene: Scene
    model: Model
    direction: Direction
    way: OneWay
    path: Path
    options: TranslateOptions
    part: Window
    windows: tuple[WindowPlan, ...]

    def __enter__(self) -> TranslateJob:
        """Give the job itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the files."""
        self.scene.close()

    @property
    def domains(self) -> tuple[Domain, Domain]:
        """What goes in and what comes out."""
        return domains_of(self.model, self.direction)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user must be told before the work."""
        card, notes = self.model.card, list(self.scene.notes)
        if departs(self.scene, card):
            notes.append(
                f"the scene has pixels of {metres(self.scene)}; {card.name} was trained for {card.gsd_m:g} m. "
                "It runs, but its held-out figures do not speak for this scene."
            )
        return (*notes, *notes_of_kept(self.path, self.options))

    def lines(self, *, verbose: bool = False) -> list[str]:
        """The plan in words; more of them on request."""
        scene, (source, target) = self.scene, self.domains
        stored = self._stored()
        lines = [
            f"model: {self.model.card.name}, {source.name} -> {target.name}",
            f"bands: {' '.join(scene.bands)} of {scene.name}",
            f"output: {self.path}, {self.part.width} x {self.part.height} x {len(target.bands)} "
            f"{'float32' if stored is None else stored.dtype}",
        ]
        if verbose:
            lines += [
                f"radiometry: {scene.radiometry.source}",
                f"windows: {len(self.windows)}, read with up to {self._widest} pixels each way",
                f"device: {choose_device(self.options.device)}, {self.options.precision}",
            ]
        return lines

    def estimate_lines(self) -> list[str]:
        """Memory, size and time of the run; the time is measured on a small window."""
        pixels = sum(w.read.width * w.read.height for w in self.windows)
        size = self.part.width * self.part.height * len(self.domains[1].bands) * self._writer_type().itemsize
        return [
            f"memory: about {self._widest**2 * 400 / 2**30 + 0.5:.1f} GiB",
            f"file: at most {size / 2**20:.0f} MiB before compression",
            f"time: about {pixels * self._seconds_per_pixel():.0f} s on {choose_device(self.options.device)}",
        ]

    @property
    def _widest(self) -> int:
        return int(max(max(w.read.width, w.read.height) for w in self.windows))

    def _seconds_per_pixel(self, side: int = 256) -> float:
        enhancer, count = self._bind(), len(self.scene.bands)
        chip, valid = np.ones((1, count, side, side), np.float32), np.ones((1, count, side, side), bool)
        enhancer(chip, (slice(0, side), slice(0, side)), valid)
        started = time.perf_counter()
        enhancer(chip, (slice(0, side), slice(0, side)), valid)
        return (time.perf_counter() - started) / side**2

    @property
    def _bind(self) -> Callable[[], TranslationEnhancer]:
        """What makes the enhancer, here or elsewhere; it knows no file."""
        return partial(bound, self.way, *self.domains, self.options.for_workers)

    def _stored(self) -> Radiometry | Backscatter | None:
        """What the output's numbers mean; None for the target's units themselves, in float32.

        They mean what the input's do where both domains hold the same quantity.
        """
        found, (source, target) = self.scene.radiometry, self.domains
        if source.quantity != target.quantity:
            return None
        scale, offset = (found.scale[0],) * len(target.bands), (found.offset[0],) * len(target.bands)
        if isinstance(found, Backscatter):
            return replace(found, scale=scale, offset=offset, is_complex=False)
        return replace(found, scale=scale, offset=offset)

    def _writer_type(self) -> np.dtype[Any]:
        stored = self._stored()
        return np.dtype("float32" if stored is None else stored.dtype)

    def writer(self) -> RasterWriter:
        """Writer of the translated raster; creates nothing before ``with``.

        Raises:
            OutputError: it could not or should not be written.
        """
        scene, stored, (source, target) = self.scene, self._stored(), self.domains
        same, count = source.bands == target.bands, len(target.bands)
        keeps = stored is not None
        named = [said or name for said, name in zip(scene.descriptions, scene.bands, strict=True)]
        return RasterWriter(
            self.path,
            grid=scene.grid.crop(self.part),
            count=count,
            dtype=str(self._writer_type()),
            nodata=scene.output_nodata if keeps else float("nan"),
            descriptions=named if same else list(target.bands),
            colorinterp=scene.colorinterp if same else None,
            scales=(scene.stated.scales[0],) * count if keeps else None,
            offsets=(scene.stated.offsets[0],) * count if keeps else None,
            units=scene.stated.units if same and keeps else None,
            tags=kept_tags(scene),
            overwrite=self.options.overwrite,
            cog=self.options.cog,
            overviews=stored if isinstance(stored, Backscatter) else None,
            control_points=scene.control_points(self.part),
        )

    def transmission_writer(self) -> RasterWriter | None:
        """Writer of the transmission; None where it is not asked for."""
        if self.options.transmission is None:
            return None
        return RasterWriter(
            self.options.transmission,
            grid=self.scene.grid.crop(self.part),
            count=len(self.scene.bands),
            dtype="float32",
            nodata=float("nan"),
            descriptions=[f"{name} transmission" for name in self.scene.bands],
            tags={
                "RSGAN_MODEL": self.model.card.name,
                "RSGAN_QUANTITY": "share of the ground's light that gets through the haze, 0 .. 1, as estimated",
            },
            overwrite=self.options.overwrite,
            cog=self.options.cog,
            control_points=self.scene.control_points(self.part),
        )

    def check(self, preview: Path | None = None) -> None:
        """Refuse, before anything is computed, outputs that could not or should not be written.

        Raises:
            OutputError: naming the file and the flag.
        """
        self.writer()
        other = self.options.transmission
        if other is not None:
            if not isinstance(self.way, HazeGenerator):
                raise OutputError(f"--transmission: {self.model.card.name} finds no haze. Leave it out.")
            if other.resolve() == self.path.resolve():
                raise OutputError(f"--transmission {other} is the output itself. Give another name.")
            self.transmission_writer()
        if preview is not None:
            check_preview(preview, overwrite=self.options.overwrite)
        targets = {"--out": self.path, "--transmission": other, "--preview": preview}
        refuse_the_input(targets, self.scene.paths)

    def run(self, progress: Progress | None = None) -> Translated:
        """Do it.

        Raises:
            RsganError: the scene cannot be read, or the output not written; no output is left then.
        """
        started, sums, enhancer = time.perf_counter(), Sums(), self._bind()
        place = {"direction": self.direction, "part": self.part}
        with (
            resumed(self.path, self.options, [self.scene], self.model.sha256, **place) as rows,
            self.writer() as writer,
            self.transmission_writer() or nullcontext() as beside,
            computing(self.options.cluster, self._bind) as engine,
        ):
            walk(
                self.scene,
                enhancer,
                writer,
                windows=self.windows,
                background=self._background,
                second=beside,
                store=stored_as(self._stored()),
                batch=self.options.batch,
                progress=progress,
                tally=sums,
                rows=rows,
                engine=engine,
            )
            figures = sums.figures
            change = figures["change"] / max(int(figures["count"]), 1) if figures else None
            writer.update_tags(**self._tags(change))
            if beside is not None:
                writer.assemble()  # a disk that is full now leaves neither of the two
        return Translated(
            self.path, self.domains[1].bands, change, self.options.transmission, time.perf_counter() - started
        )

    def declare(self) -> Path:
        """Write the output without its pixels; see `deferred`."""
        return self.writer().declare()

    def deferred(self) -> Deferred:
        """What `run` would write, to be computed part by part when it is asked for.

        Raises:
            GridError: the network looks at the whole image, so that no part has a result of its own.
        """
        if self.way.receptive_field >= PROBED:
            raise GridError(
                f"{self.model.card.name} looks at the whole image at once, so a chunked array cannot be done chunk by "
                "chunk. Give out=, or load the array first."
            )
        halo, nodata = self.way.receptive_field + FILL_REACH, self.writer().nodata
        return Deferred(
            self.scene, Batches(self._bind()), self.part, self.options.window, halo, self._background, nodata,
            store=stored_as(self._stored()),
        )  # fmt: skip

    @property
    def _background(self) -> NDArray[np.floating]:
        source = self.domains[0]
        return source.to_physical(np.zeros((len(source.bands), 1, 1)))[:, 0, 0]

    def _tags(self, change: NDArray[np.float64] | None) -> dict[str, str]:
        source, target = self.domains
        moved = {} if change is None else {"RSGAN_MEAN_CHANGE": json.dumps([float(f"{x:.4g}") for x in change])}
        return moved | {
            "RSGAN_TASK": "translate",
            "RSGAN_MODEL": self.model.card.name,
            "RSGAN_MODEL_SHA256": self.model.sha256,
            "RSGAN_VERSION": version("rsgan"),
            "RSGAN_TRANSLATION": f"{source.name} -> {target.name}",
            "RSGAN_NOTE": f"what {target.name} would show is estimated by {self.model.card.name}, not observed",
        }

    def preview(self, path: Path) -> None:
        """Input and translation side by side, as PNG; needs the output that `run` writes.

        Where both domains have the same bands both have one stretch, so that a colour cast shows.

        Raises:
            OutputError: the PNG cannot be written; the raster stays.
        """
        source, target = self.domains
        window = worth_showing(self.scene, self.part, side=256)
        chip = self.scene.read(window)
        valid = np.all(chip.valid, axis=0)
        inside = Window(
            window.col_off - self.part.col_off, window.row_off - self.part.row_off, window.width, window.height
        )
        with open_raster(str(self.path)) as dataset:
            stored = dataset.read(window=inside)
        meaning = self._stored()
        made = stored if meaning is None else meaning.to_physical(stored)
        panels = [
            Panel(side.name, np.nan_to_num(values.astype(np.float32)), valid)
            for side, values in ((source, chip.values), (target, made))
        ]
        limits = [limits_of(panel, side.colours) for panel, side in zip(panels, (source, target), strict=True)]
        if source.bands == target.bands:
            limits = [
                np.stack([np.minimum(*(both[0] for both in limits)), np.maximum(*(both[1] for both in limits))])
            ] * 2
        pictures = {}
        for panel, side, limit in zip(panels, (source, target), limits, strict=True):
            pixels = stretch(panel.values[list(side.colours)], limit)
            pixels[~valid] = 255
            pictures[panel.caption] = pixels
        save_tiles(path, pictures)
