"""Malformed files, whatever reads them: no code is run, one kind of error, no half an answer.

Training data goes through the stages' functions, new data through `answer_file` and `answer`.
"""

import gzip
import pickle
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoencoders.core.errors import DataError, UserError
from autoencoders.data.readers import reader
from autoencoders.models.trained.model import TrainedModel
from autoencoders.serving.answers import answer_file
from autoencoders.serving.inference import answer
from contents import (
    GOOD,
    GOOD_CSV,
    IMAGES,
    ROWS,
    Content,
    N,
    changed,
    lacking,
    lines,
    member,
    npy,
    npz,
    parquet_table,
    png,
    tarred,
    zipped,
)
from intake import Intake, columns, csv, everything
from tables import table_of

# --- code in files ---


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
    proof = intake.folder / "the payload went off"
    content = pickled(way, np.array([Payload(proof)] * 60))
    path = intake.file(way, content)
    intake.refusal(path)
    with pytest.raises(UserError):
        answer_file(tabular, "score", path, intake.folder / "answers.csv", 0.05)
    assert not proof.exists()
    pickle.loads(pickle.dumps(Payload(proof)))
    assert proof.exists()  # so it would have been seen


# --- new data ---


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
    "no header": ("a.csv", csv(GOOD).split("\n", 1)[1], ["its first line looks like a row"]),
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
    "an empty file": ("a.csv", "", ["a.csv: holds no rows"]),
    "a header alone": ("a.csv", "length,width,colour,unit\n", ["a.csv: no rows"]),
    "Parquet without rows": (
        "a.parquet",
        parquet_table({k: v[:0] for k, v in GOOD.items()}),
        ["a.parquet: no rows"],
    ),
    "ragged rows": ("a.csv", lines(40, "1,2"), ["a.csv", "Row #41"]),
    "UTF-16 without a mark": ("a.csv", csv(GOOD).encode("utf-16-le"), ["a.csv", "byte 2 is 0"]),
    "a PNG": ("a.csv", png(), ["a.csv"]),
    "an image": ("a.png", png(), ["rows of shape (8, 8), expected (4,)"]),
    "an array of another width": ("a.npy", npy(ROWS[:, :3]), ["rows of shape (3,), expected (4,)"]),
    "an array of images": ("a.npy", npy(IMAGES), ["rows of shape (8, 8), expected (4,)"]),
    "an array of text": ("a.npy", npy(["a"] * 9), ["a.npy", "expected numbers"]),
    "nested columns": (
        "a.parquet",
        parquet_table({**GOOD, "length": [[1.0]] * N}),
        ["nested columns: length"],
    ),
    "bytes": (
        "a.parquet",
        parquet_table({**GOOD, "colour": [b"\xff"] * N}),
        ["column colour is not UTF-8"],
    ),
    "an unknown kind of file": ("a.doc", b"", ["a.doc: unknown kind of file"]),
}


@pytest.mark.parametrize("op", ["score", "encode", "reconstruct"])
@pytest.mark.parametrize("case", NEW)
def test_new_rows_that_do_not_fit_the_model_are_refused_and_nothing_is_written(
    intake: Intake, tabular: TrainedModel, case: str, op: str
):
    name, content, parts = NEW[case]
    message = intake.answer_refusal(tabular, op, intake.file(name, content))
    assert all(part in message for part in parts), message


@pytest.mark.parametrize("name", ["none.csv", "none.zip", "none", "none.tar.gz"])
def test_new_data_that_is_not_there_is_refused_by_name(
    intake: Intake, tabular: TrainedModel, name: str
):
    assert (
        intake.answer_refusal(tabular, "score", intake.source / name)
        == f"{intake.source / name}: no such file or folder"
    )


