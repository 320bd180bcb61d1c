"""The leaderboard's rows: complete, repeatable, equal to what can be computed another way."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from autoencoders.data.prepared.blocks import Blocks
from autoencoders.data.prepared.prepared import Prepared, load_prepared
from autoencoders.evaluation.leaderboard import Evaluation
from autoencoders.evaluation.row import Row, TrainedNetwork, row_of
from autoencoders.models import AUTOENCODERS, build
from autoencoders.models.pca import Projection
from autoencoders.models.trained.model import TrainedModel
from autoencoders.params.architecture import Architecture
from autoencoders.params.sections import Evaluate

EVERY_ROW = {
    "model",
    "code_size",
    "n_parameters",
    "validation_squared_error",
    "test_squared_error",
    "test_squared_error_ci95",
    "test_mse_per_feature",
    "test_mae_per_feature",
    "test_explained_variance",
    "test_psnr",
    "test_ssim",
    "pca_test_squared_error",
    "protocol",
    "test_rows",
}
EVERY_MODEL = {"loss", "epochs", "best_epoch", "active_code_units", "test_reconstruction_loss"}
EVERY_MODEL |= {
    "test_jacobian_norm",
    "scaled_jacobian_norm",
    "test_false_alarm_rate",
    "false_alarm_interval",
}
TYPE_METRICS = {
    "undercomplete": set(),
    "sparse": {"test_mean_active_units"},
    "contractive": set(),
    "denoising": {"test_psnr_gain", "test_noisy_psnr", "test_denoised_psnr"},
    "variational": {"test_elbo", "test_nll"},
}
CALIBRATION = (
    np.eye(64, dtype=np.float32),
    np.eye(64, dtype=np.float32),
)  # any rows: no score is asked for
PROBES = {"test_linear_probe_error", "test_knn_error", "probe_l2"}
FILTERS = ("wiener", "median", "pca denoised")
Values = dict[str, Any]  # a row in leaderboard.json


@pytest.fixture(scope="module")
def data(digits: Path) -> Prepared:
    return load_prepared(digits)


@pytest.fixture(scope="module")
def evaluation(data: Prepared, evaluate: Evaluate) -> Evaluation:
    return Evaluation(data, evaluate, "reconstruct")


@pytest.fixture(scope="module")
def rebuilding_values(rebuilding: list[Row]) -> list[Values]:
    """The values in leaderboard.json of the rows that rebuild inputs."""
    return [row.written() for row in rebuilding]


def by_name(rows: list[Row]) -> dict[str, Values]:
    """The values in leaderboard.json of each model."""
    return {row.model: row.written() for row in rows}


def squared_error_of(model: TrainedModel, raw: np.ndarray) -> float:
    """Mean over rows of the squared error summed over features, by plain torch, in [0, 1]."""
    x = torch.from_numpy(np.array(raw)).double() / 16
    with torch.no_grad():
        x_hat = model.autoencoder(x.float()).double()
    return float(((x - x_hat) ** 2).sum(1).mean())


def linear(model: TrainedModel, encoder: np.ndarray, mean: np.ndarray) -> TrainedModel:
    """The model z = W (x - mean), x_hat = W^T z + mean. encoder: W."""
    architecture = Architecture(encoder.shape[1], encoder.shape[0], (), "silu", "identity", "mse")
    autoencoder = build("undercomplete", architecture, {})
    weights = {
        "encoder.0.weight": encoder,
        "encoder.0.bias": -encoder @ mean,
        "decoder.0.weight": encoder.T,
        "decoder.0.bias": mean,
    }
    autoencoder.load_state_dict(
        {name: torch.from_numpy(np.array(value)) for name, value in weights.items()}
    )
    description = replace(
        model.description, model_type="undercomplete", architecture=architecture, type_values={}
    )
    made = TrainedModel(description, autoencoder, model.shift, model.scale)
    made.calibrate(*CALIBRATION)
    return made


# --- what is there ---


def test_every_model_and_baseline_has_a_row_in_order(
    leaderboard: list[Row], untrained: dict[str, TrainedModel]
):
    assert [row.model for row in leaderboard] == [*untrained, "pca", "mean", *FILTERS]
    assert set(untrained) == set(AUTOENCODERS)


@pytest.mark.parametrize("model_type", TYPE_METRICS)
def test_a_models_row_has_what_all_have_and_what_its_type_is_for(
    leaderboard: list[Row], model_type: str
):
    keys = set(by_name(leaderboard)[model_type])
    assert keys >= EVERY_ROW | EVERY_MODEL | PROBES | TYPE_METRICS[model_type] | {"test_bce"}
    for other, metrics in TYPE_METRICS.items():
        assert other == model_type or not keys & metrics


def test_a_filters_row_has_what_it_cleans_alone(leaderboard: list[Row]):
    cleaned = {"test_noisy_psnr", "test_denoised_psnr"}
    result = {*cleaned, *(f"{name}_ci95" for name in cleaned)}
    assert all(
        set(by_name(leaderboard)[name]) == {"model", "goal", "protocol", "test_rows", *result}
        for name in FILTERS
    )


def test_the_pca_that_cleans_corrupted_rows_has_a_quarter_of_the_features_as_components(
    evaluation: Evaluation, untrained: dict[str, TrainedModel], monkeypatch: pytest.MonkeyPatch
):
    sizes = []

    def cleaned(
        model: TrainedModel, data: Prepared, pca: Projection, seed: int
    ) -> dict[str, object]:
        sizes.append(len(pca.components))
        return {}

    monkeypatch.setattr("autoencoders.evaluation.leaderboard.cleaned", cleaned)
    evaluation.rows([untrained["denoising"]])
    assert sizes == [64 // 4]


def test_a_baselines_row_has_what_all_have(leaderboard: list[Row]):
    rows = by_name(leaderboard)
    assert set(rows["pca"]) >= EVERY_ROW | PROBES | {"compression_ratio"}
    assert set(rows["mean"]) >= EVERY_ROW
    assert not set(rows["mean"]) & (PROBES | EVERY_MODEL | {"compression_ratio"})


def test_pcas_row_describes_its_components_and_the_means_row_has_no_code(leaderboard: list[Row]):
    rows = by_name(leaderboard)
    size = rows["pca"]["code_size"]
    assert size == rows["undercomplete"]["code_size"]
    assert rows["pca"]["n_parameters"] == (size + 1) * 64
    assert rows["pca"]["compression_ratio"] * size == 64
    assert (rows["mean"]["code_size"], rows["mean"]["n_parameters"]) == (0, 64)


def test_every_test_metric_lies_in_its_interval(rebuilding_values: list[Values]):
    for row in rebuilding_values:
        counts = {"test_rows", "test_false_alarm_rate"}
        metrics = [
            key
            for key in row
            if key.startswith("test_") and not key.endswith("_ci95") and key not in counts
        ]
        assert len(metrics) > 5
        for key in metrics:
            low, high = row[f"{key}_ci95"]
            assert low <= row[key] <= high


def test_intervals_have_width_where_rows_differ(rebuilding_values: list[Values]):
    for row in rebuilding_values:
        low, high = row["test_squared_error_ci95"]
        assert 0 < high - low < row["test_squared_error"]


def test_the_rows_are_valid_json_that_comes_back_as_it_was(leaderboard: list[Row]):
    text = json.dumps([row.written() for row in leaderboard], allow_nan=False)
    assert [row_of(values) for values in json.loads(text)] == leaderboard
    again = [row_of(values).written() for values in json.loads(text)]
    assert json.dumps(again) == text


def test_the_same_models_give_the_same_rows_again(
    leaderboard: list[Row], digits: Path, evaluate: Evaluate, untrained: dict[str, TrainedModel]
):
    assert (
        Evaluation(load_prepared(digits), evaluate, "reconstruct").rows(list(untrained.values()))
        == leaderboard
    )


# --- what it must be ---


@pytest.mark.parametrize("model_type", TYPE_METRICS)
def test_a_models_errors_are_those_of_its_own_reconstructions(
    leaderboard: list[Row], untrained: dict[str, TrainedModel], data: Prepared, model_type: str
):
    row, model = by_name(leaderboard)[model_type], untrained[model_type]
    assert row["test_squared_error"] == pytest.approx(
        squared_error_of(model, data.sample("test")), rel=1e-5
    )
    assert row["validation_squared_error"] == pytest.approx(
        squared_error_of(model, data.sample("validation")), rel=1e-5
    )
    assert row["test_mse_per_feature"] * 64 == pytest.approx(row["test_squared_error"])


@pytest.mark.parametrize("model_type", TYPE_METRICS)
def test_a_models_row_describes_it(
    leaderboard: list[Row], untrained: dict[str, TrainedModel], model_type: str
):
    row, description = by_name(leaderboard)[model_type], untrained[model_type].description
    shape = description.architecture
    assert (row["code_size"], row["epochs"], row["best_epoch"]) == (
        shape.code_size,
        description.epochs,
        description.best_epoch,
    )
    sizes = [shape.n_features, *shape.widths, shape.code_size]
    encoder = sum((i + 1) * o for i, o in zip(sizes, sizes[1:], strict=False))
    decoder = sum((o + 1) * i for i, o in zip(sizes, sizes[1:], strict=False))
    extra = (
        (sizes[-2] + 1) * shape.code_size if model_type == "variational" else 0
    )  # the posterior's log-variances
    assert row["n_parameters"] == encoder + decoder + extra
    assert row["compression_ratio"] * shape.code_size == shape.n_features


def test_what_a_type_is_for_lies_where_it_can(leaderboard: list[Row]):
    rows = by_name(leaderboard)
    assert 1 <= rows["sparse"]["test_mean_active_units"] <= rows["sparse"]["code_size"]
    assert (
        rows["variational"]["test_elbo"] < 0
    )  # the log of a probability of 64 nearly binary pixels
    # log p(x) lies above the ELBO by the posterior's KL to the true one: an untrained posterior is
    # far away.
    assert -rows["variational"]["test_nll"] > rows["variational"]["test_elbo"]


def test_pcas_error_at_the_same_code_size_stands_in_every_row(
    rebuilding: list[Row], data: Prepared
):
    x = {split: data.sample(split).astype(np.float64) / 16 for split in data.rows}
    mean = x["train"].mean(0)
    directions = np.linalg.svd(x["train"] - mean, full_matrices=False)[2]
    rows = by_name(rebuilding)
    for row in rows.values():
        kept = directions[: row["code_size"]]
        left = (x["test"] - mean) @ (np.eye(64) - kept.T @ kept)
        assert row["pca_test_squared_error"] == pytest.approx((left**2).sum(1).mean(), rel=1e-5)
    assert rows["pca"]["test_squared_error"] == rows["pca"]["pca_test_squared_error"]
    network = rebuilding[0].network
    assert network is not None
    assert rows["pca"]["code_size"] == network.code_size


def test_codes_are_not_probed_where_test_rows_are_training_rows(
    data: Prepared, evaluate: Evaluate, untrained: dict[str, TrainedModel]
):
    same = replace(data, description=replace(data.description, protocol="transductive"))
    rows = Evaluation(same, evaluate, "reconstruct").rows([untrained["undercomplete"]])
    assert all(not PROBES & row.written().keys() for row in rows)


def test_no_alarms_are_counted_where_all_test_rows_are_anomalies(
    data: Prepared, evaluate: Evaluate, untrained: dict[str, TrainedModel]
):
    labels = data.labels | {"test": np.ones_like(data.labels["test"])}
    anomalous = replace(
        data, labels=labels, description=replace(data.description, anomaly_labels=True)
    )
    row = (
        Evaluation(anomalous, evaluate, "reconstruct")
        .model_row(untrained["undercomplete"])
        .written()
    )
    assert not {key for key in row if "alarm" in key or "anomaly" in key}
    json.dumps(row, allow_nan=False)


def test_the_mean_predictor_has_the_variance_as_its_error_and_explains_none_of_it(
    leaderboard: list[Row], data: Prepared
):
    row = by_name(leaderboard)["mean"]
    train, test = (data.sample(split).astype(np.float64) / 16 for split in ("train", "test"))
    assert row["test_squared_error"] == pytest.approx(
        ((test - train.mean(0)) ** 2).sum(1).mean(), rel=1e-5
    )
    assert row["test_explained_variance"] == pytest.approx(0, abs=1e-6)
    assert row["code_size"] == 0


def test_explained_variance_is_the_error_below_the_mean_predictors(rebuilding: list[Row]):
    rows = by_name(rebuilding)
    mean = rows["mean"]["test_squared_error"]
    for row in rows.values():
        assert row["test_explained_variance"] == pytest.approx(
            1 - row["test_squared_error"] / mean, abs=1e-6
        )


def test_a_model_that_rebuilds_everything_has_no_error(
    evaluation: Evaluation, untrained: dict[str, TrainedModel], data: Prepared
):
    identity = linear(
        untrained["undercomplete"], np.eye(64, dtype=np.float32), np.zeros(64, np.float32)
    )
    row = evaluation.model_row(identity).written()
    assert row["test_squared_error"] == row["validation_squared_error"] == 0
    assert (row["test_psnr"], row["test_explained_variance"]) == (100, 1)
    assert row["test_ssim"] == pytest.approx(1)
    assert row["pca_test_squared_error"] == pytest.approx(
        0, abs=1e-9
    )  # as many components as features
    variances = data.scaled(data.sample("test")).var(0)
    assert row["active_code_units"] == (variances > 0.01).sum() < 64


def test_a_linear_model_with_pcas_weights_has_pcas_row(
    evaluation: Evaluation, untrained: dict[str, TrainedModel]
):
    pca = evaluation.pca.at(untrained["undercomplete"].description.architecture.code_size)
    model = linear(
        untrained["undercomplete"], pca.components.astype(np.float32), pca.mean.astype(np.float32)
    )
    rows = by_name(evaluation.rows([model]))
    for key in EVERY_ROW - {"model", "n_parameters", "test_squared_error_ci95", "protocol"}:
        assert rows["undercomplete"][key] == pytest.approx(rows["pca"][key], rel=1e-4)
    np.testing.assert_allclose(
        rows["undercomplete"]["test_squared_error_ci95"],
        rows["pca"]["test_squared_error_ci95"],
        rtol=1e-4,
    )
    one_row = 1 / len(evaluation.data.rows["test"])
    for key in PROBES:
        assert rows["undercomplete"][key] == pytest.approx(rows["pca"][key], abs=1.5 * one_row)


def test_the_scaled_norm_does_not_change_with_the_codes_scale(
    evaluation: Evaluation, untrained: dict[str, TrainedModel]
):
    weights = np.random.default_rng(0).normal(size=(3, 64)).astype(np.float32)
    rows = [
        evaluation.model_row(
            linear(untrained["undercomplete"], factor * weights, np.zeros(64, np.float32))
        ).written()
        for factor in (1, 5)
    ]
    norms = [row["test_jacobian_norm"] for row in rows]
    assert norms == pytest.approx([np.linalg.norm(weights), 5 * np.linalg.norm(weights)])
    assert rows[0]["scaled_jacobian_norm"] == pytest.approx(rows[1]["scaled_jacobian_norm"])
    codes = evaluation.data.scaled(evaluation.data.sample("test")) @ weights.T
    assert rows[0]["scaled_jacobian_norm"] == pytest.approx(norms[0] / np.sqrt(codes.var(0).sum()))


def test_a_code_unit_that_never_changes_is_not_active(
    evaluation: Evaluation, untrained: dict[str, TrainedModel]
):
    weights = np.zeros((3, 64), np.float32)
    weights[0, 27] = weights[1, 35] = 1.0  # two pixels in the middle; the third unit is always 0
    row = evaluation.model_row(
        linear(untrained["undercomplete"], weights, np.zeros(64, np.float32))
    )
    assert isinstance(row.network, TrainedNetwork)
    assert row.network.active_code_units == 2


def test_nothing_is_fitted_on_test_rows(
    data: Prepared, evaluate: Evaluate, evaluation: Evaluation, tmp_path: Path
):
    np.save(tmp_path / "white.npy", np.full(data.rows["test"].shape, 16, np.uint8))
    rows = {**data.rows, "test": Blocks(tmp_path / "white.npy")}
    other = Evaluation(replace(data, rows=rows), evaluate, "reconstruct")
    np.testing.assert_array_equal(other.pca.mean, evaluation.pca.mean)
    np.testing.assert_array_equal(other.pca.at(64).components, evaluation.pca.at(64).components)


def test_evaluating_changes_neither_the_model_nor_the_global_random_stream(
    evaluation: Evaluation, untrained: dict[str, TrainedModel]
):
    model = untrained["variational"]
    before, stream = {n: t.clone() for n, t in model.state_dict().items()}, torch.get_rng_state()
    evaluation.model_row(model)
    assert torch.equal(torch.get_rng_state(), stream)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


# --- numbers for DVC and MLflow ---


def test_a_rows_numbers_are_numbers_alone_and_the_ends_of_the_errors_interval(
    rebuilding: list[Row],
):
    for row in rebuilding:
        numbers = row.numbers()
        written = row.written()
        assert all(
            type(value) in (int, float) and math.isfinite(value) for value in numbers.values()
        )
        ends = [numbers[f"test_squared_error_ci95_{end}"] for end in ("low", "high")]
        assert ends == written["test_squared_error_ci95"]
        scalars = {
            key: value for key, value in written.items() if not isinstance(value, str | list)
        }
        assert scalars.items() <= numbers.items()
