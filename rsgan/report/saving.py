"""Files for people and programs: never half written, never over another file unless told to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rsgan.errors import OutputError


def check_text(path: Path, flag: str, suffixes: tuple[str, ...], *, overwrite: bool) -> None:
    """Refuse a file that could not or should not be written, before anything is computed.

    Args:
        path: File to write.
        flag: By which it was asked for.
        suffixes: Endings that are allowed, so that no raster is written over by mistake.
        overwrite: Whether an existing file may be replaced.

    Raises:
        OutputError: Its name ends otherwise, it exists and may not be replaced, or its folder is missing.
    """
    if path.suffix.casefold() not in suffixes:
        raise OutputError(f"{flag} {path} does not end in {suffixes[0]}, which is what is written. Rename it.")
    if path.is_dir():
        raise OutputError(f"{flag} {path} is a folder; expected the name of a {suffixes[0]} file.")
    if path.exists() and not overwrite:
        raise OutputError(f"{flag} {path} exists already. Give --overwrite to replace it, or another name.")
    if not path.absolute().parent.is_dir():
        raise OutputError(f"{flag} {path}: folder {path.absolute().parent} does not exist. Create it first.")


@contextmanager
def renamed_when_whole(path: Path) -> Iterator[Path]:
    """A temporary name beside `path`; what is written there takes its place at the end, or is removed.

    Raises:
        OSError: It cannot be written or renamed.
    """
    partial = path.with_name(f".{path.stem}.partial-{os.getpid()}{path.suffix}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def save_text(path: Path, text: str, flag: str) -> None:
    """Write a text file under a temporary name, then rename.

    Raises:
        OutputError: It cannot be written.
    """
    save_bytes(path, text.encode(), flag)


def save_bytes(path: Path, content: bytes, flag: str) -> None:
    """Write a file under a temporary name, then rename.

    Raises:
        OutputError: It cannot be written.
    """
    try:
        with renamed_when_whole(path) as partial:
            partial.write_bytes(content)
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error}). Give another path with {flag}.") from error
