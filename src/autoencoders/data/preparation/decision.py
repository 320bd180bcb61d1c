"""The decision about a table's columns: their types, those that are no features, and why."""

from dataclasses import dataclass, field

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.schema import abridged
from autoencoders.data.prepared.spelling import PLAIN_SPELLING, Spelling


@dataclass(frozen=True)
class ColumnType:
    """The type of a column of text: categories, numbers in a spelling, or dates."""

    is_category: bool
    spelling: Spelling = PLAIN_SPELLING
    date_format: str = ""  # of dates: the first that fits, by strptime's letters


@dataclass
class Decision:
    """The types of a table's columns, the columns that are no features, and notes for the user."""

    types: dict[str, ColumnType] = field(default_factory=dict)  # of the columns of text
    left_out: list[str] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)  # why, by column
    notes: list[str] = field(default_factory=list)
    dates: dict[str, str] = field(default_factory=dict)  # what numbers stand for, by column
    problems: dict[str, str] = field(default_factory=dict)  # by column
    mends: dict[str, str] = field(default_factory=dict)  # the type to say in data.types, by column

    def check(self) -> None:
        """Raises DataError, which names every column that can't be read."""
        if not self.problems:
            return
        lines = [f"column {name}: {reason}" for name, reason in self.problems.items()]
        listed = ", ".join(f"{name}: {column_type}" for name, column_type in self.mends.items())
        lines.append(f"mend the file, name columns in data.ignore, or say data.types: {{{listed}}}")
        raise DataError("\n".join(lines))

    def leave_out(self, names: list[str], reason: str) -> None:
        """Leaves columns out, and notes it."""
        if names:
            self.left_out += names
            self.reasons |= dict.fromkeys(names, reason)
            self.notes.append(f"left out, as {reason}: {abridged(names)}")

    def leave_out_dates(self, names: list[str], reason: str, split: str) -> None:
        """Leaves columns of dates out, and notes it. split: data.split."""
        if names:
            self.left_out += names
            self.reasons |= dict.fromkeys(names, reason)
            self.notes.append(dates_note(names, reason, split))


def dates_note(names: list[str], reason: str, split: str) -> str:
    """The note that columns are left out as dates, and may order the rows. split: data.split."""
    note = f"left out, as {reason}: {abridged(names)}"
    if split.startswith("time:"):
        return note
    return f"{note} (data.split: time:{names[0]} would test on the latest rows)"
