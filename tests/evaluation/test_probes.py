"""What labels tell: rankings of anomalies and their intervals, alarms among clean rows, classes that codes hold."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from scipy.optimize import minimize
from sklearn.metrics import average_precision_score, roc_auc_score

from autoencoders.core.files import read_json
from autoencoders.data.prepared.prepared import REPORT, load_prepared
from autoencoders.evaluation.anomalies import alarm_interval, anomaly_metrics
from autoencoders.evaluation.leaderboard import Evaluation, Row
from autoencoders.evaluation.probes import STRENGTHS, Labelled, Probes
from autoencoders.evaluation.report import html, table
from autoencoders.models.trained.model import TrainedModel
from autoencoders.params.params import Params
from autoencoders.params.sections import Evaluate
from autoencoders.training.fit import fit
from tables import prepared_table


def probe_errors(
    train: Labelled, test: Labelled, l2: float = 1.0, *, standardised: bool = True
) -> dict[str, np.ndarray]:
    return Probes(train, standardised=standardised).errors(test, l2)


QUICK = {"train.epochs": 4, "network.nodes_per_layer": 16}


def scores_and_labels(n: int, seed: int, apart: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.2).astype(np.uint16)
    return rng.normal(size=n) + apart * labels, labels


# --- how well scores tell anomalies


@pytest.mark.parametrize("apart", [0.0, 1.0, 5.0])
@pytest.mark.parametrize("n", [30, 500])
def test_metrics_are_scikit_learns_and_lie_in_their_intervals(n, apart):
    scores, labels = scores_and_labels(n, 0, apart)
    row = anomaly_metrics(scores, labels, seed=1)
    expected = {
        "auroc": roc_auc_score(labels, scores),
        "average_precision": average_precision_score(labels, scores),
    }
    for name, value in expected.items():
        assert row[f"anomaly_{name}"] == pytest.approx(value)
        low, high = row[f"anomaly_{name}_ci95"]
        assert 0 <= low <= value <= high <= 1
    assert row == anomaly_metrics(scores, labels, seed=1)


def test_the_auroc_is_the_chance_that_an_anomaly_scores_above_a_normal_row():
    scores, labels = scores_and_labels(200, 1, 1.0)
    pairs = scores[labels == 1][:, None] - scores[labels == 0]
    assert anomaly_metrics(scores, labels, seed=1)["anomaly_auroc"] == pytest.approx(
        (pairs > 0).mean()
    )


def test_more_rows_make_the_interval_narrower():
    def width(n: int) -> float:
        low, high = anomaly_metrics(*scores_and_labels(n, 2, 1.0), seed=1)["anomaly_auroc_ci95"]
        return high - low

    assert width(2000) < width(100) / 2


@pytest.mark.parametrize("label", [0, 1])
def test_of_one_class_alone_nothing_is_told(label):
    assert anomaly_metrics(np.arange(5.0), np.full(5, label), seed=1) == {}


# --- false alarms


@pytest.mark.parametrize(
    ("rate", "calibration", "rows"), [(0.05, 200, 300), (0.2, 30, 50), (0.01, 1000, 5000)]
)
def test_the_interval_holds_99_of_100_shares_of_alarms_among_exchangeable_rows(
    rate, calibration, rows
):
    rng, repeats = np.random.default_rng(0), 2000
    low, high = alarm_interval(rate, calibration, rows)
    shares = []
    for _ in range(repeats):
        clean, new = np.sort(rng.random(calibration)), rng.random(rows)
        p_values = (1 + calibration - np.searchsorted(clean, new, "left")) / (1 + calibration)
        shares.append((p_values <= rate).mean())
    inside = np.mean([(low <= share <= high) for share in shares])
    assert inside == pytest.approx(
        0.99, abs=4 * np.sqrt(0.99 * 0.01 / repeats) + 0.005
    )  # counts are whole numbers
    assert low < rate < high


def test_with_too_few_clean_rows_for_the_rate_there_is_no_alarm():
    assert alarm_interval(0.05, 18, 100) == (0.0, 0.0)  # the smallest p-value is 1 / 19
    assert alarm_interval(0.05, 19, 100)[1] > 0


def correlated(rng: np.random.Generator, n: int, width: int) -> np.ndarray:
    return rng.normal(size=(n, 2)) @ rng.normal(size=(2, width)) + 0.1 * rng.normal(size=(n, width))


TABLES = {
    "normal": lambda rng: rng.normal(size=(800, 6)),
    "heavy tails": lambda rng: rng.standard_t(2, size=(900, 5)),
    "exponential": lambda rng: rng.exponential(size=(700, 8)),
    "log-normal": lambda rng: np.exp(2 * rng.normal(size=(1000, 4))),
    "uniform": lambda rng: rng.random((600, 10)),
    "on a plane": lambda rng: correlated(rng, 1000, 12),
    "two clusters": lambda rng: rng.normal(size=(800, 5)) + 6 * rng.integers(0, 2, (800, 1)),
    "whole numbers": lambda rng: rng.poisson(2, (900, 6)),
    "two columns": lambda rng: rng.normal(size=(500, 2)),
    "many columns": lambda rng: correlated(rng, 500, 60),
}


@pytest.mark.parametrize("name", TABLES)
def test_the_share_of_false_alarms_on_clean_rows_lies_in_the_stated_interval(
    name, params: Params, evaluate: Evaluate, tmp_path: Path
):
    rng = np.random.default_rng(list(TABLES).index(name))
    values = TABLES[name](rng)
    frame = pd.DataFrame(values, columns=[f"c{i}" for i in range(values.shape[1])])
    changed, data = prepared_table(
        params.override({**QUICK, "data.test_fraction": 0.4}), frame, tmp_path
    )
    model = fit(changed.plan("undercomplete", data.description.facts), data).model
    row = Evaluation(data, evaluate).model_row(model)
    share = (model.score(data.sample("test")).p_value <= evaluate.false_alarm_rate).mean()
    assert row["test_false_alarm_rate"] == pytest.approx(share)
    low, high = row["false_alarm_interval"]
    assert (low, high) == alarm_interval(
        evaluate.false_alarm_rate, len(data.rows["validation"]), len(data.rows["test"])
    )
    assert low <= share <= high < 0.2


# --- a data set with anomalies, from the file to the report


@pytest.fixture(scope="module")
def anomalous(
    params: Params, evaluate: Evaluate, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[Row], str]:
    """Leaderboard and report of a table in which every tenth row lies off the plane of the others."""
    rng = np.random.default_rng(0)
    values, labels = correlated(rng, 1000, 6), (np.arange(1000) % 10 == 0).astype(int)
    values[labels == 1] += 3 * rng.normal(size=(100, 6))
    frame = pd.DataFrame(values, columns=list("abcdef")).assign(bad=labels)
    given = {**QUICK, "train.epochs": 20, "data.label": "bad", "data.label_means": "anomaly"}
    changed, data = prepared_table(
        params.override(given), frame, tmp_path_factory.mktemp("anomalous")
    )
    assert (
        load_prepared(tmp_path_factory.getbasetemp() / "anomalous0" / "prepared").description
        == data.description
    )
    rows = Evaluation(data, evaluate).rows(
        [fit(changed.plan("undercomplete", data.description.facts), data).model]
    )
    return rows, html(
        rows, {}, data.description, read_json(data.rows["train"].path.with_name(REPORT))
    )


def test_models_pca_and_an_isolation_forest_are_judged_by_how_they_tell_anomalies(anomalous):
    rows = {row["model"]: row for row in anomalous[0]}
    assert list(rows) == ["undercomplete", "pca", "mean", "iforest"]
    assert all(
        0.6 < rows[name]["anomaly_auroc"] <= 1 for name in ("undercomplete", "pca", "iforest")
    )
    assert "anomaly_auroc" not in rows["mean"]
    assert not any("probe" in key for row in anomalous[0] for key in row)
    assert json.loads(json.dumps(anomalous[0])) == anomalous[0]


def test_only_clean_rows_count_as_false_alarms(anomalous):
    row = anomalous[0][0]
    low, high = row["false_alarm_interval"]
    assert low <= row["test_false_alarm_rate"] <= high < 0.2


def test_report_and_table_show_how_anomalies_are_told(anomalous, capsys):
    rows, page = anomalous
    for row in rows:
        assert f"<td>{row['model']}</td>" in page
    assert f"{rows[0]['anomaly_auroc']:.3f}<small>" in page
    Console(width=80, force_terminal=False).print(table(rows, "anomalies"))
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "iforest" in line]
    assert f"{rows[-1]['anomaly_auroc']:.3f}" in line


CLASSES = 10


def separable(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Codes in tight heaps, one a label, far from each other."""
    labels = np.arange(rows) % CLASSES
    heaps = 100 * np.eye(CLASSES)[labels]
    return heaps + np.random.default_rng(seed).normal(size=heaps.shape), labels


