"""Reading ahead and writing behind: the next windows are read, and the last ones written, while one is computed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


@contextmanager
def ahead(make: Callable[[Item], Made], items: Iterable[Item], count: int = 1) -> Iterator[Iterator[Made]]:
    """Give what `make` gives for each item, in order, `count` of them before they are asked for.

    One thread makes them all. After the ``with`` block it has ended, so that what it reads may be closed.

    Args:
        make: called in that thread; what it raises is raised where its result is asked for.
        items: of which it makes something.
        count: made and not yet asked for, at most; so much memory is held.
    """
    rest = iter(items)
    with ThreadPoolExecutor(1, thread_name_prefix="rsgan-ahead") as reader:
        waiting: deque[Future[Made]] = deque(reader.submit(make, item) for item in islice(rest, count + 1))

        def made() -> Iterator[Made]:
            while waiting:
                found = waiting.popleft().result()
                waiting.extend(reader.submit(make, item) for item in islice(rest, 1))
                yield found

        try:
            yield made()
        finally:
            for future in waiting:
                future.cancel()


@contextmanager
def behind(count: int = 1) -> Iterator[Callable[[Callable[[], None]], None]]:
    """Give a function that has tasks done in order by one other thread, while the caller goes on.

    What a task raises is raised when the next one is given, or at the end of the ``with`` block, where all are done.
    Where that block ends in an error, those that have not begun are dropped.

    Args:
        count: tasks that wait, at most; giving one more waits for the first.
    """
    waiting: deque[Future[None]] = deque()

    def give(task: Callable[[], None]) -> None:
        while len(waiting) > count or (waiting and waiting[0].done()):
            waiting.popleft().result()
        waiting.append(worker.submit(task))

    with ThreadPoolExecutor(1, thread_name_prefix="rsgan-behind") as worker:
        try:
            yield give
            while waiting:
                waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
