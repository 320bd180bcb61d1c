"""The model card of a version, in Markdown."""

from collections.abc import Mapping

from jinja2 import Environment, PackageLoader, StrictUndefined

from autoencoders.evaluation.catalogue import PCA_SQUARED_ERROR
from autoencoders.evaluation.row import Row
from autoencoders.models.trained.model import TrainedModel


def model_card(name: str, row: Row, model: TrainedModel, tags: Mapping[str, str]) -> str:
    """Returns the card of a model. name: the registered model's; row: its leaderboard row."""
    loader = PackageLoader("autoencoders", "registry")
    templates = Environment(loader=loader, undefined=StrictUndefined)  # noqa: S701  (Markdown)
    template = templates.get_template("model_card.md.j2")
    return template.render(name=name, row=row, pca=PCA_SQUARED_ERROR, model=model, tags=tags)
