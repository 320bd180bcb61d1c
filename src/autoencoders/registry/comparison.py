"""The comparison of a new model with the champion."""

from typing import NamedTuple

import numpy as np

from autoencoders.data.prepared.prepared import Prepared
from autoencoders.evaluation.anomalies import auroc, auroc_difference, scores_and_p_values
from autoencoders.evaluation.bootstrap import Bootstrap
from autoencoders.models.trained.fidelity import fidelity
from autoencoders.models.trained.model import TrainedModel
from autoencoders.params.defaults import anomaly_place
from autoencoders.params.goal import resolved_goal
from autoencoders.params.params import Params

VERDICT = {True: "beats", False: "does not beat"}


class Comparison(NamedTuple):
    """The outcome of a comparison."""

    is_better: bool  # the new model
    reason: str


def compare(
    model: TrainedModel, champion: TrainedModel, version: str, data: Prepared, params: Params
) -> Comparison:
    """Compares what the goal asks for. version: the champion's.

    anomaly: by the AUROC of the test rows where these have labels of both classes, else by the
    order of types. reconstruct: by the code, as the objective ranks it. Equals by test error.
    """
    if resolved_goal(params.goal, data.description.facts) == "anomaly":
        by_anomalies = compare_anomalies(model, champion, version, data, params)
        return by_anomalies or compare_errors(model, champion, version, data, params)
    by_code = compare_codes(model, champion, version, data, params)
    if by_code is not None:
        return by_code
    return compare_errors(model, champion, version, data, params)


def compare_anomalies(
    model: TrainedModel, champion: TrainedModel, version: str, data: Prepared, params: Params
) -> Comparison | None:
    """Compares how well the scores find anomalies among the test rows.

    Without labels of both classes, a champion that was trained to reconstruct is beaten by a model
    that was not; else the order of types on public tables decides. None where types are the same.
    """
    labels = data.labels["test"]
    if data.description.anomaly_labels and len(np.unique(labels)) == 2:
        return _compare_aurocs(model, champion, version, data, params)
    goal = champion.description.params.get("goal")
    if goal == "reconstruct" != model.description.params.get("goal"):
        return Comparison(is_better=True, reason=f"version {version} was trained to {goal}")
    model_type = model.description.model_type
    champions_type = champion.description.model_type
    if model_type == champions_type:
        return None
    is_better = anomaly_place(model_type) < anomaly_place(champions_type)
    return Comparison(
        is_better,
        f"{model_type} {VERDICT[is_better]} version {version}'s {champions_type} in the order of "
        "types on public sets; the test rows have no labels of both classes",
    )


def _compare_aurocs(
    model: TrainedModel, champion: TrainedModel, version: str, data: Prepared, params: Params
) -> Comparison:
    """Compares by the AUROC of the same test rows, with a paired bootstrap interval."""
    labels = data.labels["test"]
    scores = [scores_and_p_values(trained, data, "test")[0] for trained in (model, champion)]
    aurocs = [auroc(score, labels) for score in scores]
    low, high = auroc_difference(scores[0], scores[1], labels, params.evaluate)
    is_better = low > 0
    return Comparison(
        is_better,
        f"test AUROC {aurocs[0]:.4f} {VERDICT[is_better]} version {version}'s {aurocs[1]:.4f}: "
        f"difference {aurocs[0] - aurocs[1]:.4f}, paired 95 % interval {low:.4f} to {high:.4f}",
    )


def compare_codes(
    model: TrainedModel, champion: TrainedModel, version: str, data: Prepared, params: Params
) -> Comparison | None:
    """Compares by the objective's rank of the code on validation.

    Returns None where the ranks are equal.
    """
    ranks = []
    codes = []
    for candidate in (model, champion):
        size = candidate.description.architecture.code_size
        _, explained_variance = fidelity(candidate.reconstruct, data, "validation")
        code_rank, _ = params.tune.rank(size, 0, explained_variance)
        ranks.append(code_rank)
        codes.append(f"code size {size}, which keeps {explained_variance:.1%}")
    if ranks[0] == ranks[1]:
        return None
    is_better = ranks[0] < ranks[1]
    asked = f"tune.explained_variance = {params.tune.explained_variance}"
    return Comparison(
        is_better,
        f"{codes[0]}, {VERDICT[is_better]} version {version}'s {codes[1]} "
        f"(of the validation variance; {asked})",
    )


def compare_errors(
    model: TrainedModel, champion: TrainedModel, version: str, data: Prepared, params: Params
) -> Comparison:
    """Compares by squared error on the same test rows, with a paired bootstrap interval."""
    error, _ = fidelity(model.reconstruct, data, "test")
    champions_error, _ = fidelity(champion.reconstruct, data, "test")
    bootstrap = Bootstrap(len(error), params.evaluate.bootstrap_samples, params.evaluate.seed)
    intervals = bootstrap.intervals({"difference": error - champions_error})
    mean, low, high = intervals["difference"]
    is_better = high < 0
    return Comparison(
        is_better,
        f"test squared error {error.mean():.4f} {VERDICT[is_better]} "
        f"version {version}'s {champions_error.mean():.4f}: "
        f"difference {mean:.4f}, paired 95 % interval {low:.4f} to {high:.4f}",
    )
