"""The comparison of a new model with the champion."""

from typing import NamedTuple

from autoencoders.data.prepared.prepared import Prepared
from autoencoders.evaluation.bootstrap import Bootstrap
from autoencoders.models.trained.fidelity import fidelity
from autoencoders.models.trained.model import TrainedModel
from autoencoders.params.params import Params

VERDICT = {True: "beats", False: "does not beat"}


class Comparison(NamedTuple):
    """The outcome of a comparison."""

    is_better: bool  # the new model
    reason: str


def compare(
    model: TrainedModel, champion: TrainedModel, version: str, data: Prepared, params: Params
) -> Comparison:
    """Compares by the code, as the goal ranks it, then by test error. version: the champion's."""
    by_code = compare_codes(model, champion, version, data, params)
    if by_code is not None:
        return by_code
    return compare_errors(model, champion, version, data, params)


def compare_codes(
    model: TrainedModel, champion: TrainedModel, version: str, data: Prepared, params: Params
) -> Comparison | None:
    """Compares by the goal's rank of the code on validation.

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
    goal = f"tune.explained_variance = {params.tune.explained_variance}"
    return Comparison(
        is_better,
        f"{codes[0]}, {VERDICT[is_better]} version {version}'s {codes[1]} "
        f"(of the validation variance; {goal})",
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
