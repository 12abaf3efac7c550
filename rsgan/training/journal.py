"""What a run says of itself as it goes: its log, its curves, its pace."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rsgan.errors import RsganError
from rsgan.training.health import Diagnosis
from rsgan.training.tasks import Batch

try:
    from torch.utils.tensorboard import SummaryWriter
except ImportError as error:
    raise RsganError(
        "training writes its curves for TensorBoard, which is not installed. Install the extra 'train' of rsgan, or "
        "tensorboard itself: pip install tensorboard."
    ) from error


@dataclass(frozen=True)
class Journal:
    """The run's log: JSON lines and TensorBoard."""

    path: Path
    board: SummaryWriter

    @classmethod
    def of(cls, path: Path, curves: Path) -> Journal:
        """Of a file of lines and a folder of curves."""
        return cls(path, SummaryWriter(str(curves)))

    def write(self, event: str, samples_seen: int, values: dict[str, float]) -> None:
        """Append one event."""
        self._append({"event": event, "samples_seen": samples_seen, **values})
        for key, value in values.items():
            self.board.add_scalar(f"{event}/{key}", value, samples_seen)

    def say(self, samples_seen: int, diagnosis: Diagnosis) -> None:
        """Append what was found to be wrong."""
        self._append({"event": "health", "samples_seen": samples_seen, **asdict(diagnosis)})

    def close(self) -> None:
        """Let the curves reach the disk."""
        self.board.close()

    def _append(self, event: dict[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")


class Pace:
    """How fast a run goes, and how much of the time it waits for tiles, since the last line of the log."""

    def __init__(self, samples_seen: int) -> None:
        self.restart(samples_seen)

    def restart(self, samples_seen: int) -> None:
        """Forget what was; held-out figures, say, took time of their own."""
        self.samples_seen, self.waited, self.started = samples_seen, 0.0, time.monotonic()

    def timed(self, source: Iterator[Batch]) -> Iterator[Batch]:
        """The same batches, whose arrival is waited for."""
        while True:
            asked = time.monotonic()
            pairs = next(source, None)
            self.waited += time.monotonic() - asked
            if pairs is None:
                return
            yield pairs

    def figures(self, samples_seen: int) -> dict[str, float]:
        """`samples_per_second` and `waiting`, a share of the time; the count begins anew."""
        took = time.monotonic() - self.started
        found = {"samples_per_second": (samples_seen - self.samples_seen) / took, "waiting": self.waited / took}
        self.restart(samples_seen)
        return found
