"""Held-out figures of a translation: how near it comes to the target, and how near the source was already."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rsgan.card import Domain
from rsgan.metrics.artefacts import checkerboard
from rsgan.metrics.distribution import coverage, descriptors, diversity
from rsgan.nn.generators import TranslationGenerator
from rsgan.training.chips import batch_of_one
from rsgan.training.tiles import Floats, OnDisk, Tile
from rsgan.training.translation.batch import collate
from rsgan.training.translation.config import TranslateConfig
from rsgan.training.translation.samples import PairedDataset, PairTile, UnpairedDataset, hazed
from rsgan.training.validation import save_panel

LARGEST = 512
"""Side of the centre crop of a pair that is used, pixels."""
DRAWS = 2
"""Times that haze is drawn over every held-out clear tile."""
POPULATION = 48
"""Training chips that are translated to compare the translations with the target's chips."""


class TranslationValidation:
    """Held-out pairs, and held-out clear tiles under haze that is drawn once."""

    def __init__(
        self,
        pairs: list[PairTile],
        clear: list[Tile],
        dataset: PairedDataset | UnpairedDataset,
        config: TranslateConfig,
        device: torch.device,
    ) -> None:
        self.config, self.dataset, self.device = config, dataset, device
        held = {"pairs": [_cropped(pair, pair.target) for pair in pairs], "hazed": list(_hazed(clear, config))}
        self.pairs = {name: [tuple(x.to(device) for x in held) for held in some] for name, some in held.items()}

    @torch.no_grad()
    def measure(self, generator: TranslationGenerator) -> dict[str, float]:
        """Figures over valid pixels; the generator is in training mode afterwards.

        Returns:
            For real pairs and for drawn haze, where there are any: `error/...`, the RMS error in network units, mean
            over the pairs; `baseline/...`, that of the source itself where both domains have the same bands, else of
            the target's centre; and `gain_db/...`, 20 log10 of the second over the first. `level`: largest difference
            of the mean of a band, in network units, between the target's chips and the translations of the source's.
            `diversity` and `coverage` of these translations, see `metrics.distribution`; their `checkerboard`, see
            `metrics.artefacts`; and of pairs `known`, the RMS error of the chips that were trained on.
        """
        generator.eval()
        figures: dict[str, float] = {}
        for name, pairs in self.pairs.items():
            if not pairs:
                continue
            errors = [_rms(generator(source) - target, valid) for source, target, valid in pairs]
            same = self.config.source.bands == self.config.target.bands
            before = [_rms(source - target, valid) if same else _rms(target, valid) for source, target, valid in pairs]
            figures |= {
                f"error/{name}": float(np.mean(errors)),
                f"baseline/{name}": float(np.mean(before)),
                f"gain_db/{name}": float(np.mean(20 * np.log10(np.array(before) / np.array(errors)))),
            }
        figures |= self._population(generator)
        generator.train()
        return figures

    def _population(self, generator: TranslationGenerator) -> dict[str, float]:
        """What becomes of training chips as a whole, and how near those come whose truth is known."""
        seen = [self.dataset[index].to(self.device) for index in range(POPULATION)]
        made = torch.cat([generator(sample.source) for sample in seen])
        chips = collate(seen)
        first, second = (descriptors(x.cpu().numpy()) for x in (made, chips.target))
        period = min(max(generator.forth.stride, 2), 8)
        figures = {
            "level": float((made - chips.target).mean((0, 2, 3)).abs().max()),
            "diversity": diversity(first, second),
            "coverage": coverage(first, second),
            "checkerboard": float(np.median([checkerboard(image, period) for image in made.cpu().numpy()])),
        }
        if isinstance(self.dataset, PairedDataset):
            figures["known"] = _rms(made - chips.target, torch.ones_like(made[:, :1]))
        return figures

    @torch.no_grad()
    def panel(self, generator: TranslationGenerator, path: Path) -> None:
        """Source, translation and target of the first pairs side by side, in colour where there is any, as PNG."""
        generator.eval()
        shown = [*self.pairs["pairs"][:2], *self.pairs["hazed"][:2]]
        first, second = self.config.source, self.config.target
        trios = []
        for source, target, _ in shown:
            seen, made, wanted = (
                _colours(domain, values)
                for domain, values in ((first, source), (second, generator(source)), (second, target))
            )
            trios.append((seen if first.bands == second.bands else _levelled(seen, wanted), made, wanted))
        generator.train()
        if trios:
            save_panel(path, trios)


Held = tuple[Tensor, Tensor, Tensor]
"""(1, C, H, W) source, (1, D, H, W) target and (1, 1, H, W) valid."""


def _cropped(tile: Tile, target: Floats | OnDisk) -> Held:
    rows, columns = (slice((n - min(n, LARGEST)) // 2, (n + min(n, LARGEST)) // 2) for n in tile.valid.shape)
    seen, wanted = (batch_of_one(x[:, rows, columns]) for x in (tile.values, target))
    return seen, wanted, batch_of_one(tile.valid[None, rows, columns])


def _hazed(clear: list[Tile], config: TranslateConfig) -> Iterator[Held]:
    for number, tile in enumerate(clear):
        _, target, valid = _cropped(tile, tile.values)
        for draw in range(DRAWS):
            rng = torch.Generator().manual_seed((config.seed * 1_000 + number) * DRAWS + draw)
            yield hazed(target, config, rng), target, valid


def _rms(error: Tensor, valid: Tensor) -> float:
    """Root of the mean square over valid pixels and bands."""
    return float((error.square() * valid).sum().div(valid.sum() * error.shape[1]).sqrt())


def _levelled(picture: Tensor, other: Tensor) -> Tensor:
    """A picture with mean and spread of another one: panels have one stretch, and radar is no colour."""
    return (picture - picture.mean()) / picture.std().clamp_min(1e-9) * other.std() + other.mean()


def _colours(domain: Domain, values: Tensor) -> Tensor:
    """(1, 3, H, W) blue, green and red in the domain's own units, as `save_panel` takes them."""
    spread, centre = (torch.tensor(x).to(values)[:, None, None] for x in (domain.spread, domain.centre))
    return (values * spread + centre)[:, list(domain.colours)[::-1]]
