"""What people look at after despeckling: a page or its numbers, and a preview."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rsgan.enhance.despeckle_job import Despeckled, DespeckleJob
from rsgan.enhance.preview import check_preview, worth_showing
from rsgan.geo import Window
from rsgan.geo.files import open_raster
from rsgan.metrics.speckle_tally import Criterion, SpeckleFigures, criteria, plain_figures
from rsgan.report.colours import png
from rsgan.report.page import Page, Picture, ShownPlace, Tile, render
from rsgan.report.panels import save_tiles
from rsgan.report.saving import check_text, save_text
from rsgan.report.speckle import (
    LIMITS,
    decibels,
    grey,
    image_limits,
    ratio_histogram,
    ratio_limits,
    ratio_table,
    speckle_table,
)

Pixels = NDArray[np.uint8]

SIDE = 256
"""Side of the part of the scene that is shown, pixels."""
MOST_BANDS = 4
"""Bands that are shown, at most; figures are given for all."""


@dataclass(frozen=True)
class Crop:
    """One band of one place: intensity before and after, and where both are valid."""

    band: str
    window: Window
    observed: NDArray[np.float64]
    enhanced: NDArray[np.float64]
    valid: NDArray[np.bool_]
    looks: float

    def pictures(self) -> tuple[Pixels, Pixels, Pixels]:
        """Observed and despeckled in one stretch of their dB, and the ratio image in dB; (H, W, 3) bytes each."""
        observed, enhanced = (decibels(image) for image in (self.observed, self.enhanced))
        limits = image_limits(enhanced[self.valid])
        return (
            grey(observed, limits, self.valid),
            grey(enhanced, limits, self.valid),
            grey(observed - enhanced, ratio_limits(self.looks), self.valid),
        )


def check_pictures(report: Path | None, preview: Path | None, *, overwrite: bool) -> None:
    """Refuse, before anything is computed, a report or a preview that could not or should not be written.

    Raises:
        OutputError: naming the file and the flag.
    """
    if report is not None:
        check_text(report, "--report", (".html", ".json"), overwrite=overwrite)
    if preview is not None:
        check_preview(preview, overwrite=overwrite)


def save_preview(path: Path, job: DespeckleJob, result: Despeckled) -> None:
    """Observed, despeckled and ratio image of one place, side by side, as PNG.

    Raises:
        OutputError: the file cannot be written.
    """
    crop = next(_crops(job, result))
    captions = (f"{crop.band} observed", f"{crop.band} despeckled", "observed / despeckled")
    save_tiles(path, dict(zip(captions, crop.pictures(), strict=True)))


def save_report(path: Path, job: DespeckleJob, result: Despeckled) -> None:
    """Write the page, or its numbers as JSON, by the ending.

    Raises:
        OutputError: the file cannot be written.
    """
    if path.suffix.casefold() == ".json":
        text = json.dumps(numbers(job, result), indent=2) + "\n"
    else:
        text = render(page_of(job, result))
    save_text(path, text, "--report")


def numbers(job: DespeckleJob, result: Despeckled) -> dict[str, object]:
    """What was done and every figure, for programs."""
    bands = {
        name: dict(plain_figures(figures))
        | {
            "expected": {
                each.key: {"lowest": each.lowest, "highest": each.highest, "kept": each.kept}
                for each in criteria(figures)
            }
        }
        for name, figures in zip(job.scene.bands, result.figures, strict=True)
    }
    return {
        "rsgan": version("rsgan"),
        "observed": [str(source) for source in job.scene.paths],
        "despeckled": str(result.path),
        "ratio": None if result.ratio is None else str(result.ratio),
        "method": job.method.name,
        "sharpness": job.sharpness,
        "quantity": job.radiometry.source,
        "speckle": result.statistics.source,
        "notes": list(job.notes),
        "seconds": round(result.seconds, 2),
        "bands": bands,
    }


def page_of(job: DespeckleJob, result: Despeckled) -> Page:
    """The page."""
    names = job.scene.bands
    judged = {name: criteria(figures) for name, figures in zip(names, result.figures, strict=True)}
    return Page(
        title=f"{job.scene.name}, despeckled",
        subtitle=f"{' '.join(names)}, {job.part.width} x {job.part.height} pixels, by {job.method.name}",
        summary=tuple(_summary(job, result, judged)),
        tiles=tuple(_tiles(names[0], result.figures[0])),
        places=tuple(_shown(crop) for crop in _crops(job, result)),
        swipe=("observed", "despeckled"),
        tables=(
            *map(ratio_table, names, result.figures),
            speckle_table(names, result.figures, result.statistics.source),
        ),
        charts=tuple(
            ratio_histogram(name, figures)
            for name, figures in zip(names, result.figures, strict=True)
            if figures.pixels
        )[:MOST_BANDS],
        limits=LIMITS,
        notes=tuple(job.notes),
        settings=tuple(_settings(job, result)),
    )


def _crops(job: DespeckleJob, result: Despeckled) -> Iterator[Crop]:
    """Places worth showing: several of one band, one each of more."""
    scene, part = job.scene, job.part
    shown = scene.bands[:MOST_BANDS]
    parts = [part] if len(shown) > 2 else [part, *_quarters(part)][: 4 - len(shown)]
    windows = list(dict.fromkeys(worth_showing(scene, each, SIDE) for each in parts))
    with open_raster(str(result.path)) as dataset:
        for band, name in enumerate(shown):
            for window in windows:
                chip = scene.read(window)
                inside = Window(
                    window.col_off - part.col_off, window.row_off - part.row_off, window.width, window.height
                )
                dn = dataset.read(window=inside)
                enhanced = job.stored.to_physical(dn)[band].astype(np.float64)
                observed = chip.values[band].astype(np.float64)
                valid = chip.valid[band] & np.isfinite(enhanced)
                yield Crop(name, window, observed, enhanced, valid, result.figures[band].looks)


def _quarters(part: Window) -> Iterator[Window]:
    height, width = max(part.height // 2, 1), max(part.width // 2, 1)
    for down, right in ((0, 0), (1, 1)):
        yield Window(
            part.col_off + right * (part.width - width), part.row_off + down * (part.height - height), width, height
        )


def _enlarged(pixels: Pixels) -> Pixels:
    """Small crops larger, so that single pixels can be told apart."""
    factor = max(1, SIDE // max(pixels.shape[:2]))
    return np.asarray(pixels.repeat(factor, axis=0).repeat(factor, axis=1))


def _shown(crop: Crop) -> ShownPlace:
    observed, enhanced, ratio = (png(_enlarged(pixels)) for pixels in crop.pictures())
    window = crop.window
    return ShownPlace(
        f"{crop.band}, row {window.row_off}, column {window.col_off}",
        f"{window.width} x {window.height} pixels, in dB. The ratio image should show nothing but even speckle.",
        (
            Picture("observed", "Observed", f"{crop.band} as observed, with speckle", observed),
            Picture("despeckled", "Despeckled", f"{crop.band} despeckled", enhanced),
        ),
        (Picture("ratio", "Observed / despeckled", f"ratio image of {crop.band}", ratio),),
    )


def _summary(job: DespeckleJob, result: Despeckled, judged: dict[str, tuple[Criterion, ...]]) -> Iterator[str]:
    for name, figures in zip(job.scene.bands, result.figures, strict=True):
        kept = [each.kept for each in judged[name] if each.kept is not None]
        if not figures.pixels:
            yield f"{name} holds no pixel above 0, and no figure."
            continue
        looks = "" if np.isnan(figures.enl_enhanced) else (
            f" On even ground the equivalent number of looks rose from {figures.enl_observed:.3g} to "
            f"{figures.enl_enhanced:.3g}."
        )  # fmt: skip
        yield (
            f"{name}: mean intensity changed by {figures.intensity_change:+.2%}; {sum(kept)} of {len(kept)} figures "
            f"are as expected of speckle of {figures.looks:.3g} looks.{looks}"
        )


def _tiles(name: str, figures: SpeckleFigures) -> Iterator[Tile]:
    for title, value, remark in (
        (f"Looks after, {name}", figures.enl_enhanced, f"before {figures.enl_observed:.3g}"),
        (f"Mean of ratio, {name}", figures.mean_ratio, "ideal 1"),
        (f"Structure in ratio, {name}", figures.ratio_structure, "at most 0.05"),
    ):
        if not np.isnan(value):
            yield Tile(title, f"{value:.3g}", remark)


def _settings(job: DespeckleJob, result: Despeckled) -> Iterator[tuple[str, str]]:
    yield "Observed", ", ".join(str(source) for source in job.scene.paths)
    yield "Despeckled", str(result.path)
    yield "Method", f"{job.method.name}, sharpness {job.sharpness:g}" if job.method.model else job.method.name
    yield "Quantity", job.radiometry.source
    yield "Speckle", result.statistics.source
    yield "rsgan", version("rsgan")
