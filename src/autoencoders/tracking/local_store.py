"""The repository's own store: its safe creation, and its repair after the repository was moved."""

import errno
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import mlflow
from filelock import FileLock

from autoencoders.core.errors import UserError
from autoencoders.core.files import atomic_file, read_json, write_json
from autoencoders.tracking import address
from autoencoders.tracking.scratch import scratch_folder

LOCATIONS = (  # tables and columns of MLflow's database that hold absolute locations
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
    ("model_versions", "source"),
)
UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)


def ready_uri(*, writing: bool) -> str:
    """Returns the URI of the local store, ready for use.

    writing: a store that can't be written is read from a copy where this is False. Raises
    UserError.
    """
    try:
        _make_ready(address.folder())
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        if writing or not address.database().exists():
            raise UserError(
                f"{address.folder()}: can't be written ({error.strerror}); check its rights"
            ) from error
        return f"sqlite:///{_copy()}"
    return address.local()


def _copy() -> Path:
    """A copy of the local database, gone with this process, for a store that can only be read."""
    folder = Path(scratch_folder())
    database = address.database()
    for suffix in ("", "-wal"):
        file = database.with_name(database.name + suffix)
        if file.exists():
            shutil.copyfile(file, folder / file.name)
    return folder / database.name


def _make_ready(store: Path) -> None:
    """Creates or relocates the database, one process at a time: two that race would break it."""
    database = store / "mlflow.db"
    marker = store / "store.json"  # where the store was when it was last opened
    store.mkdir(parents=True, exist_ok=True)
    with FileLock(store / "store.lock"):
        root = str(store)
        if marker.exists():
            root = read_json(marker)["root"]
        is_moved = root != str(store)
        if not database.exists():
            _create(database)
        elif is_moved:
            _relocate(database, Path(root), store)
        if is_moved or not marker.exists():
            write_json(marker, {"root": str(store)})


def _create(database: Path) -> None:
    """Builds a new database beside, and renames it: a killed process leaves none half made."""
    with atomic_file(database) as new:
        original = new.with_suffix(".made")  # mlflow keeps it open
        mlflow.MlflowClient(f"sqlite:///{original}").search_experiments()
        shutil.copy(original, new)
        with closing(sqlite3.connect(new)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")


def _relocate(database: Path, old: Path, new: Path) -> None:
    """Points a moved store's artifacts, stored as URIs or as paths, to where they are now."""
    prefixes = ((old.as_uri(), new.as_uri()), (str(old), str(new)))
    with closing(sqlite3.connect(database)) as connection, connection:
        for before, after in prefixes:
            for table, column in LOCATIONS:
                update = (
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) "  # noqa: S608  (constants)
                    f"WHERE {column} LIKE ?"
                )
                connection.execute(update, (after, len(before) + 1, before + "/%"))
