"""Held-out figures of a despeckling run, under fixed protocols."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional

from rsgan.errors import ConfigError
from rsgan.metrics.artefacts import checkerboard
from rsgan.nn.generators import DespeckleGenerator
from rsgan.nn.losses import itakura_saito
from rsgan.sensors.sar import draw_speckle
from rsgan.training.despeckle.batch import SpecklePairs
from rsgan.training.despeckle.observed import Draw, Stack
from rsgan.training.despeckle.synthetic import as_pairs
from rsgan.training.tiles import Tile

SIDE = 192
"""Side of the centre crop of a tile that is used, pixels."""
PROTOCOLS = {"L1": (1.0, 0.0), "L4": (4.0, 0.0), "L10": (10.0, 0.0), "L1c": (1.0, 0.19)}
"""Name -> (looks, lag-1 intensity correlation)."""


class DespeckleValidation:
    """Fixed crops of the held-out tiles, their brightness as amplitude 1 .. 255, with the same speckle each time.

    Raises:
        ConfigError: no tile can be judged.
    """

    def __init__(self, tiles: list[Tile], seed: int, device: torch.device) -> None:
        self.device = device
        amplitudes = [crop for tile in tiles if (crop := _amplitude(tile)) is not None]
        if not amplitudes:
            raise ConfigError(
                f"data: none of the {len(tiles)} validation tiles can be judged: each is smaller than {SIDE} pixels, "
                "or has invalid pixels in its centre. Name larger or whole tiles in data.validation."
            )
        self.pairs: dict[str, list[SpecklePairs]] = {}
        for name, (looks, rho) in PROTOCOLS.items():
            rng = np.random.default_rng(seed)
            self.pairs[name] = [_pairs(rng, amplitude, looks, (rho, rho)).to(device) for amplitude in amplitudes]

    @torch.no_grad()
    def measure(self, generator: DespeckleGenerator) -> dict[str, float]:
        """Figures of a generator under every protocol; it is in training mode afterwards.

        Returns:
            `psnr_db/P`: PSNR of the amplitude, peak 255, mean over the tiles; `bias/P`: mean of (mean intensity of the
            enhanced tile over that of the reference) - 1; `checkerboard`: see `metrics.artefacts`, the mean over all.
        """
        generator.eval()
        figures: dict[str, float] = {}
        patterns: list[float] = []
        for protocol, every in self.pairs.items():
            psnrs, biases = [], []
            for pairs in every:
                enhanced = generator(pairs.observed, pairs.speckle, pairs.valid)
                error = (enhanced / 2).exp() - (pairs.reference / 2).exp()
                peak = (pairs.reference / 2).exp().max()
                psnrs.append(float(20 * torch.log10(peak) - 10 * torch.log10(error.square().mean())))
                biases.append(float(enhanced.exp().mean() / pairs.reference.exp().mean() - 1))
                patterns.append(checkerboard(enhanced[0].cpu().numpy(), generator.config.stride))
            figures |= {f"psnr_db/{protocol}": float(np.mean(psnrs)), f"bias/{protocol}": float(np.mean(biases))}
        figures["checkerboard"] = float(np.mean(patterns))
        generator.train()
        return figures

    @torch.no_grad()
    def panel(self, generator: DespeckleGenerator, path: Path) -> None:
        """Observed, enhanced, reference and ratio image of the first tiles under each protocol, as PNG."""
        rows = []
        for every in self.pairs.values():
            shown = []
            for pairs in every[:2]:
                enhanced = generator(pairs.observed, pairs.speckle, pairs.valid)
                peak = (pairs.reference / 2).exp().max()
                shown += [(x / 2).exp() / peak for x in (pairs.observed, enhanced, pairs.reference)]
                shown.append((pairs.observed - enhanced).exp() / 3)
            rows.append(torch.cat([x[0, 0] for x in shown], -1))
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((torch.cat(rows).clamp(0, 1) * 255).byte().cpu().numpy()).save(path)


def _amplitude(tile: Tile) -> NDArray[np.float32] | None:
    """Centre crop of a tile's first band, 1 .. 255; None where it is too small or holed."""
    top, left = ((n - SIDE) // 2 for n in tile.valid.shape)
    window = slice(top, top + SIDE), slice(left, left + SIDE)
    if min(top, left) < 0 or not tile.valid[window].all():
        return None
    values = tile.values[0:1, window[0], window[1]][0]
    low, high = np.quantile(values, [0.001, 0.999])
    if high <= low:
        return None
    return np.asarray(1 + 254 * np.clip((values - low) / (high - low), 0, 1), np.float32)


def _pairs(
    rng: np.random.Generator, amplitude: NDArray[np.float32], looks: float, correlation: tuple[float, float]
) -> SpecklePairs:
    reference = np.square(amplitude)
    first, second = (draw_speckle(rng, amplitude.shape, looks, correlation) for _ in range(2))
    valid = np.ones(amplitude.shape, bool)
    return as_pairs(reference, reference * first, valid, second, looks, np.array(correlation))


class ObservedValidation:
    """Fixed centre crops of held-out stacks, judged by the second observation of each pair.

    Raises:
        ConfigError: no stack can be judged.
    """

    def __init__(self, stacks: Sequence[Stack], draw: Draw, seed: int, stride: int, device: torch.device) -> None:
        self.pairs: list[SpecklePairs] = []
        for number, stack in enumerate(stacks):
            side = min(SIDE, *stack.valid.shape) // stride * stride
            top, left = ((n - side) // 2 for n in stack.valid.shape)
            rows, columns = slice(top, top + side), slice(left, left + side)
            if side and stack.valid[rows, columns].any():
                chip = stack.cut(rows, columns, 0)
                self.pairs.append(draw(np.random.default_rng((seed, number)), chip, 0.0).to(device))
        if not self.pairs:
            raise ConfigError(
                f"data: none of the {len(stacks)} validation rasters can be judged: each is smaller than {stride} "
                "pixels, or invalid in its centre. Name other rasters in data.validation."
            )

    @torch.no_grad()
    def measure(self, generator: DespeckleGenerator) -> dict[str, float]:
        """Figures of a generator; it is in training mode afterwards.

        Returns:
            `deviance`: mean of I2 / R - ln(I2 / R) - 1 over the second observation I2, which falls as R gets better
            (its least value is that of the speckle of I2); `deviance/observed`: the same for the first observation,
            undespeckled; `mean_ratio`: mean of I2 / R, ideally 1.
        """
        generator.eval()
        rows = []
        for pairs in self.pairs:
            enhanced = generator(pairs.observed, pairs.speckle, pairs.valid)
            count = pairs.valid.sum()
            rows.append([
                float((itakura_saito((pairs.reference - shown).clamp(max=10)) * pairs.valid).sum() / count)
                for shown in (enhanced, pairs.observed)
            ] + [float(((pairs.reference - enhanced).exp() * pairs.valid).sum() / count)])  # fmt: skip
        generator.train()
        names = ("deviance", "deviance/observed", "mean_ratio")
        return dict(zip(names, np.mean(rows, axis=0).tolist(), strict=True))

    @torch.no_grad()
    def panel(self, generator: DespeckleGenerator, path: Path) -> None:
        """Observed, enhanced and ratio image of the first stacks, as PNG."""
        rows = []
        for pairs in self.pairs[:4]:
            enhanced = generator(pairs.observed, pairs.speckle, pairs.valid)
            shown = [(image / 2).exp() / 3 for image in (pairs.observed, enhanced)]
            shown.append((pairs.observed - enhanced).exp() / 3)
            row = torch.cat([image[0, 0] for image in shown], -1)
            rows.append(functional.pad(row, (0, 3 * SIDE - row.shape[1])))
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((torch.cat(rows).clamp(0, 1) * 255).byte().cpu().numpy()).save(path)
