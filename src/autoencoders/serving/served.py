"""The interface of a served model: a trained one, or another that answers in its place."""

from typing import Protocol

import numpy as np

from autoencoders.models.trained.model import ModelDescription, TrainedModel
from autoencoders.models.trained.scores import Scores


class ServedModel(Protocol):
    """A trained model's codes, reconstructions and scores, computed in another way.

    raw: (rows, features), uint8 or float. Whatever else is asked is the trained model's.
    """

    @property
    def trained(self) -> TrainedModel:
        """The trained model in whose place this one answers."""

    @property
    def description(self) -> ModelDescription:
        """The trained model's description."""

    def encode(self, raw: np.ndarray) -> np.ndarray:
        """Codes: (rows, code)."""

    def reconstruct(self, raw: np.ndarray) -> np.ndarray:
        """Raw-scale reconstructions: (rows, features)."""

    def score(self, raw: np.ndarray, n_novel: np.ndarray | None = None) -> Scores:
        """Anomaly scores in nats. n_novel: (rows,), as in TrainedModel.score."""


def trained_model(model: TrainedModel | ServedModel) -> TrainedModel:
    """The trained model itself, or the one in whose place another answers."""
    if isinstance(model, TrainedModel):
        return model
    return model.trained
