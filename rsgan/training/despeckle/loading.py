"""Reads what a despeckling run needs: its dataset and its held-out figures."""

from __future__ import annotations

import torch

from rsgan.training.despeckle.config import DespeckleConfig, SyntheticData
from rsgan.training.despeckle.observed import ObservedDataset, draw_of, read_means, read_stacks
from rsgan.training.despeckle.scenes import clean_scenes
from rsgan.training.despeckle.synthetic import SyntheticDataset
from rsgan.training.despeckle.validation import DespeckleValidation, ObservedValidation
from rsgan.training.tiles import check_split, read_split

Loaded = tuple[SyntheticDataset | ObservedDataset, DespeckleValidation | ObservedValidation]


def load_despeckle(config: DespeckleConfig, device: torch.device) -> Loaded:
    """Dataset and validation of a run.

    Raises:
        RsganError: a file is missing, wrong, or on both sides of the split.
    """
    data = config.data
    if not isinstance(data, SyntheticData):
        stacks, others, draw = read_stacks(data, data.training), read_stacks(data, data.validation), draw_of(data)
        check_split(stacks, others)
        validation = ObservedValidation(others, draw, config.seed, config.generator.stride, device)
        return ObservedDataset(stacks, draw, config), validation
    held_out = read_split(data.root, data.validation, ())
    tiles, means = read_split(data.root, data.optical, ()), read_means(data.root, data.means)
    check_split([*tiles, *means], held_out)
    scenes = clean_scenes(tiles, means, data, config.training.chip_size)
    return SyntheticDataset(scenes, config), DespeckleValidation(held_out, config.seed, device)
