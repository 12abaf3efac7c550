"""One job: what will be done, what it will cost, the doing, and what was done."""

from __future__ import annotations

import json
import time
import warnings
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from rsgan.enhance.adapt import Adaptation, adapt
from rsgan.enhance.batches import Batches
from rsgan.enhance.choice import departs, metres
from rsgan.enhance.cluster import computing
from rsgan.enhance.guiding import Guiding
from rsgan.enhance.method import Method
from rsgan.enhance.options import Options, chosen_part, refuse_too_wide
from rsgan.enhance.outputs import Outputs
from rsgan.enhance.preview import save_preview
from rsgan.enhance.resuming import notes_of_kept, resumed
from rsgan.enhance.scene_enhancer import residual_rms
from rsgan.enhance.statistics import SceneStatistics, scene_statistics
from rsgan.enhance.walk import Deferred, GuideView, Progress, Sums, walk
from rsgan.errors import RsganWarning
from rsgan.geo import Scene, Window, WindowPlan, plan
from rsgan.model import choose_device
from rsgan.nn.generators import ResidualGeneratorConfig

_SIGNS = {
    "repeated": "its pixels are repeated to a finer grid",
    "interpolated": "it is interpolated to a finer grid",
    "jpeg": "it shows the blocks of JPEG compression",
}
_PARTS = {2: "half", 4: "quarter", 8: "eighth"}


@dataclass(frozen=True)
class Result:
    """What was done.

    Attributes:
        path: the raster that was written.
        residual_rms: RMS of degrade(enhanced) - observed per band, reflectance.
        statistics: what was decided about the scene.
        adaptation: of the network to the scene; None without.
        uncertainty: the raster of standard errors; None without.
        seconds: wall time.
    """

    path: Path
    residual_rms: NDArray[np.float64]
    statistics: SceneStatistics
    adaptation: Adaptation | None
    uncertainty: Path | None
    seconds: float

    def lines(self) -> list[str]:
        """The result in words."""
        statistics = self.statistics
        return [
            *([] if self.adaptation is None else [str(self.adaptation)]),
            f"consistency: degrade(enhanced) - observed has RMS {_listed(self.residual_rms)} reflectance per band",
            f"scene: noise {_listed(statistics.noise)}, point spread function {_listed(statistics.sigma, 3)} input "
            f"pixels ({statistics.source})",
            *([] if self.uncertainty is None else [f"wrote {self.uncertainty}, the standard error of every pixel"]),
            f"wrote {self.path} in {self.seconds:.1f} s",
        ]


