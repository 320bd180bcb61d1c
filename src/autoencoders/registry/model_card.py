"""The model card of a version, in Markdown."""

from collections.abc import Mapping, Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined

from autoencoders.evaluation.against_pca import on_test, percent
from autoencoders.evaluation.catalogue import ANOMALY_COLUMNS, PCA_SQUARED_ERROR
from autoencoders.evaluation.row import Estimates, Row
from autoencoders.models.trained.model import TrainedModel

MEANINGS = {  # of the goals
    "anomaly": "it is to find unusual rows, by their score.",
    "reconstruct": "it is to rebuild rows well, better than PCA does at the same code size.",
}
NOTE_LENGTH = 1000  # characters of all notes: a database takes few of a description


def model_card(
    name: str, row: Row, model: TrainedModel, tags: Mapping[str, str], notes: Sequence[str]
) -> str:
    """Returns the card of a model.

    name: the registered model's; row: its leaderboard row; notes: on the data, of which it shows
    the first ones.
    """
    loader = PackageLoader("autoencoders", "registry")
    templates = Environment(loader=loader, undefined=StrictUndefined)  # noqa: S701  (Markdown)
    template = templates.get_template("model_card.md.j2")
    return template.render(
        name=name,
        row=row,
        meaning=MEANINGS[row.goal],
        estimates=_estimates(row),
        pca=PCA_SQUARED_ERROR,
        against_pca=percent(on_test(row)),
        model=model,
        tags=tags,
        notes=_first(notes),
    )


def _estimates(row: Row) -> Estimates:
    """The estimates with a confidence interval, those that show the goal first."""
    estimates = row.with_confidence()
    first = {}
    if row.goal == "anomaly":
        keys = [metric.key for metric in ANOMALY_COLUMNS]
        first = {key: estimates[key] for key in keys if key in estimates}
    return first | estimates


def _first(notes: Sequence[str]) -> list[str]:
    """The first notes, up to NOTE_LENGTH characters, and how many more there are."""
    shown: list[str] = []
    length = 0
    for note in notes:
        length += len(note)
        if length > NOTE_LENGTH:
            shown.append(f"{len(notes) - len(shown)} more notes stand in report.json, in MLflow")
            break
        shown.append(note)
    return shown