def test_labels_that_the_code_separates_are_all_found():
    errors = probe_errors(separable(200, 0), separable(100, 1))
    assert set(errors) == {"linear_probe_error", "knn_error"}
    for values in errors.values():
        np.testing.assert_array_equal(values, np.zeros(100))


def test_exactly_the_wrongly_labelled_rows_count_as_errors():
    codes, labels = separable(100, 1)
    labels[[3, 50, 99]] = (labels[[3, 50, 99]] + 1) % CLASSES
    for values in probe_errors(separable(200, 0), (codes, labels)).values():
        np.testing.assert_array_equal(np.flatnonzero(values), [3, 50, 99])


def test_labels_that_have_nothing_to_do_with_the_code_are_found_by_chance():
    rng = np.random.default_rng(0)
    train, test = ((rng.normal(size=(n, 4)), rng.integers(0, CLASSES, n)) for n in (500, 1000))
    chance = 1 - 1 / CLASSES
    for values in probe_errors(train, test).values():
        assert values.mean() == pytest.approx(
            chance, abs=4 * math.sqrt(chance * (1 - chance) / 1000)
        )


def test_a_ring_around_a_ring_is_hidden_from_the_linear_probe_and_not_from_the_neighbours():
    rng = np.random.default_rng(0)
    angle, labels = rng.uniform(0, 2 * np.pi, 600), np.arange(600) % 2
    codes = (1 + 2 * labels)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    errors = probe_errors((codes[:300], labels[:300]), (codes[300:], labels[300:]))
    assert errors["linear_probe_error"].mean() > 0.3
    assert errors["knn_error"].mean() < 0.02


