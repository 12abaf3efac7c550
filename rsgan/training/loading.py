"""Reads the YAML file of a run, whatever its task."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field, TypeAdapter, ValidationError

from rsgan.errors import ConfigError
from rsgan.training.config import TrainConfig
from rsgan.training.despeckle.config import DespeckleConfig

AnyConfig = TrainConfig | DespeckleConfig
"""The config of a run; `task` tells which."""
_ADAPTER: TypeAdapter[AnyConfig] = TypeAdapter(Annotated[AnyConfig, Field(discriminator="task")])


def load_config(path: Path) -> AnyConfig:
    """Read and check a YAML file.

    Raises:
        ConfigError: the file is missing, is no YAML mapping, or a setting is wrong; the message has the key's path.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}). Give the path of a YAML config.") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(
            f"{path}: holds {type(content).__name__}, expected a mapping of sections (task, model, data, ...)."
        )
    try:
        return _ADAPTER.validate_python(content)
    except ValidationError as error:
        rows = [
            f"  {'.'.join(map(str, e['loc'][1:])) or 'config'}: {e['msg']} (found {e.get('input')!r:.60})"
            for e in error.errors()  # the first part of the place is the task
        ]
        raise ConfigError(f"{path}: {len(rows)} wrong setting(s):\n" + "\n".join(rows)) from error
