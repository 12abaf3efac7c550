"""Finished rows of an output in the making, kept beside it, so that a run that was killed can go on."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from rsgan.errors import OutputError

PLAN = "plan.json"
Figures = Mapping[str, npt.NDArray[Any]]
"""What was summed up over the rows so far, by name."""


@dataclass(frozen=True)
class Finished:
    """A finished row band.

    Attributes:
        band: (C, H, W) as stored.
        beside: the same rows of a second raster; None without.
        figures: what was summed up until its end.
    """

    band: npt.NDArray[Any]
    beside: npt.NDArray[Any] | None
    figures: Figures


@dataclass(frozen=True)
class KeptRows:
    """Row bands of one output, from the top down, each a file that is whole or not there.

    A GeoTIFF that is half written reads zeros without an error, so finished rows are kept apart from it.

    Attributes:
        folder: where they are.
    """

    folder: Path

    @staticmethod
    def place(output: Path) -> Path:
        """The folder that belongs to an output."""
        return output.with_name(f".{output.name}.rows")

    @classmethod
    def of(cls, output: Path, made_of: Mapping[str, Any]) -> KeptRows:
        """Those that are there, or none yet.

        Args:
            output: the raster in the making.
            made_of: all that its pixels depend on, plain values; rows that were made of something else are refused.

        Raises:
            OutputError: the rows that are there were made of something else, or the folder cannot be made.
        """
        folder, text = cls.place(output), json.dumps(made_of, indent=1, sort_keys=True)
        try:
            folder.mkdir(exist_ok=True)
            plan = folder / PLAN
            if not plan.exists():
                _write_whole(plan, text.encode())
            found = plan.read_text(encoding="utf-8")
        except OSError as error:
            raise OutputError(f"finished rows cannot be kept in {folder} ({error}). Leave --resume out.") from error
        if found != text:
            raise OutputError(
                f"{folder} holds rows of another run: {_difference(found, made_of)}. Remove that folder to begin anew, "
                "or give the same input and settings."
            )
        return cls(folder)

    def keep(self, number: int, finished: Finished) -> None:
        """Keep a row band.

        Raises:
            OutputError: the disk is full or cannot be written.
        """
        partial = self.folder / f"{number:06}.partial"
        arrays: dict[str, Any] = {f"figure_{name}": values for name, values in finished.figures.items()}
        if finished.beside is not None:
            arrays["beside"] = finished.beside
        try:
            with partial.open("wb") as file:
                np.savez(file, band=finished.band, **arrays)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, self._file(number))
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise OutputError(
                f"rows cannot be kept in {self.folder} ({error}). Free disk space and go on with --resume, or leave "
                "--resume out."
            ) from error

    def kept(self) -> Iterator[Finished]:
        """Row bands from the top down, as far as they are there and whole."""
        number = 0
        while self._file(number).exists():
            try:
                with self._file(number).open("rb") as file, np.load(file, allow_pickle=False) as found:
                    arrays = {name: found[name] for name in found.files}
                band, beside = arrays.pop("band"), arrays.pop("beside", None)
            except (OSError, ValueError, KeyError, EOFError, BadZipFile):
                return
            yield Finished(band, beside, {name.removeprefix("figure_"): values for name, values in arrays.items()})
            number += 1

    def remove(self) -> None:
        """The output is whole: they are needed no more."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _file(self, number: int) -> Path:
        return self.folder / f"{number:06}.npz"


def _write_whole(path: Path, content: bytes) -> None:
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    os.replace(partial, path)


def _difference(found: str, made_of: Mapping[str, Any]) -> str:
    """The first thing that differs, in words."""
    try:
        before = json.loads(found)
    except ValueError:
        return f"its {PLAN} is damaged"
    now = json.loads(json.dumps(made_of))
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name):
            return f"{name} was {before.get(name)} and is {now.get(name)}"
    return f"its {PLAN} is damaged"
