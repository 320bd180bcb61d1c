"""From a source to data/prepared: a fair and repeatable split, and a scaling that knows the training rows alone."""

import json
import os
import subprocess
import sys
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from autoencoders.core.errors import DataError
from autoencoders.data.preparation import prepare as module
from autoencoders.data.preparation.prepare import prepare
from autoencoders.data.prepared.prepared import SPLITS, Prepared, load_prepared
from autoencoders.data.readers import reader
from autoencoders.params.params import Params
from intake import Intake, columns, csv, everything
from repository import ROOT

GOOD = columns()
N = len(GOOD["length"])
FILES = {"prepared.json", "report.json", "shift.npy", "scale.npy", "mean.npy"}
FILES |= {f"{split}{part}.npy" for split in SPLITS for part in ("", "_labels")}


def numbered(n: int, width: int = 4) -> np.ndarray:
    """Rows whose first value is their number, and whose others are random."""
    rows = np.random.default_rng(0).normal(size=(n, width))
    rows[:, 0] = np.arange(n)
    return rows


def numbers(found: Prepared, split: str) -> list[int]:
    """The numbers of a split's rows."""
    return found.sample(split)[:, 0].astype(int).tolist()


def reported(intake: Intake) -> dict[str, Any]:
    return json.loads((intake.prepared / "report.json").read_text())


# --- the split ---


@pytest.mark.parametrize("size", [100, 2**23])
def test_the_splits_are_disjoint_and_together_all_rows_with_their_own_labels(
    intake: Intake, monkeypatch: pytest.MonkeyPatch, size: int
):
    monkeypatch.setattr(reader, "BATCH_BYTES", size)
    intake.array("X.npy", numbered(500))
    intake.array("y.npy", np.arange(500) % 7)
    found = intake.load(intake.source)
    split = {name: numbers(found, name) for name in SPLITS}
    assert sorted(chain(*split.values())) == list(range(500))
    for name in SPLITS:
        np.testing.assert_array_equal(found.labels[name], np.array(split[name]) % 7)
    assert found.description.labels == tuple("0123456")
    assert not found.description.anomaly_labels


@pytest.mark.parametrize(("test", "validation"), [(0.2, 0.15), (0.5, 0.5), (0.01, 0.9)])
def test_the_fractions_are_of_all_rows_for_test_and_of_the_others_for_validation(
    intake: Intake, test: float, validation: float
):
    found = intake.load(
        intake.array("a.npy", numbered(1000)), test_fraction=test, validation_fraction=validation
    )
    n_test = 1000 * test
    n_validation = (1000 - n_test) * validation
    expected = {"train": 1000 - n_test - n_validation, "validation": n_validation, "test": n_test}
    assert found.description.rows == {name: pytest.approx(n) for name, n in expected.items()}


def test_the_split_is_random_and_the_rows_of_each_split_stay_in_order(intake: Intake):
    found = intake.load(intake.array("a.npy", numbered(500)))
    for name in SPLITS:
        steps = np.diff(numbers(found, name))
        assert steps.min() >= 1
        assert steps.max() > 1  # not a block of neighbours


def test_another_split_seed_gives_another_split_of_the_same_sizes(intake: Intake):
    path = intake.array("a.npy", numbered(500))
    first, second = (intake.load(path, split_seed=seed).description for seed in (1, 2))
    assert first.split_sha256 != second.split_sha256
    assert first.content_sha256 != second.content_sha256
    assert first.rows == second.rows


def test_other_rows_or_columns_of_the_same_number_are_another_split(intake: Intake):
    rows = pd.DataFrame(numbered(100)).add_prefix("x")
    loads = [(rows, {}), (rows[::-1], {}), (rows, {"ignore": ["x1"]}), (rows + 1, {})]
    files = [
        (intake.file(f"{i}.csv", csv(values.to_dict("list"))), given)
        for i, (values, given) in enumerate(loads)
    ]
    found = [intake.load(path, **given).description for path, given in files]
    assert len({description.split_sha256 for description in found}) == len(loads)


