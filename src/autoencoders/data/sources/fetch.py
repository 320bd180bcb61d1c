"""Fetches data sets by name, from the first mirror with the canonical content; OpenML's; URLs."""

import gzip
import hashlib
import io
import math
import os
import re
import sys
import tempfile
import zlib
from importlib.metadata import distribution
from pathlib import Path

import numpy as np

from autoencoders.core.errors import DataError
from autoencoders.core.paths import repository
from autoencoders.data.sources.catalogue import ARRAYS, DIGESTS, MIRRORS, File

# a line an image: 64 pixels and the label
DIGITS_FILE = "sklearn/datasets/data/digits.csv.gz"
MIRROR_VARIABLE = "AUTOENCODERS_MIRROR"
MORE_ATTEMPTS = 2  # after a failed download, before the next mirror is asked
ANSWER_SECONDS = 30  # without an answer, after which a download has failed


def built_in(name: str, files: Path) -> int:
    """Fills the folder with X.npy and y.npy of a data set by name. Raises DataError.

    Gives the number of rows, the last ones, that are the publisher's test split.
    """
    arrays = _digits() if name == "digits" else mnist(name)
    images = [arrays["images"]]
    labels = [arrays["labels"]]
    n_test = 0
    if "test_images" in arrays:
        images.append(arrays["test_images"])
        labels.append(arrays["test_labels"])
        n_test = len(arrays["test_labels"])
    files.mkdir()
    np.save(files / "X.npy", np.concatenate(images), allow_pickle=False)
    np.save(files / "y.npy", np.concatenate(labels), allow_pickle=False)
    return n_test


def _digits() -> dict[str, np.ndarray]:
    """scikit-learn's copy of the UCI optical digits: 1,797 images of 8 x 8 pixels from 0 to 16.

    Its `load_digits` gives the same, but importing it takes a second.
    """
    path = distribution("scikit-learn").locate_file(DIGITS_FILE)
    digits = np.loadtxt(str(path), delimiter=",").astype(np.uint8)
    return {"images": digits[:, :-1].reshape(-1, 8, 8), "labels": digits[:, -1]}


def openml(number: int, files: Path) -> str:
    """Fills the folder with a data set of openml.org, a table. Raises DataError.

    Gives its label column's name; empty: it has none.
    """
    import pyarrow as pa
    from pyarrow import parquet
    from sklearn.datasets import fetch_openml

    try:
        data_set = fetch_openml(data_id=number, as_frame=True, parser="pandas", cache=False)
    except (OSError, ValueError) as error:
        raise DataError(f"data.openml = {number}: {error}") from error
    files.mkdir()
    table = pa.Table.from_pandas(data_set.frame, preserve_index=False)
    parquet.write_table(table, files / "openml.parquet")
    target = data_set.target
    if target is None or target.ndim != 1:
        return ""
    return str(target.name)


def mnist(name: str) -> dict[str, np.ndarray]:
    """The arrays of MNIST or Fashion-MNIST by name, images as (rows, 28, 28) uint8.

    Raises DataError with the reason of each mirror that failed.
    """
    mirrors = list(MIRRORS[name])
    users_mirror = os.environ.get(MIRROR_VARIABLE)
    if users_mirror:
        mirrors.insert(0, users_mirror)
    arrays = {}
    digests = DIGESTS[name].split()
    for (array, (file_name, shape)), digest in zip(ARRAYS.items(), digests, strict=True):
        arrays[array] = _from_first_mirror(File(file_name, shape, digest), mirrors)
    return arrays


def _from_first_mirror(file: File, mirrors: list[str]) -> np.ndarray:
    """The array of a file, from the first mirror that has it undamaged.

    Raises DataError with each mirror's reason.
    """
    reasons = []
    for mirror in mirrors:
        try:
            return parse(file, _read(mirror, file.name))
        except (DataError, OSError) as error:
            reasons.append(f"  {mirror}: {error}")
    lines = [
        f"{file.name}: no mirror gave it:",
        *reasons,
        f"Set {MIRROR_VARIABLE} to a folder or URL that holds the files, "
        "or choose data.name: digits, which needs no download",
    ]
    raise DataError("\n".join(lines))


def _read(mirror: str, name: str) -> bytes:
    """A file's content from a mirror: a URL, or a folder relative to the user's repository."""
    if "://" not in mirror:
        return (repository() / mirror / name).read_bytes()
    with tempfile.TemporaryDirectory() as scratch:
        return over_http(f"{mirror.rstrip('/')}/{name}", Path(scratch)).read_bytes()


def over_http(url: str, folder: Path) -> Path:
    """Fetches a URL's file into a folder, by its own name. Raises DataError."""
    import pooch

    pooch.get_logger().setLevel("WARNING")
    downloader = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=ANSWER_SECONDS)
    name = re.split("[?#]", url)[0].rpartition("/")[2]
    if not name.strip("."):
        name = "data"
    files = pooch.create(
        folder, "", registry={name: None}, urls={name: url}, retry_if_failed=MORE_ATTEMPTS
    )
    try:
        return Path(files.fetch(name, downloader=downloader))
    except (ValueError, OSError) as error:  # requests' errors are OSErrors
        raise DataError(f"{url}: {error}") from error


def parse(file: File, content: bytes) -> np.ndarray:
    """The array in a downloaded file.

    Raises DataError where it is damaged, cut short or not the canonical one.
    """
    if content.lstrip()[:1] == b"<":
        raise DataError(f"{file.name}: is a web page, not a gzip file")
    plain = _decompressed(file, content)
    algorithm, _, expected = file.digest.partition(":")
    hashed = content if algorithm == "md5" else plain  # an MD5 is the publisher's, of the .gz file
    digest = hashlib.new(algorithm, hashed, usedforsecurity=False).hexdigest()
    if digest != expected:
        raise DataError(f"{file.name}: {algorithm} is {digest}, expected {expected}")
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
            f"{file.name}: {len(content)} bytes that can't be decompressed ({error}), "
            "expected a whole gzip file; it is damaged or cut short"
        ) from error
    if len(plain) > size:
        raise DataError(f"{file.name}: more than {size} bytes when decompressed, expected {size}")
    if len(plain) < size:
        raise DataError(f"{file.name}: {len(plain)} bytes when decompressed, expected {size}")
    return plain
