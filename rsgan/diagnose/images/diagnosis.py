"""A diagnosis of free images: which classes are made too rarely or too often, and which are badly made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from rsgan.diagnose.calibration import Reliability, reliability
from rsgan.diagnose.figures import estimates_of, plain, row_of, settings_of
from rsgan.diagnose.images.folders import Images, blocks_of, classes_by_folder, classes_by_indices, read_images
from rsgan.diagnose.images.judging import HeldOut, judge_images
from rsgan.diagnose.images.left_over import judge_by_model
from rsgan.diagnose.logits import Progress
from rsgan.diagnose.settings import Settings
from rsgan.enhance.options import Reading
from rsgan.errors import ConfigError, InputError
from rsgan.metrics.density_ratio import ClassFigures, Side, class_figures
from rsgan.model import choose_device, open_model
from rsgan.sensors.statistics import BandScaling

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("real", "generated")
UPDATES, BATCH = 400, 64
"""Of a fresh discriminator, where the user says nothing: updates per fold, and images of each kind in one."""


@dataclass(frozen=True)
class ImagesDiagnosis:
    """What was found.

    Attributes:
        folders: of both kinds.
        settings: as given.
        judge: who judged, in words.
        told_class: whether the generator is told which class to make, so that shares say nothing of it.
        images: of both kinds.
        classes: (N,) class of each image, of both kinds.
        names: of the classes, by number.
        scores: log density ratio of every image.
        figures: by class; empty where there is one class only.
        whole: figures of all images as one class.
        reliability: before and after calibration.
        notes: what the user must be told.
    """

    folders: tuple[Path, Path]
    settings: Settings
    judge: str
    told_class: bool
    images: tuple[Images, Images]
    classes: tuple[NDArray[np.int64], NDArray[np.int64]]
    names: Mapping[int, str]
    scores: HeldOut
    figures: tuple[ClassFigures, ...]
    whole: ClassFigures
    reliability: dict[str, Reliability]
    notes: tuple[str, ...]

    def share(self, number: int, kind: int) -> float:
        """Of a class among references (0) or generated images (1)."""
        return float((self.classes[kind] == number).mean())

    def verdicts(self) -> Iterator[str]:
        """A sentence for every class of which something may be said: how often it is made, and how well."""
        for one in self.figures:
            name = self.names[one.number]
            if one.too_rare or one.too_common:
                yield (
                    f"{name}: made too {'rarely' if one.too_rare else 'often'} ({self.share(one.number, 1):.1%} of "
                    f"the generated images, {self.share(one.number, 0):.1%} of the references; p {one.p_share:.2g})"
                )
            if one.told_apart:
                yield (
                    f"{name}: badly made, told from references (AUROC {one.auroc.value:.2f}, {one.auroc.low:.2f} to "
                    f"{one.auroc.high:.2f}; p {one.p_auroc:.2g})"
                )
        few = [self.names[one.number] for one in self.figures if not one.enough]
        if few:
            yield f"too few independent images to say how well they are made: {', '.join(few)}"

    @property
    def table(self) -> pd.DataFrame:
        """Figures, a row per class."""
        import pandas as pd

        return pd.DataFrame([self._row(one) for one in self.figures])

    def _row(self, one: ClassFigures) -> dict[str, Any]:
        row = row_of(one, self.names.get(one.number, "all"))
        row |= {"generated_images": one.patches[1]}
        row |= {f"share_{kind}": self.share(one.number, number) for number, kind in enumerate(KINDS)}
        row |= estimates_of(one, ("counted", "log_share"))
        return row | {"p_share": one.p_share, "too_rare": one.too_rare, "too_common": one.too_common}

    @property
    def per_image(self) -> pd.DataFrame:
        """Class and log density ratio, a row per image."""
        import pandas as pd

        parts = zip(KINDS, self.images, self.classes, (self.scores.real, self.scores.generated), strict=True)
        return pd.concat(
            [
                pd.DataFrame(
                    {
                        "file": [str(path) for path in images.paths],
                        "kind": kind,
                        "class": [self.names[int(number)] for number in classes],
                        "log_ratio": ratios,
                    }
                )
                for kind, images, classes, ratios in parts
            ]
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values for json.dumps; null for what is not a finite number."""
        return plain(
            {
                "folders": dict(zip(KINDS, map(str, self.folders), strict=True)),
                "settings": settings_of(self.settings),
                "judge": self.judge,
                "told_class": self.told_class,
                "images": [len(images.paths) for images in self.images],
                "classes": [self._row(one) for one in self.figures],
                "all": row_of(self.whole, "all"),
                "calibration_error": {name: one.error for name, one in self.reliability.items()},
                "held_out_loss": [one.loss for one in self.scores.learnt],
                "verdicts": list(self.verdicts()),
                "notes": self.notes,
            }
        )


