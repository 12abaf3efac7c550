"""Chips of classes, or of the classes of a map, from a model into a folder."""

from __future__ import annotations

import csv
import json
import os
import shutil
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rsgan.card import Domain, ModelCard, folder_of
from rsgan.errors import ConfigError, ModelError, OutputError, RsganWarning
from rsgan.geo.synthetic import PATTERN, REFLECTANCE_SCALE, write_chip
from rsgan.model import Device, Model, choose_device, open_model
from rsgan.nn.generators import SynthesisConfig, SynthesisGenerator
from rsgan.nn.generators.synthesis.sampling import noise_of, sample
from rsgan.report.sheet import save_sheet, thumbnails
from rsgan.synthesis.maps import read_map

Progress = Callable[[int, int], None]
INDEX, LABELS, SHEET = "index.json", "labels.csv", "contact_sheet.png"
MODEL = "synth-landcover"
"""The model of the package that is taken where none is named."""
SHOWN = 16
"""Chips of a class in the contact sheet."""
AT_ONCE = 32
"""Chips that are made together."""
MOST = 1_000_000
"""Chips that one call makes."""
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Options:
    """How chips are made.

    Attributes:
        seed: chip number i of a class depends on it and on i only.
        truncation: see `sampling.sample`; None truncates nothing.
        device: where to compute.
        overwrite: whether a folder that rsgan synthesize made may be replaced.
    """

    seed: int = 0
    truncation: float | None = None
    device: Device = "auto"
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.truncation is not None and not 0 < self.truncation <= 10:
            raise ConfigError(f"--truncation {self.truncation:g} is outside of 0 .. 10. Usual is 0.7.")
        if self.seed < 0:
            raise ConfigError(f"--seed {self.seed} is below 0. Give a whole number from 0.")


@dataclass(frozen=True)
class Synthesized:
    """What was made.

    Attributes:
        folder: that holds it.
        chips: paths of the chips.
        classes: of each chip; its most frequent class, where a map was given.
    """

    folder: Path
    chips: tuple[Path, ...]
    classes: tuple[str, ...]


