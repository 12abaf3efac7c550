"""Many scenes, one after the other: a bad one does not stop the others, and the end says what became of each."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from rsgan.cli.options import carry_out, talk
from rsgan.errors import OutputError, OutputExistsError, RsganError


def carried_out_each(
    sources: Sequence[str],
    prepare: Callable[[list[str]], Any],
    what: str,
    settings: dict[str, Any],
    *,
    dry_run: bool,
    quiet: bool,
    verbose: bool,
) -> bool:
    """Do every scene, if they are to go into a folder, and say whether they were; exit status 1 where one failed.

    Args:
        sources: a scene each.
        prepare: gives the job of one scene, a context manager, its output in the folder that is wanted.
        what: name of the progress bar.
        settings: of the command: `out_folder`, `skip_existing`, and what cannot be given beside them.
        dry_run: only say what would be done.
        quiet: say nothing but errors.
        verbose: say more.

    Raises:
        UsageError: a flag is for one scene, or for many, or two outputs would have one name.
    """
    if settings["out_folder"] is None:
        if settings["skip_existing"]:
            raise click.UsageError("--skip-existing is for many scenes. Give --out-folder too, or leave it out.")
        return False
    _refuse(sources, settings)
    rows, failed = [], 0
    with _made(settings["out_folder"], keep=not dry_run), _one_cluster(None if dry_run else settings.get("cluster")):
        for number, source in enumerate(sources, start=1):
            started = time.perf_counter()
            talk([f"scene {number} of {len(sources)}: {source}"], quiet=quiet)
            try:
                with prepare([source]) as job:
                    carry_out(job, what, dry_run=dry_run, quiet=quiet, verbose=verbose)
            except RsganError as error:
                if isinstance(error, OutputExistsError) and settings["skip_existing"]:
                    rows.append(f"skipped  {source}: its output is there already")
                    continue
                failed += 1
                rows.append(f"failed   {source}: {error}")
                click.echo(f"Error: {error}", err=True)
                continue
            seconds = time.perf_counter() - started
            rows.append(f"planned  {source}" if dry_run else f"done     {source}, {seconds:.1f} s")
    talk(["", *rows, f"{len(sources) - failed} of {len(sources)} scenes are fine"], quiet=quiet)
    if failed:
        sys.exit(1)
    return True


def _refuse(sources: Sequence[str], settings: dict[str, Any]) -> None:
    """Refuse flags that are for one scene, and scenes whose outputs would have one name.

    Raises:
        UsageError: naming them.
    """
    for_one = ("out", "preview", "report", "ratio", "uncertainty", "transmission")
    given = [name for name in for_one if settings.get(name)]
    if given:
        raise click.UsageError(f"--{given[0]} is for one scene, --out-folder for many. Leave one of them out.")
    first: dict[str, str] = {}
    for source in sources:
        other = first.setdefault(Path(source).stem, source)
        if other != source:
            raise click.UsageError(
                f"{other} and {source} would have outputs of one name in {settings['out_folder']}. Run them apart."
            )


@contextmanager
def _one_cluster(asked: str | None) -> Iterator[None]:
    """One connection for all scenes."""
    if asked is None:
        yield
        return
    from rsgan.enhance.cluster import connected

    with connected(asked):
        yield


@contextmanager
def _made(folder: Path, *, keep: bool) -> Iterator[None]:
    """The folder is there; one that is not kept goes again, unless it was there before."""
    before = folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"folder {folder} cannot be made ({error}). Give another one with --out-folder.") from error
    yield
    if not (keep or before):
        folder.rmdir()
