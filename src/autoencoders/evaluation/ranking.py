"""The order of the trained types by the goal, and whether they earn to be the champion."""

from collections.abc import Sequence
from typing import NamedTuple

from autoencoders.evaluation.against_pca import on_validation
from autoencoders.evaluation.catalogue import (
    VALIDATION_AUROC,
    VALIDATION_EXPLAINED_VARIANCE,
    VALIDATION_SQUARED_ERROR,
)
from autoencoders.evaluation.row import Row
from autoencoders.params.defaults import anomaly_place
from autoencoders.params.sections import Tune

# share of PCA's error by which a model's has to be lower: less may be a processor's rounding
ADVANTAGE = 1e-4


class Ranking(NamedTuple):
    """The trained types' rows."""

    rows: list[Row]  # the best first
    criterion: str  # by which they are ranked, the end of a sentence


def ranking(rows: Sequence[Row], tune: Tune) -> Ranking:
    """The trained types' rows by the goal that they were evaluated for; of equals, first by name.

    reconstruct: by `Tune.rank` on validation, which is the error where code sizes are equal.
    anomaly: by the AUROC on validation where it has labelled rows of both classes, none of which
    is a test row; else by the order of types in `ANOMALY_TYPES`.
    """
    trained = sorted((row for row in rows if row.is_trained), key=lambda row: row.model)
    if not trained or trained[0].goal == "reconstruct":
        ranked = sorted(trained, key=lambda row: _reconstruction_rank(row, tune))
        return Ranking(ranked, _reconstruction_criterion(trained, tune))
    if all(row.has(VALIDATION_AUROC) for row in trained):
        ranked = sorted(trained, key=lambda row: -row.value(VALIDATION_AUROC))
        return Ranking(ranked, "by the anomaly AUROC on validation")
    ranked = sorted(trained, key=lambda row: anomaly_place(row.model))
    return Ranking(ranked, "by the order of types on public tables")


def _reconstruction_rank(row: Row, tune: Tune) -> tuple[float, float]:
    """The row's place among the types: `Tune.rank` of its values on validation."""
    error = row.value(VALIDATION_SQUARED_ERROR)
    variance = row.value(VALIDATION_EXPLAINED_VARIANCE)
    return tune.rank(row.trained_network.code_size, error, variance)


def _reconstruction_criterion(trained: Sequence[Row], tune: Tune) -> str:
    """The criterion of `_reconstruction_rank` in words."""
    code_sizes = {row.trained_network.code_size for row in trained}
    if len(code_sizes) == 1 or tune.objective == "smallest_error":
        return "by the error on validation"
    share = f"{tune.explained_variance:.0%}"
    return f"by the smallest code that keeps {share} of the variance on validation, then the error"


def earns(row: Row) -> bool:
    """Whether a trained type may become the champion.

    Where it is to reconstruct, its validation error has to be lower than PCA's at its code size.
    """
    return row.goal == "anomaly" or beats_pca(row)


def beats_pca(row: Row) -> bool:
    """Whether the validation error is lower than PCA's at the same code size."""
    share = on_validation(row)
    return share is not None and share < -ADVANTAGE