def test_scaling_changes_the_content_and_not_the_split(intake: Intake):
    path = intake.array("a.npy", numbered(100))
    found = [
        intake.load(path, scaling=scaling).description
        for scaling in ("minmax", "standard", "robust", "none")
    ]
    assert len({description.split_sha256 for description in found}) == 1
    assert len({description.content_sha256 for description in found}) == 4


@pytest.mark.parametrize(
    "times",
    [
        [f"{2000 + i}-01-01" for i in range(100)],
        [f"2020-01-01 00:{i // 60:02}:{i % 60:02}" for i in range(100)],
        list(range(100)),
    ],
    ids=["dates", "times", "numbers"],
)
def test_a_split_by_time_tests_on_the_last_rows_and_validates_on_those_before(
    intake: Intake, times: list[Any]
):
    order = np.random.default_rng(3).permutation(100)
    values = {"n": order.tolist(), "when": [times[i] for i in order]}
    found = intake.load(intake.file("a.csv", csv(values)), split="time:when", test_fraction=0.2)
    assert sorted(numbers(found, "test")) == list(range(80, 100))
    n_validation = found.description.rows["validation"]
    assert sorted(numbers(found, "validation")) == list(range(80 - n_validation, 80))
    assert sorted(numbers(found, "train")) == list(range(80 - n_validation))
    assert found.description.schema.features == ["n"]  # the time is no feature


@pytest.mark.parametrize(
    "times",
    [[f"{2020 + i // 12}-{i % 12 + 1:02}-01" for i in range(100)], [str(i) for i in range(100)]],
    ids=["dates", "numbers"],
)
def test_times_in_text_are_ordered_by_what_they_mean(intake: Intake, times: list[str]):
    path = intake.source / "a.parquet"
    pd.DataFrame({"n": range(100), "when": times}).sample(frac=1, random_state=0).to_parquet(
        path, index=False
    )
    found = intake.load(path, split="time:when", test_fraction=0.2)
    assert sorted(numbers(found, "test")) == list(range(80, 100))


def test_text_whose_order_in_time_is_unknown_is_refused(intake: Intake):
    path = intake.file(
        "a.csv",
        csv({"n": list(range(100)), "when": [f"12/{i % 28 + 1:02}/2023" for i in range(100)]}),
    )
    told = intake.refusal(path, split="time:when")
    assert told.startswith(
        "data.split = time:when: holds text such as '12/01/2023', whose order in time is unknown"
    )


def test_a_split_by_column_is_the_users(intake: Intake):
    parts = [("train", "validation", "test")[i % 3] for i in range(60)]
    found = intake.load(
        intake.file("a.csv", csv({"n": list(range(60)), "part": parts})), split="column:part"
    )
    for i, name in enumerate(("train", "validation", "test")):
        assert numbers(found, name) == list(range(i, 60, 3))
    assert found.description.schema.features == ["n"]


def test_validation_rows_that_are_all_anomalies_are_refused(intake: Intake):
    parts = [("train", "validation", "test")[i % 3] for i in range(60)]
    bad = [int(part == "validation") for part in parts]
    path = intake.file("a.csv", csv({"n": list(range(60)), "part": parts, "bad": bad}))
    told = intake.refusal(path, split="column:part", label="bad", label_means="anomaly")
    assert told.startswith("no validation row is normal (label 0)")


@pytest.mark.parametrize("split", ["random", "column:part"])
def test_transductive_fits_on_all_rows_and_judges_on_them(intake: Intake, split: str):
    values = {"n": list(range(60)), "part": ["train", "validation", "test"] * 20}
    path = intake.file("a.csv", csv(values))
    ignore = ["part"] if split == "random" else []
    found = intake.load(path, protocol="transductive", split=split, ignore=ignore)
    for name in ("train", "test"):
        assert numbers(found, name) == list(range(60))
    assert 2 <= found.description.rows["validation"] < 60
    np.testing.assert_allclose(found.mean, [np.mean(range(60))])


