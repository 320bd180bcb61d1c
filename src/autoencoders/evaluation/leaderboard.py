"""The leaderboard: one row a model and baseline, on the test split that no decision was taken on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from autoencoders.checkpoint import BATCH_ROWS, TrainedModel, as_tensor
from autoencoders.data.prepared import Prepared
from autoencoders.evaluation.baselines import PrincipalComponents, Projection, mean_predictor
from autoencoders.evaluation.metrics import Bootstrap, Values, explained_variance, reconstruction_metrics, squared_error
from autoencoders.evaluation.probes import probe_errors
from autoencoders.params import Evaluate

Row = dict[str, Any]
ACTIVE_VARIANCE = 0.01  # of a code unit over the test rows; Burda et al. 2016, section 4.2


@dataclass(frozen=True)
class Evaluation:
    """The data in model scale and the baselines: what all rows share, computed once."""

    data: Prepared
    params: Evaluate
    x: dict[str, np.ndarray]  # by split, (rows, features)
    pca: PrincipalComponents
    bootstrap: Bootstrap

    @classmethod
    def of(cls, data: Prepared, params: Evaluate) -> "Evaluation":
        """Scales the data and fits the baselines."""
        x = {split: (np.asarray(rows, np.float32) - data.shift) / data.scale for split, rows in data.rows.items()}
        bootstrap = Bootstrap(len(x["test"]), params.bootstrap_samples, params.seed)
        return cls(data, params, x, PrincipalComponents(x["train"]), bootstrap)

    def rows(self, models: Sequence[TrainedModel]) -> list[Row]:
        """Every model's row, then PCA's (at the first model's code size) and the mean predictor's."""
        code_size = models[0].description.architecture.code_size
        baselines = {"pca": self.pca.at(code_size), "mean": mean_predictor(self.x["train"])}
        return [
            *(self.model_row(model) for model in models),
            *(self._baseline_row(name, projection) for name, projection in baselines.items()),
        ]

    def model_row(self, model: TrainedModel) -> Row:
        """A trained model's row."""
        description = model.description
        shape = description.architecture
        codes = {split: model.encode(self.data.rows[split]) for split in ("train", "test")}
        rebuilt = {
            s: model.scaled(torch.from_numpy(model.reconstruct(self.data.rows[s]))).numpy()
            for s in ("validation", "test")
        }
        values = {**self._test_values(rebuilt["test"], codes), **self._own_values(model)}
        row = {
            "model": description.kind,
            "code_size": shape.code_size,
            "compression_ratio": shape.n_features / shape.code_size,
            "n_parameters": sum(p.numel() for p in model.autoencoder.parameters()),
            "loss": shape.loss,
            "epochs": description.epochs,
            "best_epoch": description.best_epoch,
            **self._validation(rebuilt["validation"]),
            "active_code_units": int((codes["test"].var(0) > ACTIVE_VARIANCE).sum()),
        }
        return self._completed(row, rebuilt["test"], values)

    def _baseline_row(self, name: str, projection: Projection) -> Row:
        rebuilt = {split: projection.reconstruct(self.x[split]) for split in ("validation", "test")}
        code_size = len(projection.components)
        codes = {split: projection.encode(self.x[split]) for split in ("train", "test")} if code_size else {}
        row = {
            "model": name,
            "code_size": code_size,
            "n_parameters": projection.mean.size + projection.components.size,
            **self._validation(rebuilt["validation"]),
        }
        if code_size:
            row["compression_ratio"] = self.x["test"].shape[1] / code_size
        return self._completed(row, rebuilt["test"], self._test_values(rebuilt["test"], codes))

    def _validation(self, rebuilt: np.ndarray) -> dict[str, float]:
        x, mean = self.x["validation"], self.x["train"].mean(0, dtype=np.float64)
        return {
            "validation_squared_error": float(squared_error(x, rebuilt).mean()),
            "validation_explained_variance": explained_variance(x, rebuilt, mean),
        }

    def _test_values(self, rebuilt: np.ndarray, codes: dict[str, np.ndarray]) -> Values:
        description = self.data.description
        values = reconstruction_metrics(
            self.x["test"], rebuilt, description.shape, unit_interval=description.unit_interval
        )
        if not codes:
            return values
        labels, n = self.data.labels, self.params.probe_rows
        chosen = np.random.default_rng(self.params.seed).permutation(len(codes["train"]))[:n]
        probes = probe_errors((codes["train"][chosen], labels["train"][chosen]), (codes["test"], labels["test"]))
        return {**values, **probes}

    def _own_values(self, model: TrainedModel) -> Values:
        """The model's own loss, and what its type is for."""
        generator = torch.Generator().manual_seed(self.params.seed)
        parts: dict[str, list[torch.Tensor]] = {}
        rows = self.data.rows["test"]
        for start in range(0, len(rows), BATCH_ROWS):
            x = model.scaled(as_tensor(rows[start : start + BATCH_ROWS]))
            with torch.no_grad():
                loss = model.autoencoder.reconstruction_loss(model.autoencoder.encode(x), x)
                own = model.autoencoder.diagnostics(x, generator, self.params.importance_samples)
            for name, value in {"reconstruction_loss": loss, **own}.items():
                parts.setdefault(name, []).append(value)
        return {name: torch.cat(values).double().numpy() for name, values in parts.items()}

    def _completed(self, row: Row, rebuilt: np.ndarray, values: Values) -> Row:
        """The row with each test metric and its 95 % interval, and PCA's error at the row's code size."""
        intervals = self.bootstrap.intervals(values)
        deviation = squared_error(self.x["test"], self.x["train"].mean(0, dtype=np.float64))
        error = squared_error(self.x["test"], rebuilt)
        intervals["explained_variance"] = self.bootstrap.explained_variance(error, deviation)
        for name, (mean, low, high) in intervals.items():
            row[f"test_{name}"] = mean
            row[f"test_{name}_ci95"] = [low, high]
        pca = self.pca.at(row["code_size"]).reconstruct(self.x["test"])
        row["pca_test_squared_error"] = float(squared_error(self.x["test"], pca).mean())
        return row


def flattened(row: Row) -> dict[str, float]:
    """A row's numbers for DVC and MLflow alike; of the intervals, the squared error's `..._low` and `..._high`."""
    low, high = row["test_squared_error_ci95"]
    numbers = {name: value for name, value in row.items() if isinstance(value, int | float)}
    return {**numbers, "test_squared_error_ci95_low": low, "test_squared_error_ci95_high": high}
