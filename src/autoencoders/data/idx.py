"""MNIST and Fashion-MNIST: fetched from the first mirror that answers with the canonical content."""

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
from typing import NamedTuple

import numpy as np

from autoencoders.errors import DataError

MIRROR_VARIABLE = "AUTOENCODERS_MIRROR"
RETRIES = 2
TIMEOUT = 30  # seconds without an answer
MIRRORS = {
    "mnist": ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
    "fashion_mnist": (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
}
ARRAYS = {  # of both data sets: file and shape by the array's name
    "images": ("train-images-idx3-ubyte.gz", (60_000, 28, 28)),
    "labels": ("train-labels-idx1-ubyte.gz", (60_000,)),
    "test_images": ("t10k-images-idx3-ubyte.gz", (10_000, 28, 28)),
    "test_labels": ("t10k-labels-idx1-ubyte.gz", (10_000,)),
}
DIGESTS = {  # in that order. SHA-256 of the decompressed content, or MD5 of the .gz file, as the publisher gives it
    "mnist": """
        sha256:ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db
        sha256:65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5
        sha256:0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7
        sha256:ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2
    """,
    "fashion_mnist": """
        md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d
        md5:25c81989df183df01b3e8a0aad5dffbe
        md5:bef4ecab320f06d8554ea6380940ec79
        md5:bb300cfdad3c16e7a12a480ee83cd310
    """,
}


class File(NamedTuple):
    """One of a data set's four files, and the digest that its canonical content has."""

    name: str
    shape: tuple[int, ...]
    digest: str  # algorithm:hexadecimal

    @property
    def header(self) -> int:
        """Bytes before the values: a magic number, and the length of each axis."""
        return 4 + 4 * len(self.shape)


def fetch(name: str) -> dict[str, np.ndarray]:
    """The data set's arrays, images as (rows, 28, 28) uint8. Raises DataError with each mirror's reason."""
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
        f"{file.name}: no mirror gave it:\n" + "\n".join(reasons) + f"\nSet {MIRROR_VARIABLE} to a folder or URL that "
        "holds the files, or choose data.name: digits, which needs no download"
    )


def _read(mirror: str, name: str) -> bytes:
    if "://" not in mirror:
        root = Path(os.environ.get("DVC_ROOT", ""))  # the user's repository, also in DVC's temporary folders
        return (root / mirror / name).read_bytes()
    with tempfile.TemporaryDirectory() as scratch:
        return over_http(f"{mirror.rstrip('/')}/{name}", Path(scratch)).read_bytes()


def over_http(url: str, folder: Path) -> Path:
    """What a URL gives, fetched into a folder. Raises DataError."""
    import pooch

    pooch.get_logger().setLevel("WARNING")
    downloader = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=TIMEOUT)
    name = re.split("[?#]", url)[0].rpartition("/")[2]
    name = name if name.strip(".") else "data"
    files = pooch.create(folder, "", registry={name: None}, urls={name: url}, retry_if_failed=RETRIES)
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