def diagnose_images(
    real: str | Path,
    generated: str | Path,
    *,
    model: str | Path | None = None,
    told_class: bool = False,
    reading: Reading | None = None,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> ImagesDiagnosis:
    """Judge images that a generator made freely; what `rsgan diagnose --real DIR --generated DIR` does.

    A discriminator is learnt afresh, cross-fitted and calibrated, so it does not matter by which game or program the
    images were made. Subfolders name the classes of the images; or `settings.landcover` is "indices".

    Args:
        real: folder of references, all of one shape.
        generated: folder of generated images of the same bands and shape.
        model: whose discriminator, left over from training, judges them; None, or `settings.refit`, takes a fresh one.
        told_class: whether the generator is told which class to make: then shares are the user's, and are not judged.
        reading: how the files are read.
        settings: how; `refit` of 0 is taken for 400 updates.
        progress: called with (images read, of a folder), then with (folds learnt, of all).

    Raises:
        RsganError: one of its children says which file or setting is wrong, and the way out.
    """
    settings, reading = settings or Settings(), reading or Reading()
    if settings.landcover not in (None, "indices"):
        raise ConfigError(
            f"--landcover {settings.landcover}: of free images the class is the name of their subfolder, or 'indices'."
        )
    folders = Path(real), Path(generated)
    missing = [folder for folder in folders if not folder.is_dir()]
    if missing:
        raise InputError(f"{missing[0]} is no folder. Give one of rasters of one shape.")
    left_over = None if model is None or settings.refit else open_model(model)
    reflectance = left_over is not None or settings.landcover == "indices"
    both = [
        read_images(folder, reading, reflectance=reflectance, seed=settings.seed, progress=progress)
        for folder in folders
    ]
    _refuse_unlike(*both)
    classes, names = (
        classes_by_indices(both, settings.purity)
        if settings.landcover == "indices"
        else classes_by_folder(folders, both)
    )
    blocks, said = blocks_of(both), tuple[str, ...]()
    if left_over is None:
        settings = replace(settings, refit=settings.refit or UPDATES)
        judge, scores = "a discriminator learnt afresh", _judged_afresh(both, settings, blocks, progress)
    else:
        judge = f"the discriminator of {left_over.card.name}"
        scores, said = judge_by_model(
            left_over, both, classes, names, replace(settings, refit=UPDATES).fresh,
            blocks=blocks, way=settings.calibration, device=choose_device(settings.device),
        )  # fmt: skip
    ratios = scores.real, scores.generated
    sides = [Side(s, c, b) for s, c, b in zip(ratios, classes, blocks, strict=True)]
    together = [replace(side, classes=np.zeros_like(side.classes)) for side in sides]
    (whole,) = class_figures(together[0], together[1], density=True, shares=False, seed=settings.seed)
    figures: tuple[ClassFigures, ...] = ()
    if len(names) > 1:
        figures = class_figures(sides[0], sides[1], density=True, shares=not told_class, seed=settings.seed)
    trust = {"as learnt": reliability(*scores.raw), "calibrated": reliability(*ratios)}
    notes = [*said, *(note for images in both for note in images.notes)]
    if any(place is None for place in both[0].places):
        notes.append("references that do not say where they lie count as independent, each by itself")
    return ImagesDiagnosis(
        folders, settings, judge, told_class, (both[0], both[1]), classes, names, scores, figures, whole,
        trust, tuple(notes),
    )  # fmt: skip


def _judged_afresh(
    both: Sequence[Images],
    settings: Settings,
    blocks: tuple[NDArray[np.int64], NDArray[np.int64]],
    progress: Progress | None,
) -> HeldOut:
    network, how = _network_units(both), replace(settings.fresh, batch=BATCH)
    return judge_images(
        network[0], network[1], how, blocks=blocks, way=settings.calibration,
        device=choose_device(settings.device), progress=progress,
    )  # fmt: skip


def _refuse_unlike(real: Images, generated: Images) -> None:
    """Refuse folders of unlike images.

    Raises:
        InputError: naming one of each.
    """
    first, second = real.values.shape[1:], generated.values.shape[1:]
    if first != second or real.bands != generated.bands:
        raise InputError(
            f"{generated.paths[0]} is {' '.join(generated.bands)} of {second[1]} x {second[2]} pixels, "
            f"{real.paths[0]} {' '.join(real.bands)} of {first[1]} x {first[2]}; expected the same. Choose with "
            "--bands."
        )


def _network_units(both: Sequence[Images]) -> list[torch.Tensor]:
    """Each band in units of its spread among the references."""
    real = both[0].values
    centre, spread = real.mean((0, 2, 3), dtype=np.float64), real.std((0, 2, 3), dtype=np.float64)
    scaling = BandScaling(centre, np.maximum(spread, 1e-9))
    return [torch.from_numpy(scaling.to_network(images.values)) for images in both]
