"""Fills `data/raw`: data sets by name, a file or folder of the user, an archive, a URL, OpenML."""

import tempfile
from pathlib import Path
from typing import Any

from autoencoders.core.errors import DataError
from autoencoders.core.files import atomic_folder, sha256_of, write_json
from autoencoders.core.paths import repository
from autoencoders.data.sources.archive import unpacked
from autoencoders.data.sources.catalogue import SOURCES
from autoencoders.params.architecture import DataFacts
from autoencoders.params.sections import NO_FILE, Data

ORIGIN, FILES = (
    "source.json",
    "files",
)  # in data/raw: what is known of the source, and what was fetched or unpacked
ANSWERS = (
    ".csv",
    ".parquet",
    ".npy",
    ".png",
)  # how a file of a model's answers may end; .png: of images


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
        raise DataError(
            f"data.name = {data.name}: no such data set: {names}, or set data.path to your own"
        )
    if data.openml and data.path != NO_FILE:
        raise DataError(
            f"data.openml = {data.openml} and data.path = {data.path}: two sources; choose one of them"
        )
    if "://" in data.path:
        if not data.sha256:
            raise DataError(
                f"data.path = {data.path}: a URL needs data.sha256, the digest of what it gives"
            )
    elif not Path(data.path).exists():
        original = repository() / data.path  # of a copy of it
        if not original.exists():
            raise DataError(
                f"data.path = {data.path}: no such file or folder (relative to the repository's root)"
            )
        Path(data.path).parent.mkdir(parents=True, exist_ok=True)
        Path(data.path).symlink_to(original)


def download(data: Data, folder: Path) -> None:
    """Fills the folder: the files, unless they stay where the user has them, and what is known of them.

    Raises DataError; the folder then stays as it was.
    """
    with atomic_folder(folder) as new:
        write_json(new / ORIGIN, _fetched(data, new / FILES))


def _fetched(data: Data, files: Path) -> dict[str, Any]:
    """Fills `files` where there is something to fetch or unpack, and gives what is known of the source."""
    from autoencoders.data.sources import fetch

    if data.openml:
        return {"label": fetch.openml(data.openml, files)}
    if not data.own:
        source = SOURCES[data.name]
        return {
            "labels": source.labels,
            "white": source.white,
            "test_rows": fetch.built_in(data.name, files),
        }
    if "://" not in data.path:
        return unpacked(Path(data.path), files, stays=True)
    with tempfile.TemporaryDirectory(
        dir=files.parent
    ) as scratch:  # of the same file system: the file is moved
        path = fetch.over_http(data.path, Path(scratch))
        if (found := sha256_of(path)) != data.sha256:
            raise DataError(f"{data.path}: its SHA-256 is {found}, but data.sha256 = {data.sha256}")
        return unpacked(path, files, stays=False)
