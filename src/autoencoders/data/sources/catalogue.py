"""The data sets that come by name: shape, labels, mirrors and digests."""

from typing import NamedTuple

MIRRORS = {
    "mnist": (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    "fashion_mnist": (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
}
# of both data sets: file and shape by the array's name
ARRAYS = {
    "images": ("train-images-idx3-ubyte.gz", (60_000, 28, 28)),
    "labels": ("train-labels-idx1-ubyte.gz", (60_000,)),
    "test_images": ("t10k-images-idx3-ubyte.gz", (10_000, 28, 28)),
    "test_labels": ("t10k-labels-idx1-ubyte.gz", (10_000,)),
}
# in that order: SHA-256 of the decompressed content, or the publisher's MD5 of the .gz file
DIGESTS = {
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
    """One of a data set's four files, with the digest of its canonical content."""

    name: str
    shape: tuple[int, ...]
    digest: str  # algorithm:hexadecimal

    @property
    def header(self) -> int:
        """Number of bytes before the values: a magic number, and the length of each axis."""
        return 4 + 4 * len(self.shape)


DIGITS = list("0123456789")
CLOTHES = [
    "T-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
]


class BuiltIn(NamedTuple):
    """A data set that comes by name: images whose pixels lie between 0 and `white`."""

    shape: tuple[int, int]
    white: int
    labels: list[str]
    rows: int


SOURCES = {
    "digits": BuiltIn((8, 8), 16, DIGITS, 1797),
    "mnist": BuiltIn((28, 28), 255, DIGITS, 60_000),
    "fashion_mnist": BuiltIn((28, 28), 255, CLOTHES, 60_000),
}
