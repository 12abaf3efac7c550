"""One job: what will be done, what it will cost, the doing, and what was done."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from rsgan.card import ModelCard
from rsgan.catalogue import SENSORS
from rsgan.enhance.adapt import Adaptation, adapt
from rsgan.enhance.choice import departs, metres
from rsgan.enhance.guiding import Guiding
from rsgan.enhance.options import Options, chosen_part
from rsgan.enhance.preview import check_preview, save_preview
from rsgan.enhance.scene_enhancer import SceneEnhancer
from rsgan.enhance.statistics import SceneStatistics, scene_statistics
from rsgan.enhance.walk import GuideView, Progress, walk
from rsgan.errors import OutputError
from rsgan.filters.linear_injection import injection_reach
from rsgan.geo import FILL_REACH, Grid, RasterWriter, Scene, Window, WindowPlan, plan
from rsgan.model import Model, choose_device
from rsgan.nn.generators import Generator
from rsgan.nn.generators.residual import BICUBIC_REACH
from rsgan.nn.uncertainty import UncertaintyHead

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
class Method:
    """What is done to a scene.

    Attributes:
        name: of the model, or of the method without one.
        reason: why this one.
        scale: output pixels per input pixel.
        reach: input pixels that an output pixel can depend on, to each side.
        model: open model; None for the linear method.
    """

    name: str
    reason: str
    scale: int
    reach: int
    model: Model | None = None

    @classmethod
    def of_model(cls, model: Model, reason: str) -> Method:
        """A network."""
        card = model.card
        reach = model.receptive_field + (injection_reach(card.scale) if card.guide else 0)
        if card.uncertainty is not None:
            reach += -(-model.uncertainty().reach // card.scale) + BICUBIC_REACH
        return cls(card.name, reason, card.scale, reach, model)

    @classmethod
    def linear(cls, guiding: Guiding) -> Method:
        """The linear injection of finer bands."""
        return cls("linear injection", "--method", guiding.scale, injection_reach(guiding.scale))

    @property
    def card(self) -> ModelCard | None:
        """The model's card."""
        return None if self.model is None else self.model.card

    @property
    def halo(self) -> int:
        """Input pixels of context that a window is read with: what is looked at, and what its filling looks at."""
        return self.reach + FILL_REACH


