"""Several processes, on one machine or several, that train one model together; torchrun starts them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist

from rsgan.errors import ConfigError, RsganError
from rsgan.nn.ranks import count

LONGEST_WAIT = timedelta(hours=2)
"""For a process that validates while the others wait; one that is gone is noticed at once."""


@contextmanager
def joined(device: torch.device) -> Iterator[torch.device]:
    """Join the processes that torchrun started, if it did; gives the device of this one.

    torchrun says by environment variables how many there are (WORLD_SIZE) and which one this is (RANK, LOCAL_RANK).
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=LONGEST_WAIT)
    try:
        yield device
    finally:
        dist.destroy_process_group()


def refuse_uneven(batch_size: int) -> None:
    """Refuse a batch that the processes cannot share evenly.

    Raises:
        ConfigError: naming the setting.
    """
    if batch_size % count():
        raise ConfigError(
            f"training.batch_size {batch_size} is no multiple of the {count()} processes that share it. Give one that "
            "is, with --set training.batch_size=..., or start another number of processes."
        )


def wait_for_all() -> None:
    """Go on when every process has come here."""
    if count() > 1:
        dist.barrier()


@contextmanager
def telling_of_lost_ones(run: Path) -> Iterator[None]:
    """Say what to do when another process of a run is gone.

    Raises:
        RsganError: it is.
    """
    try:
        yield
    except RuntimeError as error:
        if count() == 1 or isinstance(error, RsganError) or not _is_about_another(error):
            raise
        raise RsganError(
            f"another process of this run has ended ({str(error).splitlines()[0][:120]}). What it had learnt up to the "
            f"last checkpoint is in {run}: start all processes again with --resume."
        ) from error


def _is_about_another(error: RuntimeError) -> bool:
    """Whether an error comes from talking to other processes."""
    return isinstance(error, dist.DistError) or any(word in str(error).casefold() for word in ("gloo", "nccl", "peer"))