class SynthesisJob:
    """Chips to be made, checked before anything is computed; use it in a `with` statement."""

    def __init__(
        self, model: Model, out: Path, wanted: Mapping[str, int], of_map: NDArray[np.int64] | None, options: Options
    ) -> None:
        self.model, self.out, self.wanted, self.of_map, self.options = model, out, dict(wanted), of_map, options
        self.notes = tuple(_notes(model.card))
        _check_folder(out, overwrite=options.overwrite)
        self.partial = out.absolute().with_name(f".{out.name}.partial-{os.getpid()}")

    def __enter__(self) -> SynthesisJob:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self.partial, ignore_errors=True)

    @property
    def card(self) -> ModelCard:
        """Of the model."""
        return self.model.card

    @property
    def domain(self) -> Domain:
        """What the model makes."""
        if self.card.target is None:
            raise ModelError(f"{self.card.name}: its card names no target.")
        return self.card.target

    @cached_property
    def generator(self) -> SynthesisGenerator:
        """On its device."""
        return generator_of(self.model, self.options.device)

    def run(self, progress: Progress | None = None) -> Synthesized:
        """Make and write everything.

        Raises:
            OutputError: the disk is full or cannot be written; then nothing is left.
        """
        try:
            self.partial.mkdir(parents=True)
            chips, classes = self._write(progress)
            self._describe(chips, classes)
            if self.out.exists():
                shutil.rmtree(self.out)
            self.partial.replace(self.out)
        except OSError as error:
            raise OutputError(
                f"{self.out} cannot be written ({error}). Nothing was left behind. Free disk space, or give another "
                "folder with --out."
            ) from error
        return Synthesized(self.out, tuple(self.out / chip for chip in chips), tuple(classes))

    def _write(self, progress: Progress | None) -> tuple[list[Path], list[str]]:
        total, done = sum(self.wanted.values()), 0
        chips: list[Path] = []
        classes: list[str] = []
        groups = {}
        for name, count in self.wanted.items():
            (self.partial / folder_of(name)).mkdir(exist_ok=True)
            shown: list[Floats] = []
            for first in range(0, count, AT_ONCE):  # whole groups, so that a chip's last digit depends on no count
                numbers = range(first, min(first + AT_ONCE, count))
                for number, chip in zip(numbers, self.physical(name, range(first, first + AT_ONCE)), strict=False):
                    inside = Path(folder_of(name)) / f"{folder_of(name)}_{self.options.seed}_{number:06d}.tif"
                    self._write_one(inside, name, number, chip)
                    chips.append(inside)
                    classes.append(name)
                    if len(shown) < SHOWN:
                        shown.append(chip)
                done += len(numbers)
                if progress is not None:
                    progress(done, total)
            groups[f"{name}: {min(count, SHOWN)} of {count}"] = thumbnails(np.stack(shown), self.domain.colours)
        save_sheet(self.partial / SHEET, groups)
        return chips, classes

    def physical(self, name: str, numbers: range) -> Floats:
        """(N, bands, side, side) reflectance of chips of a class, or of the map, by their numbers."""
        images = sample(self.generator, self._noise(name, numbers), self._given(name, numbers), self.options.truncation)
        return self.domain.to_physical(images.numpy())

    def _noise(self, name: str, numbers: Sequence[int]) -> Tensor:
        place = self.card.classes.index(name) if name in self.card.classes else len(self.card.classes)
        return noise_of(self.generator, self.options.seed * 1009 + place, numbers)

    def _given(self, name: str, numbers: Sequence[int]) -> Tensor | None:
        if self.of_map is not None:
            return torch.from_numpy(self.of_map[[n % len(self.of_map) for n in numbers]])
        if self.generator.config.given == "nothing":
            return None
        return torch.full((len(numbers),), self.card.classes.index(name))

    def _write_one(self, inside: Path, name: str, number: int, chip: Floats) -> None:
        tags = {
            "RSGAN_MODEL": self.card.name,
            "RSGAN_MODEL_SHA256": self.model.sha256,
            "RSGAN_CLASS": name,
            "RSGAN_SEED": str(self.options.seed),
            "RSGAN_NUMBER": str(number),
            "RSGAN_TRUNCATION": "none" if self.options.truncation is None else f"{self.options.truncation:g}",
        }
        labels = None if self.of_map is None else (self.of_map[number % len(self.of_map)] + 1).astype(np.uint8)
        write_chip(self.partial / inside, chip, self.domain.bands, tags, self.card.gsd_m, labels)

    def _describe(self, chips: Sequence[Path], classes: Sequence[str]) -> None:
        """Labels for programs, and one JSON in the manner of STAC: an item without geometry, as it lies nowhere."""
        with (self.partial / LABELS).open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(("path", "class"))
            rows.writerows((chip.as_posix(), name) for chip, name in zip(chips, classes, strict=True))
        item: dict[str, object] = {
            "type": "Feature",
            "stac_version": "1.0.0",
            "id": self.out.name,
            "geometry": None,
            "properties": {
                "datetime": datetime.now(UTC).isoformat(timespec="seconds"),
                "gsd": self.card.gsd_m,
                "rsgan:synthetic": True,
                "rsgan:shows": "no ground that exists",
                "rsgan:model": self.card.name,
                "rsgan:model_sha256": self.model.sha256,
                "rsgan:trained_on": list(self.card.training_data),
                "rsgan:limits": list(self.card.limits),
                "rsgan:licence": self.card.licence,
                "rsgan:seed": self.options.seed,
                "rsgan:truncation": self.options.truncation,
                "rsgan:chips": dict(self.wanted),
                "rsgan:classes": list(self.card.classes),
                "rsgan:watermark": f"last bits of all bands follow a pattern of {PATTERN} x {PATTERN} pixels",
                "eo:bands": [{"name": band} for band in self.domain.bands],
                "raster:scale": 1 / REFLECTANCE_SCALE,
            },
            "links": [],
            "assets": {
                "labels": {"href": LABELS, "type": "text/csv"},
                "overview": {"href": SHEET, "type": "image/png"},
            },
        }
        (self.partial / INDEX).write_text(json.dumps(item, indent=2) + "\n", encoding="utf-8")


def generator_of(model: Model, device: Device) -> SynthesisGenerator:
    """The generator of a model, on its device.

    Raises:
        ModelError: it is of another task.
    """
    config_of(model.card)
    generator = model.generator()
    return cast(SynthesisGenerator, generator).to(choose_device(device))


def config_of(card: ModelCard) -> SynthesisConfig:
    """The architecture of a model's generator.

    Raises:
        ModelError: it is of another task.
    """
    if not isinstance(card.generator, SynthesisConfig):
        raise ModelError(f"{card.name} is for {card.task}, not for synthesis. Take {MODEL}, or train one: rsgan train.")
    return card.generator


