"""Data that is fetched: data sets by name, from the first mirror with the canonical content; OpenML's; files by URL."""

import gzip
import hashlib
import io
import math
import os
import re
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np
import pooch
import pyarrow as pa
from pyarrow import parquet

from autoencoders.core.errors import DataError
from autoencoders.core.paths import repository
from autoencoders.data.sources.catalogue import ARRAYS, DIGESTS, MIRRORS, File

MIRROR_VARIABLE = "AUTOENCODERS_MIRROR"
RETRIES = 2
TIMEOUT = 30  # seconds without an answer


def built_in(name: str, files: Path) -> int:
    """Fills the folder with X.npy and y.npy of a data set by name. Raises DataError.

    Gives the number of rows, the last ones, that are the publisher's test split.
    """
    arrays = _digits() if name == "digits" else mnist(name)
    files.mkdir()
    for file, part in (("X", "images"), ("y", "labels")):
        rows = [values for array, values in arrays.items() if array.endswith(part)]
        np.save(files / f"{file}.npy", np.concatenate(rows), allow_pickle=False)
    return len(arrays.get("test_labels", ()))


def _digits() -> dict[str, np.ndarray]:
    """scikit-learn's copy of the UCI optical digits: 1,797 images of 8 x 8 pixels from 0 to 16."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return {"images": digits.images.astype(np.uint8), "labels": digits.target.astype(np.uint8)}


def openml(number: int, files: Path) -> str:
    """Fills the folder with a data set of openml.org, a table, and gives its label column's name, if it has one."""
    from sklearn.datasets import fetch_openml

    try:
        found = fetch_openml(data_id=number, as_frame=True, parser="pandas", cache=False)
    except (OSError, ValueError) as error:
        raise DataError(f"data.openml = {number}: {error}") from error
    files.mkdir()
    parquet.write_table(
        pa.Table.from_pandas(found.frame, preserve_index=False), files / "openml.parquet"
    )
    return found.target.name if found.target is not None and found.target.ndim == 1 else ""


def mnist(name: str) -> dict[str, np.ndarray]:
    """The arrays of MNIST or Fashion-MNIST, images as (rows, 28, 28) uint8. Raises DataError with mirrors' reasons."""
    mirrors = [*filter(None, [os.environ.get(MIRROR_VARIABLE)]), *MIRRORS[name]]
    digests = zip(ARRAYS.items(), DIGESTS[name].split(), strict=True)
    return {array: _first_good(File(*file, digest), mirrors) for (array, file), digest in digests}


def _first_good(file: File, mirrors: list[str]) -> np.ndarray:
    reasons = []
    for mirror in mirrors:
        try:
            return parse(file, _read(mirror, file.name))
        except (DataError, OSError) as error:
            reasons.append(f"  {mirror}: {error}")
    raise DataError(
        f"{file.name}: no mirror gave it:\n"
        + "\n".join(reasons)
        + f"\nSet {MIRROR_VARIABLE} to a folder or URL that "
        "holds the files, or choose data.name: digits, which needs no download"
    )


def _read(mirror: str, name: str) -> bytes:
    if "://" not in mirror:
        return (repository() / mirror / name).read_bytes()
    with tempfile.TemporaryDirectory() as scratch:
        return over_http(f"{mirror.rstrip('/')}/{name}", Path(scratch)).read_bytes()


def over_http(url: str, folder: Path) -> Path:
    """What a URL gives, fetched into a folder. Raises DataError."""
    pooch.get_logger().setLevel("WARNING")
    downloader = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=TIMEOUT)
    name = re.split("[?#]", url)[0].rpartition("/")[2]
    name = name if name.strip(".") else "data"
    files = pooch.create(
        folder, "", registry={name: None}, urls={name: url}, retry_if_failed=RETRIES
    )
    try:
        return Path(files.fetch(name, downloader=downloader))
    except (ValueError, OSError) as error:  # requests' errors are OSErrors
        raise DataError(f"{url}: {error}") from error


def parse(file: File, content: bytes) -> np.ndarray:
    """The array in a downloaded file. Raises DataError where it is damaged, cut short or not the canonical one."""
    if content.lstrip()[:1] == b"<":
        raise DataError(f"{file.name}: is a web page, not a gzip file")
    plain = _decompressed(file, content)
    algorithm, _, expected = file.digest.partition(":")
    hashed = content if algorithm == "md5" else plain
    if (found := hashlib.new(algorithm, hashed, usedforsecurity=False).hexdigest()) != expected:
        raise DataError(f"{file.name}: {algorithm} is {found}, expected {expected}")
    return np.frombuffer(plain, np.uint8, offset=file.header).reshape(file.shape)


def _decompressed(file: File, content: bytes) -> bytes:
    """The plain content, which is not read beyond the size that it must have. Raises DataError."""
    size = file.header + math.prod(file.shape)
    if len(content) == size:
        return content  # unpacked on its way, by a server that declares Content-Encoding: gzip
    try:
        with gzip.open(io.BytesIO(content)) as stream:
            plain = stream.read(size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{file.name}: {len(content)} bytes that can't be decompressed ({error}), expected a whole gzip file; "
            "it is damaged or cut short"
        ) from error
    if len(plain) != size:
        found = f"more than {size}" if len(plain) > size else f"{len(plain)}"
        raise DataError(f"{file.name}: {found} bytes when decompressed, expected {size}")
    return plain
