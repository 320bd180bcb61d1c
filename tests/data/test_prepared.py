"""data/prepared: a fair and repeatable split, scaling fitted on training rows alone, damaged arrays refused."""

import io
import json
import pickle
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from autoencoders.data.prepared import SPLITS, Prepared, load_array, load_description, load_prepared, prepare
from autoencoders.data.sources import SOURCES, download
from autoencoders.errors import DataError
from autoencoders.params import Data, Params

FILES = {"prepared.json", "shift.npy", "scale.npy"} | {f"{s}{part}.npy" for s in SPLITS for part in ("", "_labels")}


@pytest.fixture
def data(params: Params) -> Data:
    """params.yaml's data section, for digits."""
    return params.override({"data.name": "digits"}).data


@pytest.fixture
def mnist(params: Params) -> Data:
    """params.yaml's data section, for MNIST."""
    return params.override({"data.name": "mnist"}).data


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """data/raw with the digits."""
    download("digits", tmp_path / "raw")
    return tmp_path / "raw"


def numbered(rows: int, features: int, start: int = 0) -> np.ndarray:
    """Images that carry their number, base 16, in their first four pixels; the other pixels are random."""
    images = np.random.default_rng(start).integers(0, 16, (rows, features), np.uint8)
    for place in range(4):
        images[:, place] = (np.arange(start, start + rows) >> 4 * place) % 16
    return images


def numbers(images: np.ndarray) -> np.ndarray:
    """The numbers of `numbered` images."""
    return sum(images[:, place].astype(int) << 4 * place for place in range(4))


def write_raw(folder: Path, source: str, rows: int, test_rows: int = 0) -> Path:
    """data/raw with numbered images, each labelled with its number's last digit."""
    folder.mkdir()
    parts = {"": (rows, 0)} | ({"test_": (test_rows, rows)} if test_rows else {})
    for prefix, (n, start) in parts.items():
        np.save(folder / f"{prefix}images.npy", numbered(n, SOURCES[source].n_features, start))
        np.save(folder / f"{prefix}labels.npy", (np.arange(start, start + n) % 10).astype(np.uint8))
    return folder


def prepared(raw: Path, folder: Path, data: Data) -> Prepared:
    """What a stage reads after preprocess."""
    prepare(raw, folder, data)
    return load_prepared(folder)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# --- the split ---


def test_the_splits_are_disjoint_and_together_all_rows_with_their_own_labels(tmp_path: Path, data: Data):
    found = prepared(write_raw(tmp_path / "raw", "digits", 500), tmp_path / "prepared", data)
    split = {name: numbers(found.rows[name]) for name in SPLITS}
    np.testing.assert_array_equal(np.sort(np.concatenate(list(split.values()))), np.arange(500))
    for name in SPLITS:
        np.testing.assert_array_equal(found.labels[name], split[name] % 10)


@pytest.mark.parametrize(("test", "validation"), [(0.2, 0.15), (0.5, 0.5), (0.01, 0.9)])
def test_the_fractions_are_of_all_rows_for_test_and_of_the_others_for_validation(
    tmp_path: Path, data: Data, test: float, validation: float
):
    raw = write_raw(tmp_path / "raw", "digits", 1000)
    data = data.model_copy(update={"test_fraction": test, "validation_fraction": validation})
    description = prepare(raw, tmp_path / "prepared", data)
    n_test = 1000 * test
    n_validation = (1000 - n_test) * validation
    expected = {"train": 1000 - n_test - n_validation, "validation": n_validation, "test": n_test}
    assert description.rows == {name: pytest.approx(n) for name, n in expected.items()}


def test_the_split_is_random_and_the_rows_of_each_split_stay_in_order(tmp_path: Path, data: Data):
    found = prepared(write_raw(tmp_path / "raw", "digits", 500), tmp_path / "prepared", data)
    for name in SPLITS:
        steps = np.diff(numbers(found.rows[name]))
        assert steps.min() >= 1
        assert steps.max() > 1  # not a block of neighbours


