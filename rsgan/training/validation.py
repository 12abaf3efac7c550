"""Held-out figures during training: gain over learning-free baselines under fixed protocols."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from torch import Tensor

from rsgan.catalogue import sensor
from rsgan.errors import ConfigError
from rsgan.filters.back_projection import back_projection
from rsgan.metrics.artefacts import checkerboard
from rsgan.metrics.density_ratio import placements
from rsgan.metrics.fidelity import psnr
from rsgan.metrics.land_cover import INDICES, index_classes, patch_classes
from rsgan.nn.discriminators import PatchDiscriminator, PatchGeometry, patch_geometry
from rsgan.nn.generators import Generator, SensorState
from rsgan.sensors.optical import degrade, upsample
from rsgan.sensors.statistics import band_scaling
from rsgan.training.chips import area_mean
from rsgan.training.config import TrainConfig
from rsgan.training.reweighting import AUROC, COLOURS, figure_name
from rsgan.training.tiles import Tile

BORDER = 16
"""Output pixels left out at the border of a tile."""
LARGEST = 256
"""Side of the centre crop of a tile that is used, output pixels."""
PANEL_SIDE = 192
"""Side of a picture of a panel, pixels."""
KNOWN = 4
"""Training tiles that are judged like held-out ones: what is learnt by heart does much better on them."""
PURITY, LEAST_PATCHES = 0.7, 20
"""Share of a patch that its class has to have; patches of a class below which nothing is said of it."""
PROTOCOLS = {"P40": (0.40, 0.0), "P50": (0.50, 0.0), "P40n": (0.40, 0.001)}
"""Name -> (sigma in input pixels, noise in reflectance)."""


def inner_psnr(enhanced: Tensor, reference: Tensor) -> float:
    """PSNR in dB of (1, C, H, W) reflectance, data range 1, border left out."""
    first, second = (t[0, :, BORDER:-BORDER, BORDER:-BORDER].cpu().numpy() for t in (enhanced, reference))
    return psnr(first, second, data_range=1.0).pooled


def whole_square(valid: NDArray[np.bool_], multiple: int) -> tuple[slice, slice] | None:
    """The largest of a few squares of (H, W) that has no invalid pixel, as near to the middle as there is one."""
    for side in (LARGEST, 192, 128, 96, 4 * BORDER):
        side = side // multiple * multiple
        if side > min(valid.shape):
            continue
        whole = ndimage.minimum_filter(valid, side, mode="constant", cval=0, origin=-(side // 2))
        places = np.argwhere(whole[: valid.shape[0] - side + 1, : valid.shape[1] - side + 1])
        if len(places):
            middle = (np.array(valid.shape) - side) / 2
            row, column = places[np.square(places - middle).sum(1).argmin()]
            return slice(int(row), int(row) + side), slice(int(column), int(column) + side)
    return None


class Validation:
    """Fixed crops of the held-out tiles, observed the same way each time under every protocol.

    Raises:
        ConfigError: no tile can be judged.
    """

    def __init__(
        self, tiles: list[Tile], config: TrainConfig, device: torch.device, trained_on: list[Tile] | None = None
    ) -> None:
        self.scale, self.device = config.generator.scale, device
        whole = [tile for tile in tiles if tile.known is None]  # of what a file lacks nothing can be said
        self.references = [reference for tile in whole if (reference := self._crop(tile)) is not None]
        if not self.references:
            raise ConfigError(
                f"data: none of the {len(tiles)} validation tiles can be judged: each is smaller than {4 * BORDER} "
                "pixels, has no square of as many without invalid ones, or lacks bands of the model. Name larger or "
                "whole tiles to be held out."
            )
        self.seed = config.seed
        self.colours = sensor(config.model.sensor).common_names(config.model.bands)
        known = sorted((tile for tile in trained_on or () if tile.known is None), key=lambda tile: -tile.weight)
        self.known = [reference for tile in known[:KNOWN] if (reference := self._crop(tile)) is not None]

    def _crop(self, tile: Tile) -> Tensor | None:
        zoom = tile.zoom[0]
        if zoom > 1:
            side = math.ceil(2 * LARGEST * zoom)  # enough to look for a whole square in
            firsts = (max(0, (n - side) // 2) for n in tile.valid.shape)
            rows, columns = (slice(first, first + side) for first in firsts)
            valid = area_mean(tile.valid[rows, columns].astype(np.float32), zoom) > 1 - 1e-4
            values = area_mean(tile.values[:, rows, columns], zoom)
            tile = replace(tile, values=values, valid=valid, zoom=(1.0, 1.0))
        height, width = (min(n, LARGEST) // self.scale * self.scale for n in tile.valid.shape)
        top, left = ((n - side) // 2 for n, side in zip(tile.valid.shape, (height, width), strict=True))
        window = slice(top, top + height), slice(left, left + width)
        if not tile.valid[window].all():
            window = whole_square(tile.valid, self.scale) or window
        shape = tile.valid[window].shape
        if min(shape) < 4 * BORDER or not tile.valid[window].all():
            return None
        return torch.from_numpy(tile.values[:, window[0], window[1]].copy())[None].to(self.device)

    def observe(self, reference: Tensor, index: int, protocol: str) -> tuple[Tensor, Tensor, float]:
        """Observed (1, C, h, w), sigma (1, C) and noise of one tile under a protocol."""
        sigma, noise = PROTOCOLS[protocol]
        sigmas = torch.full(reference.shape[:2], sigma, device=self.device)
        rng = torch.Generator().manual_seed(self.seed + index)
        observed = degrade(reference, sigmas, self.scale)
        observed = observed + noise * torch.randn(observed.shape, generator=rng).to(observed)
        return (observed * 1e4).round() / 1e4, sigmas, noise

    @torch.no_grad()
    def enhance(self, generator: Generator, observed: Tensor, sigma: Tensor, noise: float) -> Tensor:
        """The generator on one observed tile, in reflectance."""
        scaling = band_scaling(observed[0].cpu().numpy())
        centre, spread = (
            torch.from_numpy(a).to(observed)[None, :, None, None] for a in (scaling.centre, scaling.spread)
        )
        sensor, seen = SensorState(sigma, noise / spread[..., 0, 0]), (observed - centre) / spread
        if generator.config.bands != observed.shape[1]:  # one band at a time
            sensor, seen = sensor.one_by_one(), seen.transpose(0, 1)
        enhanced: Tensor = generator(seen, sensor)
        return enhanced.reshape(1, -1, *enhanced.shape[2:]) * spread + centre

    def measure(self, generator: Generator) -> dict[str, float]:
        """Figures of a generator under every protocol; it is in training mode afterwards.

        Returns:
            `gain_db/P`: PSNR over the better of bicubic and 5 back-projection steps, dB, mean over the tiles;
            `worst_db/P`: the same on the worst tile; `residual/P`: median RMS of degrade(enhanced) - observed over the
            noise, over 0.0001 where there is none; `known_db/P40`: the gain on some of the training tiles;
            `checkerboard`: see `metrics.artefacts`, the mean over the tiles.
        """
        generator.eval()
        figures: dict[str, float] = {}
        for protocol in PROTOCOLS:
            found = [self._judge(generator, reference, i, protocol) for i, reference in enumerate(self.references)]
            gains, ratios, patterns = zip(*found, strict=True)
            figures |= {
                f"gain_db/{protocol}": float(np.mean(gains)),
                f"worst_db/{protocol}": float(np.min(gains)),
                f"residual/{protocol}": float(np.median(ratios)),
                "checkerboard": float(np.mean(patterns)),
            }
        if self.known:
            known = [self._judge(generator, reference, i, "P40")[0] for i, reference in enumerate(self.known)]
            figures["known_db/P40"] = float(np.mean(known))
        generator.train()
        return figures

    @torch.no_grad()
    def by_class(self, generator: Generator, judge: PatchDiscriminator) -> dict[str, float]:
        """What a discriminator says of each class of land cover on held-out ground, under P40.

        Returns:
            `auroc/C`: chance that a patch of a reference of class C scores higher than one that was enhanced, 0.5 where
            they cannot be told apart; `logit/C`: mean logit of references minus that of enhanced patches. Empty where
            the bands tell no class, or the discriminator's logits have no place.
        """
        try:
            geometry = patch_geometry(judge.config)
        except ConfigError:
            return {}
        if not set(COLOURS) <= set(self.colours):
            return {}
        generator.eval()
        judge.eval()
        found = [self._patches(generator, judge, geometry, tile, i) for i, tile in enumerate(self.references)]
        generator.train()
        judge.train()
        classes, real, made = (np.concatenate(parts) for parts in zip(*found, strict=True))
        figures = {}
        for number, name in INDICES.items():
            mine = classes == number
            if mine.sum() >= LEAST_PATCHES:
                key = figure_name(name)
                figures[f"{AUROC}{key}"] = float(placements(real[mine], made[mine]).mean())
                figures[f"logit/{key}"] = float(real[mine].mean() - made[mine].mean())
        return figures

    def _patches(
        self, generator: Generator, judge: PatchDiscriminator, geometry: PatchGeometry, reference: Tensor, index: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Class, logit of the reference and of what is enhanced, of every patch that lies inside a tile."""
        observed, sigma, noise = self.observe(reference, index, "P40")
        enhanced, scaling = self.enhance(generator, observed, sigma, noise), band_scaling(observed[0].cpu().numpy())
        seen, *candidates = (
            torch.from_numpy(scaling.to_network(x[0].cpu().numpy()))[None].to(x)
            for x in (observed, reference, enhanced)
        )
        green, red, nir = (reference[0, self.colours.index(colour)].cpu().numpy() for colour in COLOURS)
        exact = next(judge.parameters()).dtype
        logits = [judge(x.to(exact), seen.to(exact))[0, 0].double().cpu().numpy() for x in candidates]
        starts = [geometry.start + geometry.stride * np.arange(count) for count in logits[0].shape]
        inside = [(s >= 0) & (s + geometry.side <= n) for s, n in zip(starts, reference.shape[2:], strict=True)]
        rows, columns = (s[i] + geometry.side // 2 for s, i in zip(starts, inside, strict=True))
        pixels = index_classes(green, red, nir)
        classes = patch_classes(pixels, tuple(INDICES), geometry.side, (rows, columns), PURITY)
        real, made = (found[np.ix_(*inside)].ravel() for found in logits)
        return classes.ravel(), real, made

    def _judge(self, generator: Generator, reference: Tensor, index: int, protocol: str) -> tuple[float, float, float]:
        """Gain, residual over noise and checkerboard on one tile."""
        observed, sigma, noise = self.observe(reference, index, protocol)
        enhanced = self.enhance(generator, observed, sigma, noise)
        baselines = [inner_psnr(back_projection(observed, sigma, self.scale, n), reference) for n in (0, 5)]
        residual = degrade(enhanced, sigma, self.scale) - observed
        return (
            inner_psnr(enhanced, reference) - max(baselines),
            float(residual.square().mean().sqrt() / max(noise, 1e-4)),
            checkerboard(enhanced[0].cpu().numpy(), max(self.scale, 2)),
        )

    def panel(self, generator: Generator, path: Path) -> None:
        """Bicubic, enhanced and reference of the first tiles side by side, true colour, as PNG."""
        trios = []
        for index, reference in enumerate(self.references[:3]):
            observed, sigma, noise = self.observe(reference, index, "P40")
            enhanced = self.enhance(generator, observed, sigma, noise)
            trios.append((upsample(observed, self.scale), enhanced, reference))
        save_panel(path, trios)


def save_panel(path: Path, trios: list[tuple[Tensor, Tensor, Tensor]], largest: int = PANEL_SIDE) -> None:
    """Baseline, enhanced and reference side by side, one row per trio of (1, C, H, W), first three bands, as PNG."""
    rows = []
    for trio in trios:
        reference = trio[2]
        side = min(largest, *reference.shape[2:])
        shown = torch.cat(trio)[:, :3, :side, :side].flip(1)
        if shown.shape[1] < 3:
            shown = shown[:, :1].expand(-1, 3, -1, -1)
        shown = torch.nn.functional.pad(shown, (0, largest - side, 0, largest - side))
        low, high = torch.quantile(reference[:, :3].flatten(), torch.tensor([0.01, 0.99]).to(reference))
        rows.append(torch.cat(list((shown - low) / (high - low)), -1))
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = (torch.cat(rows, -2).clamp(0, 1) * 255).byte().permute(1, 2, 0).cpu().numpy()
    Image.fromarray(pixels).save(path)
