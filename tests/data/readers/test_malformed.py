"""Files that can't be used: each ends in one message that names file, column, row or key, and nothing is written.

Training data goes through the stages' functions, new data through `answer_file` and `answer`.
"""

import gc
import gzip
import io
import pickle
import struct
import tarfile
import tempfile
import threading
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pyarrow import parquet

from autoencoders.core.errors import DataError, ParameterError, UserError
from autoencoders.data.readers import reader
from autoencoders.data.sources import archive, source
from autoencoders.models.trained.model import TrainedModel
from autoencoders.serving.answers import answer_file
from autoencoders.serving.inference import answer
from intake import Intake, columns, csv, everything

GOOD = columns()
N = len(GOOD["length"])
Content = bytes | str


def changed(column: str, row: int, value: Any) -> dict[str, list[Any]]:
    """The good table with another value; rows count from 1, as in messages."""
    return {**GOOD, column: [*GOOD[column][: row - 1], value, *GOOD[column][row:]]}


def lines(row: int, text: str) -> str:
    """The good table's CSV with another line in a row's place."""
    given = csv(GOOD).splitlines()
    return "\n".join([*given[:row], text, *given[row + 1 :]]) + "\n"


def png(height: int = 8, width: int = 8, seed: int = 0) -> bytes:
    """A grey image's file."""
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    """A part of a PNG file."""
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def huge_png(side: int) -> bytes:
    """A file of some hundred bytes that declares side x side pixels."""
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, content) for kind, content in parts)


def table(values: dict[str, Any] | pa.Table) -> bytes:
    """A Parquet file."""
    file = io.BytesIO()
    parquet.write_table(values if isinstance(values, pa.Table) else pa.table(values), file)
    return file.getvalue()


def npy(values: Any, *, pickled: bool = False) -> bytes:
    """A .npy file."""
    file = io.BytesIO()
    np.save(file, np.asarray(values), allow_pickle=pickled)
    return file.getvalue()


def npz(**arrays: Any) -> bytes:
    """An .npz file."""
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    """A zip archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def tarred(*members: tuple[tarfile.TarInfo, bytes], mode: str = "w") -> bytes:
    """A tar archive."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    """A tar's entry."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


ROWS = np.random.default_rng(0).normal(size=(60, 4))
IMAGES = np.random.default_rng(0).integers(0, 256, (60, 8, 8), np.uint8)
GOOD_CSV = csv(GOOD).encode()

# --- tables: (file, content, what the message says beside the file or column that it names) ---

TABLES: dict[str, tuple[str, Content, list[str]]] = {
    "an empty file": ("a.csv", "", ["a.csv", "Empty CSV"]),
    "blank lines alone": ("a.csv", "\n\n\n", ["a.csv"]),
    "a header alone": ("a.csv", "length,width\n", ["0 rows leave 0 for train"]),
    "a single row": ("a.csv", "length,width\n1,2\n", ["1 rows leave"]),
    "four rows": ("a.csv", "length,width\n" + "1,2\n3,4\n" * 2, ["4 rows leave 0 for validation"]),
    "a field too many": (
        "a.csv",
        lines(40, "1,2,red,cm,5"),
        ["a.csv", "Row #41: Expected 4 columns, got 5"],
    ),
    "a field too few": ("a.csv", lines(40, "1,2"), ["a.csv", "Row #41: Expected 4 columns, got 2"]),
    "another header than rows": (
        "a.csv",
        "a,b\n" + "1,2,3\n" * 60,
        ["a.csv", "Expected 2 columns, got 3"],
    ),
    "a name that stands twice": (
        "a.csv",
        "a,b,a\n" + "1,2,3\n" * 60,
        ["a.csv", "name stands twice: a"],
    ),
    "Latin-1 in a text": (
        "a.csv",
        csv(changed("colour", 9, "grün")).encode("latin-1"),
        ["column colour is not UTF-8"],
    ),
    "Latin-1 in a name": (
        "a.csv",
        csv({"Größe": GOOD["length"]}).encode("latin-1"),
        ["a.csv", "utf-8"],
    ),
    "UTF-16": ("a.csv", csv(GOOD).encode("utf-16"), ["a.csv"]),
    "UTF-16 without a mark": ("a.csv", csv(GOOD).encode("utf-16-le"), ["a.csv"]),
    "UTF-32": ("a.csv", csv(GOOD).encode("utf-32"), ["a.csv"]),
    "NUL bytes in a number": (
        "a.csv",
        csv(changed("length", 7, "1\x002")),
        ["column length", "1\x002"],
    ),
    "NUL bytes alone": ("a.csv", bytes(4096), ["a.csv"]),
    "text in the first row of numbers": (
        "a.csv",
        csv(changed("length", 1, "tall")),
        ["column length", "tall"],
    ),
    "text in the last row of numbers": (
        "a.csv",
        csv(changed("length", N, "tall")),
        ["column length", "tall"],
    ),
    "a decimal comma": (
        "a.csv",
        csv({**GOOD, "length": [f"{v:.3f}".replace(".", ",") for v in GOOD["length"]]}, ";"),
        ["column length", ","],
    ),
    "an infinity": ("a.csv", csv(changed("length", 50, "inf")), ["length", "row 50", "inf"]),
    "a negative infinity": (
        "a.csv",
        csv(changed("length", 50, "-inf")),
        ["length", "row 50", "-inf"],
    ),
    "infinities alone": ("a.csv", csv({**GOOD, "length": ["inf"] * N}), ["length", "row 1", "inf"]),
    "a number beyond 32 bits": (
        "a.csv",
        csv(changed("length", 50, "1e39")),
        ["length", "row 50", "1e+39"],
    ),
    "a number whose square overflows": (
        "a.csv",
        csv(changed("length", 50, "1e300")),
        ["length", "row 50", "1e+300"],
    ),
    "a whole number of 40 digits": (
        "a.csv",
        csv(changed("width", 3, "9" * 40)),
        ["width", "row 3", "e+40"],
    ),
    "a whole number of 400 digits": (
        "a.csv",
        csv(changed("width", 3, "9" * 400)),
        ["width", "row 3", "inf"],
    ),
    "an empty number": (
        "a.csv",
        csv(changed("length", 17, "")),
        ["missing values in columns length (1: row 17)"],
    ),
    "a NaN": (
        "a.csv",
        csv(changed("length", 17, "NaN")),
        ["missing values in columns length (1: row 17)"],
    ),
    "an N/A": (
        "a.csv",
        csv(changed("width", 240, "N/A")),
        ["missing values in columns width (1: row 240)"],
    ),
    "an empty text": (
        "a.csv",
        csv(changed("colour", 17, "")),
        ["missing values in columns colour (1: row 17)"],
    ),
    "a quoted empty text": (
        "a.csv",
        csv(changed("colour", 17, '""')),
        ["missing values in columns colour (1: row 17)"],
    ),
    "a column without values": (
        "a.csv",
        csv({**GOOD, "price": [""] * N}),
        ["column price: the training rows have no"],
    ),
    "constants alone": (
        "a.csv",
        csv({"a": [1] * N, "b": ["x"] * N}),
        ["no features: every column is constant"],
    ),
    "dates alone": ("a.csv", csv({"day": ["2020-01-01"] * N}), ["no features"]),
    "too many categories": (
        "a.csv",
        csv({**GOOD, "name": [f"n{i}" for i in range(N)]}),
        ["column name", "data.ignore"],
    ),
    "a PNG": ("a.csv", png(), ["a.csv"]),
    "a Parquet file by another name": ("a.csv", table(GOOD), ["a.csv"]),
    "an archive by another name": ("a.csv", zipped({"a.csv": GOOD_CSV}), ["a.csv"]),
    "an unclosed quote": ("a.csv", lines(40, '1,2,"red,cm'), ["a.csv"]),
    "text that is not compressed": ("a.csv.gz", csv(GOOD), ["a.csv.gz"]),
    "a gzip cut short": ("a.csv.gz", gzip.compress(GOOD_CSV)[:-30], ["a.csv.gz"]),
    "a gzip cut in its header": ("a.csv.gz", gzip.compress(GOOD_CSV)[:5], ["a.csv.gz"]),
    "a damaged gzip": ("a.csv.gz", gzip.compress(GOOD_CSV)[:40] + b"\xff" * 99, ["a.csv.gz"]),
    "Parquet cut short": ("a.parquet", table(GOOD)[:-50], ["a.parquet"]),
    "Parquet cut in the middle": ("a.parquet", table(GOOD)[:300], ["a.parquet"]),
    "Parquet of its magic alone": ("a.parquet", b"PAR1PAR1", ["a.parquet"]),
    "an empty Parquet": ("a.parquet", b"", ["a.parquet"]),
    "CSV by another name": ("a.parquet", csv(GOOD), ["a.parquet"]),
    "Parquet with damaged pages": (
        "a.parquet",
        table(GOOD)[:20] + bytes(400) + table(GOOD)[420:],
        ["a.parquet"],
    ),
    "a Parquet list": (
        "a.parquet",
        table({"a": [[1, 2]] * N}),
        ["a.parquet", "nested columns: a (list"],
    ),
    "a Parquet structure": (
        "a.parquet",
        table({"a": [{"b": 1}] * N}),
        ["nested columns: a (struct"],
    ),
    "a Parquet map": (
        "a.parquet",
        table({"a": pa.array([[("k", 1)]] * N, pa.map_(pa.string(), pa.int64()))}),
        ["nested columns: a (map"],
    ),
    "Parquet bytes": (
        "a.parquet",
        table({"a": [b"\xff\xfe"] * N}),
        ["a.parquet", "column a is not UTF-8 text"],
    ),
    "Parquet without rows": (
        "a.parquet",
        table({"a": pa.array([], pa.float64())}),
        ["0 rows leave"],
    ),
    "Parquet without columns": ("a.parquet", table(pa.table({})), []),
    "a Parquet name that stands twice": (
        "a.parquet",
        table(pa.table([[1.0, 2.0], [3.0, 4.0]], names=["a", "a"])),
        ["name stands twice: a"],
    ),
    "a Parquet column of nothing": (
        "a.parquet",
        table({**GOOD, "z": pa.nulls(N)}),
        ["column z", "have no value"],
    ),
    "a Parquet text of nothing": (
        "a.parquet",
        table({**GOOD, "z": pa.nulls(N, pa.string())}),
        ["column z", "have no value"],
    ),
    "a Parquet NaN": (
        "a.parquet",
        table({"a": [*range(N - 1), float("nan")]}),
        ["columns a (1: row 240)"],
    ),
    "a Parquet null": (
        "a.parquet",
        table({"a": [*range(N - 1), None]}),
        ["columns a (1: row 240)"],
    ),
    "a Parquet infinity": (
        "a.parquet",
        table({"a": [*map(float, range(N - 1)), np.inf]}),
        ["a", "row 240", "inf"],
    ),
    "Parquet durations alone": (
        "a.parquet",
        table({"t": pa.array([1] * N, pa.duration("s"))}),
        ["no features"],
    ),
}


