"""A diagnosis: where and in which classes what was generated is told from references."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rsgan.card import ModelCard
from rsgan.diagnose import views
from rsgan.diagnose.blocks import Blocks, GroundScores, calibrated, refit_ground
from rsgan.diagnose.calibration import Reliability, reliability
from rsgan.diagnose.cases import Asked, Case, opened
from rsgan.diagnose.figures import plain, row_of, settings_of
from rsgan.diagnose.ground import Ground
from rsgan.diagnose.landcover import Landcover, of_indices, of_map
from rsgan.diagnose.logits import LogitMaps, Progress, dense_logits
from rsgan.diagnose.meaning import Meaning, meaning_of
from rsgan.diagnose.segmentation import of_network, open_network
from rsgan.diagnose.settings import FOLDS, Settings
from rsgan.diagnose.views import View
from rsgan.enhance.arrays import as_files
from rsgan.enhance.options import Reading
from rsgan.enhance.paths import as_paths
from rsgan.enhance.speckle_method import SarReading
from rsgan.errors import ConfigError
from rsgan.geo import Grid, RasterWriter
from rsgan.geo.classes import check_classes
from rsgan.geo.maps import as_dataset
from rsgan.metrics.density_ratio import ClassFigures, Side, class_figures
from rsgan.metrics.land_cover import MIXED
from rsgan.model import choose_device, open_model
from rsgan.nn.discriminators import PatchGeometry
from rsgan.radiometry import DTYPES, SAR_INPUT_DTYPES

if TYPE_CHECKING:
    import pandas as pd

    from rsgan.geo.coordinates import Labelled
    from rsgan.geo.maps import Dataset

REAL, GENERATED = "real", "generated"
ALL = 0
"""Number of the class of all patches, in the figures of the whole scene."""


@dataclass(frozen=True)
class Look:
    """Pictures of a diagnosis.

    Attributes:
        captions: of pictures, by what they show.
        alike: groups of them that share their colours.
        channels: shown as red, green and blue.
        real: what the better candidates are called.
        generated: what the others are called.
        overview: (C, rows, columns) mean of the generated picture in every cell.
        views: places to be looked at.
    """

    captions: dict[str, str]
    alike: tuple[tuple[str, ...], ...]
    channels: tuple[int, int, int]
    real: str
    generated: str
    overview: NDArray[np.float32]
    views: tuple[View, ...]


@dataclass(frozen=True)
class Diagnosis:
    """What was found.

    Attributes:
        card: of the model.
        paths: the rasters by what they are.
        settings: as given.
        meaning: of the logits.
        geometry: of the patches, candidate pixels.
        grid: where the cells lie.
        scores: logits and log density ratios of every cell.
        landcover: the class of every patch; None without.
        classes: figures by class; empty without a reference or without classes.
        whole: figures of all patches as one class; None without a reference.
        look: pictures, and what they and the candidates are called.
        reliability: before and after calibration; empty where the logits are no density ratios.
        notes: what the user must be told.
    """

    card: ModelCard
    paths: dict[str, str]
    settings: Settings
    meaning: Meaning
    geometry: PatchGeometry
    grid: Grid
    scores: GroundScores
    landcover: Landcover | None
    classes: tuple[ClassFigures, ...]
    whole: ClassFigures | None
    look: Look
    reliability: dict[str, Reliability] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def name_of(self, number: int) -> str:
        """What a class is called."""
        return "all" if self.landcover is None else self.landcover.name_of(number)

    def verdicts(self) -> Iterator[str]:
        """A sentence for every class of which something may be said."""
        for one in self.classes:
            if one.told_apart:
                yield (
                    f"{self.name_of(one.number)}: the {self.look.generated} is told from {self.look.real} (AUROC "
                    f"{one.auroc.value:.2f}, {one.auroc.low:.2f} to {one.auroc.high:.2f}; p {one.p_auroc:.2g})"
                )
        if self.landcover is not None and self.whole is not None and not self.classes:
            yield f"no patch has {self.settings.purity:.0%} of one class; nothing is said of classes"
        few = [self.name_of(one.number) for one in self.classes if not one.enough]
        if few:
            yield f"too few independent patches for a verdict: {', '.join(few)}"

    @property
    def dataset(self) -> Dataset:
        """Logits, log density ratios where they are known, and classes, on the grid of cells."""
        maps: dict[str, NDArray[Any]] = {f"logit_{kind}": values for kind, values in self.scores.logits.of.items()}
        if self.meaning.log_ratio is not None:
            maps |= {f"log_ratio_{kind}": values for kind, values in self.scores.ratios.of.items()}
        if self.landcover is not None:
            maps["class"] = self.landcover.classes
        return as_dataset(maps, self.grid, self.tags)

    @property
    def table(self) -> pd.DataFrame:
        """Figures, a row per class."""
        import pandas as pd

        return pd.DataFrame([self._row(one) for one in self.classes])

    def _row(self, one: ClassFigures) -> dict[str, Any]:
        return row_of(one, self.name_of(one.number)) | {"area_ha": self.area_ha(one)}

    def area_ha(self, one: ClassFigures) -> float:
        """Ground of the counted patches of a class, hectares; nan where the pixels' size is not known."""
        metres = self.grid.gsd_m()
        return np.nan if metres is None else one.patches[0] * metres[0] * metres[1] / 10_000

    @property
    def tags(self) -> dict[str, str]:
        """What rasters of logits say of themselves."""
        judge = "fresh, cross-fitted" if self.settings.refit else "left over from training"
        return {
            "RSGAN_MODEL": self.card.name,
            "RSGAN_OBJECTIVE": self.meaning.objective,
            "RSGAN_LOGIT": self.meaning.says,
            "RSGAN_DISCRIMINATOR": judge,
            "RSGAN_RECEPTIVE_FIELD": f"{self.geometry.side} pixels of the enhanced raster, centred on the cell",
            "RSGAN_INSTANCE_NOISE": f"{self.settings.noise:g} network units",
            "RSGAN_CALIBRATION": self.settings.calibration if self.reliability else "none",
        }

    def to_json(self) -> dict[str, Any]:
        """Plain values for json.dumps; null for what is not a finite number."""
        rows = [self._row(one) for one in self.classes]
        return plain(
            {
                "rasters": self.paths,
                "model": self.card.name,
                "settings": settings_of(self.settings),
                "logits": self.tags,
                "classes": rows,
                "all": None if self.whole is None else row_of(self.whole, "all"),
                "calibration_error": {name: one.error for name, one in self.reliability.items()},
                "held_out_loss": [one.loss for one in self.scores.learnt],
                "verdicts": list(self.verdicts()),
                "notes": self.notes,
            }
        )


