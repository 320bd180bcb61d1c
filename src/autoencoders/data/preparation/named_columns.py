"""The columns that parameters name: each must exist, and be a feature or none."""

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.row_names import is_answer_column
from autoencoders.data.prepared.schema import SHOWN_EXPECTED, abridged
from autoencoders.data.readers.reader import Reader
from autoencoders.params.sections import Data


def check_named_columns(data: Data, label: str, reader: Reader) -> None:
    """Raises DataError where parameters name a column that the source lacks, or contradict.

    label: the column of the class, or nothing.
    """
    split_by = data.split.partition(":")[2]
    named = {
        "data.label": [label] if label else [],
        "data.split": [split_by] if split_by else [],
        "data.id": [data.id] if data.id else [],
        "data.ignore": data.ignore,
        "data.keep": data.keep,
        "data.types": list(data.types),
    }
    columns = reader.names if reader.is_table else []
    expected = abridged(columns, SHOWN_EXPECTED) or "none with names"
    problems = []
    for key, names in named.items():
        unknown = [name for name in names if name not in columns]
        if unknown:
            problems.append(f"{key}: no column {abridged(unknown)}; the source has {expected}")
        both = [name for name in names if name in data.keep]
        if both and key in ("data.label", "data.id", "data.ignore"):
            problems.append(
                f"data.keep and {key}: both name {abridged(both)}, which is a feature by one and "
                "none by the other; take it out of one"
            )
    kept = [name for name in data.keep if name != split_by]
    dates = [name for name in kept if name in reader.date_columns]
    if dates:
        problems.append(
            f"data.keep: {abridged(dates)} holds dates, which are no features; take it out, or "
            "write numbers into the file"
        )
    if data.id and data.id == label:
        problems.append(f"data.id = {data.id}: is the label, which names no row; choose another")
    if is_answer_column(data.id):
        problems.append(
            f"data.id = {data.id}: answers have a column of this name themselves; rename it in the "
            "source"
        )
    if problems:
        raise DataError("\n".join(problems))
