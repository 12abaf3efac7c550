"""What the verbs share: exit status, talk on stderr, progress, parsing of lists."""

from __future__ import annotations

import inspect
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import click

from rsgan.errors import RsganError, RsganWarning

Command = TypeVar("Command", bound=Callable[..., object])
Anything = TypeVar("Anything")


class Done(Protocol):
    """What a job tells when it is done."""

    @property
    def path(self) -> Path:
        """The raster that was written."""

    def lines(self) -> list[str]:
        """The result in words."""


AnyDone = TypeVar("AnyDone", bound=Done, covariant=True)


class Job(Protocol[AnyDone]):
    """One scene, one way, one output, ready to run."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user must be told before the work."""

    def lines(self, *, verbose: bool = False) -> list[str]:
        """The plan in words."""

    def estimate_lines(self) -> list[str]:
        """Memory, size and time in words."""

    def run(self, progress: Callable[[int, int], None] | None = None) -> AnyDone:
        """Do it."""


def carry_out(job: Job[AnyDone], what: str, *, dry_run: bool, quiet: bool, verbose: bool) -> AnyDone | None:
    """Say what will be done, do it under a bar that is called `what`, say what was done; None after a dry run."""
    talk((f"note: {note}" for note in job.notes), quiet=quiet)
    talk(job.lines(verbose=verbose), quiet=quiet)
    if dry_run:
        talk([*job.estimate_lines(), "dry run: nothing was written"], quiet=quiet)
        return None
    with progress_bar(what, quiet=quiet) as progress, _warnings_as_notes(quiet=quiet):
        result = job.run(progress)
    talk(result.lines(), quiet=quiet)
    click.echo(str(result.path))
    return result


@contextmanager
def _warnings_as_notes(*, quiet: bool) -> Iterator[None]:
    """Say warnings of ours, which come while the work goes on, like the notes before it."""
    with warnings.catch_warnings():
        others = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:  # noqa: ANN401
            if issubclass(category, RsganWarning):
                talk([f"note: {message}"], quiet=quiet)
            else:
                others(message, category, *where, **more)

        warnings.simplefilter("always", RsganWarning)
        warnings.showwarning = show
        yield


@contextmanager
def friendly_errors() -> Iterator[None]:
    """Turn errors of ours into one message on stderr and exit status 1; Ctrl-C into 130, SIGTERM into 143."""
    before = _caught() if threading.current_thread() is threading.main_thread() else {}
    try:
        yield
    except RsganError as error:
        click.echo("\n".join([f"Error: {error}", *_notes_of(error)]), err=True)
        sys.exit(1)
    except KeyboardInterrupt as error:
        click.echo(" ".join(["Interrupted.", *(_notes_of(error) or ["No output was left behind."])]), err=True)
        sys.exit(130)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _notes_of(error: BaseException) -> list[str]:
    return list(getattr(error, "__notes__", ()))


def _caught() -> dict[int, Any]:
    """Let signals that end a program end it by `_stop`; what they did before. Ignored ones (nohup) stay so."""
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    return {number: signal.signal(number, _stop) for number in numbers if signal.getsignal(number) != signal.SIG_IGN}


def _stop(number: int, _: object) -> None:
    """End like Ctrl-C does, so that what is half written is removed: batch systems send SIGTERM, terminals SIGHUP."""
    sys.exit(128 + number)


def talk(lines: Iterable[str], *, quiet: bool) -> None:
    """Print sentences on stderr unless told to be quiet."""
    if not quiet:
        for line in lines:
            click.echo(line, err=True)


@contextmanager
def progress_bar(what: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar with time left, where stderr is a terminal; gives a function (done, total)."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def numbers(
    count: int, kind: type[int] | type[float]
) -> Callable[[click.Context, click.Parameter, str | None], object]:
    """Callback for an option of `count` comma-separated numbers."""

    def parse(_: click.Context, parameter: click.Parameter, text: str | None) -> object:
        if text is None:
            return None
        try:
            values = tuple(kind(part) for part in text.split(","))
        except ValueError:
            values = ()
        if len(values) != count:
            raise click.BadParameter(f"expected {count} comma-separated numbers, found '{text}'", param=parameter)
        return values

    return parse


def names(_: click.Context, __: click.Parameter, text: str | None) -> tuple[str, ...] | None:
    """Callback for an option of comma-separated names."""
    return None if text is None else tuple(part.strip() for part in text.split(",") if part.strip())


def verbosity(command: Command) -> Command:
    """Add -q and -v."""
    command = click.option("-v", "--verbose", is_flag=True, help="Say more.")(command)
    return click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")(command)


def symmetries_choice(price: str) -> Callable[[Command], Command]:
    """Add --symmetries; `price` says what fewer passes save and cost."""
    return click.option(
        "--symmetries",
        type=click.Choice(["1", "2", "4", "8"]),
        default="4",
        show_default=True,
        help=f"Turned and mirrored passes that are averaged; {price}.",
    )


