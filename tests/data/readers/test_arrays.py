"""Arrays: rows with their labels, images of their own shape; files that can't be used."""

import pickle
from typing import Literal

import numpy as np
import pytest

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.features import encode
from autoencoders.data.prepared.schema import Column, Schema
from autoencoders.data.readers import reader
from autoencoders.data.readers.opening import open_reader
from contents import IMAGES, ROWS, Content, npy, npz
from intake import Intake


@pytest.mark.parametrize("shape", [(60,), (60, 3), (60, 4, 5), (60, 4, 5, 3)])
def test_an_array_is_its_rows_and_images_keep_their_shape(
    intake: Intake, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...]
):
    monkeypatch.setattr(reader, "BATCH_BYTES", 500)
    array = np.random.default_rng(0).normal(size=shape)
    opened = open_reader(intake.array("a.npy", array))
    assert not opened.is_table
    assert opened.shape == (shape[1:] if len(shape) > 2 else ())
    assert opened.names == ([] if len(shape) > 2 else [f"x{i}" for i in range(array[0].size)])
    rows = np.concatenate([rows for rows, _ in opened.batches()])
    np.testing.assert_array_equal(rows, array.reshape(60, -1) if len(shape) < 3 else array)


def test_labels_come_with_their_rows(intake: Intake, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reader, "BATCH_BYTES", 100)
    intake.array("X.npy", np.arange(60)[:, None])
    intake.array("y.npy", np.arange(60) % 7)
    for rows, labels in open_reader(intake.source).batches():
        assert isinstance(rows, np.ndarray)
        np.testing.assert_array_equal(rows[:, 0] % 7, labels)


def test_an_array_with_one_channel_is_grey(intake: Intake):
    images = np.random.default_rng(0).integers(0, 256, (9, 8, 7, 1), np.uint8)
    reader = open_reader(intake.array("a.npy", images))
    ((rows, _),) = reader.batches()
    assert reader.shape == (8, 7)
    np.testing.assert_array_equal(rows, images[..., 0])
    np.testing.assert_array_equal(encode(Schema((8, 7)), images), images.reshape(9, -1))


@pytest.mark.parametrize(
    ("shape", "advice"), [((9, 3, 8, 8), "move the channels to the end"), ((9, 8, 8, 5), "flat")]
)
def test_an_array_whose_channels_no_picture_shows_is_refused(
    intake: Intake, shape: tuple[int, ...], advice: str
):
    with pytest.raises(
        DataError, match=f"expected .height, width, channels. with 1, 3 or 4 channels; .*{advice}"
    ):
        open_reader(intake.array("a.npy", np.zeros(shape, np.uint8)))


def test_one_picture_in_colour_is_no_array_of_rows(intake: Intake):
    path = intake.array("a.npy", np.zeros((60, 50, 3), np.uint8))
    with pytest.raises(DataError, match=r"\(60, 50, 3\) may be one picture in colour.*flat"):
        open_reader(path)
    assert open_reader(path, like=Schema((50, 3))).shape == (50, 3)  # of a model of such rows


@pytest.mark.parametrize(
    ("shape", "dtype", "note"),
    [
        ((60,), float, "60 rows of one value; where they are a series"),
        ((60, 1), float, ""),
        ((60, 8, 8, 4), np.uint8, "four channels, of which the fourth is read as the others"),
        ((60, 8, 8, 3), np.uint8, ""),
        ((60, 784), np.uint8, "where they are pictures, give rows.reshape(-1, 28, 28)"),
        ((60, 784), float, ""),
        ((60, 783), np.uint8, ""),
    ],
)
def test_rows_that_may_be_meant_otherwise_are_noted(
    intake: Intake, shape: tuple[int, ...], dtype: type, note: str
):
    notes = open_reader(intake.array("a.npy", np.zeros(shape, dtype))).notes
    assert len(notes) == bool(note)
    assert all(note in shown for shown in notes)


def test_labels_of_bytes_are_text(intake: Intake):
    intake.array("X.npy", ROWS)
    intake.array("y.npy", np.where(np.arange(60) % 3, b"caf\xc3\xa9", b"bar"))
    assert intake.load(intake.source).description.labels == ("bar", "caf\u00e9")


def test_labels_of_whole_numbers_that_are_stored_as_fractions_are_classes(intake: Intake):
    intake.array("X.npy", ROWS)
    intake.array("y.npy", (np.arange(60) % 3).astype(np.float16))
    assert intake.load(intake.source).description.labels == ("0", "1", "2")


def test_quantities_beside_the_rows_of_a_model_are_not_looked_at(intake: Intake):
    intake.array("X.npy", ROWS)
    intake.array("y.npy", np.linspace(0, 1, 60))
    model_schema = Schema(columns=tuple(Column(f"x{i}") for i in range(4)))
    ((rows, labels),) = open_reader(intake.source, like=model_schema).batches()
    assert (len(rows), labels) == (60, None)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2", ">i4", "<f2", ">f4", ">f8", "longdouble"])
def test_the_same_numbers_are_the_same_images_in_every_type(
    intake: Intake, dtype: str, order: Literal["C", "F"]
):
    images = np.random.default_rng(0).integers(0, 255, (60, 8, 8))
    scaled = []
    for values in (images.astype(np.uint8), images.astype(dtype, order=order)):
        prepared = intake.load(intake.array("a.npy", values))
        scaled.append(prepared.scaled(prepared.sample("test")))
    np.testing.assert_array_equal(scaled[0], scaled[1])


# --- arrays that can't be used: (file, content, parts of the message) ---


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
    "an .npz without X": ("a.npz", npz(images=ROWS, labels=np.zeros(60)), ["no parts"]),
    "an .npz of nothing": ("a.npz", npz(), []),
    "labels of another length": (
        "a.npz",
        npz(X=ROWS, y=np.zeros(59)),
        ["y.npy are float64 of shape (59,)"],
    ),
    "labels with two axes": (
        "a.npz",
        npz(X=ROWS, y=np.zeros((60, 1))),
        ["y.npy are float64 of shape (60, 1); give one value a row: y.ravel()"],
    ),
    "labels with a column for each class": (
        "a.npz",
        npz(X=ROWS, y=np.eye(3)[np.arange(60) % 3]),
        ["y.npy are float64 of shape (60, 3)", "y.argmax(axis=1)"],
    ),
    "labels that are quantities": (
        "a.npz",
        npz(X=ROWS, y=np.where(np.arange(60) == 7, 0.5, 0)),
        ["y.npy: row 8 is 0.5, but a label is a class"],
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