@dataclass(frozen=True)
class Job:
    """One scene, one method, one output, ready to run; use it in a ``with`` statement, which closes the files.

    Attributes:
        scene: open scene.
        guiding: open finer bands that guide; None without.
        method: what is done.
        out: raster to write.
        options: how.
        part: what is enhanced, in the scene's pixels.
        windows: what is read and kept, origins in the scene.
        grid: of the output.
    """

    scene: Scene
    guiding: Guiding | None
    method: Method
    out: Path
    options: Options
    part: Window
    windows: tuple[WindowPlan, ...]
    grid: Grid

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
        return tuple(notes)

    def lines(self, *, verbose: bool = False) -> list[str]:
        """The plan in words; more of them on request."""
        method, scene, options = self.method, self.scene, self.options
        fine = "" if scene.gsd_m is None else f", {metres(scene)} -> {metres(scene, method.scale)}"
        numbers = " ".join(map(str, scene.band_choice.indexes))
        dial = "" if method.model is None else f", sharpness {self.sharpness:g}"
        lines = [
            f"{'method' if method.model is None else 'model'}: {method.name}{dial} ({method.reason})",
            f"bands: {' '.join(scene.bands)} = {numbers} of {scene.name}",
            f"output: {self.out}, {self.grid.width} x {self.grid.height} x {len(self.order)} {scene.dtype}{fine}",
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
                f"device: {choose_device(options.device)}, {options.precision}",
            ]
        return lines

    def estimate_lines(self) -> list[str]:
        """Memory, size and time of the run; the time is measured on a small window."""
        method, scale, options, count = self.method, self.method.scale, self.options, len(self.order)
        side = min(options.window, max(self.part.height, self.part.width)) + 2 * method.halo
        channels = 0 if method.card is None else method.card.generator.channels
        features = side**2 * max(4 * channels, 12 * count * scale**2) * 4 * options.batch
        band_rows = min(options.window, self.part.height) * scale * self.grid.width
        row_band = 2 * band_rows * count * np.dtype(self.scene.dtype).itemsize
        size = self.grid.width * self.grid.height * count * np.dtype(self.scene.dtype).itemsize
        pixels = sum(w.read.width * w.read.height for w in self.windows)
        seconds = pixels * self._seconds_per_pixel()
        turned = options.symmetries > 1 and method.model is not None
        faster = f"; --symmetries 1 takes a {_PARTS[options.symmetries]} of it" if turned else ""
        return [
            f"memory: about {(features + row_band) / 2**30 + 0.5:.1f} GiB",
            f"file: at most {size / 2**20:.0f} MiB before compression",
            f"time: about {seconds:.0f} s on {choose_device(options.device)}{faster}",
        ]

    def _seconds_per_pixel(self, side: int = 128) -> float:
        statistics = scene_statistics(self.scene, self.method.card, guiding=self.guiding, noise=0.0, sigma=0.4)
        enhancer = self._enhancer(statistics)
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

    def _enhancer(self, statistics: SceneStatistics, generator: Generator | None = None) -> SceneEnhancer:
        """The method bound to the scene, with another generator than the model's if one is given."""
        options, model = self.options, self.method.model
        if generator is None and model is not None:
            generator = model.generator(options.sharpness)
        return SceneEnhancer(
            generator,
            statistics,
            choose_device(options.device),
            self.method.scale,
            self.method.reach,
            options.precision,
            options.consistency,
            options.symmetries,
            *self._head(),
        )

    def _head(self) -> tuple[UncertaintyHead | None, float]:
        """What tells the standard error, and the factor that makes it one: 68 % of the errors are smaller."""
        model = self.method.model
        if self.options.uncertainty is None or model is None or model.card.uncertainty is None:
            return None, 1.0
        return model.uncertainty(), model.card.uncertainty.factor_68

    def run(self, progress: Progress | None = None) -> Result:
        """Do it.

        Raises:
            RsganError: the scene cannot be read, or the output not written; no output is left then.
        """
        started = time.perf_counter()
        statistics = scene_statistics(
            self.scene,
            self.method.card,
            guiding=self.guiding,
            noise=self.options.noise,
            sigma=self.options.psf_sigma,
        )
        enhancer = self._enhancer(statistics)
        adaptation = None
        if self.options.adapt and self.guiding is not None and enhancer.generator is not None:
            generator = enhancer.generator.to("cpu")
            adaptation = adapt(generator, self.scene, self.guiding, statistics, progress=progress)
            enhancer = self._enhancer(statistics, adaptation.generator)
        with self._writer() as writer, self._doubts_writer() or nullcontext() as doubts:
            walk(
                self.scene,
                enhancer,
                writer,
                windows=self.windows,
                background=statistics.scaling.centre,
                view=self._view(statistics),
                doubts=doubts,
                batch=self.options.batch,
                progress=progress,
            )
            writer.update_tags(**self._tags(enhancer, adaptation))
            if doubts is not None:
                writer.assemble()  # a disk that is full now leaves neither of the two
        seconds = time.perf_counter() - started
        return Result(self.out, enhancer.residual_rms, statistics, adaptation, self.options.uncertainty, seconds)

    def _view(self, statistics: SceneStatistics) -> GuideView | None:
        if self.guiding is None or statistics.guide is None:
            return None
        return GuideView(self.guiding, statistics.guide.centre, self.order if self.options.stack else None)

    def _writer(self) -> RasterWriter:
        scene = self.scene
        stacked = [self.guiding.scene] if self.guiding is not None and self.options.stack else []

        def each(of: Callable[[Scene], Sequence[T]]) -> list[T]:
            """A property of the bands, in the order of the output."""
            values = [value for part in (*stacked, scene) for value in of(part)]
            return [values[place] for place in self.order]

        return RasterWriter(
            self.out,
            grid=self.grid,
            count=len(self.order),
            dtype=scene.dtype,
            nodata=next((s.output_nodata for s in (scene, *stacked) if s.output_nodata is not None), None),
            descriptions=each(lambda s: [said or name for said, name in zip(s.descriptions, s.bands, strict=True)]),
            colorinterp=each(lambda s: s.colorinterp) if not stacked else None,
            scales=each(lambda s: s.stated.scales),
            offsets=each(lambda s: s.stated.offsets),
            units=each(lambda s: s.stated.units),
            tags={key: value for key, value in scene.tags.items() if not key.upper().startswith(TAGS_OF_THE_INPUT)},
            overwrite=self.options.overwrite,
            cog=self.options.cog,
        )

    def _doubts_writer(self) -> RasterWriter | None:
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

    def _tags(self, enhancer: SceneEnhancer, adaptation: Adaptation | None) -> dict[str, str]:
        method, options, statistics = self.method, self.options, enhancer.statistics
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
                "RSGAN_CONSISTENCY": "on" if options.consistency else "off",
                "RSGAN_CONSISTENCY_RMS": _rounded(enhancer.residual_rms),
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
        self._writer()
        if preview is not None:
            check_preview(preview, overwrite=self.options.overwrite)
        if self.options.uncertainty is not None:
            self._check_uncertainty(self.options.uncertainty)
        if self.options.stack:
            self._check_stack()
        if self.options.adapt and (self.guiding is None or self.method.model is None):
            raise OutputError(f"--adapt: {self.method.name} is no network that finer bands guide. Leave it out.")
        for source in self.scene.paths:
            for flag, target in (
                ("--out", self.out),
                ("--preview", preview),
                ("--uncertainty", self.options.uncertainty),
            ):
                if target is not None and target.exists() and Path(source).exists() and target.samefile(source):
                    raise OutputError(f"{flag} {target} is the input itself, which stays as it is. Give another name.")

    def _check_uncertainty(self, path: Path) -> None:
        if self.method.model is None:
            raise OutputError(
                f"--uncertainty: {self.method.name} cannot tell how wrong its pixels may be. Leave it out."
            )
        self.method.model.uncertainty()
        if path.resolve() == self.out.resolve():
            raise OutputError(f"--uncertainty {path} is the output itself. Give another name.")
        self._doubts_writer()

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

    def preview(self, path: Path) -> None:
        """Input, bicubic and enhanced side by side, as PNG; needs the output that `run` writes.

        Raises:
            OutputError: the PNG cannot be written; the raster stays.
        """
        # by place: bands of any kind may have the names of the finer ones
        first = len(self.order) - len(self.scene.bands)
        indexes = [self.order.index(first + number) + 1 for number in range(len(self.scene.bands))]
        save_preview(
            path,
            self.scene,
            self.out,
            part=self.part,
            scale=self.method.scale,
            caption=self.method.name,
            indexes=indexes,
        )


def plan_job(scene: Scene, guiding: Guiding | None, method: Method, out: Path, options: Options) -> Job:
    """Decide which windows of the scene are read and where the output's pixels lie; computes nothing.

    Raises:
        GridError: the part of the scene that is wanted does not lie on it.
        OutputError: the output could not or should not be written.
    """
    part = chosen_part(scene, options)
    windows = tuple(plan(scene.grid.shape, options.window, halo=method.halo, part=part))
    grid = scene.grid.crop(part).refine(method.scale)
    if not scene.grid.has_transform:
        # refining scales the identity too, and the output would claim a place that nobody stated
        grid = replace(grid, transform=scene.grid.transform)
    job = Job(scene, guiding, method, out, options, part, windows, grid)
    job.check()
    return job


def _rounded(values: NDArray[np.floating]) -> str:
    """A JSON list of four significant digits each, null for NaN."""
    return json.dumps([float(f"{value:.4g}") if np.isfinite(value) else None for value in values])


def _listed(values: NDArray[np.floating], digits: int = 5) -> str:
    """Numbers for people: one for all bands where all are alike."""
    texts = [f"{value:.{digits}f}" for value in values]
    return texts[0] if len(set(texts)) == 1 else " ".join(texts)