def prepare(
    out: str | Path,
    classes: Mapping[str, int] | int | None = None,
    *,
    model: str | Path = MODEL,
    of_map: str | Path | None = None,
    options: Options | None = None,
) -> SynthesisJob:
    """Check what is asked for.

    Args:
        out: folder to make.
        classes: chips of each class; or of every class; or, for a map, of each of its pieces.
        model: name or file of a model of task synthesize.
        of_map: raster of classes, numbered as in the card from 1, for models that are given maps.
        options: how chips are made.

    Raises:
        RsganError: the model is of another task, a class is unknown, or the folder is in use.
    """
    opened, options = open_model(model), options or Options()
    card = opened.card
    config = config_of(card)
    given = config.given
    if (given == "map") != (of_map is not None):
        raise ConfigError(
            f"{card.name} makes chips of a map of classes; give one with --map."
            if given == "map"
            else f"--map: {card.name} is given {given}, not a map. Give --classes, or a model that takes maps."
        )
    if of_map is not None:
        pieces = read_map(str(of_map), config.side, len(card.classes))
        each = classes if isinstance(classes, int) else 1
        return SynthesisJob(opened, Path(out), {Path(of_map).stem: each * len(pieces)}, pieces, options)
    return SynthesisJob(opened, Path(out), _counted(card, classes, given), None, options)


def _counted(card: ModelCard, classes: Mapping[str, int] | int | None, given: str) -> dict[str, int]:
    known = card.classes if given == "class" else ("any",)
    counts = classes if isinstance(classes, Mapping) else dict.fromkeys(known, 16 if classes is None else classes)
    unknown = [name for name in counts if name not in known]
    if unknown:
        raise ConfigError(f"--classes: {card.name} knows no {', '.join(unknown)}; it makes {', '.join(known)}.")
    wrong = {name: count for name, count in counts.items() if count < 1}
    if wrong or not counts or sum(counts.values()) > MOST:
        raise ConfigError(f"--classes {counts}: expected 1 or more chips of each class, at most {MOST:,} in all.")
    return dict(counts)


def synthesize(
    out: str | Path,
    classes: Mapping[str, int] | int | None = None,
    *,
    model: str | Path = MODEL,
    of_map: str | Path | None = None,
    progress: Progress | None = None,
    seed: int = 0,
    truncation: float | None = None,
    device: Device = "auto",
    overwrite: bool = False,
) -> Synthesized:
    """Make synthetic chips: GeoTIFFs of 16 bits that are marked as synthetic, with labels and a contact sheet.

    Args:
        out: folder to make.
        classes: chips of each class, like {"water": 100}; or one number for every class  (default: 16).
        model: name or file of a model of task synthesize.
        of_map: raster of classes, numbered as in the card from 1, for models that are given maps.
        progress: called with (chips made, chips in all).
        seed: chip number i of a class depends on it and on i only.
        truncation: below 1, chips that are more usual and less varied; None truncates nothing.
        device: where to compute.
        overwrite: whether a folder that was made so before may be replaced.

    Raises:
        RsganError: the model is of another task, a class is unknown, or the folder is in use.
    """
    options = Options(seed, truncation, device, overwrite)
    with prepare(out, classes, model=model, of_map=of_map, options=options) as job:
        for note in job.notes:
            warnings.warn(note, RsganWarning, stacklevel=2)
        return job.run(progress)


def _notes(card: ModelCard) -> Sequence[str]:
    return [f"{card.name}: {limit}" for limit in card.limits[:1]]


def _check_folder(out: Path, *, overwrite: bool) -> None:
    """Refuse to write into what is not ours.

    Raises:
        OutputError: saying so.
    """
    if not out.absolute().parent.is_dir():
        raise OutputError(f"--out {out}: folder {out.absolute().parent} does not exist. Create it first.")
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    ours = out.is_dir() and (out / INDEX).is_file() and '"rsgan:synthetic": true' in (out / INDEX).read_text("utf-8")
    if not ours:
        raise OutputError(f"--out {out} holds other files, which stay as they are. Give a folder that is new or empty.")
    if not overwrite:
        raise OutputError(f"--out {out} holds synthetic chips already. Give --overwrite to replace them, or another.")
