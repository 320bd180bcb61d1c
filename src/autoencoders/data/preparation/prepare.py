"""Fills `data/prepared`: rows of the source are counted and split, surveyed, and written as features."""

from contextlib import ExitStack, closing
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from autoencoders.core.errors import DataError
from autoencoders.core.files import atomic_folder, read_json, tree_sha256, write_json
from autoencoders.data.preparation.raw import LOOKED, TABLES, RawRows
from autoencoders.data.preparation.scaling import Binarised, fitted_scaling
from autoencoders.data.preparation.survey import Survey
from autoencoders.data.prepared.blocks import Writer
from autoencoders.data.prepared.prepared import REPORT, Description, content_sha256, split_sha256
from autoencoders.data.prepared.schema import Rows, Schema, encode
from autoencoders.data.readers.opening import open_reader
from autoencoders.data.sources.source import FILES, ORIGIN
from autoencoders.params.sections import Data


def prepare(raw: Path, folder: Path, data: Data) -> Description:
    """Fills the folder with split, features and scaling of the source in `raw`. Raises DataError; it then stays as is.

    Three passes: rows and labels are counted, the training rows are surveyed, the features are written.
    """
    origin = read_json(raw / ORIGIN)
    path = Path(origin["path"]) if "path" in origin else raw / FILES
    rows = RawRows(open_reader(path, image_side=data.image_side), data, origin)
    masks, survey = rows.masks(), Survey(rows.names, data.split_seed)
    for first, batch in rows:
        survey.add(_where(batch, masks["train"][first : first + len(batch)]), first)
    schema = Schema(
        rows.reader.shape, survey.columns(impute=data.missing == "impute") if rows.names else ()
    )
    if not schema.n_features:
        raise DataError("no features: every column is constant, ignored, a label or a date")
    scaling = ("pixels" if schema.is_image else TABLES) if data.scaling == "auto" else data.scaling
    if data.binarise and scaling != "pixels":
        raise DataError(
            f"data.binarise = true: needs images with data.scaling = pixels, but it is {scaling}"
        )
    with atomic_folder(folder) as new:
        scaled = partial(fitted_scaling, survey, schema, scaling, origin.get("white"))
        drawn = Binarised(**scaled(), seed=data.split_seed) if data.binarise else None
        low, high, twice = _write(
            new, rows, masks, schema, drawn
        )  # refuses values that no scaling can be fitted to
        arrays = scaled()
        for name, values in arrays.items():
            np.save(new / f"{name}.npy", values, allow_pickle=False)
        ends = (np.array([low, high], np.float32) - arrays["shift"].min()) / arrays["scale"].max()
        description = Description(
            name=data.title,
            schema=schema,
            rows={split: int(mask.sum()) for split, mask in masks.items()},
            minimum=low,
            maximum=high,
            unit_interval=scaling in ("pixels", "none")
            and bool(ends.min() >= 0 and ends.max() <= 1),
            scaling=scaling,
            binarise=data.binarise,
            protocol=data.protocol,
            labels=rows.classes,
            anomaly_labels=rows.anomaly_labels,
            split_sha256=split_sha256(new, schema),
            content_sha256=content_sha256(new),
            source=origin.get("path", data.title),
            source_sha256=tree_sha256(path if "path" in origin else raw),
        )
        write_json(new / "prepared.json", asdict(description))
        columns = survey.report() if rows.names else []
        write_json(
            new / REPORT,
            {**rows.report(), "duplicates": twice, "range": [low, high], "columns": columns},
        )
    return description


def _where(rows: Rows, mask: np.ndarray) -> Rows:
    return rows.filter(pa.array(mask)) if isinstance(rows, pa.Table) else rows[mask]


def _write(
    folder: Path,
    rows: RawRows,
    masks: dict[str, np.ndarray],
    schema: Schema,
    drawn: Binarised | None,
) -> tuple[float, float, int]:
    """Writes features and labels; gives the range of all values, and the duplicates of the first rows.

    drawn: what held-out rows become.
    """
    writers: dict[str, Writer] = {}
    low, high, seen, looked, total = np.inf, -np.inf, set(), 0, np.zeros(schema.n_features)
    with ExitStack() as files:
        for first, batch in rows:
            features = encode(schema, batch, first)
            low, high = min(low, float(features.min())), max(high, float(features.max()))
            for split, mask in masks.items():
                if not first:
                    writer = Writer(
                        folder / f"{split}.npy",
                        features.dtype,
                        (int(mask.sum()), schema.n_features),
                    )
                    writers[split] = files.enter_context(closing(writer))
                chosen = features[mask[first : first + len(batch)]]
                writers[split].add(drawn(chosen) if drawn and split != "train" else chosen)
            total += features[masks["train"][first : first + len(batch)]].sum(0, dtype=np.float64)
            if looked < LOOKED:
                seen |= {hash(row.tobytes()) for row in features}
                looked += len(features)
    for split, mask in masks.items():
        np.save(folder / f"{split}_labels.npy", rows.labels[mask], allow_pickle=False)
    np.save(
        folder / "mean.npy", (total / masks["train"].sum()).astype(np.float32), allow_pickle=False
    )
    return low, high, looked - len(seen)
