"""Fills `data/prepared`: rows are counted and split, surveyed, and written as features."""

from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from autoencoders.core.errors import DataError
from autoencoders.core.files import atomic_folder, tree_sha256, write_json
from autoencoders.core.paths import DESCRIPTION
from autoencoders.data.preparation.raw import RawRows
from autoencoders.data.preparation.scaling import Binarised, fitted_scaling, pixel_notes, white_of
from autoencoders.data.preparation.survey import Survey
from autoencoders.data.prepared.blocks import Writer
from autoencoders.data.prepared.features import encode_rows
from autoencoders.data.prepared.prepared import REPORT, Description, content_sha256, split_sha256
from autoencoders.data.prepared.schema import Rows, Schema
from autoencoders.data.prepared.spelling import marker_numbers
from autoencoders.data.readers.delimited import TextSettings
from autoencoders.data.readers.opening import open_reader
from autoencoders.data.sources.origin import read_origin
from autoencoders.params.sections import Data

COMPARED_ROWS = 100_000  # rows among which duplicates are counted


def prepare(raw: Path, folder: Path, data: Data) -> Description:
    """Fills the folder with splits, features and scaling of the source in `raw`.

    Three passes: rows and labels are counted, the training rows are surveyed, the features are
    written. Raises DataError; the folder then stays as it was.
    """
    origin = read_origin(raw)
    path = origin.files(raw)
    reader = open_reader(path, image_side=data.image_side, text=text_settings(data))
    rows = RawRows(reader, data, origin)
    masks = rows.masks()
    survey = _surveyed(rows, masks["train"], data.split_seed)
    columns = survey.report() if rows.names else []
    schema = _schema(rows, survey, columns, data)
    scaling = _scaling_name(schema, data)
    white = _white(rows, survey, scaling)
    with atomic_folder(folder) as new:
        binarised = None
        if data.binarise:
            shift, scale = fitted_scaling(survey, schema, scaling, white)
            binarised = Binarised(shift, scale, data.split_seed)
        # before the scaling: it refuses values that none can be fitted to
        summary = _write_rows(new, rows, masks, schema, binarised)
        shift, scale = fitted_scaling(survey, schema, scaling, white)
        np.save(new / "shift.npy", shift, allow_pickle=False)
        np.save(new / "scale.npy", scale, allow_pickle=False)
        description = Description(
            name=data.title,
            schema=schema,
            rows={split: int(mask.sum()) for split, mask in masks.items()},
            minimum=summary.minimum,
            maximum=summary.maximum,
            unit_interval=_is_unit_interval(summary, shift, scale, scaling),
            scaling=scaling,
            binarise=data.binarise,
            protocol=data.protocol,
            labels=rows.classes,
            anomaly_labels=rows.anomaly_labels,
            split_sha256=split_sha256(new, schema),
            content_sha256=content_sha256(new),
            source=origin.path or data.title,
            source_sha256=tree_sha256(path if origin.path else raw),
            split_values=data.split_values,
        )
        write_json(new / DESCRIPTION.name, asdict(description))
        write_json(new / REPORT, _report(rows, columns, schema, summary))
    return description


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
        raise DataError("no features: every column is constant, ignored, a label or a date")
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


@dataclass(frozen=True)
class _Summary:
    """Summary of all rows that were written."""

    minimum: float  # raw scale
    maximum: float
    n_duplicates: int  # among the first COMPARED_ROWS rows, to the end of a batch


def _is_unit_interval(
    summary: _Summary, shift: np.ndarray, scale: np.ndarray, scaling: str
) -> bool:
    """Whether all values lie in [0, 1] in model scale.

    False of scalings that don't promise it: new rows may leave the interval.
    """
    if scaling not in ("pixels", "none"):
        return False
    ends = np.array([summary.minimum, summary.maximum], np.float32)
    ends = (ends - shift.min()) / scale.max()
    return bool(ends.min() >= 0 and ends.max() <= 1)


def _report(
    rows: RawRows, columns: list[dict[str, Any]], schema: Schema, summary: _Summary
) -> dict[str, Any]:
    """report.json's content. columns: the survey's statistics of each."""
    source = rows.report()
    source["told"] += Survey.notes(schema.columns, columns)
    return {
        **source,
        "duplicates": summary.n_duplicates,
        "range": [summary.minimum, summary.maximum],
        "columns": columns,
    }


def _write_rows(
    folder: Path,
    rows: RawRows,
    masks: dict[str, np.ndarray],
    schema: Schema,
    binarised: Binarised | None,
) -> _Summary:
    """Writes the features and labels of each split, and the mean of the training rows.

    binarised: draws the held-out rows; None: they stay as they are.
    """
    minimum = np.inf
    maximum = -np.inf
    train_sum = np.zeros(schema.n_features)
    n_compared = 0
    hashes: set[int] = set()
    n_novel = []
    writers: dict[str, Writer] = {}
    with ExitStack() as open_files:
        for first, batch in rows:
            features, novel = encode_rows(schema, batch, first)
            n_novel.append(novel.sum(1, dtype=np.uint16))
            minimum = min(minimum, float(features.min()))
            maximum = max(maximum, float(features.max()))
            if n_compared < COMPARED_ROWS:
                hashes.update(hash(row.tobytes()) for row in features)
                n_compared += len(features)
            if not writers:
                writers = _open_writers(folder, masks, features, open_files)
            for split, mask in masks.items():
                split_rows = features[mask[first : first + len(batch)]]
                if split == "train":
                    train_sum += split_rows.sum(0, dtype=np.float64)
                elif binarised is not None:
                    split_rows = binarised(split_rows)
                writers[split].add(split_rows)
    _write_facts_of_rows(folder, masks, rows.labels, np.concatenate(n_novel))
    mean = (train_sum / masks["train"].sum()).astype(np.float32)
    np.save(folder / "mean.npy", mean, allow_pickle=False)
    return _Summary(minimum, maximum, n_compared - len(hashes))


def _write_facts_of_rows(
    folder: Path, masks: dict[str, np.ndarray], labels: np.ndarray, n_novel: np.ndarray
) -> None:
    """Writes each split's labels and, where there are any, numbers of values new to the training.

    labels, n_novel: (rows,), of all rows.
    """
    for split, mask in masks.items():
        np.save(folder / f"{split}_labels.npy", labels[mask], allow_pickle=False)
        if n_novel.any():
            np.save(folder / f"{split}_novel.npy", n_novel[mask], allow_pickle=False)


def _open_writers(
    folder: Path, masks: dict[str, np.ndarray], features: np.ndarray, open_files: ExitStack
) -> dict[str, Writer]:
    """A writer for each split's rows, of the features' type and width. open_files: closes them."""
    writers = {}
    for split, mask in masks.items():
        shape = (int(mask.sum()), features.shape[1])
        writer = Writer(folder / f"{split}.npy", features.dtype, shape)
        writers[split] = open_files.enter_context(closing(writer))
    return writers
