"""Raw rows: labels and columns that are left out; settings that don't fit the source."""

import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from autoencoders.data.prepared.prepared import SPLITS
from contents import GOOD, ROWS, N, png
from intake import Intake, columns, csv, numbered, numbers


@pytest.mark.parametrize(
    ("y", "anomaly"), [([0, 1], True), ([1, 2], False), ([0, 1, 2], False), (["0", "1"], True)]
)
def test_an_npz_whose_labels_are_0_and_1_means_anomalies_unless_a_setting_says_otherwise(
    intake: Intake, y: list[Any], anomaly: bool
):
    path = intake.source / "a.npz"
    np.savez(path, X=numbered(60), y=np.resize(y, 60))
    assert intake.load(path).description.anomaly_labels == anomaly
    assert not intake.load(path, label_means="class").description.anomaly_labels


def test_classes_are_in_order_and_their_names_are_the_users(intake: Intake):
    values = {"n": list(range(60)), "class": [10, 9, 100] * 20}
    prepared = intake.load(intake.file("a.csv", csv(values)), label="class", keep=["n"])
    assert prepared.description.labels == ("9", "10", "100")
    for split in SPLITS:
        np.testing.assert_array_equal(
            prepared.labels[split], np.array([1, 0, 2])[np.array(numbers(prepared, split)) % 3]
        )


def test_a_folder_of_images_has_its_sub_folders_as_classes(intake: Intake):
    for i in range(30):
        path = intake.source / ("cat", "dog")[i % 2] / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((8, 8), i, np.uint8)).save(path)
    prepared = intake.load(intake.source)
    assert prepared.description.labels == ("cat", "dog")
    for split in SPLITS:
        np.testing.assert_array_equal(prepared.labels[split], prepared.sample(split)[:, 0] % 2)
        assert prepared.rows[split].dtype == np.uint8


@pytest.mark.parametrize(
    "values", [{"label": "y"}, {"ignore": ["x0"]}, {"split": "column:x0"}, {"split": "time:x0"}]
)
def test_columns_of_what_has_no_names_can_not_be_named(intake: Intake, values: dict[str, Any]):
    assert "the source has none with names" in intake.refusal(intake.array("a.npy", ROWS), **values)


def test_anomalies_may_be_a_folder_of_images(intake: Intake):
    for i in range(40):
        intake.file(f"images/{('good', 'broken')[i % 4 == 0]}/{i}.png", png(seed=i))
    prepared = intake.load(intake.source / "images", label_means="anomaly")
    assert prepared.description.labels == ("good", "broken")
    assert sum(int(labels.sum()) for labels in prepared.labels.values()) == 10


@pytest.mark.parametrize(
    ("labels", "anomaly"),
    [
        ([0, 1], "1"),
        ([1, 0], "1"),  # although 0 is rarer
        ([1, -1], "-1"),
        ([-1, 1], "1"),
        (["True", "False"], "True"),
        (["fine", "odd"], "odd"),
        (["normal", "odd"], "odd"),
        (["odd", "normal"], "odd"),
        (["fault", "ok"], "fault"),
    ],
)
def test_the_anomaly_of_two_labels_is_the_one_by_its_name_else_the_rarer(
    intake: Intake, labels: list[Any], anomaly: str
):
    """The first label is the commoner one."""
    values = {**GOOD, "y": [labels[i % 5 == 0] for i in range(N)]}
    prepared = intake.load(
        intake.file("a.csv", csv(values)), label="y", label_means="anomaly", ignore=["unit"]
    )
    assert prepared.description.anomaly_labels
    assert prepared.description.labels is not None
    assert prepared.description.labels[1] == anomaly


@pytest.mark.parametrize(
    ("labels", "is_noted"),
    [
        ([-1, 1], True),
        (["normal", "anomaly"], True),
        (["ok", "scratch"], True),
        (["cat", "dog"], False),
        ([1, 2], False),
        ([-1, 0, 1], False),
    ],
)
def test_classes_that_may_mean_anomalies_are_noted_where_no_setting_says_so(
    intake: Intake, labels: list[Any], is_noted: bool
):
    y = np.array([labels[i % len(labels)] for i in range(N)])
    path = intake.source / "a.npz"
    np.savez(path, X=numbered(N), y=y)
    classes = " and ".join(sorted(map(str, labels)))
    note = (
        f"labels {classes} are two classes; if one of them means an anomaly, set "
        "data.label_means: anomaly"
    )
    for means in ("auto", "class"):
        assert not intake.load(path, label_means=means).description.anomaly_labels
        told = json.loads((intake.prepared / "report.json").read_text())["told"]
        assert (note in told) == (is_noted and means == "auto")


