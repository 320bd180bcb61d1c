"""Files and folders that are replaced as a whole or not at all; JSON; hashes of files."""

import fnmatch
import glob
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autoencoders.core.errors import DataError
from autoencoders.core.faults import NOTE

AGAIN = (
    "`chmod -R u+w .dvc/cache` lets DVC see what is damaged in its cache, "
    "then `dvc repro` makes the file again"
)
# files of tools and editors beside source files and data; .dvcignore says the same to DVC
LEFTOVERS = (
    ".*",
    "__pycache__",
    "*.py[co]",
    "*~",
    "#*#",
    "*.sw[a-p]",
    "*.orig",
    "*.rej",
    "*.bak",
    "*.tmp",
    "Thumbs.db",
    "desktop.ini",
)


class Writing:
    """A context that notes on an error which file was being written."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, error_type: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            error.add_note(f"{NOTE}{self.path}")


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yields the path of a new file, which replaces `path` when the block ends without an error.

    Where the block raises, the new file vanishes and the old one stays.
    """
    with Writing(path), _scratch(path) as new:
        yield new
        if new.is_dir() and path.is_dir():
            # the old folder is deleted with the scratch folder: never half of it under its name
            path.replace(new.with_name(f"{path.name}.old"))
        new.replace(path)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """`atomic_file` for a folder, which exists and is empty when the block begins."""
    with atomic_file(path) as new:
        new.mkdir()
        yield new


@contextmanager
def _scratch(path: Path) -> Iterator[Path]:
    """A path of the same name in a temporary folder beside `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{path.name}~"
    _remove_abandoned(path.parent, prefix)
    scratch = Path(tempfile.mkdtemp(dir=path.parent, prefix=f"{prefix}{os.getpid()}-"))
    try:
        yield scratch / path.name
    finally:
        try:
            remove(scratch)
        finally:
            remove(scratch)  # the rest, where a signal interrupted the first removal


def _remove_abandoned(folder: Path, prefix: str) -> None:
    """Removes the temporary folders of processes that were killed."""
    for scratch in folder.glob(f"{glob.escape(prefix)}*"):
        writer = re.fullmatch(r"(\d+)-\w+", scratch.name.removeprefix(prefix))
        if writer and not _runs(int(writer[1])):
            remove(scratch)


def _runs(process: int) -> bool:
    """Whether there is a process with this number."""
    try:
        os.kill(process, 0)  # no signal: it only asks
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # another user's
    return True


def write_text(path: Path, text: str) -> None:
    """Writes the file as a whole or not at all."""
    with atomic_file(path) as new:
        new.write_text(text, encoding="utf-8")


def write_json(path: Path, value: object) -> None:
    """Writes readable JSON, the same bytes for the same value; refuses NaN and infinities."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """The value of a JSON file. Raises DataError where it holds none, and FileNotFoundError."""
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({error}); {AGAIN}") from error


def sha256(*parts: bytes) -> str:
    """Hexadecimal SHA-256 of the parts, one after another."""
    return hashlib.sha256(b"".join(parts)).hexdigest()


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tree_sha256(
    *paths: Path, content: Callable[[Path], bytes] | None = None, called: str = ""
) -> str:
    """One hash over the names, from each path on, and the contents of files and folders.

    Leftovers in the folders do not count. content: the bytes of a file that count, if not all.
    called: a name that stands for the last part of each path.
    """
    digest = hashlib.sha256()
    for path in sorted(paths):
        files = sorted(_files_below(path)) if path.is_dir() else [path]
        for file in files:
            name = (Path(called or path.name) / file.relative_to(path)).as_posix()
            if content is None:
                _add_file(digest, name, file)
            else:
                _add_bytes(digest, name, content(file))
    return digest.hexdigest()


def _add_file(digest: "hashlib._Hash", name: str, file: Path) -> None:
    digest.update(f"{name}\0{file.stat().st_size}\0".encode())
    with file.open("rb") as stream:
        hashlib.file_digest(stream, lambda: digest)


def _add_bytes(digest: "hashlib._Hash", name: str, content: bytes) -> None:
    digest.update(f"{name}\0{len(content)}\0".encode())
    digest.update(content)


def _files_below(folder: Path) -> Iterator[Path]:
    """Every file in a folder and its folders, without leftovers."""
    for path in folder.rglob("*"):
        if path.is_file() and not any(map(_is_leftover, path.relative_to(folder).parts)):
            yield path


def copied(folder: Path, parent: Path) -> Path:
    """Copies a folder, without leftovers, into `parent`; returns the copy's path."""

    def leftovers(_: str, names: list[str]) -> list[str]:
        return [name for name in names if _is_leftover(name)]

    return shutil.copytree(folder, parent / folder.name, ignore=leftovers)


def _is_leftover(name: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in LEFTOVERS)


def move_aside(path: Path) -> Path:
    """Renames a broken file to `path_aside`, and returns its new path."""
    return path.rename(path_aside(path))


def path_aside(path: Path) -> Path:
    """A new path beside a broken file: NAME.broken-<UTC time>, with a number where it is taken."""
    name = f"{path.name}.broken-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    aside = path.with_name(name)
    number = 2
    while aside.exists():
        aside = path.with_name(f"{name}-{number}")
        number += 1
    return aside


def remove(path: Path) -> None:
    """Removes a folder and all in it, if it exists."""
    shutil.rmtree(path, ignore_errors=True)
