"""One job: what will be done, what it will cost, the doing, and what was done."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rsgan.enhance.choice import departs, metres
from rsgan.enhance.options import Options, chosen_part
from rsgan.enhance.preview import check_preview, save_preview
from rsgan.enhance.scene_enhancer import SceneEnhancer
from rsgan.enhance.statistics import SceneStatistics, scene_statistics
from rsgan.enhance.walk import Progress, walk
from rsgan.errors import OutputError
from rsgan.geo import FILL_REACH, Grid, RasterWriter, Scene, Window, WindowPlan, plan
from rsgan.model import Model, choose_device

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
        seconds: wall time.
    """

    path: Path
    residual_rms: NDArray[np.float64]
    statistics: SceneStatistics
    seconds: float

    def lines(self) -> list[str]:
        """The result in words."""
        statistics = self.statistics
        return [
            f"consistency: degrade(enhanced) - observed has RMS {_listed(self.residual_rms)} reflectance per band",
            f"scene: noise {_listed(statistics.noise)}, point spread function {_listed(statistics.sigma, 3)} input "
            f"pixels ({statistics.source})",
            f"wrote {self.path} in {self.seconds:.1f} s",
        ]


@dataclass(frozen=True)
class Job:
    """One scene, one model, one output, ready to run.

    Attributes:
        scene: open scene.
        model: open model.
        reason: why this model.
        out: raster to write.
        options: how.
        part: what is enhanced, in the scene's pixels.
        windows: what is read and kept, origins in the scene.
        grid: of the output.
    """

    scene: Scene
    model: Model
    reason: str
    out: Path
    options: Options
    part: Window
    windows: tuple[WindowPlan, ...]
    grid: Grid

    @property
    def sharpness(self) -> float:
        """0 (faithful) .. 1 (adversarial): the one asked for, else the model's default."""
        return self.model.card.sharpness if self.options.sharpness is None else self.options.sharpness

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user must be told before the work."""
        card, notes = self.model.card, list(self.scene.notes)
        if departs(self.scene, card):
            notes.append(
                f"the scene has pixels of {metres(self.scene)}; {card.name} was trained for {card.gsd_m:g} m. "
                "It runs, but its held-out figures do not speak for this scene."
            )
        return tuple(notes)

    def lines(self, *, verbose: bool = False) -> list[str]:
        """The plan in words; more of them on request."""
        card, scene, options = self.model.card, self.scene, self.options
        fine = "" if scene.gsd_m is None else f", {metres(scene)} -> {metres(scene, card.scale)}"
        numbers = " ".join(map(str, scene.band_choice.indexes))
        lines = [
            f"model: {card.name}, sharpness {self.sharpness:g} ({self.reason})",
            f"bands: {' '.join(card.bands)} = {numbers} of {scene.name}",
            f"output: {self.out}, {self.grid.width} x {self.grid.height} x {len(card.bands)} {scene.dtype}{fine}",
        ]
        if verbose:
            lines += [
                f"why these bands: {scene.band_choice.reason}",
                f"radiometry: {scene.radiometry.source}",
                f"windows: {len(self.windows)} of {options.window} input pixels, halo {halo(self.model)}, "
                f"batch {options.batch}",
                f"device: {choose_device(options.device)}, {options.precision}",
            ]
        return lines

    def estimate_lines(self) -> list[str]:
        """Memory, size and time of the run; the time is measured on a small window."""
        card, scale, options = self.model.card, self.model.card.scale, self.options
        side = min(options.window, max(self.part.height, self.part.width)) + 2 * halo(self.model)
        features = side**2 * max(4 * card.generator.channels, 12 * card.generator.bands * scale**2) * 4 * options.batch
        band_rows = min(options.window, self.part.height) * scale * self.grid.width
        row_band = 2 * band_rows * len(card.bands) * np.dtype(self.scene.dtype).itemsize
        size = self.grid.width * self.grid.height * len(card.bands) * np.dtype(self.scene.dtype).itemsize
        pixels = sum(w.read.width * w.read.height for w in self.windows)
        seconds = pixels * self._seconds_per_pixel()
        faster = f"; --symmetries 1 takes a {_PARTS[options.symmetries]} of it" if options.symmetries > 1 else ""
        return [
            f"memory: about {(features + row_band) / 2**30 + 0.5:.1f} GiB",
            f"file: at most {size / 2**20:.0f} MiB before compression",
            f"time: about {seconds:.0f} s on {choose_device(options.device)}{faster}",
        ]

    def _seconds_per_pixel(self, side: int = 128) -> float:
        enhancer = self._enhancer(scene_statistics(self.scene, self.model.card, noise=0.0, sigma=0.4))
        chip = np.zeros((1, len(self.model.card.bands), side, side), np.float32)
        inner, valid = (slice(0, side), slice(0, side)), np.ones(chip.shape, bool)
        enhancer(chip, inner, valid)
        started = time.perf_counter()
        enhancer(chip, inner, valid)
        return (time.perf_counter() - started) / side**2

    def _enhancer(self, statistics: SceneStatistics) -> SceneEnhancer:
        options = self.options
        return SceneEnhancer(
            self.model.generator(options.sharpness),
            statistics,
            choose_device(options.device),
            options.precision,
            options.consistency,
            options.symmetries,
        )

    def run(self, progress: Progress | None = None) -> Result:
        """Do it.

        Raises:
            RsganError: the scene cannot be read, or the output not written; no output is left then.
        """
        started = time.perf_counter()
        statistics = scene_statistics(
            self.scene, self.model.card, noise=self.options.noise, sigma=self.options.psf_sigma
        )
        enhancer = self._enhancer(statistics)
        with self._writer() as writer:
            walk(
                self.scene,
                enhancer,
                writer,
                windows=self.windows,
                background=statistics.scaling.centre,
                batch=self.options.batch,
                progress=progress,
            )
            writer.update_tags(**self._tags(enhancer))
        return Result(self.out, enhancer.residual_rms, statistics, time.perf_counter() - started)

    def _writer(self) -> RasterWriter:
        scene = self.scene
        return RasterWriter(
            self.out,
            grid=self.grid,
            count=len(scene.bands),
            dtype=scene.dtype,
            nodata=scene.output_nodata,
            descriptions=[said or name for said, name in zip(scene.descriptions, scene.bands, strict=True)],
            colorinterp=scene.colorinterp,
            scales=scene.stated.scales,
            offsets=scene.stated.offsets,
            units=scene.stated.units,
            tags={key: value for key, value in scene.tags.items() if not key.upper().startswith(TAGS_OF_THE_INPUT)},
            overwrite=self.options.overwrite,
            cog=self.options.cog,
        )

    def _tags(self, enhancer: SceneEnhancer) -> dict[str, str]:
        card, options, statistics = self.model.card, self.options, enhancer.statistics
        return {
            "RSGAN_MODEL": card.name,
            "RSGAN_MODEL_SHA256": self.model.sha256,
            "RSGAN_VERSION": version("rsgan"),
            "RSGAN_SCALE": str(card.scale),
            "RSGAN_SHARPNESS": f"{self.sharpness:g}",
            "RSGAN_SYMMETRIES": str(options.symmetries),
            "RSGAN_CONSISTENCY": "on" if options.consistency else "off",
            "RSGAN_CONSISTENCY_RMS": _rounded(enhancer.residual_rms),
            "RSGAN_NOISE": _rounded(statistics.noise),
            "RSGAN_PSF_SIGMA": _rounded(statistics.sigma),
            "RSGAN_STATISTICS": statistics.source,
            "RSGAN_NOTE": f"detail finer than the input pixels is synthesised by {card.name}, not observed",
        }

    def check(self, preview: Path | None = None) -> None:
        """Refuse, before anything is computed, outputs that could not or should not be written.

        Raises:
            OutputError: naming the file and the flag.
        """
        self._writer()
        if preview is not None:
            check_preview(preview, overwrite=self.options.overwrite)
        for source in self.scene.paths:
            for flag, target in (("--out", self.out), ("--preview", preview)):
                if target is not None and target.exists() and Path(source).exists() and target.samefile(source):
                    raise OutputError(f"{flag} {target} is the input itself, which stays as it is. Give another name.")

    def preview(self, path: Path) -> None:
        """Input, bicubic and enhanced side by side, as PNG; needs the output that `run` writes.

        Raises:
            OutputError: the PNG cannot be written; the raster stays.
        """
        card = self.model.card
        save_preview(path, self.scene, self.out, part=self.part, scale=card.scale, caption=card.name)


def halo(model: Model) -> int:
    """Input pixels of context that a window is read with: what the network can see, and what its filling looks at."""
    return model.receptive_field + FILL_REACH


def plan_job(scene: Scene, model: Model, reason: str, out: Path, options: Options) -> Job:
    """Decide which windows of the scene are read and where the output's pixels lie; computes nothing.

    Raises:
        GridError: the part of the scene that is wanted does not lie on it.
        OutputError: the output could not or should not be written.
    """
    part = chosen_part(scene, options)
    windows = tuple(plan(scene.grid.shape, options.window, halo=halo(model), part=part))
    grid = scene.grid.crop(part).refine(model.card.scale)
    if not scene.grid.has_transform:
        # refining scales the identity too, and the output would claim a place that nobody stated
        grid = replace(grid, transform=scene.grid.transform)
    job = Job(scene, model, reason, out, options, part, windows, grid)
    job.check()
    return job


def _rounded(values: NDArray[np.floating]) -> str:
    """A JSON list of four significant digits each, null for NaN."""
    return json.dumps([float(f"{value:.4g}") if np.isfinite(value) else None for value in values])


def _listed(values: NDArray[np.floating], digits: int = 5) -> str:
    """Numbers for people: one for all bands where all are alike."""
    texts = [f"{value:.{digits}f}" for value in values]
    return texts[0] if len(set(texts)) == 1 else " ".join(texts)
