"""Scaling: shift and scale of each feature, fitted on the training rows; pixels that are 0 or 1."""

import numpy as np

from autoencoders.core.errors import DataError
from autoencoders.data.preparation.survey import Survey
from autoencoders.data.prepared.schema import Schema
from autoencoders.data.readers.reader import Reader

SMALLEST_PICTURE = 8  # pixels a side, of an array whose values have both signs


class Binarised:
    """Draws black or white for each pixel, white with its model-scale value as probability."""

    def __init__(self, shift: np.ndarray, scale: np.ndarray, seed: int) -> None:
        """shift, scale: (features,), the scaling."""
        self.shift = shift
        self.scale = scale
        self.random = np.random.default_rng([seed, 1])

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """features, result: (rows, features) in raw scale and of the same type."""
        probabilities = (features - self.shift) / self.scale
        white = self.random.random(features.shape, np.float32) < probabilities
        return (self.shift + self.scale * white).astype(features.dtype)


def white_of(survey: Survey, reader: Reader) -> float:
    """The value of a white pixel.

    1 where the brightest training pixel is at most 1. That of 8 or 16 bits for image files of 8
    bits, and for arrays of such a type that use more than half of its range. Else the brightest
    training pixel.
    """
    brightest = float(survey.maximum.max(initial=0))
    if brightest <= 1:
        return 1.0
    if reader.is_full_range or brightest > reader.largest_pixel / 2:
        return max(reader.largest_pixel, brightest)
    return brightest


def pixel_notes(survey: Survey, reader: Reader, white: float) -> list[str]:
    """Notes on pixels that may be meant otherwise. Raises DataError where they can't be pixels."""
    notes = []
    if white not in (1.0, reader.largest_pixel):
        notes.append(f"white is {white:g}, the brightest training pixel")
    if survey.minimum.min(initial=0) < 0:
        height, width = reader.shape[:2]
        if min(height, width) < SMALLEST_PICTURE:
            raise DataError(
                f"rows of shape {reader.shape} with values below 0: too small for pictures; give "
                "other rows flat, as (rows, values), or pixels that are not negative"
            )
        notes.append("pixels have both signs: taken for standardised pictures")
    return notes


def fitted_scaling(
    survey: Survey, schema: Schema, scaling: str, white: float
) -> tuple[np.ndarray, np.ndarray]:
    """Shift and scale, each (features,) float32, of the training rows alone.

    Model scale = (raw - shift) / scale. Categories stay 0 and 1. white: value of a white pixel.
    Raises DataError where pixels are to be scaled, but the data has none.
    """
    if scaling == "pixels" and not schema.is_image:
        raise DataError(
            "data.scaling = pixels: needs images; choose minmax, standard, robust, none or auto"
        )
    centre, spread = _centre_and_spread(survey, scaling, white)
    spread = np.where(spread > np.finfo(np.float32).tiny, spread, 1.0)
    if schema.is_image:
        return centre.astype(np.float32), spread.astype(np.float32)
    numbers = dict(zip(survey.numbers, zip(centre, spread, strict=True), strict=True))
    shifts: list[float] = []
    scales: list[float] = []
    for column in schema.columns:
        shift, scale = numbers.get(column.name, (0.0, 1.0))
        width = len(column.features)
        shifts += [shift] * width
        scales += [scale] * width
    return np.array(shifts, np.float32), np.array(scales, np.float32)


def _centre_and_spread(survey: Survey, scaling: str, white: float) -> tuple[np.ndarray, np.ndarray]:
    """Shift and scale of pixels or of numeric columns, each float64; the scale may be 0.

    pixels: from black to white is 0 to 1. robust: median and interquartile range.
    """
    if scaling == "pixels":
        black = float(survey.minimum.min(initial=0))
        return np.full_like(survey.minimum, black), np.full_like(survey.minimum, white - black)
    if scaling == "minmax":
        return survey.minimum, survey.maximum - survey.minimum
    if scaling == "standard":
        return survey.mean, survey.deviation
    if scaling == "robust":
        low, median, high = survey.quartiles()
        return median, np.where(high > low, high - low, survey.deviation)
    return np.zeros_like(survey.minimum), np.ones_like(survey.minimum)