def test_the_scale_of_a_code_unit_does_not_matter_and_the_probes_repeat():
    rng = np.random.default_rng(0)
    train, test = separable(200, 0), separable(100, 1)
    train, test = (
        (codes + 60 * rng.normal(size=codes.shape), labels) for codes, labels in (train, test)
    )
    scale, shift = 2.0 ** rng.integers(-9, 10, CLASSES), rng.normal(size=CLASSES)
    first = probe_errors(train, test)
    assert 0 < first["linear_probe_error"].mean() < 0.9
    scaled = probe_errors(*((codes * scale + shift, labels) for codes, labels in (train, test)))
    for name, values in first.items():
        np.testing.assert_array_equal(values, scaled[name])
        np.testing.assert_array_equal(values, probe_errors(train, test)[name])


def test_a_code_unit_that_never_changes_is_no_trouble():
    (codes, labels), test = separable(200, 0), separable(100, 1)
    dead = [(np.hstack([c, np.full((len(c), 1), 5.0)]), y) for c, y in ((codes, labels), test)]
    for values in probe_errors(*dead).values():
        np.testing.assert_array_equal(values, np.zeros(100))


# --- the linear probe's L2 penalty


def noisy_classes(rows: int, seed: int, units: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Two overlapping classes that one of many code units tells apart: a weak penalty fits the others' noise."""
    labels, rng = np.arange(rows) % 2, np.random.default_rng(seed)
    return rng.normal(size=(rows, units)) + 1.5 * np.outer(labels, np.eye(units)[0]), labels


def test_the_linear_probe_is_the_minimum_of_its_equation():
    (codes, labels), l2 = noisy_classes(200, 0, units=3), 10.0
    z = (codes - codes.mean(0)) / codes.std(0)

    def objective(w: np.ndarray) -> float:
        return float(
            np.logaddexp(0, -(2 * labels - 1) * (z @ w[:-1] + w[-1])).sum()
            + l2 / 2 * (w[:-1] ** 2).sum()
        )

    w = minimize(objective, np.zeros(4)).x
    test, answers = noisy_classes(1000, 1, units=3)
    expected = ((test - codes.mean(0)) / codes.std(0) @ w[:-1] + w[-1] > 0) != answers
    errors = probe_errors((codes, labels), (test, answers), l2)["linear_probe_error"]
    assert (errors != expected).mean() < 0.005  # rows on the border


def test_the_best_strength_has_the_fewest_validation_errors_and_is_the_strongest_of_these():
    train, validation = noisy_classes(80, 0), noisy_classes(1000, 1)
    by_strength = {
        l2: probe_errors(train, validation, l2)["linear_probe_error"].sum() for l2 in STRENGTHS
    }
    fewest = min(by_strength.values())
    assert Probes(train, standardised=True).best_l2(validation) == max(
        l2 for l2, errors in by_strength.items() if errors == fewest
    )
    assert fewest < by_strength[1e-3]
    assert (
        Probes(separable(200, 0), standardised=True).best_l2(separable(100, 1)) == 1e3
    )  # all find everything


def test_codes_that_are_mostly_zero_are_told_apart_as_they_would_be_in_full(
    monkeypatch: pytest.MonkeyPatch,
):
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=600)
    active = rng.random((600, 40)) < 0.1 + 0.2 * (np.arange(40) % 3 == labels[:, None])
    codes = np.where(active, rng.uniform(1, 2, active.shape), 0.0)
    train, test = (codes[:300], labels[:300]), (codes[300:], labels[300:])
    sparse = probe_errors(train, test, standardised=False)
    monkeypatch.setattr("autoencoders.evaluation.probes.MOSTLY_ZERO", 0.0)
    full = probe_errors(train, test, standardised=False)
    assert 0 < sparse["linear_probe_error"].mean() < 0.5
    for name, errors in sparse.items():
        assert (errors != full[name]).mean() < 0.01, name  # rows on the border


