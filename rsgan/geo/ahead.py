"""Reading ahead: the next windows are read while the present one is computed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


def ahead(make: Callable[[Item], Made], items: Iterable[Item], count: int = 1) -> Iterator[Made]:
    """What `make` gives for each item, in order, `count` of them before they are asked for.

    One thread makes them all: an open raster must not be read by two at a time, so nobody else may read meanwhile.

    Args:
        make: called in that thread; what it raises is raised where its result is asked for.
        items: of which it makes something.
        count: made and not yet asked for, at most; so much memory is held.
    """
    rest = iter(items)
    with ThreadPoolExecutor(1, thread_name_prefix="rsgan-ahead") as reader:
        waiting: deque[Future[Made]] = deque(reader.submit(make, item) for item in islice(rest, count + 1))
        try:
            while waiting:
                made = waiting.popleft().result()
                waiting.extend(reader.submit(make, item) for item in islice(rest, 1))
                yield made
        finally:
            for future in waiting:
                future.cancel()
