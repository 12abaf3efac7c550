"""Batches computed by the workers of a dask cluster; reading, writing and what is summed up stay here, in order.

What a worker gets is pixels, so it needs no access to the files. A lost worker's batches are done again by another.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rsgan.enhance.batches import Batches, Enhancer, Kept, Step
from rsgan.enhance.options import CLUSTER
from rsgan.enhance.walk import Engine
from rsgan.errors import RsganError

if TYPE_CHECKING:
    from distributed import Client, Future

_WORKERS_COME_S, _LOOK_AGAIN_S = 60, 20
_OPEN: dict[str, Client] = {}
"""Connections that last for several scenes, by what was asked for."""


@contextmanager
def connected(asked: str | Client) -> Iterator[Client]:
    """A client of the cluster that is asked for; one for all scenes where this is entered around them.

    Args:
        asked: address of a scheduler, "local:N" for N processes of this machine, or a client, which stays open.

    Raises:
        RsganError: dask is missing, or no scheduler answers.
    """
    if not isinstance(asked, str):
        yield asked
    elif asked in _OPEN:
        yield _OPEN[asked]
    else:
        with _client(asked) as client:
            _OPEN[asked] = client
            try:
                yield client
            finally:
                del _OPEN[asked]


@contextmanager
def computing(asked: str | Client | None, bind: Callable[[], Enhancer]) -> Iterator[Engine | None]:
    """The engine that computes batches on a cluster; None without one.

    Args:
        asked: see `connected`.
        bind: makes the enhancer, once on every worker that computes with it.

    Raises:
        RsganError: as `connected`, or no worker is there.
    """
    if asked is None:
        yield None
        return
    with connected(asked) as client:
        try:
            client.wait_for_workers(1, timeout=_WORKERS_COME_S)
        except TimeoutError as error:
            raise RsganError(
                f"--cluster {_name(client)}: no worker came within {_WORKERS_COME_S} s. Start some: dask worker "
                f"{_name(client)}"
            ) from error
        bound = client.submit(_bound, bind, pure=False)
        yield lambda groups: _computed(client, bound, groups)


def _computed(
    client: Client, bound: Future[Any], groups: Iterable[list[Step]]
) -> Iterator[tuple[list[Step], list[Kept]]]:
    """Groups and what is kept of them, in order; two batches for every thread of a worker are under way."""
    waiting: deque[tuple[list[Step], Future[Any]]] = deque()
    try:
        for group in groups:
            waiting.append((group, client.submit(_kept_of, bound, group, pure=False)))
            while len(waiting) > 2 * sum(client.nthreads().values()):
                yield _next(client, waiting)
        while waiting:
            yield _next(client, waiting)
    finally:
        client.cancel([future for _, future in waiting])


def _next(client: Client, waiting: deque[tuple[list[Step], Future[Any]]]) -> tuple[list[Step], list[Kept]]:
    """The first of those that wait.

    Raises:
        RsganError: it cannot be computed, whoever tries.
    """
    from distributed import KilledWorker
    from distributed.comm.core import CommClosedError

    group, future = waiting.popleft()
    while True:
        try:
            return group, future.result(timeout=_LOOK_AGAIN_S)
        except TimeoutError as error:
            if not client.nthreads():
                raise RsganError(f"--cluster {_name(client)}: its last worker has gone. Start others.") from error
        except KilledWorker as error:
            height, width = group[0].values.shape[1:]
            raise RsganError(
                f"--cluster {_name(client)}: a window of {width} x {height} input pixels ended one worker after the "
                "other, probably for want of memory. Give a smaller --window or --batch."
            ) from error
        except (CancelledError, CommClosedError) as error:
            raise RsganError(
                f"--cluster {_name(client)}: the connection to the scheduler is lost ({error})."
            ) from error
        except ModuleNotFoundError as error:
            raise RsganError(
                f"--cluster {_name(client)}: a worker has no module {error.name}. Install the same rsgan there."
            ) from error


def _bound(bind: Callable[[], Enhancer]) -> Batches:
    return Batches(bind())


def _kept_of(batches: Batches, group: list[Step]) -> list[Kept]:
    return batches(group)


@contextmanager
def _client(asked: str) -> Iterator[Client]:
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise RsganError(
            f"--cluster {asked}: dask.distributed is not installed. Install it: pip install 'rsgan[cluster]'"
        ) from error
    found = CLUSTER.fullmatch(asked)
    processes = None if found is None else found["processes"]
    if processes is None:
        try:
            client = Client(asked, timeout=_LOOK_AGAIN_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise RsganError(
                f"--cluster {asked}: no dask scheduler answers there ({error}). Start one with: dask scheduler"
            ) from error
        with client:
            yield client
        return
    count = int(processes)
    each = max(1, (os.cpu_count() or 1) // count)
    settings: dict[str, Any] = {"n_workers": count, "threads_per_worker": 1, "silence_logs": logging.CRITICAL}
    with (
        LocalCluster(**settings, dashboard_address="127.0.0.1:0", env={"OMP_NUM_THREADS": str(each)}) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


def _name(client: Client) -> str:
    scheduler = client.scheduler
    return "" if scheduler is None else str(scheduler.address)
