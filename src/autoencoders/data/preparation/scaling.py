"""Scaling: shift and scale of each feature, fitted on the training rows; pixels that are 0 or 1."""

import numpy as np

from autoencoders.core.errors import DataError
from autoencoders.data.preparation.survey import Survey
from autoencoders.data.prepared.schema import Schema


class Binarised:
    """Draws black or white for each pixel, white with its model-scale value as probability."""

    def __init__(self, shift: np.ndarray, scale: np.ndarray, seed: int) -> None:
        """shift, scale: (features,), the scaling."""
        self.shift, self.scale, self.random = shift, scale, np.random.default_rng([seed, 1])

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """features, result: (rows, features) in raw scale and of the same type."""
        white = (
            self.random.random(features.shape, np.float32) < (features - self.shift) / self.scale
        )
        return (self.shift + self.scale * white).astype(features.dtype)


def fitted_scaling(
    survey: Survey, schema: Schema, scaling: str, white: float | None
) -> dict[str, np.ndarray]:
    """shift and scale, each (features,) float32, of the training rows alone: model scale = (raw - shift) / scale.

    Categories stay 0 and 1. pixels: from black to white is 0 to 1, where white is 1, 255, or the brightest training
    pixel above that. robust: median and interquartile range. Raises DataError where the data has no pixels.
    """
    if scaling == "pixels" and not schema.is_image:
        raise DataError(
            "data.scaling = pixels: needs images; choose minmax, standard, robust, none or auto"
        )
    low, median, high = survey.quartiles()
    brightest, black = float(survey.maximum.max(initial=0)), float(survey.minimum.min(initial=0))
    full = (white or (1.0 if brightest <= 1 else max(255.0, brightest))) - black
    centre, spread = {
        "pixels": (np.full_like(low, black), np.full_like(low, full)),
        "minmax": (survey.minimum, survey.maximum - survey.minimum),
        "standard": (survey.mean, survey.deviation),
        "robust": (median, np.where(high > low, high - low, survey.deviation)),
        "none": (np.zeros_like(low), np.ones_like(low)),
    }[scaling]
    spread = np.where(spread > np.finfo(np.float32).tiny, spread, 1.0)
    pairs = list(zip(centre, spread, strict=True))
    if not schema.is_image:
        known = dict(zip(survey.numbers, pairs, strict=True))
        pairs = [
            known.get(column.name, (0.0, 1.0)) for column in schema.columns for _ in column.features
        ]
    shift, scale = np.array(pairs, np.float32).T
    return {"shift": shift, "scale": scale}
