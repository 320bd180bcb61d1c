"""Archives, unpacked against path traversal and bombs."""

import lzma
import re
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autoencoders.core.errors import DataError

ARCHIVES = (".zip", ".npz", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
ROOM = 2**28  # bytes that an archive may always unpack to,
LARGEST_RATIO = 100  # and above that so many times its own size
DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    OSError,
    EOFError,
    ValueError,
)


def unpacked(path: Path, files: Path, *, stays: bool) -> dict[str, Any]:
    """Unpacks an archive; another file is moved unless it stays where it is."""
    if path.name.lower().endswith(ARCHIVES):
        unpack(path, files)
        return {"npz": path.suffix.lower() == ".npz"}
    if stays:
        return {"path": str(path)}
    files.mkdir()
    path.replace(files / path.name)
    return {}


def unpack(archive: Path, folder: Path) -> None:
    """Unpacks a zip or tar into a new folder.

    Raises DataError, and writes nothing, where a name leads out of the folder, where a tar holds links or devices, and
    where it unpacks to more than ROOM bytes and LARGEST_RATIO times its size.
    """
    zipped = archive.name.lower().endswith((".zip", ".npz"))
    room = max(ROOM, LARGEST_RATIO * archive.stat().st_size)
    try:
        for name, size in _members(archive, zipped=zipped):
            room -= size + tarfile.BLOCKSIZE  # what an empty file takes
            if ".." in re.split(r"[/\\]", name) or name[:1] in ("/", "\\"):
                raise DataError(
                    f"{archive}: member {name!r} leads out of the archive; nothing was unpacked"
                )
            if room < 0:
                raise DataError(
                    f"{archive}: unpacks to far more than its size: a zip bomb? Nothing was unpacked"
                )
        shutil.unpack_archive(
            archive, folder, "zip" if zipped else "tar", filter=None if zipped else "data"
        )
    except (*DAMAGED, RuntimeError) as error:  # zipfile's, of passwords and unknown methods
        raise DataError(f"{archive}: can't be unpacked ({error})") from error


def _members(archive: Path, *, zipped: bool) -> Iterator[tuple[str, int]]:
    """Names and sizes. Raises DataError where a tar holds anything else than files and folders."""
    if zipped:
        with zipfile.ZipFile(archive) as content:
            yield from ((entry.filename, entry.file_size) for entry in content.infolist())
        return
    with tarfile.open(archive) as tar:
        for member in tar:
            if not (member.isreg() or member.isdir()):
                raise DataError(
                    f"{archive}: member {member.name!r} is a link or a device; nothing was unpacked"
                )
            yield member.name, member.size
