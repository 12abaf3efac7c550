"""How the process of a command treats memory: what it is done with, and what GDAL holds."""

from __future__ import annotations

import ctypes
import os
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX, _ARENA_MAX = -1, -2, -4, -8
"""Parameters of mallopt, from glibc's malloc.h."""
_NEVER, _STEP = 2**31 - 1, 2**26
"""Free bytes at the end of the heap above which they are given back, and bytes by which the heap grows."""


_GDAL_CACHE_MB = "64"


def bound_gdals_cache() -> None:
    """Let GDAL hold this much of rasters, where the user has not said how much: its own choice grows with the machine.

    A window walk reads a row of tiles once or twice and needs no more than the rows that it is in.
    """
    os.environ.setdefault("GDAL_CACHEMAX", _GDAL_CACHE_MB)


def keep_freed_memory() -> bool:
    """Let glibc reuse large blocks in place of giving them back to the system and asking for them anew.

    Every layer of a network is such a block, and new ones come page by page, zeroed: a third of the time of a window of
    512 pixels. Only the program does this; a library leaves the allocator of its caller alone. What the user has said
    by environment variables stays. One heap serves all threads: each of its own would keep what the others need.

    Returns:
        Whether it was done; other systems have other allocators.
    """
    if sys.platform != "linux" or any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    settings = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _NEVER), (_TOP_PAD, _STEP), (_ARENA_MAX, 1))
    return all(mallopt(parameter, value) == 1 for parameter, value in settings)
