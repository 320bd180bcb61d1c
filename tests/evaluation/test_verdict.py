"""The verdict above the leaderboard: the best type by the goal, or what to try."""

import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML

from autoencoders.evaluation.against_pca import on_validation
from autoencoders.evaluation.catalogue import (
    AUROC,
    PCA_SQUARED_ERROR,
    PCA_VALIDATION_SQUARED_ERROR,
    SQUARED_ERROR,
    VALIDATION_AUROC,
    VALIDATION_EXPLAINED_VARIANCE,
    VALIDATION_SQUARED_ERROR,
    Metric,
)
from autoencoders.evaluation.row import Estimate, Estimates, Row, TrainedNetwork
from autoencoders.evaluation.verdict import INDENT, unearned, verdict
from autoencoders.params.goal import Goal
from autoencoders.params.params import Params, load_params
from autoencoders.params.sections import Tune
from repository import ROOT

NETWORK = TrainedNetwork(8, 8.0, 1000, "mse", epochs=20, best_epoch=18, active_code_units=8)
COMMAND = f"{INDENT}dvc exp run "


@pytest.fixture
def tune(params: Params) -> Tune:
    return params.override({"tune.objective": "smallest_error"}).tune


def rebuilding(model: str, validation: float, pca: float, test: float = 1.0) -> Row:
    """A type's row for the goal reconstruct. pca: PCA's error on validation."""
    values: dict[Metric, float] = {
        VALIDATION_SQUARED_ERROR: validation,
        VALIDATION_EXPLAINED_VARIANCE: 0.95,
        PCA_VALIDATION_SQUARED_ERROR: pca,
        SQUARED_ERROR: test,
        PCA_SQUARED_ERROR: 2.0,
    }
    return Row(model, "reconstruct", "split", 10, NETWORK, estimates(values))


def finding(model: str, validation: float | None, test: float | None) -> Row:
    """A row of a type for the goal anomaly, with its AUROCs."""
    values = {}
    if validation is not None:
        values[VALIDATION_AUROC] = validation
    if test is not None:
        values[AUROC] = test
    return Row(model, "anomaly", "split", 10, NETWORK, estimates(values))


def forest(auroc: float, goal: Goal = "anomaly") -> Row:
    return Row("iforest", goal, "split", 10, None, estimates({AUROC: auroc}))


def estimates(values: dict[Metric, float]) -> Estimates:
    return {metric.key: Estimate(value) for metric, value in values.items()}


def attempts(lines: list[str]) -> list[str]:
    return [line.removeprefix(COMMAND) for line in lines if line.startswith(INDENT)]


def test_without_a_type_there_is_nothing_to_say(tune: Tune):
    assert verdict([], tune) == []
    assert verdict([forest(0.9)], tune) == []


# --- reconstruct


def test_the_type_that_rebuilds_best_is_named_with_both_errors_against_pca(tune: Tune):
    rows = [rebuilding("sparse", 1.5, 2.0), rebuilding("variational", 1.0, 2.0, test=1.2)]
    assert verdict(rows, tune) == [
        "goal: reconstruct. variational rebuilds best: error against PCA at code size 8: "
        "-50.0 % on validation rows, -40.0 % on test rows.",
        "Types are ranked by the error on validation.",
    ]


def test_test_errors_choose_nothing(tune: Tune):
    rows = [rebuilding("sparse", 1.5, 2.0, test=0.1), rebuilding("variational", 1.0, 2.0, test=9.0)]
    assert "variational rebuilds best" in verdict(rows, tune)[0]


def test_a_type_that_ranks_first_and_loses_to_pca_is_passed_over_and_named(params: Params):
    small = replace(rebuilding("sparse", 2.1, 2.0), network=replace(NETWORK, code_size=2))
    rows = [rebuilding("variational", 1.0, 2.0), small]
    lines = verdict(rows, params.override({"tune.objective": "smallest_code"}).tune)
    assert "variational rebuilds best" in lines[0]
    assert lines[1].startswith("Types are ranked by the smallest code that keeps 85% ")
    assert lines[2] == "Passed over, as PCA rebuilds better at the same code size: sparse."


def test_where_no_type_beats_pca_the_closest_is_named_and_what_to_try(tune: Tune):
    lines = verdict([rebuilding("sparse", 3.0, 2.0), rebuilding("variational", 2.5, 2.0)], tune)
    assert lines[0] == (
        "goal: reconstruct. No type rebuilds the validation rows better than PCA at its code "
        "size; the closest is variational, error against PCA: +25.0 %."
    )
    assert attempts(lines) == [
        "-S ++train.epochs=80 -S ++train.patience=0",
        "-S ++tune.n_trials=0 -S ++network.nodes_per_layer=256",
    ]


def test_the_loss_that_pca_minimises_is_tried_first_where_it_was_another(tune: Tune):
    row = replace(rebuilding("sparse", 3.0, 2.0), network=replace(NETWORK, loss="bce"))
    assert attempts(unearned([row]))[0] == "-S ++network.loss=mse -S ++network.linear_path=auto"


