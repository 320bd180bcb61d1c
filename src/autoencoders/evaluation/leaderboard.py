"""The leaderboard: a row per model and baseline, on the test split that decided nothing."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from autoencoders.data.prepared.prepared import Prepared
from autoencoders.evaluation.anomalies import anomaly_metrics, detection
from autoencoders.evaluation.baselines import (
    ISOLATION_FOREST,
    MEAN,
    PCA,
    isolation_scores,
)
from autoencoders.evaluation.diagnostics import (
    jacobian_norm,
    nll_standard_error,
    scaled_jacobian_norm,
    type_values,
)
from autoencoders.evaluation.filters import cleaned
from autoencoders.evaluation.metrics import Values
from autoencoders.evaluation.probes import probe_metrics
from autoencoders.evaluation.reconstructions import Reconstructions
from autoencoders.evaluation.row import Estimates, LinearNetwork, Row, TrainedNetwork
from autoencoders.models.pca import PrincipalComponents
from autoencoders.models.trained.model import TrainedModel
from autoencoders.params.goal import Goal
from autoencoders.params.sections import Evaluate

ACTIVE_VARIANCE = 0.01  # of a code unit over the test rows; Burda et al. 2016, section 4.2
FILTER_COMPONENTS = 80  # of the PCA that cleans corrupted rows, at most
FILTER_SHARE = 4  # features to a component of that PCA, at least: with all it would clean nothing


class Evaluation:
    """The data, the baselines and the resamples: shared by all rows, computed once."""

    def __init__(self, data: Prepared, params: Evaluate, goal: Goal) -> None:
        """Fits the baselines."""
        self.data = data
        self.goal = goal
        self.params = params
        self.anomalous = data.description.anomaly_labels
        self.pca = PrincipalComponents(map(data.scaled, data.rows["train"]))
        self.reconstructions = Reconstructions(data, self.pca, params)

    def rows(self, models: Sequence[TrainedModel]) -> list[Row]:
        """The rows of the models and of the baselines.

        These are PCA at the first model's code size, the mean, for anomalies an Isolation Forest,
        and for corrupted inputs filters.
        """
        code_size = models[0].description.architecture.code_size
        rows = [self.model_row(model) for model in models]
        rows.append(self._linear_row(PCA, code_size))
        rows.append(self._linear_row(MEAN, 0))
        if self.anomalous:
            rows.append(self._isolation_row())
        return self._with_filters(rows, models)

    def model_row(self, model: TrainedModel) -> Row:
        """A trained model's row."""
        architecture = model.description.architecture
        codes = model.encode(self.data.sample("test"))

        def reconstruct(raw: np.ndarray) -> np.ndarray:
            return self.data.scaled(model.reconstruct(raw))

        diagnostics = type_values(model, self.data, self.params)
        probe_errors, probe_l2 = probe_metrics(model.encode, self.data, self.params, codes)
        jacobian = jacobian_norm(model, self.data)
        values = (diagnostics, probe_errors, jacobian)
        reconstruction = self.reconstructions.estimates(
            architecture.code_size, reconstruct, *values
        )
        estimates = {
            **scaled_jacobian_norm(model, self.data, jacobian),
            **nll_standard_error(reconstruction, len(codes)),
            **reconstruction,
            **probe_l2,
            **detection(model, self.data, self.params),
        }
        network = _trained_network(model, codes)
        test_rows = len(self.data.rows["test"])
        return self._row(model.description.model_type, test_rows, network, estimates)

    def _row(
        self,
        name: str,
        test_rows: int,
        network: TrainedNetwork | LinearNetwork | None,
        estimates: Estimates,
    ) -> Row:
        protocol = self.data.description.protocol
        return Row(name, self.goal, protocol, test_rows, network, estimates)

    def _linear_row(self, name: str, code_size: int) -> Row:
        """PCA's row at a code size; at size 0, the mean's."""
        linear = self.pca.at(code_size)
        size = len(linear.components)  # smaller than the code where there are fewer features
        n_parameters = linear.mean.size + linear.components.size

        def encode(raw: np.ndarray) -> np.ndarray:
            return linear.encode(self.data.scaled(raw)).astype(np.float32)  # as models' codes

        def reconstruct(raw: np.ndarray) -> np.ndarray:
            return linear.reconstruct(self.data.scaled(raw))

        test_rows = len(self.data.rows["test"])
        if not size:
            network = LinearNetwork(0, n_parameters)
            estimates = self.reconstructions.estimates(0, reconstruct)
            return self._row(name, test_rows, network, estimates)
        network = LinearNetwork(size, n_parameters, linear.mean.size / size)
        probe_errors, estimates = probe_metrics(encode, self.data, self.params)
        estimates |= self.reconstructions.estimates(size, reconstruct, probe_errors)
        if self.anomalous:
            error = self.reconstructions.pca_error(size, in_full=True)
            estimates |= self._anomaly_metrics(error, self.data.labels["test"])
        return self._row(name, test_rows, network, estimates)

    def _isolation_row(self) -> Row:
        """An Isolation Forest's row: how it ranks anomalies."""
        train = self.data.scaled(self.data.sample("train"))
        test = self.data.scaled(self.data.sample_in_full("test"))
        scores = isolation_scores(train, test, self.params.seed)
        estimates = self._anomaly_metrics(scores, self.data.sampled_labels("test"))
        return self._row(ISOLATION_FOREST, len(test), None, estimates)

    def _anomaly_metrics(self, scores: np.ndarray, labels: np.ndarray) -> Estimates:
        samples = self.params.bootstrap_samples
        return anomaly_metrics(scores, labels, samples=samples, seed=self.params.seed)

    def _with_filters(self, rows: Sequence[Row], models: Sequence[TrainedModel]) -> list[Row]:
        """Adds the PSNR of cleaned inputs to the rows, and a row for each other filter."""
        most = max(1, self.data.description.schema.n_features // FILTER_SHARE)
        pca = self.pca.at(min(FILTER_COMPONENTS, most))
        filters: dict[str, Values] = {}
        for model in models:
            filters |= cleaned(model, self.data, pca, self.params.seed)
        estimates = {name: self.reconstructions.means(values) for name, values in filters.items()}
        result = []
        for row in rows:
            cleaning = estimates.pop(row.model, {})
            result.append(replace(row, estimates={**row.estimates, **cleaning}))
        test_rows = len(self.data.chosen("test"))
        for name, cleaning in estimates.items():
            result.append(self._row(name, test_rows, None, cleaning))
        return result


def _trained_network(model: TrainedModel, codes: np.ndarray) -> TrainedNetwork:
    """The size and the training of a model. codes: (rows, code), of test rows."""
    description = model.description
    architecture = description.architecture
    return TrainedNetwork(
        code_size=architecture.code_size,
        compression_ratio=architecture.n_features / architecture.code_size,
        n_parameters=sum(weights.numel() for weights in model.autoencoder.parameters()),
        loss=architecture.loss,
        epochs=description.epochs,
        best_epoch=description.best_epoch,
        active_code_units=int((codes.var(0) > ACTIVE_VARIANCE).sum()),
    )
