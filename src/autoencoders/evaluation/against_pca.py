"""The error against PCA's at the same code size, which a network has to beat."""

from autoencoders.evaluation.catalogue import (
    EXPLAINED_VARIANCE,
    PCA_SQUARED_ERROR,
    PCA_VALIDATION_SQUARED_ERROR,
    SQUARED_ERROR,
    VALIDATION_EXPLAINED_VARIANCE,
    VALIDATION_SQUARED_ERROR,
    Metric,
)
from autoencoders.evaluation.row import Row

ROUNDING = 1e-6  # share of a model's error below which PCA's is a rounding error
SMALLEST_SHARE = 1e-9  # of the variance, below which an error is one of 32-bit numbers


def on_test(row: Row) -> float | None:
    """The test error's difference from PCA's as a share of it; None as in `difference`."""
    return _of_row(row, SQUARED_ERROR, PCA_SQUARED_ERROR, EXPLAINED_VARIANCE)


def on_validation(row: Row) -> float | None:
    """The validation error's difference from PCA's as a share of it; None as in `difference`."""
    return _of_row(
        row,
        VALIDATION_SQUARED_ERROR,
        PCA_VALIDATION_SQUARED_ERROR,
        VALIDATION_EXPLAINED_VARIANCE,
    )


def _of_row(row: Row, metric: Metric, pca_metric: Metric, variance: Metric) -> float | None:
    """The difference of a row's error from PCA's; variance: the share that the row explains."""
    error = row.value(metric)
    pca = row.value(pca_metric)
    if row.has(variance) and pca * (1 - row.value(variance)) <= SMALLEST_SHARE * error:
        return None
    return difference(error, pca)


def difference(error: float, pca: float) -> float | None:
    """The difference from PCA's error as a share of it: -0.5 for half of that error.

    None where PCA's error is mere rounding, as with a code unit for each feature.
    """
    if pca <= ROUNDING * error:
        return None
    return error / pca - 1


def percent(share: float | None) -> str:
    """A difference in percent, such as -48.7 %; empty for None."""
    if share is None:
        return ""
    rounded = round(100 * share, 1) + 0.0  # turns -0.0 into 0.0
    return f"{rounded:+.1f} %"
