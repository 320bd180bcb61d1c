"""Files in, raw rows out: the same rows whatever holds them, labels from folders, images of one shape."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.schema import Schema, encode
from autoencoders.data.readers import reader
from autoencoders.data.readers.images import OWN_SIDE, RESIZED_SIDE
from autoencoders.data.readers.opening import open_reader
from intake import Intake, columns, csv

GOOD = columns()


def frame(path: Path) -> pd.DataFrame:
    """All rows of a table."""
    return pd.concat(
        [batch.to_pandas() for batch, _ in open_reader(path).batches()], ignore_index=True
    )


def image(path: Path, pixels: np.ndarray, mode: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    found = Image.fromarray(pixels)
    (found.convert(mode) if mode else found).save(path)
    return path


def grey(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)


# --- tables ---


@pytest.mark.parametrize("size", [300, 2048, 2**23])
@pytest.mark.parametrize("kind", [".csv", ".tsv", ".parquet"])
def test_a_table_is_the_same_rows_whatever_holds_it_and_however_it_is_cut(
    intake: Intake, monkeypatch: pytest.MonkeyPatch, kind: str, size: int
):
    monkeypatch.setattr(reader, "BATCH_BYTES", size)
    path = intake.source / f"a{kind}"
    if kind == ".parquet":
        parquet.write_table(pa.table(GOOD), path)
    else:
        path.write_text(csv(GOOD, "\t" if kind == ".tsv" else ","))
    pd.testing.assert_frame_equal(frame(path), pd.DataFrame(GOOD), check_dtype=False)
    assert (len(list(open_reader(path).batches())) > 1) == (size < 2**23)


def test_a_table_is_read_as_often_as_asked(intake: Intake):
    reader = open_reader(intake.file("a.csv", csv(GOOD)))
    first, second = ([batch for batch, _ in reader.batches()] for _ in range(2))
    assert [batch.equals(other) for batch, other in zip(first, second, strict=True)] == [True]


def test_a_column_of_times_is_known_as_one(intake: Intake):
    values = {"day": ["2020-01-02"] * 9, "time": ["2020-01-02 03:04:05"] * 9, "a": [1.5] * 9}
    reader = open_reader(intake.file("a.csv", csv(values)))
    assert reader.date_columns == ["day", "time"]
    assert reader.names == ["day", "time", "a"]


def test_whole_numbers_that_become_fractions_after_the_first_block_are_numbers(
    intake: Intake, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(reader, "BATCH_BYTES", 100)
    values = [*range(100), 0.5]
    assert frame(intake.file("a.csv", csv({"a": values, "b": [1] * 101})))["a"].tolist() == values


def test_an_empty_row_group_is_no_batch(intake: Intake):
    schema = pa.schema({"a": pa.float64()})
    with parquet.ParquetWriter(intake.source / "a.parquet", schema) as writer:
        for values in ([], [1.0, 2.0], [], [3.0]):
            writer.write_table(pa.table({"a": pa.array(values, pa.float64())}))
    batches = [batch for batch, _ in open_reader(intake.source / "a.parquet").batches()]
    assert all(map(len, batches))
    assert pa.concat_tables(batches)["a"].to_pylist() == [1, 2, 3]


def test_a_wide_parquet_file_comes_in_pieces(intake: Intake, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reader, "BATCH_BYTES", 10_000)
    rows = np.random.default_rng(0).normal(size=(500, 50))
    parquet.write_table(
        pa.table(list(rows.T), names=[f"c{i}" for i in range(50)]), intake.source / "a.parquet"
    )
    batches = [batch for batch, _ in open_reader(intake.source / "a.parquet").batches()]
    assert max(batch.nbytes for batch in batches) < 2 * 10_000
    np.testing.assert_array_equal(pa.concat_tables(batches).to_pandas().to_numpy(), rows)


# --- arrays ---


@pytest.mark.parametrize("shape", [(60,), (60, 3), (60, 4, 5), (60, 4, 5, 3)])
def test_an_array_is_its_rows_and_images_keep_their_shape(
    intake: Intake, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...]
):
    monkeypatch.setattr(reader, "BATCH_BYTES", 500)
    array = np.random.default_rng(0).normal(size=shape)
    opened = open_reader(intake.array("a.npy", array))
    assert not opened.has_names
    assert opened.shape == (shape[1:] if len(shape) > 2 else ())
    assert opened.names == ([] if len(shape) > 2 else [f"x{i}" for i in range(array[0].size)])
    found = np.concatenate([rows for rows, _ in opened.batches()])
    np.testing.assert_array_equal(found, array.reshape(60, -1) if len(shape) < 3 else array)


def test_labels_come_with_their_rows(intake: Intake, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reader, "BATCH_BYTES", 100)
    intake.array("X.npy", np.arange(60)[:, None])
    intake.array("y.npy", np.arange(60) % 7)
    for rows, labels in open_reader(intake.source).batches():
        np.testing.assert_array_equal(rows[:, 0] % 7, labels)


# --- images ---


@pytest.mark.parametrize("extension", ["png", "bmp", "tiff", "gif", "webp"])
def test_images_of_one_small_size_keep_it_and_their_pixels(intake: Intake, extension: str):
    for i in range(4):
        file = intake.source / f"{i}.{extension}"
        Image.fromarray(grey(9, 7, i)).save(
            file, **({"lossless": True} if extension == "webp" else {})
        )
    reader = open_reader(intake.source)
    ((rows, labels),) = reader.batches()
    assert reader.shape == (
        (9, 7) if extension not in ("gif", "webp") else (9, 7, 3)
    )  # which know no grey
    expected = np.stack([grey(9, 7, i) for i in range(4)])
    np.testing.assert_array_equal(rows if rows.ndim == 3 else rows[..., 0], expected)
    assert (labels, reader.notes) == (None, [])


def test_a_sub_folders_name_is_the_label_of_all_below_it(intake: Intake):
    for i, name in enumerate(["cat/a.png", "cat/old/b.png", "dog/c.png"]):
        image(intake.source / name, grey(8, 8, i))
    ((_, labels),) = open_reader(intake.source).batches()
    assert labels == ["cat", "cat", "dog"]


def test_folders_around_all_images_are_no_label(intake: Intake):
    for i, name in enumerate(["data/animals/cat/a.png", "data/animals/dog/c.png"]):
        image(intake.source / name, grey(8, 8, i))
    ((_, labels),) = open_reader(intake.source).batches()
    assert labels == ["cat", "dog"]


def test_images_beside_the_folders_mean_that_none_has_a_label(intake: Intake):
    for i, name in enumerate(["cat/a.png", "b.png"]):
        image(intake.source / name, grey(8, 8, i))
    ((_, labels),) = open_reader(intake.source).batches()
    assert labels is None


def test_one_image_in_colour_makes_all_of_them_so(intake: Intake):
    image(intake.source / "a.png", grey(8, 8))
    image(intake.source / "b.png", np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8))
    reader = open_reader(intake.source)
    ((rows, _),) = reader.batches()
    assert reader.shape == rows.shape[1:] == (8, 8, 3)
    np.testing.assert_array_equal(rows[0], np.repeat(grey(8, 8)[..., None], 3, axis=2))


@pytest.mark.parametrize(
    ("sizes", "side", "expected"),
    [
        ([(OWN_SIDE, 9)] * 2, "auto", (OWN_SIDE, 9)),
        ([(OWN_SIDE + 1, 9)] * 2, "auto", (RESIZED_SIDE, RESIZED_SIDE)),
        ([(8, 8), (9, 9)], "auto", (RESIZED_SIDE, RESIZED_SIDE)),
        ([(8, 8), (9, 9)], 12, (12, 12)),
        ([(12, 12)] * 2, 12, (12, 12)),
    ],
)
def test_images_are_brought_to_one_size_and_told_where_they_are_resized(
    intake: Intake, sizes: list[tuple[int, int]], side: int | str, expected: tuple[int, int]
):
    for i, size in enumerate(sizes):
        image(intake.source / f"{i}.png", grey(*size))
    reader = open_reader(intake.source, image_side=side)
    ((rows, _),) = reader.batches()
    assert reader.shape == rows.shape[1:] == expected
    assert bool(reader.notes) == (set(sizes) != {expected})


@pytest.mark.parametrize(
    ("mode", "grey_too"), [("1", True), ("L", True), ("LA", True), ("RGB", False), ("P", False)]
)
def test_a_white_image_is_white_in_every_mode(intake: Intake, mode: str, grey_too: bool):
    path = image(intake.source / "a.png", np.full((8, 8), 255, np.uint8), mode)
    reader = open_reader(path)
    ((rows, _),) = reader.batches()
    assert (reader.shape == (8, 8)) == grey_too
    assert (rows == 255).all()


def test_an_image_of_floating_point_numbers_is_refused(intake: Intake):
    path = image(intake.source / "a.tiff", np.full((8, 8), 0.5, np.float32))
    with pytest.raises(DataError, match=re.escape(f"{path}: floating-point pixels")):
        list(open_reader(path).batches())


@pytest.mark.parametrize("step", [1, 64, 1024])
def test_an_image_of_16_bits_keeps_its_numbers_however_few_bits_it_uses(intake: Intake, step: int):
    pixels = np.arange(64, dtype=np.uint16).reshape(8, 8) * step
    ((rows, _),) = open_reader(image(intake.source / "a.png", pixels)).batches()
    np.testing.assert_array_equal(rows[0], pixels)


def test_a_resized_image_of_16_bits_stays_in_its_range(intake: Intake):
    pixels = np.where(np.arange(100)[:, None] < 50, 100, 4000).astype(np.uint16).repeat(100, axis=1)
    ((rows, _),) = open_reader(image(intake.source / "a.png", pixels)).batches()
    assert rows.shape == (1, 32, 32)
    assert (rows.min(), rows.max()) == (100, 4000)


@pytest.mark.parametrize("other", ["L", "RGB"])
def test_images_of_8_and_of_16_bits_are_not_mixed(intake: Intake, other: str):
    deep = image(intake.source / "a.png", np.zeros((8, 8), np.uint16))
    plain = image(intake.source / "b.png", np.zeros((8, 8), np.uint8), other)
    with pytest.raises(
        DataError, match=re.escape(f"{deep} holds more than 8 bits a pixel, {plain} does not")
    ):
        open_reader(intake.source)


def test_an_array_with_one_channel_is_grey(intake: Intake):
    images = np.random.default_rng(0).integers(0, 256, (9, 8, 7, 1), np.uint8)
    reader = open_reader(intake.array("a.npy", images))
    ((rows, _),) = reader.batches()
    assert reader.shape == (8, 7)
    np.testing.assert_array_equal(rows, images[..., 0])
    np.testing.assert_array_equal(encode(Schema((8, 7)), images), images.reshape(9, -1))


@pytest.mark.parametrize(
    ("shape", "told"), [((9, 3, 8, 8), "move the channels to the end"), ((9, 8, 8, 5), "flat")]
)
def test_an_array_whose_channels_no_picture_shows_is_refused(
    intake: Intake, shape: tuple[int, ...], told: str
):
    with pytest.raises(
        DataError, match=f"expected .height, width, channels. with 1, 3 or 4 channels; .*{told}"
    ):
        open_reader(intake.array("a.npy", np.zeros(shape, np.uint8)))


def test_the_row_numbers_that_pandas_writes_are_left_out_and_told(intake: Intake):
    table = pd.DataFrame({"a": [1.5, 2.5, 3.5], "b": [1.0, 0.0, 2.0]})
    table.to_csv(intake.source / "a.csv")
    table.iloc[[2, 0, 1]].to_parquet(intake.source / "a.parquet")
    for name, told in (("a.csv", "the one without a name"), ("a.parquet", "__index_level_0__")):
        reader = open_reader(intake.source / name)
        assert reader.names == ["a", "b"]
        assert reader.notes == [f"left out, as a column of row numbers: {told}"]


def test_a_table_without_names_is_refused_but_names_may_be_numbers(intake: Intake):
    with pytest.raises(
        DataError,
        match=r"its first line holds numbers, 1.5, -2, 3; write the columns' names above it",
    ):
        open_reader(intake.file("a.csv", "1.5,-2,3\n1,2,3\n"))
    assert open_reader(intake.file("b.csv", "0,1,2\n1,2,3\n")).names == ["0", "1", "2"]


def test_what_is_no_image_is_left_out_and_told(intake: Intake):
    image(intake.source / "a.png", grey(8, 8))
    for name in ("notes.txt", ".hidden"):
        intake.file(name, "")
    (told,) = open_reader(intake.source).notes
    assert told == "left out, as no images: notes.txt (1 files)"


def test_a_link_within_the_folder_is_followed(intake: Intake):
    image(intake.source / "a.png", grey(8, 8))
    (intake.source / "b.png").symlink_to("a.png")
    ((rows, _),) = open_reader(intake.source).batches()
    np.testing.assert_array_equal(rows[0], rows[1])


def test_a_folder_with_one_table_is_that_table(intake: Intake):
    intake.file("deep/a.csv", csv(GOOD))
    intake.file("notes.txt", "")
    reader = open_reader(intake.source)
    assert (reader.has_names, reader.names) == (True, list(GOOD))


def test_a_missing_path_is_refused_by_name(tmp_path: Path):
    with pytest.raises(DataError, match=r"none\.csv: no such file or folder"):
        open_reader(tmp_path / "none.csv")
