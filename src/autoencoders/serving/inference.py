"""A model's answers: codes, reconstructions, denoised rows, scores with reasons, samples."""

from collections.abc import Mapping
from numbers import Number
from typing import TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.features import EncodedRows, encode_rows
from autoencoders.data.prepared.row_names import without_ids
from autoencoders.data.prepared.schema import Rows
from autoencoders.models.trained.model import TrainedModel, interpolated, samples
from autoencoders.models.trained.reasons import reasons
from autoencoders.serving.novelty import NovelValues
from autoencoders.serving.served import ServedModel, trained_model

OPERATIONS = ("reconstruct", "encode", "decode", "denoise", "score", "sample", "interpolate")
BETWEEN_ROWS = ("sample", "interpolate")  # their answers are those to no single row
FALSE_ALARMS = 0.05  # share of clean rows that count as anomalies, where no rate is asked for
SETTINGS = {"n": 64, "steps": 9, "seed": 0}  # n, seed: of sample; steps: of interpolate
MIXED = ("mixed", "mixed-integer")  # pandas' words for columns of texts and others
Answer: TypeAlias = np.ndarray | pd.DataFrame


def answer(
    model: TrainedModel | ServedModel,
    op: str,
    rows: object,
    *,
    first: int = 0,
    rate: float = FALSE_ALARMS,
    novel_values: NovelValues | None = None,
    **settings: int,
) -> Answer:
    """The answer of one operation to raw rows: an array, or a table where rows are one.

    op score: a table of score (nats), percentile among clean validation rows, conformal p-value,
    whether it counts as an anomaly at the false-alarm rate, and reasons. sample: n draws by a seed.
    interpolate: `steps` codes on the line between the first and the second row, the third and the
    fourth, and so on. first: number of the first row, for messages. novel_values: collects values
    that no training row had. settings: of SETTINGS.

    A table that answers each row begins with the rows' ids, where the model knows their column and
    the rows have it. Raises DataError, which names the operation, column, row or shape.
    """
    id_column = trained_model(model).description.schema.id_column
    rows, ids = without_ids(rows, id_column)
    result = _without_ids(model, op, rows, first, rate, novel_values, settings)
    if ids is None or op in BETWEEN_ROWS or not isinstance(result, pd.DataFrame):
        return result
    if len(ids) != len(result):
        raise DataError(f"rows: {len(ids)} values of {id_column} for {len(result)} rows")
    result.insert(0, id_column, pd.Series(ids, result.index, object))
    return result


def _without_ids(
    model: TrainedModel | ServedModel,
    op: str,
    rows: object,
    first: int,
    rate: float,
    novel_values: NovelValues | None,
    settings: dict[str, int],
) -> Answer:
    """The answer of one operation to rows whose ids were taken off. Raises DataError."""
    if op not in OPERATIONS:
        raise DataError(f"op = {op!r}: must be one of {', '.join(OPERATIONS)}")
    settings = SETTINGS | settings
    trained = trained_model(model)
    if op == "sample":
        return _raw_scale(trained, samples(trained, settings["n"], settings["seed"]))
    if op == "decode":
        return _raw_scale(trained, trained.decode(_codes(trained, rows)))
    rows = as_rows(rows)
    if rows.shape[:1] == (0,):
        raise DataError(f"op = {op}: no rows")
    encoded = encode_rows(trained.description.schema, rows, first)
    if novel_values is not None:
        novel_values.add(encoded.novel)
    if op == "encode":
        return model.encode(encoded.features)
    if op == "score":
        return scored(model, encoded, rate)
    return _raw_scale(trained, _rebuilt(model, op, encoded.features, settings), rows)


def _rebuilt(
    model: TrainedModel | ServedModel, op: str, features: np.ndarray, settings: Mapping[str, int]
) -> np.ndarray:
    """Raw-scale reconstructions of rows, or of codes between them: (rows, features)."""
    if op == "interpolate":
        return interpolated(trained_model(model), features, settings["steps"])
    return model.reconstruct(features)


def as_rows(rows: object) -> Rows:
    """Columns by name, or an array of rows. Raises DataError."""
    try:
        if isinstance(rows, pd.DataFrame):
            return _table(rows)
        if isinstance(rows, dict):
            columns = {name: _column(values) for name, values in rows.items()}
            return _table(pd.DataFrame(columns))
        if isinstance(rows, pa.Table):
            return rows
        return np.asarray(rows)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        problem = str(error).splitlines()[0]
        raise DataError(f"rows: {problem}; give columns by name, or an array") from error


def _column(values: object) -> np.ndarray:
    """A column's values (rows,), each of its own type where they come as a list."""
    own_type = object if isinstance(values, list) else None
    return np.atleast_1d(np.asarray(values, dtype=own_type))


def _table(frame: pd.DataFrame) -> pa.Table:
    """A table of a DataFrame's columns.

    A column of numbers and texts, as JSON may hold them, becomes one of texts.
    """
    try:
        return pa.Table.from_pandas(frame, preserve_index=False)
    except pa.ArrowException:
        texts = {}
        for position, name in enumerate(frame.columns):
            column = frame.iloc[:, position]
            if pd.api.types.infer_dtype(column) in MIXED and _are_plain(column):
                texts[name] = column.map(str, na_action="ignore")
        return pa.Table.from_pandas(frame.assign(**texts), preserve_index=False)


def _are_plain(column: pd.Series) -> bool:
    """Whether a column holds nothing but texts, numbers and logical values."""
    return all(isinstance(value, str | Number) for value in column.dropna())


def _codes(model: TrainedModel, values: object) -> np.ndarray:
    """Codes (rows, code), float32. Raises DataError for another shape and what is not finite."""
    width = model.description.architecture.code_size
    try:
        with np.errstate(over="ignore"):
            codes = np.asarray(values, dtype=np.float32)
    except (ValueError, TypeError) as error:
        raise DataError(f"op = decode: {error}") from error
    if codes.ndim != 2 or codes.shape[1] != width or not np.isfinite(codes).all():
        raise DataError(
            f"op = decode: values of shape {codes.shape}, "
            f"expected finite codes of shape (-1, {width})"
        )
    return codes


def scored(model: TrainedModel | ServedModel, rows: EncodedRows, rate: float) -> pd.DataFrame:
    """Each row's score, percentile, p_value, anomaly and reasons.

    rate: p-values up to it count as an anomaly's. Raises DataError for a rate that is no share.
    """
    if not 0 <= rate <= 1:  # NaN is refused, too
        raise DataError(f"false_alarm_rate = {rate}: must lie in 0 to 1, a share of clean rows")
    scores = model.score(rows.features, rows.novel.sum(1))
    columns = {
        "score": scores.score,
        "percentile": scores.percentile,
        "p_value": scores.p_value,
        "anomaly": scores.p_value <= rate,
        "reasons": reasons(model.description.schema, scores, rows.novel),
    }
    return pd.DataFrame(columns)


def _raw_scale(model: TrainedModel, features: np.ndarray, rows: Rows | None = None) -> Answer:
    """Answers in the form of the rows that were asked: a table, images or flat rows."""
    schema = model.description.schema
    decoded = schema.decode(features)
    if isinstance(decoded, np.ndarray):  # of images
        if isinstance(rows, np.ndarray) and rows.ndim > 2:
            return decoded.reshape(len(decoded), *rows.shape[1:])
        return decoded
    has_categories = any(column.categories is not None for column in schema.columns)
    if isinstance(rows, pa.Table) or has_categories:
        return pd.DataFrame(decoded)
    columns = [np.asarray(decoded[column.name], np.float32) for column in schema.columns]
    return np.stack(columns, axis=1)
