"""The leaderboard: one row a model and baseline, on the test split that no decision was taken on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from autoencoders.checkpoint import BATCH_ROWS, TrainedModel
from autoencoders.data.prepared import Prepared
from autoencoders.evaluation.anomalies import alarm_interval, anomaly_metrics
from autoencoders.evaluation.baselines import PrincipalComponents, isolation_scores
from autoencoders.evaluation.metrics import Bootstrap, Values, reconstruction_metrics, squared_error
from autoencoders.evaluation.probes import probe_errors
from autoencoders.params import Evaluate

Row = dict[str, Any]
ACTIVE_VARIANCE = 0.01  # of a code unit over the test rows; Burda et al. 2016, section 4.2


@dataclass(frozen=True)
class Evaluation:
    """The data, the baselines and the resamples: what all rows share, computed once."""

    data: Prepared
    params: Evaluate
    pca: PrincipalComponents
    bootstrap: Bootstrap

    @classmethod
    def of(cls, data: Prepared, params: Evaluate) -> "Evaluation":
        """Fits the baselines."""
        bootstrap = Bootstrap(len(data.rows["test"]), params.bootstrap_samples, params.seed)
        return cls(data, params, PrincipalComponents(map(data.scaled, data.rows["train"])), bootstrap)

    def rows(self, models: Sequence[TrainedModel]) -> list[Row]:
        """Every model's row, then PCA's (at the first model's code size), the mean's, and an Isolation Forest's."""
        code_size = models[0].description.architecture.code_size
        rows = [*map(self.model_row, models), self._linear_row("pca", code_size), self._linear_row("mean", 0)]
        if self.data.description.anomaly_labels:
            train, test = (self.data.scaled(self.data.sample(split)) for split in ("train", "test"))
            scores = isolation_scores(train, test, self.params.seed)
            labels = self.data.labels["test"][self.data.chosen("test")]
            row = {"model": "iforest", **self._facts(), "test_rows": len(test)}
            rows.append({**row, **anomaly_metrics(scores, labels, self.params.seed)})
        return rows

    def _facts(self) -> Row:
        return {"protocol": self.data.description.protocol, "test_rows": len(self.data.rows["test"])}

    def model_row(self, model: TrainedModel) -> Row:
        """A trained model's row."""
        description, shape = model.description, model.description.architecture
        codes = {"train": model.encode(self._probed("train")), "test": model.encode(self.data.sample("test"))}
        values = {split: self._values(split, model.reconstruct, scaled=False) for split in ("validation", "test")}
        row = {
            "model": description.kind,
            **self._facts(),
            "code_size": shape.code_size,
            "compression_ratio": shape.n_features / shape.code_size,
            "n_parameters": sum(p.numel() for p in model.autoencoder.parameters()),
            "loss": shape.loss,
            "epochs": description.epochs,
            "best_epoch": description.best_epoch,
            "active_code_units": int((codes["test"].var(0) > ACTIVE_VARIANCE).sum()),
        }
        completed = self._completed(row, values, self._own_values(model), codes)
        return {**completed, **self._anomalies(model)}

    def _linear_row(self, name: str, code_size: int) -> Row:
        projection = self.pca.at(code_size)
        labelled = code_size and self.data.description.labels
        codes = {"train": self._probed("train"), "test": self.data.sample("test")} if labelled else {}
        codes = {split: projection.encode(self.data.scaled(rows)) for split, rows in codes.items()}
        values = {s: self._values(s, projection.reconstruct, scaled=True) for s in ("validation", "test")}
        size = len(projection.components)
        parameters = projection.mean.size + projection.components.size
        row = {"model": name, **self._facts(), "code_size": size, "n_parameters": parameters}
        row |= {"compression_ratio": self.data.description.schema.n_features / size} if size else {}
        completed = self._completed(row, values, {}, codes)
        if self.data.description.anomaly_labels and size:
            scores, labels = values["test"]["squared_error"], self.data.labels["test"]
            completed |= anomaly_metrics(scores, labels, self.params.seed)
        return completed

    def _values(
        self, split: str, reconstruct: Callable[[np.ndarray], np.ndarray], *, scaled: bool
    ) -> dict[str, np.ndarray]:
        """Every metric of all rows of a split, one value a row; scaled: whether `reconstruct` works in model scale."""
        facts, rows, first, values = self.data.description, self.data.rows[split], 0, dict[str, np.ndarray]()
        for raw in rows:
            x = self.data.scaled(raw)
            x_hat = reconstruct(x) if scaled else self.data.scaled(reconstruct(raw))
            metrics = reconstruction_metrics(x, x_hat, facts.schema.shape, unit_interval=facts.unit_interval)
            found = {**metrics, "deviation": squared_error(x, self.pca.mean)}
            values = values or dict(zip(found, np.empty((len(found), len(rows))), strict=True))  # freed as one
            values = {name: column for name, column in values.items() if name in found}
            for name, column in values.items():
                column[first : first + len(raw)] = found[name]
            first += len(raw)
        return values

    def _probed(self, split: str) -> np.ndarray:
        return self.data.sample(split, self.params.probe_rows)

    def _probes(self, codes: dict[str, np.ndarray]) -> Values:
        """Errors of classifiers that see codes; none where labels are missing, mean anomalies, or are all the same."""
        facts, most = self.data.description, {"train": self.params.probe_rows, "test": None}
        labels = {split: self.data.labels[split][self.data.chosen(split, most[split])] for split in codes}
        if not codes or facts.anomaly_labels or len(np.unique(labels["train"])) < 2:
            return {}
        return probe_errors((codes["train"], labels["train"]), (codes["test"], labels["test"]))

    def _own_values(self, model: TrainedModel) -> Values:
        """The model's own loss, and what its type is for."""
        generator = torch.Generator().manual_seed(self.params.seed)
        parts: dict[str, list[torch.Tensor]] = {}
        for rows in torch.from_numpy(self.data.sample("test")).split(BATCH_ROWS):
            x = model.scaled(rows)
            with torch.no_grad():
                loss = model.autoencoder.reconstruction_loss(model.autoencoder.encode(x), x)
                own = model.autoencoder.diagnostics(x, generator, self.params.importance_samples)
            for name, value in {"reconstruction_loss": loss, **own}.items():
                parts.setdefault(name, []).append(value)
        return {name: torch.cat(values).double().numpy() for name, values in parts.items()}

    def _anomalies(self, model: TrainedModel) -> Row:
        """The share of clean test rows that raise an alarm; where labels mean anomalies, how well scores tell them."""
        scored = [(found.p_value, found.score) for found in map(model.score, self.data.rows["test"])]
        p_value, score = map(np.concatenate, zip(*scored, strict=True))
        labels, anomalous = self.data.labels["test"], self.data.description.anomaly_labels
        clean = p_value[labels == 0] if anomalous else p_value
        rate = self.params.false_alarm_rate
        low, high = alarm_interval(rate, model.description.calibration_rows, len(clean))
        alarms = {"test_false_alarm_rate": float((clean <= rate).mean()), "false_alarm_interval": [low, high]}
        return {**alarms, **(anomaly_metrics(score, labels, self.params.seed) if anomalous else {})}

    def _completed(
        self, row: Row, values: dict[str, dict[str, np.ndarray]], own: Values, codes: dict[str, np.ndarray]
    ) -> Row:
        """The row with each test metric and its 95 % interval, and PCA's error at the row's code size."""
        validation, deviation = values.pop("validation"), values["test"].pop("deviation")
        error = validation["squared_error"]
        row["validation_squared_error"] = float(error.mean())
        row["validation_explained_variance"] = float(1 - error.sum() / validation["deviation"].sum())
        del validation, error  # all of its metrics
        intervals = self.bootstrap.intervals(values["test"])
        for found in (own, self._probes(codes)):  # of all test rows, or of a sample of them
            size = len(next(iter(found.values()), ()))
            if size:
                intervals |= Bootstrap(size, self.params.bootstrap_samples, self.params.seed).intervals(found)
        intervals["explained_variance"] = self.bootstrap.explained_variance(values["test"]["squared_error"], deviation)
        for name, (mean, low, high) in intervals.items():
            row[f"test_{name}"] = mean
            row[f"test_{name}_ci95"] = [low, high]
        pca = self._values("test", self.pca.at(row["code_size"]).reconstruct, scaled=True)
        row["pca_test_squared_error"] = float(pca["squared_error"].mean())
        return row


def flattened(row: Row) -> dict[str, float]:
    """A row's numbers for DVC and MLflow alike; of the intervals, the squared error's `..._low` and `..._high`."""
    low, high = row.get("test_squared_error_ci95", (None, None))
    numbers = {name: value for name, value in row.items() if isinstance(value, int | float)}
    return {**numbers, "test_squared_error_ci95_low": low, "test_squared_error_ci95_high": high} if low else numbers
