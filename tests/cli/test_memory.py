"""The program reuses large blocks of memory; the user's own settings of the allocator win."""

import os
import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource
import numpy as np
from rsgan.cli.memory import keep_freed_memory

done = keep_freed_memory()
np.full(16_000_000, 1.0, np.float32)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    np.full(16_000_000, 1.0, np.float32)
print(done, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(**environment: str) -> tuple[bool, int]:
    """Whether blocks are kept, and pages that ten large arrays, one after the other, have to ask the system for."""
    usual = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    words = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=usual | environment, check=True, capture_output=True, text=True
    ).stdout.split()
    return words[0] == "True", int(words[1])


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_large_blocks_are_asked_for_once() -> None:
    kept, few = faults()
    left_alone, many = faults(MALLOC_ARENA_MAX="8")
    assert (kept, left_alone) == (True, False)
    assert few < 500
    assert many > 10 * few


def test_elsewhere_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    from rsgan.cli.memory import keep_freed_memory

    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory()