@pytest.mark.parametrize("case", TABLES)
def test_a_table_that_can_not_be_used_is_refused_and_nothing_is_written(intake: Intake, case: str):
    name, content, parts = TABLES[case]
    message = intake.refusal(intake.file(name, content))
    assert all(part in message for part in parts), message


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (csv(changed("length", 200, "tall")), ["a.csv", "Row #201", "tall"]),
        (csv(changed("colour", 200, "grün")).encode("latin-1"), ["a.csv", "Row #201", "UTF8"]),
        (lines(200, "1,2"), ["a.csv", "Row #201", "got 2"]),
        (csv(changed("length", 200, "inf")), ["length", "row 200", "inf"]),
        (csv(changed("length", 200, "")), ["missing values in columns length (1: row 200)"]),
        (lines(200, "1,2," + "red" * 3000 + ",cm"), ["a.csv"]),
    ],
    ids=["text", "Latin-1", "ragged", "infinity", "missing", "a line longer than a block"],
)
def test_what_is_wrong_after_the_first_block_is_told_with_its_row(
    intake: Intake, monkeypatch: pytest.MonkeyPatch, content: Content, parts: list[str]
):
    monkeypatch.setattr(reader, "BATCH_BYTES", 2048)
    message = intake.refusal(intake.file("a.csv", content))
    assert all(part in message for part in parts), message


# --- arrays ---

