"""Archives, unpacked against path traversal and bombs."""

import lzma
import re
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autoencoders.core.errors import DataError

ZIPS = (".zip", ".npz")
ARCHIVES = (*ZIPS, ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
UNPACKED_BYTES = 2**28  # that any archive may unpack to, however small it is
LARGEST_RATIO = 100  # of an archive's unpacked bytes to its own: text rarely packs better
UNIX_MODE = 16  # bits of a zip's attributes below the mode that Unix knows
DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    OSError,
    EOFError,
    ValueError,
    RuntimeError,  # zipfile's, of passwords and unknown methods
)


def is_archive(path: Path) -> bool:
    """Whether a file's name is that of an archive."""
    return path.name.lower().endswith(ARCHIVES)


@contextmanager
def unpacked(source: Path) -> Iterator[Path]:
    """The files of an archive in a temporary folder; of all else, the source itself.

    Raises DataError as `unpack` does. An error about one of the files names the archive before it.
    """
    if not is_archive(source) or not source.exists():
        yield source
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "files")
        unpack(source, folder)
        try:
            yield folder if folder.exists() else source
        except DataError as error:
            raise DataError(str(error).replace(str(folder), str(source))) from error


def unpack(archive: Path, folder: Path) -> None:
    """Unpacks a zip or tar into a new folder.

    Raises DataError, and writes nothing, where a name leads out of the folder or stands twice,
    where it holds links or devices, and where it unpacks to more than UNPACKED_BYTES and
    LARGEST_RATIO times its size.
    """
    is_zip = archive.name.lower().endswith(ZIPS)
    try:
        _check_members(archive, is_zip=is_zip)
        if is_zip:
            shutil.unpack_archive(archive, folder, "zip")
        else:
            shutil.unpack_archive(archive, folder, "tar", filter="data")
    except DAMAGED as error:
        raise DataError(f"{archive}: can't be unpacked ({error})") from error


def _check_members(archive: Path, *, is_zip: bool) -> None:
    """Raises DataError where a member leads out of the folder or stands twice.

    And where all take too much room.
    """
    room = max(UNPACKED_BYTES, LARGEST_RATIO * archive.stat().st_size)
    names = set()
    for name, size in _members(archive, is_zip=is_zip):
        if ".." in re.split(r"[/\\]", name) or name.startswith(("/", "\\")):
            raise DataError(
                f"{archive}: member {name!r} leads out of the archive; nothing was unpacked"
            )
        if name in names and not name.endswith("/"):
            raise DataError(
                f"{archive}: member {name!r} stands twice, of which one would be lost; nothing was "
                "unpacked"
            )
        names.add(name)
        room -= size + tarfile.BLOCKSIZE  # an empty file takes a block too
        if room < 0:
            raise DataError(
                f"{archive}: unpacks to far more than its size: a zip bomb? Nothing was unpacked"
            )


def _members(archive: Path, *, is_zip: bool) -> Iterator[tuple[str, int]]:
    """Names and sizes; those of folders end in a slash.

    Raises DataError where there is anything else than files and folders.
    """
    if is_zip:
        with zipfile.ZipFile(archive) as content:
            for entry in content.infolist():
                if stat.S_ISLNK(entry.external_attr >> UNIX_MODE):
                    raise _is_no_file(archive, entry.filename)
                yield entry.filename, entry.file_size
        return
    with tarfile.open(archive) as tar:
        for member in tar:
            if not (member.isreg() or member.isdir()):
                raise _is_no_file(archive, member.name)
            yield f"{member.name}/" if member.isdir() else member.name, member.size


def _is_no_file(archive: Path, name: str) -> DataError:
    return DataError(f"{archive}: member {name!r} is a link or a device; nothing was unpacked")
