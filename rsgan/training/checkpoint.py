"""One atomic file that holds everything a run needs to go on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from rsgan.errors import ConfigError


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write under a temporary name, flush to disk, rename: a killed run leaves the last good file."""
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint of tensors and plain values; code in it is refused.

    Raises:
        ConfigError: missing or damaged file.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no checkpoint to resume from. Start the run without --resume.") from error
    except Exception as error:
        # torch's own words advise to load code from the file
        found = type(error).__name__
        raise ConfigError(f"{path}: not a readable checkpoint ({found}). Start the run without --resume.") from error
    return state
