"""Reconstructions judged on a split: every metric with its interval, beside PCA's error."""

from collections.abc import Callable
from functools import partial

import numpy as np

from autoencoders.data.prepared.prepared import Prepared
from autoencoders.evaluation import catalogue
from autoencoders.evaluation.bootstrap import Bootstrap
from autoencoders.evaluation.metrics import Values, reconstruction_metrics
from autoencoders.evaluation.row import Estimate, Estimates
from autoencoders.models.pca import PrincipalComponents
from autoencoders.models.trained.fidelity import explained_variance, squared_error
from autoencoders.params.sections import Evaluate

PCA_ERRORS = (
    (catalogue.PCA_VALIDATION_SQUARED_ERROR, "validation"),
    (catalogue.PCA_SQUARED_ERROR, "test"),
)
Reconstruct = Callable[[np.ndarray], np.ndarray]  # raw rows in, model-scale reconstructions out


class Reconstructions:
    """Judges reconstructions of the prepared rows; the resamples are the same for every model."""

    def __init__(self, data: Prepared, pca: PrincipalComponents, params: Evaluate) -> None:
        """pca: fitted on the training rows, in model scale."""
        self.data = data
        self.pca = pca
        self.bootstrap = partial(Bootstrap, samples=params.bootstrap_samples, seed=params.seed)

    def estimates(self, code_size: int, reconstruct: Reconstruct, *others: Values) -> Estimates:
        """Each metric of a model's reconstructions, and PCA's error at the code size.

        others: further values of the test rows, or of a sample of them.
        """
        estimates = self._on_validation(reconstruct)
        test = self._values("test", reconstruct)
        deviation = test.pop("deviation")
        for values in (test, *others):
            estimates |= self.means(values)
        bootstrap = self.bootstrap(len(deviation))
        variance, low, high = bootstrap.explained_variance(test["squared_error"], deviation)
        estimates[catalogue.EXPLAINED_VARIANCE.key] = Estimate(variance, (low, high))
        for metric, split in PCA_ERRORS:
            pca_error = float(self.pca_error(code_size, split).mean())
            estimates[metric.key] = Estimate(pca_error)
        return estimates

    def _on_validation(self, reconstruct: Reconstruct) -> Estimates:
        """The metrics that models are ranked by."""
        values = self._values("validation", reconstruct)
        error = values["squared_error"]
        variance = explained_variance(error, values["deviation"])
        return {
            catalogue.VALIDATION_SQUARED_ERROR.key: Estimate(float(error.mean())),
            catalogue.VALIDATION_EXPLAINED_VARIANCE.key: Estimate(variance),
        }

    def means(self, values: Values) -> Estimates:
        """Means of the test rows' values, with 95 % intervals."""
        if not values:
            return {}
        rows = len(next(iter(values.values())))
        estimates = {}
        for name, (mean, low, high) in self.bootstrap(rows).intervals(values).items():
            estimates[catalogue.key_on_test(name)] = Estimate(mean, (low, high))
        return estimates

    def pca_error(
        self, code_size: int, split: str = "test", *, in_full: bool = False
    ) -> np.ndarray:
        """PCA's squared error of a split's rows, (rows,).

        in_full: as an anomaly score, of what lies beyond the fences, too. Codes are those of
        clipped rows, as a model's are.
        """
        linear = self.pca.at(code_size)
        rows = self.data.rows[split]
        errors = []
        for clipped, raw in zip(rows, rows.in_full(), strict=True):
            x_hat = linear.reconstruct(self.data.scaled(clipped))
            x = self.data.scaled(raw if in_full else clipped)
            errors.append(squared_error(x, x_hat))
        return np.concatenate(errors)

    def _values(self, split: str, reconstruct: Reconstruct) -> dict[str, np.ndarray]:
        """Every metric of a split, one value a row.

        Among them is the deviation, squared, from the training mean.
        """
        description = self.data.description
        rows = self.data.rows[split]
        columns: dict[str, np.ndarray] = {}
        first = 0
        for raw in rows:
            x = self.data.scaled(raw)
            x_hat = reconstruct(raw)
            block = dict(
                reconstruction_metrics(
                    x, x_hat, description.schema.shape, unit_interval=description.unit_interval
                )
            )
            block["deviation"] = squared_error(x, self.pca.mean)
            if not columns:
                memory = np.empty((len(block), len(rows)))  # one allocation, freed as a whole
                columns = dict(zip(block, memory, strict=True))
            # a metric that one block lacks is none of the split's
            columns = {name: column for name, column in columns.items() if name in block}
            for name, column in columns.items():
                column[first : first + len(raw)] = block[name]
            first += len(raw)
        return columns