@dataclass(frozen=True)
class Job:
    """One scene, one method, one output, ready to run; use it in a ``with`` statement, which closes the files.

    Attributes:
        scene: open scene.
        guiding: open finer bands that guide; None without.
        method: what is done.
        outputs: what is written.
        options: how.
        part: what is enhanced, in the scene's pixels.
        windows: what is read and kept, origins in the scene.
    """

    scene: Scene
    guiding: Guiding | None
    method: Method
    outputs: Outputs
    options: Options
    part: Window
    windows: tuple[WindowPlan, ...]

    def __enter__(self) -> Job:
        """Give the job itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the files."""
        self.scene.close()
        if self.guiding is not None:
            self.guiding.scene.close()

    @property
    def sharpness(self) -> float:
        """0 (faithful) .. 1 (adversarial): the one asked for, else the model's default."""
        asked, card = self.options.sharpness, self.method.card
        return asked if asked is not None else 0.0 if card is None else card.sharpness

    @property
    def precision(self) -> str:
        """Precision of the network; float32 where there is none."""
        return "float32" if self.method.model is None else self.options.precision

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user must be told before the work."""
        card, notes = self.method.card, list(self.scene.notes)
        if self.guiding is not None:
            notes += [note for note in self.guiding.scene.notes if note not in notes]
        if card is not None and departs(self.scene, card):
            notes.append(
                f"the scene has pixels of {metres(self.scene)}; {card.name} was trained for {card.gsd_m:g} m. "
                "It runs, but its held-out figures do not speak for this scene."
            )
        finer = self.scene.unused if self.guiding is None else self.guiding.scene.unused
        way = "To bring coarse bands to the pixels of finer ones, give --model s2-20to10 or --method linear."
        if self.guiding is not None:
            way = "Name its bands with --bands if they are meant."
        notes += [
            f"{path} is not used: {self.method.name} takes none of its bands. {way}"
            for path in self.scene.unused
            if path in finer
        ]
        notes += notes_of_kept(self.outputs.path, self.options)
        if self.options.adapt and self.options.uncertainty is not None:
            notes.append("the standard errors are calibrated for the model as it comes, not as it is adapted.")
        return tuple(notes)

    def lines(self, *, verbose: bool = False) -> list[str]:
        """The plan in words; more of them on request."""
        method, scene, options, outputs = self.method, self.scene, self.options, self.outputs
        shape = f"{outputs.grid.width} x {outputs.grid.height} x {len(outputs.order)}"
        fine = "" if scene.gsd_m is None else f", {metres(scene)} -> {metres(scene, method.scale)}"
        numbers = " ".join(map(str, scene.band_choice.indexes))
        dial = "" if method.model is None else f", sharpness {self.sharpness:g}"
        lines = [
            f"{'method' if method.model is None else 'model'}: {method.name}{dial} ({method.reason})",
            f"bands: {' '.join(scene.bands)} = {numbers} of {scene.name}",
            f"output: {outputs.path}, {shape} {scene.dtype}{fine}",
        ]
        if self.guiding is not None:
            finer = self.guiding.scene
            known = "" if finer.gsd_m is None else f", {metres(finer)}"
            lines.insert(2, f"guided by: {' '.join(finer.bands)}{known}, {method.scale} pixels for one")
        if verbose:
            lines += [
                f"why these bands: {scene.band_choice.reason}",
                f"radiometry: {scene.radiometry.source}",
                f"windows: {len(self.windows)} of {options.window} input pixels, halo {method.halo}, "
                f"batch {options.batch}",
                f"device: {options.place}, {self.precision}",
            ]
        return lines

    def estimate_lines(self) -> list[str]:
        """Memory, size and time of the run; the time is measured on a small window."""
        method, scale, options, count = self.method, self.method.scale, self.options, len(self.outputs.order)
        grid = self.outputs.grid
        side = min(options.window, max(self.part.height, self.part.width)) + 2 * method.halo
        built = None if method.card is None else method.card.generator
        channels = built.channels if isinstance(built, ResidualGeneratorConfig) else 0
        features = side**2 * max(4 * channels, 12 * count * scale**2) * 4 * options.batch
        band_rows = min(options.window, self.part.height) * scale * grid.width
        row_band = 2 * band_rows * count * np.dtype(self.scene.dtype).itemsize
        size = grid.width * grid.height * count * np.dtype(self.scene.dtype).itemsize
        pixels = sum(w.read.width * w.read.height for w in self.windows)
        seconds = pixels * self._seconds_per_pixel()
        turned = options.symmetries > 1 and method.model is not None
        faster = f"; --symmetries 1 takes a {_PARTS[options.symmetries]} of it" if turned else ""
        fitting = "; --adapt takes some minutes more" if options.adapt else ""
        return [
            f"memory: about {(features + row_band) / 2**30 + 0.5:.1f} GiB",
            f"file: at most {size / 2**20:.0f} MiB before compression",
            f"time: about {seconds:.0f} s on {choose_device(options.device)}{faster}{fitting}",
        ]

    def _seconds_per_pixel(self, side: int = 128) -> float:
        statistics = scene_statistics(self.scene, self.method.card, guiding=self.guiding, noise=0.0, sigma=0.4)
        enhancer = self.method.bind(statistics, self.options)
        chip = np.zeros((1, len(self.scene.bands), side, side), np.float32)
        inner, valid = (slice(0, side), slice(0, side)), np.ones(chip.shape, bool)
        guide = None
        if self.guiding is not None:
            fine = side * self.guiding.scale
            guide = np.zeros((1, len(self.guiding.scene.bands), fine, fine), np.float32)
        enhancer(chip, inner, valid, guide)
        started = time.perf_counter()
        enhancer(chip, inner, valid, guide)
        return (time.perf_counter() - started) / side**2

    def run(self, progress: Progress | None = None) -> Result:
        """Do it.

        Raises:
            RsganError: the scene cannot be read, or the output not written; no output is left then.
        """
        started, statistics = time.perf_counter(), self._statistics()
        return self._with_safe_sharpness(statistics)._run(statistics, started, progress)

    def _run(self, statistics: SceneStatistics, started: float, progress: Progress | None) -> Result:
        adaptation, model = None, self.method.model
        if self.options.adapt and self.guiding is not None and model is not None:
            generator = model.generator(self.options.sharpness)
            adaptation = adapt(generator, self.scene, self.guiding, statistics, progress=progress)
        fitted = None if adaptation is None else adaptation.generator
        bind = partial(self.method.bind, statistics, self.options.for_workers, fitted)
        sums, outputs = Sums(), self.outputs
        scenes = (self.scene, *(() if self.guiding is None else (self.guiding.scene,)))
        name = self.method.name if model is None else model.sha256
        with (
            resumed(outputs.path, self.options, scenes, name, grid=outputs.grid) as rows,
            outputs.writer() as writer,
            outputs.doubts_writer() or nullcontext() as doubts,
            computing(self.options.cluster, bind) as engine,
        ):
            walk(
                self.scene,
                bind(),
                writer,
                windows=self.windows,
                background=statistics.scaling.centre,
                view=self._view(statistics),
                second=doubts,
                batch=self.options.batch,
                progress=progress,
                tally=sums,
                rows=rows,
                engine=engine,
            )
            residual = residual_rms(sums.figures)
            writer.update_tags(**self._tags(statistics, residual, adaptation))
            if doubts is not None:
                writer.assemble()  # a disk that is full now leaves neither of the two
        seconds = time.perf_counter() - started
        return Result(outputs.path, residual, statistics, adaptation, self.options.uncertainty, seconds)

    def declare(self) -> Path:
        """Write the output without its pixels; see `deferred`."""
        return self.outputs.writer().declare()

    def deferred(self) -> Deferred:
        """What `run` would write, to be computed part by part when it is asked for."""
        statistics = self._statistics()
        safe = self._with_safe_sharpness(statistics)
        batches = Batches(self.method.bind(statistics, safe.options.for_workers))
        return Deferred(
            self.scene,
            batches,
            self.part,
            side=self.options.window,
            halo=self.method.halo,
            background=statistics.scaling.centre,
            nodata=self.outputs.writer().nodata,
            view=self._view(statistics),
        )

    def _statistics(self) -> SceneStatistics:
        options = self.options
        return scene_statistics(
            self.scene,
            self.method.card,
            guiding=self.guiding,
            noise=options.noise,
            sigma=options.psf_sigma,
            processing_signs=self.sharpness > 0,
        )

    def _with_safe_sharpness(self, statistics: SceneStatistics) -> Job:
        """Turn the dial back to 0, with a note, where the pixels are not the sensor's own."""
        if not statistics.resampling:
            return self
        signs = " and ".join(_SIGNS[sign] for sign in statistics.resampling)
        warnings.warn(
            f"{self.scene.name}: {signs}, which --sharpness {self.sharpness:g} would take for detail of the ground. "
            "--sharpness 0 is used; take the scene as the sensor delivered it.",
            RsganWarning,
            stacklevel=2,
        )
        options = replace(self.options, sharpness=0.0)
        return replace(self, options=options, outputs=replace(self.outputs, options=options))

    def _view(self, statistics: SceneStatistics) -> GuideView | None:
        if self.guiding is None or statistics.guide is None:
            return None
        return GuideView(self.guiding, statistics.guide.centre, self.outputs.order if self.options.stack else None)

    def _tags(
        self, statistics: SceneStatistics, residual: NDArray[np.float64], adaptation: Adaptation | None
    ) -> dict[str, str]:
        method, options = self.method, self.options
        file = {} if method.model is None else {"RSGAN_MODEL_SHA256": method.model.sha256}
        fitted = {} if adaptation is None else {"RSGAN_ADAPTED": str(adaptation)}
        return (
            file
            | fitted
            | {
                "RSGAN_MODEL": method.name,
                "RSGAN_VERSION": version("rsgan"),
                "RSGAN_SCALE": str(method.scale),
                "RSGAN_SHARPNESS": f"{self.sharpness:g}",
                "RSGAN_SYMMETRIES": str(options.symmetries),
                "RSGAN_PRECISION": self.precision,
                "RSGAN_CONSISTENCY": "on" if options.consistency else "off",
                "RSGAN_CONSISTENCY_RMS": _rounded(residual),
                "RSGAN_NOISE": _rounded(statistics.noise),
                "RSGAN_PSF_SIGMA": _rounded(statistics.sigma),
                "RSGAN_STATISTICS": statistics.source,
                "RSGAN_NOTE": f"detail finer than the input pixels is estimated by {method.name}, not observed",
            }
        )

    def check(self, preview: Path | None = None) -> None:
        """Refuse, before anything is computed, outputs that could not or should not be written.

        Raises:
            OutputError: naming the file and the flag.
        """
        self.outputs.check(preview)

    def preview(self, path: Path) -> None:
        """Input, bicubic and enhanced side by side, as PNG; needs the output that `run` writes.

        Raises:
            OutputError: the PNG cannot be written; the raster stays.
        """
        save_preview(
            path,
            self.scene,
            self.outputs.path,
            part=self.part,
            scale=self.method.scale,
            caption=self.method.name,
            indexes=self.outputs.indexes,
        )