def test_what_is_wrong_in_a_late_batch_of_new_data_leaves_no_half_an_answer(
    intake: Intake, tabular: TrainedModel, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(reader, "BATCH_BYTES", 2048)
    path = intake.file("a.csv", csv(changed("width", 230, "inf")))
    for out in ("out.csv", "out.parquet"):
        assert "row 230" in intake.answer_refusal(tabular, "score", path, out)


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
    message = intake.answer_refusal(pictorial, "score", intake.file(name, content))
    assert all(part in message for part in parts), message


@pytest.mark.parametrize("name", ["out.txt", "out", "out.CSV", "out.png", "out.npz"])
def test_answers_of_an_unknown_kind_are_refused_with_the_known_ones(
    intake: Intake, tabular: TrainedModel, name: str
):
    message = intake.answer_refusal(tabular, "score", intake.file("a.csv", csv(GOOD)), name)
    assert message.endswith("answers are written as .csv, .parquet, .npy")


@pytest.mark.parametrize("op", ["score", "reconstruct"])
def test_answers_with_text_are_no_array(intake: Intake, tabular: TrainedModel, op: str):
    message = intake.answer_refusal(tabular, op, intake.file("a.csv", csv(GOOD)), "out.npy")
    assert message == "out.npy: the answers hold text; choose .csv or .parquet"


def test_codes_are_no_picture(intake: Intake, pictorial: TrainedModel):
    images = intake.array("a.npy", np.zeros((4, 6, 5, 3), np.uint8))
    assert "a picture needs images of 90 values" in intake.answer_refusal(
        pictorial, "encode", images, "out.png"
    )


def refusal(model: TrainedModel, op: str, rows: Any, **settings: Any) -> str:
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
    for model_type, model in untrained.items():
        if model_type != "variational":
            assert (
                refusal(model, "sample", None)
                == f"op = sample: needs the variational type, but this model is {model_type}"
            )


@pytest.mark.parametrize(("rows", "steps"), [(1, 9), (3, 9), (0, 9), (2, 1), (2, 0), (2, -5)])
def test_a_line_needs_two_ends_and_two_steps(tabular: TrainedModel, rows: int, steps: int):
    first_rows = {name: values[:rows] for name, values in GOOD.items()}
    message = refusal(tabular, "interpolate", pd.DataFrame(first_rows), steps=steps)
    expected = f"op = interpolate: {rows} rows, steps = {steps}"
    if not rows:
        expected = "op = interpolate: no rows"
    assert expected in message


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
    return table_of(answer(model, "score", values))


def test_columns_in_another_order_give_the_same_answers(intake: Intake, tabular: TrainedModel):
    for i, names in enumerate([list(GOOD), list(reversed(GOOD))]):
        path = intake.file("a.csv", csv({name: GOOD[name] for name in names}))
        answer_file(tabular, "score", path, intake.folder / f"{i}.csv", 0.05)
    assert (intake.folder / "0.csv").read_bytes() == (intake.folder / "1.csv").read_bytes()


def test_columns_that_the_model_does_not_know_are_left_out_and_noted(
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
        ("a.parquet", parquet_table(GOOD)),
        (
            "a.parquet",
            parquet_table(
                pa.table(GOOD).set_column(2, "colour", pa.array(GOOD["colour"]).dictionary_encode())
            ),
        ),
        (
            "a.parquet",
            parquet_table(
                pa.table(GOOD).set_column(2, "colour", pa.array(GOOD["colour"], pa.large_string()))
            ),
        ),
        (
            "a.parquet",
            parquet_table(
                pa.table(GOOD).set_column(1, "width", pa.array(GOOD["width"], pa.uint16()))
            ),
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
        ("semicolons.csv", csv(GOOD, ";").encode()),
        ("bars.csv", csv(GOOD, "|").encode()),
        ("blanks.csv", csv(GOOD, "   ").encode()),
        ("of a spreadsheet.csv", b"sep=;\n" + csv(GOOD, ";").encode()),
        ("with comments.csv", b"# a sensor\n# in a hall\n" + GOOD_CSV),
        ("UTF-16.csv", csv(GOOD).encode("utf-16")),
        ("with a mark.csv", csv(GOOD).encode("utf-8-sig")),
        ("trailing.csv", csv({**GOOD, "": [""] * N, " ": [""] * N}).encode()),
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
    prepared = intake.load(path)
    assert prepared.description.schema == tabular.description.schema
    assert prepared.description.split_sha256 == tabular.description.split_sha256
    np.testing.assert_array_equal(prepared.shift, tabular.shift)
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
    "a.parquet": parquet_table({name: values[:60] for name, values in GOOD.items()}),
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
    with_it, without = (scores(tabular, pd.DataFrame(table)) for table in (GOOD, lacking("unit")))
    pd.testing.assert_frame_equal(with_it, without)
