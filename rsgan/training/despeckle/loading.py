"""Reads what a despeckling run needs: its dataset and its held-out figures."""

from __future__ import annotations

import torch

from rsgan.training.despeckle.config import DespeckleConfig
from rsgan.training.despeckle.scenes import clean_scenes
from rsgan.training.despeckle.synthetic import SyntheticDataset
from rsgan.training.despeckle.validation import DespeckleValidation
from rsgan.training.tiles import check_split, read_split


def load_despeckle(config: DespeckleConfig, device: torch.device) -> tuple[SyntheticDataset, DespeckleValidation]:
    """Dataset and validation of a run.

    Raises:
        RsganError: a file is missing, wrong, or on both sides of the split.
    """
    data = config.data
    held_out = read_split(data.root, data.validation, ())
    validation = DespeckleValidation(held_out, config.seed, device)
    tiles = read_split(data.root, data.optical, ())
    check_split(tiles, held_out)
    return SyntheticDataset(clean_scenes(tiles, data, config.training.chip_size), config), validation
