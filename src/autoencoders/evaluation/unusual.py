"""The most unusual test rows of the type that finds anomalies best."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from autoencoders.data.prepared.prepared import Prepared
from autoencoders.evaluation.anomalies import scores_and_p_values
from autoencoders.evaluation.ranking import ranking
from autoencoders.evaluation.row import Row
from autoencoders.models.trained.model import TrainedModel
from autoencoders.models.trained.reasons import reasons_of_prepared
from autoencoders.params.sections import Tune

MOST_UNUSUAL = 20  # rows in the report


class UnusualRow(NamedTuple):
    """A test row with a high score."""

    number: int | None  # in the source, counted from 1; None in data that was prepared before
    score: float  # nats
    p_value: float
    label: str  # nothing where rows have no labels
    reasons: str


class Unusual(NamedTuple):
    """A type's most unusual test rows, the most unusual first."""

    model: str
    rows: list[UnusualRow]


def most_unusual(
    models: Mapping[str, TrainedModel], rows: Sequence[Row], data: Prepared, tune: Tune
) -> Unusual | None:
    """The most unusual test rows of the best type; None where the goal is to reconstruct.

    models: by type. rows: of the leaderboard.
    """
    best = ranking(rows, tune).rows[0]
    if best.goal == "reconstruct":
        return None
    return Unusual(best.model, unusual_rows(models[best.model], data))


def unusual_rows(model: TrainedModel, data: Prepared) -> list[UnusualRow]:
    """The test rows with the highest scores, the highest first; of equal ones, the first row."""
    scores, p_values = scores_and_p_values(model, data, "test")
    places = np.argsort(-scores, kind="stable")[:MOST_UNUSUAL]
    reasons = _reasons(model, data, places)
    result = []
    for place in places.tolist():
        row = UnusualRow(
            number=int(data.test_numbers[place]) if len(data.test_numbers) else None,
            score=float(scores[place]),
            p_value=float(p_values[place]),
            label=_label(data, place),
            reasons=reasons[place],
        )
        result.append(row)
    return result


def _reasons(model: TrainedModel, data: Prepared, places: np.ndarray) -> dict[int, str]:
    """The reasons for the scores of some test rows, by place."""
    rising = np.sort(places)
    n_novel = data.n_novel["test"][rising]
    scores = model.score(data.rows["test"].in_full().take(rising), n_novel)
    texts = reasons_of_prepared(data.description.schema, scores, n_novel)
    return dict(zip(rising.tolist(), texts, strict=True))


def _label(data: Prepared, place: int) -> str:
    """The name of a test row's label; nothing where rows have none."""
    names = data.description.labels
    if not names:
        return ""
    return str(names[int(data.labels["test"][place])])
