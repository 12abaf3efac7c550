"""How the Python twins of commands carry out a job: notes become warnings, and a preview is made on request."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import TracebackType
from typing import Protocol

from rsgan.enhance.walk import Progress
from rsgan.errors import RsganWarning


class Done(Protocol):
    """What a job gives."""

    @property
    def path(self) -> Path: ...  # noqa: D102


class Job(Protocol):
    """One scene, one output, ready to run; see `job.Job`."""

    def __enter__(self) -> Job: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    @property
    def notes(self) -> tuple[str, ...]: ...  # noqa: D102
    def check(self, preview: Path | None = None) -> None: ...  # noqa: D102
    def run(self, progress: Progress | None = None) -> Done: ...  # noqa: D102
    def preview(self, path: Path) -> None: ...  # noqa: D102


def carried_out(job: Job, preview: str | Path | None, progress: Progress | None) -> Path:
    """Do it, and give the path of the raster; called by the function that the user calls."""
    with job:
        if preview is not None:
            job.check(Path(preview))
        for note in job.notes:
            warnings.warn(note, RsganWarning, stacklevel=3)
        result = job.run(progress)
        if preview is not None:
            job.preview(Path(preview))
    return result.path