def test_two_prepares_write_the_same_bytes(raw: Path, tmp_path: Path, data: Data):
    for name in ("a", "b"):
        prepare(raw, tmp_path / name, data)
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")
    assert set(bytes_of(tmp_path / "a")) == FILES


def test_another_split_seed_gives_another_split_of_the_same_sizes(raw: Path, tmp_path: Path, data: Data):
    first = prepare(raw, tmp_path / "a", data)
    second = prepare(raw, tmp_path / "b", data.model_copy(update={"split_seed": data.split_seed + 1}))
    assert first.split_sha256 != second.split_sha256
    assert first.content_sha256 != second.content_sha256
    assert first.rows == second.rows


def test_scaling_changes_the_content_and_not_the_split(raw: Path, tmp_path: Path, data: Data):
    found = [prepare(raw, tmp_path / s, data.model_copy(update={"scaling": s})) for s in ("pixels", "standard", "none")]
    assert len({description.split_sha256 for description in found}) == 1
    assert len({description.content_sha256 for description in found}) == 3


def test_a_data_sets_own_test_split_is_kept(tmp_path: Path, mnist: Data):
    raw = write_raw(tmp_path / "raw", "mnist", 200, test_rows=40)
    found = prepared(raw, tmp_path / "prepared", mnist)
    np.testing.assert_array_equal(numbers(found.rows["test"]), np.arange(200, 240))
    np.testing.assert_array_equal(found.labels["test"], np.arange(200, 240) % 10)
    others = np.concatenate([numbers(found.rows[name]) for name in ("train", "validation")])
    np.testing.assert_array_equal(np.sort(others), np.arange(200))
    assert found.description.rows["validation"] == 200 * mnist.validation_fraction


@pytest.mark.parametrize(
    ("rows", "test", "validation", "left"),
    [
        (100, 0.01, 0.2, "1 for test"),
        (100, 0.2, 0.01, "1 for validation"),
        (100, 0.2, 0.9999, "0 for train"),
        (1, 0.2, 0.2, "1 for train|0 for validation"),
    ],
)
def test_too_few_rows_for_a_split_are_refused_by_name(
    tmp_path: Path, data: Data, rows: int, test: float, validation: float, left: str
):
    raw = write_raw(tmp_path / "raw", "digits", rows)
    data = data.model_copy(update={"test_fraction": test, "validation_fraction": validation})
    refused(lambda: prepare(raw, tmp_path / "prepared", data), raw, f"{rows} rows leave ({left}), which needs 2; raise")
    assert not (tmp_path / "prepared").exists()


# --- the arrays ---


def test_pixels_stay_uint8_and_are_read_from_disk_as_they_are_needed(digits: Path):
    found = load_prepared(digits)
    for arrays in (found.rows, found.labels):
        for array in arrays.values():
            assert array.dtype == np.uint8
            assert isinstance(array, np.memmap)
            assert not array.flags.writeable


def test_the_description_says_what_the_arrays_hold(digits: Path):
    found = load_prepared(digits)
    train = found.rows["train"]
    assert found.description.rows == {name: len(found.rows[name]) for name in SPLITS}
    assert (found.description.minimum, found.description.maximum) == (train.min(), train.max())
    assert found.description.facts.n_features == train.shape[1]
    assert load_description(digits) == found.description


# --- scaling ---


@pytest.mark.parametrize("scaling", ["auto", "pixels"])
def test_pixels_scaling_maps_the_pixels_range_onto_0_to_1(raw: Path, tmp_path: Path, data: Data, scaling: str):
    found = prepared(raw, tmp_path / "prepared", data.model_copy(update={"scaling": scaling}))
    for name in SPLITS:
        x = (found.rows[name] - found.shift) / found.scale
        np.testing.assert_array_equal(x, found.rows[name] / 16)
        assert (x.min(), x.max()) == (0, 1)


