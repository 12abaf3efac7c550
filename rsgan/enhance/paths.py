"""What a user gives as the scene, as a list of paths."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rsgan.errors import InputError


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


def refuse_twice(sources: Sequence[str | Path]) -> None:
    """Refuse a file that is given twice.

    Raises:
        InputError: naming it.
    """
    for number, source in enumerate(sources):
        if source in sources[:number]:
            raise InputError(f"{source} is given twice. Give each file once.")
