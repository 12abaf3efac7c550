"""A diagnosis: where and in which classes what was generated is told from references."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rsgan.card import ModelCard
from rsgan.diagnose import views
from rsgan.diagnose.blocks import Blocks, GroundScores, calibrated, refit_ground
from rsgan.diagnose.calibration import Reliability, Way, reliability
from rsgan.diagnose.ground import Ground
from rsgan.diagnose.landcover import MIXED, PURITY, Landcover, of_indices, of_map
from rsgan.diagnose.logits import LogitMaps, Progress, dense_logits
from rsgan.diagnose.meaning import Meaning, meaning_of
from rsgan.diagnose.refit import Refit
from rsgan.diagnose.views import View
from rsgan.enhance.choice import open_scene
from rsgan.enhance.options import Options, Reading
from rsgan.enhance.statistics import scene_statistics
from rsgan.enhance.superres import prepare
from rsgan.errors import ConfigError, ModelError
from rsgan.geo import Grid, RasterWriter
from rsgan.geo.classes import check_classes
from rsgan.geo.maps import as_dataset
from rsgan.metrics.density_ratio import ClassFigures, Side, class_figures
from rsgan.model import Device, Model, choose_device, open_model
from rsgan.nn.discriminators import (
    Discriminator,
    PatchDiscriminator,
    PatchDiscriminatorConfig,
    PatchGeometry,
    patch_geometry,
)

if TYPE_CHECKING:
    import pandas as pd

    from rsgan.geo.maps import Dataset

REAL, GENERATED = "real", "generated"
ALL = 0
"""Number of the class of all patches, in the figures of the whole scene."""
FOLDS = 4
"""Of blocks, where a discriminator left over from training is calibrated."""


NARROWEST = 4
"""Least width of a fresh discriminator's first layer."""


