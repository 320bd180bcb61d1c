"""Splits: which rows are training, validation and test rows."""

from contextlib import suppress

import numpy as np
import pandas as pd

from autoencoders.core.errors import DataError
from autoencoders.data.preparation.dates import date_formats, in_time
from autoencoders.data.prepared.prepared import SPLITS
from autoencoders.params.sections import Data

SMALLEST_SPLIT = 2  # rows; a variance needs two


def split_masks(
    data: Data, n: int, split_column: pd.Series, n_publisher_test: int
) -> dict[str, np.ndarray]:
    """The rows of each split, as masks (rows,).

    n: number of rows. split_column: (rows,), the column that data.split names, if it names one.
    n_publisher_test: number of rows, the last ones, that the publisher tests on; 0 where there is
    no such choice. With the transductive protocol all rows are training and test rows.
    Raises DataError where a row has no value to split by, or a split has too few rows.
    """
    missing = split_column.isna()
    if missing.any():
        row = int(missing.argmax()) + 1
        raise DataError(f"data.split = {data.split}: row {row} has no value")
    if data.split.startswith("column:"):
        masks = masks_by_name(data.split, split_column)
    else:
        order = row_order(data, n, split_column, n_publisher_test)
        masks = masks_by_order(data, order, n_publisher_test)
    if data.protocol == "transductive":
        masks["train"] = np.ones(n, bool)
        masks["test"] = np.ones(n, bool)
    for split, mask in masks.items():
        if mask.sum() < SMALLEST_SPLIT:
            raise DataError(
                f"{n} rows leave {mask.sum()} for {split}, which needs {SMALLEST_SPLIT}; raise "
                "data.validation_fraction or data.test_fraction, or use more data"
            )
    return masks


def masks_by_name(setting: str, names: pd.Series) -> dict[str, np.ndarray]:
    """Masks (rows,) of the rows that carry each split's name.

    names: (rows,). setting: data.split, for messages. Raises DataError where a row carries another
    name.
    """
    unknown = names[~names.isin(SPLITS)].tolist()
    if unknown:
        raise DataError(
            f"data.split = {setting}: holds {unknown[0]!r}, allowed: {', '.join(SPLITS)}"
        )
    return {split: np.asarray(names == split) for split in SPLITS}


def masks_by_order(data: Data, order: np.ndarray, n_publisher_test: int) -> dict[str, np.ndarray]:
    """Masks (rows,) of splits that take their rows in order: test, validation, training.

    order: (rows,), row numbers. The test fraction is of all rows, the validation fraction of the
    others; the publisher's test rows replace the test fraction.
    """
    n = len(order)
    if n_publisher_test:
        n_test = n_publisher_test
    elif data.protocol == "transductive":
        n_test = 0
    else:
        n_test = round(n * data.test_fraction)
    n_validation = round((n - n_test) * data.validation_fraction)
    rows = {
        "train": order[n_test + n_validation :],
        "validation": order[n_test : n_test + n_validation],
        "test": order[:n_test],
    }
    masks = {}
    for split in SPLITS:
        mask = np.zeros(n, bool)
        mask[rows[split]] = True
        masks[split] = mask
    return masks


def row_order(data: Data, n: int, split_column: pd.Series, n_publisher_test: int) -> np.ndarray:
    """Row numbers (rows,) in the order in which test, validation and training split take them.

    The publisher's test rows come first. The others are shuffled, or the latest ones come first
    where data.split is by time.
    """
    publisher_test = np.arange(n - n_publisher_test, n)
    if data.split.startswith("time:"):
        times = order_in_time(data.split, split_column)
        others = np.argsort(times.to_numpy(), kind="stable")[::-1]
    else:
        others = np.random.default_rng(data.split_seed).permutation(n - n_publisher_test)
    return np.concatenate([publisher_test, others])


def order_in_time(setting: str, values: pd.Series) -> pd.Series:
    """Values (rows,) that sort by time: text becomes the dates or the numbers that it holds.

    setting: data.split, for messages. Raises DataError where text holds neither, or dates that can
    be read in two ways.
    """
    if pd.api.types.infer_dtype(values.astype(object)) != "string":
        return values
    with suppress(ValueError):
        return pd.to_datetime(values, format="ISO8601", utc=True)
    with suppress(ValueError):
        return pd.to_numeric(values)
    layouts = date_formats(set(values.dropna()))
    if len(layouts) == 1:
        return in_time(values, layouts[0])
    reason = ""
    if layouts:
        reason = f": it may be {' or '.join(layouts)}"
    raise DataError(
        f"data.split = {setting}: holds text such as {values[0]!r}, "
        f"whose order in time is unknown{reason}; write ISO dates (2026-12-31) or numbers"
    )
