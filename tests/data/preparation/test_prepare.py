"""Preparation of a source: the same bytes again, a scaling fitted to training rows."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from autoencoders.core.errors import DataError
from autoencoders.data.preparation import prepare as module
from autoencoders.data.preparation.plan import rehearse
from autoencoders.data.preparation.prepare import prepare
from autoencoders.data.preparation.survey import Survey
from autoencoders.data.prepared.prepared import NUMBERS, SPLITS, content_sha256, load_prepared
from autoencoders.data.readers import reader
from autoencoders.data.sources.origin import Origin
from autoencoders.params.params import Params
from contents import GOOD, ROWS, N
from intake import Intake, csv, everything, numbered, numbers
from repository import ROOT

FILES = {"prepared.json", "report.json", "shift.npy", "scale.npy", "mean.npy", "fences.npy"}
FILES |= {NUMBERS}
FILES |= {f"{split}{part}.npy" for split in SPLITS for part in ("", "_labels")}


def reported(intake: Intake) -> dict[str, Any]:
    return json.loads((intake.prepared / "report.json").read_text())


# --- the same again ---


def test_two_prepares_write_the_same_bytes(intake: Intake):
    path = intake.file("a.csv", csv(GOOD))
    writes = []
    for _ in range(2):
        intake.stages(intake.section(path, label="colour"))
        writes.append(everything(intake.prepared))
    assert writes[0] == writes[1]
    assert set(writes[0]) == FILES


@pytest.mark.parametrize("size", [300, 5000])
def test_how_the_file_is_cut_changes_nothing(
    intake: Intake, monkeypatch: pytest.MonkeyPatch, size: int
):
    path = intake.file("a.csv", csv(GOOD))
    whole = intake.load(path)
    monkeypatch.setattr(reader, "BATCH_BYTES", size)
    cut = intake.load(path)
    assert cut.description.schema == whole.description.schema
    assert cut.description.split_sha256 == whole.description.split_sha256
    for split in SPLITS:
        np.testing.assert_array_equal(cut.sample(split), whole.sample(split))
    np.testing.assert_allclose(cut.shift, whole.shift, rtol=1e-6)
    np.testing.assert_allclose(cut.scale, whole.scale, rtol=1e-6)


def test_csv_and_parquet_of_the_same_table_give_the_same_arrays(intake: Intake):
    parquet.write_table(pa.table(GOOD), intake.source / "a.parquet")
    writes = []
    for path in (intake.file("a.csv", csv(GOOD)), intake.source / "a.parquet"):
        intake.stages(intake.section(path, name="same", label="colour"))
        writes.append(
            {n: content for n, content in everything(intake.prepared).items() if n.endswith(".npy")}
        )
    assert writes[0] == writes[1]


def test_a_source_that_changes_by_a_byte_has_another_hash(intake: Intake):
    path = intake.file("a.csv", csv(GOOD))
    first = intake.load(path).description
    intake.file("a.csv", csv(GOOD) + "\n")
    second = intake.load(path).description
    assert first.source_sha256 != second.source_sha256
    assert first.content_sha256 == second.content_sha256


def test_the_test_rows_numbers_are_those_in_the_source_and_change_no_hash(intake: Intake):
    prepared = intake.load(intake.array("a.npy", numbered(100)))
    np.testing.assert_array_equal(prepared.test_numbers, prepared.sample("test")[:, 0] + 1)
    before = content_sha256(intake.prepared)
    (intake.prepared / NUMBERS).unlink()
    assert content_sha256(intake.prepared) == before == prepared.description.content_sha256
    assert len(load_prepared(intake.prepared).test_numbers) == 0


# --- scaling ---


SCALINGS = {
    "minmax": lambda x: (x.min(0), x.max(0) - x.min(0)),
    "standard": lambda x: (x.mean(0), x.std(0)),
    "robust": lambda x: (np.median(x, 0), np.quantile(x, 0.75, 0) - np.quantile(x, 0.25, 0)),
    "none": lambda x: (np.zeros(x.shape[1]), np.ones(x.shape[1])),
}


def test_scaling_changes_the_content_and_not_the_split(intake: Intake):
    path = intake.array("a.npy", numbered(100))
    descriptions = [
        intake.load(path, scaling=scaling).description
        for scaling in ("minmax", "standard", "robust", "none")
    ]
    assert len({description.split_sha256 for description in descriptions}) == 1
    assert len({description.content_sha256 for description in descriptions}) == 4


@pytest.mark.parametrize("shape", [(300, 5), (300, 4, 3)])
@pytest.mark.parametrize("scaling", SCALINGS)
def test_shift_and_scale_are_their_closed_forms_on_the_training_rows(
    intake: Intake, scaling: str, shape: tuple[int, ...]
):
    rows = np.random.default_rng(0).normal(5, 3, shape)
    prepared = intake.load(intake.array("a.npy", rows), scaling=scaling)
    shift, scale = SCALINGS[scaling](prepared.sample("train").astype(np.float64))
    np.testing.assert_allclose(prepared.shift, shift, rtol=1e-5)
    np.testing.assert_allclose(prepared.scale, scale, rtol=1e-5)
    np.testing.assert_allclose(
        prepared.scaled(prepared.sample("test")),
        (prepared.sample("test") - shift) / scale,
        atol=1e-4,
    )
    assert prepared.description.scaling == scaling


def test_the_scaling_is_fitted_on_the_training_rows_alone(intake: Intake):
    rows = numbered(300)
    path = intake.array("a.npy", rows)
    for scaling in SCALINGS:
        first = intake.load(path, scaling=scaling)
        changed = rows.copy()
        changed[numbers(first, "test") + numbers(first, "validation"), 1:] *= 1000
        second = intake.load(intake.array("b.npy", changed), scaling=scaling)
        assert second.sample_in_full("test")[:, 1:].std() > 100
        for name in ("shift", "scale", "mean"):
            np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
        changed[numbers(first, "train")[:20], 1:] = -1e6
        third = intake.load(intake.array("c.npy", changed), scaling=scaling)
        assert (third.shift != first.shift).any() == (scaling != "none")


@pytest.mark.parametrize(
    ("values", "shift", "white"),
    [
        (np.array([0, 200], np.uint8), 0, 255),
        (np.array([0, 255], np.uint8), 0, 255),
        (np.array([0.0, 1.0]), 0, 1),
        (np.array([0.0, 0.3]), 0, 1),
        (np.array([-1.0, 1.0]), -1, 1),
        (np.array([-2.0, 0.5]), -2, 1),
        (np.array([0, 16]), 0, 16),  # scikit-learn's digits
        (np.array([0, 100], np.uint8), 0, 100),
        (np.array([0, 60_000], np.uint16), 0, 65_535),
        (np.array([0, 1000], np.uint16), 0, 1000),
        (np.array([0, 4095]), 0, 4095),
        (np.array([-1024, 3000]), -1024, 3000),
    ],
)
def test_pixels_are_scaled_from_black_to_white(
    intake: Intake, values: np.ndarray, shift: float, white: float
):
    images = np.random.default_rng(0).choice(values, (200, 8, 8))
    prepared = intake.load(intake.array("a.npy", images))
    assert prepared.description.scaling == "pixels"
    np.testing.assert_array_equal(prepared.shift, np.full(64, shift))
    np.testing.assert_array_equal(prepared.scale, np.full(64, white - shift))
    x = prepared.scaled(prepared.sample("test"))
    assert 0 <= x.min() < x.max() <= 1
    assert prepared.description.unit_interval


def test_a_brighter_test_pixel_leaves_the_unit_interval_and_is_known_to(intake: Intake):
    images = np.random.default_rng(0).uniform(0, 1, (100, 4, 4))
    images[-20:] += 1
    (intake.raw / "files").mkdir(parents=True)
    np.save(intake.raw / "files" / "X.npy", images)
    (intake.raw / "source.json").write_text('{"test_rows": 20}')
    assert not prepare(intake.raw, intake.prepared, intake.params.data).unit_interval


@pytest.mark.parametrize("scaling", ["standard", "robust", "minmax"])
def test_what_hardly_varies_is_never_divided_by_nothing(intake: Intake, scaling: str):
    rows = np.random.default_rng(0).normal(size=(200, 3))
    rows[:, 1] = np.arange(200) == 0  # nearly constant: no interquartile range
    rows[:, 2] *= 1e-44  # deviations that 32 bits don't hold
    prepared = intake.load(intake.array("a.npy", rows), scaling=scaling)
    assert (prepared.scale > 0).all()
    assert np.isfinite(prepared.scaled(prepared.sample("test"))).all()


def test_pixels_of_an_array_of_columns_are_refused(intake: Intake):
    assert "data.scaling = pixels: needs images" in intake.refusal(
        intake.array("a.npy", ROWS), scaling="pixels"
    )


def test_pixels_that_are_no_picture_are_refused(intake: Intake):
    small = np.random.default_rng(0).normal(size=(60, 4, 12))
    assert "too small for pictures" in intake.refusal(intake.array("a.npy", small))


# --- gross outliers ---


MEASURED = np.random.default_rng(0).normal([50, 20], [5, 2], (500, 2)).round(3)
SENTINELS = [-9999.0, 65535.0, 1e12]


def with_sentinels() -> np.ndarray:
    """Measurements, of which one row in a hundred has a sentinel in the first column."""
    rows = MEASURED.copy()
    rows[::100, 0] = [SENTINELS[i % 3] for i in range(5)]
    return rows


def written(intake: Intake, rows: np.ndarray, form: str) -> Path:
    """The rows as a file of a form."""
    table = pd.DataFrame(rows, columns=["a", "b"])
    if form == "csv":
        return intake.file("a.csv", table.to_csv(index=False))
    if form == "parquet":
        table.to_parquet(intake.source / "a.parquet")
        return intake.source / "a.parquet"
    return intake.array("a.npy", rows)


@pytest.mark.parametrize("form", ["csv", "parquet", "array"])
@pytest.mark.parametrize("scaling", ["minmax", "standard", "robust"])
def test_shift_and_scale_are_those_of_the_other_training_rows(
    intake: Intake, scaling: str, form: str
):
    prepared = intake.load(written(intake, with_sentinels(), form), scaling=scaling)
    train = prepared.rows["train"].in_full().read().astype(np.float64)
    others = train[train[:, 0] == train[:, 0].clip(0, 100)]
    assert len(others) < len(train)
    shift, scale = SCALINGS[scaling](others)
    tolerance = 0.05 if scaling == "robust" else 1e-5  # quartiles take all rows, and move by little
    np.testing.assert_allclose(prepared.shift[0], shift[0], rtol=tolerance)
    np.testing.assert_allclose(prepared.scale[0], scale[0], rtol=tolerance)
    shift, scale = SCALINGS[scaling](train)
    np.testing.assert_allclose(prepared.shift[1], shift[1], rtol=1e-5)
    np.testing.assert_allclose(prepared.scale[1], scale[1], rtol=1e-5)


@pytest.mark.parametrize("scaling", ["minmax", "standard", "robust"])
def test_without_outliers_the_scaling_is_bit_for_bit_that_of_all_rows(
    intake: Intake, monkeypatch: pytest.MonkeyPatch, scaling: str
):
    path = written(intake, MEASURED, "csv")
    prepared = intake.load(path, scaling=scaling)
    monkeypatch.setattr("autoencoders.data.preparation.plan.gross_outliers", lambda _: [])
    of_all = intake.load(path, scaling=scaling)
    for name in ("shift", "scale", "mean"):
        np.testing.assert_array_equal(getattr(prepared, name), getattr(of_all, name), strict=True)
    for split in SPLITS:
        np.testing.assert_array_equal(prepared.sample(split), of_all.sample(split), strict=True)
    assert prepared.fences is not None
    assert of_all.fences is None


@pytest.mark.parametrize("scaling", ["minmax", "standard", "robust"])
def test_rows_are_stored_in_full_and_read_clipped(intake: Intake, scaling: str):
    rows = with_sentinels()
    prepared = intake.load(written(intake, rows, "array"), scaling=scaling)
    in_full = np.concatenate([prepared.rows[split].in_full().read() for split in SPLITS])
    np.testing.assert_array_equal(np.sort(in_full, 0), np.sort(rows.astype(np.float32), 0))
    train = prepared.sample("train")
    full = prepared.rows["train"].in_full().read()
    is_sentinel = np.isin(full, np.array(SENTINELS, np.float32))
    np.testing.assert_array_equal(train[~is_sentinel], full[~is_sentinel])
    others = full[~is_sentinel[:, 0], 0]
    assert set(train[is_sentinel]) <= {others.min(), others.max()}
    np.testing.assert_allclose(prepared.mean, train.mean(0, dtype=np.float64), rtol=1e-6)
    if scaling == "minmax":
        x = prepared.scaled(train)
        assert (x.min(), x.max()) == (0, 1)


@pytest.mark.parametrize("settings", [{"scaling": "none"}, {}], ids=["none", "images"])
def test_without_scaling_by_columns_there_are_no_fences(intake: Intake, settings: dict[str, Any]):
    rows = with_sentinels()
    if not settings:
        rows = np.random.default_rng(0).integers(0, 255, (100, 8, 8)).astype(np.uint8)
    prepared = intake.load(intake.array("a.npy", rows), **settings)
    assert prepared.fences is None
    assert not (intake.prepared / "fences.npy").exists()
    assert prepared.sample("train").max() == prepared.rows["train"].in_full().read().max()


def test_a_sentinel_has_one_note_which_the_inspection_gives_too(intake: Intake):
    path = written(intake, with_sentinels(), "csv")
    intake.load(path)
    notes = reported(intake)["told"]
    (note,) = [note for note in notes if "interquartile ranges away" in note]
    assert note.startswith("column a: ")
    assert sum("column a" in note for note in notes) == 1
    assert rehearse(path, intake.section(path), Origin()) == notes


@pytest.mark.parametrize(("split", "row"), [("validation", 350), ("test", 450)])
def test_a_sentinel_that_only_a_held_out_row_has_is_clipped_and_noted(
    intake: Intake, split: str, row: int
):
    table = pd.DataFrame(MEASURED, columns=["a", "b"])
    table["split"] = ["train"] * 300 + ["validation"] * 100 + ["test"] * 100
    table.loc[row, "b"] = -9999
    path = intake.file("a.csv", table.to_csv(index=False))
    prepared = intake.load(path, split="column:split")
    assert prepared.rows[split].in_full().read().min() == -9999
    assert prepared.sample(split)[50, 1] == prepared.sample("train")[:, 1].min()
    assert reported(intake)["told"] == [
        "column b: -9999 in 1 validation or test row lies far from all training rows; errors "
        "take the nearest training value"
    ]


# --- columns ---


def test_categories_stay_0_and_1_and_constants_come_back(intake: Intake):
    prepared = intake.load(intake.file("a.csv", csv(GOOD)))
    schema = prepared.description.schema
    assert schema.features == [
        "length",
        "width",
        "colour=blue",
        "colour=green",
        "colour=red",
        "colour=other",
    ]
    np.testing.assert_array_equal(prepared.shift[2:], 0)
    np.testing.assert_array_equal(prepared.scale[2:], 1)
    decoded = pd.concat([pd.DataFrame(schema.decode(prepared.sample(split))) for split in SPLITS])
    expected = pd.DataFrame(GOOD).sort_values(["length", "width"], ignore_index=True)
    found_rows = decoded.sort_values(["length", "width"], ignore_index=True)
    np.testing.assert_allclose(
        found_rows[["length", "width"]], expected[["length", "width"]], rtol=1e-6
    )
    pd.testing.assert_frame_equal(
        found_rows[["colour", "unit"]], expected[["colour", "unit"]], check_dtype=False
    )


def test_values_in_constant_columns_that_no_training_row_had_are_counted_by_row(intake: Intake):
    split = ["train"] * 120 + ["validation"] * 60 + ["test"] * 60
    unit = ["cm"] * 120 + ["mm"] * 3 + ["cm"] * 57 + ["cm"] * 59 + ["mm"]
    table = csv({**GOOD, "unit": unit, "split": split})
    prepared = intake.load(intake.file("a.csv", table), split="column:split")
    assert not prepared.n_novel["train"].any()
    assert prepared.n_novel["validation"].tolist() == [1] * 3 + [0] * 57
    assert prepared.clean_novel("validation").tolist() == [1] * 3 + [0] * 57
    assert prepared.n_novel["test"].tolist() == [0] * 59 + [1]


def test_without_such_values_no_row_has_one(intake: Intake):
    prepared = intake.load(intake.file("a.csv", csv(GOOD)))
    assert not list(intake.prepared.glob("*_novel.npy"))
    for split in SPLITS:
        assert prepared.n_novel[split].tolist() == [0] * prepared.description.rows[split]


def test_a_number_named_like_a_category_keeps_its_own_scaling(intake: Intake):
    values: dict[str, list[Any]] = {
        "colour": ["red", "blue"] * 30,
        "colour=red": [float(i) for i in range(60)],
    }
    path = intake.file("a.csv", csv(values))
    prepared = intake.load(path, scaling="minmax", keep=["colour=red"])
    train = prepared.sample("train")
    np.testing.assert_array_equal(prepared.shift, [0, 0, 0, train[:, 3].min()])
    np.testing.assert_array_equal(prepared.scale, [1, 1, 1, np.ptp(train[:, 3])])


@pytest.mark.parametrize("scaling", ["auto", "minmax", "robust", "none"])
def test_a_table_of_categories_alone_is_prepared(intake: Intake, scaling: str):
    prepared = intake.load(intake.file("a.csv", csv({"colour": GOOD["colour"]})), scaling=scaling)
    assert prepared.description.schema.n_features == 4
    np.testing.assert_array_equal(prepared.sample("train").sum(1), 1)


def test_a_category_of_test_rows_alone_takes_the_place_of_others(intake: Intake):
    values: dict[str, list[Any]] = {"n": list(range(60)), "kind": ["a", "b"] * 25 + ["c"] * 10}
    values["part"] = ["train"] * 40 + ["validation"] * 10 + ["test"] * 10
    path = intake.file("a.csv", csv(values))
    prepared = intake.load(path, split="column:part", keep=["n"])
    assert prepared.description.schema.features == ["n", "kind=a", "kind=b", "kind=other"]
    np.testing.assert_array_equal(prepared.sample("test")[:, 1:], [[0, 0, 1]] * 10)


def test_imputed_values_are_the_training_rows_median_and_mode(intake: Intake):
    values = {name: list(column) for name, column in GOOD.items()}
    for row in (3, 50, 99):
        values["length"][row], values["colour"][row] = "", ""
    values["n"] = list(range(N))
    path = intake.file("a.csv", csv(values))
    prepared = intake.load(path, missing="impute", ignore=["width"], keep=["n"])
    features = prepared.description.schema.features
    train = [
        i
        for i in prepared.sample("train")[:, features.index("n")].astype(int)
        if i not in (3, 50, 99)
    ]
    median = np.median([values["length"][i] for i in train])
    counts = pd.Series([values["colour"][i] for i in train]).value_counts()
    for split in SPLITS:
        rows = prepared.sample(split)
        for row in rows[np.isin(rows[:, features.index("n")], [3, 50, 99])]:
            assert row[0] == pytest.approx(median)
            assert row[features.index(f"colour={min(counts[counts == counts.max()].index)}")] == 1


def test_labels_ignored_columns_and_dates_are_no_features_and_are_noted(intake: Intake):
    values = {
        **GOOD,
        "when": ["2020-01-02"] * N,
        "id": list(range(N)),
        "ill": [i % 2 for i in range(N)],
    }
    prepared = intake.load(
        intake.file("a.csv", csv(values)),
        label="ill",
        label_means="anomaly",
        ignore=["id", "colour"],
    )
    assert prepared.description.schema.features == ["length", "width"]
    assert prepared.description.anomaly_labels
    assert prepared.description.labels == ("0", "1")
    report = reported(intake)
    assert report["told"] == [
        "left out, as dates: when (data.split: time:when would test on the latest rows)"
    ]
    assert report["labels"] == {"0": N // 2, "1": N // 2}
    normal = prepared.labels["validation"] == 0
    np.testing.assert_array_equal(
        prepared.clean("validation"), prepared.sample("validation")[normal]
    )


# --- what is written beside ---


def test_the_description_says_what_the_arrays_hold(intake: Intake):
    prepared = intake.load(intake.array("a.npy", numbered(100)))
    rows = np.concatenate([prepared.sample(split) for split in SPLITS])
    assert prepared.description.rows == {name: len(prepared.rows[name]) for name in SPLITS}
    assert (prepared.description.minimum, prepared.description.maximum) == (rows.min(), rows.max())
    assert prepared.description.facts.rows == len(prepared.rows["train"])
    np.testing.assert_allclose(prepared.mean, prepared.sample("train").mean(0), rtol=1e-5)


def test_the_report_counts_duplicates_rows_and_range(
    intake: Intake, monkeypatch: pytest.MonkeyPatch
):
    rows = numbered(60)
    rows[[7, 30, 59]] = rows[3]
    intake.stages(intake.section(intake.array("a.npy", rows)))
    report = reported(intake)
    assert (report["rows"], report["duplicates"]) == (60, 3)
    assert report["range"] == [np.float32(rows.min()), np.float32(rows.max())]
    assert [column["column"] for column in report["columns"]] == ["x0", "x1", "x2", "x3"]
    monkeypatch.setattr(module, "COMPARED_ROWS", 1)
    monkeypatch.setattr(
        reader, "BATCH_BYTES", 20 * rows[0].nbytes
    )  # the first batch ends before row 30
    intake.stages(intake.section(intake.source / "a.npy"))
    assert reported(intake)["duplicates"] == 1


def test_a_failing_write_leaves_the_prepared_folder_as_it_was(
    intake: Intake, monkeypatch: pytest.MonkeyPatch
):
    data = intake.section(intake.array("a.npy", numbered(60)))
    intake.stages(data)
    before = everything(intake.prepared)

    def full(path: Path, array: np.ndarray, **options: object) -> None:
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(OSError, match="disk full"):
        prepare(intake.raw, intake.prepared, data.model_copy(update={"split_seed": 99}))
    assert everything(intake.prepared) == before
    assert sorted(path.name for path in intake.data.iterdir()) == ["prepared", "raw"]


def test_rows_that_can_not_be_counted_twice_the_same_are_no_reason_to_write(intake: Intake):
    with pytest.raises(DataError, match="rows leave"):
        intake.load(intake.array("a.npy", numbered(3)))
    assert not intake.prepared.exists()


# --- memory ---


MEASURE = """
import resource, sys
from pathlib import Path
from autoencoders.data.preparation import survey
from autoencoders.data.readers import reader
from autoencoders.data.preparation.prepare import prepare
from autoencoders.data.sources.source import download
from autoencoders.params.params import load_params

