"""Rankings of anomalies, alarms among clean rows, and a table with anomalies up to its report."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from sklearn.metrics import average_precision_score, roc_auc_score

from autoencoders.core.files import read_json
from autoencoders.data.prepared.prepared import REPORT, load_prepared
from autoencoders.evaluation.anomalies import (
    alarm_interval,
    anomaly_metrics,
    auroc_difference,
    auroc_of_counts,
    average_precision_of_counts,
    detection,
    scores_and_p_values,
)
from autoencoders.evaluation.baselines import ISOLATION_FOREST
from autoencoders.evaluation.catalogue import AUROC, FALSE_ALARM_RATE, VALIDATION_AUROC
from autoencoders.evaluation.leaderboard import Evaluation
from autoencoders.evaluation.report import html, table
from autoencoders.evaluation.row import Row, row_of
from autoencoders.evaluation.unusual import MOST_UNUSUAL, most_unusual
from autoencoders.params.params import Params
from autoencoders.params.sections import Evaluate
from autoencoders.training.fit import fit
from tables import prepared_table

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
    row = anomaly_metrics(scores, labels, samples=200, seed=1)
    expected = {
        "auroc": roc_auc_score(labels, scores),
        "average_precision": average_precision_score(labels, scores),
    }
    for name, value in expected.items():
        estimate = row[f"anomaly_{name}"]
        assert estimate.value == pytest.approx(value)
        assert estimate.interval is not None
        low, high = estimate.interval
        # scikit-learn's sum of shares may round a perfect precision to just below 1
        assert 0 <= low <= value + 1e-12
        assert value <= high <= 1
    assert row == anomaly_metrics(scores, labels, samples=200, seed=1)


def test_the_auroc_is_the_chance_that_an_anomaly_scores_above_a_normal_row():
    scores, labels = scores_and_labels(200, 1, 1.0)
    pairs = scores[labels == 1][:, None] - scores[labels == 0]
    auroc = anomaly_metrics(scores, labels, samples=200, seed=1)["anomaly_auroc"].value
    assert auroc == pytest.approx((pairs > 0).mean())


def test_more_rows_make_the_interval_narrower():
    def width(n: int) -> float:
        row = anomaly_metrics(*scores_and_labels(n, 2, 1.0), samples=200, seed=1)
        interval = row["anomaly_auroc"].interval
        assert interval is not None
        low, high = interval
        return high - low

    assert width(2000) < width(100) / 2


@pytest.mark.parametrize("distinct", [2, 7, 500])
def test_counts_of_rows_by_score_give_scikit_learns_metrics(distinct):
    rng = np.random.default_rng(distinct)
    scores = rng.integers(distinct, size=300)
    labels = rng.integers(2, size=300)
    normal = np.bincount(scores[labels == 0], minlength=distinct)
    anomalous = np.bincount(scores[labels == 1], minlength=distinct)
    assert auroc_of_counts(normal, anomalous) == pytest.approx(roc_auc_score(labels, scores))
    expected = average_precision_score(labels, scores)
    assert average_precision_of_counts(normal, anomalous) == pytest.approx(expected)


def test_an_interval_spans_the_metrics_of_so_many_resamples_within_each_class():
    scores, labels = scores_and_labels(80, 3, 1.0)
    classes = [np.flatnonzero(labels == label) for label in (0, 1)]
    rng = np.random.default_rng(5)
    aurocs = []
    for _ in range(40):
        rows = np.concatenate([rng.choice(members, len(members)) for members in classes])
        aurocs.append(roc_auc_score(labels[rows], scores[rows]))
    estimates = anomaly_metrics(scores, labels, samples=40, seed=5)
    assert estimates[AUROC.key].interval == pytest.approx(np.percentile(aurocs, [2.5, 97.5]))


def test_the_difference_of_two_aurocs_is_that_of_the_same_resamples(evaluate):
    scores, labels = scores_and_labels(80, 3, 1.0)
    others = np.random.default_rng(9).normal(size=len(scores))
    drawn = evaluate.model_copy(update={"bootstrap_samples": 40, "seed": 5})
    classes = [np.flatnonzero(labels == label) for label in (0, 1)]
    rng = np.random.default_rng(5)
    differences = []
    for _ in range(40):
        rows = np.concatenate([rng.choice(members, len(members)) for members in classes])
        first = roc_auc_score(labels[rows], scores[rows])
        differences.append(first - roc_auc_score(labels[rows], others[rows]))
    interval = auroc_difference(scores, others, labels, drawn)
    assert interval == pytest.approx(np.percentile(differences, [2.5, 97.5]))
    assert auroc_difference(scores, scores, labels, drawn) == (0, 0)


@pytest.mark.parametrize("label", [0, 1])
def test_of_one_class_alone_nothing_is_told(label):
    assert anomaly_metrics(np.arange(5.0), np.full(5, label), samples=200, seed=1) == {}


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
    row = Evaluation(data, evaluate, "reconstruct").model_row(model).written()
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
    """Leaderboard and report of a table; every tenth row lies off the plane of the others."""
    rng = np.random.default_rng(0)
    values, labels = correlated(rng, 1000, 6), (np.arange(1000) % 10 == 0).astype(int)
    values[labels == 1] += 3 * rng.normal(size=(100, 6))
    frame = pd.DataFrame(values, columns=list("abcdef")).assign(bad=labels)
    overrides = {**QUICK, "train.epochs": 20, "data.label": "bad", "data.label_means": "anomaly"}
    changed, data = prepared_table(
        params.override(overrides), frame, tmp_path_factory.mktemp("anomalous")
    )
    assert (
        load_prepared(tmp_path_factory.getbasetemp() / "anomalous0" / "prepared").description
        == data.description
    )
    model = fit(changed.plan("undercomplete", data.description.facts), data).model
    rows = Evaluation(data, evaluate, "anomaly").rows([model])
    models = {"undercomplete": model}
    picture = tmp_path_factory.getbasetemp() / "scores.png"
    picture.write_bytes(b"a picture")
    source = read_json(data.rows["train"].path.with_name(REPORT))
    unusual = most_unusual(models, rows, data, params.tune)
    figures = {"undercomplete": [picture]}
    return rows, html(rows, params.tune, figures, data.description, source, unusual)


def test_models_pca_and_an_isolation_forest_are_judged_by_how_they_tell_anomalies(anomalous):
    rows = {row.model: row.written() for row in anomalous[0]}
    assert list(rows) == ["undercomplete", "pca", "mean", "iforest"]
    assert all(
        0.6 < rows[name]["anomaly_auroc"] <= 1 for name in ("undercomplete", "pca", "iforest")
    )
    assert "anomaly_auroc" not in rows["mean"]
    assert not any("probe" in key for row in rows.values() for key in row)
    read = [row_of(values) for values in json.loads(json.dumps(list(rows.values())))]
    assert read == anomalous[0]


def test_a_value_that_no_training_row_had_tells_an_anomaly(
    params: Params, evaluate: Evaluate, tmp_path: Path
):
    """The column is constant in the training rows, and the only one that tells."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(correlated(rng, 600, 4), columns=list("abcd"))
    is_test = np.arange(600) >= 500
    frame["valve"] = (is_test & (np.arange(600) % 2 == 0)).astype(int)
    frame["bad"] = frame["valve"]
    frame["split"] = np.where(
        is_test, "test", np.where(np.arange(600) < 400, "train", "validation")
    )
    overrides = {
        **QUICK,
        "data.label": "bad",
        "data.label_means": "anomaly",
        "data.split": "column:split",
    }
    changed, data = prepared_table(params.override(overrides), frame, tmp_path)
    model = fit(changed.plan("undercomplete", data.description.facts), data).model
    assert detection(model, data, evaluate)[AUROC.key].value > 0.9  # else 0.5


