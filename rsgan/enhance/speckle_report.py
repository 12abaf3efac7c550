"""What people look at after despeckling: a page or its numbers, and a preview."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from rsgan.enhance.despeckle import Despeckled, DespeckleJob
from rsgan.enhance.preview import check_preview, worth_showing
from rsgan.geo import Window
from rsgan.geo.files import open_raster
from rsgan.metrics.speckle import Criterion, SpeckleFigures, criteria, histogram_edges, plain_figures
from rsgan.report.charts import Chart, Line, Words, line_chart
from rsgan.report.colours import png, with_gaps
from rsgan.report.page import Page, Picture, ShownPlace, Table, Tile, render
from rsgan.report.panels import save_tiles
from rsgan.report.saving import check_text, save_text

Pixels = NDArray[np.uint8]

SIDE = 256
"""Side of the part of the scene that is shown, pixels."""
MOST_BANDS = 4
"""Bands that are shown, at most; figures are given for all."""
CHART_BINS = 100
LIMITS = (
    "The figures need no image without speckle, and so they cannot tell whether what lies under the speckle is right: "
    "an image that is too smooth shows in the ratio image, one with made-up texture may not.",
    "They are held against speckle of the looks and correlation given above. Where these were measured on ground that "
    "is nowhere even, the looks are too low and every figure with them.",
    "Steady point targets and moving ones do not follow the law of speckle; in towns the ratio image departs from it.",
)


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
        observed, enhanced = (_db(image) for image in (self.observed, self.enhanced))
        shown = enhanced[self.valid]
        low, high = np.percentile(shown, (1, 99)) if shown.size else (0.0, 1.0)
        low, high = low - 2, max(high + 2, low + 3)
        law = stats.gamma(self.looks, scale=1 / self.looks)
        ends = [float(10 * np.log10(law.ppf(q))) for q in (0.01, 0.995)]
        return (
            self._grey(observed, low, high),
            self._grey(enhanced, low, high),
            self._grey(observed - enhanced, ends[0], ends[1]),
        )

    def _grey(self, decibel: NDArray[np.float64], low: float, high: float) -> Pixels:
        grey = (np.clip((decibel - low) / (high - low), 0, 1) * 255).round().astype(np.uint8)
        return with_gaps(np.repeat(grey[..., None], 3, axis=2), self.valid)


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
        tables=(*(_table(name, rows) for name, rows in judged.items()), _speckle(names, result)),
        charts=tuple(
            _histogram(name, figures) for name, figures in zip(names, result.figures, strict=True) if figures.pixels
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


def _db(intensity: NDArray[np.float64]) -> NDArray[np.float64]:
    decibel: NDArray[np.float64] = 10 * np.log10(np.maximum(np.nan_to_num(intensity), 1e-30))
    return decibel


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


def _table(name: str, rows: tuple[Criterion, ...]) -> Table:
    said = {True: "yes", False: "no", None: "no figure"}
    return Table(
        f"Ratio image of {name}",
        ("", "Figure", "Expected", "Kept", "What it says"),
        tuple(
            (
                each.title,
                "-" if np.isnan(each.value) else f"{each.value:.3f}",
                each.expected,
                said[each.kept],
                each.meaning,
            )
            for each in rows
        ),
        caption="Even ground: blocks in which the observed image shows nothing but speckle.",
    )


def _speckle(names: tuple[str, ...], result: Despeckled) -> Table:
    rows = tuple(
        (
            name,
            f"{one.looks:.2f}",
            f"{one.correlation[0]:.2f} x {one.correlation[1]:.2f}",
            str(one.blocks),
            f"{one.pixels}",
        )
        for name, one in zip(names, result.figures, strict=True)
    )
    return Table(
        "Speckle",
        ("", "Looks", "Correlation of neighbours", "Even blocks", "Pixels"),
        rows,
        caption=f"{result.statistics.source.capitalize()}. The correlation is from row to row x column to column.",
    )


def _histogram(name: str, figures: SpeckleFigures) -> Chart:
    law = stats.gamma(figures.looks, scale=1 / figures.looks)
    low, high = (float(10 * np.log10(law.ppf(q))) for q in (2e-3, 1 - 2e-4))
    low, high = np.floor(low - 1), np.ceil(high + 1)
    edges = np.linspace(low, high, CHART_BINS + 1)
    cumulated = np.concatenate([[0.0], np.cumsum(figures.histogram)])
    width = edges[1] - edges[0]
    found = np.diff(np.interp(edges, histogram_edges(), cumulated)) / width
    expected = np.diff(law.cdf(10 ** (edges / 10))) / width
    centres = (edges[1:] + edges[:-1]) / 2
    words = Words(
        f"Ratio image of {name}",
        f"Share of the pixels by the value of observed / despeckled, and what speckle of {figures.looks:.3g} looks "
        "gives. A narrower line means that speckle stayed in the image, a shifted one that brightness changed.",
        f"Histogram of the ratio image of {name} beside the law of speckle",
        "observed / despeckled, dB",
        "share per dB",
    )
    lines = [Line("ratio image", centres, found, "a"), Line("speckle", centres, expected, "b")]
    return line_chart(
        words, lines, x_range=(float(low), float(high)), y_range=(0.0, float(max(found.max(), expected.max())) * 1.05)
    )


def _settings(job: DespeckleJob, result: Despeckled) -> Iterator[tuple[str, str]]:
    yield "Observed", ", ".join(str(source) for source in job.scene.paths)
    yield "Despeckled", str(result.path)
    yield "Method", f"{job.method.name}, sharpness {job.sharpness:g}" if job.method.model else job.method.name
    yield "Quantity", job.radiometry.source
    yield "Speckle", result.statistics.source
    yield "rsgan", version("rsgan")