import PIL.Image

def peak():
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

# small buffers, so that the file's own size would stand out
reader.BATCH_BYTES = 2**20
survey.SAMPLE = 2**18
data = load_params(Path(sys.argv[1])).override({"data.path": sys.argv[2]}).data
download(data, Path(sys.argv[3], "raw"))
before = peak()
prepare(Path(sys.argv[3], "raw"), Path(sys.argv[3], "prepared"), data)
print(peak() - before)
"""


def test_a_file_of_300_megabytes_is_prepared_in_a_fraction_of_them(intake: Intake):
    path, rows = intake.source / "a.npy", 75_000
    images = np.lib.format.open_memmap(path, "w+", np.uint8, (rows, 64, 64))
    images[::1000] = np.random.default_rng(0).integers(0, 256, (75, 64, 64), np.uint8)
    del images
    size = path.stat().st_size
    assert size > 300_000_000
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, ROOT / "params.yaml", path, intake.data],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < size / 3
    assert sum(load_prepared(intake.prepared).description.rows.values()) == rows


# --- binary rows ---


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_held_out_rows_are_drawn_once_with_their_pixels_as_probabilities(
    intake: Intake, dtype: type
):
    white = 255 if dtype is np.uint8 else 1
    images: np.ndarray = np.full((4000, 2, 3), 0.25 * white).astype(dtype)
    images[:, 0, 0], images[:, 1, 2] = 0, white
    path = intake.array("images.npy", images)
    prepared = intake.load(path, binarise=True)
    drawn = prepared.scaled(prepared.sample("test"))
    assert set(np.unique(drawn)) == {0.0, 1.0}
    assert (drawn[:, 0] == 0).all()
    assert (drawn[:, 5] == 1).all()
    assert drawn[:, 1:5].mean() == pytest.approx(0.25, abs=0.03)
    assert set(np.unique(prepared.sample("train"))) == set(np.unique(images))
    assert prepared.description.binarise
    again = intake.load(path, binarise=True)
    assert np.array_equal(again.sample("test"), prepared.sample("test"))


def test_only_pixels_are_probabilities(intake: Intake):
    message = intake.refusal(intake.array("X.npy", numbered(300)), binarise=True)
    assert (
        "data.binarise = true: needs images with data.scaling = pixels, but it is standard"
        in message
    )


def test_a_training_draws_its_rows_anew_in_each_epoch(intake: Intake, params: Params):
    from autoencoders.training.fit import fit

    images = np.full((200, 2, 3), 51, np.uint8)
    images[:, 1, 2] = 255
    data = intake.load(intake.array("images.npy", images), binarise=True)
    quick = {
        "train.epochs": 2,
        "network.code_size": 2,
        "network.nodes_per_layer": 4,
        "train.learning_rate": 1e-9,
    }
    fitted = fit(
        params.override({**quick, "train.warmup": 0.0}).plan(
            "undercomplete", data.description.facts
        ),
        data,
    )
    first, second = (means["train/reconstruction_loss"] for means in fitted.history)
    assert abs(first - second) > 1e-3  # the same weights, but other rows


def test_the_columns_statistics_are_computed_once(intake: Intake, monkeypatch: pytest.MonkeyPatch):
    calls = []
    computed = Survey.report

    def counted(survey: Survey) -> list[dict[str, Any]]:
        calls.append(survey)
        return computed(survey)

    monkeypatch.setattr(Survey, "report", counted)
    intake.load(intake.file("a.csv", csv(GOOD)))
    assert len(calls) == 1


def test_pixels_outside_of_the_training_range_are_noted(intake: Intake):
    images = np.random.default_rng(0).integers(0, 60, (80, 9, 9)).astype(float)
    prepared = intake.load(intake.array("a.npy", images))
    assert "brighter" not in (intake.prepared / "report.json").read_text()
    test_row = np.flatnonzero((images == prepared.sample("test")[0].reshape(9, 9)).all((1, 2)))[0]
    images[test_row, 0, :2] = 99, -7
    intake.load(intake.array("a.npy", images))
    told = json.loads((intake.prepared / "report.json").read_text())["told"]
    assert (
        "validation or test pixels are brighter than white (59): up to 99, which is above 1 for a "
        "model"
    ) in told
    assert any("darker than black (0): down to -7" in note for note in told)