def test_of_a_code_with_which_pca_makes_no_error_half_is_tried(tune: Tune):
    lines = verdict([rebuilding("sparse", 1.0, 0.0)], tune)
    assert lines[0].endswith("PCA rebuilds the validation rows without an error at code size 8.")
    assert attempts(lines) == ["-S ++tune.n_trials=0 -S ++network.code_size=4"]
    smallest = replace(rebuilding("sparse", 1.0, 0.0), network=replace(NETWORK, code_size=1))
    assert attempts(verdict([smallest], tune)) == []


@pytest.mark.parametrize("left_out", [(), ("network", "train")])
def test_every_attempt_works_whatever_params_yaml_leaves_out(
    tune: Tune, tmp_path: Path, left_out: tuple[str, ...]
):
    tree = YAML(typ="safe").load(ROOT / "params.yaml")
    tree |= {section: {} for section in left_out}
    other = replace(rebuilding("sparse", 3.0, 2.0), network=replace(NETWORK, loss="bce"))
    tried = attempts(verdict([other], tune)) + attempts(
        verdict([rebuilding("sparse", 1.0, 0.0)], tune)
    )
    assert len(tried) == 4
    for attempt in tried:
        path = tmp_path / "params.yaml"
        YAML(typ="safe", pure=True).dump(tree, path)
        settings = shlex.split(attempt.replace("-S ", ""))
        apply_overrides(path, settings)
        values = load_params(path).model_dump()
        for setting in settings:
            key, value = setting.removeprefix("++").split("=")
            section, name = key.split(".")
            assert str(values[section][name]) == value


# --- anomaly


def test_the_type_that_finds_anomalies_best_on_validation_stands_beside_the_baselines(
    tune: Tune,
):
    rows = [finding("sparse", 0.8, 0.99), finding("variational", 0.9, 0.97)]
    baselines = [replace(forest(0.98), model="pca"), forest(0.95)]
    assert verdict([*rows, *baselines], tune) == [
        "goal: anomaly. variational finds anomalies best of the types, but PCA does as well or "
        "better: AUROC 0.970 on test rows, beside PCA's 0.980 and Isolation Forest's 0.950.",
        "Types are ranked by the anomaly AUROC on validation.",
    ]
    lower = [replace(forest(0.96), model="pca"), forest(0.95)]
    assert verdict([*rows, *lower], tune)[0] == (
        "goal: anomaly. variational finds anomalies best: AUROC 0.970 on test rows, beside "
        "PCA's 0.960 and Isolation Forest's 0.950."
    )


@pytest.mark.parametrize(
    ("validation", "best_epoch", "judgement"),
    [
        (2.0, 0, "It started as PCA, and no epoch gained on that."),
        (2.0001, 18, "PCA, which is simpler, is as good here."),
        (2.1, 18, "PCA is the better compressor here."),
    ],
)
def test_a_tie_with_pca_is_no_win_of_pcas(validation: float, best_epoch: int, judgement: str):
    row = rebuilding("sparse", validation, 2.0)
    row = replace(row, network=replace(NETWORK, best_epoch=best_epoch))
    lines = unearned([row])
    assert lines[1].startswith(judgement)
    more_epochs = any("train.epochs" in line for line in attempts(lines))
    assert more_epochs == (best_epoch > 0)  # a training that was over long before needs no more


def test_two_errors_of_rounding_are_not_compared():
    row = rebuilding("sparse", 4e-14, 6e-15)
    row.estimates[VALIDATION_EXPLAINED_VARIANCE.key] = Estimate(1 - 1e-14)
    assert on_validation(row) is None
    assert unearned([row])[0].startswith("PCA rebuilds the validation rows without an error")


def test_of_test_rows_of_one_class_the_aurocs_on_validation_are_named(tune: Tune):
    (first, _) = verdict([finding("sparse", 0.8, None)], tune)
    assert first == "goal: anomaly. sparse finds anomalies best: AUROC 0.800 on validation rows."


def test_without_labels_the_order_on_public_sets_is_named(tune: Tune):
    first, second = verdict(
        [finding("sparse", None, None), finding("variational", None, None)], tune
    )
    assert first == (
        "goal: anomaly. No validation rows of both classes are labelled and kept from the test: "
        "types by their order on public tables (`make bench-anomaly-choice`), variational first."
    )
    assert "data.label_means: anomaly" in second


def test_labels_of_the_test_rows_alone_choose_nothing_and_are_told(tune: Tune):
    rows = [finding("sparse", None, 0.99), finding("variational", None, 0.9), forest(0.95)]
    first, second = verdict(rows, tune)
    assert first.endswith("variational first.")
    assert second == "variational: AUROC 0.900 on test rows, beside Isolation Forest's 0.950."
