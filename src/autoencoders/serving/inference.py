"""What a trained model answers: codes, reconstructions, denoised rows, scores with reasons, samples, interpolations."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.schema import Rows, encode
from autoencoders.models.trained.model import TrainedModel, interpolated, samples
from autoencoders.models.trained.scores import mean_scores

OPERATIONS = ("reconstruct", "encode", "decode", "denoise", "score", "sample", "interpolate")
REASONS = 3  # features that a score names
SETTINGS = {"n": 64, "steps": 9, "seed": 0}  # of sample, interpolate, and sample again


def answer(
    model: TrainedModel, op: str, rows: Any, *, first: int = 0, rate: float = 0.05, **settings: int
) -> Any:
    """The answer of one operation to raw rows: (rows, ...) arrays, or columns by name where rows came so.

    score: a table of score (nats), percentile among clean validation rows, conformal p-value, whether it counts as an
    anomaly at the false-alarm rate, and reasons. sample: settings n and seed; interpolate: `steps` codes on the line
    between the first and the second row, the third and the fourth, and so on. first: number of the first row, for
    messages. Raises DataError, which names the operation, column, row or shape.
    """
    if op not in OPERATIONS:
        raise DataError(f"op = {op!r}: must be one of {', '.join(OPERATIONS)}")
    wanted = {**SETTINGS, **settings}
    if op == "sample":
        return _raw_scale(model, samples(model, wanted["n"], wanted["seed"]))
    if op == "decode":
        return _raw_scale(model, model.decode(_codes(model, rows)))
    rows = as_rows(rows)
    if rows.shape[:1] == (0,):
        raise DataError(f"op = {op}: no rows")
    features = encode(model.description.schema, rows, first)
    if op == "encode":
        return model.encode(features)
    if op == "score":
        return scored(model, features, rate)
    found = (
        interpolated(model, features, wanted["steps"])
        if op == "interpolate"
        else model.reconstruct(features)
    )
    return _raw_scale(model, found, rows)


def as_rows(rows: Any) -> Rows:
    """Columns by name, or an array of rows. Raises DataError."""
    try:
        if isinstance(rows, pd.DataFrame):
            return pa.Table.from_pandas(rows, preserve_index=False)
        if isinstance(rows, dict):
            return pa.table(
                {name: np.atleast_1d(np.asarray(values)) for name, values in rows.items()}
            )
        return rows if isinstance(rows, pa.Table) else np.asarray(rows)
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise DataError(
            f"rows: {str(error).splitlines()[0]}; give columns by name, or an array"
        ) from error


def _codes(model: TrainedModel, rows: Any) -> np.ndarray:
    width = model.description.architecture.code_size
    try:
        with np.errstate(over="ignore"):
            codes = np.asarray(rows, dtype=np.float32)
    except (ValueError, TypeError) as error:
        raise DataError(f"op = decode: {error}") from error
    if codes.ndim != 2 or codes.shape[1] != width or not np.isfinite(codes).all():
        raise DataError(
            f"op = decode: values of shape {codes.shape}, expected finite codes of shape (-1, {width})"
        )
    return codes


def scored(model: TrainedModel, features: np.ndarray, rate: float) -> pd.DataFrame:
    """One line a row: score, percentile, p_value, anomaly, reasons."""
    scores = mean_scores([each.score(features) for each in (model, *model.companions)])
    names, parts = model.description.schema.by_column(scores.contributions)
    shares = parts / np.maximum(scores.score[:, None], np.finfo(np.float32).tiny)
    largest = np.argsort(-parts, axis=1, kind="stable")[:, :REASONS]
    reasons = [
        "; ".join(f"{names[j]} {share[j]:.0%}" for j in row)
        for row, share in zip(largest, shares, strict=True)
    ]
    numbers = {"score": scores.score, "percentile": scores.percentile, "p_value": scores.p_value}
    return pd.DataFrame({**numbers, "anomaly": scores.p_value <= rate, "reasons": reasons})


def _raw_scale(model: TrainedModel, features: np.ndarray, rows: Any = None) -> Any:
    """Raw rows in the shape of the given ones: columns by name, images or flat rows."""
    schema = model.description.schema
    decoded = schema.decode(features)
    if schema.is_image:
        return (
            decoded.reshape(len(decoded), *rows.shape[1:])
            if getattr(rows, "ndim", 1) > 2
            else decoded
        )
    if isinstance(rows, pa.Table) or any(
        column.categories is not None for column in schema.columns
    ):
        return pd.DataFrame(decoded)
    return np.stack(
        [np.asarray(decoded[column.name], np.float32) for column in schema.columns], axis=1
    )
