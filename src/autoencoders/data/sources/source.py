"""Fills `data/raw`: data sets by name, a file or folder of the user, an archive, a URL, OpenML."""

import tempfile
from pathlib import Path

from autoencoders.core.errors import DataError
from autoencoders.core.files import atomic_folder, sha256_of
from autoencoders.core.paths import repository
from autoencoders.data.sources.archive import is_archive, unpack
from autoencoders.data.sources.catalogue import SOURCES
from autoencoders.data.sources.origin import FILES, Origin, write_origin
from autoencoders.params.architecture import DataFacts
from autoencoders.params.sections import NO_FILE, Data

# how a file of a model's answers may end; .png: of images
ANSWERS = (".csv", ".parquet", ".npy", ".png")


def facts(data: Data) -> DataFacts | None:
    """Facts of a data set by name, known before it is fetched; None for other data.

    They are enough to refuse a network that can't fit the data.
    """
    if data.is_own or data.name not in SOURCES:
        return None
    source = SOURCES[data.name]
    height, width = source.shape
    return DataFacts(
        n_features=height * width,
        unit_interval=data.scaling in ("auto", "pixels"),
        shape=source.shape,
        rows=source.rows,
    )


def check(data: Data) -> None:
    """Raises DataError where there is no such data set or file.

    Links a file that DVC's temporary copy of the repository lacks.
    """
    if not data.is_own and data.name not in SOURCES:
        names = ", ".join(SOURCES)
        raise DataError(
            f"data.name = {data.name}: no such data set: {names}, or set data.path to your own"
        )
    if data.openml and data.path != NO_FILE:
        raise DataError(
            f"data.openml = {data.openml} and data.path = {data.path}: two sources; "
            "choose one of them"
        )
    if "://" in data.path:
        if not data.sha256:
            raise DataError(
                f"data.path = {data.path}: a URL needs data.sha256, the digest of what it gives"
            )
        return
    path = Path(data.path)
    if path.exists():
        return
    original = repository() / path
    if not original.exists():
        raise DataError(
            f"data.path = {data.path}: no such file or folder (relative to the repository's root)"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(original)


def download(data: Data, folder: Path) -> None:
    """Fills the folder with source.json and the files, unless they stay where the user has them.

    Raises DataError; the folder then stays as it was.
    """
    with atomic_folder(folder) as new:
        origin = _fetch(data, new / FILES)
        write_origin(origin, new)


def _fetch(data: Data, files: Path) -> Origin:
    """Fills the folder `files` where there is something to fetch or to unpack."""
    from autoencoders.data.sources import fetch

    if data.openml:
        return Origin(label=fetch.openml(data.openml, files))
    if not data.is_own:
        source = SOURCES[data.name]
        test_rows = fetch.built_in(data.name, files)
        return Origin(labels=tuple(source.labels), white=source.white, test_rows=test_rows)
    if "://" in data.path:
        return _fetch_url(data, files)
    path = Path(data.path)
    if is_archive(path):
        return _unpack(path, files)
    return Origin(path=str(path))


def _fetch_url(data: Data, files: Path) -> Origin:
    """Fetches a file, and unpacks it where it is an archive.

    Raises DataError where its digest is another one.
    """
    from autoencoders.data.sources import fetch

    # beside `files`, so on the same file system: the file is moved
    with tempfile.TemporaryDirectory(dir=files.parent) as scratch:
        path = fetch.over_http(data.path, Path(scratch))
        digest = sha256_of(path)
        if digest != data.sha256:
            raise DataError(
                f"{data.path}: its SHA-256 is {digest}, but data.sha256 = {data.sha256}"
            )
        if is_archive(path):
            return _unpack(path, files)
        files.mkdir()
        path.replace(files / path.name)
        return Origin()


def _unpack(archive: Path, files: Path) -> Origin:
    unpack(archive, files)
    return Origin(npz=archive.suffix.lower() == ".npz")