@dataclass(frozen=True)
class Settings:
    """How a diagnosis is made; all of it is written into the result.

    Attributes:
        landcover: raster of classes, "indices" for NDVI, NDWI and brightness, or None for no classes.
        legend: name or CSV file of the raster's classes; None finds it out.
        purity: share of a patch that its class has to have.
        refit: updates of a fresh discriminator per fold; 0 asks the one left over from training.
        noise: standard deviation of the instance noise of a fresh discriminator, network units.
        channels: its width.
        calibration: of log density ratios on held-out blocks.
        sharpness: of the enhancement, where the enhanced raster is not given.
        device: where to compute.
        seed: of folds, batches, noise and bootstrap.
    """

    landcover: str | Path | None = None
    legend: str | None = None
    purity: float = PURITY
    refit: int = 0
    noise: float = 0.0
    channels: int = 16
    calibration: Way = "platt"
    sharpness: float | None = None
    device: Device = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be meant, whatever the scene.

        Raises:
            ConfigError: naming the flag.
        """
        if not 0.5 < self.purity <= 1:
            raise ConfigError(f"--purity {self.purity:g}: expected above 0.5 (a majority) up to 1.")
        if self.refit < 0:
            raise ConfigError(f"--refit {self.refit}: expected updates, 0 for none; some hundreds are usual.")
        if self.channels < NARROWEST:
            raise ConfigError(f"--channels {self.channels}: give at least {NARROWEST}.")
        if self.noise and not self.refit:
            raise ConfigError("--noise is for a fresh discriminator. Give --refit too, or leave --noise out.")
        if self.legend is not None and self.landcover in (None, "indices"):
            raise ConfigError("--legend names the classes of a raster. Give that raster with --landcover.")

    @property
    def fresh(self) -> Refit:
        """How a fresh discriminator is learnt."""
        return Refit(updates=self.refit, folds=FOLDS, noise=self.noise, channels=self.channels, seed=self.seed)


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
        overview: (C, rows, columns) mean reflectance of the enhanced raster in every cell.
        views: places to be looked at.
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
    overview: NDArray[np.float32]
    views: tuple[View, ...]
    reliability: dict[str, Reliability] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def name_of(self, number: int) -> str:
        """What a class is called."""
        return "all" if self.landcover is None else self.landcover.names.get(number, f"class {number}")

    def verdicts(self) -> Iterator[str]:
        """A sentence for every class of which something may be said."""
        for one in self.classes:
            if one.told_apart:
                yield (
                    f"{self.name_of(one.number)}: what the model makes is told from references (AUROC "
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
        row: dict[str, Any] = {"class": one.number, "name": self.name_of(one.number), "patches": one.patches[0]}
        row |= {"effective": min(one.effective), "enough": one.enough}
        row |= {"median": one.median, "spread": one.spread}
        for name in ("mean", "auroc", "kl", "jsd"):
            estimate = getattr(one, name)
            row |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
        return row | {"p_auroc": one.p_auroc, "told_apart": one.told_apart}

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
        }

    def to_json(self) -> dict[str, Any]:
        """Plain values for json.dumps; null for what is not a finite number."""
        rows = [self._row(one) for one in self.classes]
        found = {
            "rasters": self.paths,
            "model": self.card.name,
            "settings": {
                key: str(value) if isinstance(value, Path) else value for key, value in vars(self.settings).items()
            },
            "logits": self.tags,
            "classes": rows,
            "all": None if self.whole is None else self._row(self.whole),
            "calibration_error": {name: one.error for name, one in self.reliability.items()},
            "held_out_loss": [one.loss for one in self.scores.learnt],
            "verdicts": list(self.verdicts()),
            "notes": self.notes,
        }
        plain: dict[str, Any] = json.loads(json.dumps(found, default=_plain), parse_constant=lambda _: None)
        return plain


def _plain(value: object) -> object:
    """Numpy's numbers as Python's."""
    return value.item() if isinstance(value, np.generic) else str(value)


def diagnose(
    observed: str | Path | Sequence[str | Path],
    *,
    model: str | Path = "s2-rgbn-x2",
    reference: str | Path | None = None,
    enhanced: str | Path | None = None,
    reading: Reading | None = None,
    settings: Settings | None = None,
    work: Path | None = None,
    progress: Progress | None = None,
) -> Diagnosis:
    """Ask a discriminator where a generator falls short.

    Args:
        observed: what the generator is given.
        model: zoo name or path of a super-resolution model.
        reference: what the enhanced raster should equal; without it, only generated patches get logits.
        enhanced: what the generator made of it; None makes it, in `work`.
        reading: how the files are read.
        settings: how.
        work: folder for an enhanced raster that has to be made; None throws it away.
        progress: called with (windows done, windows in all).

    Raises:
        RsganError: one of its children says which file or flag is wrong, and the way out.
    """
    settings, reading = settings or Settings(), reading or Reading()
    if settings.landcover not in (None, "indices"):
        check_classes(str(settings.landcover))
    sources = [observed] if isinstance(observed, str | Path) else list(observed)
    opened = open_model(model)
    card, judge = _judge(opened, fresh=bool(settings.refit))
    if settings.refit and reference is None:
        raise ConfigError("--refit needs references to tell from what is generated. Give --reference, or leave it out.")
    with ExitStack() as opening:
        if enhanced is None:
            enhanced = (work or Path(opening.enter_context(TemporaryDirectory()))) / "enhanced.tif"
            options = Options(sharpness=settings.sharpness, device=settings.device, overwrite=True)
            with prepare(sources, enhanced, model=model, reading=reading, options=options) as job:
                job.run(progress)
        candidates = {REAL: reference, GENERATED: enhanced}
        paths = {"observed": " ".join(map(str, sources)), "reference": reference, "enhanced": enhanced}
        ground = opening.enter_context(_ground(sources, candidates, opened, reading, settings))
        landcover = _landcover(ground, card, settings)
        scores, meaning = _scores(ground, card, judge, settings, progress)
        return _concluded(
            opened, {role: str(path) for role, path in paths.items() if path is not None}, settings, meaning, ground,
            scores, landcover,
        )  # fmt: skip


def _judge(model: Model, *, fresh: bool) -> tuple[ModelCard, Discriminator | None]:
    """The discriminator of a model, if it is to be asked.

    Raises:
        ModelError: it is for another task, or holds no discriminator.
    """
    card = model.card
    if card.task != "superres" or card.guide or card.any_band:
        kind = "for any band" if card.any_band else "guided by finer bands" if card.guide else ""
        kind = kind if card.task == "superres" else f"for {card.task}"
        raise ModelError(f"--model {card.name} is {kind}; diagnoses are of super-resolution of certain bands by now.")
    if fresh:
        return card, None
    if card.discriminator is None:
        raise ModelError(f"--model {card.name} holds no discriminator. Give --refit, which trains one.")
    return card, model.discriminator()


@contextmanager
def _ground(
    sources: Sequence[str | Path],
    candidates: dict[str, str | Path | None],
    model: Model,
    reading: Reading,
    settings: Settings,
) -> Iterator[Ground]:
    card = model.card
    with ExitStack() as opening:
        scene = opening.enter_context(open_scene(sources, card, reading))
        scaling = scene_statistics(scene, card).scaling
        others = {
            kind: opening.enter_context(open_scene([path], card, reading))
            for kind, path in candidates.items()
            if path is not None
        }
        yield Ground(scene, others, card.scale, scaling, patch_geometry(_layers(card, settings)))


def _layers(card: ModelCard, settings: Settings) -> PatchDiscriminatorConfig:
    """The architecture of whoever judges."""
    found = card.discriminator
    if not settings.refit and isinstance(found, PatchDiscriminatorConfig):
        return found
    strided = found.strided if found is not None else 2
    return PatchDiscriminatorConfig(
        bands=len(card.bands), scale=card.scale, channels=settings.channels, strided=strided, spectral_norm=True
    )


def _landcover(ground: Ground, card: ModelCard, settings: Settings) -> Landcover | None:
    if settings.landcover is None:
        return None
    if settings.landcover == "indices":
        return of_indices(ground, card.sensor, settings.purity)
    return of_map(ground, settings.landcover, settings.legend, settings.purity)


def _scores(
    ground: Ground, card: ModelCard, judge: Discriminator | None, settings: Settings, progress: Progress | None
) -> tuple[GroundScores, Meaning]:
    """Logits and log density ratios of every cell, and what they mean."""
    device, paired = choose_device(settings.device), len(ground.candidates) == 2
    if judge is None:
        found = refit_ground(
            ground, settings.fresh, _layers(card, settings), way=settings.calibration, device=device, progress=progress
        )
        return found, meaning_of("non-saturating")
    if not isinstance(judge, PatchDiscriminator):
        raise ModelError(f"{card.name} has a discriminator of another kind than super-resolution has.")
    meaning, network = meaning_of(card.objective, card.real_label), judge.to(device)
    logits = dense_logits(ground, lambda _: network, device=device, progress=progress)
    blocks, counted, ratios = Blocks.of(ground, FOLDS if paired else 1, settings.seed), logits.known, logits
    if meaning.log_ratio is not None:
        ratios = LogitMaps({k: meaning.ratios(v.astype(np.float64)).astype(np.float32) for k, v in logits.of.items()})
        ratios = LogitMaps({k: np.where(np.isfinite(logits.of[k]), v, np.nan) for k, v in ratios.of.items()})
        if paired and counted.any():
            ratios = calibrated(ratios, blocks, counted, settings.calibration)
    return GroundScores(logits, ratios, blocks, counted), meaning


def _concluded(
    model: Model,
    paths: dict[str, str],
    settings: Settings,
    meaning: Meaning,
    ground: Ground,
    scores: GroundScores,
    landcover: Landcover | None,
) -> Diagnosis:
    classes: tuple[ClassFigures, ...] = ()
    whole, trust, density = None, {}, meaning.log_ratio is not None
    if len(ground.candidates) == 2:
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
    return Diagnosis(
        model.card, paths, settings, meaning, ground.geometry, ground.grid, scores, landcover, classes, whole,
        views.whole(ground, GENERATED), _views(ground, scores, landcover, classes), trust,
        (*ground.observed.notes, *meaning.warnings),
    )  # fmt: skip


def _views(
    ground: Ground, scores: GroundScores, landcover: Landcover | None, classes: tuple[ClassFigures, ...]
) -> tuple[View, ...]:
    """Telling places of the classes that are told apart best, or of the whole scene."""
    if len(ground.candidates) < 2:
        return ()
    if landcover is None:
        return views.telling(ground, scores, {"all": np.ones(ground.shape, dtype=bool)})
    order = sorted((one for one in classes if one.enough), key=lambda one: -one.auroc.value)
    cells = {landcover.names.get(one.number, f"class {one.number}"): landcover.classes == one.number for one in order}
    return views.telling(ground, scores, cells)


def _sides(scores: GroundScores, classes: NDArray[np.int64], chosen: NDArray[np.bool_]) -> tuple[Side, Side]:
    numbers = scores.blocks.numbers[chosen]
    real, generated = (
        Side(scores.ratios.of[kind][chosen].astype(np.float64), classes[chosen], numbers) for kind in (REAL, GENERATED)
    )
    return real, generated


def save_maps(found: Diagnosis, folder: Path, *, overwrite: bool) -> list[Path]:
    """Write logits (or log density ratios where they are known) as rasters; real, generated and their difference.

    Raises:
        OutputError: one exists already or cannot be written.
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
            tags=found.tags, overwrite=overwrite,
        ) as writer:  # fmt: skip
            writer.write(values[None].astype(np.float32), found.grid.window)
        written.append(path)
    return written