def test_standard_scaling_gives_training_columns_mean_0_and_deviation_1(raw: Path, tmp_path: Path, data: Data):
    found = prepared(raw, tmp_path / "prepared", data.model_copy(update={"scaling": "standard"}))
    train = found.rows["train"].astype(np.float64)
    x = (train - found.shift) / found.scale
    constant = (train == train[0]).all(axis=0)
    assert constant.any()  # the digits' left edge is empty
    np.testing.assert_allclose(x.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(x.std(0), np.where(constant, 0, 1), atol=1e-5)
    np.testing.assert_array_equal(found.scale[constant], 1)
    assert not found.description.unit_interval


def test_no_scaling_leaves_rows_as_they_are(raw: Path, tmp_path: Path, data: Data):
    found = prepared(raw, tmp_path / "prepared", data.model_copy(update={"scaling": "none"}))
    np.testing.assert_array_equal((found.rows["test"] - found.shift) / found.scale, found.rows["test"])
    assert not found.description.unit_interval


def test_the_scaling_is_fitted_on_the_training_rows_alone(tmp_path: Path, data: Data):
    data = data.model_copy(update={"scaling": "standard"})
    raw = write_raw(tmp_path / "raw", "digits", 300)
    first = prepared(raw, tmp_path / "a", data)
    images = np.load(raw / "images.npy")
    for held_out in ("validation", "test"):
        images[numbers(first.rows[held_out])] = 16
    np.save(raw / "images.npy", images)
    second = prepared(raw, tmp_path / "b", data)
    assert (second.rows["test"] == 16).all()
    np.testing.assert_array_equal(first.shift, second.shift)
    np.testing.assert_array_equal(first.scale, second.scale)

    images[numbers(first.rows["train"])[0]] = 16
    np.save(raw / "images.npy", images)
    assert (prepared(raw, tmp_path / "c", data).shift != first.shift).any()


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
    """What a pickle of `Payload` does when it is opened."""
    raise AssertionError("a pickle was opened")


class Payload:
    """An object whose pickle runs code."""

    def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
        return go_off, ()


def shape_of(shape: str) -> bytes:
    """A .npy file whose header gives that shape, with 640 bytes after it."""
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + bytes(640)


ROWS = numbered(30, 64)
NOT_READABLE = "not a readable .npy array"
ROWS_DAMAGED: dict[str, tuple[bytes, str]] = {
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
    "another type": (npy(ROWS.astype(np.float32)), "float32 with 2 axes, expected uint8 with 2 axes"),
    "signed pixels": (npy(ROWS.astype(np.int8)), "int8 with 2 axes, expected uint8 with 2 axes"),
    "images not flattened": (npy(ROWS.reshape(-1, 8, 8)), "uint8 with 3 axes, expected uint8 with 2 axes"),
    "labels in place of rows": (npy(ROWS[:, 0]), "uint8 with 1 axes, expected uint8 with 2 axes"),
    "no rows": (npy(ROWS[:0]), "zero rows"),
    "a feature less": (npy(ROWS[:, :63]), "63 features, expected 64"),
    "MNIST's rows": (npy(numbered(3, 784)), "784 features, expected 64"),
    "a pixel above white": (
        npy(np.where(np.arange(64) == 63, 17, ROWS).astype(np.uint8)),
        "pixel of 17, expected 0 to",
    ),
}
LABELS_DAMAGED: dict[str, tuple[bytes, str]] = {
    "cut short": (npy(ROWS[:, 0])[:-1], NOT_READABLE),
    "another type": (npy(ROWS[:, 0].astype(np.int64)), "int64 with 1 axes, expected uint8 with 1 axes"),
    "one-hot": (npy(ROWS[:, :10]), "uint8 with 2 axes, expected uint8 with 1 axes"),
    "an eleventh class": (npy(np.full(30, 10, np.uint8)), "label of 10, expected 0 to 9"),
    "no rows": (npy(ROWS[:0, 0]), "zero rows"),
}


def refused(action: Callable[[], object], path: Path, reason: str) -> None:
    """The action ends in one error that names the path and the reason; an opened pickle would raise another one."""
    with pytest.raises(DataError, match=reason) as caught:
        action()
    assert str(caught.value).startswith(f"{path}: ")


def test_the_payload_goes_off_where_a_pickle_is_opened():
    with pytest.raises(AssertionError, match="a pickle was opened"):
        np.load(io.BytesIO(npy(np.array([Payload()]))), allow_pickle=True)


@pytest.mark.parametrize("damage", ROWS_DAMAGED)
def test_damaged_rows_are_refused_by_preprocess_and_by_its_readers(
    digits: Path, tmp_path: Path, data: Data, damage: str
):
    content, reason = ROWS_DAMAGED[damage]
    raw, good = write_raw(tmp_path / "raw", "digits", 30), tmp_path / "prepared"
    shutil.copytree(digits, good)
    before = bytes_of(good)
    (raw / "images.npy").write_bytes(content)
    refused(lambda: prepare(raw, good, data), raw / "images.npy", reason)
    assert bytes_of(good) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["prepared", "raw"]
    (good / "validation.npy").write_bytes(content)
    refused(lambda: load_prepared(good), good / "validation.npy", reason)


@pytest.mark.parametrize("damage", LABELS_DAMAGED)
def test_damaged_labels_are_refused_by_preprocess_and_by_its_readers(
    digits: Path, tmp_path: Path, data: Data, damage: str
):
    content, reason = LABELS_DAMAGED[damage]
    raw, good = write_raw(tmp_path / "raw", "digits", 30), tmp_path / "prepared"
    shutil.copytree(digits, good)
    (raw / "labels.npy").write_bytes(content)
    refused(lambda: prepare(raw, good, data), raw / "labels.npy", reason)
    (good / "test_labels.npy").write_bytes(content)
    refused(lambda: load_prepared(good), good / "test_labels.npy", reason)


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_missing_file_is_named(digits: Path, tmp_path: Path, name: str):
    folder = shutil.copytree(digits, tmp_path / "prepared")
    (folder / name).unlink()
    refused(lambda: load_prepared(folder), folder / name, "no such file; `dvc repro")


@pytest.mark.parametrize("name", ["images.npy", "labels.npy", "test_images.npy", "test_labels.npy"])
def test_a_missing_raw_file_is_named_and_never_changes_the_split_in_silence(tmp_path: Path, mnist: Data, name: str):
    raw = write_raw(tmp_path / "raw", "mnist", 200, test_rows=40)
    (raw / name).unlink()
    refused(lambda: prepare(raw, tmp_path / "prepared", mnist), raw / name, "no such file; `dvc repro`")


@pytest.mark.parametrize(("n_labels", "n_test_labels"), [(199, 40), (200, 39), (199, 41)])
def test_as_many_labels_as_images_are_asked_for_in_each_part(
    tmp_path: Path, mnist: Data, n_labels: int, n_test_labels: int
):
    raw = write_raw(tmp_path / "raw", "mnist", 200, test_rows=40)
    np.save(raw / "labels.npy", np.zeros(n_labels, np.uint8))
    np.save(raw / "test_labels.npy", np.zeros(n_test_labels, np.uint8))
    counts = "200 rows in images.npy, but 199 in labels.npy" if n_labels < 200 else "40 rows in test_images.npy, but 39"
    refused(lambda: prepare(raw, tmp_path / "prepared", mnist), raw, counts)


@pytest.mark.parametrize("name", ["validation.npy", "validation_labels.npy"])
def test_a_row_less_than_the_description_says_is_refused(digits: Path, tmp_path: Path, name: str):
    folder = shutil.copytree(digits, tmp_path / "prepared")
    rows = load_description(folder).rows["validation"]
    np.save(folder / name, np.load(folder / name)[1:])
    refused(lambda: load_prepared(folder), folder, f"{rows - 1} .*in validation, expected {rows}")


@pytest.mark.parametrize("values", [np.ones(63), np.full(64, np.nan), np.full(64, np.inf)])
@pytest.mark.parametrize("name", ["shift.npy", "scale.npy"])
def test_a_scaling_that_fits_no_row_is_refused(digits: Path, tmp_path: Path, name: str, values: np.ndarray):
    folder = shutil.copytree(digits, tmp_path / "prepared")
    np.save(folder / name, values.astype(np.float32))
    refused(lambda: load_prepared(folder), folder / name, f"{len(values)} values, .* expected 64")


@pytest.mark.parametrize("value", [0, -1])
def test_a_scale_that_is_not_positive_is_refused(digits: Path, tmp_path: Path, value: float):
    folder = shutil.copytree(digits, tmp_path / "prepared")
    np.save(folder / "shift.npy", np.full(64, value, np.float32))
    load_prepared(folder)
    np.save(folder / "scale.npy", np.where(np.arange(64) == 5, value, 1).astype(np.float32))
    refused(lambda: load_prepared(folder), folder / "scale.npy", "63 of them finite and above 0")


def without(key: str) -> Callable[[dict], object]:
    return lambda values: {name: value for name, value in values.items() if name != key}


DESCRIPTIONS: dict[str, Callable[[dict], object]] = {
    "a missing key": without("split_sha256"),
    "a missing name": without("name"),
    "a missing shape": without("shape"),
    "an unknown key": lambda values: {**values, "colour": "blue"},
    "a list": lambda values: [values],
    "nothing": lambda values: None,
    "an unknown data set": lambda values: {**values, "name": "cifar"},
    "another data set's shape": lambda values: {**values, "shape": [28, 28]},
    "a shape of text": lambda values: {**values, "shape": 8},
    "a split without its rows": lambda values: {**values, "rows": {"train": 1, "test": 2}},
    "rows that are a number": lambda values: {**values, "rows": 3},
}


@pytest.mark.parametrize("damage", DESCRIPTIONS)
def test_a_damaged_description_is_refused(digits: Path, tmp_path: Path, damage: str):
    folder = shutil.copytree(digits, tmp_path / "prepared")
    path = folder / "prepared.json"
    path.write_text(json.dumps(DESCRIPTIONS[damage](json.loads(path.read_text()))))
    refused(lambda: load_prepared(folder), path, "delete it and run `dvc repro`")


@pytest.mark.parametrize(
    "content",
    [b"", b'{"name": "digits",', b"\xff\xfe", b"1" * 5000, b"<html></html>"],
    ids=["empty", "cut short", "no text", "a number too long", "a web page"],
)
def test_a_description_that_is_no_json_is_refused(digits: Path, tmp_path: Path, content: bytes):
    folder = shutil.copytree(digits, tmp_path / "prepared")
    (folder / "prepared.json").write_bytes(content)
    refused(lambda: load_prepared(folder), folder / "prepared.json", "not what preprocess wrote")


def problem(path: Path) -> str | None:
    """What load_array says against a file of rows."""
    try:
        load_array(path, dtype="uint8", ndim=2)
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
        with warnings.catch_warnings(action="ignore"):  # numpy's, of sizes and types that no array has
            problems.append(problem(path))
    found = [text for text in problems if text]
    assert len(found) > 500
    assert all(text.startswith(f"{path}: ") for text in found)


def test_a_failing_write_leaves_the_prepared_folder_as_it_was(
    raw: Path, digits: Path, tmp_path: Path, data: Data, monkeypatch: pytest.MonkeyPatch
):
    folder = shutil.copytree(digits, tmp_path / "prepared")
    before = bytes_of(folder)

    def full(path: Path, array: np.ndarray, **options: object) -> None:
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(OSError, match="disk full"):
        prepare(raw, folder, data.model_copy(update={"split_seed": 99}))
    assert bytes_of(folder) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["prepared", "raw"]
