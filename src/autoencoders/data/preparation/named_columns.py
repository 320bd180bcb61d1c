"""The columns that parameters name: each must exist, and be a feature or none."""

from autoencoders.core.errors import DataError
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
        if both and key in ("data.label", "data.ignore"):
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
    if problems:
        raise DataError("\n".join(problems))
