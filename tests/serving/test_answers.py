"""Files in, answers out: every format, any number of batches, nothing half written."""

import copy
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from autoencoders.core.errors import DataError, UserError
from autoencoders.data.prepared.prepared import load_prepared
from autoencoders.data.readers import opening, reader
from autoencoders.models.trained.model import TrainedModel
from autoencoders.serving.answers import PICTURE_COLUMNS, answer_file, picture, write
from autoencoders.serving.inference import answer
from tables import table_of

RATE = 0.05


@pytest.fixture
def model(table_models: dict[str, TrainedModel]) -> TrainedModel:
    return table_models["undercomplete"]


@pytest.fixture(scope="module")
def images(digits: Path) -> np.ndarray:
    """(30, 8, 8), raw, uint8."""
    return load_prepared(digits).rows["test"].read(0, 30).reshape(-1, 8, 8)


def saved(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_parquet(path, index=False) if path.suffix == ".parquet" else frame.to_csv(
        path, index=False
    )
    return path


def read(path: Path) -> pd.DataFrame:
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)


# --- tables


def test_pairs_of_rows_are_told_apart_by_the_file_and_not_by_its_batches(
    untrained, images, tmp_path, monkeypatch
):
    np.save(tmp_path / "in.npy", images)
    monkeypatch.setattr(reader, "BATCH_BYTES", 7 * 64)
    assert [len(batch) for batch, _ in opening.open_reader(tmp_path / "in.npy").batches()] == [
        7,
        7,
        7,
        7,
        2,
    ]
    assert (
        answer_file(
            untrained["sparse"], "interpolate", tmp_path / "in.npy", tmp_path / "out.npy", RATE
        )
        == 30
    )
    expected = answer(untrained["sparse"], "interpolate", images)
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, rtol=1e-5, atol=1e-5)
    np.save(tmp_path / "odd.npy", images[:29])
    with pytest.raises(DataError, match="needs pairs of rows"):
        answer_file(
            untrained["sparse"], "interpolate", tmp_path / "odd.npy", tmp_path / "odd-out.npy", RATE
        )


