"""Enhancement of labelled arrays (xarray), through GeoTIFFs, so that arrays and files go one way."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from numpy.typing import NDArray

from rsgan.errors import InputError, RsganError, RsganWarning
from rsgan.radiometry import DTYPES

if TYPE_CHECKING:
    from rsgan.geo import Window
    from rsgan.geo.coordinates import Labelled


class Job(Protocol):
    """One scene, one output, that may be computed part by part."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    @property
    def notes(self) -> tuple[str, ...]: ...  # noqa: D102
    def declare(self) -> Path: ...  # noqa: D102
    def deferred(self) -> Callable[[Window], NDArray[Any]]: ...  # noqa: D102


_HELD = 4
"""Chunks of all bands that are kept for the next variable that asks for them."""
_CALLER = 5
"""Frames from `_called` up to the line that called `rsgan.superres`: contextlib, `enhance_array`, `superres`, it."""


def is_array(source: object) -> bool:
    """Whether a source is one labelled array or several, rather than a path or several; imports nothing to see it."""
    first = source[0] if isinstance(source, list | tuple) and source else source
    return hasattr(first, "dims") and hasattr(first, "coords")


def enhance_array(
    enhance: Callable[..., Any],
    source: Labelled | Sequence[Labelled],
    out: str | Path | None = None,
    *,
    planned: Callable[[Sequence[str | Path], Path], Job] | None = None,
    dtypes: tuple[str, ...] = DTYPES,
    **settings: Any,  # noqa: ANN401 - those of `enhance`, checked by it
) -> Labelled:
    """Enhance a DataArray or Dataset; what `rsgan.superres` and `rsgan.despeckle` do when they are given one.

    Args:
        enhance: `superres` or `despeckle`, on files.
        source: Bands on one grid, or several arrays of unlike pixel size where a model takes such.
        out: GeoTIFF to keep; None keeps none.
        planned: The job of files and settings, where a chunked array may be enhanced when it is computed; None
            enhances on return.
        dtypes: Types of numbers that `enhance` takes.
        settings: Those of `enhance`.

    Returns:
        An array of the same kind on the finer grid: order of dimensions, attributes, encoding and further coordinates
        as in the array that has the most of its bands. Where that one is chunked (dask) and no file is kept, it is
        enhanced chunk by chunk when it is computed; what depends on the whole scene is decided on return.

    Raises:
        RsganError: One of its children says which array or setting is wrong, and the way out.
    """
    from rsgan.geo.dataarray import from_raster, likest, to_raster
    from rsgan.geo.labelled import describe, view_of

    arrays: list[Labelled] = list(source) if isinstance(source, Sequence) else [source]
    for entry in arrays:
        if not is_array(entry):
            raise InputError(
                f"{entry} stands among arrays; expected arrays only, or paths only. Open it, for example with "
                "rioxarray.open_rasterio."
            )
    folder = Path(tempfile.mkdtemp(prefix="rsgan-"))
    try:
        written = {folder / f"array{number}.tif": describe(array) for number, array in enumerate(arrays, start=1)}
        for array, path in zip(arrays, written, strict=True):
            to_raster(array, path, dtypes=dtypes)
        with _called({str(path): name for path, name in written.items()}):
            if planned is not None and out is None and any(view_of(array).is_chunked for array in arrays):
                return _deferred(planned(list(written), folder / "enhanced.tif"), arrays, folder)
            if out is None:  # for reading once, blocks of a plain GeoTIFF do
                out, settings = folder / "enhanced.tif", {"cog": False, **settings}
            made = enhance(list(written), Path(out), **settings)
        return from_raster(made, likest(made, arrays), end=partial(shutil.rmtree, folder, ignore_errors=True))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


class _InTurn:
    """Windows computed one at a time, as each uses all cores; the last are kept for other variables of a Dataset."""

    def __init__(self, computed: Callable[[Window], NDArray[Any]]) -> None:
        self._computed, self._turn = lru_cache(maxsize=_HELD)(computed), Lock()

    def __call__(self, window: Window) -> NDArray[Any]:
        """See `walk.Deferred`."""
        with self._turn:
            return self._computed(window)

    def __reduce__(self) -> str:
        raise RsganError(
            "an array that is enhanced when it is computed cannot be sent to other processes. Compute it with threads "
            "(scheduler='threads'), or give out=, and cluster= for workers."
        )


def _deferred(job: Job, arrays: Sequence[Labelled], folder: Path) -> Labelled:
    """An array that is enhanced chunk by chunk; its folder and the job's files go with it."""
    from rsgan.geo.dataarray import from_raster, likest

    try:
        for note in job.notes:
            warnings.warn(note, RsganWarning, stacklevel=2)
        pixels, made = _InTurn(job.deferred()), job.declare()
    except BaseException:
        job.__exit__(None, None, None)
        raise

    def end() -> None:
        job.__exit__(None, None, None)
        shutil.rmtree(folder, ignore_errors=True)

    return from_raster(made, likest(made, arrays), end=end, pixels=pixels)


@contextmanager
def as_files(given: Mapping[str, object], dtypes: tuple[str, ...] = DTYPES) -> Iterator[Files]:
    """Paths as they are, and arrays as GeoTIFFs for as long as this lasts; messages call arrays by their own names.

    Args:
        given: path, array, or None, by what it is.
        dtypes: Types of numbers that are taken.

    Raises:
        RsganError: One of its children says which array cannot be a raster.
    """
    from rsgan.geo.dataarray import to_raster
    from rsgan.geo.labelled import describe

    with tempfile.TemporaryDirectory(prefix="rsgan-") as folder:
        paths: dict[str, Any] = dict(given)
        names = {}
        for role, source in given.items():
            if isinstance(source, list | tuple) and is_array(source):
                raise InputError(f"{role} is given as several arrays; expected one, with all bands. Join them first.")
            if is_array(source):
                array: Any = source
                paths[role] = to_raster(array, Path(folder) / f"{role}.tif", dtypes=dtypes)
                names[str(paths[role])] = describe(array)
        with _called(names):
            yield Files(paths, names)


@dataclass(frozen=True)
class Files:
    """What was given, as paths.

    Attributes:
        paths: by what they are; None where nothing was given.
        names: of arrays, by the path that stands for each.
    """

    paths: Mapping[str, Any]
    names: Mapping[str, str]


@contextmanager
def _called(names: dict[str, str]) -> Iterator[None]:
    """Let warnings and errors call arrays what their owner calls them, not by the files that they went through."""

    def renamed(text: str) -> str:
        for path, name in names.items():
            text = text.replace(path, name)
        return text

    notes: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True) as notes:
            warnings.simplefilter("always")
            yield
    except RsganError as error:
        raise type(error)(renamed(str(error))) from error
    finally:
        for note in notes:
            if issubclass(note.category, RsganWarning):
                warnings.warn(renamed(str(note.message)), note.category, stacklevel=_CALLER)
            else:
                warnings.warn_explicit(note.message, note.category, note.filename, note.lineno)
