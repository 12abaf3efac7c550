"""Writing a raster so that it is either complete under its name, or not there at all."""

import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import rasterio
import rasterio.shutil
from filelock import FileLock, Timeout
from rasterio._err import CPLE_BaseError
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import RasterioError, RasterioIOError
from rasterio.windows import Window

from rsgan.errors import GridError, OutputError, OutputExistsError
from rsgan.geo.addresses import is_text
from rsgan.geo.files import holds, said_by, without_georeference_warning
from rsgan.geo.grid import ControlPoints, Grid
from rsgan.geo.overviews import with_overviews
from rsgan.radiometry import Backscatter

BLOCK_PX: Final = 512
"""Side of the tiles of the files that are written."""

_SPACE_WORDS: Final = (
    "space",
    "disk",
    "write error",
    "writeencoded",
    "too large",
    "io error",
    "seek error",
    "failed to read",
)
"""Words by which GDAL and libtiff say that a file cannot grow, or lacks what they just wrote to it."""

_FAILURES: Final = (RasterioError, CPLE_BaseError, OSError, SystemError)  # the last where GDAL fails without a word


def check_output(path: str | Path, *, overwrite: bool) -> None:
    """Refuse an output that could not be written, before anything is computed.

    Raises:
        OutputError: If the file exists and may not be overwritten, is a folder, or its folder is missing or read-only.
    """
    target = Path(path)
    if not is_text(str(path)):
        raise OutputError(f"{str(path)!r} is no text in UTF-8, which GDAL needs. Give another name with --out.")
    if target.is_dir():
        raise OutputError(f"{target} is a folder; expected the name of a file. Give one with --out.")
    if os.path.lexists(target) and not overwrite:
        raise OutputExistsError(f"{target} exists already. Give --overwrite to replace it, or another name with --out.")
    folder = target.absolute().parent
    if not folder.is_dir():
        raise OutputError(f"folder {folder} does not exist. Create it, or give another output with --out.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"folder {folder} cannot be written to. Change its permissions, or give another with --out.")


class RasterWriter:
    """One GeoTIFF in the making; use it in a ``with`` statement.

    Everything goes into a file with a temporary name in the same folder. When the ``with`` block ends well, that file
    becomes a cloud-optimised GeoTIFF under its own name; when it ends in an error or an interrupt, nothing is left.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        grid: Grid,
        count: int,
        dtype: str,
        nodata: float | None = None,
        descriptions: Sequence[str | None] | None = None,
        colorinterp: Sequence[ColorInterp] | None = None,
        scales: Sequence[float] | None = None,
        offsets: Sequence[float] | None = None,
        units: Sequence[str | None] | None = None,
        tags: dict[str, str] | None = None,
        overwrite: bool = False,
        cog: bool = True,
        overviews: Backscatter | None = None,
        control_points: ControlPoints | None = None,
    ) -> None:
        """Check that the file can be written; nothing is created before ``with``.

        Args:
            path: The file, ending in ``.tif`` or ``.tiff``.
            grid: Where the pixels lie.
            count: Number of bands.
            dtype: Numpy name of the stored type.
            nodata: Stored number that says "no data"; None declares none.
            descriptions: What each band is called; None where nothing.
            colorinterp: Colour interpretation of each band; undefined when not given.
            scales: GDAL's scale of each band; 1 when not given.
            offsets: GDAL's offset of each band; 0 when not given.
            units: Unit of each band; None where nothing.
            tags: Tags of the file.
            overwrite: Whether an existing file is replaced.
            cog: Whether to make a cloud-optimised GeoTIFF with overviews, or a plain tiled one.
            overviews: What the stored numbers mean as backscatter, so that overviews hold means of intensity, also
                where decibels or amplitudes are stored; None averages the numbers as they are.
            control_points: What places the pixels where the grid has no transform; None where nothing does.

        Raises:
            OutputError: If the file exists already, cannot be written where it is asked for, or nodata does not fit.
        """
        self.path = Path(path)
        self.grid = grid
        self.count = count
        self.dtype = dtype
        self.cog = cog
        self._backscatter = overviews
        self._points = None if grid.has_transform else control_points
        if self.path.suffix.casefold() not in (".tif", ".tiff"):
            raise OutputError(f"{self.path} does not end in .tif or .tiff; a GeoTIFF is written. Rename it with --out.")
        if nodata is not None and not holds(dtype, nodata):
            raise OutputError(f"nodata {nodata:g} does not fit {dtype}, the type of {self.path}. Choose one that does.")
        check_output(self.path, overwrite=overwrite)
        self.nodata = nodata
        self._tags = dict(tags or {})
        self._bands: dict[str, Sequence[Any] | None] = {
            "descriptions": descriptions,
            "colorinterp": colorinterp or (ColorInterp.undefined,) * count,
            "scales": scales,
            "offsets": offsets,
            "units": None if units is None else tuple(unit or "" for unit in units),
        }
        self._check_counts()
        self._dataset: Any = None
        self._lock = FileLock(self.path.with_name(f".{self.path.name}.lock"))

    def _check_counts(self) -> None:
        for what, values in self._bands.items():
            if values is not None and len(values) != self.count:
                raise OutputError(f"{self.path} gets {self.count} bands but {len(values)} {what}; give one per band.")

    @property
    def partial(self) -> Path:
        """The temporary file in the same folder."""
        return self.path.with_name(f".{self.path.stem}.partial-{os.getpid()}{self.path.suffix}")

    @property
    def _assembled(self) -> Path:
        """The temporary file that becomes the output: the copy, cloud-optimised or with overviews, if one is made."""
        return self.partial.with_suffix(f".copy{self.path.suffix}") if self.cog or self._own_overviews else self.partial

    @property
    def _own_overviews(self) -> bool:
        """Whether overviews are means of intensity, which GDAL does not make."""
        return self._backscatter is not None and bool(_overview_factors(self.grid.shape))

    def __enter__(self) -> "RasterWriter":
        """Create the temporary file, unless another process is making the same output."""
        self._take()
        try:
            with self._guarded(), without_georeference_warning():
                self._dataset = rasterio.open(self.partial, "w", **self._profile())
                if self._points is not None:
                    self._dataset.gcps = (list(self._points.points), self._points.crs)
                self._describe()
        except BaseException:
            self._discard()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the file under its own name, or remove every trace of it."""
        try:
            if kind is None:
                with self._guarded():
                    self._finish()
        finally:
            self._discard()

    def declare(self) -> Path:
        """Write the raster without pixels, which cost no room: what it will be, for those who compute them later.

        Raises:
            OutputError: If the disk is full or cannot be written.
        """
        with self._guarded(), without_georeference_warning():
            self._dataset = rasterio.open(self.path, "w", **self._profile(), SPARSE_OK="TRUE")
            self._describe()
            self._dataset.update_tags(**self._tags)
            self._dataset.close()
        return self.path

    def write(self, values: npt.NDArray[Any], window: Window) -> None:
        """Write stored numbers into a window.

        Args:
            values: (C, H, W) array of the file's type.
            window: Where they belong.

        Raises:
            GridError: If array and window differ in shape, or the window reaches outside the file.
            OutputError: If the disk is full or cannot be written.
        """
        expected = (self.count, int(window.height), int(window.width))
        if values.shape != expected or values.dtype != np.dtype(self.dtype):
            raise GridError(
                f"array of shape {values.shape} and type {values.dtype} for {self.path}; expected {expected} and "
                f"{self.dtype}."
            )
        self.grid.crop(window)
        with self._guarded():
            self._dataset.write(values, window=window)

    def update_tags(self, **tags: str) -> None:
        """Add tags to the file, or change them, until it is assembled or the ``with`` block ends."""
        self._tags.update(tags)

    def assemble(self) -> None:
        """Do all of the finishing but the naming; the end of the ``with`` block does it otherwise.

        Where two files belong together, assemble one while the other can still be given up.

        Raises:
            OutputError: If the disk is full or cannot be written.
        """
        with self._guarded():
            self._assemble()

    def _profile(self) -> dict[str, Any]:
        """Creation options. One thread: GDAL 3.10 with several crashes, instead of failing, when the disk is full."""
        has_place = self.grid.has_transform
        return {
            "driver": "GTiff",
            "height": self.grid.height,
            "width": self.grid.width,
            "count": self.count,
            "dtype": self.dtype,
            "crs": self.grid.crs,
            "transform": self.grid.transform if has_place else None,
            "nodata": self.nodata,
            "photometric": "MINISBLACK",
            "alpha": "NO",
            "tiled": True,
            "blockxsize": BLOCK_PX,
            "blockysize": BLOCK_PX,
            "compress": "deflate",
            "zlevel": 1,
            "predictor": {"i": 2, "u": 2, "f": 3}.get(np.dtype(self.dtype).kind, 1),
            "BIGTIFF": "IF_SAFER",
        }

    def _describe(self) -> None:
        """State what the bands are; after the first pixels GDAL could no longer put it in front of them."""
        for attribute, values in self._bands.items():
            if values is not None:
                setattr(self._dataset, attribute, tuple(values))

    def _finish(self) -> None:
        """Give the file its name, assembled first if it is not yet."""
        if not self._dataset.closed:
            self._assemble()
        os.replace(self._assembled, self.path)

    def _assemble(self) -> None:
        """Close, build overviews, and see that all can be read."""
        factors = _overview_factors(self.grid.shape)
        self._dataset.update_tags(**self._tags)
        self._dataset.close()
        self._check_readable(self.partial)  # before more is made of it: on a full disk GDAL would crash over it
        if not self.cog and not self._own_overviews:
            with without_georeference_warning(), rasterio.open(self.partial, "r+") as pixels:
                pixels.build_overviews(factors, Resampling.average)
        source = self.partial
        if self._backscatter is not None and self._own_overviews:
            with without_georeference_warning():
                source = with_overviews(self.partial, factors, self._backscatter)
        if self._assembled != self.partial:
            rasterio.shutil.copy(source, self._assembled, **self._copy_options())
        self._check_readable(self._assembled, overviews=0 if self.cog else len(factors))  # GDAL decides on a COG's

    def _copy_options(self) -> dict[str, Any]:
        """Creation options of the copy that becomes the output."""
        if not self.cog:
            profile = self._profile()
            kept = ("tiled", "blockxsize", "blockysize", "compress", "zlevel", "predictor", "BIGTIFF")
            return {"driver": "GTiff", "COPY_SRC_OVERVIEWS": "YES", **{key: profile[key] for key in kept}}
        return {
            "driver": "COG",
            "compress": "deflate",
            "predictor": "YES",
            "blocksize": BLOCK_PX,
            "overviews": "FORCE_USE_EXISTING" if self._own_overviews else "AUTO",
            "overview_resampling": "average",
            "BIGTIFF": "IF_SAFER",
            "num_threads": "ALL_CPUS",
        }

    def _check_readable(self, written: Path, overviews: int = 0) -> None:
        """Read the last pixel of every overview and of the raster itself back, and see that there are so many.

        GDAL may notice only while closing that the disk is full, and then says nothing: the file opens, but does not
        give what was written last.
        """
        try:
            with without_georeference_warning():
                levels = _read_last_pixel(written)
                for level in range(levels):
                    _read_last_pixel(written, level)
        except RasterioError as error:
            raise OutputError(self._disk_full(said_by(error))) from error
        if levels < overviews:
            raise OutputError(self._disk_full(f"{levels} of {overviews} overviews were written"))

    def _discard(self) -> None:
        """Close and remove the temporary files; those that GDAL puts beside them too."""
        if self._dataset is not None and not self._dataset.closed:
            with without_georeference_warning():
                _close_quietly(self._dataset)
        for left in self.path.parent.glob(f"{_escaped(self.partial.stem)}.*"):
            left.unlink(missing_ok=True)
        if self._lock.is_locked:
            Path(self._lock.lock_file).unlink(missing_ok=True)
            self._lock.release()

    def _take(self) -> None:
        """Lock the output; the system lets go of the lock when the process ends, however it ends."""
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            if not Path(self._lock.lock_file).exists():
                raise OutputError(self._failure(error)) from error
            raise OutputError(
                f"{self.path} is being written by another process. Wait for it, or give another output with --out."
            ) from error
        except NotImplementedError:  # a file system without locks
            return
        except OSError as error:
            raise OutputError(self._failure(error)) from error

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Turn what GDAL and the system say about a failed write into one clear error."""
        try:
            yield
        except _FAILURES as error:
            raise OutputError(self._failure(error)) from error

    def _failure(self, error: BaseException) -> str:
        said = said_by(error)
        no_space = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        if no_space or isinstance(error, SystemError) or any(word in said.casefold() for word in _SPACE_WORDS):
            return self._disk_full(said)
        return f"{self.path} cannot be written: {said}. Nothing was left behind. Give another output with --out."

    def _disk_full(self, said: str) -> str:
        return (
            f"{self.path} cannot be written, the disk seems to be full ({said}; "
            f"{_free_space(self.path.absolute().parent)}). Nothing was left behind. Free disk space, or give another "
            f"output with --out."
        )


def _read_last_pixel(path: Path, level: int | None = None) -> int:
    """Read the last pixel of a raster or of one of its overviews; gives the number of overviews.

    Raises:
        RasterioError: If it cannot be read, or was never written: then GDAL would read zeros.
    """
    which = {} if level is None else {"overview_level": level}
    with rasterio.open(path, **which) as dataset:
        dataset.read(window=Window(dataset.width - 1, dataset.height - 1, 1, 1))
        levels = len(dataset.overviews(1))
        rows, columns = dataset.block_shapes[0]
        last = f"BLOCK_OFFSET_{(dataset.width - 1) // columns}_{(dataset.height - 1) // rows}"
    with rasterio.open(path) as whole:
        if whole.get_tag_item(last, "TIFF", bidx=1, **({} if level is None else {"ovr": level})) is None:
            raise RasterioIOError(f"the last pixels of {path.name} are missing")
    return levels


def _free_space(folder: Path) -> str:
    try:
        return f"{shutil.disk_usage(folder).free / 1e6:.0f} MB are free"
    except OSError:
        return "free space unknown"


def _escaped(name: str) -> str:
    """A file name as a pattern that matches only itself."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _close_quietly(dataset: Any) -> None:  # noqa: ANN401 - rasterio ships no types
    """Close a file that is thrown away: that its last pixels could not be written changes nothing."""
    try:
        dataset.close()
    except _FAILURES:
        return


def _overview_factors(shape: tuple[int, int]) -> list[int]:
    """Powers of two until the whole raster fits one tile."""
    factors = [2]
    while max(shape) / factors[-1] > BLOCK_PX:
        factors.append(factors[-1] * 2)
    return factors if max(shape) > BLOCK_PX else []
