"""What the leaderboard says first: how the types did at what they are for, and what to try."""

from collections.abc import Sequence

from autoencoders.evaluation.catalogue import (
    PCA_VALIDATION_SQUARED_ERROR,
    VALIDATION_SQUARED_ERROR,
)
from autoencoders.evaluation.ranking import earns
from autoencoders.evaluation.row import Row

MORE_EPOCHS = 4  # times as many as were trained


def unearned(rows: Sequence[Row]) -> list[str]:
    """Lines that say that no type rebuilds better than PCA, and what to try.

    Empty where one does, or where the models are to find anomalies.
    """
    trained = [row for row in rows if row.is_trained]
    if not trained or any(earns(row) for row in trained):
        return []
    closest = min(trained, key=_against_pca)
    return [
        "No type rebuilds the validation rows better than PCA at its code size; the closest is "
        f"{closest.model}, error against PCA: {_against_pca(closest):+.1%}.",
        "PCA is the better compressor here. What to try:",
        *(f"  dvc exp run {values}" for values in _attempts(closest)),
    ]


def _against_pca(row: Row) -> float:
    """The validation error against PCA's at the same code size, as a share of PCA's."""
    pca = row.value(PCA_VALIDATION_SQUARED_ERROR)
    if pca == 0:
        return float("inf")
    return row.value(VALIDATION_SQUARED_ERROR) / pca - 1


def _attempts(row: Row) -> list[str]:
    """Values that may rebuild better, as arguments of `dvc exp run`."""
    network = row.trained_network
    attempts = []
    if network.loss != "mse":
        attempts.append("-S network.loss=mse -S ++network.linear_path=auto")
    epochs = MORE_EPOCHS * network.epochs
    attempts.append(f"-S train.epochs={epochs} -S ++train.patience=0")
    attempts.append("-S network.nodes_per_layer=256")
    return attempts