def diagnose(
    observed: str | Path | Labelled | Sequence[str | Path],
    *,
    model: str | Path = "s2-rgbn-x2",
    reference: str | Path | Labelled | None = None,
    enhanced: str | Path | Labelled | None = None,
    reading: Reading | SarReading | None = None,
    settings: Settings | None = None,
    work: Path | None = None,
    progress: Progress | None = None,
) -> Diagnosis:
    """Ask a discriminator where a generator falls short; the Python twin of `rsgan diagnose`.

    Rasters are paths or xarray arrays, each by itself.

    Args:
        observed: what the generator is given; several paths where it is one per band.
        model: zoo name or path of a model for super-resolution or despeckling.
        reference: what the enhanced raster should equal; without it, only generated patches get logits. Despeckling
            needs none: its ratio image is judged beside fresh speckle.
        enhanced: what the generator made of it; None makes it, in `work`.
        reading: how the files are read; `SarReading` for despeckling.
        settings: how.
        work: folder for an enhanced raster that has to be made; None throws it away.
        progress: called with (windows done, windows in all).

    Raises:
        RsganError: one of its children says which file or flag is wrong, and the way out.
    """
    settings, found = settings or Settings(), open_model(model)
    if settings.landcover not in (None, "indices"):
        _check_landcover(Path(str(settings.landcover)), settings.legend)
    radar = found.card.task == "despeckle"
    reading = reading or (SarReading() if radar else Reading())
    given = {"observed": observed, "reference": reference, "enhanced": enhanced}
    with ExitStack() as opening:
        files = opening.enter_context(as_files(given, SAR_INPUT_DTYPES if radar else DTYPES))
        work = work or Path(opening.enter_context(TemporaryDirectory()))
        paths = files.paths
        asked = Asked(
            found, as_paths(paths["observed"]), paths["reference"], paths["enhanced"], reading, settings, work, progress
        )
        case = opening.enter_context(opened(asked))
        landcover = _landcover(case.ground, found.card, settings)
        scores, meaning = _scores(case, found.card, settings, progress)
        told = {role: files.names.get(path, path) for role, path in case.paths.items()}
        return _concluded(found.card, replace(case, paths=told), settings, meaning, scores, landcover)


def _check_landcover(path: Path, legend: str | None) -> None:
    """Refuse what cannot tell land cover, before anything is enhanced.

    Raises:
        RsganError: one of its children says what is wrong.
    """
    if not path.is_dir():
        check_classes(str(path))
        return
    if legend is not None:
        raise ConfigError(f"--legend names the classes of a raster; the network in {path} names its own. Leave it out.")
    open_network(path)


def _landcover(ground: Ground, card: ModelCard, settings: Settings) -> Landcover | None:
    if settings.landcover is None:
        return None
    if settings.landcover == "indices":
        if card.task == "despeckle":
            raise ConfigError("--landcover indices needs optical bands, and radar has none. Give a raster of classes.")
        return of_indices(ground, card.sensor, settings.purity)
    if Path(settings.landcover).is_dir():
        return of_network(ground, Path(settings.landcover), choose_device(settings.device), settings.purity)
    return of_map(ground, settings.landcover, settings.legend, settings.purity)