def test_only_clean_rows_count_as_false_alarms(anomalous):
    row = anomalous[0][0]
    low, high = row.interval(FALSE_ALARM_RATE)
    assert low <= row.value(FALSE_ALARM_RATE) <= high < 0.2


def test_report_and_table_show_how_anomalies_are_told(anomalous, capsys):
    rows, page = anomalous
    for row in rows:
        assert f"<td>{row.model}</td>" in page
    assert f"{rows[0].value(AUROC):.3f}<small>" in page
    Console(width=80, force_terminal=False).print(table(rows, "anomalies"))
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    (line,) = [line for line in text.splitlines() if "iforest" in line]
    assert f"{rows[-1].value(AUROC):.3f}" in line


def test_a_row_with_a_sentinel_raises_an_alarm_and_ranks_first(
    params: Params, evaluate: Evaluate, tmp_path: Path
):
    """As an anomaly by label, for the model, PCA and the Isolation Forest; none is clipped."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(600, 1)) + rng.normal(0, 0.3, (600, 3)))
    frame.columns = pd.Index(["a", "b", "c"])
    frame["split"] = ["train"] * 300 + ["validation"] * 150 + ["test"] * 150
    frame["anomaly"] = 0
    frame.loc[[500, 550], "a"] = [-9999, 65535]
    frame.loc[[500, 550], "anomaly"] = 1
    settings = {"split": "column:split", "label": "anomaly", "label_means": "anomaly"}
    changed, data = prepared_table(params.override(QUICK), frame, tmp_path, **settings)
    assert data.description.anomaly_labels
    plan = changed.plan("undercomplete", data.description.facts)
    for row in Evaluation(data, evaluate, "reconstruct").rows([fit(plan, data).model]):
        if row.has(AUROC):
            assert row.value(AUROC) > 0.95, row.model
            if row.model != ISOLATION_FOREST:
                assert row.value(AUROC) == 1


def test_rows_with_a_sentinel_are_no_false_alarms(
    params: Params, evaluate: Evaluate, tmp_path: Path
):
    """Whatever share of the test rows they are: they raise an alarm by right."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(900, 1)) + rng.normal(0, 0.3, (900, 3)))
    frame.columns = pd.Index(["a", "b", "c"])
    frame["split"] = ["train"] * 300 + ["validation"] * 300 + ["test"] * 300
    for name in ("without", "with"):
        (tmp_path / name).mkdir()
    changed, data = prepared_table(
        params.override(QUICK), frame, tmp_path / "without", split="column:split"
    )
    model = fit(changed.plan("undercomplete", data.description.facts), data).model
    without = detection(model, data, evaluate)[FALSE_ALARM_RATE.key]
    frame.loc[frame.index[:3], "a"] = -9999.0  # by which the column gets fences
    frame.loc[frame.index[600:700], "b"] = 65535.0
    frame.loc[frame.index[3:6], "b"] = 65535.0
    changed, data = prepared_table(
        params.override(QUICK), frame, tmp_path / "with", split="column:split"
    )
    assert data.fences is not None
    model = fit(changed.plan("undercomplete", data.description.facts), data).model
    scored, p_values = scores_and_p_values(model, data, "test")
    assert (p_values[:100] <= evaluate.false_alarm_rate).all()
    assert scored[:100].min() > scored[100:].max()
    alarms = detection(model, data, evaluate)[FALSE_ALARM_RATE.key]
    assert alarms.value == pytest.approx((p_values[100:] <= evaluate.false_alarm_rate).mean())
    assert without.interval is not None
    assert alarms.interval is not None
    assert alarms.interval[1] > without.interval[1]  # of 200 clean rows, and not of 300


