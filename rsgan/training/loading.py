"""Reads the YAML file of a run, whatever its task."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Final

import yaml
from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from rsgan.errors import ConfigError
from rsgan.training.config import TrainConfig
from rsgan.training.despeckle.config import DespeckleConfig
from rsgan.training.synthesis.config import EncodeConfig, SynthesizeConfig
from rsgan.training.translation.config import TranslateConfig

AnyConfig = TrainConfig | DespeckleConfig | TranslateConfig | SynthesizeConfig | EncodeConfig
"""The config of a run; `task` tells which."""
_ADAPTER: TypeAdapter[AnyConfig] = TypeAdapter(Annotated[AnyConfig, Field(discriminator="task")])


_MOST_VALUES: Final = 1_000_000
"""In a text; what an alias stands for counts each time, so that a small file cannot stand for a huge one."""


class _Loader(yaml.SafeLoader):
    """Plain values, a bounded number of them."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._values: dict[yaml.Node, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        is_alias = self.check_event(yaml.AliasEvent)
        node = super().compose_node(parent, index)
        if node is None:
            return None
        if not is_alias:
            self._values[node] = 1 + sum(self._values[child] for child in _children(node))
        elif node not in self._values:
            raise yaml.YAMLError("an alias (*name) inside of what it stands for; write the value out.")
        if self._values[node] > _MOST_VALUES:
            raise yaml.YAMLError(f"its aliases (*name) stand for more than {_MOST_VALUES:,} values; write fewer out.")
        return node


def _children(node: yaml.Node) -> Iterable[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return chain.from_iterable(node.value)
    return node.value if isinstance(node, yaml.SequenceNode) else ()


def read_yaml(text: str) -> object:
    """The value of a YAML text.

    Raises:
        ConfigError: it is none, in words.
    """
    try:
        return yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: no such date, a number too long
        raise ConfigError(str(error) if str(error) else "nested too deeply") from error


def load_config(path: Path, changes: Sequence[str] = ()) -> AnyConfig:
    """Read and check a YAML file.

    Args:
        path: of the file.
        changes: settings that override the file's, each `section.key=value` with the value in YAML.

    Raises:
        ConfigError: the file is missing, is no YAML mapping, or a setting is wrong; the message has the key's path.
    """
    try:
        content = read_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}). Give the path of a YAML config.") from error
    except ConfigError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(
            f"{path}: holds {type(content).__name__}, expected a mapping of sections (task, model, data, ...)."
        )
    for change in changes:
        _apply(content, change)
    try:
        return _ADAPTER.validate_python(content)
    except ValidationError as error:
        rows = [
            f"  {'.'.join(map(str, e['loc'][1:])) or 'config'}: {e['msg']} (found {e.get('input')!r:.60}){_hint(e)}"
            for e in error.errors()  # the first part of the place is the task
        ]
        raise ConfigError(f"{path}: {len(rows)} wrong setting(s):\n" + "\n".join(rows)) from error


def _apply(content: dict[str, Any], change: str) -> None:
    """Set one key of a config in place.

    Raises:
        ConfigError: the text is no `key=value` with a YAML value, or a part of the key is no section.
    """
    key, equals, text = change.partition("=")
    *sections, last = key.strip().split(".")
    if not equals or not last:
        raise ConfigError(f"--set {change}: expected section.key=value, like training.batch_size=8.")
    place = content
    for depth, name in enumerate(sections, start=1):
        place = place.setdefault(name, {})
        if not isinstance(place, dict):
            raise ConfigError(
                f"--set {change}: {'.'.join(sections[:depth])} is {place!r:.40}, not a section with keys."
            )
    try:
        place[last] = read_yaml(text)
    except ConfigError as error:
        raise ConfigError(f"--set {change}: '{text}' is no value that YAML knows: {error}") from error


def _hint(error: ErrorDetails) -> str:
    """The setting that an unknown one was probably meant to be."""
    if error["type"] != "extra_forbidden":
        return ""
    schema = _ADAPTER.json_schema()
    known = {name for part in schema["$defs"].values() for name in part.get("properties", {})}
    close = get_close_matches(str(error["loc"][-1]), known, n=1)
    return f"; did you mean {close[0]}?" if close else ""
