"""Answers name their rows: by the column that data.id names, and by files of images."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.prepared import Prepared
from autoencoders.data.prepared.row_names import ANSWER_COLUMNS
from autoencoders.data.readers import reader
from autoencoders.models.trained.model import TrainedModel
from autoencoders.models.trained.saved import load, save
from autoencoders.params.params import Params
from autoencoders.serving.answers import answer_file
from autoencoders.serving.inference import answer
from pyfuncs import served_autoencoder
from tables import prepared_table, table_of

N = 400
LONG = 2**53 + 1  # the first whole number that a float does not hold
TEXTS = [f"{i:06}" for i in range(N)]
NUMBERS = [LONG + i for i in range(N)]
ROW_OPS = ["score", "encode", "reconstruct", "denoise"]


@pytest.fixture(scope="module")
def model(
    params: Params,
    frame: pd.DataFrame,
    untrained_on: Callable[[str, Prepared], TrainedModel],
    tmp_path_factory: pytest.TempPathFactory,
) -> TrainedModel:
    """A model of the table whose column part names the rows, read back from its files."""
    folder = tmp_path_factory.mktemp("named")
    _, prepared = prepared_table(params, frame.assign(part=TEXTS), folder, id="part")
    save(untrained_on("undercomplete", prepared), [{"loss": 1.0}], folder / "model")
    return load(folder / "model")


def saved(frame: pd.DataFrame, path: Path) -> Path:
    """A file of a frame."""
    if path.suffix == ".parquet":
        frame.to_parquet(path, index=False)
    else:
        frame.to_csv(path, index=False)
    return path


def read(path: Path) -> pd.DataFrame:
    """The table in a file, with the ids as text."""
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    return pd.read_csv(path, dtype={"part": str}, keep_default_na=False)


@pytest.mark.parametrize("op", ROW_OPS)
@pytest.mark.parametrize("source", [".csv", ".parquet"])
@pytest.mark.parametrize("out", [".csv", ".parquet"])
@pytest.mark.parametrize("ids", [TEXTS, NUMBERS], ids=["texts", "numbers"])
def test_answers_in_files_begin_with_the_column_that_names_the_rows(
    model, frame, tmp_path, monkeypatch, op, source, out, ids
):
    monkeypatch.setattr(reader, "BATCH_BYTES", 2000)
    file = saved(frame.assign(part=ids), tmp_path / f"in{source}")
    assert answer_file(model, op, file, tmp_path / f"out{out}", 0.05) == N
    answers = read(tmp_path / f"out{out}")
    position = 1 if op == "score" else 0
    assert answers.columns[position] == "part"
    assert list(answers.pop("part")) == [str(value) for value in ids]
    if op == "score":
        assert list(answers.pop("row")) == list(range(1, N + 1))
    expected = pd.DataFrame(answer(model, op, frame))
    if op == "encode":
        expected = expected.add_prefix("value_")
    pd.testing.assert_frame_equal(answers, expected, check_dtype=False, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("source", [".csv", ".parquet"])
@pytest.mark.parametrize("out", [".csv", ".parquet"])
def test_a_row_without_an_id_has_an_empty_one(model, frame, tmp_path, monkeypatch, source, out):
    ids = pd.array([None] * 200 + [LONG] * 200, dtype="Int64")  # none in the first batch
    monkeypatch.setattr(reader, "BATCH_BYTES", 2000)
    file = saved(frame.assign(part=ids), tmp_path / f"in{source}")
    answer_file(model, "encode", file, tmp_path / f"out{out}", 0.05)
    assert list(read(tmp_path / f"out{out}")["part"].fillna("")) == [""] * 200 + [str(LONG)] * 200


def test_arrays_and_answers_between_rows_have_no_ids(model, frame, tmp_path):
    numeric = frame.assign(part=TEXTS)
    file = saved(numeric, tmp_path / "in.csv")
    answer_file(model, "encode", file, tmp_path / "codes.npy", 0.05)
    assert np.load(tmp_path / "codes.npy").dtype == np.float32
    answer_file(model, "interpolate", file, tmp_path / "between.csv", 0.05)
    assert "part" not in read(tmp_path / "between.csv")
    assert isinstance(answer(model, "encode", numeric), np.ndarray)
    assert "part" not in table_of(answer(model, "interpolate", numeric))


def test_a_file_without_the_column_is_answered_and_the_note_says_so(model, frame, tmp_path, capsys):
    answer_file(model, "score", saved(frame, tmp_path / "in.csv"), tmp_path / "out.csv", 0.05)
    assert list(read(tmp_path / "out.csv"))[:2] == ["row", "score"]
    told = capsys.readouterr().out
    assert "no column part, which names the rows (data.id): answers have none" in told
    file = saved(frame.assign(part=TEXTS), tmp_path / "in.csv")
    answer_file(model, "score", file, tmp_path / "out.csv", 0.05)
    assert capsys.readouterr().out == ""  # nor is the column one that the model does not know


@pytest.mark.parametrize("codes", ["codes.csv", "codes.parquet"])
def test_ids_go_with_the_codes_and_come_back_with_the_rows(model, frame, tmp_path, codes):
    file = saved(frame.assign(part=TEXTS), tmp_path / "in.csv")
    answer_file(model, "encode", file, tmp_path / codes, 0.05)
    answer_file(model, "decode", tmp_path / codes, tmp_path / "rows.csv", 0.05)
    rows = read(tmp_path / "rows.csv")
    assert list(rows) == ["part", *frame]
    assert list(rows["part"]) == TEXTS


def test_rows_of_several_files_are_named_by_id_and_file(model, frame, tmp_path):
    named = frame.assign(part=NUMBERS)
    (tmp_path / "in").mkdir()
    for name, part in (("2.parquet", named[:10]), ("10.parquet", named[10:])):
        saved(part, tmp_path / "in" / name)
    answer_file(model, "score", tmp_path / "in", tmp_path / "out.csv", 0.05)
    answers = read(tmp_path / "out.csv")
    assert list(answers)[:4] == ["row", "part", "file", "score"]
    assert list(answers["part"]) == [str(value) for value in NUMBERS]
    assert list(answers["file"]) == ["2.parquet"] * 10 + ["10.parquet"] * (N - 10)
    answer_file(model, "encode", tmp_path / "in", tmp_path / "codes.csv", 0.05)
    answer_file(model, "decode", tmp_path / "codes.csv", tmp_path / "rows.csv", 0.05)
    assert list(read(tmp_path / "rows.csv")) == ["part", "file", *frame]


# --- images


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of images whose order by letters is another one than that by numbers."""
    folder = tmp_path / "images"
    for name in ("a/img10.png", "a/img2.png", "a/img1.png", "b/scan.tif"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pages = [Image.fromarray(np.full((8, 8), page, np.uint8)) for page in range(3)]
        if name.endswith(".tif"):
            pages[0].save(folder / name, save_all=True, append_images=pages[1:])
        else:
            pages[0].save(folder / name)
    return folder


FILES = ["a/img1.png", "a/img2.png", "a/img10.png", "b/scan.tif#1", "b/scan.tif#2", "b/scan.tif#3"]


@pytest.mark.parametrize("op", ROW_OPS)
@pytest.mark.parametrize("out", ["out.csv", "out.parquet"])
@pytest.mark.parametrize("form", ["folder", "archive"])
def test_each_answer_names_the_file_of_its_image(
    untrained, images, tmp_path, monkeypatch, op, out, form
):
    monkeypatch.setattr(reader, "BATCH_BYTES", 2 * 64)
    source = images
    if form == "archive":
        source = Path(shutil.make_archive(str(tmp_path / "images"), "zip", images))
    assert answer_file(untrained["sparse"], op, source, tmp_path / out, 0.05) == len(FILES)
    answers = read(tmp_path / out)
    expected = ["row", "file", "score"] if op == "score" else ["file", "value_0", "value_1"]
    assert list(answers)[:3] == expected
    assert list(answers["file"]) == FILES


def test_an_image_alone_is_named_by_its_file(untrained, images, tmp_path):
    answer_file(untrained["sparse"], "score", images / "a/img2.png", tmp_path / "out.csv", 0.05)
    assert list(read(tmp_path / "out.csv")["file"]) == ["img2.png"]


def test_arrays_and_pictures_of_images_are_as_they_were(untrained, images, tmp_path):
    answer_file(untrained["sparse"], "encode", images, tmp_path / "codes.npy", 0.05)
    assert np.load(tmp_path / "codes.npy").shape == (6, 8)
    answer_file(untrained["sparse"], "denoise", images, tmp_path / "clean.png", 0.05)
    np.save(tmp_path / "in.npy", np.zeros((3, 8, 8)))
    answer_file(untrained["sparse"], "score", tmp_path / "in.npy", tmp_path / "out.csv", 0.05)
    assert "file" not in read(tmp_path / "out.csv")


def test_codes_of_images_are_decoded_with_their_files(untrained, images, tmp_path):
    answer_file(untrained["sparse"], "encode", images, tmp_path / "codes.csv", 0.05)
    answer_file(untrained["sparse"], "decode", tmp_path / "codes.csv", tmp_path / "out.csv", 0.05)
    answers = read(tmp_path / "out.csv")
    assert list(answers.pop("file")) == FILES
    assert answers.shape == (6, 64)


# --- rows by name in Python and over HTTP


FORMS: dict[str, Callable[[pd.DataFrame], object]] = {
    "frame": lambda frame: frame.set_index(frame.index + 5),
    "table": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
    "columns": lambda frame: {name: column.tolist() for name, column in frame.items()},
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("op", ["score", "reconstruct"])
@pytest.mark.parametrize("ids", [TEXTS, NUMBERS], ids=["texts", "numbers"])
def test_columns_by_name_are_answered_with_ids(model, frame, form, op, ids):
    named = frame.assign(part=pd.Series(ids, dtype=object))
    answers = table_of(answer(model, op, FORMS[form](named)))
    assert answers.columns[0] == "part"
    assert list(answers["part"]) == [str(value) for value in ids]
    expected = table_of(answer(model, op, frame))
    pd.testing.assert_frame_equal(answers.drop(columns="part"), expected, rtol=1e-5, atol=1e-5)


def test_another_number_of_ids_than_rows_is_refused(model, frame):
    rows = {name: column.tolist() for name, column in frame.items()} | {"part": ["a"]}
    with pytest.raises(DataError, match="1 values of part for 400 rows"):
        answer(model, "score", rows)


@pytest.fixture
def ask(model: TrainedModel, tmp_path: Path) -> Callable[[object], Any]:
    """Posts what becomes JSON to MLflow's server of the model, and gives its predictions."""
    from mlflow.pyfunc.scoring_server import invocations

    save(model, [{"loss": 1.0}], tmp_path / "model")
    loaded = served_autoencoder()
    context: Any = SimpleNamespace(artifacts={"model": str(tmp_path / "model")})
    loaded.load_context(context)
    served: Any = SimpleNamespace(
        predict=lambda rows, params: loaded.predict(None, rows, params), metadata=None
    )

    def asked(body: object) -> Any:
        response = invocations(json.dumps(body), "application/json", served, None)
        assert response.status == 200, response.response
        return json.loads(response.response)["predictions"]

    return asked


@pytest.mark.filterwarnings("ignore::UserWarning")  # mlflow's, about its own type hints
@pytest.mark.parametrize("form", ["dataframe_split", "dataframe_records"])
@pytest.mark.parametrize(
    "ids", [["007", "8", "A"], [LONG, LONG + 1, 10**20], ["7", LONG, None]], ids=str
)
def test_json_with_columns_by_name_is_answered_with_ids(
    ask: Callable[[object], Any], frame: pd.DataFrame, form: str, ids: Sequence[object]
):
    orientation: Any = form.removeprefix("dataframe_")
    rows = frame.head(3).assign(part=pd.Series(ids, dtype=object)).to_dict(orientation)
    if orientation == "split":
        rows.pop("index")
    predictions = ask({form: rows, "params": {"op": "score"}})
    assert next(iter(predictions[0])) == "part"
    expected = [None if value is None else str(value) for value in ids]
    assert [row["part"] for row in predictions] == expected


def test_the_names_that_no_id_may_have_are_those_of_scores(model, frame):
    assert set(table_of(answer(model, "score", frame))) <= set(ANSWER_COLUMNS)
