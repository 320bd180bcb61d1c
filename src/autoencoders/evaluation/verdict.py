"""The verdict: how the types did at what they are for, and what to try where they did not."""

from collections.abc import Sequence

from autoencoders.evaluation.against_pca import on_test, on_validation, percent
from autoencoders.evaluation.baselines import ISOLATION_FOREST, PCA
from autoencoders.evaluation.catalogue import AUROC, VALIDATION_AUROC
from autoencoders.evaluation.ranking import Ranking, earns, ranking
from autoencoders.evaluation.row import Row
from autoencoders.params.sections import Tune

BASELINES = {PCA: "PCA", ISOLATION_FOREST: "Isolation Forest"}  # that score rows
LEVEL = 0.001  # share of PCA's error up to which another error is as good
MORE_EPOCHS = 4  # times as many as were trained
NO_STUDY = "-S ++tune.n_trials=0"  # a study's values would win over those of params.yaml
INDENT = "  "  # before a command that can be pasted


def verdict(rows: Sequence[Row], tune: Tune) -> list[str]:
    """The lines above the leaderboard; commands to try are indented. Without a type, none."""
    order = ranking(rows, tune)
    if not order.rows:
        return []
    goal = order.rows[0].goal
    first, *others = _anomaly(order, rows) if goal == "anomaly" else _reconstruction(order)
    return [f"goal: {goal}. {first}", *others]


def _reconstruction(order: Ranking) -> list[str]:
    """The type that rebuilds best, else `unearned`."""
    lines = unearned(order.rows)
    if lines:
        return lines
    best = next(row for row in order.rows if earns(row))
    passed = ", ".join(row.model for row in order.rows[: order.rows.index(best)])
    validation = f"{percent(on_validation(best))} on validation rows"
    test = f"{percent(on_test(best))} on test rows"
    lines = [
        f"{best.model} rebuilds best: error against PCA at code size "
        f"{best.trained_network.code_size}: {validation}, {test}.",
        f"Types are ranked {order.criterion}.",
    ]
    if passed:
        lines.append(f"Passed over, as PCA rebuilds better at the same code size: {passed}.")
    return lines


def _anomaly(order: Ranking, rows: Sequence[Row]) -> list[str]:
    """The type that finds anomalies best, beside the baselines."""
    best = order.rows[0]
    if best.has(VALIDATION_AUROC):
        return [
            f"{best.model} finds anomalies best{_of_types(best, rows)}: {_auroc(best, rows)}.",
            f"Types are ranked {order.criterion}.",
        ]
    lines = [
        "No validation rows of both classes are labelled and kept from the test: types by their "
        f"order on public tables (`make bench-anomaly-choice`), {best.model} first.",
        "With labels (data.label, data.label_means: anomaly), types are ranked by their AUROC.",
    ]
    if best.has(AUROC):
        lines[1] = f"{best.model}: {_auroc(best, rows)}."
    return lines


def _of_types(best: Row, rows: Sequence[Row]) -> str:
    """A restriction where a baseline ranks anomalies of the test rows at least as well."""
    if not best.has(AUROC):
        return ""
    for row in rows:
        is_baseline = row.model in BASELINES and row.has(AUROC)
        if is_baseline and row.value(AUROC) >= best.value(AUROC):
            return f" of the types, but {BASELINES[row.model]} does as well or better"
    return ""


def _auroc(row: Row, rows: Sequence[Row]) -> str:
    """The AUROC on the test rows, beside the baselines'; else that on validation."""
    if not row.has(AUROC):
        return f"AUROC {row.value(VALIDATION_AUROC):.3f} on validation rows"
    text = f"AUROC {row.value(AUROC):.3f} on test rows"
    baselines = []
    for other in rows:
        if other.model in BASELINES and other.has(AUROC):
            baselines.append(f"{BASELINES[other.model]}'s {other.value(AUROC):.3f}")
    if baselines:
        text += f", beside {' and '.join(baselines)}"
    return text


def unearned(rows: Sequence[Row]) -> list[str]:
    """Lines that say that no type rebuilds better than PCA, and what to try.

    Empty where one does, or where the models are to find anomalies.
    """
    trained = [row for row in rows if row.is_trained]
    if not trained or any(earns(row) for row in trained):
        return []
    closest = min(trained, key=_shortfall)
    if on_validation(closest) is None:
        return _too_large_a_code(closest)
    return [
        "No type rebuilds the validation rows better than PCA at its code size; the closest is "
        f"{closest.model}, error against PCA: {percent(on_validation(closest))}.",
        f"{_judgement(closest)} What to try:",
        *map(_command, _attempts(closest)),
    ]


def _judgement(closest: Row) -> str:
    """Whether PCA is better than the closest type, or as good as it."""
    if closest.trained_network.best_epoch == 0:
        return "It started as PCA, and no epoch gained on that."
    if _shortfall(closest) <= LEVEL:
        return "PCA, which is simpler, is as good here."
    return "PCA is the better compressor here."


def _command(settings: str) -> str:
    """A line with the command that runs an experiment."""
    return f"{INDENT}dvc exp run {settings}"


def _shortfall(row: Row) -> float:
    """The validation error against PCA's, infinite where PCA makes no error."""
    share = on_validation(row)
    if share is None:
        return float("inf")
    return share


def _too_large_a_code(row: Row) -> list[str]:
    """Lines on a code that is so large that PCA makes no error with it."""
    code_size = row.trained_network.code_size
    lines = [f"PCA rebuilds the validation rows without an error at code size {code_size}."]
    if code_size > 1:
        lines += [
            "No network can do better; with a smaller code, one may. What to try:",
            _command(f"{NO_STUDY} -S ++network.code_size={code_size // 2}"),
        ]
    return lines


def _attempts(row: Row) -> list[str]:
    """Values that may rebuild better, as settings of `dvc exp run`.

    ++ sets a key whether params.yaml holds it or not.
    """
    network = row.trained_network
    attempts = []
    if network.loss != "mse":
        attempts.append("-S ++network.loss=mse -S ++network.linear_path=auto")
    if network.best_epoch > network.epochs / 2:  # else the training was over long before
        epochs = MORE_EPOCHS * network.epochs
        attempts.append(f"-S ++train.epochs={epochs} -S ++train.patience=0")
    elif network.code_size > 1:
        attempts.append(f"{NO_STUDY} -S ++network.code_size={network.code_size // 2}")
    attempts.append(f"{NO_STUDY} -S ++network.nodes_per_layer=256")
    return attempts