def test_a_data_sets_own_test_rows_may_fill_whole_batches(
    intake: Intake, monkeypatch: pytest.MonkeyPatch
):
    """As MNIST's do: a batch without a training row has nothing to survey."""
    monkeypatch.setattr(reader, "BATCH_BYTES", 640)
    images = np.random.default_rng(0).integers(0, 256, (100, 8, 8), np.uint8)
    (intake.raw / "files").mkdir(parents=True)
    np.save(intake.raw / "files" / "X.npy", images)
    (intake.raw / "source.json").write_text(
        json.dumps({"test_rows": 35, "white": 255, "labels": []})
    )
    prepare(intake.raw, intake.prepared, intake.params.data)
    found = load_prepared(intake.prepared)
    np.testing.assert_array_equal(found.sample("test"), images[65:].reshape(35, 64))
    assert found.description.rows["validation"] == round(
        65 * intake.params.data.validation_fraction
    )


# --- the same again ---


def test_two_prepares_write_the_same_bytes(intake: Intake):
    path, found = intake.file("a.csv", csv(GOOD)), []
    for _ in range(2):
        intake.stages(intake.section(path, label="colour"))
        found.append(everything(intake.prepared))
    assert found[0] == found[1]
    assert set(found[0]) == FILES


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
    found = []
    for path in (intake.file("a.csv", csv(GOOD)), intake.source / "a.parquet"):
        intake.stages(intake.section(path, name="same", label="colour"))
        found.append(
            {n: content for n, content in everything(intake.prepared).items() if n.endswith(".npy")}
        )
    assert found[0] == found[1]


def test_a_source_that_changes_by_a_byte_has_another_hash(intake: Intake):
    path = intake.file("a.csv", csv(GOOD))
    first = intake.load(path).description
    intake.file("a.csv", csv(GOOD) + "\n")
    second = intake.load(path).description
    assert first.source_sha256 != second.source_sha256
    assert first.content_sha256 == second.content_sha256


# --- scaling ---

SCALINGS = {
    "minmax": lambda x: (x.min(0), x.max(0) - x.min(0)),
    "standard": lambda x: (x.mean(0), x.std(0)),
    "robust": lambda x: (np.median(x, 0), np.quantile(x, 0.75, 0) - np.quantile(x, 0.25, 0)),
    "none": lambda x: (np.zeros(x.shape[1]), np.ones(x.shape[1])),
}


@pytest.mark.parametrize("shape", [(300, 5), (300, 4, 3)])
@pytest.mark.parametrize("scaling", SCALINGS)
def test_shift_and_scale_are_their_closed_forms_on_the_training_rows(
    intake: Intake, scaling: str, shape: tuple[int, ...]
):
    rows = np.random.default_rng(0).normal(5, 3, shape)
    found = intake.load(intake.array("a.npy", rows), scaling=scaling)
    shift, scale = SCALINGS[scaling](found.sample("train").astype(np.float64))
    np.testing.assert_allclose(found.shift, shift, rtol=1e-5)
    np.testing.assert_allclose(found.scale, scale, rtol=1e-5)
    np.testing.assert_allclose(
        found.scaled(found.sample("test")), (found.sample("test") - shift) / scale, atol=1e-4
    )
    assert found.description.scaling == scaling


def test_the_scaling_is_fitted_on_the_training_rows_alone(intake: Intake):
    rows = numbered(300)
    path = intake.array("a.npy", rows)
    for scaling in SCALINGS:
        first = intake.load(path, scaling=scaling)
        changed = rows.copy()
        changed[numbers(first, "test") + numbers(first, "validation"), 1:] *= 1000
        second = intake.load(intake.array("b.npy", changed), scaling=scaling)
        assert second.sample("test")[:, 1:].std() > 100
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
        (np.array([0, 4095]), 0, 4095),
        (np.array([-1024, 3000]), -1024, 3000),
    ],
)
def test_pixels_are_scaled_from_black_to_white(
    intake: Intake, values: np.ndarray, shift: float, white: float
):
    images = np.random.default_rng(0).choice(values, (200, 4, 4))
    found = intake.load(intake.array("a.npy", images))
    assert found.description.scaling == "pixels"
    np.testing.assert_array_equal(found.shift, np.full(16, shift))
    np.testing.assert_array_equal(found.scale, np.full(16, white - shift))
    x = found.scaled(found.sample("test"))
    assert 0 <= x.min() < x.max() <= 1
    assert found.description.unit_interval


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
    found = intake.load(intake.array("a.npy", rows), scaling=scaling)
    assert (found.scale > 0).all()
    assert np.isfinite(found.scaled(found.sample("test"))).all()