ARRAYS: dict[str, tuple[str, Content, list[str]]] = {
    "an empty file": ("a.npy", b"", ["a.npy", "not a readable .npy array"]),
    "cut short": ("a.npy", npy(ROWS)[:-1], ["a.npy", "not a readable .npy array"]),
    "cut in the header": ("a.npy", npy(ROWS)[:50], ["a.npy", "not a readable .npy array"]),
    "a single number": ("a.npy", npy(3.0), ["a.npy", "not an array of rows"]),
    "five axes": (
        "a.npy",
        npy(np.zeros((9, 2, 2, 2, 2))),
        ["a.npy", "float64 of shape (9, 2, 2, 2, 2)"],
    ),
    "text": ("a.npy", npy(["a", "b"] * 30), ["a.npy", "<U1 of shape (60,), expected numbers"]),
    "structures": (
        "a.npy",
        npy(np.zeros(60, [("a", float), ("b", int)])),
        ["a.npy", "expected numbers"],
    ),
    "complex numbers": ("a.npy", npy(np.zeros((60, 2), complex)), ["a.npy", "complex128"]),
    "dates": ("a.npy", npy(np.zeros((60, 2), "datetime64[s]")), ["a.npy", "datetime64"]),
    "objects": ("a.npy", npy(np.array([None] * 60), pickled=True), ["a.npy", "Python objects"]),
    "no rows": ("a.npy", npy(np.zeros((0, 4))), ["a.npy", "zero rows"]),
    "no columns": ("a.npy", npy(np.zeros((60, 0))), []),
    "one row": ("a.npy", npy(ROWS[:1]), ["1 rows leave"]),
    "a NaN": (
        "a.npy",
        npy(np.where(np.arange(240).reshape(60, 4) == 30, np.nan, ROWS)),
        ["x2", "row 8"],
    ),
    "an infinity": (
        "a.npy",
        npy(np.where(np.arange(240).reshape(60, 4) == 30, np.inf, ROWS)),
        ["x2", "row 8", "inf"],
    ),
    "a double beyond 32 bits": ("a.npy", npy(ROWS * 1e300), ["row 1", "e+"]),
    "infinities alone": ("a.npy", npy(np.full((60, 4), -np.inf)), ["x0", "row 1", "-inf"]),
    "constants alone": ("a.npy", npy(np.ones((60, 4))), ["no features: every column is constant"]),
    "an .npz by another name": ("a.npy", npz(X=ROWS), ["a.npy"]),
    "an .npz by another name, cut short": (
        "a.npy",
        npz(X=ROWS)[:100],
        ["a.npy", "not a readable .npy array"],
    ),
    "a web page": ("a.npy", b"<html></html>", ["a.npy", "not a readable .npy array"]),
    "a pickle": ("a.npy", pickle.dumps(ROWS), ["a.npy", "not a readable .npy array"]),
    "an image with a NaN": (
        "a.npy",
        npy(np.where(IMAGES[7, 2, 3] == IMAGES, np.nan, IMAGES)),
        ["pixel", "row ", "nan"],
    ),
    "images without pixels": ("a.npy", npy(np.zeros((60, 0, 8))), []),
    "an .npz without X": ("a.npz", npz(images=ROWS, labels=np.zeros(60)), ["2 tables or arrays"]),
    "an .npz of nothing": ("a.npz", npz(), []),
    "labels of another length": (
        "a.npz",
        npz(X=ROWS, y=np.zeros(59)),
        ["y.npy are float64 of shape (59,)"],
    ),
    "labels with two axes": (
        "a.npz",
        npz(X=ROWS, y=np.zeros((60, 1))),
        ["y.npy are float64 of shape (60, 1)"],
    ),
    "a label that is missing": (
        "a.npz",
        npz(X=ROWS, y=np.where(np.arange(60) == 8, np.nan, 0)),
        ["label y: row 9 has no value"],
    ),
    "labels that are structures": ("a.npz", npz(X=ROWS, y=np.zeros(60, [("a", int)])), ["y.npy"]),
    "labels that are complex": ("a.npz", npz(X=ROWS, y=np.zeros(60, complex)), ["y.npy"]),
    "an .npz of objects": ("a.npz", npz(X=np.array([None] * 60)), ["X.npy", "Python objects"]),
    "labels that are objects": (
        "a.npz",
        npz(X=ROWS, y=np.array([None] * 60)),
        ["y.npy", "Python objects"],
    ),
    "too many classes": (
        "a.npz",
        npz(X=np.zeros((1200, 2)), y=np.arange(1200)),
        ["label y: 1200 values"],
    ),
    "an .npz cut short": ("a.npz", npz(X=ROWS)[:300], ["a.npz: can't be unpacked"]),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_an_array_that_can_not_be_used_is_refused_and_nothing_is_written(intake: Intake, case: str):
    name, content, parts = ARRAYS[case]
    message = intake.refusal(intake.file(name, content))
    assert all(part in message for part in parts), message


class Payload:
    """An object whose unpickling makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.path,)


def pickled(way: str, array: np.ndarray) -> bytes:
    """A file that holds the object behind the name that makes each reader look."""
    return {
        "a.npy": npy(array, pickled=True),
        "a.npz": npz(X=array),
        "y.npz": npz(X=ROWS, y=array),
        "a.csv": pickle.dumps(array),
        "a.parquet": pickle.dumps(array),
        "a.zip": zipped({"X.npy": npy(array, pickled=True)}),
        "a.tar": tarred((member("X.npy"), npy(array, pickled=True))),
        "a.png": pickle.dumps(array),
        "plain.npy": pickle.dumps(array),
    }[way]


@pytest.mark.parametrize(
    "way", ["a.npy", "a.npz", "y.npz", "a.csv", "a.parquet", "a.zip", "a.tar", "a.png", "plain.npy"]
)
def test_no_code_in_a_file_is_ever_run(intake: Intake, tabular: TrainedModel, way: str):
    mark = intake.folder / "the payload went off"
    content = pickled(way, np.array([Payload(mark)] * 60))
    path = intake.file(way, content)
    intake.refusal(path)
    with pytest.raises(UserError):
        answer_file(tabular, "score", path, intake.folder / "answers.csv", 0.05)
    assert not mark.exists()
    pickle.loads(pickle.dumps(Payload(mark)))
    assert mark.exists()  # so it would have been seen


# --- images ---

IMAGE_FILES: dict[str, tuple[dict[str, bytes], list[str]]] = {
    "no image": ({"a.png": b"no image"}, ["a.png", "not an image"]),
    "an empty image": ({"a.png": b""}, ["a.png", "not an image"]),
    "a web page": ({"a.jpg": b"<html></html>"}, ["a.jpg", "not an image"]),
    "cut in its pixels": ({"a.png": png(64, 64)[:-200]}, ["a.png", "not an image"]),
    "cut in its header": ({"a.png": png()[:20]}, ["a.png", "not an image"]),
    "damaged pixels": (
        {"a.png": png()[:45] + b"\xff" * 30 + png()[75:]},
        ["a.png", "not an image"],
    ),
    "a decompression bomb": ({"a.png": huge_png(60_000)}, ["a.png"]),
    "an image of 12,000 pixels a side": ({"a.png": huge_png(12_000)}, ["a.png"]),
    "an image of 10,000 pixels a side": ({"a.png": huge_png(10_000)}, ["a.png"]),
    "an image and a table": ({"t.csv": GOOD_CSV}, ["1 tables or arrays and 1 images"]),
    "an image and an array": ({"t.npy": npy(ROWS)}, ["1 tables or arrays and 1 images"]),
}


@pytest.mark.parametrize("case", IMAGE_FILES)
def test_a_folder_with_something_else_than_good_images_is_refused(intake: Intake, case: str):
    files, parts = IMAGE_FILES[case]
    for name, content in {"good/b.png": png(), **files}.items():
        intake.file(f"images/{name}", content)
    if not any(name.endswith((".csv", ".npy")) for name in files):
        for i in range(9):
            intake.file(f"images/good/{i}.png", png(seed=i))
    message = intake.refusal(intake.source / "images")
    assert all(part in message for part in parts), message


def test_an_empty_folder_is_refused_with_what_is_expected(intake: Intake):
    (intake.source / "images").mkdir()
    message = intake.refusal(intake.source / "images")
    assert "images: 0 tables or arrays and 0 images; expected CSV" in message


def test_a_folder_of_hidden_and_unknown_files_is_as_good_as_empty(intake: Intake):
    for name in ("images/.hidden.png", "images/.git/a.png", "images/notes.txt", "images/a.pdf"):
        intake.file(name, png())
    assert "0 tables or arrays and 0 images" in intake.refusal(intake.source / "images")


def test_two_tables_in_a_folder_are_not_chosen_between(intake: Intake):
    for name in ("tables/a.csv", "tables/b.csv"):
        intake.file(name, csv(GOOD))
    assert "tables: 2 tables or arrays and 0 images" in intake.refusal(intake.source / "tables")


@pytest.mark.parametrize("target", ["/etc/hosts", "../elsewhere/secret.png", "../elsewhere"])
def test_a_link_out_of_a_folder_of_images_is_refused_by_name(intake: Intake, target: str):
    intake.file("elsewhere/secret.png", png())
    for i in range(9):
        intake.file(f"images/{i}.png", png(seed=i))
    (intake.source / "images" / "link.png").symlink_to(target)
    message = intake.refusal(intake.source / "images")
    assert "link.png: a link out of" in message


def test_a_link_that_leads_to_itself_is_refused_or_left_out(intake: Intake):
    for i in range(20):
        intake.file(f"images/{i}.png", png(seed=i))
    for name, target in (("loop.png", "loop.png"), ("up", ".")):
        (intake.source / "images" / name).symlink_to(target)
    assert sum(intake.load(intake.source / "images").description.rows.values()) == 20


def test_a_single_image_is_too_few_rows(intake: Intake):
    assert "1 rows leave" in intake.refusal(intake.file("a.png", png()))


# --- archives ---

OUT = {"../evil.csv": GOOD_CSV}
ARCHIVES: dict[str, tuple[str, Content, list[str]]] = {
    "a zip that climbs": (
        "a.zip",
        zipped({"good.csv": GOOD_CSV} | OUT),
        ["'../evil.csv' leads out"],
    ),
    "a zip that climbs from within": (
        "a.zip",
        zipped({"in/../../evil.csv": GOOD_CSV}),
        ["leads out"],
    ),
    "a zip that climbs as on Windows": ("a.zip", zipped({"..\\evil.csv": GOOD_CSV}), ["leads out"]),
    "a zip with an absolute name": (
        "a.zip",
        zipped({"/tmp/evil.csv": GOOD_CSV}),
        ["'/tmp/evil.csv' leads out"],
    ),
    "an .npz that climbs": ("a.npz", zipped({"../X.npy": npy(ROWS)}), ["'../X.npy' leads out"]),
    "a zip cut short": (
        "a.zip",
        zipped({"good.csv": GOOD_CSV})[:-30],
        ["a.zip: can't be unpacked"],
    ),
    "no zip": ("a.zip", GOOD_CSV, ["a.zip: can't be unpacked"]),
    "an empty file": ("a.zip", b"", ["a.zip: can't be unpacked"]),
    "an empty zip": ("a.zip", zipped({}), []),
    "a zip whose content is damaged": (
        "a.zip",
        zipped({"good.csv": GOOD_CSV})[:60] + b"\xff" * 40 + zipped({"good.csv": GOOD_CSV})[100:],
        ["a.zip: can't be unpacked"],
    ),
    "a zip of a zip": (
        "a.zip",
        zipped({"a.zip": zipped({"good.csv": GOOD_CSV})}),
        ["0 tables or arrays"],
    ),
    "a zip of tables": (
        "a.zip",
        zipped({"a.csv": GOOD_CSV, "b.csv": GOOD_CSV}),
        ["2 tables or arrays"],
    ),
    "a zip of table and image": (
        "a.zip",
        zipped({"a.csv": GOOD_CSV, "b.png": png()}),
        ["1 tables or arrays and 1"],
    ),
    "a file where a folder is": (
        "a.zip",
        zipped({"a": b"", "a/b.csv": GOOD_CSV}),
        ["a.zip: can't be unpacked"],
    ),
    "a tar that climbs": (
        "a.tar",
        tarred((member("../evil.csv"), GOOD_CSV)),
        ["'../evil.csv' leads out"],
    ),
    "a tar with an absolute name": (
        "a.tar",
        tarred((member("/tmp/evil.csv"), GOOD_CSV)),
        ["leads out"],
    ),
    "a tar with a link out": (
        "a.tar",
        tarred((member("evil.csv", tarfile.SYMTYPE, "/etc/passwd"), b"")),
        ["a.tar: member 'evil.csv' is a link or a device"],
    ),
    "a tar with a link that climbs": (
        "a.tar",
        tarred((member("up", tarfile.SYMTYPE, "../.."), b""), (member("up/evil.csv"), GOOD_CSV)),
        ["a.tar: member 'up' is a link or a device"],
    ),
    "a tar with a hard link out": (
        "a.tar",
        tarred((member("evil.csv", tarfile.LNKTYPE, "/etc/passwd"), b"")),
        ["a.tar: member 'evil.csv' is a link or a device"],
    ),
    "a tar with a device": (
        "a.tar",
        tarred((member("0.csv", tarfile.CHRTYPE), b"")),
        ["'0.csv' is a link or a device"],
    ),
    "a tar with a pipe": (
        "a.tar",
        tarred((member("p.csv", tarfile.FIFOTYPE), b"")),
        ["'p.csv' is a link or a device"],
    ),
    "a tar cut short": (
        "a.tar",
        tarred((member("a.csv"), GOOD_CSV))[:2000],
        ["a.tar: can't be unpacked"],
    ),
    "a compressed tar cut short": (
        "a.tar.gz",
        tarred((member("a.csv"), GOOD_CSV), mode="w:gz")[:500],
        ["a.tar.gz: can't be unpacked"],
    ),
    "an LZMA tar that is damaged": (
        "a.tar.xz",
        tarred((member("a.csv"), GOOD_CSV * 9), mode="w:xz")[:800] + bytes(200),
        ["a.tar.xz: can't be unpacked"],
    ),
    "a bzip2 tar cut short": (
        "a.tar.bz2",
        tarred((member("a.csv"), GOOD_CSV), mode="w:bz2")[:500],
        ["a.tar.bz2: can't be unpacked"],
    ),
    "a gzip tar that is damaged": (
        "a.tgz",
        tarred((member("a.csv"), GOOD_CSV * 9), mode="w:gz")[:100] + b"\xff" * 200,
        ["a.tgz: can't be unpacked"],
    ),
    "no tar": ("a.tar", GOOD_CSV, ["a.tar: can't be unpacked"]),
    "an empty tar": ("a.tar", tarred(), []),
}


@pytest.mark.parametrize("case", ARCHIVES)
def test_an_archive_that_can_not_be_used_is_refused_and_nothing_is_written(
    intake: Intake, tabular: TrainedModel, case: str
):
    name, content, parts = ARCHIVES[case]
    path = intake.file(name, content)
    message = intake.refusal(path)
    assert all(part in message for part in parts), message
    assert not list(intake.folder.rglob("*evil*"))
    refused(intake, tabular, "score", path)
    assert not list(intake.folder.rglob("*evil*"))


BOMB = zipped({"a.csv": bytes(3_000_000)})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.zip", BOMB),
        ("a.npz", BOMB),
        ("a.tar.gz", tarred((member("a.csv"), bytes(3_000_000)), mode="w:gz")),
        (
            "a.tar.xz",
            tarred(*[(member(f"{i}.csv"), bytes(300_000)) for i in range(10)], mode="w:xz"),
        ),
        ("a.tar.bz2", tarred((member("a.csv"), bytes(3_000_000)), mode="w:bz2")),
    ],
)
def test_an_archive_that_unpacks_to_far_more_than_its_size_is_refused(
    intake: Intake, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes
):
    monkeypatch.setattr(archive, "ROOM", 1_000_000)
    assert len(content) * archive.LARGEST_RATIO < 3_000_000
    message = intake.refusal(intake.file(name, content))
    assert message.endswith(
        f"{name}: unpacks to far more than its size: a zip bomb? Nothing was unpacked"
    )


def test_a_zip_that_understates_its_size_is_refused(intake: Intake):
    content = bytearray(BOMB)
    for at in (content.find(b"PK\x03\x04") + 22, content.find(b"PK\x01\x02") + 24):
        content[at : at + 4] = struct.pack("<I", 1000)
    assert "a.zip: can't be unpacked" in intake.refusal(intake.file("a.zip", bytes(content)))


# --- sources and settings ---


@pytest.mark.parametrize("name", ["a.xlsx", "a.json", "a", "a.txt", "a.pkl", "a.gz", "a.7z"])
def test_an_unknown_kind_of_file_is_refused_with_the_kinds_that_are_known(
    intake: Intake, name: str
):
    path = intake.file(name, csv(GOOD))
    message = intake.refusal(path)
    assert message.startswith(
        f"{path}: unknown kind of file; expected CSV (.csv, .tsv, .csv.gz), Parquet, .npy"
    )


@pytest.mark.parametrize("name", ["none.csv", "none", "none/none.npz", "a\0b.csv", "none.zip"])
def test_a_missing_file_is_refused_with_its_key(intake: Intake, name: str):
    path = intake.source / name
    assert intake.refusal(path).startswith(f"data.path = {path}: no such file or folder")


def test_an_unknown_name_is_refused_with_the_known_ones(intake: Intake):
    assert intake.refusal(intake.params.data.path, name="cifar10").startswith(
        "data.name = cifar10: no such data set: digits, mnist, fashion_mnist"
    )


SETTINGS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a label that does not exist": (
        {"label": "class"},
        ["no column class", "length, width, colour, unit"],
    ),
    "an ignored column that does not exist": (
        {"ignore": ["colour", "color"]},
        ["data.ignore", "no column color;"],
    ),
    "a split column that does not exist": (
        {"split": "column:part"},
        ["data.split", "no column part"],
    ),
    "a time that does not exist": ({"split": "time:when"}, ["data.split", "no column when"]),
    "a split column of other values": (
        {"split": "column:colour"},
        ["data.split = column:colour: holds 'red', allowed: train, validation, test"],
    ),
    "a split column without test rows": ({"split": "column:part"}, ["rows leave 0 for test"]),
    "a split column with a gap": (
        {"split": "column:gap"},
        ["data.split = column:gap: row 5 has no value"],
    ),
    "a time with a gap": ({"split": "time:when"}, ["data.split = time:when", "row 5"]),
    "a label with a gap": ({"label": "class"}, ["label class: row 5 has no value"]),
    "a label of numbers with a gap": ({"label": "number"}, ["label number: row 5 has no value"]),
    "anomalies that are not 0 and 1": (
        {"label": "colour", "label_means": "anomaly"},
        ["data.label_means = anomaly: needs labels 0 and 1, found blue, green, red"],
    ),
    "anomalies without a label": ({"label_means": "anomaly"}, ["needs labels 0 and 1, found none"]),
    "one class of anomalies": (
        {"label": "zeros", "label_means": "anomaly"},
        ["needs labels 0 and 1, found 0"],
    ),
    "a label of a thousand values": ({"label": "id"}, ["label id: 1200 values"]),
    "pixels of a table": ({"scaling": "pixels"}, ["data.scaling = pixels: needs images"]),
    "every column ignored": ({"ignore": list(GOOD)}, ["no features"]),
    "hardly any test rows": (
        {"test_fraction": 0.001},
        ["240 rows leave 0 for test, which needs 2"],
    ),
    "hardly any validation rows": (
        {"validation_fraction": 0.001},
        ["240 rows leave 0 for validation"],
    ),
    "hardly any training rows": ({"validation_fraction": 0.9999}, ["240 rows leave 0 for train"]),
}
GAP = [None if i == 4 else "train" for i in range(N)]
MORE: dict[str, dict[str, list[Any]]] = {
    "a split column without test rows": {"part": ["train", "validation"] * (N // 2)},
    "a split column with a gap": {"gap": GAP},
    "a time with a gap": {
        "when": [None if i == 4 else f"2020-01-{i % 28 + 1:02}" for i in range(N)]
    },
    "a label with a gap": {"class": [None if i == 4 else "ab"[i % 2] for i in range(N)]},
    "a label of numbers with a gap": {"number": [None if i == 4 else i % 2 for i in range(N)]},
    "one class of anomalies": {"zeros": [0] * N},
    "a label of a thousand values": {"id": list(range(1200))},
}


@pytest.mark.parametrize("case", SETTINGS)
def test_a_setting_that_does_not_fit_the_table_is_refused_with_its_key_or_column(
    intake: Intake, case: str
):
    values, parts = SETTINGS[case]
    more = MORE.get(case, {})
    given = {**(columns(1200) if "id" in more else GOOD), **more}
    written = {name: ["" if v is None else v for v in column] for name, column in given.items()}
    message = intake.refusal(intake.file("a.csv", csv(written)), **values)
    assert all(part in message for part in parts), message


@pytest.mark.parametrize(
    "values", [{"label": "y"}, {"ignore": ["x0"]}, {"split": "column:x0"}, {"split": "time:x0"}]
)
def test_columns_of_what_has_no_names_can_not_be_named(intake: Intake, values: dict[str, Any]):
    assert "the source has none with names" in intake.refusal(intake.array("a.npy", ROWS), **values)


def test_pixels_of_an_array_of_columns_are_refused(intake: Intake):
    assert "data.scaling = pixels: needs images" in intake.refusal(
        intake.array("a.npy", ROWS), scaling="pixels"
    )


def test_anomalies_of_a_folder_of_images_are_refused_with_its_classes(intake: Intake):
    for i in range(20):
        intake.file(f"images/{('cat', 'dog')[i % 2]}/{i}.png", png(seed=i))
    message = intake.refusal(intake.source / "images", label_means="anomaly")
    assert "data.label_means = anomaly: needs labels 0 and 1, found cat, dog" in message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("missing", "drop"),
        ("scaling", "log"),
        ("split", "first"),
        ("sha256", "x"),
        ("image_side", 0),
        ("ignore", "a"),
    ],
)
def test_a_setting_out_of_bounds_is_refused_by_its_key(intake: Intake, key: str, value: Any):
    with pytest.raises(ParameterError, match=rf"^params.yaml: data\.{key} = "):
        intake.section("a.csv", **{key: value})


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between attempts to fetch a file."""
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder without a word."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        self.send_response(code, message)
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture
def site(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a server on this machine that gives what the user's folder holds."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=intake.source)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
    with warnings.catch_warnings(
        action="ignore"
    ):  # pooch leaves sockets of failed requests to the collector
        gc.collect()


def test_a_url_without_its_digest_is_refused_before_anything_is_fetched(intake: Intake):
    url = "http://127.0.0.1:9/a.csv"
    assert (
        intake.refusal(url)
        == f"data.path = {url}: a URL needs data.sha256, the digest of what it gives"
    )


def test_a_url_that_gives_something_else_is_refused_with_both_digests(intake: Intake, site: str):
    path = intake.file("a.csv", csv(GOOD))
    message = intake.refusal(f"{site}/a.csv", sha256="0" * 64)
    assert (
        message
        == f"{site}/a.csv: its SHA-256 is {source.sha256_of(path)}, but data.sha256 = {'0' * 64}"
    )


@pytest.mark.parametrize(
    "address", ["{site}/none.csv", "{site}/", "{site}/..", "{site}", "http://127.0.0.1:9/a.csv"]
)
def test_a_url_that_gives_nothing_is_refused_by_its_address(
    intake: Intake, site: str, address: str
):
    address = address.format(site=site)
    assert address.rstrip("/.") in intake.refusal(address, sha256="0" * 64)


@pytest.mark.parametrize(
    "address", ["ftp://127.0.0.1:9/a.csv", "file:///etc/hosts", "s3://bucket/a.csv", "://"]
)
def test_a_url_of_another_protocol_is_refused_by_its_address(intake: Intake, address: str):
    assert address in intake.refusal(address, sha256="0" * 64)


@pytest.mark.parametrize("query", ["", "?version=2", "?name=b.csv#part"])
def test_a_url_with_the_digest_of_its_content_is_taken(intake: Intake, site: str, query: str):
    path = intake.file("a.csv", csv(GOOD))
    found = intake.load(f"{site}/a.csv{query}", sha256=source.sha256_of(path))
    assert sum(found.description.rows.values()) == N
    assert found.description.source == "a"


def test_a_url_is_fetched_where_temporary_files_lie_on_another_file_system(
    intake: Intake, site: str, monkeypatch: pytest.MonkeyPatch
):
    other = Path("/dev/shm")
    if not other.exists() or other.stat().st_dev == intake.folder.stat().st_dev:
        pytest.skip("needs a second file system")
    path = intake.file("a.csv", csv(GOOD))
    monkeypatch.setattr(tempfile, "tempdir", str(other))
    found = intake.load(f"{site}/a.csv", sha256=source.sha256_of(path))
    assert sum(found.description.rows.values()) == N


def test_two_sources_are_refused(intake: Intake):
    path = intake.file("a.csv", csv(GOOD))
    told = intake.refusal(path, openml=61)
    assert told == f"data.openml = 61 and data.path = {path}: two sources; choose one of them"


@pytest.mark.parametrize("name", ["a.csv", "a.npy"])
def test_a_side_is_refused_where_nothing_is_resized(intake: Intake, name: str):
    path = (
        intake.file(name, csv(GOOD))
        if name == "a.csv"
        else intake.array(name, np.zeros((40, 6, 6)))
    )
    assert intake.refusal(path, image_side=8).startswith(
        "data.image_side = 8: image files alone are resized"
    )
    if name == "a.npy":
        assert intake.load(path, image_side=6).description.schema.shape == (6, 6)


# --- new data ---


def refused(
    intake: Intake, model: TrainedModel, op: str, source: Path, out: str = "out.csv"
) -> str:
    """The message with which new data is refused; an earlier answer stays, and nothing stands beside it."""
    answers, scratch = intake.folder / "answers", intake.folder / "scratch"
    answers.mkdir(exist_ok=True)
    (answers / out).write_text("of an earlier call")
    before = everything(answers)
    with pytest.raises(UserError) as caught:
        answer_file(model, op, source, answers / out, 0.05)
    assert everything(answers) == before
    assert everything(scratch) == {}
    return str(caught.value)


def lacking(column: str) -> dict[str, list[Any]]:
    """The good table without a column."""
    return {name: values for name, values in GOOD.items() if name != column}


NEW: dict[str, tuple[str, Content, list[str]]] = {
    "a missing column": (
        "a.csv",
        csv(lacking("width")),
        ["missing columns: width; expected length, width, colour"],
    ),
    "another spelling": (
        "a.csv",
        csv(GOOD).replace("length", "Length"),
        ["missing columns: length"],
    ),
    "no header": ("a.csv", csv(GOOD).split("\n", 1)[1], ["missing columns: length, width, colour"]),
    "text for a number": (
        "a.csv",
        csv(changed("length", 9, "tall")),
        ["column length", "tall", "row"],
    ),
    "a date for a number": (
        "a.csv",
        csv({**GOOD, "length": ["2020-01-01"] * N}),
        ["column length", "not numbers"],
    ),
    "a missing number": (
        "a.csv",
        csv(changed("length", 9, "")),
        ["missing values in columns length (1: row 9)"],
    ),
    "a missing category": (
        "a.csv",
        csv(changed("colour", 9, "")),
        ["missing values in columns colour (1: row 9)"],
    ),
    "an infinity": ("a.csv", csv(changed("width", 9, "-inf")), ["width", "row 9", "-inf"]),
    "a number beyond 32 bits": (
        "a.csv",
        csv(changed("width", 9, "1e39")),
        ["width", "row 9", "1e+39"],
    ),
    "an empty file": ("a.csv", "", ["a.csv", "Empty CSV"]),
    "a header alone": ("a.csv", "length,width,colour,unit\n", ["a.csv: no rows"]),
    "Parquet without rows": (
        "a.parquet",
        table({k: v[:0] for k, v in GOOD.items()}),
        ["a.parquet: no rows"],
    ),
    "ragged rows": ("a.csv", lines(40, "1,2"), ["a.csv", "Row #41"]),
    "Latin-1": (
        "a.csv",
        csv(changed("colour", 9, "grün")).encode("latin-1"),
        ["a.csv", "Row #10", "UTF8"],
    ),
    "UTF-16": ("a.csv", csv(GOOD).encode("utf-16"), ["a.csv"]),
    "a name that stands twice": (
        "a.csv",
        csv(GOOD).replace("unit", "width", 1),
        ["name stands twice: width"],
    ),
    "a PNG": ("a.csv", png(), ["a.csv"]),
    "an image": ("a.png", png(), ["rows of shape (8, 8), expected (4,)"]),
    "an array of another width": ("a.npy", npy(ROWS[:, :3]), ["rows of shape (3,), expected (4,)"]),
    "an array of images": ("a.npy", npy(IMAGES), ["rows of shape (8, 8), expected (4,)"]),
    "an array of text": ("a.npy", npy(["a"] * 9), ["a.npy", "expected numbers"]),
    "nested columns": (
        "a.parquet",
        table({**GOOD, "length": [[1.0]] * N}),
        ["nested columns: length"],
    ),
    "bytes": (
        "a.parquet",
        table({**GOOD, "colour": [b"\xff"] * N}),
        ["column colour is not UTF-8"],
    ),
    "an unknown kind of file": ("a.xlsx", b"", ["a.xlsx: unknown kind of file"]),
}


@pytest.mark.parametrize("op", ["score", "encode", "reconstruct"])
@pytest.mark.parametrize("case", NEW)
def test_new_rows_that_do_not_fit_the_model_are_refused_and_nothing_is_written(
    intake: Intake, tabular: TrainedModel, case: str, op: str
):
    name, content, parts = NEW[case]
    message = refused(intake, tabular, op, intake.file(name, content))
    assert all(part in message for part in parts), message


@pytest.mark.parametrize("name", ["none.csv", "none.zip", "none", "none.tar.gz"])
def test_new_data_that_is_not_there_is_refused_by_name(
    intake: Intake, tabular: TrainedModel, name: str
):
    assert (
        refused(intake, tabular, "score", intake.source / name)
        == f"{intake.source / name}: no such file or folder"
    )


def test_what_is_wrong_in_a_late_batch_of_new_data_leaves_no_half_an_answer(
    intake: Intake, tabular: TrainedModel, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(reader, "BATCH_BYTES", 2048)
    path = intake.file("a.csv", csv(changed("width", 230, "inf")))
    for out in ("out.csv", "out.parquet"):
        assert "row 230" in refused(intake, tabular, "score", path, out)


NEW_IMAGES: dict[str, tuple[str, Content, list[str]]] = {
    "images of another size": (
        "a.npy",
        npy(np.zeros((9, 5, 6, 3), np.uint8)),
        ["(5, 6, 3), expected (6, 5, 3)"],
    ),
    "images without channels": (
        "a.npy",
        npy(np.zeros((9, 6, 5), np.uint8)),
        ["(6, 5), expected (6, 5, 3)"],
    ),
    "flat images of another size": (
        "a.npy",
        npy(np.zeros((9, 30), np.uint8)),
        ["(30,), expected (6, 5, 3)"],
    ),
    "images with a NaN": (
        "a.npy",
        npy(np.full((9, 6, 5, 3), np.nan)),
        ["pixel 0,0,0", "row 1", "nan"],
    ),
    "images of text": ("a.npy", npy(np.full((9, 6, 5, 3), "a")), ["a.npy", "expected numbers"]),
    "no image": ("a.png", b"no image", ["a.png", "not an image"]),
    "an image cut short": ("a.png", png(64, 64)[:-200], ["a.png", "not an image"]),
    "an unknown kind": ("a.xyz", b"no image", ["a.xyz", "not an image"]),
    "a table of text": ("a.csv", csv(GOOD), ["rows of shape (4,), expected (6, 5, 3)"]),
}


@pytest.mark.parametrize("case", NEW_IMAGES)
def test_new_images_that_do_not_fit_the_model_are_refused(
    intake: Intake, pictorial: TrainedModel, case: str
):
    name, content, parts = NEW_IMAGES[case]
    message = refused(intake, pictorial, "score", intake.file(name, content))
    assert all(part in message for part in parts), message


@pytest.mark.parametrize("name", ["out.txt", "out", "out.CSV", "out.png", "out.npz"])
def test_answers_of_an_unknown_kind_are_refused_with_the_known_ones(
    intake: Intake, tabular: TrainedModel, name: str
):
    told = refused(intake, tabular, "score", intake.file("a.csv", csv(GOOD)), name)
    assert told.endswith("answers are written as .csv, .parquet, .npy")


@pytest.mark.parametrize("op", ["score", "reconstruct"])
def test_answers_with_text_are_no_array(intake: Intake, tabular: TrainedModel, op: str):
    told = refused(intake, tabular, op, intake.file("a.csv", csv(GOOD)), "out.npy")
    assert told == "out.npy: the answers hold text; choose .csv or .parquet"


def test_codes_are_no_picture(intake: Intake, pictorial: TrainedModel):
    images = intake.array("a.npy", np.zeros((4, 6, 5, 3), np.uint8))
    assert "a picture needs images of 90 values" in refused(
        intake, pictorial, "encode", images, "out.png"
    )


def refusal(model: TrainedModel, op: str, rows: Any, **settings: int) -> str:
    """The message with which `answer` refuses rows."""
    with pytest.raises(DataError) as caught:
        answer(model, op, rows, **settings)
    return str(caught.value)


@pytest.mark.parametrize("op", ["", "Score", "scores", "delete", "__init__"])
def test_an_unknown_operation_is_refused_with_the_known_ones(tabular: TrainedModel, op: str):
    assert refusal(tabular, op, GOOD).startswith(
        f"op = {op!r}: must be one of reconstruct, encode, decode, denoise"
    )


@pytest.mark.parametrize(
    "shape",
    [(0,), (5,), (2, 1), (2, 99), (2, 2, 2), ()],
    ids=lambda shape: "x".join(map(str, shape)) or "one",
)
def test_codes_of_another_width_are_refused_with_the_models(
    tabular: TrainedModel, shape: tuple[int, ...]
):
    width = tabular.description.architecture.code_size
    assert (2, width) != shape
    assert f"shape {shape}, expected finite codes of shape (-1, {width})" in refusal(
        tabular, "decode", np.zeros(shape)
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300, 1e39])
def test_codes_that_are_not_finite_are_refused(tabular: TrainedModel, value: float):
    codes = np.full((2, tabular.description.architecture.code_size), value)
    assert "op = decode" in refusal(tabular, "decode", codes)


@pytest.mark.parametrize(
    "codes", [[["a", "b"]], [[1], [2, 3]], None, {"a": 1}, [[None, 1]], [[1j, 2]]]
)
def test_codes_that_are_no_numbers_are_refused(tabular: TrainedModel, codes: Any):
    assert refusal(tabular, "decode", codes).startswith("op = decode: ")


@pytest.mark.parametrize("n", [0, -1, 1_000_001])
def test_a_number_of_samples_out_of_bounds_is_refused(tabular: TrainedModel, n: int):
    assert (
        refusal(tabular, "sample", None, n=n) == f"op = sample: n = {n}: must lie in 1 to 1,000,000"
    )


def test_only_a_variational_model_gives_samples(untrained: dict[str, TrainedModel]):
    for kind, model in untrained.items():
        if kind != "variational":
            assert (
                refusal(model, "sample", None)
                == f"op = sample: needs the variational type, but this model is {kind}"
            )


@pytest.mark.parametrize(("rows", "steps"), [(1, 9), (3, 9), (0, 9), (2, 1), (2, 0), (2, -5)])
def test_a_line_needs_two_ends_and_two_steps(tabular: TrainedModel, rows: int, steps: int):
    given = {name: values[:rows] for name, values in GOOD.items()}
    told = refusal(tabular, "interpolate", pd.DataFrame(given), steps=steps)
    assert (
        "op = interpolate: no rows"
        if not rows
        else f"op = interpolate: {rows} rows, steps = {steps}"
    ) in told


@pytest.mark.parametrize(
    ("rows", "part"),
    [
        (None, "rows of shape"),
        (3, "rows of shape"),
        ("text", "rows of shape"),
        ([], "no rows"),
        ([[1, 2], [3]], "rows: "),
        ([["a", "b", "c", "d"]], "expected numbers"),
        ([[1, 2, 3, None]], "expected numbers"),
        ({}, "no rows"),
        ({**GOOD, "length": [1, 2]}, "rows: "),
        ({**GOOD, "length": [[1, 2]] * N}, "rows: "),
        ({**GOOD, "length": [1, "a"] * (N // 2)}, "column length"),
        ({**GOOD, "length": [None] * N}, "length"),
        ({**GOOD, "length": [1j] * N}, "rows: "),
        (pd.DataFrame({**GOOD, "length": [1, "a"] * (N // 2)}), "length"),
        (pd.DataFrame({**GOOD, "colour": [["red"]] * N}), "column colour"),
        (pd.DataFrame({**GOOD, "colour": [{"red": 1}] * N}), "column colour"),
        (pd.DataFrame({**GOOD, "colour": [b"\xff"] * N}), "column colour"),
        (pd.DataFrame([[1, 2, 3, 4]], columns=["length", "length", "colour", "unit"]), "rows: "),
    ],
)
def test_rows_that_are_no_rows_are_refused(tabular: TrainedModel, rows: Any, part: str):
    assert part in refusal(tabular, "score", rows)


# --- what only looks malformed ---


def scores(model: TrainedModel, values: Any) -> pd.DataFrame:
    return answer(model, "score", values)


def test_columns_in_another_order_give_the_same_answers(intake: Intake, tabular: TrainedModel):
    for i, names in enumerate([list(GOOD), list(reversed(GOOD))]):
        path = intake.file("a.csv", csv({name: GOOD[name] for name in names}))
        answer_file(tabular, "score", path, intake.folder / f"{i}.csv", 0.05)
    assert (intake.folder / "0.csv").read_bytes() == (intake.folder / "1.csv").read_bytes()


def test_columns_that_the_model_does_not_know_are_left_out_and_told(
    intake: Intake, tabular: TrainedModel, capsys: pytest.CaptureFixture[str]
):
    more = {"id": list(range(N)), **GOOD, "remark": ["tall, as said"[:4]] * N}
    for i, values in enumerate([GOOD, more]):
        answer_file(
            tabular, "score", intake.file("a.csv", csv(values)), intake.folder / f"{i}.csv", 0.05
        )
        assert (
            "left out, as the model does not know them: id, remark" in capsys.readouterr().out
        ) == (i == 1)
    assert (intake.folder / "0.csv").read_bytes() == (intake.folder / "1.csv").read_bytes()


@pytest.mark.parametrize(
    "file",
    [
        ("a.csv", csv(GOOD).encode("utf-8-sig")),
        ("a.csv", csv(GOOD).replace("\n", "\r\n").encode()),
        ("a.csv", csv(GOOD, ";").encode()),
        ("a.tsv", csv(GOOD, "\t").encode()),
        ("A.CSV", csv(GOOD).encode()),
        ("a.csv.gz", gzip.compress(GOOD_CSV)),
        ("a.csv", csv(GOOD).rstrip("\n").encode()),
        ("a.csv", csv({**GOOD, "colour": [f'"{c}"' for c in GOOD["colour"]]}).encode()),
        ("a.parquet", table(GOOD)),
        (
            "a.parquet",
            table(
                pa.table(GOOD).set_column(2, "colour", pa.array(GOOD["colour"]).dictionary_encode())
            ),
        ),
        (
            "a.parquet",
            table(
                pa.table(GOOD).set_column(2, "colour", pa.array(GOOD["colour"], pa.large_string()))
            ),
        ),
        (
            "a.parquet",
            table(pa.table(GOOD).set_column(1, "width", pa.array(GOOD["width"], pa.uint16()))),
        ),
        (
            "a.zip",
            zipped(
                {
                    "deep/a.csv": GOOD_CSV,
                    "__MACOSX/._a.csv": b"",
                    "deep/.DS_Store": b"",
                    "README": b"",
                }
            ),
        ),
        ("A.ZIP", zipped({"a.csv": GOOD_CSV})),
        ("a.tar", tarred((member("a.csv"), GOOD_CSV))),
        ("A.TAR.GZ", tarred((member("a.csv"), GOOD_CSV), mode="w:gz")),
        ("a.tar.xz", tarred((member("a.csv"), GOOD_CSV), mode="w:xz")),
        ("folder/a.csv", GOOD_CSV),
    ],
    ids=lambda file: file[0],
)
def test_a_good_table_gives_the_same_however_it_is_written(
    intake: Intake, tabular: TrainedModel, file: tuple[str, bytes]
):
    path = intake.file(*file)
    path = path.parent if "/" in file[0] else path
    found = intake.load(path)
    assert found.description.schema == tabular.description.schema
    assert found.description.split_sha256 == tabular.description.split_sha256
    np.testing.assert_array_equal(found.shift, tabular.shift)
    answer_file(tabular, "score", path, intake.folder / "out.csv", 0.05)
    expected = scores(tabular, GOOD)
    np.testing.assert_allclose(
        pd.read_csv(intake.folder / "out.csv")["score"], expected["score"], rtol=1e-6
    )


def test_categories_that_look_like_numbers_stay_what_they_were_in_the_training(
    intake: Intake, untrained_on: Callable[..., TrainedModel]
):
    codes = ["007", "1.0", "2024-01-01", "true", "x"]
    values = {"a": columns()["length"], "code": [codes[i % 5] for i in range(N)]}
    model = untrained_on("variational", intake.load(intake.file("a.csv", csv(values))))
    together = answer(model, "encode", values)
    for i, code in enumerate(codes):
        rows = {name: column[i : i + 1] for name, column in values.items()}
        assert rows["code"] == [code]
        answer_file(
            model, "encode", intake.file("one.csv", csv(rows)), intake.folder / "out.npy", 0.05
        )
        np.testing.assert_allclose(
            np.load(intake.folder / "out.npy"), together[i : i + 1], rtol=1e-5, atol=1e-6
        )


# --- whatever happens to a file ---

FORMATS: dict[str, bytes] = {
    "a.csv": csv({name: values[:60] for name, values in GOOD.items()}).encode(),
    "a.csv.gz": gzip.compress(
        csv({name: values[:60] for name, values in GOOD.items()}).encode(), mtime=0
    ),
    "a.npy": npy(ROWS),
    "a.npz": npz(X=IMAGES[:30], y=np.arange(30) % 2),
    "a.zip": zipped({f"{i % 2}/{i}.png": png(seed=i) for i in range(12)}),
    "a.tar": tarred(
        (member("a.csv"), csv({name: values[:30] for name, values in GOOD.items()}).encode())
    ),
    "a.tar.gz": tarred((member("a.csv"), GOOD_CSV), mode="w:gz"),
    "a.tar.xz": tarred((member("a.csv"), GOOD_CSV), mode="w:xz"),
    "a.tar.bz2": tarred((member("a.csv"), GOOD_CSV), mode="w:bz2"),
    "a.png": png(),
    "a.parquet": table({name: values[:60] for name, values in GOOD.items()}),
}
edits = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=8)), max_size=6
)
whatever = settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.mark.parametrize("name", FORMATS)
@whatever
@given(edits=edits, length=st.floats(0, 1), start=st.integers(0, 1))
def test_whatever_happens_to_a_file_it_is_taken_or_refused_by_one_kind_of_error(
    intake: Intake, name: str, edits: list[tuple[float, bytes]], length: float, start: int
):
    content = bytearray(FORMATS[name])
    reach = min(200, len(content)) if start else len(content)
    for place, value in edits:
        at = int(place * reach)
        content[at : at + len(value)] = value
    path = intake.file(
        name, bytes(content[: max(1, int(len(content) * length))] if not edits else content)
    )
    before = everything(intake.source)
    with (
        warnings.catch_warnings(action="ignore"),
        suppress(UserError),
    ):  # Pillow's and numpy's, of odd headers
        intake.stages(intake.section(path))
    assert everything(intake.source) == before
    assert {path.name for path in intake.data.iterdir()} <= {"raw", "prepared"}
    assert everything(intake.folder / "scratch") == {}


def test_every_file_is_taken_as_long_as_nothing_happens_to_it(intake: Intake):
    for name, content in FORMATS.items():
        if name != "a.png":
            intake.stages(intake.section(intake.file(name, content)))


def test_a_column_that_was_constant_may_be_missing(tabular: TrainedModel):
    with_it, without = (
        answer(tabular, "score", pd.DataFrame(table)) for table in (GOOD, lacking("unit"))
    )
    pd.testing.assert_frame_equal(with_it, without)
