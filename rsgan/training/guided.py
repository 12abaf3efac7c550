"""Pairs for models that are guided by finer bands: coarse bands and their guide, both observed one scale up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from rsgan.errors import ConfigError
from rsgan.filters.linear_injection import LinearFit, LinearInjection
from rsgan.geo import Scene, valid_blocks
from rsgan.nn.generators import Generator, Guide, SensorState
from rsgan.sensors.observation import Jitter as SensorJitter
from rsgan.sensors.observation import Observation, observe
from rsgan.sensors.optical import degrade
from rsgan.sensors.statistics import band_scaling, plain_noise
from rsgan.training.batch import Pairs
from rsgan.training.chips import CANDIDATES, batch_of_one, chances, holds_chip, turn
from rsgan.training.config import Source, TrainConfig
from rsgan.training.pairs import as_row
from rsgan.training.tiles import Tile, check_split, find_files, shared
from rsgan.training.validation import BORDER, inner_psnr, save_panel

LAWS = 4
"""Point spread functions at which a tile's linear law is fitted; a chip takes the nearest."""
MARGIN = 8
"""Observed pixels around a chip that are simulated too and cut off, so that no border shows in its estimate."""
MIXING = 0.25
"""Standard deviation by which bands are mixed into one another: no scene is shown twice in the same colours."""
NATIVE_SIGMA = 0.35
"""Width, in their own pixels, of the point spread function that coarsened references are given: a usual sensor's."""
PROTOCOLS = {"P25": (0.25, 0.0), "P40n": (0.40, 0.0005)}
"""Name -> (sigma in input pixels, noise in reflectance)."""


