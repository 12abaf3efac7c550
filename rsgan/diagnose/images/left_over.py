"""Free images, judged by the discriminator that is left over from the training of their generator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rsgan.card import ModelCard, folder_of
from rsgan.diagnose.calibration import Calibration, Way
from rsgan.diagnose.images.folders import Images
from rsgan.diagnose.images.judging import HeldOut, folds_of
from rsgan.diagnose.meaning import meaning_of
from rsgan.diagnose.refit import Refit
from rsgan.errors import ConfigError
from rsgan.model import Model
from rsgan.nn.images import ImageDiscriminator

AT_ONCE = 64
"""Images that are judged at once; they are mixed, as a judge may see how much those of a batch differ."""
Pair = tuple[NDArray[np.int64], NDArray[np.int64]]


def judge_by_model(
    model: Model,
    both: Sequence[Images],
    classes: Pair,
    names: Mapping[int, str],
    how: Refit,
    *,
    blocks: Pair,
    way: Way,
    device: torch.device,
) -> tuple[HeldOut, tuple[str, ...]]:
    """Log density ratio of every image, by the discriminator in a model file.

    Args:
        model: of task synthesize.
        both: references and generated images, in reflectance.
        classes: of each image of both kinds.
        names: of the classes, as the card has them, hyphens for spaces.
        how: folds and seed, of the calibration.
        blocks: of each image, see `judge_images`.
        way: of calibration, on other folds than those that are judged.
        device: where to compute.

    Returns:
        The scores, and what must be told beside them.

    Raises:
        ModelError: the file holds no discriminator.
        ConfigError: it is for other images, or its game tells no density ratio.
    """
    card, judge = model.card, model.discriminator()
    if not isinstance(judge, ImageDiscriminator) or card.target is None:
        raise ConfigError(f"--model {card.name} is for {card.task}; free images need one of task synthesize.")
    side = judge.config.side
    if both[0].bands != card.bands or both[0].values.shape[2:] != (side, side):
        raise ConfigError(
            f"--model {card.name} judges {' '.join(card.bands)} of {side} x {side} pixels; the images have "
            f"{' '.join(both[0].bands)} of {both[0].values.shape[3]} x {both[0].values.shape[2]}."
        )
    meaning = meaning_of(card.objective, card.real_label, augmented=card.augmented, instance_noise=card.instance_noise)
    told = _told(card, judge, classes, names)
    chips = [torch.from_numpy(card.target.to_network(images.values)) for images in both]
    logits = _logits(judge.to(device), torch.cat(chips), None if told is None else torch.cat(told), how.seed)
    raw = np.split(meaning.ratios(logits), [len(chips[0])])
    folds = folds_of(blocks, how)
    scores, calibrations = [np.empty(len(x)) for x in raw], []
    for fold in range(how.folds):
        law = Calibration.fitted(way, *(x[f != fold] for x, f in zip(raw, folds, strict=True)))
        for kind, found in enumerate(raw):
            scores[kind][folds[kind] == fold] = law(found[folds[kind] == fold])
        calibrations.append(law)
    notes = (*meaning.warnings, f"{card.name} has learnt from its training tiles: give references of other places")
    return HeldOut(scores[0], scores[1], (raw[0], raw[1]), (), tuple(calibrations)), notes


def _told(card: ModelCard, judge: ImageDiscriminator, classes: Pair, names: Mapping[int, str]) -> list[Tensor] | None:
    """Positions of the classes in the card; None for a judge that is told nothing."""
    if judge.config.given == "map":
        raise ConfigError(f"--model {card.name} judges chips beside maps of classes, which free images lack.")
    if judge.config.given == "nothing" or judge.config.auxiliary:
        return None
    known = {folder_of(name): place for place, name in enumerate(card.classes)}
    unknown = sorted(set(names.values()) - known.keys())
    if unknown:
        raise ConfigError(
            f"--model {card.name} knows no class {', '.join(unknown)}; call the subfolders {', '.join(known)}."
        )
    places = {number: known[name] for number, name in names.items()}
    return [torch.tensor([places[int(number)] for number in kind]) for kind in classes]


@torch.inference_mode()
def _logits(judge: ImageDiscriminator, chips: Tensor, told: Tensor | None, seed: int) -> NDArray[np.float64]:
    order = torch.randperm(len(chips), generator=torch.Generator().manual_seed(seed))
    found = torch.empty(len(chips), dtype=torch.float64)
    device = next(judge.parameters()).device
    for part in order.split(AT_ONCE):
        classes = None if told is None else told[part].to(device)
        found[part] = judge(chips[part].to(device), classes)[:, 0].cpu().double()
    return found.numpy()
