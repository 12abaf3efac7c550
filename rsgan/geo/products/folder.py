"""The files of a product, whether they lie in a folder or in a zip or tar archive."""

import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from rsgan.errors import InputError


@dataclass(frozen=True)
class Folder:
    """Where the files of one product lie.

    Attributes:
        path: The folder, or the archive.
        inside: Folder in the archive; empty for its top and for folders on disk.
        members: Names of all files of an archive; None for a folder on disk.
    """

    path: Path
    inside: str = ""
    members: frozenset[str] | None = None

    def has(self, name: str) -> bool:
        """Whether there is a file of this name, relative to the product."""
        self.location(name)
        return (self.path / name).is_file() if self.members is None else self._member(name) in self.members

    def location(self, name: str) -> str:
        """What GDAL opens to read the file, relative to the product.

        Raises:
            InputError: If the name, which metadata may have given, leads out of the product.
        """
        if not name or PurePosixPath(name).is_absolute() or {"..", ""} & {*name.replace("\\", "/").split("/")}:
            raise InputError(f"{self.path} names the file {name!r}, which does not lie in it. Download it again.")
        if self.members is None:
            return str(self.path / name)
        return f"/vsi{self.path.suffix[1:].lower()}/{self.path.as_posix()}/{self._member(name)}"

    def read(self, name: str) -> bytes:
        """The bytes of a file, relative to the product.

        Raises:
            InputError: If they cannot be read.
        """
        try:
            if self.members is None:
                return _bounded((self.path / name).stat().st_size, lambda: (self.path / name).read_bytes())
            return _read_member(self.path, self._member(name))
        except (OSError, KeyError, zipfile.BadZipFile, tarfile.TarError) as error:
            raise InputError(f"{self.location(name)} cannot be read: {error}. Copy or download it again.") from error

    def _member(self, name: str) -> str:
        return f"{self.inside}/{name}" if self.inside else name


def metadata_in(source: Path, is_metadata: Callable[[str], bool]) -> list[tuple[Folder, str]]:
    """The metadata files of products in a folder or archive, or the one that was given itself.

    Args:
        source: A folder, a zip or tar archive, or a file.
        is_metadata: Whether a file of this name (without folders) is what is looked for.

    Returns:
        (folder of the product, name of the file) of each, sorted by name.

    Raises:
        InputError: If the source is a damaged archive.
    """
    if source.is_dir():
        names = sorted(entry.name for entry in source.iterdir() if is_metadata(entry.name))
        return [(Folder(source), name) for name in names]
    if source.suffix.lower() not in (".zip", ".tar"):
        return [(Folder(source.parent), source.name)] if is_metadata(source.name) else []
    members = _members(source)
    found = sorted((PurePosixPath(member) for member in members), key=str)
    return [(_in_archive(source, path, members), path.name) for path in found if is_metadata(path.name)]


def _in_archive(archive: Path, path: PurePosixPath, members: frozenset[str]) -> Folder:
    inside = "" if path.parent == PurePosixPath(".") else str(path.parent)
    return Folder(archive, inside, members)


def _members(archive: Path) -> frozenset[str]:
    try:
        if archive.suffix.lower() == ".zip":
            with zipfile.ZipFile(archive) as zipped:
                return frozenset(zipped.namelist())
        with tarfile.open(archive) as tarred:
            return frozenset(name.removeprefix("./") for name in tarred.getnames())
    except (OSError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise InputError(
            f"{archive} cannot be opened as a {archive.suffix[1:]} archive: {error}. It is damaged or cut short; "
            f"copy or download it again."
        ) from error


_LARGEST_METADATA: Final = 2**26
"""Bytes of a metadata file that are read: real ones have under a megabyte, and an archive may unpack to anything."""


def _bounded(size: int, read: Callable[[], bytes]) -> bytes:
    if size > _LARGEST_METADATA:
        raise OSError(f"it has {size} bytes, expected a metadata file of at most {_LARGEST_METADATA}")
    return read()


def _read_member(archive: Path, member: str) -> bytes:
    if archive.suffix.lower() == ".zip":
        with zipfile.ZipFile(archive) as zipped:
            return _bounded(zipped.getinfo(member).file_size, lambda: zipped.read(member))
    with tarfile.open(archive) as tarred:
        entry = next((entry for entry in tarred.getmembers() if _plain(entry.name) == member), None)
        opened = None if entry is None else tarred.extractfile(entry)
        if entry is None or opened is None:
            raise KeyError(member)
        with opened:
            return _bounded(entry.size, opened.read)


def _plain(name: str) -> str:
    return name.removeprefix("./")
