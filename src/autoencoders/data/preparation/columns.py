"""The decision what a column of text holds: numbers in one spelling, or categories.

It is made from every row of a source, and all problems are told at once.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from autoencoders.core.errors import DataError
from autoencoders.data.preparation.dates import date_formats, mixed_dates
from autoencoders.data.preparation.identifiers import Distinct
from autoencoders.data.preparation.numeric_dates import NumericDates
from autoencoders.data.preparation.spellings import Disagreement, SpellingEvidence, spelling_of
from autoencoders.data.prepared.schema import abridged
from autoencoders.data.prepared.spelling import (
    LOGICAL_SPELLING,
    NUMBER_MARKERS,
    PLAIN_SPELLING,
    TEXT_MARKERS,
    ColumnValues,
    Spelling,
    is_marker,
    numbers_of,
)
from autoencoders.data.prepared.values import column_values, is_text_type
from autoencoders.data.readers.texts import looks_like_number
from autoencoders.params.sections import Data

RUNNING = "numbers of the rows, which run"
MANY = 1000  # distinct texts that are no numbers: a column of so many holds no numbers


@dataclass(frozen=True)
class ColumnType:
    """The type of a column of text: categories, numbers in a spelling, or dates."""

    is_category: bool
    spelling: Spelling = PLAIN_SPELLING
    date_format: str = ""  # of dates: the first that fits, by strptime's letters


@dataclass(frozen=True)
class Markers:
    """The texts that stand for a missing value."""

    text: tuple[str, ...] = TEXT_MARKERS
    number: tuple[str, ...] = NUMBER_MARKERS

    @classmethod
    def with_further(cls, texts: Iterable[str]) -> "Markers":
        """The usual markers, and these for text and numbers alike."""
        further = tuple(texts)
        return cls(
            tuple(dict.fromkeys((*TEXT_MARKERS, *further))),
            tuple(dict.fromkeys((*NUMBER_MARKERS, *further))),
        )


@dataclass
class TextColumn:
    """The distinct texts of a column: the spellings of numbers, and all others."""

    spellings: SpellingEvidence = field(default_factory=SpellingEvidence)
    numbers: dict[str, None] = field(default_factory=dict)  # in the rows' order
    others: set[str] = field(default_factory=set)
    n_markers: int = 0  # rows whose text stands for a missing number, but for no missing text

    def add(self, values: ColumnValues, markers: Markers) -> None:
        """Adds the values of some rows."""
        if len(self.others) > max(MANY, len(self.numbers)):
            return
        self.n_markers += _count(values, markers.number) - _count(values, markers.text)
        distinct: list[str | None] = pc.unique(pc.cast(values, pa.string())).to_pylist()
        known = self.others | self.numbers.keys()
        texts = [text for text in distinct if text is not None and text not in known]
        texts = [text for text in texts if text.strip() not in markers.number]
        self.others.update(self.spellings.add(sorted(texts)))
        self.numbers.update((text, None) for text in texts if text not in self.others)

    def are_logical(self) -> bool:
        """Whether the texts are true and false, in any case; 1 and 0 may stand among them."""
        words = {text.strip().lower() for text in self.others}
        return bool(words) and words <= {"true", "false"} and self.numbers.keys() <= {"0", "1"}

    def notes(self, name: str) -> list[str]:
        """Notes on a column of categories, whose texts are read in another way than they look."""
        notes = []
        if any(text != text.strip() for text in self.others | self.numbers.keys()):
            notes.append(f"column {name}: blanks around its texts are left out")
        if self.no_number():
            notes.append(f"column {name}: categories, as {self.no_number()!r} is no number")
        return notes

    def no_number(self) -> str:
        """The first text that is no number, but stands among numbers or begins like one."""
        for text in sorted(self.others):
            if self.numbers or looks_like_number(text):
                return text.strip()
        return ""


def _count(values: ColumnValues, markers: tuple[str, ...]) -> int:
    """The number of texts that are one of the markers."""
    texts = pc.utf8_trim_whitespace(pc.cast(values, pa.string()))
    return int(is_marker(texts, markers).to_numpy(zero_copy_only=False).sum())


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


class ColumnTypes:
    """The types of a table's columns, from every row of it."""

    def __init__(self, data: Data, *, is_typed: bool = False) -> None:
        """data: what the user says of it. is_typed: whether the source tells text from numbers."""
        self.is_typed = is_typed
        self.markers = Markers.with_further(data.null_values)
        self.decimal = data.decimal
        self.given = data.types
        self.keep = data.keep
        self.split = data.split
        self.texts: dict[str, TextColumn] = {}
        self.distinct: dict[str, Distinct] = {}
        self.numeric_dates: dict[str, NumericDates] = {}
        self.logical: dict[str, None] = {}  # columns of true and false, in the source's order

    def add(self, rows: pa.Table, names: Iterable[str]) -> None:
        """Adds rows, of these columns."""
        for name in names:
            values = column_values(rows, name)
            if self.given.get(name) == "category":
                continue
            if is_text_type(values.type):
                self._add_text(name, values)
            elif pa.types.is_floating(values.type) or pa.types.is_integer(values.type):
                self._add_numbers(name, values)
            elif pa.types.is_boolean(values.type):
                self.logical[name] = None

    def _add_text(self, name: str, values: ColumnValues) -> None:
        self.texts.setdefault(name, TextColumn()).add(values, self.markers)
        self.numeric_dates.setdefault(name, NumericDates()).add_texts(values, self.markers.number)
        distinct = self.distinct.setdefault(name, Distinct())
        if not distinct.repeats:
            texts = values.drop_null().to_numpy(zero_copy_only=False)
            distinct.add(pd.util.hash_array(texts.astype(object), categorize=False))

    def _add_numbers(self, name: str, values: ColumnValues) -> None:
        self.numeric_dates.setdefault(name, NumericDates()).add(values)
        distinct = self.distinct.setdefault(name, Distinct())
        if distinct.repeats:
            return
        numbers = values.drop_null().to_numpy(zero_copy_only=False).astype(np.float64)
        if (np.floor(numbers) == numbers).all():
            distinct.add(numbers)
        else:
            distinct.give_up()

    def decide(self) -> Decision:
        """The types of the columns, from all rows that were added."""
        decision = Decision(dates=self._numeric_dates())
        for name, column_type in self.given.items():
            if column_type == "category":
                decision.types[name] = ColumnType(is_category=True)
        for name in self.logical:
            decision.types[name] = ColumnType(is_category=False, spelling=LOGICAL_SPELLING)
        files_decimal = self._files_decimal()
        for name, column in self.texts.items():
            if name not in decision.dates:
                self._decide_text(name, column, files_decimal, decision)
        running = [name for name in self._running_numbers() if name not in decision.dates]
        decision.leave_out(running, RUNNING)
        self._leave_out_dates(decision)
        return decision

    def _numeric_dates(self) -> dict[str, str]:
        """The meaning of the columns whose numbers are dates."""
        meanings = {}
        for name, dates in self.numeric_dates.items():
            if name not in self.keep and name not in self.given:
                meanings[name] = dates.meaning(name)
        return {name: meaning for name, meaning in meanings.items() if meaning}

    def _leave_out_dates(self, decision: Decision) -> None:
        """Leaves dates out, those of text and those of numbers, and notes what may be others."""
        texts = [name for name, column in decision.types.items() if column.date_format]
        decision.leave_out_dates(texts, "dates", self.split)
        for meaning in dict.fromkeys(decision.dates.values()):
            names = [name for name, other in decision.dates.items() if other == meaning]
            decision.leave_out_dates(names, f"dates, {meaning}", self.split)
        for name, dates in self.numeric_dates.items():
            unit = dates.doubtful_unit(name)
            if unit and name not in {*self.keep, *self.given, *decision.left_out}:
                decision.notes.append(
                    f"column {name}: a feature, whose numbers rise from row to row; if they are "
                    f"{unit} since 1970, name it in data.ignore or in data.split: time:{name}"
                )

    def _decide_text(
        self, name: str, column: TextColumn, files_decimal: str, decision: Decision
    ) -> None:
        """Decides on a column of text."""
        layouts = date_formats(column.others | column.numbers.keys()) if column.others else []
        mixed = "" if layouts or self.is_typed else mixed_dates(column.others)
        is_said_number = name in self.given
        n_texts = len(column.numbers) + len(column.others)
        few_others = 0 < 2 * len(column.others) < n_texts and not self.is_typed
        few_others = few_others and not column.spellings.codes()
        if column.are_logical():
            decision.types[name] = ColumnType(is_category=False, spelling=LOGICAL_SPELLING)
            if self.is_typed:
                decision.notes.append(f"column {name}: read as numbers {LOGICAL_SPELLING}")
        elif layouts and name in self.keep and name not in self.given:
            decision.problems[name] = "dates, which data.keep makes no features"
            decision.mends[name] = "category"
        elif layouts and name not in self.given:
            decision.types[name] = ColumnType(is_category=False, date_format=layouts[0])
        elif mixed and not is_said_number:
            decision.problems[name] = mixed
            decision.mends[name] = "category"
        elif column.others and (few_others or is_said_number):
            others = abridged(sorted(column.others))
            decision.problems[name] = f"{others} among numbers"
            decision.mends[name] = "category"
        elif column.others or not column.numbers:
            decision.types[name] = ColumnType(is_category=True)
            if name not in self.keep and self.distinct[name].are_all():
                decision.leave_out([name], "names of the rows, each of which differs")
            else:
                decision.notes += column.notes(name)
        else:
            self._decide_spelling(name, column, files_decimal, decision)

    def _decide_spelling(
        self, name: str, column: TextColumn, files_decimal: str, decision: Decision
    ) -> None:
        decimal = self.given.get(name, self.decimal)
        is_said_number = name in self.given
        spelling = spelling_of(
            column.spellings, decimal, files_decimal, is_said_number=is_said_number
        )
        if isinstance(spelling, Disagreement) and spelling.is_codes:
            decision.types[name] = ColumnType(is_category=True)
            decision.notes.append(f"column {name}: categories, as it has {spelling.reason}")
            if name not in self.keep and self.distinct[name].are_all():
                decision.leave_out([name], "names of the rows, each of which differs")
            return
        if isinstance(spelling, Disagreement):
            decision.problems[name] = spelling.reason
            decision.mends[name] = "point" if spelling.is_ambiguous else "category"
            return
        decision.types[name] = ColumnType(is_category=False, spelling=spelling)
        if name not in self.keep and self._runs(name, column, spelling):
            decision.leave_out([name], RUNNING)
            return
        if self.is_typed or (column.spellings.shows_signs() and spelling != PLAIN_SPELLING):
            decision.notes.append(f"column {name}: read as numbers {spelling}")
        if column.spellings.written_negative:
            text = column.spellings.written_negative
            decision.notes.append(f"column {name}: read as numbers below 0: {text!r} and such")

    def _runs(self, name: str, column: TextColumn, spelling: Spelling) -> bool:
        """Whether the numbers of a column of text run."""
        if not self.distinct[name].are_all():
            return False
        texts = pa.array(list(column.numbers), pa.string())
        values, _ = numbers_of(texts, spelling, self.markers.number)
        distinct = Distinct()
        distinct.add(values.to_numpy(zero_copy_only=False))
        return distinct.run()

    def _running_numbers(self) -> list[str]:
        """The columns of whole numbers that run."""
        return [
            name
            for name, distinct in self.distinct.items()
            if name not in self.texts and name not in self.keep and distinct.run()
        ]

    def _files_decimal(self) -> str:
        """A comma where columns show it as decimal sign and none shows a point; else nothing."""
        signs = {sign for column in self.texts.values() for sign in column.spellings.decimals}
        return "," if signs == {","} else ""
