"""A row of the leaderboard, and its form in metrics/leaderboard.json."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from autoencoders.core.errors import DataError
from autoencoders.core.files import AGAIN, read_json
from autoencoders.evaluation.catalogue import (
    OTHER_INTERVALS,
    SQUARED_ERROR,
    Metric,
    interval_key,
)

Interval = tuple[float, float]


class Estimate(NamedTuple):
    """A metric's value, with the interval around it where it has one."""

    value: float
    interval: Interval | None = None


Estimates = dict[str, Estimate]  # by a metric's key, in the order of leaderboard.json


@dataclass(frozen=True)
class TrainedNetwork:
    """The size and the training of an autoencoder, in the order of leaderboard.json."""

    code_size: int
    compression_ratio: float  # features per code unit
    n_parameters: int
    loss: str
    epochs: int
    best_epoch: int
    active_code_units: int


@dataclass(frozen=True)
class LinearNetwork:
    """The size of PCA, or of the mean, a code of size 0; in the order of leaderboard.json."""

    code_size: int
    n_parameters: int
    compression_ratio: float | None = None  # None for a code of size 0


@dataclass(frozen=True)
class Row:
    """A row of the leaderboard: of a trained model, of a baseline, or of a filter."""

    model: str  # its type, or the baseline's or filter's name
    goal: str  # of the evaluation: reconstruct or anomaly
    protocol: str
    test_rows: int
    network: TrainedNetwork | LinearNetwork | None  # None for an Isolation Forest and the filters
    estimates: Estimates

    @property
    def is_trained(self) -> bool:
        """Whether it is an autoencoder's, and no baseline's."""
        return isinstance(self.network, TrainedNetwork)

    @property
    def trained_network(self) -> TrainedNetwork:
        """The autoencoder's size and training. Raises ValueError for a baseline."""
        if not isinstance(self.network, TrainedNetwork):
            raise ValueError(f"{self.model}: no autoencoder")
        return self.network

    def has(self, metric: Metric) -> bool:
        """Whether the metric was computed for this model."""
        return metric.key in self.estimates

    def value(self, metric: Metric) -> float:
        """The metric's value. Raises KeyError where the row has none."""
        return self.estimates[metric.key].value

    def interval(self, metric: Metric) -> Interval:
        """The metric's interval. Raises KeyError without metric, ValueError without interval."""
        interval = self.estimates[metric.key].interval
        if interval is None:
            raise ValueError(f"{self.model}: {metric.key} has no interval")
        return interval

    def has_interval(self, metric: Metric) -> bool:
        """Whether the metric was computed for this model, with an interval."""
        return self.has(metric) and self.estimates[metric.key].interval is not None

    def with_confidence(self) -> Estimates:
        """The estimates that have a 95 % confidence interval."""
        estimates = {}
        for key, estimate in self.estimates.items():
            if estimate.interval is not None and key not in OTHER_INTERVALS:
                estimates[key] = estimate
        return estimates

    def written(self) -> dict[str, Any]:
        """The row in leaderboard.json: its values by name, without those that it lacks."""
        values: dict[str, Any] = {
            "model": self.model,
            "goal": self.goal,
            "protocol": self.protocol,
            "test_rows": self.test_rows,
        }
        if self.network is not None:
            facts = asdict(self.network)
            values |= {name: fact for name, fact in facts.items() if fact is not None}
        for key, estimate in self.estimates.items():
            values[key] = estimate.value
            if estimate.interval is not None:
                values[interval_key(key)] = list(estimate.interval)
        return values

    def numbers(self) -> dict[str, float]:
        """The row in metrics.json and MLflow: its numbers, and the ends of the error's interval."""
        written = self.written()
        numbers = {key: value for key, value in written.items() if isinstance(value, int | float)}
        if self.has(SQUARED_ERROR):
            low, high = self.interval(SQUARED_ERROR)
            key = interval_key(SQUARED_ERROR.key)
            numbers |= {f"{key}_low": low, f"{key}_high": high}
        return numbers


FACTS = {*Row.__annotations__, *TrainedNetwork.__annotations__, *LinearNetwork.__annotations__}


def read_rows(path: Path) -> list[Row]:
    """The leaderboard in a file. Raises DataError if it is damaged, and FileNotFoundError."""
    rows = read_json(path)
    try:
        return [row_of(values) for values in rows]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: not what evaluate wrote ({error!r}); {AGAIN}") from error


def row_of(values: Mapping[str, Any]) -> Row:
    """The row that `written` gave. Raises KeyError or TypeError where a value is missing."""
    estimates = {}
    for key, value in values.items():
        if key not in FACTS and not isinstance(value, list):  # lists are the estimates' intervals
            estimates[key] = _estimate(value, values.get(interval_key(key)))
    network = _network(values)
    return Row(
        model=values["model"],
        goal=values["goal"],
        protocol=values["protocol"],
        test_rows=values["test_rows"],
        network=network,
        estimates=estimates,
    )


def _estimate(value: float, ends: list[float] | None) -> Estimate:
    if ends is None:
        return Estimate(value)
    low, high = ends
    return Estimate(value, (low, high))


def _network(values: Mapping[str, Any]) -> TrainedNetwork | LinearNetwork | None:
    if "loss" in values:
        return TrainedNetwork(**{name: values[name] for name in TrainedNetwork.__annotations__})
    if "code_size" in values:
        ratio = values.get("compression_ratio")
        return LinearNetwork(values["code_size"], values["n_parameters"], ratio)
    return None
