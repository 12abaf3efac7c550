"""What a user gives as the scene, as a list of paths."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rsgan.errors import InputError, OutputError
from rsgan.geo.addresses import is_remote


def as_paths(source: object) -> list[str | Path]:
    """One path or several as a list of them.

    Raises:
        InputError: it is something else.
    """
    listed: list[Any] = list(source) if isinstance(source, Iterable) and not isinstance(source, str) else [source]
    for entry in listed:
        if not isinstance(entry, str | Path):
            raise InputError(
                f"the scene is given as {type(entry).__name__}; expected a path, several paths, or xarray arrays "
                "alone. Numbers without a place are xarray.DataArray(values, dims=('band', 'y', 'x'))."
            )
    return listed


def placed(default: Path, folder: Path | None) -> Path:
    """Where an output lies that nobody gave a name: beside its source, in a folder, or here where that is remote."""
    if folder is None and is_remote(default.as_posix().replace(":/", "://", 1)):
        return Path(default.name)
    return default if folder is None else folder / default.name


def refuse_twice(sources: Sequence[str | Path]) -> None:
    """Refuse a file that is given twice.

    Raises:
        InputError: naming it.
    """
    for number, source in enumerate(sources):
        if source in sources[:number]:
            raise InputError(f"{source} is given twice. Give each file once.")


def refuse_the_input(targets: Mapping[str, Path | None], sources: Iterable[str | Path]) -> None:
    """Refuse to write over what is read.

    Args:
        targets: flag -> file that it asks for; None for what is not asked for.
        sources: what is read.

    Raises:
        OutputError: naming flag and file.
    """
    for source in sources:
        for flag, target in targets.items():
            if target is not None and target.exists() and Path(source).exists() and target.samefile(source):
                raise OutputError(f"{flag} {target} is the input itself, which stays as it is. Give another name.")