def _scores(case: Case, card: ModelCard, settings: Settings, progress: Progress | None) -> tuple[GroundScores, Meaning]:
    """Logits and log density ratios of every cell, and what they mean."""
    device, ground, way = choose_device(settings.device), case.ground, settings.calibration
    if case.judge is None:
        fresh = refit_ground(ground, settings.fresh, case.build, way=way, device=device, progress=progress)
        return fresh, meaning_of("non-saturating")
    meaning, network, paired = (
        meaning_of(card.objective, card.real_label, augmented=card.augmented, instance_noise=card.instance_noise),
        case.judge.to(device),
        len(ground.kinds) == 2,
    )
    blocks = Blocks.of(ground, FOLDS if paired else 1, settings.seed)
    logits = dense_logits(ground, lambda _: network, device=device, progress=progress)
    counted, ratios = logits.known, logits
    if meaning.log_ratio is not None:
        known = {kind: np.isfinite(found) for kind, found in logits.of.items()}
        told = {kind: meaning.ratios(found).astype(np.float32) for kind, found in logits.of.items()}
        ratios = LogitMaps({kind: np.where(known[kind], told[kind], np.float32(np.nan)) for kind in told})
        if paired and counted.any():
            ratios = calibrated(ratios, blocks, counted, way)
    return GroundScores(logits, ratios, blocks, counted), meaning


def _concluded(
    card: ModelCard,
    case: Case,
    settings: Settings,
    meaning: Meaning,
    scores: GroundScores,
    landcover: Landcover | None,
) -> Diagnosis:
    ground = case.ground
    classes: tuple[ClassFigures, ...] = ()
    whole, trust, density = None, {}, meaning.log_ratio is not None
    if len(ground.kinds) == 2:
        if not scores.counted.any():
            raise ConfigError(
                f"no patch of {ground.geometry.side} pixels lies on data alone in all rasters. Take a larger scene, or "
                "one with fewer holes."
            )
        sides = _sides(scores, np.full(ground.shape, ALL), scores.counted)
        (whole,) = class_figures(*sides, density=density, shares=False, seed=settings.seed)
        if density:
            raw = [meaning.ratios(scores.logits.of[kind][scores.counted]) for kind in (REAL, GENERATED)]
            trust = {
                "as learnt": reliability(raw[0], raw[1]),
                "calibrated": reliability(sides[0].scores, sides[1].scores),
            }
        if landcover is not None:
            chosen = scores.counted & (landcover.classes != MIXED)
            if chosen.any():
                classes = class_figures(
                    *_sides(scores, landcover.classes, chosen), density=density, shares=False, seed=settings.seed
                )
    look = Look(
        case.captions, case.alike, case.channels, case.real, case.generated, views.whole(ground),
        _views(ground, scores, landcover, classes),
    )  # fmt: skip
    return Diagnosis(
        card, case.paths, settings, meaning, ground.geometry, ground.grid, scores, landcover, classes, whole, look,
        trust, (*case.notes, *meaning.warnings),
    )  # fmt: skip


def _views(
    ground: Ground, scores: GroundScores, landcover: Landcover | None, classes: tuple[ClassFigures, ...]
) -> tuple[View, ...]:
    """Telling places of the classes that are told apart best, or of the whole scene."""
    if len(ground.kinds) < 2:
        return ()
    if landcover is None:
        return views.telling(ground, scores, {"all": np.ones(ground.shape, dtype=bool)})
    order = sorted((one for one in classes if one.enough), key=lambda one: -one.auroc.value)
    cells = {landcover.name_of(one.number): landcover.classes == one.number for one in order}
    return views.telling(ground, scores, cells)


def _sides(scores: GroundScores, classes: NDArray[np.int64], chosen: NDArray[np.bool_]) -> tuple[Side, Side]:
    numbers = scores.blocks.numbers[chosen]
    real, generated = (
        Side(scores.ratios.of[kind][chosen].astype(np.float64), classes[chosen], numbers) for kind in (REAL, GENERATED)
    )
    return real, generated


def save_maps(found: Diagnosis, folder: Path) -> list[Path]:
    """Write logits (or log density ratios where they are known) as rasters; real, generated and their difference.

    Raises:
        OutputError: one cannot be written.
    """
    maps = dict(found.scores.ratios.of)
    if REAL in maps and GENERATED in maps:
        maps["difference"] = maps[REAL] - maps[GENERATED]
    what = "log density ratio" if found.meaning.log_ratio is not None else "logit"
    written = []
    for kind, values in maps.items():
        path = folder / f"{kind}.tif"
        with RasterWriter(
            path, grid=found.grid, count=1, dtype="float32", nodata=float("nan"), descriptions=[f"{what}, {kind}"],
            tags=found.tags, overwrite=True,
        ) as writer:  # fmt: skip
            writer.write(values[None].astype(np.float32), found.grid.window)
        written.append(path)
    return written