@pytest.mark.parametrize("protocol", ["split", "transductive"])
def test_types_are_not_ranked_by_labels_that_are_judged_on(protocol, params, evaluate, tmp_path):
    values = np.random.default_rng(0).normal(size=(400, 4))
    frame = pd.DataFrame(values, columns=list("abcd")).assign(bad=np.arange(400) % 10 == 0)
    settings = {"label": "bad", "label_means": "anomaly", "protocol": protocol}
    changed, data = prepared_table(params.override(QUICK), frame, tmp_path, **settings)
    model = fit(changed.plan("undercomplete", data.description.facts), data).model
    estimates = detection(model, data, evaluate)
    assert AUROC.key in estimates
    assert (VALIDATION_AUROC.key in estimates) == (protocol == "split")


def test_the_page_begins_with_the_verdict_and_lists_the_most_unusual_rows_by_label(anomalous):
    _, page = anomalous
    assert page.index("goal: anomaly. undercomplete finds anomalies best") < page.index("<table")
    _, _, after = page.partition("Most unusual test rows")
    body = after.partition("</tbody>")[0].partition("<tbody>\n")[2]
    lines = body.splitlines()
    assert len(lines) == MOST_UNUSUAL
    anomalies = [line for line in lines if '<td class="text">1</td>' in line]
    assert len(anomalies) > MOST_UNUSUAL / 2  # of all rows it is every tenth
    assert page.index("undercomplete: scores") < page.index("Most unusual test rows")
