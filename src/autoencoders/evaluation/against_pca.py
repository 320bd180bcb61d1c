"""The error against PCA's at the same code size, which a network has to beat."""

from autoencoders.evaluation.catalogue import (
    PCA_SQUARED_ERROR,
    PCA_VALIDATION_SQUARED_ERROR,
    SQUARED_ERROR,
    VALIDATION_SQUARED_ERROR,
)
from autoencoders.evaluation.row import Row

ROUNDING = 1e-6  # share of a model's error below which PCA's is a rounding error


def on_test(row: Row) -> float | None:
    """The test error's difference from PCA's as a share of it; None as in `difference`."""
    return difference(row.value(SQUARED_ERROR), row.value(PCA_SQUARED_ERROR))


def on_validation(row: Row) -> float | None:
    """The validation error's difference from PCA's as a share of it; None as in `difference`."""
    return difference(row.value(VALIDATION_SQUARED_ERROR), row.value(PCA_VALIDATION_SQUARED_ERROR))


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
