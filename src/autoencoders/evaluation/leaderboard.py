"""The leaderboard: one row a model and baseline, on the test split that no decision was taken on."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from autoencoders.data.prepared.prepared import Prepared
from autoencoders.evaluation.anomalies import alarm_interval, anomaly_metrics
from autoencoders.evaluation.baselines import PrincipalComponents, isolation_scores
from autoencoders.evaluation.bootstrap import Bootstrap
from autoencoders.evaluation.filters import cleaned
from autoencoders.evaluation.metrics import Values, reconstruction_metrics
from autoencoders.evaluation.probes import Labelled, Probes
from autoencoders.models.trained.fidelity import explained_variance, squared_error
from autoencoders.models.trained.model import BATCH_ROWS, TrainedModel
from autoencoders.params.sections import Evaluate

Row = dict[str, Any]
Operation = Callable[[np.ndarray], np.ndarray]
ACTIVE_VARIANCE = 0.01  # of a code unit over the test rows; Burda et al. 2016, section 4.2
JACOBIAN_ROWS = 1000  # test rows, a sample, whose Jacobians are computed
PROBE_VALUES = 2**26  # of codes that a probe may be fitted on
COMPONENTS = 80  # of the PCA that cleans corrupted rows, but a quarter of the features at most: all would clean nothing


class Evaluation:
    """The data, the baselines and the resamples: what all rows share, computed once."""

    def __init__(self, data: Prepared, params: Evaluate) -> None:
        """Fits the baselines."""
        self.data, self.params, self.anomalous = data, params, data.description.anomaly_labels
        self.pca = PrincipalComponents(map(data.scaled, data.rows["train"]))
        self.bootstrap = partial(Bootstrap, samples=params.bootstrap_samples, seed=params.seed)

    def rows(self, models: Sequence[TrainedModel]) -> list[Row]:
        """Every model's row, PCA's (at the first model's code size), the mean's, an Isolation Forest's, filters'."""
        code_size = models[0].description.architecture.code_size
        rows = [
            *map(self.model_row, models),
            self._linear_row("pca", code_size),
            self._linear_row("mean", 0),
        ]
        if self.anomalous:
            train, test = (self.data.scaled(self.data.sample(split)) for split in ("train", "test"))
            scores = isolation_scores(train, test, self.params.seed)
            found = anomaly_metrics(scores, self._labels("test"), self.params.seed)
            rows.append({**self._facts("iforest", len(test)), **found})
        filters: dict[str, Values] = {}
        for model in models:
            kept = min(COMPONENTS, max(1, self.data.description.schema.n_features // 4))
            filters |= cleaned(model, self.data, self.pca.at(kept), self.params.seed)
        new = filters.keys() - {row["model"] for row in rows}
        rows += [
            self._facts(name, len(self.data.chosen("test"))) for name in filters if name in new
        ]
        return [row | self._intervals(filters.get(row["model"], {})) for row in rows]

    def _facts(self, name: str, test_rows: int) -> Row:
        return {"model": name, "protocol": self.data.description.protocol, "test_rows": test_rows}

    def model_row(self, model: TrainedModel) -> Row:
        """A trained model's row.

        nll_standard_error: Monte-Carlo, of the mean NLL. scaled_jacobian_norm: the Jacobian's mean norm divided
        by the Euclidean norm of the code units' standard deviations over the test rows, which no rescaling of the whole
        code changes.
        """
        description, shape = model.description, model.description.architecture
        codes = model.encode(self.data.sample("test"))
        row = {
            **self._facts(description.model_type, len(self.data.rows["test"])),
            "code_size": shape.code_size,
            "compression_ratio": shape.n_features / shape.code_size,
            "n_parameters": sum(p.numel() for p in model.autoencoder.parameters()),
            "loss": shape.loss,
            "epochs": description.epochs,
            "best_epoch": description.best_epoch,
            "active_code_units": int((codes.var(0) > ACTIVE_VARIANCE).sum()),
        }
        own, (probes, strength) = self._own_values(model), self._probes(model.encode, codes)
        jacobian = self._jacobian_norm(model)
        if jacobian and (
            spread := float(np.linalg.norm(model.decoder_codes(self.data.sample("test")).std(0)))
        ):
            row["scaled_jacobian_norm"] = float(jacobian["jacobian_norm"].mean()) / spread
        found = (own, probes, jacobian)
        judged = self._judged(
            shape.code_size, lambda raw: self.data.scaled(model.reconstruct(raw)), *found
        )
        if "test_nll_variance" in judged:  # of a row; of the mean over rows
            row["nll_standard_error"] = math.sqrt(judged["test_nll_variance"] / len(own["nll"]))
        return {**row, **judged, **strength, **self._anomalies(model)}

    def _linear_row(self, name: str, code_size: int) -> Row:
        linear, scaled = self.pca.at(code_size), self.data.scaled
        size, parameters = len(linear.components), linear.mean.size + linear.components.size
        row = {
            **self._facts(name, len(self.data.rows["test"])),
            "code_size": size,
            "n_parameters": parameters,
        }
        probes: Values = {}
        if size:
            row["compression_ratio"] = linear.mean.size / size

            def encode(raw: np.ndarray) -> np.ndarray:
                return linear.encode(scaled(raw)).astype(np.float32)  # as models' codes

            probes, strength = self._probes(encode)
            row |= strength
        row |= self._judged(size, lambda raw: linear.reconstruct(scaled(raw)), probes)
        if self.anomalous and size:
            row |= anomaly_metrics(
                self._pca_error(size), self.data.labels["test"], self.params.seed
            )
        return row

    def _judged(self, code_size: int, rebuilt: Operation, *found: Values) -> Row:
        """Each metric of a model, of the test split with 95 % intervals, and PCA's error at the code size.

        rebuilt: model-scale reconstructions of raw rows. found: other values of all test rows, or of a sample of them.
        """
        validation = self._values("validation", rebuilt)
        error, deviation = validation["squared_error"], validation["deviation"]
        row: Row = {"validation_squared_error": float(error.mean())}
        row["validation_explained_variance"] = explained_variance(error, deviation)
        del validation, error  # of many rows: only one split's are held
        test = self._values("test", rebuilt)
        error, deviation = test["squared_error"], test.pop("deviation")
        bootstrap = self.bootstrap(len(error))
        for values in (test, *found):
            row |= self._intervals(values)
        mean, low, high = bootstrap.explained_variance(error, deviation)
        row |= {"test_explained_variance": mean, "test_explained_variance_ci95": [low, high]}
        return {**row, "pca_test_squared_error": float(self._pca_error(code_size).mean())}

    def _intervals(self, values: Values) -> Row:
        """Means of the test rows' values, with 95 % intervals."""
        row: Row = {}
        if values:
            bootstrap = self.bootstrap(len(next(iter(values.values()))))
            for name, (mean, low, high) in bootstrap.intervals(values).items():
                row |= {f"test_{name}": mean, f"test_{name}_ci95": [low, high]}
        return row

    def _values(self, split: str, rebuilt: Operation) -> dict[str, np.ndarray]:
        """Every metric of all rows of a split, one value a row, and the squared deviation from the training mean."""
        facts, rows, first, values = (
            self.data.description,
            self.data.rows[split],
            0,
            dict[str, np.ndarray](),
        )
        for raw in rows:
            x = self.data.scaled(raw)
            metrics = reconstruction_metrics(
                x, rebuilt(raw), facts.schema.shape, unit_interval=facts.unit_interval
            )
            found = {**metrics, "deviation": squared_error(x, self.pca.mean)}
            values = values or dict(
                zip(found, np.empty((len(found), len(rows))), strict=True)
            )  # freed as one
            values = {name: column for name, column in values.items() if name in found}
            for name, column in values.items():
                column[first : first + len(raw)] = found[name]
            first += len(raw)
        return values

    def _pca_error(self, code_size: int) -> np.ndarray:
        """PCA's squared error of the test rows."""
        linear, blocks = self.pca.at(code_size), map(self.data.scaled, self.data.rows["test"])
        return np.concatenate([squared_error(x, linear.reconstruct(x)) for x in blocks])

    def _probes(self, encode: Operation, codes: np.ndarray | None = None) -> tuple[Values, Row]:
        """Errors of classifiers that see codes, and the linear one's L2 penalty. codes: the test rows', where known.

        None where labels are missing, mean anomalies, or are all the same; or where test rows are training rows.
        """
        facts, l2 = self.data.description, self.params.probe_l2
        if self.anomalous or not facts.labels or facts.protocol == "transductive":
            return {}, {}
        test = self._labelled("test", encode) if codes is None else (codes, self._labels("test"))
        room = PROBE_VALUES // test[0].shape[1]
        train = self._labelled("train", encode, room, self.params.probe_rows)
        if len(np.unique(train[1])) < 2:
            return {}, {}
        probes = Probes(train, standardised=self.params.probe_standardised)
        l2 = probes.best_l2(self._labelled("validation", encode, room)) if l2 == "auto" else l2
        return probes.errors(test, l2), {"probe_l2": l2}

    def _labelled(
        self, split: str, encode: Operation, room: int = 0, most: int | None = None
    ) -> Labelled:
        """Codes and labels of rows of a split, which are read in parts: only their codes are in memory together."""
        chosen = self.data.chosen(split, most, room)
        codes = [
            encode(np.asarray(part, np.float32)) for part in self.data.rows[split].parts(chosen)
        ]
        return np.concatenate(codes), self.data.labels[split][chosen]

    def _labels(self, split: str) -> np.ndarray:
        """Labels of the rows in a split's sample."""
        return self.data.labels[split][self.data.chosen(split)]

    def _own_values(self, model: TrainedModel) -> Values:
        """The model's own loss, and what its type is for."""
        generator, parts = (
            torch.Generator().manual_seed(self.params.seed),
            list[dict[str, np.ndarray]](),
        )
        for rows in torch.from_numpy(self.data.sample("test")).split(BATCH_ROWS):
            x = model.scaled(rows)
            with torch.no_grad():
                loss = model.autoencoder.reconstruction_loss(model.autoencoder.encode(x), x)
                own = model.autoencoder.diagnostics(x, generator, self.params.importance_samples)
            parts.append(
                {k: v.double().numpy() for k, v in {"reconstruction_loss": loss, **own}.items()}
            )
        names = [name for name in parts[0] if all(name in part for part in parts)]
        return {name: np.concatenate([part[name] for part in parts]) for name in names}

    def _jacobian_norm(self, model: TrainedModel) -> Values:
        """Of at most JACOBIAN_ROWS; nothing where it would take too long."""
        if not model.autoencoder.reports_jacobian:
            return {}
        x = model.scaled(torch.from_numpy(self.data.sample("test", JACOBIAN_ROWS)))
        return {"jacobian_norm": model.autoencoder.jacobian_norm(x).double().numpy()}

    def _anomalies(self, model: TrainedModel) -> Row:
        """The share of clean test rows that raise an alarm; where labels mean anomalies, how well scores tell them."""
        scored = [
            (found.p_value, found.score) for found in map(model.score, self.data.rows["test"])
        ]
        p_value, score = map(np.concatenate, zip(*scored, strict=True))
        labels = self.data.labels["test"]
        clean = p_value[labels == 0] if self.anomalous else p_value
        rate, alarms = self.params.false_alarm_rate, Row()
        if len(clean):
            low, high = alarm_interval(rate, model.description.calibration_rows, len(clean))
            alarms = {
                "test_false_alarm_rate": float((clean <= rate).mean()),
                "false_alarm_interval": [low, high],
            }
        return {
            **alarms,
            **(anomaly_metrics(score, labels, self.params.seed) if self.anomalous else {}),
        }


def flattened(row: Row) -> dict[str, float]:
    """A row's numbers for DVC and MLflow alike; of the intervals, the squared error's `..._low` and `..._high`."""
    low, high = row.get("test_squared_error_ci95", (None, None))
    numbers = {name: value for name, value in row.items() if isinstance(value, int | float)}
    return (
        {**numbers, "test_squared_error_ci95_low": low, "test_squared_error_ci95_high": high}
        if low
        else numbers
    )
