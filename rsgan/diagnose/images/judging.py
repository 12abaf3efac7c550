"""Free images, judged one logit per image by discriminators that have not learnt from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rsgan.diagnose.calibration import Calibration, Way
from rsgan.diagnose.logits import Progress
from rsgan.diagnose.refit import Batch, Learnt, Refit, learn, noisy
from rsgan.errors import ConfigError
from rsgan.nn.discriminators import PatchLayersConfig, patch_layers

Floats = NDArray[np.float64]


class ImageJudge(nn.Module):
    """One logit per image: the features of a PatchGAN, averaged over the image, then a linear layer."""

    def __init__(self, bands: int, channels: int, strided: int = 2) -> None:
        super().__init__()
        layers = patch_layers(bands, PatchLayersConfig(channels=channels, strided=strided, spectral_norm=False))
        self.features = layers[:-1]
        self.last = nn.Linear(4 * channels if strided > 1 else 2 * channels, 1)

    def forward(self, image: Tensor) -> Tensor:
        """(N, C, H, W) -> (N,) logits."""
        logits: Tensor = self.last(self.features(image).mean((2, 3)))[:, 0]
        return logits


@dataclass(frozen=True)
class HeldOut:
    """Scores of images by judges that have not learnt from them.

    Attributes:
        real: (N,) log density ratios of references, by judges of other folds, calibrated on yet others.
        generated: (M,) of generated images.
        raw: the same before calibration, real and generated.
        learnt: the judge of every fold.
        calibrations: of every fold.
    """

    real: Floats
    generated: Floats
    raw: tuple[Floats, Floats]
    learnt: tuple[Learnt, ...]
    calibrations: tuple[Calibration, ...]


def judge_images(
    real: Tensor,
    generated: Tensor,
    how: Refit,
    *,
    blocks: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None,
    way: Way = "platt",
    device: torch.device | None = None,
    progress: Progress | None = None,
) -> HeldOut:
    """Log density ratio of every image, by judges that are learnt afresh, cross-fitted over folds.

    Args:
        real: (N, C, H, W) references, network units.
        generated: (M, C, H, W) generated images.
        how: settings.
        blocks: (N,) and (M,) which images belong together, those of one number on both sides, too, so that no two folds
            share a place; None: each by itself.
        way: of calibration.
        device: where to compute; None is the CPU.
        progress: called after each fold.

    Raises:
        ConfigError: the images are of different shapes, or fewer than folds.
    """
    if real.shape[1:] != generated.shape[1:]:
        raise ConfigError(f"references are {tuple(real.shape[1:])}, generated images {tuple(generated.shape[1:])}.")
    if min(len(real), len(generated)) < 4 * how.folds:
        raise ConfigError(f"{len(real)} references and {len(generated)} generated images; expected {4 * how.folds}.")
    device = device or torch.device("cpu")
    both = (real, generated)
    folds = folds_of(blocks or (np.arange(len(real)), np.arange(len(generated)) + len(real)), how)
    raw, scores = ([np.full(len(x), np.nan) for x in both] for _ in range(2))
    learnt, calibrations = [], []
    for fold in range(how.folds):
        stop = (fold + 1) % how.folds
        parts = [torch.from_numpy(np.flatnonzero((f != fold) & (f != stop))) for f in folds]

        def draw(rng: np.random.Generator, parts: list[Tensor] = parts) -> Batch:
            chosen = [part[torch.from_numpy(rng.integers(len(part), size=how.batch))] for part in parts]
            counts = torch.ones(how.batch, dtype=torch.bool)
            return Batch((real[chosen[0]],), (generated[chosen[1]],), counts, counts)

        aside = [torch.from_numpy(np.flatnonzero(f == stop)) for f in folds]
        counts = [torch.ones(len(a), dtype=torch.bool) for a in aside]
        check = Batch((real[aside[0]],), (generated[aside[1]],), counts[0], counts[1])
        torch.manual_seed(how.seed * 1009 + fold)
        network = ImageJudge(real.shape[1], how.channels)
        found = learn(network, draw, [check], how, device=device, seed=how.seed * 1009 + fold)
        seen = [_scores(found.network, x[a], how, device, fold) for x, a in zip(both, aside, strict=True)]
        calibration = Calibration.fitted(way, seen[0], seen[1])
        for kind, images in enumerate(both):
            judged = np.flatnonzero(folds[kind] == fold)
            raw[kind][judged] = _scores(found.network, images[torch.from_numpy(judged)], how, device, fold)
            scores[kind][judged] = calibration(raw[kind][judged])
        learnt.append(found)
        calibrations.append(calibration)
        if progress is not None:
            progress(fold + 1, how.folds)
    return HeldOut(scores[0], scores[1], (raw[0], raw[1]), tuple(learnt), tuple(calibrations))


def folds_of(blocks: tuple[NDArray[np.int64], NDArray[np.int64]], how: Refit) -> list[NDArray[np.int64]]:
    """The fold of each image of both kinds; images of one block share it, and each kind is spread evenly."""
    names = np.unique(np.concatenate(blocks))
    folds: dict[int, int] = {}
    here, there = (np.isin(names, kind) for kind in blocks)
    for salt, chosen in enumerate((here & ~there, ~here & there, here & there)):
        order = np.random.default_rng((how.seed, salt)).permutation(int(chosen.sum())) % how.folds
        folds |= dict(zip(names[chosen].tolist(), order.tolist(), strict=True))
    return [np.array([folds[name] for name in kind.tolist()]) for kind in blocks]


def _scores(network: nn.Module, images: Tensor, how: Refit, device: torch.device, salt: int) -> Floats:
    chance = torch.Generator().manual_seed(how.seed * 1009 + salt + 7)
    with torch.inference_mode():
        found = [network(noisy(part, how.noise, chance).to(device)).cpu().numpy() for part in images.split(256)]
    return np.concatenate(found).astype(np.float64)
