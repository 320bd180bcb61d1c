"""The ids of rows, which answers carry: the values of the column that data.id names, as text."""

import math
import re
from collections.abc import Iterable
from typing import TypeAlias

import pandas as pd
import pyarrow as pa

from autoencoders.core.errors import DataError

Ids: TypeAlias = list[str | None]  # (rows,); None: a missing value
# the columns of scores, and those of an array: no column of these names can name rows beside them
ANSWER_COLUMNS = ("row", "score", "percentile", "p_value", "anomaly", "reasons")
VALUE_COLUMN = "value_"  # before the number of a value
LARGEST_EXACT = 2.0**53  # up to which a float holds every whole number


def is_answer_column(name: str) -> bool:
    """Whether answers have a column of this name that is none of the rows'."""
    return name in ANSWER_COLUMNS or bool(re.fullmatch(rf"{VALUE_COLUMN}\d+", name))


def without_ids(rows: object, id_column: str) -> tuple[object, Ids | None]:
    """Rows without the column that names them, and their ids; None where there is no such column.

    rows: columns by name, or anything else, which has no ids. Ids leave before Arrow types the
    columns, as they may be of several types, and longer than its numbers. Raises DataError.
    """
    if not id_column:
        return rows, None
    if isinstance(rows, pd.DataFrame) and list(rows.columns).count(id_column) == 1:
        return rows.drop(columns=id_column), as_texts(rows[id_column].tolist(), id_column)
    if isinstance(rows, pa.Table) and rows.column_names.count(id_column) == 1:
        return rows.drop_columns([id_column]), as_texts(rows[id_column].to_pylist(), id_column)
    if isinstance(rows, dict) and id_column in rows:
        others = {name: values for name, values in rows.items() if name != id_column}
        ids = pd.Series(rows[id_column], dtype=object)
        return others, as_texts(ids.tolist(), id_column)
    return rows, None


def as_texts(values: Iterable[object], column: str) -> Ids:
    """Values as text: a whole number without decimals or exponent, however it is stored.

    Raises DataError where one is a float that may have lost digits. column: for messages.
    """
    return [_as_text(value, column) for value in values]


def _as_text(value: object, column: str) -> str | None:
    """A value as text, None where it is missing. Raises DataError."""
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if not isinstance(value, float):
        return str(value)
    if math.isnan(value):
        return None
    if LARGEST_EXACT < abs(value) < math.inf:
        raise DataError(
            f"column {column}: {value:.0f} is stored as a decimal number, whose last digits may be "
            "lost; give ids as whole numbers or as text (a gap makes decimals of whole numbers)"
        )
    return str(int(value)) if value.is_integer() else str(value)