@dataclass(frozen=True)
class GuidedTile:
    """References and their guide.

    Attributes:
        tile: coarse bands as delivered, or coarsened; 0 where the files do not hold a band.
        guide: (G, ratio H, ratio W) finer bands, reflectance; None where the bands of the tile are of any kind and take
            roles at random.
        ratio: pixels of the guide per pixel of the reference.
        known: (C,) whether the files hold the band.
    """

    tile: Tile
    guide: NDArray[np.float32] | None
    ratio: int
    known: NDArray[np.bool_]

    def tensors(self) -> tuple[Tensor, Tensor]:
        """(1, C, H, W) references and (1, G, ratio H, ratio W) guide, reflectance.

        Raises:
            ConfigError: the bands of the tile have no roles yet.
        """
        if self.guide is None:
            raise ConfigError("data: shuffled tiles have no roles of their own and can only be trained on.")
        values, guide = (batch_of_one(x) for x in (self.tile.array, self.guide))
        return values, guide

    def cast(self, bands: int, guides: int, rng: np.random.Generator) -> GuidedTile:
        """The tile with its roles taken: up to half of the bands of any kind guide, the others are references."""
        if self.guide is not None:
            return self
        order = rng.permutation(len(self.tile.values))
        leading = int(rng.integers(1, len(order) // 2 + 1))
        followers = order[leading:][:bands]
        places = rng.permutation(bands)[: len(followers)]
        values = np.zeros((bands, *self.tile.valid.shape), np.float32)
        values[places] = self.tile.array[followers]
        known = np.isin(np.arange(bands), places)
        guide = self.tile.array[rng.permutation(np.resize(order[:leading], guides))]
        return GuidedTile(replace(self.tile, values=values), guide, 1, known)


def read_guided_tile(path: Path, source: Source, config: TrainConfig) -> GuidedTile:
    """The wanted bands of a file, and the guide's bands of it or of the file beside it.

    Raises:
        RsganError: one of its children says what is wrong with a file.
    """
    model = config.model
    if source.shuffled:
        return _read_shuffled(path, source, config.generator.scale)
    beside = path if source.guide is None else path.with_name(path.name.replace(*source.guide))
    how = {"reflectance_scale": source.reflectance_scale, "sensor_name": model.sensor}
    with Scene.open([path], wanted=source.holds or model.bands, **how) as scene, Scene.open(  # type: ignore[arg-type]
        [beside], wanted=model.guide, **how  # type: ignore[arg-type]
    ) as finer:  # fmt: skip
        nested = scene.grid.nest(finer.grid)
        ratio = int(nested.height) // scene.grid.height
        chip, guide = scene.read(scene.grid.window), finer.read(nested)
        footprint = scene.grid.lonlat_bounds()
    known = np.array([source.holds is None or name in source.holds for name in model.bands])
    values = np.zeros((len(known), *chip.values.shape[1:]), np.float32)
    values[known] = chip.values
    valid = np.all(chip.valid, axis=0) & valid_blocks(np.all(guide.valid, axis=0), ratio)
    step = source.coarsen * config.generator.scale
    rows, columns = (side // step * step for side in valid.shape)
    values, valid = values[:, :rows, :columns], valid[:rows, :columns]
    fine = guide.values[:, : rows * ratio, : columns * ratio]
    if source.coarsen > 1:
        values, fine = (_coarsened(x, source.coarsen) for x in (values, fine))
        valid = valid_blocks(valid, source.coarsen)
    tile = Tile(path, values, valid, source.place, footprint, float(valid.size))
    return GuidedTile(tile, fine, ratio, known)


def _read_shuffled(path: Path, source: Source, scale: int) -> GuidedTile:
    with Scene.open([path], wanted=None, bands=source.bands, reflectance_scale=source.reflectance_scale) as scene:
        chip, footprint = scene.read(scene.grid.window), scene.grid.lonlat_bounds()
    step = source.coarsen * scale
    rows, columns = (side // step * step for side in chip.values.shape[1:])
    values = _coarsened(chip.values[:, :rows, :columns], source.coarsen)
    valid = valid_blocks(np.all(chip.valid, axis=0)[:rows, :columns], source.coarsen)
    tile = Tile(path, values, valid, source.place, footprint, float(valid.size))
    return GuidedTile(tile, None, 1, np.ones(len(values), bool))


def _coarsened(values: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    if side == 1:
        return values
    sigma = torch.full((1, 1), NATIVE_SIGMA)
    return degrade(batch_of_one(values), sigma, side)[0].numpy()


def observe_guided(
    reference: Tensor, guide: Tensor, ratio: int, scale: int, jitter: SensorJitter, rng: torch.Generator
) -> tuple[Observation, Tensor]:
    """Observe references (1, C, H, W) one scale up, and bring their guide (1, G, ratio H, ratio W) to their grid."""
    seen = observe(reference, scale, jitter, rng)
    return seen, guide if ratio == 1 else degrade(guide, seen.sigma.mean(1, keepdim=True), ratio)


@dataclass(frozen=True)
class Law:
    """What one simulated observation of a tile teaches: its linear law, and the noise (C,) that it already has."""

    injection: LinearInjection
    noise: Tensor


def fit_law(tile: GuidedTile, scale: int, jitter: SensorJitter, rng: torch.Generator) -> Law:
    """Observe a tile without noise of ours, and learn from it."""
    jitter = replace(jitter, noise_free=1.0)
    seen, guide = observe_guided(*tile.tensors(), tile.ratio, scale, jitter, rng)
    fit = LinearFit(seen.sigma[0], guide.shape[1], scale)
    valid, values = valid_blocks(tile.tile.valid, scale), seen.observed[0].numpy()
    fit.add(seen.observed, guide, torch.from_numpy(valid))
    noise = plain_noise(values.astype(np.float64), valid, band_scaling(values).spread)
    return Law(fit.solve().to(guide.device, guide.dtype), torch.from_numpy(noise.astype(np.float32))[None])


class GuidedPairDataset(Dataset[Pairs]):
    """Random chips of the tiles, observed with their guide; sample i depends on (seed, i) only.

    Raises:
        ConfigError: no tile holds a chip.
    """

    def __init__(self, tiles: list[GuidedTile], config: TrainConfig) -> None:
        self.config, self.scale = config, config.generator.scale
        self.size = config.training.chip_size // self.scale
        self.jitter = SensorJitter(**config.sensor.model_dump())
        kept = [t for t in tiles if holds_chip(t.tile.valid, config.training.chip_size + self.scale)]
        if not kept:
            raise ConfigError(
                f"data: none of the {len(tiles)} training tiles holds a chip of training.chip_size "
                f"{config.training.chip_size} pixels without invalid ones. Give larger tiles or a smaller chip_size."
            )
        low, high = config.sensor.sigma
        self.sigmas = [low + (high - low) * (step + 0.5) / LAWS for step in range(LAWS)]
        self.cast = [[self._cast(tile, number, law) for law in range(LAWS)] for number, tile in enumerate(kept)]
        self.chances = chances([t.tile for t in kept])

    def _cast(self, tile: GuidedTile, number: int, law: int) -> tuple[GuidedTile, Law]:
        rng = np.random.default_rng((self.config.seed, number, law))
        cast = tile.cast(self.config.generator.bands, self.config.generator.guides, rng)
        jitter = replace(self.jitter, sigma=(self.sigmas[law],) * 2)
        seed = int(rng.integers(2**62))
        return cast, fit_law(cast, self.scale, jitter, torch.Generator().manual_seed(seed))

    def __len__(self) -> int:
        return self.config.training.samples

    def __getitem__(self, index: int) -> Pairs:
        rng = np.random.default_rng((self.config.seed, index))
        while True:
            number = int(rng.choice(len(self.cast), p=self.chances))
            law = int(rng.integers(LAWS))
            tile, taught = self.cast[number][law]
            for _ in range(CANDIDATES):
                height, width = (n // self.scale for n in tile.tile.valid.shape)
                row, column = (int(rng.integers(n - self.size + 1)) for n in (height, width))
                found = (
                    slice(row * self.scale, (row + self.size) * self.scale),
                    slice(column * self.scale, (column + self.size) * self.scale),
                )
                if tile.tile.valid[found].all():
                    return self._pairs(tile, taught, law, (row, column), rng)

    def _pairs(
        self, tile: GuidedTile, taught: Law, law: int, corner: tuple[int, int], rng: np.random.Generator
    ) -> Pairs:
        """Simulate a chip with a margin, inject, cut the margin off, turn, and mix the bands."""
        spans = [
            (max(first - MARGIN, 0), min(first + self.size + MARGIN, n // self.scale))
            for first, n in zip(corner, tile.tile.valid.shape, strict=True)
        ]
        reference, guide = (
            x[:, :, spans[0][0] * zoom : spans[0][1] * zoom, spans[1][0] * zoom : spans[1][1] * zoom]
            for x, zoom in zip(tile.tensors(), (self.scale, self.scale * tile.ratio), strict=True)
        )
        half = (self.sigmas[-1] - self.sigmas[0]) / max(LAWS - 1, 1) / 2
        jitter = replace(self.jitter, sigma=(self.sigmas[law] - half, self.sigmas[law] + half))
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        seen, guide = observe_guided(reference, guide, tile.ratio, self.scale, jitter, generator)
        estimate = replace(taught.injection, sigma=seen.sigma[0])(seen.observed, guide)
        seen = replace(seen, noise=torch.hypot(seen.noise, taught.noise))
        symmetry, inner = int(rng.integers(8)), [f - s[0] for f, s in zip(corner, spans, strict=True)]

        def cut(values: Tensor, zoom: int) -> Tensor:
            rows, columns = (slice(first * zoom, (first + self.size) * zoom) for first in inner)
            return batch_of_one(turn(values[0, :, rows, columns].numpy(), symmetry))

        chips = cut(reference, self.scale), cut(seen.observed, 1), cut(estimate, self.scale), cut(guide, self.scale)
        return self._mixed(*chips, seen, tile.known, rng)

    def _mixed(
        self,
        reference: Tensor,
        observed: Tensor,
        estimate: Tensor,
        guide: Tensor,
        seen: Observation,
        known: NDArray[np.bool_],
        rng: np.random.Generator,
    ) -> Pairs:
        """The same chip in other colours: the chain is linear in the bands, so they may be mixed afterwards.

        Up to `band_sigma`, that is: a mixed band is told one point spread function, and has a little of the others'.
        """
        bands, guides = self.config.generator.bands, self.config.generator.guides
        mix = np.eye(bands) + MIXING * rng.standard_normal((bands, bands)) * np.outer(known, known)
        turned = np.eye(guides) + MIXING * rng.standard_normal((guides, guides))
        reference, observed, estimate = (_mix(x, mix) for x in (reference, observed, estimate))
        guide = _mix(guide, turned)
        scaling, own = band_scaling(observed[0].numpy()), band_scaling(guide[0].numpy())
        noise = as_row(np.sqrt((mix**2) @ np.square(seen.noise[0].numpy())))
        wide = float(np.exp(self.config.data.spread * rng.standard_normal()))
        return Pairs(
            reference, observed, seen.sigma, noise, as_row(scaling.centre), as_row(scaling.spread * wide),
            torch.from_numpy(own.to_network(guide[0].numpy()))[None] / wide, estimate,
            torch.from_numpy(known.astype(np.float32))[None],
        )  # fmt: skip


def _mix(values: Tensor, matrix: NDArray[np.floating]) -> Tensor:
    return torch.einsum("ij,njhw->nihw", torch.from_numpy(matrix).to(values), values)


@dataclass(frozen=True)
class HeldOut:
    """A held-out tile as it was observed: everything in reflectance but the guide, which is in network units."""

    reference: Tensor
    observed: Tensor
    estimate: Tensor
    guide: Tensor
    sensor: Observation
    centre: Tensor
    spread: Tensor
    known: NDArray[np.bool_]


def hold_out(tile: GuidedTile, scale: int, jitter: SensorJitter, seed: int) -> HeldOut:
    """Observe a whole tile and inject its guide by the law that the observation itself teaches."""
    law = fit_law(tile, scale, jitter, torch.Generator().manual_seed(seed))
    reference, guide = tile.tensors()
    seen, guide = observe_guided(reference, guide, tile.ratio, scale, jitter, torch.Generator().manual_seed(seed))
    seen = replace(seen, noise=torch.hypot(seen.noise, law.noise))
    scaling, own = band_scaling(seen.observed[0].numpy()), band_scaling(guide[0].numpy())
    estimate, units = law.injection(seen.observed, guide), torch.from_numpy(own.to_network(guide[0].numpy()))[None]
    centre, spread = as_row(scaling.centre), as_row(scaling.spread)
    return HeldOut(reference, seen.observed, estimate, units, seen, centre, spread, tile.known)


class GuidedValidation:
    """Held-out tiles, observed the same way each time; what is measured is the gain over the linear estimate."""

    def __init__(self, tiles: list[GuidedTile], config: TrainConfig, device: torch.device) -> None:
        self.device, self.tiles = device, dict[str, list[HeldOut]]()
        for name, (sigma, noise) in PROTOCOLS.items():
            jitter = SensorJitter((sigma, sigma), 0.0, (max(noise, 1e-6),) * 2, float(noise == 0))
            self.tiles[name] = [
                hold_out(tile, config.generator.scale, jitter, number) for number, tile in enumerate(tiles)
            ]

    @torch.no_grad()
    def enhance(self, generator: Generator, tile: HeldOut) -> Tensor:
        """The generator on one observed tile, in reflectance."""
        centre, spread = tile.centre[..., None, None], tile.spread[..., None, None]
        observed, estimate = (((x - centre) / spread).to(self.device) for x in (tile.observed, tile.estimate))
        sensor = SensorState(tile.sensor.sigma.to(self.device), (tile.sensor.noise / tile.spread).to(self.device))
        network: Tensor = generator(observed, sensor, Guide(tile.guide.to(self.device), estimate))
        return network.cpu() * spread + centre

    def measure(self, generator: Generator) -> dict[str, float]:
        """Figures under every protocol; the generator is in training mode afterwards.

        Returns:
            `gain_db/P`: PSNR over linear injection, dB, mean over the tiles; `worst_db/P`: on the worst tile.
        """
        generator.eval()
        figures: dict[str, float] = {}
        for name, tiles in self.tiles.items():
            gains = []
            for tile in tiles:
                ours, linear, reference = (
                    x[:, tile.known] for x in (self.enhance(generator, tile), tile.estimate, tile.reference)
                )
                gains.append(inner_psnr(ours, reference) - inner_psnr(linear, reference))
            figures |= {f"gain_db/{name}": float(np.mean(gains)), f"worst_db/{name}": float(np.min(gains))}
        generator.train()
        return figures

    def panel(self, generator: Generator, path: Path) -> None:
        """Linear estimate, enhanced and reference of the first tiles side by side, first three bands, as PNG."""
        tiles = next(iter(self.tiles.values()))[:3]
        save_panel(path, [(tile.estimate, self.enhance(generator, tile), tile.reference) for tile in tiles])


def _tiles(config: TrainConfig, sources: tuple[Source, ...]) -> Iterator[GuidedTile]:
    for source in sources:
        found = [read_guided_tile(path, source, config) for path in find_files(config.data.root, source)]
        for tile, weighted in zip(found, shared([one.tile for one in found], source.share), strict=True):
            yield replace(tile, tile=weighted)


def load_guided(config: TrainConfig, device: torch.device) -> tuple[GuidedPairDataset, GuidedValidation]:
    """Training chips and held-out tiles of a guided model, checked to share no place.

    Raises:
        RsganError: a file is missing, wrong, or on both sides of the split.
    """
    training, held_out = list(_tiles(config, config.data.training)), load_held_out(config)
    check_split([t.tile for t in training], [t.tile for t in held_out])
    return GuidedPairDataset(training, config), GuidedValidation(held_out, config, device)


def load_held_out(config: TrainConfig) -> list[GuidedTile]:
    """Validation tiles of a guided model.

    Raises:
        RsganError: a file is missing or wrong, or none is large and whole enough to be judged.
    """
    smallest = 3 * BORDER
    found = _tiles(config, config.data.validation)
    held_out = [t for t in found if min(t.tile.valid.shape) >= smallest and t.tile.valid.all()]
    if not held_out:
        raise ConfigError(f"data: no validation tile is whole and at least {smallest} pixels wide. Name others.")
    return held_out
