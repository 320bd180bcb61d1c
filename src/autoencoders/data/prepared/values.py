"""The values of a raw column: as text, or as numbers, with null for each missing one."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.spelling import (
    PLAIN_SPELLING,
    TEXT_MARKERS,
    ColumnValues,
    Spelling,
    is_marker,
    numbers_of,
)

# Arrow's numbers of the types of whole numbers and fractions; asked for each column of a wide table
NUMBER_TYPES = {
    column_type.id
    for column_type in (
        *(pa.int8(), pa.int16(), pa.int32(), pa.int64()),
        *(pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
        *(pa.float16(), pa.float32(), pa.float64()),
    )
}


def column_values(rows: pa.Table, name: str) -> ColumnValues:
    """A column of a table in one piece; categories of Arrow's as their values."""
    values: ColumnValues = rows[name].combine_chunks()
    if isinstance(values, pa.DictionaryArray):
        return values.dictionary_decode()
    return values


def typed(
    rows: pa.Table,
    name: str,
    first: int,
    *,
    text: bool,
    spelling: Spelling = PLAIN_SPELLING,
    markers: Sequence[str] = TEXT_MARKERS,
    missing_numbers: Sequence[float] = (),
    trims: bool = False,
) -> ColumnValues:
    """A column as text or as float64, with null for each missing value.

    A NaN is missing, one of the missing numbers, and a text that is one of the markers. spelling:
    of numbers that are given as text. trims: whether blanks around a text are no part of it. first:
    number of the first row. Raises DataError, which names the rows that hold something
    else.
    """
    column = column_values(rows, name)
    values: ColumnValues
    try:
        if text:
            if pa.types.is_floating(column.type):
                column = pc.if_else(pc.is_nan(column), None, column)
            values = pc.cast(column, pa.string())
            if trims:
                values = pc.utf8_trim_whitespace(values)
            is_missing = is_marker(values, markers)
        elif is_text_type(column.type):
            values = _spelled(column, name, first, spelling, markers)
            is_missing = pc.is_nan(values)
        else:
            values = pc.cast(column, pa.float64(), safe=False)
            is_missing = pc.is_nan(values)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        expected = "text" if text else "numbers"
        raise DataError(
            f"column {name}, rows {first + 1} to {first + len(column)}: not {expected} ({error})"
        ) from None
    if missing_numbers and not text:
        is_marked = pc.is_in(values, pa.array(missing_numbers, pa.float64()))
        is_missing = pc.or_kleene(is_missing, is_marked)
    return pc.if_else(is_missing, None, values)


def _spelled(
    texts: ColumnValues, name: str, first: int, spelling: Spelling, markers: Sequence[str]
) -> ColumnValues:
    """The numbers that texts spell, with null for each marker.

    Raises DataError, which names the first text that is neither.
    """
    numbers, is_other = numbers_of(texts, spelling, markers)
    if is_other.any():
        row = int(is_other.argmax())
        raise DataError(
            f"column {name}, row {first + row + 1}: {texts[row].as_py()!r} is not a number "
            f"({spelling}), as are {int(is_other.sum()) - 1} others"
        )
    return numbers


def is_text_type(column_type: pa.DataType) -> bool:
    """Whether an Arrow type is text."""
    if pa.types.is_dictionary(column_type):
        column_type = column_type.value_type
    return bool(
        pa.types.is_string(column_type)
        or pa.types.is_large_string(column_type)
        or pa.types.is_string_view(column_type)
    )


def is_number_type(column_type: pa.DataType) -> bool:
    """Whether an Arrow type is one of whole numbers or fractions."""
    return column_type.id in NUMBER_TYPES
