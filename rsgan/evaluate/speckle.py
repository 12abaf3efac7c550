"""How good a despeckled raster is: its ratio image, and what a reference without speckle says where there is one."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from rsgan.errors import BandError, ConfigError, GridError, InputError
from rsgan.geo import Scene, plan
from rsgan.geo.files import open_raster
from rsgan.metrics.speckle_tally import SpeckleFigures, SpeckleTally, criteria, plain_figures
from rsgan.radiometry import Quantity
from rsgan.report.page import Page, Table, Tile
from rsgan.report.speckle import LIMITS, ratio_histogram, ratio_table, speckle_table
from rsgan.sensors.sar import estimate_speckle

Progress = Callable[[int, int], None]
WINDOW = 1024
STEP = 7
"""Every how manieth pixel the peak of the PSNR is taken from."""
EDGES = 0.9
"""Quantile of a window's slopes above which its pixels are edges."""


@dataclass(frozen=True)
class AgainstReference:
    """Figures of one band that need an image without speckle.

    Attributes:
        psnr_db: of the amplitude.
        peak: amplitude that it is held against: the reference's 99.9 % quantile.
        bias: mean intensity over the reference's, less 1.
        rmse_db: of 10 log10 of the intensity.
        epi: edge preservation index, correlation of the Laplacians; 1 is ideal.
        epd_roa: ratio of neighbours on edges over that of the reference; 1 is ideal.
    """

    psnr_db: float
    peak: float
    bias: float
    rmse_db: float
    epi: float
    epd_roa: float


TITLES = {
    "psnr_db": ("PSNR of the amplitude, dB", "2f"),
    "bias": ("Mean intensity, less the reference's", "2%"),
    "rmse_db": ("RMSE, dB", "3f"),
    "epi": ("Edges (EPI)", "3f"),
    "epd_roa": ("Edges (EPD-ROA)", "3f"),
}


