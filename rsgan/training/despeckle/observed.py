"""Pairs of two observations of one ground: of two dates, of two random halves, or of a real and an imaginary part.

None of them is free of speckle. The loss is a likelihood, so its optimum is the mean intensity nevertheless.

Source: Lehtinen et al. 2018, arXiv:1803.04189 (learning from pairs of noisy images); Dalsasso et al. 2021,
doi:10.1109/JSTARS.2021.3071864 (pairs of dates with changes taken out).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from rsgan.errors import ConfigError
from rsgan.geo import Scene
from rsgan.model import open_model
from rsgan.nn.generators import DespeckleGenerator, SpeckleState
from rsgan.nn.symmetries import despeckled_passes
from rsgan.sensors.sar import centre_spectrum, draw_speckle, estimate_speckle, thin
from rsgan.training.chips import ChipSampler, turn
from rsgan.training.despeckle.batch import SpecklePairs
from rsgan.training.despeckle.config import (
    DatesData,
    DespeckleConfig,
    MerlinData,
    ObservedData,
    SarSource,
    ThinningData,
)
from rsgan.training.despeckle.synthetic import LEVEL_JITTER, as_pairs
from rsgan.training.tiles import Bounds, Tile, find_files

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Stack:
    """One polarisation of one ground in memory, at one date or several.

    Attributes:
        path: first of its files.
        values: (D, H, W) intensity, or complex amplitude where halves are made of it.
        despeckled: (D, H, W) intensity without speckle, to take changes out; all 1 where there are none.
        valid: (H, W), True where every date is usable.
        looks: (D,) equivalent number of looks.
        correlation: (D, 2) lag-1 intensity correlation, from row to row and from column to column.
        place: given name, or None where `footprint` tells.
        footprint: (west, south, east, north) in degrees, None without coordinates.
        weight: how often a chip is drawn from it, relative to the others.
    """

    path: Path
    values: NDArray[Any]
    despeckled: Floats
    valid: NDArray[np.bool_]
    looks: NDArray[np.float64]
    correlation: NDArray[np.float64]
    place: str | None
    footprint: Bounds | None
    weight: float

    def cut(self, rows: slice, columns: slice, symmetry: int) -> Stack:
        """A square of it, turned."""
        values, despeckled = (turn(x[:, rows, columns], symmetry) for x in (self.values, self.despeckled))
        swapped = self.correlation[:, ::-1] if symmetry % 2 else self.correlation
        valid = turn(self.valid[None, rows, columns], symmetry)[0]
        return replace(self, values=values, despeckled=despeckled, valid=valid, correlation=swapped)


Draw = Callable[[np.random.Generator, Stack, float], SpecklePairs]
"""Two observations of a chip and the level that they are relative to."""


def of_dates(rng: np.random.Generator, chip: Stack, level: float) -> SpecklePairs:
    """One date, and another one with the change between them taken out: I2 R1 / R2."""
    first, second = rng.choice(len(chip.values), 2, replace=False)
    unchanged = chip.values[second] * (chip.despeckled[first] / np.maximum(chip.despeckled[second], 1e-30))
    return _pairs(rng, chip, chip.values[first], unchanged, chip.looks[first], first, level)


def of_thinning(share: tuple[float, float]) -> Draw:
    """Two random halves of one date, see `sensors.sar.thin`."""

    def draw(rng: np.random.Generator, chip: Stack, level: float) -> SpecklePairs:
        part, date = rng.uniform(*share), int(rng.integers(len(chip.values)))
        kept, other = thin(rng, chip.values[date], chip.looks[date], part)
        return _pairs(rng, chip, kept, other, part * chip.looks[date], date, level)

    return draw


def of_parts(rng: np.random.Generator, chip: Stack, level: float) -> SpecklePairs:
    """Real and imaginary part, in random order: intensities 2 Re^2 and 2 Im^2 of the same mean."""
    parts = [2 * np.square(chip.values[0].real), 2 * np.square(chip.values[0].imag)]
    first = int(rng.integers(2))
    return _pairs(rng, chip, parts[first], parts[1 - first], 0.5, 0, level)


def _pairs(
    rng: np.random.Generator, chip: Stack, observed: Floats, reference: Floats, looks: float, date: int, level: float
) -> SpecklePairs:
    rho = chip.correlation[date]
    whole = max(looks, 1.0) if rho.max() > 0 else looks  # correlated speckle is drawn from one look up
    fresh = draw_speckle(rng, chip.valid.shape, whole, (float(rho[0]), float(rho[1])))
    scale = np.float32(1 / max(float(np.median(observed)), 1e-30))
    return as_pairs(reference * scale, observed * scale, chip.valid, fresh, looks, rho, level=level, clean=False)


class ObservedDataset(Dataset[SpecklePairs]):
    """Random chips of stacks; sample i depends on (seed, i) only; `len` is the number of samples of the whole run.

    Raises:
        ConfigError: no stack holds a chip.
    """

    def __init__(self, stacks: Sequence[Stack], draw: Draw, config: DespeckleConfig) -> None:
        self.sampler = ChipSampler(stacks, config.training.chip_size, "training rasters (after data.subsample)")
        self.draw, self.config = draw, config

    @property
    def stacks(self) -> list[Stack]:
        """Those that hold a chip."""
        return self.sampler.tiles

    def __len__(self) -> int:
        return self.config.training.samples

    def __getitem__(self, index: int) -> SpecklePairs:
        rng = np.random.default_rng((self.config.seed, index))
        stack, rows, columns = self.sampler.draw(rng)
        chip = stack.cut(rows, columns, int(rng.integers(8)))
        return self.draw(rng, chip, LEVEL_JITTER * rng.standard_normal())


def draw_of(data: ObservedData) -> Draw:
    """How the pairs of a config are made."""
    if isinstance(data, DatesData):
        return of_dates
    return of_thinning(data.share) if isinstance(data, ThinningData) else of_parts


def read_stacks(data: ObservedData, sources: tuple[SarSource, ...]) -> list[Stack]:
    """Every stack of one side of the split, weighted so that each source has its share.

    Raises:
        RsganError: a source has no file, or a file cannot be read or has not what the kind of data needs.
    """
    stacks: list[Stack] = []
    for source in sources:
        found = [stack for group in _groups(data, source) for stack in _read(data, source, group)]
        pixels = sum(stack.valid.size for stack in found)
        stacks += [replace(stack, weight=source.share * stack.valid.size / pixels) for stack in found]
    if isinstance(data, DatesData):
        despeckle = _despeckler(data.compensation)
        stacks = [replace(stack, despeckled=despeckle(stack)) for stack in stacks]
    return stacks


def read_means(root: Path, sources: tuple[SarSource, ...]) -> list[Tile]:
    """SAR rasters that were averaged over many dates, weighted so that each source has its share.

    Raises:
        RsganError: a source has no file, or a file cannot be read.
    """
    tiles = []
    for source in sources:
        paths = find_files(root, source)
        for path in paths:
            with Scene.open_sar(
                [path], bands=source.bands, quantity=source.quantity, stored_scale=source.stored_scale
            ) as scene:
                chip, footprint = scene.read(scene.grid.window), scene.grid.lonlat_bounds()
            usable = np.all(chip.valid & (chip.values > 0), axis=0)
            tiles.append(Tile(path, chip.values, usable, source.place, footprint, source.share / len(paths)))
    return tiles


def _groups(data: ObservedData, source: SarSource) -> list[list[Path]]:
    files = find_files(data.root, source)
    if isinstance(data, DatesData) and source.dates is None:
        if len(files) < 2:
            raise ConfigError(
                f"data: '{source.glob}' is one file, {files[0]}, but data.kind dates needs two dates of one ground at "
                "least. Widen the pattern, or say with `dates` which bands of the file are dates."
            )
        return [files]
    return [[path] for path in files]


def _read(data: ObservedData, source: SarSource, paths: list[Path]) -> Iterator[Stack]:
    """The stacks of one ground: one per polarisation."""
    chosen = source.bands if source.dates is None else tuple(name for names in source.dates for name in names)
    scenes, valids = [], []
    for path in paths:
        with Scene.open_sar([path], bands=chosen, quantity=source.quantity, stored_scale=source.stored_scale) as scene:
            bands, footprint = scene.bands, scene.grid.lonlat_bounds()
            chip = scene.read(scene.grid.window)
            values: NDArray[Any] = chip.values
            if isinstance(data, MerlinData):
                values = scene.read_dn(scene.grid.window)
                if not np.iscomplexobj(values):
                    raise ConfigError(
                        f"data: {path} holds {values.dtype}, but data.kind merlin needs complex numbers, whose two "
                        "parts are its pairs. Give single-look complex data, or use data.kind thinning."
                    )
            scenes.append(values)
            valids.append(chip.valid & (chip.values > 0))
    if len({values.shape for values in scenes}) > 1:
        raise ConfigError(f"data: the files of '{source.glob}' differ in size; dates of one ground need one grid.")
    if source.dates is None:
        groups = [[(date, band) for date in range(len(paths))] for band in range(len(bands))]
    else:
        place = {name: number for number, name in enumerate(bands)}
        groups = [[(0, place[name]) for name in names] for names in source.dates]
    step = data.subsample if isinstance(data, ThinningData) else 1
    for group in groups:
        values = np.stack([scenes[date][band] for date, band in group])
        valid = np.all([valids[date][band] for date, band in group], axis=0)
        for phase in range(step**2):
            part = slice(phase // step, None, step), slice(phase % step, None, step)
            yield _stack(paths[0], values[:, *part], valid[part], source.place, footprint)


def _stack(
    path: Path, values: NDArray[Any], valid: NDArray[np.bool_], place: str | None, footprint: Bounds | None
) -> Stack:
    if np.iscomplexobj(values):
        values = np.stack([centre_spectrum(np.where(valid, date, 0)) for date in values])
    else:
        values = np.where(valid, values, 1.0).astype(np.float32)
    measured = [estimate_speckle([(np.abs(x) ** 2 if np.iscomplexobj(x) else x, valid)]) for x in values]
    looks, correlation = (np.array([getattr(one, name) for one in measured]) for name in ("looks", "correlation"))
    blank = np.ones(values.shape, np.float32)
    return Stack(path, values, blank, valid, looks, correlation, place, footprint, 1.0)


def _despeckler(name: str) -> Callable[[Stack], Floats]:
    """Every date of a stack through a model of the package.

    Raises:
        ConfigError: the model does not despeckle.
    """
    generator = open_model(name).generator(0.0)
    if not isinstance(generator, DespeckleGenerator):
        raise ConfigError(f"data.compensation: {name} does not despeckle. Give sar-despeckle, or leave it out.")

    @torch.inference_mode()
    def despeckle(stack: Stack) -> Floats:
        valid = torch.from_numpy(stack.valid.astype(np.float32))[None, None]
        dates = []
        for values, looks, rho in zip(stack.values, stack.looks, stack.correlation, strict=True):
            level = float(np.log(np.median(values[stack.valid]))) if stack.valid.any() else 0.0
            observed = torch.from_numpy((np.log(np.maximum(values, 1e-30)) - level).astype(np.float32))[None, None]
            law = SpeckleState(
                torch.tensor([looks], dtype=torch.float32), torch.from_numpy(rho.astype(np.float32))[None]
            )
            dates.append((despeckled_passes(generator, observed, law, valid, passes=2)[0, 0] + level).exp().numpy())
        return np.stack(dates)

    return despeckle
