"""Fills `data/prepared`: rows are counted and split, surveyed, and written as features."""

from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from autoencoders.core.files import atomic_folder, tree_sha256, write_json
from autoencoders.core.paths import DESCRIPTION
from autoencoders.data.preparation.held_out_outliers import HeldOutOutliers
from autoencoders.data.preparation.plan import Plan, planned
from autoencoders.data.preparation.scaling import Binarised
from autoencoders.data.prepared.blocks import Writer
from autoencoders.data.prepared.features import encode_rows
from autoencoders.data.prepared.prepared import (
    NUMBERS,
    REPORT,
    Description,
    content_sha256,
    split_sha256,
)
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
    plan = planned(path, data, origin)
    held_out = HeldOutOutliers(plan.fences)
    with atomic_folder(folder) as new:
        binarised = None
        if data.binarise:
            shift, scale = plan.fitted_scaling()
            binarised = Binarised(shift, scale, data.split_seed)
        # before the scaling: it refuses values that none can be fitted to
        summary = _write_rows(new, plan, binarised, held_out)
        shift, scale = plan.fitted_scaling()
        np.save(new / "shift.npy", shift, allow_pickle=False)
        np.save(new / "scale.npy", scale, allow_pickle=False)
        if plan.fences:
            plan.fences.save(new)
        description = Description(
            name=data.title,
            schema=plan.schema,
            rows={split: int(mask.sum()) for split, mask in plan.masks.items()},
            minimum=summary.minimum,
            maximum=summary.maximum,
            unit_interval=_is_unit_interval(summary, shift, scale, plan.scaling),
            scaling=plan.scaling,
            binarise=data.binarise,
            protocol=data.protocol,
            labels=plan.rows.classes,
            anomaly_labels=plan.rows.anomaly_labels,
            split_sha256=split_sha256(new, plan.schema),
            content_sha256=content_sha256(new),
            source=origin.path or data.title,
            source_sha256=tree_sha256(path if origin.path else raw),
            split_values=data.split_values,
        )
        write_json(new / DESCRIPTION.name, asdict(description))
        write_json(new / REPORT, _report(plan, summary, held_out))
    return description


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


def _report(plan: Plan, summary: _Summary, held_out: HeldOutOutliers) -> dict[str, Any]:
    """report.json's content."""
    source = plan.rows.report()
    source["told"] = plan.notes(summary.minimum, summary.maximum, held_out)
    return {
        **source,
        "duplicates": summary.n_duplicates,
        "range": [summary.minimum, summary.maximum],
        "columns": plan.statistics,
    }


def _write_rows(
    folder: Path, plan: Plan, binarised: Binarised | None, held_out: HeldOutOutliers
) -> _Summary:
    """Writes the features and labels of each split, and the mean of the clipped training rows.

    binarised: draws the held-out rows; None: they stay as they are. held_out: collects outliers.
    """
    schema = plan.schema
    masks = plan.masks
    minimum = np.inf
    maximum = -np.inf
    train_sum = np.zeros(schema.n_features)
    n_compared = 0
    hashes: set[int] = set()
    n_novel = []
    writers: dict[str, Writer] = {}
    with ExitStack() as open_files:
        for first, batch in plan.rows:
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
                    clipped = plan.fences.clipped(split_rows) if plan.fences else split_rows
                    train_sum += clipped.sum(0, dtype=np.float64)
                else:
                    held_out.add(split_rows)
                    if binarised is not None:
                        split_rows = binarised(split_rows)
                writers[split].add(split_rows)
    _write_facts_of_rows(folder, masks, plan.rows.labels, np.concatenate(n_novel))
    mean = (train_sum / masks["train"].sum()).astype(np.float32)
    np.save(folder / "mean.npy", mean, allow_pickle=False)
    return _Summary(minimum, maximum, n_compared - len(hashes))


def _write_facts_of_rows(
    folder: Path, masks: dict[str, np.ndarray], labels: np.ndarray, n_novel: np.ndarray
) -> None:
    """Writes each split's labels, how many values are new to the training, and test rows' numbers.

    labels, n_novel: (rows,), of all rows.
    """
    for split, mask in masks.items():
        np.save(folder / f"{split}_labels.npy", labels[mask], allow_pickle=False)
        if n_novel.any():
            np.save(folder / f"{split}_novel.npy", n_novel[mask], allow_pickle=False)
    numbers = np.flatnonzero(masks["test"]).astype(np.uint64) + 1
    np.save(folder / NUMBERS, numbers, allow_pickle=False)


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
