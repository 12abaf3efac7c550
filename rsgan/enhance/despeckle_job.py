"""One despeckling: what will be done, what it will cost, the doing, and what was done."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from rsgan.enhance.batches import Batches, Kept, Step
from rsgan.enhance.cluster import computing
from rsgan.enhance.outputs import kept_tags
from rsgan.enhance.paths import refuse_the_input
from rsgan.enhance.resuming import notes_of_kept, resumed
from rsgan.enhance.speckle import SpeckleStatistics, same_polarisation, speckle_statistics
from rsgan.enhance.speckle_method import (
    DespeckleOptions,
    SpeckleMethod,
    bound,
)
from rsgan.enhance.walk import Deferred, Progress, keep_stored, walk
from rsgan.errors import OutputError, RsganError
from rsgan.geo import RasterWriter, Scene, Window, WindowPlan
from rsgan.metrics.speckle_tally import SpeckleFigures, SpeckleTally
from rsgan.model import choose_device
from rsgan.radiometry import Backscatter


@dataclass(frozen=True)
class Despeckled:
    """What was done.

    Attributes:
        path: the raster that was written.
        bands: of it.
        statistics: what was decided about the scene.
        figures: of each band.
        ratio: the raster of the ratio image; None without.
        seconds: wall time.
    """

    path: Path
    bands: tuple[str, ...]
    statistics: SpeckleStatistics
    figures: tuple[SpeckleFigures, ...]
    ratio: Path | None
    seconds: float

    def lines(self) -> list[str]:
        """The result in words."""
        statistics = self.statistics
        laws = zip(self.bands, statistics.looks, statistics.correlation, self.figures, strict=True)
        rows = [
            f"{name}: {looks:.2f} looks, neighbours' correlation {rho[0]:.2f} x {rho[1]:.2f} ({statistics.source}); "
            f"{_in_words(figures)}"
            for name, looks, rho, figures in laws
        ]
        ratio = [] if self.ratio is None else [f"wrote {self.ratio}, observed / despeckled"]
        return [*rows, *statistics.doubts(self.bands), *ratio, f"wrote {self.path} in {self.seconds:.1f} s"]


def _in_words(figures: SpeckleFigures) -> str:
    if not figures.pixels:
        return "no pixel above 0"
    looks = "no even ground" if not figures.blocks else (
        f"equivalent looks {figures.enl_observed:.3g} -> {figures.enl_enhanced:.3g}"
    )  # fmt: skip
    return f"{looks}, mean of the ratio {figures.mean_ratio:.3f}, mean intensity {figures.intensity_change:+.1%}"


@dataclass(frozen=True)
class DespeckleJob:
    """One scene, one method, one output, ready to run; use it in a ``with`` statement, which closes the files.

    Attributes:
        scene: open SAR scene.
        method: what is done.
        path: raster to write.
        options: how.
        part: what is despeckled, in the scene's pixels.
        windows: what is read and kept, origins in the scene.
        stored: what the output's numbers mean.
    """

    scene: Scene
    method: SpeckleMethod
    path: Path
    options: DespeckleOptions
    part: Window
    windows: tuple[WindowPlan, ...]
    stored: Backscatter

    def __enter__(self) -> DespeckleJob:
        """Give the job itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the files."""
        self.scene.close()

    @property
    def sharpness(self) -> float:
        """0 (faithful) .. 1 (adversarial): the one asked for, else the model's default."""
        asked, model = self.options.sharpness, self.method.model
        return asked if asked is not None else 0.0 if model is None else model.card.sharpness

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user must be told before the work."""
        return (*self.scene.notes, *notes_of_kept(self.path, self.options))

    def lines(self, *, verbose: bool = False) -> list[str]:
        """The plan in words; more of them on request."""
        scene, method, options = self.scene, self.method, self.options
        dial = "" if method.model is None else f", sharpness {self.sharpness:g}"
        lines = [
            f"{'method' if method.model is None else 'model'}: {method.name}{dial}",
            f"quantity: {self.radiometry.source}",
            f"bands: {' '.join(scene.bands)} of {scene.name}",
            f"output: {self.path}, {self.part.width} x {self.part.height} x {len(scene.bands)} {self.stored.dtype} "
            f"{self.stored.quantity}",
        ]
        if verbose:
            lines += [
                f"windows: {len(self.windows)} of {options.window} pixels, halo {method.reach}",
                f"device: {choose_device(options.device)}, {options.precision}, {options.symmetries} passes",
            ]
        return lines

    @property
    def radiometry(self) -> Backscatter:
        """What the scene's numbers mean."""
        found = self.scene.radiometry
        if not isinstance(found, Backscatter):
            raise RsganError(f"{self.scene.name} was not opened as SAR.")
        return found

    def estimate_lines(self) -> list[str]:
        """Memory, size and time of the run; the time is measured on a small window."""
        options, bands = self.options, len(self.scene.bands)
        side = min(options.window, max(self.part.height, self.part.width)) + 2 * self.method.reach
        pixels = sum(w.read.width * w.read.height for w in self.windows) * bands
        size = self.part.width * self.part.height * bands * np.dtype(self.stored.dtype).itemsize
        return [
            f"memory: about {(side**2 * (bands * 24 + 400)) / 2**30 + 0.5:.1f} GiB",
            f"file: at most {size / 2**20:.0f} MiB before compression",
            f"time: about {pixels * self._seconds_per_pixel():.0f} s on {choose_device(options.device)}",
        ]

    def _seconds_per_pixel(self, side: int = 256) -> float:
        looks = np.ones(1)
        statistics = SpeckleStatistics(looks, np.zeros((1, 2)), np.zeros(1), (), "")
        remove = bound(self.method, self.options.for_workers, statistics, ((0,),)).remove
        chip, valid = np.ones((1, side, side), np.float32), np.ones((1, side, side), bool)
        remove(chip, valid)
        started = time.perf_counter()
        remove(chip, valid)
        return (time.perf_counter() - started) / side**2

    def check(self, preview: Path | None = None) -> None:
        """Refuse, before anything is computed, outputs that could not or should not be written.

        Raises:
            OutputError: naming the file and the flag.
        """
        self.writer()
        self.ratio_writer()
        targets = {"--out": self.path, "--ratio": self.options.ratio, "--preview": preview}
        refuse_the_input(targets, self.scene.paths)
        if self.options.ratio is not None and self.options.ratio.resolve() == self.path.resolve():
            raise OutputError(f"--ratio {self.options.ratio} is the output itself. Give another name.")

    def writer(self) -> RasterWriter:
        """Writer of the despeckled raster; creates nothing before ``with``.

        Raises:
            OutputError: it could not or should not be written.
        """
        scene, same = self.scene, self.stored.quantity == self.radiometry.quantity
        return RasterWriter(
            self.path,
            grid=scene.grid.crop(self.part),
            count=len(scene.bands),
            dtype=self.stored.dtype,
            nodata=scene.output_nodata if same else float("nan"),
            descriptions=[said or name for said, name in zip(scene.descriptions, scene.bands, strict=True)],
            colorinterp=scene.colorinterp,
            scales=scene.stated.scales if same else None,
            offsets=scene.stated.offsets if same else None,
            units=scene.stated.units if same else None,
            tags=kept_tags(scene),
            overwrite=self.options.overwrite,
            cog=self.options.cog,
            overviews=self.stored,
            control_points=scene.control_points(self.part),
        )

    def ratio_writer(self) -> RasterWriter | None:
        """Writer of the ratio image; None where it is not asked for."""
        if self.options.ratio is None:
            return None
        return RasterWriter(
            self.options.ratio,
            grid=self.scene.grid.crop(self.part),
            count=len(self.scene.bands),
            dtype="float32",
            nodata=float("nan"),
            descriptions=[f"{name} observed / despeckled" for name in self.scene.bands],
            tags={
                "RSGAN_MODEL": self.method.name,
                "RSGAN_QUANTITY": "ratio of intensities; ideal: mean 1, no structure",
            },
            overwrite=self.options.overwrite,
            cog=self.options.cog,
            control_points=self.scene.control_points(self.part),
        )

    def run(self, progress: Progress | None = None) -> Despeckled:
        """Do it.

        Raises:
            RsganError: the scene cannot be read, or the output not written; no output is left then.
        """
        started, options, statistics = time.perf_counter(), self.options, self._statistics()
        bind = partial(bound, self.method, options.for_workers, statistics, self._groups)
        tallies = tuple(
            SpeckleTally(float(looks), (float(rho[0]), float(rho[1])))
            for looks, rho in zip(statistics.looks, statistics.correlation, strict=True)
        )
        method = self.method.name if self.method.model is None else self.method.model.sha256
        with (
            resumed(self.path, options, [self.scene], method, part=self.part) as rows,
            self.writer() as writer,
            self.ratio_writer() or nullcontext() as ratio,
            computing(options.cluster, bind) as engine,
        ):
            walk(
                self.scene,
                bind(),
                writer,
                windows=self.windows,
                background=None,
                second=ratio,
                store=keep_stored(self.stored),
                batch=options.batch,
                progress=progress,
                tally=_Tallies(tallies),
                rows=rows,
                engine=engine,
            )
            figures = tuple(tally.figures() for tally in tallies)
            writer.update_tags(**self._tags(statistics, figures))
            if ratio is not None:
                writer.assemble()  # a disk that is full now leaves neither of the two
        seconds = time.perf_counter() - started
        return Despeckled(self.path, self.scene.bands, statistics, figures, options.ratio, seconds)

    def declare(self) -> Path:
        """Write the output without its pixels; see `deferred`."""
        return self.writer().declare()

    def deferred(self) -> Deferred:
        """What `run` would write, to be computed part by part when it is asked for."""
        batches = Batches(bound(self.method, self.options.for_workers, self._statistics(), self._groups))
        return Deferred(
            self.scene, batches, self.part, self.options.window, self.method.reach, None, self.writer().nodata,
            store=keep_stored(self.stored),
        )  # fmt: skip

    @property
    def _groups(self) -> tuple[tuple[int, ...], ...]:
        return same_polarisation(self.scene.bands)

    def _statistics(self) -> SpeckleStatistics:
        options, fewest = self.options, self.method.looks[0]
        return speckle_statistics(self.scene, looks=options.looks, correlation=options.correlation, fewest=fewest)

    def _tags(self, statistics: SpeckleStatistics, figures: Sequence[SpeckleFigures]) -> dict[str, str]:
        model = self.method.model
        network = {
            "RSGAN_MODEL_SHA256": model.sha256,
            "RSGAN_SHARPNESS": f"{self.sharpness:g}",
            "RSGAN_SYMMETRIES": str(self.options.symmetries),
        } if model is not None else {"RSGAN_FILTER_SIZE": str(self.options.filter_size)}  # fmt: skip
        return network | {
            "RSGAN_TASK": "despeckle",
            "RSGAN_MODEL": self.method.name,
            "RSGAN_VERSION": version("rsgan"),
            "RSGAN_QUANTITY": self.stored.quantity,
            "RSGAN_LOOKS": _rounded(statistics.looks),
            "RSGAN_CORRELATION": json.dumps([[round(float(x), 3) for x in rho] for rho in statistics.correlation]),
            "RSGAN_ENL_BEFORE": _rounded([one.enl_observed for one in figures]),
            "RSGAN_ENL_AFTER": _rounded([one.enl_enhanced for one in figures]),
            "RSGAN_MEAN_OF_RATIO": _rounded([one.mean_ratio for one in figures]),
            "RSGAN_INTENSITY_CHANGE": _rounded([one.intensity_change for one in figures]),
            "RSGAN_STATISTICS": statistics.source,
            "RSGAN_NOTE": f"what lies under the speckle is estimated by {self.method.name}, not observed",
        }


def _rounded(values: Sequence[float] | NDArray[np.floating]) -> str:
    """A JSON list of four significant digits each, null for what is not finite."""
    return json.dumps([float(f"{value:.4g}") if np.isfinite(value) else None for value in values])


@dataclass(frozen=True)
class _Tallies:
    """The tallies of all bands, as the window walk wants them; see `walk.Tally`."""

    bands: tuple[SpeckleTally, ...]

    def add(self, step: Step, kept: Kept, valid: NDArray[np.bool_]) -> None:
        observed, place = step.values[:, step.inner[0], step.inner[1]], step.window.keep
        for tally, *planes in zip(self.bands, observed, kept.values, valid, strict=True):
            tally.add(*planes, row=place.row_off, column=place.col_off)

    def state(self) -> dict[str, NDArray[np.float64]]:
        states = [tally.state() for tally in self.bands]
        return {f"{number}_{name}": values for number, state in enumerate(states) for name, values in state.items()}

    def go_on(self, state: Mapping[str, NDArray[np.float64]]) -> None:
        for number, tally in enumerate(self.bands):
            tally.go_on({name: state[f"{number}_{name}"] for name in tally.state()})
