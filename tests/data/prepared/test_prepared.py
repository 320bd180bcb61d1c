"""data/prepared as later stages read it: the same sample each time, damaged files refused."""

import io
import json
import pickle
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoencoders.core.errors import DataError
from autoencoders.data.prepared import prepared
from autoencoders.data.prepared.blocks import Blocks
from autoencoders.data.prepared.prepared import (
    MOST_NOTES,
    SPLITS,
    load_description,
    load_prepared,
    shown_notes,
)

ARRAYS = sorted(
    [
        *(f"{s}{part}.npy" for s in SPLITS for part in ("", "_labels")),
        "shift.npy",
        "scale.npy",
        "mean.npy",
    ]
)


@pytest.fixture
def folder(digits: Path, tmp_path: Path) -> Path:
    """A copy of the prepared digits, to be damaged."""
    return shutil.copytree(digits, tmp_path / "prepared")


# --- what is read ---


def test_pixels_stay_uint8_and_are_read_from_disk_as_they_are_needed(digits: Path):
    data = load_prepared(digits)
    assert {array.dtype for array in data.rows.values()} == {np.dtype(np.uint8)}
    for split in SPLITS:
        assert isinstance(data.rows[split], Blocks)
        np.testing.assert_array_equal(data.sample(split), np.load(digits / f"{split}.npy"))
        assert data.sample(split).dtype == np.float32
    assert load_description(digits) == data.description


@pytest.mark.parametrize("most", [1, 100, 10**9, None])
def test_a_sample_is_the_same_each_time_in_order_without_repetition_and_fits(
    digits: Path, monkeypatch: pytest.MonkeyPatch, most: int | None
):
    monkeypatch.setattr(prepared, "SAMPLE_VALUES", 64 * 300)
    data = load_prepared(digits)
    chosen = data.chosen("train", most)
    assert len(chosen) == min(300, most or 300)
    assert (np.diff(chosen) > 0).all()
    np.testing.assert_array_equal(chosen, data.chosen("train", most))
    np.testing.assert_array_equal(data.sample("train", most), np.load(digits / "train.npy")[chosen])


@pytest.mark.parametrize("n", [0, 1, MOST_NOTES, MOST_NOTES + 1, 20_000])
def test_of_many_notes_the_first_are_shown_and_the_others_counted(n: int):
    notes = [f"note {i}" for i in range(n)]
    shown = shown_notes(notes)
    assert shown[:MOST_NOTES] == notes[:MOST_NOTES]
    counted = [f"and {n - MOST_NOTES} more notes, which report.json holds"]
    assert shown[MOST_NOTES:] == (counted if n > MOST_NOTES else [])


def test_scaled_rows_are_shifted_and_divided(digits: Path):
    data = load_prepared(digits)
    np.testing.assert_array_equal(data.scaled(data.sample("test")), data.sample("test") / 16)


def test_where_labels_mean_classes_all_rows_are_clean(digits: Path):
    data = load_prepared(digits)
    np.testing.assert_array_equal(data.clean("validation", 50), data.sample("validation", 50))


@pytest.mark.parametrize("most", [None, 50])
def test_where_labels_mean_anomalies_clean_rows_are_the_samples_normal_ones(
    folder: Path, most: int | None
):
    rewrite(folder, lambda values: {**values, "anomaly_labels": True})
    data = load_prepared(folder)
    normal = data.labels["validation"][data.chosen("validation", most)] == 0
    assert 0 < normal.sum() < len(normal)
    np.testing.assert_array_equal(
        data.clean("validation", most), data.sample("validation", most)[normal]
    )


# --- damaged files ---


