"""Several models of the same columns that score rows together."""

from collections.abc import Sequence
from typing import final

import numpy as np

from autoencoders.models.trained.model import ModelDescription, TrainedModel
from autoencoders.models.trained.scores import Scores, mean_scores
from autoencoders.serving.served import ServedModel, trained_model


@final
class Ensemble:
    """Scores by the mean over its models; codes and reconstructions are those of the first."""

    def __init__(self, models: Sequence[TrainedModel | ServedModel]) -> None:
        """models: one or more, of rows of the same schema."""
        self.models = models

    @property
    def trained(self) -> TrainedModel:
        """The first model."""
        return trained_model(self.models[0])

    @property
    def description(self) -> ModelDescription:
        """The first model's description."""
        return self.trained.description

    @property
    def descriptions(self) -> list[ModelDescription]:
        """All models' descriptions."""
        return [model.description for model in self.models]

    def encode(self, raw: np.ndarray) -> np.ndarray:
        """The first model's codes: (rows, code)."""
        return self.models[0].encode(raw)

    def reconstruct(self, raw: np.ndarray) -> np.ndarray:
        """The first model's raw-scale reconstructions: (rows, features)."""
        return self.models[0].reconstruct(raw)

    def score(self, raw: np.ndarray, n_novel: np.ndarray | None = None) -> Scores:
        """The models' mean anomaly scores in nats, see `mean_scores`."""
        return mean_scores([model.score(raw, n_novel) for model in self.models])