# --- columns ---


def test_categories_stay_0_and_1_and_constants_come_back(intake: Intake):
    found = intake.load(intake.file("a.csv", csv(GOOD)))
    schema = found.description.schema
    assert schema.features == [
        "length",
        "width",
        "colour=blue",
        "colour=green",
        "colour=red",
        "colour=other",
    ]
    np.testing.assert_array_equal(found.shift[2:], 0)
    np.testing.assert_array_equal(found.scale[2:], 1)
    decoded = pd.concat([pd.DataFrame(schema.decode(found.sample(split))) for split in SPLITS])
    expected = pd.DataFrame(GOOD).sort_values(["length", "width"], ignore_index=True)
    found_rows = decoded.sort_values(["length", "width"], ignore_index=True)
    np.testing.assert_allclose(
        found_rows[["length", "width"]], expected[["length", "width"]], rtol=1e-6
    )
    pd.testing.assert_frame_equal(
        found_rows[["colour", "unit"]], expected[["colour", "unit"]], check_dtype=False
    )


def test_a_number_named_like_a_category_keeps_its_own_scaling(intake: Intake):
    values = {"colour": ["red", "blue"] * 30, "colour=red": [float(i) for i in range(60)]}
    found = intake.load(intake.file("a.csv", csv(values)), scaling="minmax")
    train = found.sample("train")
    np.testing.assert_array_equal(found.shift, [0, 0, 0, train[:, 3].min()])
    np.testing.assert_array_equal(found.scale, [1, 1, 1, np.ptp(train[:, 3])])


@pytest.mark.parametrize("scaling", ["auto", "minmax", "robust", "none"])
def test_a_table_of_categories_alone_is_prepared(intake: Intake, scaling: str):
    found = intake.load(intake.file("a.csv", csv({"colour": GOOD["colour"]})), scaling=scaling)
    assert found.description.schema.n_features == 4
    np.testing.assert_array_equal(found.sample("train").sum(1), 1)


def test_a_category_of_test_rows_alone_takes_the_place_of_others(intake: Intake):
    values = {"n": list(range(60)), "kind": ["a", "b"] * 25 + ["c"] * 10}
    values["part"] = ["train"] * 40 + ["validation"] * 10 + ["test"] * 10
    found = intake.load(intake.file("a.csv", csv(values)), split="column:part")
    assert found.description.schema.features == ["n", "kind=a", "kind=b", "kind=other"]
    np.testing.assert_array_equal(found.sample("test")[:, 1:], [[0, 0, 1]] * 10)


def test_imputed_values_are_the_training_rows_median_and_mode(intake: Intake):
    values = {name: list(column) for name, column in GOOD.items()}
    for row in (3, 50, 99):
        values["length"][row], values["colour"][row] = "", ""
    values["n"] = list(range(N))
    found = intake.load(intake.file("a.csv", csv(values)), missing="impute", ignore=["width"])
    features = found.description.schema.features
    train = [
        i for i in found.sample("train")[:, features.index("n")].astype(int) if i not in (3, 50, 99)
    ]
    median = np.median([values["length"][i] for i in train])
    counts = pd.Series([values["colour"][i] for i in train]).value_counts()
    for split in SPLITS:
        rows = found.sample(split)
        for row in rows[np.isin(rows[:, features.index("n")], [3, 50, 99])]:
            assert row[0] == pytest.approx(median)
            assert row[features.index(f"colour={min(counts[counts == counts.max()].index)}")] == 1