def plan_job(scene: Scene, guiding: Guiding | None, method: Method, out: Path, options: Options) -> Job:
    """Decide which windows of the scene are read and where the output's pixels lie; computes nothing.

    Raises:
        GridError: the part of the scene that is wanted does not lie on it.
        OutputError: the output could not or should not be written.
    """
    part = chosen_part(scene, options)
    count = len(scene.bands) + (len(guiding.scene.bands) if guiding is not None and options.stack else 0)
    refuse_too_wide(part, method.scale, np.dtype(scene.dtype), count, options.window)
    windows = tuple(plan(scene.grid.shape, options.window, halo=method.halo, part=part))
    grid = scene.grid.crop(part).refine(method.scale)
    outputs = Outputs(scene, guiding, method, out, options, grid)
    outputs.check()
    return Job(scene, guiding, method, outputs, options, part, windows)


def _rounded(values: NDArray[np.floating]) -> str:
    """A JSON list of four significant digits each, null for NaN."""
    return json.dumps([float(f"{value:.4g}") if np.isfinite(value) else None for value in values])


def _listed(values: NDArray[np.floating], digits: int = 5) -> str:
    """Numbers for people: one for all bands where all are alike."""
    texts = [f"{value:.{digits}f}" for value in values]
    return texts[0] if len(set(texts)) == 1 else " ".join(texts)