BLANKS = {
    **GOOD,
    "y": [("ok", " ok", "bad ", "ok ")[i % 4] for i in range(N)],
    "part": [("train", " train", "validation ", "test")[i // 4 % 4] for i in range(N)],
}
NAMED: dict[str, Any] = {"label": "y", "ignore": ["unit"], "split": "column:part"}


def test_blanks_around_labels_and_names_of_splits_mean_nothing(intake: Intake):
    prepared = intake.load(intake.file("a.csv", csv(BLANKS)), label_means="anomaly", **NAMED)
    assert prepared.description.labels == ("ok", "bad")
    assert prepared.description.rows["train"] >= N // 2


def test_a_label_of_blanks_is_missing(intake: Intake):
    path = intake.file("a.csv", csv({**BLANKS, "y": [*BLANKS["y"][:4], " ", *BLANKS["y"][5:]]}))
    assert "label y: row 5 has no value" in intake.refusal(path, **NAMED)


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


# --- settings that don't fit the table: (values, parts of the message) ---


SETTINGS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a label that does not exist": (
        {"label": "class"},
        ["no column class", "length, width, colour, unit"],
    ),
    "an ignored column that does not exist": (
        {"ignore": ["colour", "color"]},
        ["data.ignore", "no column color;"],
    ),
    "a label with a gap": ({"label": "class"}, ["label class: row 5 has no value"]),
    "a label of numbers with a gap": ({"label": "number"}, ["label number: row 5 has no value"]),
    "anomalies of three labels": (
        {"label": "colour", "label_means": "anomaly"},
        ["data.label_means = anomaly: needs two labels, found blue, green, red"],
    ),
    "anomalies without a label": ({"label_means": "anomaly"}, ["needs two labels, found none"]),
    "one class of anomalies": (
        {"label": "zeros", "label_means": "anomaly"},
        ["needs two labels, found 0"],
    ),
    "a label of a thousand values": ({"label": "id"}, ["label id: 1200 values"]),
    "pixels of a table": ({"scaling": "pixels"}, ["data.scaling = pixels: needs images"]),
    "every column ignored": ({"ignore": list(GOOD)}, ["no features"]),
}
MORE: dict[str, dict[str, list[Any]]] = {
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
    good = columns(1200) if "id" in more else GOOD
    table = {**good, **more}
    written = {name: ["" if v is None else v for v in column] for name, column in table.items()}
    message = intake.refusal(intake.file("a.csv", csv(written)), **values)
    assert all(part in message for part in parts), message


def test_the_column_of_ids_is_no_feature_and_is_kept_in_the_schema(intake: Intake):
    values = {"id": [f"{i % 30:04}" for i in range(N)], **GOOD}
    path = intake.file("a.csv", csv(values))
    schema = intake.load(path, id="id").description.schema
    assert schema.id_column == "id"
    assert [column.name for column in schema.columns] == list(GOOD)
    assert intake.load(path, ignore=["id"]).description.schema.id_column == ""


def test_ids_of_several_types_are_read_as_text(intake: Intake):
    values = {"id": [*range(N - 1), "A7"], **GOOD}
    assert intake.load(intake.file("a.csv", csv(values)), id="id").description.rows["train"]


@pytest.mark.parametrize("also", [{"ignore": ["t"]}, {"split": "time:t"}])
def test_the_column_of_ids_may_be_ignored_too_and_split_the_rows(
    intake: Intake, also: dict[str, Any]
):
    values: dict[str, Any] = {"n": range(N), "t": range(N), **GOOD}  # as text, 10 comes before 9
    settings = {"keep": ["n"], **also}
    path = intake.file("a.csv", csv(values))
    prepared = intake.load(path, id="t", **settings)
    assert [column.name for column in prepared.description.schema.columns] == ["n", *GOOD]
    without = intake.load(path, **{"ignore": [] if "split" in also else ["t"], **settings})
    assert numbers(prepared, "test") == numbers(without, "test")


def test_the_column_of_ids_changes_no_split(intake: Intake):
    path = intake.file("a.csv", csv({"id": [f"part {i}" for i in range(N)], **GOOD}))
    with_ids = intake.load(path, id="id").description
    without = intake.load(path).description
    assert with_ids.split_sha256 == without.split_sha256
    assert with_ids.schema == without.schema  # the same features


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"id": "part"}, "data.id: no column part; the source has id, row, length"),
        ({"id": "colour", "label": "colour"}, "data.id = colour: is the label"),
        ({"id": "id", "keep": ["id"]}, "data.keep and data.id: both name id"),
        ({"id": "row"}, "data.id = row: answers have a column of this name themselves; rename it"),
    ],
)
def test_a_column_that_can_not_name_the_rows_is_refused(
    intake: Intake, values: dict[str, Any], reason: str
):
    path = intake.file("a.csv", csv({"id": range(N), "row": range(N), **GOOD}))
    message = intake.refusal(path, **values)
    assert message.startswith(reason)


def test_an_array_has_no_column_of_ids(intake: Intake):
    assert "the source has none" in intake.refusal(intake.array("a.npy", ROWS), id="x0")
