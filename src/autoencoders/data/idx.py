"""MNIST and Fashion-MNIST: fetched from the first mirror that answers with the canonical content."""

import gzip
import hashlib
import io
import os
import re
import struct
import sys
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autoencoders.errors import DataError

MIRROR_VARIABLE = "AUTOENCODERS_MIRROR"
RETRIES = 2
TIMEOUT = 30  # seconds without an answer
HEADER = {2049: 8, 2051: 16}  # bytes by magic number: labels, images


@dataclass(frozen=True)
class File:
    """One of a data set's four files, and the digest that its canonical content has."""

    name: str
    array: str  # its name in data/raw
    rows: int
    algorithm: str  # sha256: of the decompressed content, md5: of the .gz file, as the publisher gives it
    digest: str

    @property
    def size(self) -> int:
        """Bytes of the decompressed content."""
        return 16 + self.rows * 784 if "images" in self.name else 8 + self.rows


def _files(algorithm: str, digests: tuple[str, str, str, str]) -> tuple[File, ...]:
    names = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz")
    tests = ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")
    arrays = ("images", "labels", "test_images", "test_labels")
    rows = (60_000, 60_000, 10_000, 10_000)
    return tuple(
        File(name, array, n, algorithm, digest)
        for name, array, n, digest in zip(names + tests, arrays, rows, digests, strict=True)
    )


FILES = {
    "mnist": _files(
        "sha256",
        (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    ),
    "fashion_mnist": _files(
        "md5",
        (
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "25c81989df183df01b3e8a0aad5dffbe",
            "bef4ecab320f06d8554ea6380940ec79",
            "bb300cfdad3c16e7a12a480ee83cd310",
        ),
    ),
}
MIRRORS = {
    "mnist": ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
    "fashion_mnist": (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
}


def fetch(name: str) -> dict[str, np.ndarray]:
    """The data set's arrays, images as (rows, 784) uint8. Raises DataError with each mirror's reason."""
    mirrors = [*filter(None, [os.environ.get(MIRROR_VARIABLE)]), *MIRRORS[name]]
    return {file.array: _first_good(file, mirrors) for file in FILES[name]}


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
    _verify(file, "md5", content)
    plain = _decompressed(file, content)
    _verify(file, "sha256", plain)
    magic, rows = struct.unpack_from(">II", plain)
    expected = 2051 if "images" in file.name else 2049
    if magic != expected:
        raise DataError(f"{file.name}: magic number {magic}, expected {expected}")
    if rows != file.rows:
        raise DataError(f"{file.name}: {rows} rows, expected {file.rows}")
    values = np.frombuffer(plain, np.uint8, offset=HEADER[magic])
    return values.reshape(rows, -1) if magic == 2051 else values


def _verify(file: File, algorithm: str, content: bytes) -> None:
    if file.algorithm != algorithm:
        return
    found = hashlib.new(algorithm, content, usedforsecurity=False).hexdigest()
    if found != file.digest:
        start = " (it is a web page)" if content.lstrip()[:1] == b"<" else ""
        raise DataError(f"{file.name}: {algorithm} is {found}, expected {file.digest}{start}")


def _decompressed(file: File, content: bytes) -> bytes:
    if content.lstrip()[:1] == b"<":
        raise DataError(f"{file.name}: is a web page, not a gzip file")
    if len(content) == file.size:
        return content  # unpacked on its way, by a server that declares Content-Encoding: gzip
    try:
        with gzip.open(io.BytesIO(content)) as stream:
            plain = stream.read(file.size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{file.name}: {len(content)} bytes that can't be decompressed ({error}), expected a whole gzip file; "
            "it is damaged or cut short"
        ) from error
    if len(plain) != file.size:
        found = f"more than {file.size}" if len(plain) > file.size else f"{len(plain)}"
        raise DataError(f"{file.name}: {found} bytes when decompressed, expected {file.size}")
    return plain
