"""Despeckling: a SAR raster in, the same raster without speckle out, its radiometry kept."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, fields, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from rsgan.enhance.arrays import enhance_array, is_array
from rsgan.enhance.batches import Kept, Step
from rsgan.enhance.cluster import computing
from rsgan.enhance.options import chosen_part, refuse_too_wide
from rsgan.enhance.outputs import kept_tags
from rsgan.enhance.paths import as_paths, placed, refuse_the_input, refuse_twice
from rsgan.enhance.resuming import notes_of_kept, resumed
from rsgan.enhance.speckle import SpeckleStatistics, same_polarisation, speckle_statistics
from rsgan.enhance.speckle_method import (
    DespeckleOptions,
    SarReading,
    SpeckleMethod,
    Way,
    bound,
    chosen_method,
)
from rsgan.enhance.walk import Progress, keep_stored, walk
from rsgan.errors import ConfigError, OutputError, RsganError, RsganWarning
from rsgan.geo import RasterWriter, Scene, Window, WindowPlan, plan
from rsgan.metrics.speckle_tally import SpeckleFigures, SpeckleTally
from rsgan.model import choose_device
from rsgan.radiometry import SAR_INPUT_DTYPES, Backscatter


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
        started = time.perf_counter()
        options = self.options
        statistics = speckle_statistics(
            self.scene,
            looks=options.looks,
            correlation=options.correlation,
            fewest=self.method.looks[0],
        )
        bind = partial(bound, self.method, options.for_workers, statistics, same_polarisation(self.scene.bands))
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


def default_output(first: Path) -> Path:
    """`scene_despeckled.tif` beside the first input."""
    return first.with_name(f"{first.stem}_despeckled.tif")


def prepare(
    sources: Sequence[str | Path],
    out: str | Path | None = None,
    *,
    out_folder: Path | None = None,
    method: Way = "network",
    model: str | Path | None = None,
    reading: SarReading | None = None,
    options: DespeckleOptions | None = None,
) -> DespeckleJob:
    """Open the scene and the model, check that they fit and that the output can be written; computes nothing.

    Args:
        sources: one raster of several polarisations, or several rasters on one grid; for `quegan-yu`, of several dates.
        out: raster to write; None puts `<stem>_despeckled.tif` beside the first source.
        out_folder: where that goes instead, where `out` is None.
        method: a network or one of the learning-free filters.
        model: zoo name or path of a model; None takes the package's.
        reading: how the files are read.
        options: how to despeckle.

    Raises:
        RsganError: one of its children says which file or flag is wrong, and the way out.
    """
    options, reading = options or DespeckleOptions(), reading or SarReading()
    if method not in get_args(Way):
        raise ConfigError(f"--method {method}: no such method; give {' or '.join(get_args(Way))}.")
    choose_device(options.device)
    refuse_twice(sources)
    way = chosen_method(method, model, options)
    with ExitStack() as opening:
        scene = opening.enter_context(Scene.open_sar(sources, **vars(reading)))
        groups = same_polarisation(scene.bands)
        if method == "quegan-yu" and max(map(len, groups)) < 2:
            raise ConfigError(
                f"--method quegan-yu averages over dates, but {scene.name} has {' '.join(scene.bands)}: one of each. "
                "Give the rasters of two dates or more, on one grid."
            )
        target = Path(out) if out is not None else placed(default_output(Path(sources[0])), out_folder)
        part = chosen_part(scene, options)
        refuse_too_wide(part, 1, np.dtype("float32"), len(scene.bands), options.window)
        windows = plan(scene.grid.shape, options.window, stride=way.stride, halo=way.reach, part=part)
        job = DespeckleJob(scene, way, target, options, part, tuple(windows), _stored(scene, options))
        job.check()
        opening.pop_all()
        return job


def _stored(scene: Scene, options: DespeckleOptions) -> Backscatter:
    """What the output's numbers mean: what the input's do, unless another quantity is asked for."""
    found = scene.radiometry
    if not isinstance(found, Backscatter):
        raise RsganError(f"{scene.name} was not opened as SAR.")
    asked = options.output_quantity
    if asked is not None and asked != found.quantity:
        return found.as_quantity(asked)
    return replace(found, is_complex=False)


READING = frozenset(field.name for field in fields(SarReading))


def despeckle(
    source: Any,  # noqa: ANN401 - paths, or arrays that are not imported for paths
    out: str | Path | None = None,
    *,
    method: Way = "network",
    model: str | Path | None = None,
    progress: Progress | None = None,
    **settings: Any,  # noqa: ANN401 - the fields of SarReading and DespeckleOptions, checked by them
) -> Any:  # noqa: ANN401 - a path for paths, an array for an array
    """Remove the speckle of a SAR raster; the Python twin of `rsgan despeckle`.

    Args:
        source: a raster of one polarisation or more, a list of rasters on one grid, or an xarray DataArray or Dataset.
        out: GeoTIFF to write; None puts `<stem>_despeckled.tif` beside the source (and keeps none of an array).
        method: "network" runs a model; the others are learning-free filters.
        model: zoo name or path of a model; None takes the package's.
        progress: called with (windows done, windows in all).
        settings: fields of `SarReading` (bands, quantity, stored_scale, nodata, date, gsd_m) and of `DespeckleOptions`
            (looks, correlation, filter_size, output_quantity, ratio, sharpness, window, batch, device, precision, bbox,
            crop, symmetries, overwrite, cog).

    Returns:
        Path of the raster that was written; for an array, an array of the same kind.

    Raises:
        RsganError: one of its children says which file or setting is wrong, and the way out.
    """
    if is_array(source):
        return enhance_array(
            despeckle, source, out, dtypes=SAR_INPUT_DTYPES, method=method, model=model, progress=progress, **settings
        )
    if settings.get("ratio") is not None:
        settings["ratio"] = Path(settings["ratio"])
    job = prepare(
        as_paths(source),
        out,
        method=method,
        model=model,
        reading=SarReading(**{key: value for key, value in settings.items() if key in READING}),
        options=DespeckleOptions(**{key: value for key, value in settings.items() if key not in READING}),
    )
    with job:
        for note in job.notes:
            warnings.warn(note, RsganWarning, stacklevel=2)
        return job.run(progress).path
