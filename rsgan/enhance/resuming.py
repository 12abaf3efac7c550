"""Runs that may be interrupted: finished rows are kept beside the output, and gone on from where they are there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rsgan.enhance.options import Running
from rsgan.geo import KeptRows, Scene

_OF_NO_PIXEL = ("batch", "device", "backend", "overwrite", "cog", "resume", "cluster")
"""Options that change no pixel, or none beyond rounding."""


@contextmanager
def resumed(
    output: Path, options: Running, scenes: Sequence[Scene], method: str, **more: object
) -> Iterator[KeptRows | None]:
    """The rows of an output that are kept until it is whole; None where none are asked for.

    Args:
        output: the raster in the making.
        options: how it is made; rows of other options are refused.
        scenes: what it is made of; so are rows of other files.
        method: what makes it, by a digest where it can change; likewise.
        more: all else that its pixels depend on; likewise.

    Raises:
        OutputError: the rows that are there were made of something else, or none can be kept.
    """
    if not options.resume:
        yield None
        return
    rows = KeptRows.of(output, _made_of(options, scenes, method) | {name: str(value) for name, value in more.items()})
    try:
        yield rows
    except BaseException as error:
        error.add_note(f"Finished rows are kept in {rows.folder}; the same command goes on from them.")
        raise
    rows.remove()


def notes_of_kept(output: Path, options: Running) -> list[str]:
    """What the user should know of rows that are there and not asked for."""
    kept = KeptRows.place(output)
    if options.resume or not kept.exists():
        return []
    return [f"{kept} holds finished rows of an interrupted run; --resume goes on from them."]


def _made_of(options: Running, scenes: Sequence[Scene], method: str) -> dict[str, Any]:
    files = [name for scene in scenes for name in scene.files]
    there = {name: os.stat(name) for name in files if os.path.exists(name)}
    how = {field.name: getattr(options, field.name) for field in fields(options)}
    return {
        "version": version("rsgan"),
        "input": {name: [there[name].st_size, there[name].st_mtime_ns] if name in there else [] for name in files},
        "method": method,
        "bands": [[*scene.bands] for scene in scenes],
        "radiometry": [str(scene.radiometry) for scene in scenes],
        "settings": {
            name: isinstance(value, Path) or str(value) for name, value in how.items() if name not in _OF_NO_PIXEL
        },
    }
