"""Every operation against the model's methods; raw columns come back; errors name the cause."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.features import encode
from autoencoders.data.prepared.prepared import load_prepared
from autoencoders.data.prepared.schema import OTHER
from autoencoders.models import AUTOENCODERS
from autoencoders.models.trained.model import TrainedModel
from autoencoders.models.trained.reasons import REASONS
from autoencoders.serving.inference import OPERATIONS, answer, as_rows
from autoencoders.serving.novelty import NovelValues
from tables import table_of

every_type = pytest.mark.parametrize("model_type", AUTOENCODERS)
NUMBERS = ["length", "width"]


@pytest.fixture(scope="module")
def images(digits: Path) -> np.ndarray:
    """Raw test rows, uint8."""
    return load_prepared(digits).rows["test"].read(0, 30)


@pytest.fixture
def model(table_models: dict[str, TrainedModel]) -> TrainedModel:
    return table_models["undercomplete"]


@pytest.fixture
def features(model: TrainedModel, frame: pd.DataFrame) -> np.ndarray:
    return encode(model.description.schema, pa.Table.from_pandas(frame))


# --- images


@every_type
def test_operations_on_images_are_the_models_own_methods(model_type, untrained, images):
    model = untrained[model_type]
    codes = model.encode(images)
    np.testing.assert_array_equal(answer(model, "encode", images), codes)
    np.testing.assert_array_equal(answer(model, "decode", codes), model.decode(codes))
    for op in ("reconstruct", "denoise"):
        np.testing.assert_array_equal(answer(model, op, images), model.reconstruct(images))
    np.testing.assert_array_equal(
        answer(model, "score", images)["score"], model.score(images).score
    )


def test_images_come_back_in_the_shape_that_they_came_in(untrained, images):
    model, flat = untrained["undercomplete"], images.reshape(-1, 64)
    square = images.reshape(-1, 8, 8)
    for op in ("reconstruct", "interpolate"):
        whole, by_rows = answer(model, op, square), answer(model, op, flat)
        assert whole.shape == (len(by_rows), 8, 8)
        np.testing.assert_array_equal(whole.reshape(len(whole), -1), by_rows)
    np.testing.assert_array_equal(answer(model, "encode", square), answer(model, "encode", flat))


def test_pixels_in_a_data_frame_are_an_array(untrained, images):
    model = untrained["undercomplete"]
    frame = pd.DataFrame(images.reshape(-1, 64).astype(float))
    np.testing.assert_allclose(answer(model, "encode", frame), model.encode(images), rtol=1e-6)


# --- columns


@pytest.mark.parametrize("form", ["frame", "table", "columns", "strange index"])
def test_rows_may_come_as_a_data_frame_a_table_or_columns_by_name(model, frame, features, form):
    rows: Any = {
        "frame": frame,
        "table": pa.Table.from_pandas(frame),
        "columns": {name: column.to_list() for name, column in frame.items()},
        "strange index": frame.set_index(pd.Index(range(1000, 1400)).astype(str)),
    }[form]
    np.testing.assert_array_equal(answer(model, "encode", rows), model.encode(features))


def test_the_order_of_columns_and_columns_beside_them_do_not_matter(model, frame):
    other = frame[frame.columns[::-1]].assign(note="x")
    np.testing.assert_array_equal(answer(model, "encode", other), answer(model, "encode", frame))


@pytest.mark.parametrize("op", ["reconstruct", "denoise"])
def test_a_reconstruction_has_the_raw_columns_with_categories_and_constants(
    model, frame, features, op
):
    result = table_of(answer(model, op, frame))
    assert list(result.columns) == list(frame.columns)
    assert len(result) == len(frame)
    assert set(result["site"]) == {"A"}
    assert set(result["unit"]) == {7}
    x_hat, names = model.reconstruct(features), model.description.schema.features
    for name in NUMBERS:
        np.testing.assert_array_equal(result[name], x_hat[:, names.index(name)])
    colours = [name.removeprefix("colour=") for name in names if name.startswith("colour=")]
    assert colours == ["blue", "green", "red", OTHER]
    nearest = x_hat[:, [names.index(f"colour={colour}") for colour in colours]].argmax(1)
    assert list(result["colour"]) == [colours[i] for i in nearest]


def test_a_reconstruction_is_near_the_row(model, frame):
    result = answer(model, "reconstruct", frame)
    for name in NUMBERS:
        assert np.corrcoef(result[name], frame[name])[0, 1] > 0.8


def test_decode_gives_the_reconstruction_of_the_codes(model, frame):
    decoded = table_of(answer(model, "decode", answer(model, "encode", frame)))
    pd.testing.assert_frame_equal(decoded, table_of(answer(model, "reconstruct", frame)))


def test_an_unknown_category_is_the_place_of_the_others(model, frame, features):
    result = encode(model.description.schema, pa.Table.from_pandas(frame.assign(colour="violet")))
    names = model.description.schema.features
    assert (result[:, names.index(f"colour={OTHER}")] == 1).all()
    assert np.isfinite(answer(model, "score", frame.assign(colour="violet"))["score"]).all()


def test_constant_columns_may_be_missing_in_new_rows(model, frame):
    few = frame.drop(columns=["site", "unit"])
    np.testing.assert_array_equal(answer(model, "encode", few), answer(model, "encode", frame))


# --- score


def test_scores_are_the_models_and_the_verdict_is_the_rates(model, frame, features):
    expected = model.score(features)
    for rate in (0.01, 0.05, 0.5):
        result = table_of(answer(model, "score", frame, rate=rate))
        assert list(result.columns) == ["score", "percentile", "p_value", "anomaly", "reasons"]
        for name in ("score", "percentile", "p_value"):
            np.testing.assert_array_equal(result[name], getattr(expected, name))
        assert list(result["anomaly"]) == [p <= rate for p in expected.p_value]
    assert 0 < result["anomaly"].mean() < 1


@pytest.mark.parametrize(("column", "value"), [("length", 500.0), ("width", -900.0)])
def test_a_row_with_a_value_that_is_out_of_place_is_an_anomaly(model, frame, column, value):
    result = answer(model, "score", frame.head(20).assign(**{column: value}))
    assert result["anomaly"].all()
    assert set(result["percentile"]) == {100}


@pytest.mark.parametrize(
    ("column", "value"), [("unit", 8), ("unit", 7.5), ("site", "B"), ("site", "NA")]
)
def test_a_value_that_no_training_row_had_is_unusual(model, frame, column, value):
    rows = frame.head(20)
    rows = rows.assign(**{column: [value] + 19 * [frame[column][0]]})
    result, expected = answer(model, "score", rows), answer(model, "score", frame.head(20))
    difference = result["score"] - expected["score"]
    assert difference[0] == pytest.approx(model.description.novel_part, rel=1e-5)
    assert (difference[1:] == 0).all()
    assert result["anomaly"][0]
    assert result["percentile"][0] == 100
    assert result["reasons"][0].startswith(f"{column} ")


def test_novel_values_are_told_by_column_and_first_row(model, frame):
    novel_values = NovelValues(model.description.schema)
    for rows in (frame.head(5), frame.head(5).assign(unit=[7, 7, 1, 7, 2])):
        answer(model, "reconstruct", rows, novel_values=novel_values)
    (note,) = novel_values.notes()
    assert note == (
        "column unit: every training row had 7.0; another value, which counts as unusual, in row 8 "
        "and 1 others"
    )


def test_reasons_are_the_columns_shares_of_the_score_of_a_category_all_its_places(
    model, frame, features
):
    scores, names = model.score(features), model.description.schema.features
    for i, reasons in enumerate(table_of(answer(model, "score", frame))["reasons"].head(50)):
        parts = dict(reason.rsplit(" ", 1) for reason in reasons.split("; "))
        for column, share in parts.items():
            own = [j for j, name in enumerate(names) if name.split("=")[0] == column]
            assert share == f"{scores.contributions[i, own].sum() / scores.score[i]:.0%}"


def test_reasons_are_shares_of_the_score_the_largest_first(model, frame):
    for reasons in answer(model, "score", frame)["reasons"]:
        parts = [reason.rsplit(" ", 1) for reason in reasons.split("; ")]
        shares = [float(share.rstrip("%")) for _, share in parts]
        assert shares == sorted(shares, reverse=True)
        names = {name for name, _ in parts}
        assert len(parts) == len(names) <= REASONS
        assert names <= {"length", "colour", "width"}
        assert sum(shares) == pytest.approx(100, abs=2)  # all three columns; each share is rounded


@pytest.mark.parametrize("rate", [-0.1, 1.1, 5, float("nan")])
def test_a_rate_of_false_alarms_is_a_share(model, frame, rate):
    with pytest.raises(DataError, match=r"^false_alarm_rate = .*: must lie in 0 to 1"):
        answer(model, "score", frame, rate=rate)


# --- sample and interpolate


def test_more_steps_than_memory_holds_are_refused(model, frame):
    with pytest.raises(DataError, match=r"^op = interpolate: 2 pairs of rows, steps = 1000000: at"):
        answer(model, "interpolate", frame.head(4), steps=1_000_000)


def test_samples_are_repeatable_draws_of_raw_rows(table_models, frame):
    model = table_models["variational"]
    first, again, other = (
        table_of(answer(model, "sample", None, n=50, seed=seed)) for seed in (1, 1, 2)
    )
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)
    assert list(first.columns) == list(frame.columns)
    assert len(first) == 50
    assert first["length"].nunique() == 50


def test_an_interpolation_goes_from_the_first_row_to_the_second(model, frame):
    result = answer(model, "interpolate", frame.head(4), steps=5)
    rebuilt = answer(model, "reconstruct", frame.head(4))
    assert len(result) == 10
    for name in NUMBERS:
        np.testing.assert_allclose(result[name][[0, 4, 5, 9]], rebuilt[name], rtol=1e-5)
    codes = answer(model, "encode", frame.head(4))
    middle = answer(model, "decode", (codes[::2] + codes[1::2]) / 2)
    np.testing.assert_allclose(result["width"][[2, 7]], middle["width"], rtol=1e-4)


def test_an_interpolation_starts_at_the_reconstruction_where_users_get_another_code(untrained):
    model = copy.deepcopy(untrained["sparse"])
    model.autoencoder.encoding, model.autoencoder.threshold = "soft_threshold", 0.4
    rows = np.random.default_rng(0).integers(0, 17, (4, 64))
    rebuilt = answer(model, "reconstruct", rows)
    np.testing.assert_allclose(answer(model, "interpolate", rows, steps=2), rebuilt, rtol=1e-5)
    assert not np.allclose(
        answer(model, "decode", answer(model, "encode", rows)), rebuilt, rtol=1e-2
    )


# --- errors


REFUSED = [
    ("paint", {}, ["op = 'paint'", *OPERATIONS]),
    ("encode", {"drop": "width"}, ["missing columns: width", "length", "colour"]),
    ("encode", {"width": "wide"}, ["column width, row 1", "not a number", "wide"]),
    ("score", {"width": [1.0, None, 2.0, 3.0]}, ["missing values", "width", "row 2"]),
    ("reconstruct", {"length": [1.0, np.inf, 2.0, 3.0]}, ["length", "row 2", "inf"]),
    ("interpolate", {"rows": 3}, ["op = interpolate", "3 rows"]),
    ("interpolate", {"steps": 1}, ["op = interpolate", "steps = 1"]),
    ("sample", {}, ["op = sample", "variational", "undercomplete"]),
]


@pytest.mark.parametrize(("op", "change", "parts"), REFUSED)
def test_a_request_that_can_not_be_answered_is_refused_by_name(model, frame, op, change, parts):
    rows = frame.head(change.get("rows", 4))
    columns = {name: value for name, value in change.items() if name in frame}
    rows = rows.assign(**columns).drop(columns=change.get("drop", []))
    with pytest.raises(DataError) as caught:
        answer(model, op, rows, **({"steps": change["steps"]} if "steps" in change else {}))
    assert all(part in str(caught.value) for part in parts), caught.value


@pytest.mark.parametrize(
    "codes",
    [
        [[1.0]],
        [[1.0, 2.0, 3.0]],
        [1.0, 2.0],
        [[1.0, np.nan]],
        [["a", "b"]],
        [[1.0], [1.0, 2.0]],
        None,
    ],
)
def test_codes_that_are_none_are_refused(model, codes):
    with pytest.raises(DataError, match="op = decode: "):
        answer(model, "decode", codes)


@pytest.mark.parametrize("n", [0, -1, 1_000_001])
def test_a_number_of_samples_out_of_range_is_refused(table_models, n):
    with pytest.raises(DataError, match=f"op = sample: n = {n}: must lie in 1 to 1,000,000"):
        answer(table_models["variational"], "sample", None, n=n)


@pytest.mark.parametrize("width", [9, 63, 65])
def test_images_of_another_size_are_refused_with_both_shapes(untrained, width):
    with pytest.raises(DataError, match=rf"rows of shape \({width},\), expected \(8, 8\)"):
        answer(untrained["sparse"], "reconstruct", np.zeros((2, width)))


@pytest.mark.parametrize(
    "rows", [{"length": [1.0, 2.0], "width": [1.0]}, [[1.0], [1.0, 2.0]], {"length": [object()]}]
)
def test_rows_that_are_no_table_are_refused(model, rows):
    with pytest.raises(DataError):
        answer(model, "encode", rows)


@pytest.mark.parametrize("rows", [None, 5.0, "rows", [], {}])
def test_what_is_no_rows_at_all_is_refused(model, untrained, rows):
    for asked in (model, untrained["sparse"]):
        with pytest.raises(DataError):
            answer(asked, "reconstruct", rows)


def test_the_first_rows_number_counts_in_messages(model, frame):
    with pytest.raises(DataError, match="row 1002"):
        answer(model, "encode", frame.head(4).assign(width=[1.0, None, 2.0, 3.0]), first=1000)


@pytest.mark.parametrize("op", ["encode", "score", "reconstruct"])
def test_no_rows_are_refused(model, untrained, frame, op):
    for asked, rows in ((model, frame.head(0)), (untrained["sparse"], np.zeros((0, 64)))):
        with pytest.raises(DataError, match=f"op = {op}: no rows"):
            answer(asked, op, rows)


def as_columns(rows: object) -> dict[str, list[Any]]:
    """The columns that rows are read as."""
    table = as_rows(rows)
    assert isinstance(table, pa.Table)
    return table.to_pydict()


def test_a_column_of_numbers_and_texts_is_one_of_texts_and_other_objects_are_refused():
    frame = pd.DataFrame({"x": [1.5, 2], "code": [1, "A"], "on": [True, None]})
    assert as_columns(frame) == {"x": [1.5, 2.0], "code": ["1", "A"], "on": [True, None]}
    columns = {"code": [1, None, "A"], "region": ["EU", float("nan"), None]}
    assert as_columns(columns) == {"code": ["1", None, "A"], "region": ["EU", None, None]}
    with pytest.raises(DataError, match=r"rows: .*give columns by name"):
        as_rows(pd.DataFrame({"x": [[1], "a"]}))
    with pytest.raises(DataError, match=r"rows: .*give columns by name"):
        as_rows({"x": [1, 2], "y": [1]})
    with pytest.raises(DataError, match=r"rows: .*give columns by name"):
        as_rows({"x": [1, 10**30]})
