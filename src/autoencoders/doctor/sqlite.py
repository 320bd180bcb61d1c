"""A SQLite database, only looked at: who locks it, and whether it is whole."""

import shutil
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

from autoencoders.doctor.processes import writer_of

LOOKS = 5  # at a lock: a process that writes holds it for milliseconds, one that blocks for all
LOOK_SECONDS = 0.2  # from one look at a lock to the next
QUERY_SECONDS = 1  # until a query gives up at a lock
HEADER = b"SQLite format 3\0"
# SQLite's locks, as first byte and number of bytes
MAIN_LOCK = (0x40000000, 512)  # of the database
WAL_WRITER = (120, 1)  # of the -shm file


def with_ending(path: Path, ending: str) -> Path:
    """The file that SQLite keeps beside a database: its write-ahead log (-wal), or its -shm."""
    return path.with_name(path.name + ending)


def holder(path: Path) -> int | None:
    """The process that keeps others from writing to a database for a second and longer."""
    process = None
    for look in range(LOOKS):
        if look:
            time.sleep(LOOK_SECONDS)
        process = _writer(path)
        if process is None:
            return None
    return process


def _writer(path: Path) -> int | None:
    process = writer_of(path, *MAIN_LOCK)
    shared = with_ending(path, "-shm")
    if process is None and shared.exists():
        process = writer_of(shared, *WAL_WRITER)
    return process


def problem(path: Path, table: str) -> str | None:
    """The reason why a database is not whole, or lacks a table; None where all is well.

    No file is created beside it.
    """
    with path.open("rb") as file:
        if file.read(len(HEADER)) != HEADER:
            return "it does not begin as one" if path.stat().st_size else "it is empty"
    if with_ending(path, "-shm").exists():  # in use, or left by a killed process
        return _quick_check(path, "mode=ro", table)
    log = with_ending(path, "-wal")
    if not log.exists():
        return _quick_check(path, "mode=ro&immutable=1", table)  # else SQLite would make both files
    with tempfile.TemporaryDirectory() as scratch:
        for file_of_both in (path, log):
            shutil.copy(file_of_both, scratch)
        return _quick_check(Path(scratch, path.name), "mode=ro", table)


def _quick_check(path: Path, mode: str, table: str) -> str | None:
    query = "SELECT name FROM sqlite_master WHERE name = ?"
    try:
        with closing(connect(path, mode)) as connection:
            (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            tables = connection.execute(query, (table,)).fetchall()
    except sqlite3.Error as error:
        return str(error)
    if answer != "ok":
        return str(answer).splitlines()[-1]
    return None if tables else "it has no table of MLflow's"


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """A connection to a database. mode: of its URI, such as `mode=ro`. Raises sqlite3.Error."""
    uri = f"{path.absolute().as_uri()}?{mode}"
    return sqlite3.connect(uri, uri=True, timeout=QUERY_SECONDS)
