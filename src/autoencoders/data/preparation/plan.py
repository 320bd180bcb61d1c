"""The plan of a preparation: splits, schema and scaling, before anything is written."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from autoencoders.core.errors import DataError
from autoencoders.data.preparation.far_values import far_value_notes
from autoencoders.data.preparation.gross_outliers import ColumnOutliers, gross_outliers
from autoencoders.data.preparation.held_out_outliers import HeldOutOutliers
from autoencoders.data.preparation.raw import RawRows
from autoencoders.data.preparation.scaling import (
    fitted_fences,
    fitted_scaling,
    pixel_notes,
    white_of,
)
from autoencoders.data.preparation.survey import Survey
from autoencoders.data.prepared.features import encode
from autoencoders.data.prepared.fences import Fences
from autoencoders.data.prepared.schema import Rows, Schema
from autoencoders.data.prepared.spelling import marker_numbers
from autoencoders.data.readers.delimited import TextSettings
from autoencoders.data.readers.opening import open_reader
from autoencoders.data.sources.origin import Origin
from autoencoders.params.sections import Data


@dataclass(frozen=True)
class Plan:
    """The rows of a source, their splits, and what the training rows say of the others."""

    rows: RawRows
    masks: dict[str, np.ndarray]  # (rows,), of each split
    survey: Survey  # of the training rows
    statistics: list[dict[str, Any]]  # the survey's, by column
    schema: Schema
    scaling: str
    white: float  # the value of a white pixel
    outliers: list[ColumnOutliers]  # of each column of numbers; none where nothing is scaled
    fences: Fences | None  # of each feature, that these outliers lie beyond

    def fitted_scaling(self) -> tuple[np.ndarray, np.ndarray]:
        """Shift and scale of each feature. Raises DataError."""
        return fitted_scaling(self.survey, self.schema, self.scaling, self.white, self.outliers)

    def notes(self, minimum: float, maximum: float, held_out: HeldOutOutliers) -> list[str]:
        """Notes for the user. minimum, maximum: of the features of all rows.

        held_out: the outliers of the rows that are not for training.
        """
        notes: list[str] = self.rows.report()["told"]
        notes += Survey.notes(self.schema.columns, self.statistics)
        if self.schema.columns:
            held_out_notes = held_out.notes(self.schema.features)
            notes += far_value_notes(self.survey, self.outliers, held_out_notes)
        if self.schema.is_image and self.scaling == "pixels":
            notes += self._range_notes(minimum, maximum)
        return notes

    def _range_notes(self, minimum: float, maximum: float) -> list[str]:
        """Notes on pixels that are brighter than white, or darker than black."""
        notes = []
        black = float(self.survey.minimum.min(initial=0))
        if maximum > self.white:
            notes.append(
                f"validation or test pixels are brighter than white ({self.white:g}): "
                f"up to {maximum:g}, which is above 1 for a model"
            )
        if minimum < black:
            notes.append(
                f"validation or test pixels are darker than black ({black:g}): "
                f"down to {minimum:g}, which is below 0 for a model"
            )
        return notes


def planned(path: Path, data: Data, origin: Origin) -> Plan:
    """The plan for the source at a path: rows and labels are counted, training rows surveyed.

    Raises DataError.
    """
    reader = open_reader(path, image_side=data.image_side, text=text_settings(data))
    rows = RawRows(reader, data, origin)
    masks = rows.masks()
    survey = _surveyed(rows, masks["train"], data.split_seed)
    statistics = survey.report() if rows.names else []
    schema = _schema(rows, survey, statistics, data)
    scaling = _scaling_name(schema, data)
    white = _white(rows, survey, scaling)
    outliers = gross_outliers(survey) if schema.columns and scaling != "none" else []
    fences = fitted_fences(survey, schema, outliers)
    return Plan(
        rows, masks, survey, statistics, schema, scaling, white, outliers=outliers, fences=fences
    )


def rehearse(path: Path, data: Data, origin: Origin) -> list[str]:
    """The notes of the preparation of a source, of which nothing is written.

    Raises DataError where it would be refused.
    """
    plan = planned(path, data, origin)
    minimum = np.inf
    maximum = -np.inf
    held_out = HeldOutOutliers(plan.fences)
    is_held_out = ~plan.masks["train"]
    for first, batch in plan.rows:
        features = encode(plan.schema, batch, first)
        held_out.add(features[is_held_out[first : first + len(features)]])
        minimum = min(minimum, float(features.min()))
        maximum = max(maximum, float(features.max()))
    plan.fitted_scaling()
    return plan.notes(minimum, maximum, held_out)


def text_settings(data: Data) -> TextSettings:
    """How delimited text is to be read: as the user says."""
    as_text = list(data.types)
    if data.id and data.id != data.split.partition(":")[2]:
        as_text.append(data.id)
    return TextSettings(
        encoding=data.encoding,
        header=data.header,
        as_text=tuple(as_text),
        all_as_text=data.decimal == "comma",
    )


def _surveyed(rows: RawRows, is_train: np.ndarray, seed: int) -> Survey:
    """The survey of the training rows. is_train: (rows,), their mask."""
    survey = Survey(rows.names, seed, rows.decision.types, rows.markers)
    for first, batch in rows:
        batch_mask = is_train[first : first + len(batch)]
        survey.add(_masked(batch, batch_mask), first)
    return survey


def _masked(rows: Rows, mask: np.ndarray) -> Rows:
    """The rows that a mask (rows,) names."""
    if isinstance(rows, pa.Table):
        return rows.filter(pa.array(mask))
    return rows[mask]


def _schema(rows: RawRows, survey: Survey, statistics: list[dict[str, Any]], data: Data) -> Schema:
    """The shape of images, or the columns as the training rows have them.

    statistics: of the survey, by column. Raises DataError where no feature is left.
    """
    columns = survey.columns(statistics, impute=data.missing == "impute")
    schema = Schema(rows.reader.shape, columns)
    if columns:
        schema = replace(
            schema,
            text_markers=rows.markers.text,
            number_markers=rows.markers.number,
            id_column=data.id,
            missing_numbers=marker_numbers(rows.markers.number),
            trims_text=True,
        )
    if not schema.n_features:
        raise DataError(
            "no features: every column is constant, ignored, a label or a date, or numbers or "
            "names the rows (data.keep keeps it)"
        )
    return schema


def _scaling_name(schema: Schema, data: Data) -> str:
    """The scaling that data.scaling stands for.

    Raises DataError where rows are to be binarised that are not scaled as pixels.
    """
    scaling: str = data.scaling
    if scaling == "auto":
        scaling = "pixels" if schema.is_image else "standard"
    if data.binarise and scaling != "pixels":
        raise DataError(
            f"data.binarise = true: needs images with data.scaling = pixels, but it is {scaling}"
        )
    return scaling


def _white(rows: RawRows, survey: Survey, scaling: str) -> float:
    """The value of a white pixel, which is noted where it is not plain to see. Raises DataError."""
    white = float(rows.origin.white or white_of(survey, rows.reader))
    if rows.reader.shape and scaling == "pixels":
        rows.reader.notes.extend(pixel_notes(survey, rows.reader, white))
    return white
