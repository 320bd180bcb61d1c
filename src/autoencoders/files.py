"""Files written beside and renamed, so that none is ever half there; hashes of files."""

import glob
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """The path of a new file that takes the place of `path` when the block ends well, and vanishes when it doesn't."""
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{path.name}~"
    for left in path.parent.glob(f"{glob.escape(prefix)}*"):
        writer = re.fullmatch(r"(\d+)-\w+", left.name.removeprefix(prefix))
        if writer and not _runs(int(writer[1])):
            remove(left)  # of a process that was killed
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f"{prefix}{os.getpid()}-") as scratch:
        new = Path(scratch, path.name)
        yield new
        if new.is_dir() and path.is_dir():
            path.replace(Path(scratch, f"{path.name}.old"))  # deleted with the scratch folder: never half there
        new.replace(path)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """`beside` for a folder, which is there and empty when the block begins."""
    with beside(path) as new:
        new.mkdir()
        yield new


def _runs(process: int) -> bool:
    """Whether there is a process with this number."""
    try:
        os.kill(process, 0)  # no signal: it only asks
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # someone else's
    return True


def write_text(path: Path, text: str) -> None:
    """Writes the file as a whole or not at all."""
    with beside(path) as new:
        new.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Writes readable JSON, the same bytes for the same value; refuses NaN and infinities."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """The value of a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def sha256(*parts: bytes) -> str:
    """Hexadecimal SHA-256 of the parts, one after another."""
    return hashlib.sha256(b"".join(parts)).hexdigest()


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tree_sha256(*paths: Path) -> str:
    """One hash of files and folders, by name from each path on and content; compiled Python is left out."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in files:
            name = file.relative_to(path.parent)
            if "__pycache__" not in name.parts:
                digest.update(f"{name.as_posix()}\0{file.stat().st_size}\0".encode())
                with file.open("rb") as stream:
                    hashlib.file_digest(stream, lambda: digest)
    return digest.hexdigest()


def move_aside(path: Path) -> Path:
    """Renames a file that is broken to NAME.broken-<UTC time> beside it, and gives its new path."""
    name = f"{path.name}.broken-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    new, number = path.with_name(name), 2
    while new.exists():
        new, number = path.with_name(f"{name}-{number}"), number + 1
    return path.rename(new)


def remove(path: Path) -> None:
    """Removes a folder and all in it, if it is there."""
    shutil.rmtree(path, ignore_errors=True)
