"""The leaderboard: a row per model and baseline, on the test split that decided nothing."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from autoencoders.data.prepared.prepared import Prepared
from autoencoders.evaluation import catalogue
from autoencoders.evaluation.anomalies import alarm_interval, anomaly_metrics
from autoencoders.evaluation.baselines import PrincipalComponents, isolation_scores
from autoencoders.evaluation.bootstrap import Bootstrap
from autoencoders.evaluation.filters import cleaned
from autoencoders.evaluation.metrics import Values, reconstruction_metrics
from autoencoders.evaluation.probes import Labelled, Probes
from autoencoders.evaluation.row import Estimate, Estimates, LinearNetwork, Row, TrainedNetwork
from autoencoders.models.trained.fidelity import explained_variance, squared_error
from autoencoders.models.trained.model import BATCH_ROWS, TrainedModel
from autoencoders.params.sections import Evaluate

Operation = Callable[[np.ndarray], np.ndarray]
ACTIVE_VARIANCE = 0.01  # of a code unit over the test rows; Burda et al. 2016, section 4.2
JACOBIAN_ROWS = 1000  # test rows, a sample, whose Jacobians are computed
PROBE_VALUES = 2**26  # of codes that a probe may be fitted on
FILTER_COMPONENTS = 80  # of the PCA that cleans corrupted rows, at most


class Evaluation:
    """The data, the baselines and the resamples: what all rows share, computed once."""

    def __init__(self, data: Prepared, params: Evaluate) -> None:
        """Fits the baselines."""
        self.data = data
        self.params = params
        self.anomalous = data.description.anomaly_labels
        self.pca = PrincipalComponents(map(data.scaled, data.rows["train"]))
        self.bootstrap = partial(Bootstrap, samples=params.bootstrap_samples, seed=params.seed)

    def rows(self, models: Sequence[TrainedModel]) -> list[Row]:
        """The rows of the models and of the baselines.

        These are PCA at the first model's code size, the mean, for anomalies an Isolation Forest,
        and for corrupted inputs filters.
        """
        code_size = models[0].description.architecture.code_size
        rows = [self.model_row(model) for model in models]
        rows.append(self._linear_row("pca", code_size))
        rows.append(self._linear_row("mean", 0))
        if self.anomalous:
            rows.append(self._isolation_row())
        return self._with_filters(rows, models)

    def model_row(self, model: TrainedModel) -> Row:
        """A trained model's row."""
        description = model.description
        architecture = description.architecture
        codes = model.encode(self.data.sample("test"))
        network = TrainedNetwork(
            code_size=architecture.code_size,
            compression_ratio=architecture.n_features / architecture.code_size,
            n_parameters=sum(weights.numel() for weights in model.autoencoder.parameters()),
            loss=architecture.loss,
            epochs=description.epochs,
            best_epoch=description.best_epoch,
            active_code_units=int((codes.var(0) > ACTIVE_VARIANCE).sum()),
        )

        def reconstruct(raw: np.ndarray) -> np.ndarray:
            return self.data.scaled(model.reconstruct(raw))

        type_values = self._type_values(model)
        probe_errors, probe_l2 = self._probes(model.encode, codes)
        jacobian = self._jacobian_norm(model)
        values = (type_values, probe_errors, jacobian)
        reconstruction = self._reconstruction(architecture.code_size, reconstruct, *values)
        estimates = {
            **self._scaled_jacobian_norm(model, jacobian),
            **_nll_standard_error(reconstruction, len(codes)),
            **reconstruction,
            **probe_l2,
            **self._anomalies(model),
        }
        return self._row(description.model_type, len(self.data.rows["test"]), network, estimates)

    def _row(
        self,
        name: str,
        test_rows: int,
        network: TrainedNetwork | LinearNetwork | None,
        estimates: Estimates,
    ) -> Row:
        return Row(name, self.data.description.protocol, test_rows, network, estimates)

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
            return self._row(
                name,
                test_rows,
                LinearNetwork(0, n_parameters),
                self._reconstruction(0, reconstruct),
            )
        network = LinearNetwork(size, n_parameters, linear.mean.size / size)
        probe_errors, estimates = self._probes(encode)
        estimates |= self._reconstruction(size, reconstruct, probe_errors)
        if self.anomalous:
            labels = self.data.labels["test"]
            estimates |= anomaly_metrics(self._pca_error(size), labels, self.params.seed)
        return self._row(name, test_rows, network, estimates)

    def _isolation_row(self) -> Row:
        """An Isolation Forest's row: how it ranks anomalies."""
        train = self.data.scaled(self.data.sample("train"))
        test = self.data.scaled(self.data.sample("test"))
        scores = isolation_scores(train, test, self.params.seed)
        estimates = anomaly_metrics(scores, self._labels("test"), self.params.seed)
        return self._row("iforest", len(test), None, estimates)

    def _with_filters(self, rows: Sequence[Row], models: Sequence[TrainedModel]) -> list[Row]:
        """Adds the PSNR of cleaned inputs to the rows, and a row for each other filter."""
        quarter = max(1, self.data.description.schema.n_features // 4)  # all would clean nothing
        pca = self.pca.at(min(FILTER_COMPONENTS, quarter))
        filters: dict[str, Values] = {}
        for model in models:
            filters |= cleaned(model, self.data, pca, self.params.seed)
        estimates = {name: self._means(values) for name, values in filters.items()}
        result = []
        for row in rows:
            cleaning = estimates.pop(row.model, {})
            result.append(replace(row, estimates={**row.estimates, **cleaning}))
        test_rows = len(self.data.chosen("test"))
        for name, cleaning in estimates.items():
            result.append(self._row(name, test_rows, None, cleaning))
        return result

    def _reconstruction(self, code_size: int, reconstruct: Operation, *others: Values) -> Estimates:
        """Each metric of a model's reconstructions, and PCA's error at the code size.

        reconstruct: raw rows in, model-scale reconstructions out. others: further values of the
        test rows, or of a sample of them.
        """
        estimates = self._on_validation(reconstruct)
        test = self._values("test", reconstruct)
        deviation = test.pop("deviation")
        for values in (test, *others):
            estimates |= self._means(values)
        bootstrap = self.bootstrap(len(deviation))
        variance, low, high = bootstrap.explained_variance(test["squared_error"], deviation)
        estimates[catalogue.EXPLAINED_VARIANCE.key] = Estimate(variance, (low, high))
        pca_error = float(self._pca_error(code_size).mean())
        estimates[catalogue.PCA_SQUARED_ERROR.key] = Estimate(pca_error)
        return estimates

    def _on_validation(self, reconstruct: Operation) -> Estimates:
        """The metrics that models are ranked by."""
        values = self._values("validation", reconstruct)
        error = values["squared_error"]
        variance = explained_variance(error, values["deviation"])
        return {
            catalogue.VALIDATION_SQUARED_ERROR.key: Estimate(float(error.mean())),
            catalogue.VALIDATION_EXPLAINED_VARIANCE.key: Estimate(variance),
        }

    def _means(self, values: Values) -> Estimates:
        """Means of the test rows' values, with 95 % intervals."""
        if not values:
            return {}
        rows = len(next(iter(values.values())))
        estimates = {}
        for name, (mean, low, high) in self.bootstrap(rows).intervals(values).items():
            estimates[catalogue.key_on_test(name)] = Estimate(mean, (low, high))
        return estimates

    def _values(self, split: str, reconstruct: Operation) -> dict[str, np.ndarray]:
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

    def _pca_error(self, code_size: int) -> np.ndarray:
        """PCA's squared error of the test rows."""
        linear = self.pca.at(code_size)
        errors = []
        for raw in self.data.rows["test"]:
            x = self.data.scaled(raw)
            errors.append(squared_error(x, linear.reconstruct(x)))
        return np.concatenate(errors)

    def _probes(
        self, encode: Operation, codes: np.ndarray | None = None
    ) -> tuple[Values, Estimates]:
        """Errors of the probes on the test rows, and the linear one's L2 penalty.

        Both are empty where labels are missing, mean anomalies, or are all the same; and where
        test rows are training rows. codes: of the test rows, if they are computed already.
        """
        description = self.data.description
        is_transductive = description.protocol == "transductive"
        if self.anomalous or not description.labels or is_transductive:
            return {}, {}
        test = self._labelled("test", encode) if codes is None else (codes, self._labels("test"))
        room = PROBE_VALUES // test[0].shape[1]
        train = self._labelled("train", encode, room, self.params.probe_rows)
        if len(np.unique(train[1])) < 2:
            return {}, {}
        probes = Probes(train, standardised=self.params.probe_standardised)
        l2 = self.params.probe_l2
        if l2 == "auto":
            l2 = probes.best_l2(self._labelled("validation", encode, room))
        return probes.errors(test, l2), {catalogue.PROBE_L2.key: Estimate(l2)}

    def _labelled(
        self, split: str, encode: Operation, room: int = 0, most: int | None = None
    ) -> Labelled:
        """Codes and labels of rows of a split. Only the codes are all in memory at once."""
        chosen = self.data.chosen(split, most, room)
        codes = []
        for part in self.data.rows[split].parts(chosen):
            codes.append(encode(np.asarray(part, np.float32)))
        return np.concatenate(codes), self.data.labels[split][chosen]

    def _labels(self, split: str) -> np.ndarray:
        """Labels of the rows in a split's sample."""
        return self.data.labels[split][self.data.chosen(split)]

    def _type_values(self, model: TrainedModel) -> Values:
        """The model's reconstruction loss and its type's diagnostics, one value a test row."""
        generator = torch.Generator().manual_seed(self.params.seed)
        n_samples = self.params.importance_samples
        parts: list[dict[str, np.ndarray]] = []
        for rows in torch.from_numpy(self.data.sample("test")).split(BATCH_ROWS):
            x = model.scaled(rows)
            with torch.no_grad():
                loss = model.autoencoder.reconstruction_loss(model.autoencoder.encode(x), x)
                diagnostics = model.autoencoder.diagnostics(x, generator, n_samples)
            values = {"reconstruction_loss": loss, **diagnostics}
            parts.append({name: value.double().numpy() for name, value in values.items()})
        result = {}
        for name in parts[0]:
            if all(name in part for part in parts):
                result[name] = np.concatenate([part[name] for part in parts])
        return result

    def _jacobian_norm(self, model: TrainedModel) -> Values:
        """The Jacobian's norm at JACOBIAN_ROWS rows at most; empty where it would take too long."""
        if not model.autoencoder.reports_jacobian:
            return {}
        x = model.scaled(torch.from_numpy(self.data.sample("test", JACOBIAN_ROWS)))
        return {"jacobian_norm": model.autoencoder.jacobian_norm(x).double().numpy()}

    def _scaled_jacobian_norm(self, model: TrainedModel, jacobian: Values) -> Estimates:
        """The Jacobian's mean norm, divided by the norm of the code units' standard deviations.

        No rescaling of the whole code changes it. Empty where the code never changes.
        """
        if not jacobian:
            return {}
        codes = model.decoder_codes(self.data.sample("test"))
        spread = float(np.linalg.norm(codes.std(0)))
        if not spread:
            return {}
        norm = float(jacobian["jacobian_norm"].mean())
        return {catalogue.SCALED_JACOBIAN_NORM.key: Estimate(norm / spread)}

    def _anomalies(self, model: TrainedModel) -> Estimates:
        """The share of clean test rows that raise an alarm, and how well scores rank anomalies."""
        p_values = []
        scores = []
        for raw in self.data.rows["test"]:
            scored = model.score(raw)
            p_values.append(scored.p_value)
            scores.append(scored.score)
        labels = self.data.labels["test"]
        clean = np.concatenate(p_values)
        if self.anomalous:
            clean = clean[labels == 0]
        estimates: Estimates = {}
        if len(clean):
            rate = self.params.false_alarm_rate
            interval = alarm_interval(rate, model.description.calibration_rows, len(clean))
            share = float((clean <= rate).mean())
            estimates[catalogue.FALSE_ALARM_RATE.key] = Estimate(share, interval)
        if self.anomalous:
            estimates |= anomaly_metrics(np.concatenate(scores), labels, self.params.seed)
        return estimates


def _nll_standard_error(estimates: Estimates, rows: int) -> Estimates:
    """The Monte-Carlo standard error of the mean NLL over the rows; empty without an NLL."""
    variance = estimates.get(catalogue.NLL_VARIANCE.key)
    if variance is None:
        return {}
    return {catalogue.NLL_STANDARD_ERROR.key: Estimate(math.sqrt(variance.value / rows))}
