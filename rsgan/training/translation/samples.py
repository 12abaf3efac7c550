"""Chips of two domains, paired or not; sample i depends on (seed, i) only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from rsgan.card import Domain
from rsgan.catalogue import sensor
from rsgan.errors import ConfigError
from rsgan.geo import open_quantity
from rsgan.sensors import atmosphere
from rsgan.training.chips import ChipSampler, batch_of_one, turn
from rsgan.training.preparation.index import Index, Split, read_index
from rsgan.training.tiles import (
    OnDisk,
    Opening,
    Tile,
    below,
    check_split,
    find_files,
    moved,
    shared,
    tile_of,
    usable_pixels,
)
from rsgan.training.translation.batch import DomainChips
from rsgan.training.translation.config import (
    DomainSource,
    PairedData,
    PairSource,
    TranslateConfig,
    UnpairedData,
)

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class PairTile(Tile):
    """One ground in both domains: `values` of the source in network units, `target` (D, H, W) likewise."""

    target: Floats | OnDisk


def opening_of(path: Path, domain: Domain, source: DomainSource) -> Opening:
    """What opens a file for a domain, in any process."""
    return partial(
        open_quantity,
        (path,),
        domain.quantity,
        domain.bands,
        sensor_name=domain.sensor,
        bands=source.bands,
        reflectance_scale=source.reflectance_scale,
        date=source.date,
    )


def read_domain(path: Path, domain: Domain, source: DomainSource) -> Tile:
    """All of a file, in network units of a domain.

    Raises:
        RsganError: one of its children says what is wrong with the file.
    """
    return tile_of(path, opening_of(path, domain, source), place=source.place, convert=domain.to_network)


def read_sources(root: Path, sources: Sequence[DomainSource], domain: Domain) -> list[Tile]:
    """Every tile of some sources, weighted so that each source has its share.

    Raises:
        RsganError: a source has no file, or a file cannot be read.
    """
    tiles = []
    for source in sources:
        found = [read_domain(path, domain, source) for path in find_files(root, source)]
        tiles += shared(found, source.share)
    return tiles


def read_pairs(root: Path, sources: Sequence[PairSource], first: Domain, second: Domain) -> list[PairTile]:
    """Every pair of some sources, likewise.

    Raises:
        RsganError: a file is missing or cannot be read, or the two of a pair are not of one size.
    """
    pairs = []
    for source in sources:
        found = [_read_pair(path, root, source, first, second) for path in find_files(root, source)]
        pairs += shared(found, source.share)
    return pairs


def _read_pair(path: Path, root: Path, source: PairSource, first: Domain, second: Domain) -> PairTile:
    inside = path.relative_to(root).as_posix()
    beside = path if source.partner is None else root / inside.replace(*source.partner)
    other = DomainSource(
        glob=source.glob,
        bands=source.target_bands,
        reflectance_scale=source.reflectance_scale,
        date=source.target_date or source.date,
    )
    tile, target = read_domain(path, first, source), read_domain(beside, second, other)
    if tile.valid.shape != target.valid.shape:
        raise ConfigError(
            f"data: {path} has {tile.valid.shape[1]} x {tile.valid.shape[0]} pixels and its partner {beside} "
            f"{target.valid.shape[1]} x {target.valid.shape[0]}; pairs need one grid. Resample one of them first."
        )
    return PairTile(**vars(tile) | {"valid": tile.valid & target.valid}, target=target.values)


class PairedDataset(Dataset[DomainChips]):
    """Random chips of pairs, turned and mirrored alike; `len` is the number of samples of the whole run."""

    def __init__(self, pairs: list[PairTile], config: TranslateConfig) -> None:
        self.config, self.sampler = config, ChipSampler(pairs, config.training.chip_size)

    def __len__(self) -> int:
        return self.config.training.samples

    def __getitem__(self, index: int) -> DomainChips:
        rng = np.random.default_rng((self.config.seed, index))
        pair, rows, columns = self.sampler.draw(rng)
        symmetry = int(rng.integers(8))
        source, target = (batch_of_one(turn(x[:, rows, columns], symmetry)) for x in (pair.values, pair.target))
        return DomainChips(source, target, target, torch.ones(1))


class UnpairedDataset(Dataset[DomainChips]):
    """Random chips of each domain; some of the source's are the target's under drawn haze, whose truth is known."""

    def __init__(self, source: list[Tile], target: list[Tile], config: TranslateConfig, data: UnpairedData) -> None:
        size, self.config, self.data = config.training.chip_size, config, data
        self.source = ChipSampler(source, size, "source tiles") if data.hazed < 1 else None
        self.target = ChipSampler(target, size, "target tiles")

    def __len__(self) -> int:
        return self.config.training.samples

    def __getitem__(self, index: int) -> DomainChips:
        rng = np.random.default_rng((self.config.seed, index))
        target = _chip(self.target, rng)
        if self.source is not None and rng.random() >= self.data.hazed:
            source = _chip(self.source, rng)
            return DomainChips(source, target, torch.zeros_like(target), torch.zeros(1))
        truth = _chip(self.target, rng)
        chance = torch.Generator().manual_seed(int(rng.integers(2**62)))
        return DomainChips(hazed(truth, self.config, chance), target, truth, torch.ones(1))


def _chip(sampler: ChipSampler[Tile], rng: np.random.Generator) -> Tensor:
    tile, rows, columns = sampler.draw(rng)
    return batch_of_one(turn(tile.values[:, rows, columns], int(rng.integers(8))))


def hazed(clear: Tensor, config: TranslateConfig, rng: torch.Generator) -> Tensor:
    """A clear (1, C, H, W) chip of the target domain under drawn haze, in network units of the source domain.

    Raises:
        ConfigError: the data draw no haze, or the bands have no wavelengths.
    """
    ranges = config.data.haze if isinstance(config.data, UnpairedData) else None
    if ranges is None or config.target.sensor is None:
        raise ConfigError("data.haze is not given, or target.sensor names no sensor whose wavelengths are known.")
    bands = sensor(config.target.sensor)
    wavelengths = torch.tensor([bands.band(name).centre_um for name in config.target.bands])
    surface = torch.from_numpy(config.target.to_physical(clear.numpy()))
    side = max(clear.shape[2:])
    haze = atmosphere.draw_haze(surface.shape[1], side, atmosphere.HazeRanges(**ranges.model_dump()), rng)
    thickness = haze.thickness[..., : clear.shape[2], : clear.shape[3]]
    observed = atmosphere.add_haze(surface, replace(haze, thickness=thickness), wavelengths)
    return torch.from_numpy(config.source.to_network(observed.numpy()))


def indexed_pairs(root: Path, index: Index, split: Split, first: Domain, second: Domain) -> list[PairTile]:
    """Pairs of one side of an index's split, each as often as it has usable chips.

    Raises:
        RsganError: the index has no pairs or other bands, or a file of it is missing or wrong.
    """
    if index.target is None or (index.side.bands, index.target.bands) != (first.bands, second.bands):
        held = (
            "no pairs" if index.target is None else f"{' '.join(index.side.bands)} and {' '.join(index.target.bands)}"
        )
        raise ConfigError(
            f"data.index holds {held}; the domains have bands {' '.join(first.bands)} and {' '.join(second.bands)}. "
            "Prepare the rasters again with --partner or --partners, --bands and --target-bands."
        )
    pairs = []
    for raster in index.of(split):
        sides = ((raster.path, index.side, first), (str(raster.partner), index.target, second))
        tile, other = (
            read_domain(
                below(root, path),
                domain,
                DomainSource(
                    glob=path, bands=side.chosen, reflectance_scale=side.reflectance_scale, place=raster.place
                ),
            )
            for path, side, domain in sides
        )
        values, there = moved(other, raster.offset, tile.valid.shape)
        valid = tile.valid & there & usable_pixels(raster, index.chip, tile.valid.shape)
        tile = replace(tile, valid=valid, footprint=None, weight=float(len(raster.chips)))
        pairs.append(PairTile(**vars(tile), target=values))
    return pairs


SPLITS: tuple[Split, Split] = ("training", "validation")


def load_samples(config: TranslateConfig) -> tuple[PairedDataset | UnpairedDataset, list[PairTile], list[Tile]]:
    """Dataset, held-out pairs, and held-out tiles of the target domain to lay haze over.

    Raises:
        RsganError: a file is missing, wrong, or on both sides of the split.
    """
    data, source, target = config.data, config.source, config.target
    if isinstance(data, PairedData) and data.index is not None:
        index = read_index(data.index)
        training, held_out = (indexed_pairs(data.root, index, split, source, target) for split in SPLITS)
        return PairedDataset(training, config), held_out, []
    held_out = read_pairs(data.root, data.validation, source, target)
    if isinstance(data, PairedData):
        pairs = read_pairs(data.root, data.training, source, target)
        check_split(pairs, held_out)
        return PairedDataset(pairs, config), held_out, []
    clear = read_sources(data.root, data.hazed_validation, target)
    sources, targets = read_sources(data.root, data.source, source), read_sources(data.root, data.target, target)
    check_split([*sources, *targets], [*held_out, *clear])
    return UnpairedDataset(sources, targets, config, data), held_out, clear