@dataclass(frozen=True)
class SpeckleEvaluation:
    """Every figure of a despeckled raster.

    Attributes:
        paths: role -> file.
        bands: names.
        figures: of the ratio image of each band.
        against: figures that need a reference, of each band; empty without one.
        source: where looks and correlation come from, in words.
        notes: what was noticed about the rasters.
    """

    paths: dict[str, str]
    bands: tuple[str, ...]
    figures: tuple[SpeckleFigures, ...]
    against: tuple[AgainstReference, ...]
    source: str
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Everything, for programs; null for what could not be measured."""
        bands: dict[str, Any] = {}
        for number, (name, figures) in enumerate(zip(self.bands, self.figures, strict=True)):
            expected = {
                one.key: {"lowest": one.lowest, "highest": one.highest, "kept": one.kept} for one in criteria(figures)
            }
            bands[name] = dict(plain_figures(figures)) | {"expected": expected}
            if self.against:
                found = asdict(self.against[number])
                bands[name]["reference"] = {key: x if math.isfinite(x) else None for key, x in found.items()}
        return {"rasters": self.paths, "speckle": self.source, "bands": bands, "notes": list(self.notes)}

    def tables(self) -> list[Table]:
        """Everything, for people."""
        parts = [speckle_table(self.bands, self.figures, self.source), *map(ratio_table, self.bands, self.figures)]
        if self.against:
            rows = tuple(
                (title, *(format(getattr(one, key), f".{style}") for one in self.against))
                for key, (title, style) in TITLES.items()
            )
            parts.insert(0, Table("Against the reference", ("", *self.bands), rows))
        return parts

    def page(self) -> Page:
        """The page."""
        counts = [[one.kept for one in criteria(figures) if one.kept is not None] for figures in self.figures]
        summary = [
            f"{name}: {sum(kept)} of {len(kept)} figures of the ratio image are as expected of speckle."
            for name, kept in zip(self.bands, counts, strict=True)
        ]
        tiles = [
            Tile(f"Mean of ratio, {name}", f"{one.mean_ratio:.3f}", "ideal 1")
            for name, one in zip(self.bands, self.figures, strict=True)
        ]
        return Page(
            title=f"{Path(self.paths['enhanced']).name}, despeckled",
            subtitle=f"{' '.join(self.bands)}, held against {', '.join(list(self.paths)[1:])}",
            summary=tuple(summary),
            tiles=tuple(tiles),
            tables=tuple(self.tables()),
            charts=tuple(map(ratio_histogram, self.bands, self.figures)),
            limits=LIMITS,
            notes=self.notes,
            settings=tuple((role.capitalize(), path) for role, path in self.paths.items()),
        )


def is_despeckled(path: str | Path) -> bool:
    """Whether a raster's tags say that `rsgan despeckle` wrote it.

    Raises:
        InputError: the file is missing or no raster.
    """
    with open_raster(str(path)) as dataset:
        return bool(dataset.tags().get("RSGAN_TASK") == "despeckle")


def evaluate_speckle(
    enhanced: str | Path,
    *,
    observed: str | Path | None,
    reference: str | Path | None = None,
    looks: float | None = None,
    quantity: Quantity | None = None,
    progress: Progress | None = None,
) -> SpeckleEvaluation:
    """Judge a despeckled raster.

    Args:
        enhanced: raster to judge.
        observed: raster from which it was made, on the same grid.
        reference: raster without speckle on the same grid, as a mean of many dates.
        looks: of every band; None takes them from the tags of `enhanced`, else measures them in `observed`.
        quantity: what the numbers of all rasters are; None finds out.
        progress: called after each window.

    Raises:
        ConfigError: there is no observed raster.
        BandError: the rasters have no band in common.
        GridError: they lie on other grids.
        InputError: a file is missing or damaged, or no pixel is valid in all of them.
    """
    if observed is None:
        raise ConfigError(
            f"{enhanced} is despeckled, and its figures are those of the ratio image; give the raster that it was made "
            "from with --observed."
        )
    roles = {"enhanced": enhanced, "observed": observed} | ({} if reference is None else {"reference": reference})
    with ExitStack() as opening:
        scenes = {
            role: opening.enter_context(Scene.open_sar([path], quantity=quantity)) for role, path in roles.items()
        }
        bands = _common(scenes)
        chosen = {role: [scene.bands.index(band) for band in bands] for role, scene in scenes.items()}
        laws, source = _laws(scenes, bands, looks)
        tallies = [SpeckleTally(*law) for law in laws]
        sums = [_ReferenceSums() for _ in bands]
        windows = plan(scenes["enhanced"].grid.shape, WINDOW, stride=1, halo=0)
        for done, window in enumerate(windows, start=1):
            chips = {role: scene.read(window.keep) for role, scene in scenes.items()}
            for number in range(len(bands)):
                at = {role: chosen[role][number] for role in scenes}
                planes = {role: chips[role].values[index] for role, index in at.items()}
                valid = np.all([chips[role].valid[index] for role, index in at.items()], axis=0)
                keep = window.keep
                tallies[number].add(
                    planes["observed"], planes["enhanced"], valid, row=keep.row_off, column=keep.col_off
                )
                if reference is not None:
                    sums[number].add(planes["enhanced"], planes["reference"], valid)
            if progress is not None:
                progress(done, len(windows))
        figures = tuple(tally.figures() for tally in tallies)
        if not any(one.pixels for one in figures):
            raise InputError(
                f"no pixel is valid and above 0 in all of {', '.join(map(str, roles.values()))}. Check --nodata and "
                "whether they show the same ground."
            )
        notes = dict.fromkeys(note for scene in scenes.values() for note in scene.notes)
        against = tuple(one.figures() for one in sums) if reference is not None else ()
        return SpeckleEvaluation(
            {role: str(path) for role, path in roles.items()}, bands, figures, against, source, tuple(notes)
        )


def _common(scenes: dict[str, Scene]) -> tuple[str, ...]:
    """Bands that all rasters have; all of them in order where each raster has as many."""
    ours = scenes["enhanced"]
    for scene in scenes.values():
        if scene.grid.shape != ours.grid.shape or (
            scene.grid.has_transform and ours.grid.has_transform and scene.grid.transform != ours.grid.transform
        ):
            raise GridError(
                f"{scene.name} ({scene.grid.height} x {scene.grid.width} pixels) and {ours.name} ({ours.grid.height} x "
                f"{ours.grid.width}) lie on unlike grids; expected the same pixels. Crop or warp one to the other, for "
                "example with rio clip --like or gdalwarp."
            )
    common = tuple(band for band in ours.bands if all(band in scene.bands for scene in scenes.values()))
    if not common:
        listed = "; ".join(f"{scene.name} has {' '.join(scene.bands)}" for scene in scenes.values())
        raise BandError(
            f"the rasters have no band in common: {listed}. Bands are matched by their names (band descriptions); name "
            "them alike, for example with rio edit-info or gdal_edit.py."
        )
    return common


Law = tuple[float, tuple[float, float]]


def _laws(scenes: dict[str, Scene], bands: Sequence[str], looks: float | None) -> tuple[list[Law], str]:
    """Looks and correlation of each band, and where they come from."""
    ours, seen = scenes["enhanced"], scenes["observed"]
    tagged = [_tagged(ours.tags, key, len(ours.bands)) for key in ("RSGAN_LOOKS", "RSGAN_CORRELATION")]
    if all(tagged) and looks is None:
        order = [ours.bands.index(band) for band in bands]
        stated = [(float(tagged[0][at]), (float(tagged[1][at][0]), float(tagged[1][at][1]))) for at in order]
        return stated, f"looks and correlation as the tags of {ours.name} state them"
    middle = plan(seen.grid.shape, WINDOW, stride=1, halo=0)
    chip = seen.read(middle[len(middle) // 2].keep)
    found = []
    for band in bands:
        at = seen.bands.index(band)
        one = estimate_speckle([(chip.values[at], chip.valid[at])])
        found.append((one.looks if looks is None else looks, one.correlation))
    way = "measured" if looks is None else "given"
    return found, f"looks {way}, correlation measured in {seen.name}"


def _tagged(tags: Mapping[str, str], key: str, count: int) -> list[Any]:
    """A JSON list with an entry for each band; empty where there is none."""
    try:
        found = json.loads(tags.get(key, ""))
    except ValueError:
        return []
    return found if isinstance(found, list) and len(found) == count and None not in found else []


@dataclass
class _ReferenceSums:
    """What has to be added up for `AgainstReference`."""

    squared: float = 0.0
    decibel: float = 0.0
    enhanced: float = 0.0
    reference: float = 0.0
    count: int = 0
    peaks: list[NDArray[np.float32]] = field(default_factory=list)
    laplacian: NDArray[np.float64] = field(default_factory=lambda: np.zeros(6))
    edges: NDArray[np.float64] = field(default_factory=lambda: np.zeros((2, 2)))

    def add(self, enhanced: NDArray[np.float32], reference: NDArray[np.float32], valid: NDArray[np.bool_]) -> None:
        usable = valid & (enhanced > 0) & (reference > 0)
        if not usable.any():
            return
        ours, truth = (np.where(usable, image, 1.0).astype(np.float64) for image in (enhanced, reference))
        self.squared += float(np.square(np.sqrt(ours) - np.sqrt(truth))[usable].sum())
        self.decibel += float(np.square(10 * np.log10(ours / truth))[usable].sum())
        self.enhanced += float(ours[usable].sum())
        self.reference += float(truth[usable].sum())
        self.count += int(usable.sum())
        self.peaks.append(np.sqrt(truth[::STEP, ::STEP][usable[::STEP, ::STEP]]).astype(np.float32))
        inner = ndimage.binary_erosion(usable, np.ones((3, 3)))
        if inner.any():
            first, second = (ndimage.laplace(image)[inner] for image in (ours, truth))
            self.laplacian += [
                first.size, first.sum(), second.sum(), first @ first, second @ second, first @ second,
            ]  # fmt: skip
            logs = np.log(truth)
            slope = np.hypot(ndimage.sobel(logs, 0), ndimage.sobel(logs, 1))
            edge = inner & (slope >= np.quantile(slope[inner], EDGES))
            for axis in (0, 1):
                kept = np.swapaxes(edge, 0, axis)
                counted = kept[1:] & kept[:-1]
                for row, image in enumerate((ours, truth)):
                    along = np.swapaxes(image, 0, axis)
                    self.edges[row, axis] += float((along[1:][counted] / along[:-1][counted]).sum())

    def figures(self) -> AgainstReference:
        if not self.count:
            return AgainstReference(*(float("nan"),) * 6)
        peak = float(np.quantile(np.concatenate(self.peaks), 0.999))
        error = self.squared / self.count
        number, first, second, squares, others, mixed = self.laplacian
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = (squares - first**2 / number) * (others - second**2 / number)
            epi = (mixed - first * second / number) / np.sqrt(spread)
            roa = np.mean(self.edges[0] / self.edges[1])
        return AgainstReference(
            psnr_db=10 * math.log10(peak**2 / error) if error > 0 else math.inf,
            peak=peak,
            bias=self.enhanced / self.reference - 1,
            rmse_db=math.sqrt(self.decibel / self.count),
            epi=float(epi),
            epd_roa=float(roa),
        )


def lines(found: SpeckleEvaluation) -> Iterator[str]:
    """What was compared, in a line."""
    yield f"compared: {' '.join(found.bands)}, despeckled against {', '.join(list(found.paths)[1:])}; {found.source}"