def test_auto_takes_what_validation_says_and_never_looks_at_test_labels(
    params: Params, evaluate: Evaluate, untrained: dict[str, TrainedModel], digits: Path
):
    data, model = load_prepared(digits), untrained["undercomplete"]
    auto = params.override(
        {**{f"evaluate.{k}": v for k, v in evaluate}, "evaluate.probe_l2": "auto"}
    ).evaluate
    row = Evaluation(data, auto).model_row(model)
    most = evaluate.probe_rows
    train = (
        model.encode(data.sample("train", most)),
        data.labels["train"][data.chosen("train", most)],
    )
    chosen = Probes(train, standardised=True).best_l2(
        (model.encode(data.sample("validation")), data.labels["validation"])
    )
    assert row["probe_l2"] == chosen
    test = model.encode(data.sample("test")), data.labels["test"]
    assert (
        row["test_linear_probe_error"]
        == probe_errors(train, test, chosen)["linear_probe_error"].mean()
    )

    shuffled = np.random.default_rng(0).permutation(data.labels["test"])
    other = Evaluation(replace(data, labels={**data.labels, "test": shuffled}), auto).model_row(
        model
    )
    assert other["probe_l2"] == chosen
    assert other["test_linear_probe_error"] > row["test_linear_probe_error"]
    assert Evaluation(data, evaluate).model_row(model)["probe_l2"] == evaluate.probe_l2 == 1.0


def test_probes_that_divide_all_units_by_one_number_see_their_proportions():
    codes = np.random.default_rng(0).normal(size=(300, 2)).astype(np.float32) * [1.0, 1e-3]
    labels = (codes[:, 1] > 0).astype(int)
    train, test = (codes[:200], labels[:200]), (codes[200:], labels[200:])
    errors = {
        each: probe_errors(train, test, standardised=each)["knn_error"].mean()
        for each in (True, False)
    }
    assert errors[True] < 0.1 < 0.3 < errors[False]
    for name, values in probe_errors(train, test, standardised=False).items():
        scaled = probe_errors(
            (codes[:200] * 50, labels[:200]), (codes[200:] * 50, labels[200:]), standardised=False
        )
        np.testing.assert_array_equal(values, scaled[name])


def test_probe_standardised_decides_how_a_models_codes_are_scaled_for_probes(
    params: Params, evaluate: Evaluate, untrained: dict[str, TrainedModel], digits: Path
):
    data, model = load_prepared(digits), untrained["undercomplete"]
    most = evaluate.probe_rows
    train_labels = data.labels["train"][data.chosen("train", most)]
    train = model.encode(data.sample("train", most)), train_labels
    test = model.encode(data.sample("test")), data.labels["test"]
    rows = []
    for standardised in (True, False):
        changed = evaluate.model_copy(update={"probe_standardised": standardised})
        row = Evaluation(data, changed).model_row(model)
        errors = probe_errors(train, test, standardised=standardised)
        for name, values in errors.items():
            assert row[f"test_{name}"] == values.mean()
        rows.append(row)
    assert rows[0]["test_linear_probe_error"] != rows[1]["test_linear_probe_error"]