def test_labels_ignored_columns_and_dates_are_no_features_and_are_told(intake: Intake):
    values = {
        **GOOD,
        "when": ["2020-01-02"] * N,
        "id": list(range(N)),
        "ill": [i % 2 for i in range(N)],
    }
    found = intake.load(
        intake.file("a.csv", csv(values)),
        label="ill",
        label_means="anomaly",
        ignore=["id", "colour"],
    )
    assert found.description.schema.features == ["length", "width"]
    assert found.description.anomaly_labels
    assert found.description.labels == ("0", "1")
    report = reported(intake)
    assert report["told"] == ["left out, as dates: when"]
    assert report["labels"] == {"0": N // 2, "1": N // 2}
    normal = found.labels["validation"] == 0
    np.testing.assert_array_equal(found.clean("validation"), found.sample("validation")[normal])


@pytest.mark.parametrize(
    ("y", "anomaly"), [([0, 1], True), ([1, 2], False), ([0, 1, 2], False), (["0", "1"], True)]
)
def test_an_npz_whose_labels_are_0_and_1_marks_anomalies_unless_told_otherwise(
    intake: Intake, y: list[Any], anomaly: bool
):
    path = intake.source / "a.npz"
    np.savez(path, X=numbered(60), y=np.resize(y, 60))
    assert intake.load(path).description.anomaly_labels == anomaly
    assert not intake.load(path, label_means="class").description.anomaly_labels


def test_classes_are_in_order_and_their_names_are_the_users(intake: Intake):
    values = {"n": list(range(60)), "class": [10, 9, 100] * 20}
    found = intake.load(intake.file("a.csv", csv(values)), label="class")
    assert found.description.labels == ("9", "10", "100")
    for split in SPLITS:
        np.testing.assert_array_equal(
            found.labels[split], np.array([1, 0, 2])[np.array(numbers(found, split)) % 3]
        )


def test_a_folder_of_images_has_its_sub_folders_as_classes(intake: Intake):
    for i in range(30):
        path = intake.source / ("cat", "dog")[i % 2] / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((8, 8), i, np.uint8)).save(path)
    found = intake.load(intake.source)
    assert found.description.labels == ("cat", "dog")
    for split in SPLITS:
        np.testing.assert_array_equal(found.labels[split], found.sample(split)[:, 0] % 2)
        assert found.rows[split].dtype == np.uint8


# --- what is written beside ---


def test_the_description_says_what_the_arrays_hold(intake: Intake):
    found = intake.load(intake.array("a.npy", numbered(100)))
    rows = np.concatenate([found.sample(split) for split in SPLITS])
    assert found.description.rows == {name: len(found.rows[name]) for name in SPLITS}
    assert (found.description.minimum, found.description.maximum) == (rows.min(), rows.max())
    assert found.description.facts.rows == len(found.rows["train"])
    np.testing.assert_allclose(found.mean, found.sample("train").mean(0), rtol=1e-5)


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

reader.BATCH_BYTES, survey.SAMPLE = 2**20, 2**18  # small buffers, so that the file's own size would stand out
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


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_held_out_rows_are_drawn_once_with_their_pixels_as_probabilities(
    intake: Intake, kind: type
):
    white = 255 if kind is np.uint8 else 1
    images = np.full((4000, 2, 3), 0.25 * white).astype(kind)
    images[:, 0, 0], images[:, 1, 2] = 0, white
    path = intake.array("images.npy", images)
    found = intake.load(path, binarise=True)
    drawn = found.scaled(found.sample("test"))
    assert set(np.unique(drawn)) == {0.0, 1.0}
    assert (drawn[:, 0] == 0).all()
    assert (drawn[:, 5] == 1).all()
    assert drawn[:, 1:5].mean() == pytest.approx(0.25, abs=0.03)
    assert set(np.unique(found.sample("train"))) == set(np.unique(images))
    assert found.description.binarise
    again = intake.load(path, binarise=True)
    assert np.array_equal(again.sample("test"), found.sample("test"))


def test_only_pixels_are_probabilities(intake: Intake):
    told = intake.refusal(intake.array("X.npy", numbered(300)), binarise=True)
    assert (
        "data.binarise = true: needs images with data.scaling = pixels, but it is standard" in told
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