def device_choice(command: Command) -> Command:
    """Add --device."""
    kinds = click.Choice(["auto", "cpu", "cuda", "mps"])
    return click.option("--device", type=kinds, default="auto", show_default=True, help="Where to compute.")(command)


def precision_choice(default: str) -> Callable[[Command], Command]:
    """Add --precision, with "auto" among the choices where that is the default."""
    kinds, text = ["float32", "bfloat16"], "Inside the network."
    if default == "auto":
        kinds = ["auto", *kinds]
        text = "Inside the network; auto: bfloat16 where the processor is made for it, else float32."
    return click.option("--precision", type=click.Choice(kinds), default=default, show_default=True, help=text)


def part_choice(command: Command) -> Command:
    """Add --bbox and --crop."""
    pixels, map_units = numbers(4, int), numbers(4, float)
    command = click.option(
        "--crop", callback=pixels, metavar="COL,ROW,W,H", help="Part of the scene, in input pixels."
    )(command)
    return click.option("--bbox", callback=map_units, metavar="L,B,R,T", help="Part of the scene, in its coordinates.")(
        command
    )


def optical_choice(command: Command) -> Command:
    """Add what an optical raster may not say of itself: --reflectance-scale, --gsd, --nodata, --mask-clouds, --date."""
    scale = "Stored number that means reflectance 1  [default: from the file]"
    clouds = "Make clouds, cirrus and cloud shadows nodata, by SCL, MSK_CLASSI, QA_PIXEL or Fmask."
    command = date_choice(command)
    command = click.option("--mask-clouds", is_flag=True, help=clouds)(command)
    return click.option("--reflectance-scale", type=float, help=scale)(gsd_choice(nodata_choice(command)))


def date_choice(command: Command) -> Command:
    """Add --date."""
    return click.option("--date", help="Which date of a NetCDF file or Zarr group that has several: '2018-05-07'.")(
        command
    )


def gsd_choice(command: Command) -> Command:
    """Add --gsd."""
    return click.option("--gsd", "gsd_m", type=float, help="Metres per pixel, where the file does not say.")(command)


def nodata_choice(command: Command) -> Command:
    """Add --nodata."""
    return click.option(
        "--nodata", type=float, help="Stored number that says 'no data', where the file does not declare it."
    )(command)


def running_choice(side: int, precision: str = "float32") -> Callable[[Command], Command]:
    """Add how any task runs: --window of `side` pixels, --batch, where and by what it is computed, and which part."""

    def added(command: Command) -> Command:
        kinds = click.Choice(["torch", "onnx", "openvino"])
        same = "What computes the network; onnx and openvino on the CPU, with the result of float32."
        command = click.option("--backend", type=kinds, default="torch", show_default=True, help=same)(command)
        workers = "dask scheduler whose workers compute the windows; local:4 starts four processes here."
        command = click.option("--cluster", metavar="tcp://HOST:PORT|local:N", help=workers)(part_choice(command))
        command = device_choice(precision_choice(precision)(command))
        command = click.option(
            "--batch", type=int, default=1, show_default=True, help="Windows per call of the network."
        )(command)
        return click.option(
            "--window", type=int, default=side, show_default=True, help="Side of the windows, input pixels."
        )(command)

    return added


def output_choice(command: Command) -> Command:
    """Add --dry-run, --overwrite, --resume, --no-cog, and --out-folder with --skip-existing for many scenes."""
    plain = "A cloud-optimised GeoTIFF, or a plain tiled one: larger, and quicker by the second copy."
    command = click.option("--cog/--no-cog", default=True, help=plain)(command)
    keep = "Keep finished rows in a folder beside the output, and go on from those of a run that was interrupted."
    command = click.option("--resume", is_flag=True, help=keep)(command)
    leave = "With --out-folder: leave scenes whose output is there already."
    command = click.option("--skip-existing", is_flag=True, help=leave)(command)
    command = click.option(
        "-O", "--out-folder", type=click.Path(path_type=Path, file_okay=False),
        help="Folder for many scenes: every INPUT is one of its own, and a bad one does not stop the others.",
    )(command)  # fmt: skip
    command = click.option("--overwrite", is_flag=True, help="Replace an existing output.")(command)
    return click.option(
        "--dry-run", is_flag=True, help="Say what would be done: radiometry, windows, memory, size, time."
    )(command)


def fields_of(kind: type[Anything], settings: dict[str, Any]) -> Anything:
    """A dataclass of the options that carry its fields' names; values that no scene could make right are wrong use.

    Raises:
        click.UsageError: naming the flag.
    """
    try:
        return kind(**{name: settings[name] for name in inspect.signature(kind).parameters if name in settings})
    except RsganError as error:
        raise click.UsageError(str(error)) from error
