"""Super-resolution: a multispectral raster in, a sharper one of the same radiometry out."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsgan.enhance.choice import candidates, choose_model, departs, metres, open_fitting, open_scene
from rsgan.enhance.preview import check_preview, save_preview
from rsgan.enhance.scene_enhancer import Precision, SceneEnhancer
from rsgan.enhance.statistics import SceneStatistics, scene_statistics
from rsgan.enhance.walk import Progress, walk
from rsgan.errors import GridError, InputError, ModelError, OutputError, RsganError, RsganWarning
from rsgan.geo import FILL_REACH, Grid, RasterWriter, Scene, WindowPlan, plan
from rsgan.model import Device, Model, choose_device, find_model, open_model, read_card
from rsgan.nn.generators import ResidualGenerator

SMALLEST_WINDOW = 64
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


@dataclass(frozen=True)
class Options:
    """How to enhance, apart from what and with which model.

    Attributes:
        sharpness: 0 (faithful) .. 1 (adversarial); None takes the model's default.
        window: side of the windows, input pixels.
        batch: windows per call of the network.
        device: where to compute.
        precision: inside the network.
        bbox: (left, bottom, right, top) in the scene's coordinates; None takes the whole scene.
        crop: (column, row, width, height) in input pixels; None takes the whole scene.
        consistency: whether the closing consistency steps run.
        noise: noise standard deviation in reflectance; None estimates it.
        psf_sigma: Gaussian width of the point spread function in input pixels; None estimates it.
        overwrite: whether an existing output is replaced.
        cog: whether the output is a cloud-optimised GeoTIFF.
    """

    sharpness: float | None = None
    window: int = 512
    batch: int = 1
    device: Device = "auto"
    precision: Precision = "float32"
    bbox: tuple[float, float, float, float] | None = None
    crop: tuple[int, int, int, int] | None = None
    consistency: bool = True
    noise: float | None = None
    psf_sigma: float | None = None
    overwrite: bool = False
    cog: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot be meant, whatever the scene.

        Raises:
            RsganError: naming the flag.
        """
        if self.sharpness is not None and not 0 <= self.sharpness <= 1:
            raise RsganError(f"--sharpness {self.sharpness:g} is outside 0 (faithful) .. 1 (adversarial).")
        if self.window < SMALLEST_WINDOW:
            raise RsganError(f"--window {self.window} is too small; give at least {SMALLEST_WINDOW} input pixels.")
        if self.batch < 1:
            raise RsganError(f"--batch {self.batch}: give at least 1.")
        if self.bbox is not None and self.crop is not None:
            raise RsganError("--bbox and --crop both choose a part of the scene; give one of them.")
        if self.noise is not None and not 0 <= self.noise < 1:
            raise RsganError(f"--noise {self.noise}: expected a reflectance, 0 up to 1 (0.001 is 10 DN of Sentinel-2).")
        if self.psf_sigma is not None and not 0 <= self.psf_sigma <= 0.6:
            raise RsganError(f"--psf-sigma {self.psf_sigma}: expected 0 .. 0.6 input pixels (Sentinel-2: about 0.4).")


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
        windows: what is read and kept, origins in the scene.
        grid: of the output.
    """

    scene: Scene
    model: Model
    reason: str
    out: Path
    options: Options
    windows: tuple[WindowPlan, ...]
    grid: Grid

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
        sharpness = card.sharpness if options.sharpness is None else options.sharpness
        fine = "" if scene.gsd_m is None else f", {metres(scene)} -> {metres(scene, card.scale)}"
        numbers = " ".join(map(str, scene.band_choice.indexes))
        lines = [
            f"model: {card.name}, sharpness {sharpness:g} ({self.reason})",
            f"bands: {' '.join(card.bands)} = {numbers} of {scene.name}",
            f"output: {self.out}, {self.grid.width} x {self.grid.height} x {len(card.bands)} {scene.dtype}{fine}",
        ]
        if verbose:
            lines += [
                f"why these bands: {scene.band_choice.reason}",
                f"radiometry: {scene.radiometry.source}",
                f"windows: {len(self.windows)} of {options.window} input pixels, halo {self._halo}, "
                f"batch {options.batch}",
                f"device: {choose_device(options.device)}, {options.precision}",
            ]
        return lines

    def estimate_lines(self) -> list[str]:
        """Memory, size and time of the run; the time is measured on a small window."""
        card, scale, options = self.model.card, self.model.card.scale, self.options
        side = min(options.window, max(self.scene.grid.shape)) + 2 * self._halo
        features = side**2 * max(4 * card.generator.channels, 12 * card.generator.bands * scale**2) * 4 * options.batch
        band_rows = min(options.window, self.scene.grid.height) * scale * self.grid.width
        row_band = 2 * band_rows * len(card.bands) * np.dtype(self.scene.dtype).itemsize
        size = self.grid.width * self.grid.height * len(card.bands) * np.dtype(self.scene.dtype).itemsize
        pixels = sum(w.read.width * w.read.height for w in self.windows)
        return [
            f"memory: about {(features + row_band) / 2**30 + 0.5:.1f} GiB",
            f"file: at most {size / 2**20:.0f} MiB before compression",
            f"time: about {pixels * self._seconds_per_pixel():.0f} s on {choose_device(options.device)}",
        ]

    @property
    def _halo(self) -> int:
        return ResidualGenerator(self.model.card.generator).receptive_field + FILL_REACH

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
        sharpness = card.sharpness if options.sharpness is None else options.sharpness
        return {
            "RSGAN_MODEL": card.name,
            "RSGAN_MODEL_SHA256": self.model.sha256,
            "RSGAN_VERSION": version("rsgan"),
            "RSGAN_SCALE": str(card.scale),
            "RSGAN_SHARPNESS": f"{sharpness:g}",
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

    @property
    def part(self) -> Any:  # noqa: ANN401 - rasterio's Window has no types
        """Window of the scene that is enhanced."""
        first, last = self.windows[0].keep, self.windows[-1].keep
        return type(first)(
            first.col_off,
            first.row_off,
            last.col_off + last.width - first.col_off,
            last.row_off + last.height - first.row_off,
        )


def _rounded(values: NDArray[np.floating]) -> str:
    """A JSON list of four significant digits each, null for NaN."""
    return json.dumps([float(f"{value:.4g}") if np.isfinite(value) else None for value in values])


def _listed(values: NDArray[np.floating], digits: int = 5) -> str:
    """Numbers for people: one for all bands where all are alike."""
    texts = [f"{value:.{digits}f}" for value in values]
    return texts[0] if len(set(texts)) == 1 else " ".join(texts)


def default_output(first: Path, scale: int) -> Path:
    """`scene_x2.tif` beside the first input."""
    return first.with_name(f"{first.stem}_x{scale}.tif")


def _chosen_window(scene: Scene, options: Options) -> tuple[int, int, int, int]:
    """(column, row, width, height) of the part of the scene that is wanted."""
    if options.bbox is not None:
        try:
            window = scene.grid.window_of_bounds(options.bbox)
        except GridError as error:
            raise GridError(f"--bbox: {error}") from error
        return window.col_off, window.row_off, window.width, window.height
    height, width = scene.grid.shape
    if options.crop is None:
        return 0, 0, width, height
    column, row, wide, high = options.crop
    if column < 0 or row < 0 or wide < 1 or high < 1 or column + wide > width or row + high > height:
        raise GridError(
            f"--crop {column},{row},{wide},{high} (column,row,width,height) does not lie inside {scene.name}, "
            f"which has {width} x {height} pixels."
        )
    return column, row, wide, high


def _plan(scene: Scene, part: tuple[int, int, int, int], size: int, halo: int) -> tuple[WindowPlan, ...]:
    """Windows over a part of the scene; the halo may reach beyond the part, so its border is like any other place."""
    column, row, width, height = part
    windows = []
    for window in plan((height, width), size):
        top, left = row + window.keep.row_off, column + window.keep.col_off
        bottom, right = top + window.keep.height, left + window.keep.width
        read_top, read_left = max(top - halo, 0), max(left - halo, 0)
        read_bottom, read_right = min(bottom + halo, scene.grid.height), min(right + halo, scene.grid.width)
        kind = type(window.keep)
        windows.append(
            WindowPlan(
                read=kind(read_left, read_top, read_right - read_left, read_bottom - read_top),
                keep=kind(left, top, right - left, bottom - top),
                inner=(slice(top - read_top, bottom - read_top), slice(left - read_left, right - read_left)),
            )
        )
    return tuple(windows)


def prepare(
    sources: Sequence[str | Path],
    out: str | Path | None = None,
    *,
    model: str | Path | None = None,
    scale: int | None = None,
    bands: tuple[str, ...] | None = None,
    reflectance_scale: float | None = None,
    gsd_m: float | None = None,
    options: Options | None = None,
) -> Job:
    """Open the scene and the model, check that they fit and that the output can be written; computes nothing.

    Args:
        sources: one raster of several bands, or several single-band rasters on one grid.
        out: raster to write; None puts `<stem>_x<scale>.tif` beside the first source.
        model: zoo name or path of a model; None chooses one.
        scale: output pixels per input pixel; None takes the model's.
        bands: names or 1-based numbers of the bands to take, in the model's order.
        reflectance_scale: stored number that means reflectance 1.
        gsd_m: metres per pixel where the files do not say.
        options: how to enhance.

    Raises:
        RsganError: one of its children says which file or flag is wrong, and the way out.
    """
    options = options or Options()
    choose_device(options.device)
    _refuse_twice(sources)
    how = {"bands": bands, "reflectance_scale": reflectance_scale, "gsd_m": gsd_m}
    if model is None:
        scene, cards = open_fitting(sources, candidates(scale), how)
    else:
        path = find_model(model)
        card = read_card(path)
        if scale not in (None, card.scale):
            raise ModelError(
                f"--scale {scale}: model {card.name} has scale {card.scale}. Leave --scale out or choose another model."
            )
        scene, cards = open_scene(sources, card, how), {path: card}
    try:
        path, reason = choose_model(scene, cards, scale) if model is None else (path, "--model")
        opened = open_model(path)
        opened.generator(options.sharpness)
        target = Path(out) if out is not None else default_output(Path(sources[0]), opened.card.scale)
        return _job(scene, opened, reason, target, options)
    except BaseException:
        scene.close()
        raise


def _refuse_twice(sources: Sequence[str | Path]) -> None:
    for number, source in enumerate(sources):
        if source in sources[:number]:
            raise InputError(f"{source} is given twice. Give each file once.")


def _job(scene: Scene, model: Model, reason: str, out: Path, options: Options) -> Job:
    """The plan: which windows of the scene, which grid for the output."""
    part = _chosen_window(scene, options)
    halo = ResidualGenerator(model.card.generator).receptive_field + FILL_REACH
    windows = _plan(scene, part, options.window, halo)
    grid = scene.grid.crop(type(windows[0].keep)(*part)).refine(model.card.scale)
    if not scene.grid.has_transform:
        grid = replace(grid, transform=scene.grid.transform)
    job = Job(scene, model, reason, out, options, windows, grid)
    job.check()
    return job


def superres(
    source: str | Path | Sequence[str | Path],
    out: str | Path | None = None,
    *,
    model: str | Path | None = None,
    scale: int | None = None,
    bands: tuple[str, ...] | None = None,
    reflectance_scale: float | None = None,
    gsd_m: float | None = None,
    preview: str | Path | None = None,
    progress: Progress | None = None,
    **options: Any,  # noqa: ANN401 - the fields of Options, checked by it
) -> Path:
    """Sharpen a multispectral raster; the Python twin of `rsgan superres`.

    Args:
        source: one raster of several bands, or a list of single-band rasters on one grid.
        out: GeoTIFF to write; None puts `<stem>_x<scale>.tif` beside the source.
        model: zoo name or path of a model; None chooses by scale.
        scale: output pixels per input pixel.
        bands: names or 1-based numbers of the bands to take, in the model's order.
        reflectance_scale: stored number that means reflectance 1.
        gsd_m: metres per pixel where the file does not say.
        preview: PNG with input, bicubic and enhanced side by side.
        progress: called with (windows done, windows in all).
        options: fields of `Options`: sharpness, window, batch, device, precision, bbox, crop, consistency, noise,
            psf_sigma, overwrite, cog.

    Returns:
        Path of the raster that was written.

    Raises:
        RsganError: one of its children says which file or setting is wrong, and the way out.
    """
    sources = [source] if isinstance(source, str | Path) else list(source)
    job = prepare(
        sources,
        out,
        model=model,
        scale=scale,
        bands=bands,
        reflectance_scale=reflectance_scale,
        gsd_m=gsd_m,
        options=Options(**options),
    )
    with job.scene:
        if preview is not None:
            job.check(Path(preview))
        for note in job.notes:
            warnings.warn(note, RsganWarning, stacklevel=2)
        result = job.run(progress)
        if preview is not None:
            job.preview(Path(preview))
    return result.path