@pytest.mark.parametrize("op", ["score", "encode", "reconstruct", "denoise", "interpolate"])
@pytest.mark.parametrize("source", [".csv", ".parquet"])
@pytest.mark.parametrize("out", [".csv", ".parquet"])
def test_a_table_goes_in_and_answers_come_out(model, frame, tmp_path, op, source, out):
    n = answer_file(model, op, saved(frame, tmp_path / f"in{source}"), tmp_path / f"out{out}", RATE)
    assert n == len(frame)
    result, expected = read(tmp_path / f"out{out}"), answer(model, op, frame, rate=RATE)
    if op == "score":
        assert list(result.pop("row")) == list(range(1, n + 1))
    if op == "encode":
        expected = pd.DataFrame(expected, columns=["value_0", "value_1"])
    pd.testing.assert_frame_equal(
        result, table_of(expected), check_dtype=False, rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("codes", ["codes.npy", "codes.csv", "codes.parquet"])
def test_codes_go_through_files_back_to_rows(model, frame, tmp_path, codes):
    answer_file(model, "encode", saved(frame, tmp_path / "in.csv"), tmp_path / codes, RATE)
    answer_file(model, "decode", tmp_path / codes, tmp_path / "rows.csv", RATE)
    expected = table_of(answer(model, "reconstruct", frame))
    pd.testing.assert_frame_equal(
        read(tmp_path / "rows.csv"), expected, check_dtype=False, rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("out", [".csv", ".parquet"])
@pytest.mark.parametrize("op", ["score", "reconstruct", "encode", "interpolate"])
def test_many_batches_give_the_same_file_as_one(model, frame, tmp_path, monkeypatch, op, out):
    source = saved(frame, tmp_path / "in.csv")
    answer_file(model, op, source, tmp_path / f"whole{out}", RATE)
    monkeypatch.setattr(reader, "BATCH_BYTES", 1000)
    assert len(list(opening.open_reader(source).batches())) > 5
    assert answer_file(model, op, source, tmp_path / f"parts{out}", RATE) == len(frame)
    pd.testing.assert_frame_equal(
        read(tmp_path / f"parts{out}"), read(tmp_path / f"whole{out}"), rtol=1e-5, atol=1e-5
    )


def test_columns_that_the_model_does_not_know_are_told(model, frame, tmp_path, capsys):
    answer_file(
        model,
        "encode",
        saved(frame.assign(note=1), tmp_path / "in.csv"),
        tmp_path / "out.csv",
        RATE,
    )
    assert "left out, as the model does not know them: note" in capsys.readouterr().out


# --- images


@pytest.mark.parametrize("op", ["encode", "reconstruct"])
def test_an_array_goes_in_and_an_array_comes_out_in_any_number_of_batches(
    untrained, images, tmp_path, monkeypatch, op
):
    np.save(tmp_path / "in.npy", images)
    expected = answer(untrained["sparse"], op, images)
    for size in (2**23, 300):
        monkeypatch.setattr(reader, "BATCH_BYTES", size)
        assert answer_file(
            untrained["sparse"], op, tmp_path / "in.npy", tmp_path / "out.npy", RATE
        ) == len(images)
        np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, rtol=1e-5, atol=1e-5)
    assert np.load(tmp_path / "out.npy").shape[1:] == ((8, 8) if op == "reconstruct" else (8,))


@pytest.mark.parametrize("n", [1, 7, 8, 9, 30])
def test_a_picture_holds_every_image_eight_side_by_side_at_least_32_pixels_high(
    untrained, images, tmp_path, n
):
    np.save(tmp_path / "in.npy", images[:n])
    answer_file(untrained["sparse"], "reconstruct", tmp_path / "in.npy", tmp_path / "out.png", RATE)
    with Image.open(tmp_path / "out.png") as picture:
        assert picture.size == (32 * min(n, PICTURE_COLUMNS), 32 * -(-n // PICTURE_COLUMNS))
        sheet = np.asarray(
            picture.resize((picture.width // 4, picture.height // 4), Image.Resampling.NEAREST)
        )
    tiles = sheet.reshape(-1, 8, sheet.shape[1] // 8, 8).swapaxes(1, 2).reshape(-1, 8, 8)
    expected = (
        untrained["sparse"].reconstruct(images[:n].reshape(n, 64)).reshape(n, 8, 8) / 16 * 255
    )
    np.testing.assert_allclose(tiles[:n], expected, atol=1)
    assert not tiles[n:].any()


def test_a_picture_is_black_where_the_scaling_starts(untrained):
    model = copy.deepcopy(untrained["sparse"])
    model.shift, model.scale = torch.full((64,), -1.0), torch.full((64,), 2.0)  # images in [-1, 1]
    rows = np.linspace(-1, 1, 64, dtype=np.float32)[None]
    pixels = np.asarray(picture(rows, model))[::4, ::4]
    np.testing.assert_allclose(pixels.ravel(), np.linspace(0, 255, 64), atol=1)


@pytest.mark.parametrize("form", ["a file", "a folder", "a zip"])
def test_images_go_in_as_a_file_a_folder_or_an_archive(untrained, images, tmp_path, form):
    (tmp_path / "in").mkdir()
    for i, image in enumerate(images[:3] * 15):
        Image.fromarray(image).save(tmp_path / "in" / f"{i}.png")
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        for path in sorted((tmp_path / "in").iterdir()):
            archive.write(path, path.name)
    source, n = {"a file": ("in/0.png", 1), "a folder": ("in", 3), "a zip": ("in.zip", 3)}[form]
    assert (
        answer_file(untrained["sparse"], "encode", tmp_path / source, tmp_path / "out.npy", RATE)
        == n
    )
    expected = untrained["sparse"].encode((images[:n] * 15).reshape(n, 64))
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, rtol=1e-5, atol=1e-5)


def test_samples_are_written_as_a_picture(untrained, tmp_path):
    model = untrained["variational"]
    write([answer(model, "sample", None, n=16)], tmp_path / "samples.png", model)
    with Image.open(tmp_path / "samples.png") as picture:
        assert picture.size == (8 * 32, 2 * 32)


# --- errors


@pytest.mark.parametrize("out", [".csv", ".parquet"])
def test_an_error_in_the_last_batch_leaves_what_was_there_before(
    model, frame, tmp_path, monkeypatch, out
):
    monkeypatch.setattr(reader, "BATCH_BYTES", 1000)
    bad = saved(frame.assign(width=[*frame["width"][:-1], None]), tmp_path / "bad.csv")
    with pytest.raises(DataError, match=r"width \(1: row 400\)"):
        answer_file(model, "score", bad, tmp_path / f"out{out}", RATE)
    assert {path.name for path in tmp_path.iterdir()} == {"bad.csv"}
    (tmp_path / f"out{out}").write_text("before")
    with pytest.raises(DataError):
        answer_file(model, "score", bad, tmp_path / f"out{out}", RATE)
    assert (tmp_path / f"out{out}").read_text() == "before"
    assert {path.name for path in tmp_path.iterdir()} == {"bad.csv", f"out{out}"}


@pytest.mark.parametrize("out", ["out.xlsx", "out", "out.png"])
def test_answers_are_refused_in_a_format_that_does_not_fit(model, frame, tmp_path, out):
    source = saved(frame, tmp_path / "in.csv")
    with pytest.raises(UserError, match=r"out.*: answers are written as .csv, .parquet, .npy$"):
        answer_file(model, "encode", source, tmp_path / out, RATE)
    assert list(tmp_path.iterdir()) == [source]


REFUSED = [
    ("score", "in.csv", "out.npy", "hold text; choose .csv or .parquet"),
    ("reconstruct", "in.csv", "out.npy", "hold text; choose .csv or .parquet"),
    ("score", "none.csv", "out.csv", "no such file"),
    ("score", "empty.csv", "out.csv", "no rows"),
    ("score", "other.csv", "out.csv", "missing columns: length, colour, width"),
    ("decode", "in.csv", "out.csv", "op = decode"),
    ("encode", "images.npy", "out.csv", "expected"),
]


@pytest.mark.parametrize(("op", "source", "out", "reason"), REFUSED)
def test_what_can_not_be_answered_is_refused_and_writes_nothing(
    model, frame, images, tmp_path, op, source, out, reason
):
    folder = tmp_path / "in"
    folder.mkdir()
    saved(frame, folder / "in.csv")
    saved(frame.head(0), folder / "empty.csv")
    saved(pd.DataFrame({"a": [1.0]}), folder / "other.csv")
    np.save(folder / "images.npy", images)
    with pytest.raises(UserError, match=reason):
        answer_file(model, op, folder / source, tmp_path / out, RATE)
    assert list(tmp_path.iterdir()) == [folder]


def test_a_picture_of_codes_is_refused(untrained, images, tmp_path):
    np.save(tmp_path / "in.npy", images)
    with pytest.raises(
        UserError, match="a picture needs images of 64 values, but the answers have 8"
    ):
        answer_file(untrained["sparse"], "encode", tmp_path / "in.npy", tmp_path / "out.png", RATE)
    with pytest.raises(UserError, match="picture"):
        answer_file(untrained["sparse"], "score", tmp_path / "in.npy", tmp_path / "out.png", RATE)
    assert [path.name for path in tmp_path.iterdir()] == ["in.npy"]
