"""Scaling: shift and scale of each feature, fitted on the training rows; pixels that are 0 or 1."""

from collections.abc import Sequence

import numpy as np

from autoencoders.core.errors import DataError
from autoencoders.data.preparation.gross_outliers import ColumnOutliers
from autoencoders.data.preparation.survey import Survey
from autoencoders.data.prepared.fences import Fences
from autoencoders.data.prepared.schema import Schema
from autoencoders.data.readers.arrays import SMALLEST_PICTURE
from autoencoders.data.readers.reader import Reader

BYTE = 255.0  # the largest number of 8 bits
USUAL_SHARE = 0.999  # of the training pixels
MISSING = (-99, -999, -9999, -99999, -32768, -32767)  # markers of missing pixels
DARK = 1 / 8  # of the value of white: what is darker hardly shows


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
    bits, and for arrays of such a type that use more than half of its range. That of 8 bits for
    whole numbers that use more than half of it, whatever their type. Else the brightest training
    pixel.
    """
    brightest = float(survey.maximum.max(initial=0))
    if brightest <= 1:
        return 1.0
    if reader.is_full_range or brightest > reader.largest_pixel / 2:
        return max(reader.largest_pixel, brightest)
    if BYTE / 2 < brightest <= BYTE and _are_bytes(survey):
        return BYTE
    return brightest


def _are_bytes(survey: Survey) -> bool:
    """Whether pixels are whole numbers that are not negative."""
    is_whole = survey.sample == np.round(survey.sample)
    return bool(is_whole.all() and survey.minimum.min(initial=0) >= 0)


def pixel_notes(survey: Survey, reader: Reader, white: float) -> list[str]:
    """Notes on pixels that may be meant otherwise. Raises DataError where they can't be pixels."""
    notes = []
    black = float(survey.minimum.min(initial=0))
    darkest = float(survey.minimum.min())
    brightest = float(survey.maximum.max())
    if darkest == brightest:
        notes.append(f"every pixel of the training images is {darkest:g}: they show nothing")
    if white not in (1.0, reader.largest_pixel) and white == brightest:
        notes.append(f"white is {white:g}, the brightest training pixel")
    elif white not in (1.0, reader.largest_pixel):
        notes.append(f"white is {white:g}, as pixels are whole numbers up to {brightest:g}")
    elif white == 1 and reader.is_full_range:
        notes.append("white is 1, as the pixels are 0 and 1, although the files could hold 255")
    height, width = reader.shape[:2]
    if min(height, width) < SMALLEST_PICTURE:
        if black < 0:
            raise DataError(
                f"rows of shape {reader.shape} with values below 0: too small for pictures; give "
                "other rows flat, as (rows, values), or pixels that are not negative"
            )
        notes.append(
            f"rows of shape {reader.shape} are taken for pictures; other rows can be given flat, "
            "as (rows, values)"
        )
    if black < 0:
        _check_marker(survey, black, white)
        notes.append("pixels have both signs: taken for standardised pictures")
    notes.extend(_outlier_notes(survey, white))
    return notes


def _check_marker(survey: Survey, black: float, white: float) -> None:
    """Raises DataError where the one negative value is a usual marker of missing pixels."""
    is_marker = survey.sample == black
    is_alone = not ((survey.sample < 0) & ~is_marker).any()
    if black in MISSING and is_alone:
        raise DataError(
            f"{int(is_marker.sum())} training pixels are {black:g}, and all others lie between 0 "
            f"and {white:g}: a marker of missing pixels? Give these another value, such as 0"
        )


def _outlier_notes(survey: Survey, white: float) -> list[str]:
    """A note where nearly all training pixels are far darker than the value of white."""
    if not survey.sample.size:
        return []
    usual = float(np.quantile(survey.sample, USUAL_SHARE))
    if usual <= 0 or usual >= white * DARK:
        return []
    return [
        f"white is {white:g}, but {USUAL_SHARE:.1%} of the training pixels are at most {usual:g}, "
        "which is nearly black"
    ]


def fitted_scaling(
    survey: Survey,
    schema: Schema,
    scaling: str,
    white: float,
    outliers: Sequence[ColumnOutliers] = (),
) -> tuple[np.ndarray, np.ndarray]:
    """Shift and scale, each (features,) float32, of the training rows alone.

    Model scale = (raw - shift) / scale. Categories stay 0 and 1. white: value of a white pixel.
    outliers: of each column of numbers, which the scale leaves out; none of images. Raises
    DataError where pixels are to be scaled, but the data has none.
    """
    if scaling == "pixels" and not schema.is_image:
        raise DataError(
            "data.scaling = pixels: needs images; choose minmax, standard, robust, none or auto"
        )
    centre, spread = _centre_and_spread(survey, scaling, white)
    for place, found in enumerate(outliers):
        if found.n_rows:
            centre[place], spread[place] = _without_outliers(survey, place, found, scaling)
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
        return survey.minimum.copy(), survey.maximum - survey.minimum
    if scaling == "standard":
        return survey.mean.copy(), survey.deviation
    if scaling == "robust":
        low, median, high = survey.quartiles()
        return median.copy(), np.where(high > low, high - low, survey.deviation)
    return np.zeros_like(survey.minimum), np.ones_like(survey.minimum)


def _without_outliers(
    survey: Survey, place: int, found: ColumnOutliers, scaling: str
) -> tuple[float, float]:
    """Shift and scale of a column that has outliers, from its other values."""
    if scaling == "minmax":
        return found.minimum, found.maximum - found.minimum
    if scaling == "standard":
        return found.mean, found.deviation
    median = float(np.nanmedian(survey.sample[:, place]))
    return median, found.iqr or found.deviation


def fitted_fences(
    survey: Survey, schema: Schema, outliers: Sequence[ColumnOutliers]
) -> Fences | None:
    """The fences of each feature; None where no column has any.

    outliers: of each column of numbers. Categories have none.
    """
    if not any(np.isfinite([column.low, column.high]).any() for column in outliers):
        return None
    unlimited = (-np.inf, np.inf, -np.inf, np.inf)
    of_numbers = {}
    for name, found in zip(survey.numbers, outliers, strict=True):
        of_numbers[name] = (found.low, found.high, found.minimum, found.maximum)
    limits: list[tuple[float, ...]] = []
    for column in schema.columns:
        limits += [of_numbers.get(column.name, unlimited)] * len(column.features)
    low, high, minimum, maximum = np.array(limits, np.float32).T
    return Fences(low, high, minimum, maximum)
