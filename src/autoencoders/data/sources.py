"""Fills `data/raw`: data sets by name, a file or folder of the user's, an archive, a URL, OpenML."""

import lzma
import re
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from autoencoders.defaults import DataFacts
from autoencoders.errors import DataError
from autoencoders.files import replacing, sha256_of, write_json
from autoencoders.params import NO_FILE, Data
from autoencoders.stage import repository

DIGITS = list("0123456789")
CLOTHES = ["T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"]
ORIGIN, FILES = "source.json", "files"  # in data/raw: what is known of the source, and what was fetched or unpacked
ANSWERS = (".csv", ".parquet", ".npy", ".png")  # how a file of a model's answers may end; .png: of images
ARCHIVES = (".zip", ".npz", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
ROOM = 2**28  # bytes that an archive may always unpack to,
LARGEST_RATIO = 100  # and above that so many times its own size
DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, OSError, EOFError, ValueError)


class BuiltIn(NamedTuple):
    """A data set that comes by name: images whose pixels lie between 0 and `white`."""

    shape: tuple[int, int]
    white: int
    labels: list[str]
    rows: int


SOURCES = {
    "digits": BuiltIn((8, 8), 16, DIGITS, 1797),
    "mnist": BuiltIn((28, 28), 255, DIGITS, 60_000),
    "fashion_mnist": BuiltIn((28, 28), 255, CLOTHES, 60_000),
}


def facts(data: Data) -> DataFacts | None:
    """What is known before the data is there, of a data set by name: enough to refuse a network that can't fit it."""
    if data.own or data.name not in SOURCES:
        return None
    (height, width), _, _, rows = SOURCES[data.name]
    return DataFacts(height * width, data.scaling in ("auto", "pixels"), (height, width), rows)


def check(data: Data) -> None:
    """Raises DataError where there is no such data set or file. Links a file that DVC's temporary copy lacks."""
    if not data.own and data.name not in SOURCES:
        names = ", ".join(SOURCES)
        raise DataError(f"data.name = {data.name}: no such data set: {names}, or set data.path to your own")
    if data.openml and data.path != NO_FILE:
        raise DataError(f"data.openml = {data.openml} and data.path = {data.path}: two sources; choose one of them")
    if "://" in data.path:
        if not data.sha256:
            raise DataError(f"data.path = {data.path}: a URL needs data.sha256, the digest of what it gives")
    elif not Path(data.path).exists():
        original = repository() / data.path  # of a copy of it
        if not original.exists():
            raise DataError(f"data.path = {data.path}: no such file or folder (relative to the repository's root)")
        Path(data.path).parent.mkdir(parents=True, exist_ok=True)
        Path(data.path).symlink_to(original)


def download(data: Data, folder: Path) -> None:
    """Fills the folder: the files, unless they stay where the user has them, and what is known of them.

    Raises DataError; the folder then stays as it was.
    """
    with replacing(folder) as new:
        write_json(new / ORIGIN, _fetched(data, new / FILES))


def _fetched(data: Data, files: Path) -> dict[str, Any]:
    """Fills `files` where there is something to fetch or unpack, and gives what is known of the source."""
    from autoencoders.data import fetch

    if data.openml:
        return {"label": fetch.openml(data.openml, files)}
    if not data.own:
        source = SOURCES[data.name]
        return {"labels": source.labels, "white": source.white, "test_rows": fetch.built_in(data.name, files)}
    if "://" not in data.path:
        return _unpacked(Path(data.path), files, stays=True)
    with tempfile.TemporaryDirectory(dir=files.parent) as scratch:  # of the same file system: the file is moved
        path = fetch.over_http(data.path, Path(scratch))
        if (found := sha256_of(path)) != data.sha256:
            raise DataError(f"{data.path}: its SHA-256 is {found}, but data.sha256 = {data.sha256}")
        return _unpacked(path, files, stays=False)


def _unpacked(path: Path, files: Path, *, stays: bool) -> dict[str, Any]:
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
                raise DataError(f"{archive}: member {name!r} leads out of the archive; nothing was unpacked")
            if room < 0:
                raise DataError(f"{archive}: unpacks to far more than its size: a zip bomb? Nothing was unpacked")
        shutil.unpack_archive(archive, folder, "zip" if zipped else "tar", filter=None if zipped else "data")
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
                raise DataError(f"{archive}: member {member.name!r} is a link or a device; nothing was unpacked")
            yield member.name, member.size