def npy(array: np.ndarray) -> bytes:
    """The content of a .npy file."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def npz(array: np.ndarray) -> bytes:
    """The content of a .npz file."""
    file = io.BytesIO()
    np.savez(file, array)
    return file.getvalue()


def go_off() -> None:
    """The effect of a pickle of `Payload` when it is opened."""
    raise AssertionError("a pickle was opened")


class Payload:
    """An object whose pickle runs code."""

    def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
        return go_off, ()


def shape_of(shape: str) -> bytes:
    """A .npy file whose header gives that shape, with 640 bytes after it."""
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + bytes(640)


ROWS = np.random.default_rng(0).integers(0, 17, (30, 64), np.uint8)
NOT_READABLE = "not a readable .npy array"
DAMAGED: dict[str, tuple[bytes, str]] = {
    "cut short": (npy(ROWS)[:-1], NOT_READABLE),
    "cut in the header": (npy(ROWS)[:50], NOT_READABLE),
    "empty": (b"", NOT_READABLE),
    "a web page": (b"<html></html>", NOT_READABLE),
    "an archive": (npz(ROWS), NOT_READABLE),
    "an archive cut short": (npz(ROWS)[:100], NOT_READABLE),
    "Python objects": (npy(np.array([Payload()] * 3)), f"{NOT_READABLE}.*Python objects"),
    "a pickle": (pickle.dumps(ROWS), NOT_READABLE),
    "a pickle with a payload": (pickle.dumps(Payload()), NOT_READABLE),
    "an unclosed header": (npy(ROWS).replace(b"}", b" "), NOT_READABLE),
    "a header of another type": (shape_of("'ten'"), NOT_READABLE),
    "a shape of a logical value": (shape_of("(True, 64)"), NOT_READABLE),
    "a negative shape": (shape_of("(10, -64)"), NOT_READABLE),
    "an endless shape": (shape_of("(10000000000000000000000, 64)"), NOT_READABLE),
    "no rows": (npy(ROWS[:0]), "zero rows"),
    "a single number": (npy(np.array(3.0)), "not an array of rows"),
    "text": (npy(ROWS.astype(str)), "<U.* of shape"),
    "another shape": (npy(ROWS[:, :63]), r"uint8 of shape \(30, 63\), expected"),
    "three axes": (npy(ROWS.reshape(-1, 8, 8)), r"uint8 of shape \(30, 8, 8\), expected"),
}


def refused(action: Callable[[], object], path: Path, reason: str) -> None:
    """The action ends in one error that names path and reason; an opened pickle raises another."""
    with pytest.raises(DataError, match=reason) as caught:
        action()
    assert str(caught.value).startswith(f"{path}: ")


def test_the_payload_goes_off_where_a_pickle_is_opened():
    with pytest.raises(AssertionError, match="a pickle was opened"):
        np.load(io.BytesIO(npy(np.array([Payload()]))), allow_pickle=True)


@pytest.mark.parametrize("name", ["validation.npy", "test_labels.npy", "scale.npy"])
@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_array_is_refused_by_name(folder: Path, damage: str, name: str):
    content, reason = DAMAGED[damage]
    (folder / name).write_bytes(content)
    refused(lambda: load_prepared(folder), folder / name, reason)


@pytest.mark.parametrize("name", ["prepared.json", *ARRAYS])
def test_a_missing_file_is_named(folder: Path, name: str):
    (folder / name).unlink()
    refused(lambda: load_prepared(folder), folder / name, "no such file; `dvc repro")


@pytest.mark.parametrize(
    "name", [name for name in ARRAYS if name not in ("shift.npy", "scale.npy", "mean.npy")]
)
def test_a_row_less_than_the_description_says_is_refused(folder: Path, name: str):
    array = np.load(folder / name)
    np.save(folder / name, array[1:])
    refused(
        lambda: load_prepared(folder),
        folder / name,
        rf"\({len(array) - 1},.*expected numbers of .*\({len(array)},",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[(name, value) for name in ("shift", "scale", "mean") for value in (np.nan, np.inf)],
        ("scale", 0),
        ("scale", -1),
    ],
)
def test_a_scaling_that_fits_no_row_is_refused(folder: Path, name: str, value: float):
    values = np.load(folder / f"{name}.npy")
    values[5] = value
    np.save(folder / f"{name}.npy", values)
    refused(lambda: load_prepared(folder), folder, "shift or scale can't be used")


def without(key: str) -> Callable[[dict[str, Any]], object]:
    return lambda values: {name: value for name, value in values.items() if name != key}


DESCRIPTIONS: dict[str, Callable[[dict[str, Any]], object]] = {
    "a missing key": without("split_sha256"),
    "a missing name": without("name"),
    "a missing schema": without("schema"),
    "an unknown key": lambda values: {**values, "colour": "blue"},
    "a list": lambda values: [values],
    "nothing": lambda values: None,
    "a schema of text": lambda values: {**values, "schema": "8 x 8"},
    "a shape of a number": lambda values: {**values, "schema": {"shape": 8, "columns": []}},
    "a column of nothing": lambda values: {**values, "schema": {"shape": [], "columns": [None]}},
    "an unknown key of a column": lambda values: {
        **values,
        "schema": {"shape": [], "columns": [{"name": "a", "categories": None, "kind": "number"}]},
    },
    "rows that are a number": lambda values: {**values, "rows": 3},
    "rows that are text": lambda values: {**values, "rows": "many"},
    "no labels": lambda values: {**values, "labels": None},
}


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """Changes prepared.json."""
    path = folder / "prepared.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    return path


@pytest.mark.parametrize("damage", DESCRIPTIONS)
def test_a_damaged_description_is_refused(folder: Path, damage: str):
    path = rewrite(folder, DESCRIPTIONS[damage])
    refused(
        lambda: load_prepared(folder),
        path,
        "not what preprocess wrote.*`dvc repro` makes the file again",
    )


@pytest.mark.parametrize("rows", [{"train": 1, "validation": 2, "test": 3}, {"train": 1}, {}])
def test_a_description_of_other_rows_is_refused_with_the_array_that_differs(
    folder: Path, rows: dict[str, int]
):
    rewrite(folder, lambda values: {**values, "rows": rows})
    refused(lambda: load_prepared(folder), folder / "train.npy", "`dvc repro` makes the file again")


@pytest.mark.parametrize(
    "content",
    [b"", b'{"name": "digits",', b"\xff\xfe", b"1" * 5000, b"<html></html>"],
    ids=["empty", "cut short", "no text", "a number too long", "a web page"],
)
def test_a_description_that_is_no_json_is_refused(folder: Path, content: bytes):
    (folder / "prepared.json").write_bytes(content)
    refused(lambda: load_prepared(folder), folder / "prepared.json", "not what preprocess wrote")


def problem(path: Path) -> str | None:
    """The message against a file of rows."""
    try:
        Blocks(path)
    except DataError as error:
        return str(error)
    return None


def test_whatever_happens_to_a_header_the_error_is_one_that_names_the_file(tmp_path: Path):
    rng, path, good = np.random.default_rng(0), tmp_path / "a.npy", npy(ROWS)
    problems = []
    for _ in range(1000):
        content = bytearray(good)
        for at in rng.integers(0, 128, size=rng.integers(1, 4)):
            content[at] = rng.integers(32, 127)
        path.write_bytes(content)
        with warnings.catch_warnings(
            action="ignore"
        ):  # numpy's, of sizes and types that no array has
            problems.append(problem(path))
    messages = [text for text in problems if text]
    assert len(messages) > 500
    assert all(text.startswith(f"{path}: ") for text in messages)
