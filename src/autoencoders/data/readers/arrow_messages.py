"""Arrow's errors about delimited text in words: which column, which row, and what to do."""

import re
from collections.abc import Sequence

from autoencoders.data.readers.dialect import Dialect

RAGGED = re.compile(r"Row #(\d+): Expected \d+ columns, got \d+")
NO_UTF_8 = "UTF8 data"
UNLIKE = re.compile(
    r"In CSV column #(\d+): Row #(\d+): CSV conversion error to (\w+): invalid (.*)"
)


def in_words(message: str, dialect: Dialect, names: Sequence[str], is_decided: bool) -> str:
    """An error of Arrow's with the column, the row and what to do.

    names: of all fields. is_decided: whether a model has decided on the columns' types.
    """
    message = message.splitlines()[0]
    ragged = RAGGED.search(message)
    if ragged:
        row = int(ragged[1]) - dialect.skipped_lines
        return (
            f"{message} (row {row} below the names); give it as many fields as the others, "
            "quote values that hold a delimiter, or remove the line"
        )
    unlike = UNLIKE.search(message)
    if unlike is None:
        return message
    name = names[int(unlike[1])]
    row = int(unlike[2]) - dialect.skipped_lines
    if unlike[4].startswith(NO_UTF_8):
        return (
            f"column {name}, row {row}: bytes that are no UTF-8, as all before are; save the "
            "file as UTF-8, or name its encoding in data.encoding: cp1252, for example"
        )
    if is_decided:
        return f"column {name}, row {row}: {unlike[4]} is not of type {unlike[3]}; mend it"
    return (
        f"column {name}, row {row}: {unlike[4]} among values of type {unlike[3]}; mend it, or "
        f"say data.types: {{{name}: category}}, or number, if a decimal comma or unit is meant"
    )
