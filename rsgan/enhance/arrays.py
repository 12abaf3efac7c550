"""Enhancement of labelled arrays (xarray), through GeoTIFFs, so that arrays and files go one way."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rsgan.errors import InputError, RsganError, RsganWarning
from rsgan.radiometry import DTYPES

if TYPE_CHECKING:
    from rsgan.geo.coordinates import Labelled

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
    dtypes: tuple[str, ...] = DTYPES,
    **settings: Any,  # noqa: ANN401 - those of `enhance`, checked by it
) -> Labelled:
    """Enhance a DataArray or Dataset; what `rsgan.superres` and `rsgan.despeckle` do when they are given one.

    Args:
        enhance: `superres` or `despeckle`, on files.
        source: Bands on one grid, or several arrays of unlike pixel size where a model takes such.
        out: GeoTIFF to keep; None keeps none.
        dtypes: Types of numbers that `enhance` takes.
        settings: Those of `enhance`.

    Returns:
        An array of the same kind on the finer grid: order of dimensions, attributes, encoding and further coordinates
        as in the array that has the most of its bands. It is read chunk by chunk from a file when that one is chunked
        (dask); the enhancement itself is done on return.

    Raises:
        RsganError: One of its children says which array or setting is wrong, and the way out.
    """
    from rsgan.geo.dataarray import from_raster, likest, to_raster
    from rsgan.geo.labelled import describe

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
            if out is None:  # for reading once, blocks of a plain GeoTIFF do
                out, settings = folder / "enhanced.tif", {"cog": False, **settings}
            made = enhance(list(written), Path(out), **settings)
        return from_raster(made, likest(made, arrays), keep=folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


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
