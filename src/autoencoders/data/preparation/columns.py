"""The decision what a column of text holds: numbers in one spelling, or categories.

It is made from every row of a source, and all problems are told at once.
"""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from autoencoders.data.preparation.dates import date_formats, mixed_dates
from autoencoders.data.preparation.decision import ColumnType, Decision
from autoencoders.data.preparation.identifiers import Distinct, DistinctTexts
from autoencoders.data.preparation.numeric_dates import NumericDates
from autoencoders.data.preparation.spellings import Disagreement, spelling_of
from autoencoders.data.preparation.text_column import Markers, TextColumn
from autoencoders.data.prepared.spelling import (
    LOGICAL_SPELLING,
    PLAIN_SPELLING,
    ColumnValues,
    Spelling,
    is_marker,
    numbers_of,
)
from autoencoders.data.prepared.values import column_values, is_text_type
from autoencoders.params.sections import Data


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
        self.said_categories: dict[str, TextColumn] = {}  # columns of text that are given as such
        self.distinct: dict[str, Distinct] = {}  # numbers
        self.names: dict[str, DistinctTexts] = {}
        self.numeric_dates: dict[str, NumericDates] = {}
        self.logical: dict[str, None] = {}  # columns of true and false, in the source's order

    def add(self, rows: pa.Table, names: Iterable[str]) -> None:
        """Adds rows, of these columns."""
        for name in names:
            values = column_values(rows, name)
            is_text = is_text_type(values.type)
            if self.given.get(name) == "category":
                if is_text:
                    column = self.said_categories.setdefault(name, TextColumn())
                    column.count_markers(values, self.markers)
            elif is_text:
                self._add_text(name, values)
            elif pa.types.is_floating(values.type) or pa.types.is_integer(values.type):
                self._add_numbers(name, values)
            elif pa.types.is_boolean(values.type):
                self.logical[name] = None

    def _add_text(self, name: str, values: ColumnValues) -> None:
        self.texts.setdefault(name, TextColumn()).add(values, self.markers)
        self.numeric_dates.setdefault(name, NumericDates()).add_texts(values, self.markers.number)
        names = self.names.setdefault(name, DistinctTexts())
        if not names.repeat:
            texts = pc.cast(values, pa.string())
            is_missing = is_marker(pc.utf8_trim_whitespace(texts), self.markers.text)
            names.add(pc.if_else(is_missing, pa.scalar(None, pa.string()), texts))

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
        for name, column in self.said_categories.items():
            decision.notes += column.marker_notes(name)
        for name in self.logical:
            decision.types[name] = ColumnType(is_category=False, spelling=LOGICAL_SPELLING)
        files_decimal = self._files_decimal()
        for name, column in self.texts.items():
            if name not in decision.dates:
                self._decide_text(name, column, files_decimal, decision)
        self._leave_out_running(decision)
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
        is_said_number = name in self.given
        if column.are_logical():
            self._take_as_logical(name, decision)
        elif not is_said_number and self._are_dates(name, column, decision):
            pass
        elif column.others and (is_said_number or self._are_mostly_numbers(column)):
            decision.problems[name] = column.among_numbers()
            decision.mends[name] = "category"
        elif column.others or not column.numbers:
            self._take_as_categories(name, column.notes(name), decision)
        else:
            self._decide_spelling(name, column, files_decimal, decision)

    def _take_as_logical(self, name: str, decision: Decision) -> None:
        decision.types[name] = ColumnType(is_category=False, spelling=LOGICAL_SPELLING)
        if self.is_typed:
            decision.notes.append(f"column {name}: read as numbers {LOGICAL_SPELLING}")

    def _are_dates(self, name: str, column: TextColumn, decision: Decision) -> bool:
        """Decides on a column whose texts are dates, all or most; returns whether they are."""
        if not column.others:
            return False
        texts = column.others | column.numbers.keys()
        layouts = date_formats(texts)
        if layouts and name not in self.keep:
            decision.types[name] = ColumnType(is_category=False, date_format=layouts[0])
            return True
        problem = mixed_dates(texts)
        if layouts:
            problem = "dates, which data.keep makes no features"
        if problem:
            decision.problems[name] = problem
            decision.mends[name] = "category"
        return bool(problem)

    def _are_mostly_numbers(self, column: TextColumn) -> bool:
        """Whether a few texts stand among numbers, where the source does not say that all are text.

        Codes such as 1, 2 and 3A are no numbers.
        """
        n_texts = len(column.numbers) + len(column.others)
        few_others = 2 * len(column.others) < n_texts
        return few_others and not self.is_typed and not column.spellings.codes()

    def _take_as_categories(self, name: str, notes: list[str], decision: Decision) -> None:
        """Makes categories of a column, unless each text names another row. notes: if it stays."""
        decision.types[name] = ColumnType(is_category=True)
        reason = self.names[name].reason()
        if reason and name not in self.keep:
            decision.leave_out([name], reason)
        else:
            decision.notes += notes

    def _decide_spelling(
        self, name: str, column: TextColumn, files_decimal: str, decision: Decision
    ) -> None:
        decimal = self.given.get(name, self.decimal)
        is_said_number = name in self.given
        spelling = spelling_of(
            column.spellings, decimal, files_decimal, is_said_number=is_said_number
        )
        if isinstance(spelling, Disagreement) and spelling.is_codes:
            note = f"column {name}: categories, as it has {spelling.reason}"
            self._take_as_categories(name, [note, *column.marker_notes(name)], decision)
            return
        if isinstance(spelling, Disagreement):
            decision.problems[name] = spelling.reason
            decision.mends[name] = "point" if spelling.is_ambiguous else "category"
            return
        decision.types[name] = ColumnType(is_category=False, spelling=spelling)
        running = self._running(name, column, spelling)
        if running and name not in self.keep:
            decision.leave_out([name], running)
            return
        if self.is_typed or (column.spellings.shows_signs() and spelling != PLAIN_SPELLING):
            decision.notes.append(f"column {name}: read as numbers {spelling}")
        decision.notes += column.spellings.doubts(name)
        if column.spellings.written_negative:
            text = column.spellings.written_negative
            decision.notes.append(f"column {name}: read as numbers below 0: {text!r} and such")

    def _running(self, name: str, column: TextColumn, spelling: Spelling) -> str:
        """The reason why the numbers of a column of text run; nothing where they do not."""
        if not self.names[name].are_all():
            return ""
        texts = pa.array(list(column.numbers), pa.string())
        values, _ = numbers_of(texts, spelling, self.markers.number)
        distinct = Distinct()
        distinct.add(values.to_numpy(zero_copy_only=False))
        return distinct.reason()

    def _leave_out_running(self, decision: Decision) -> None:
        """Leaves out columns of whole numbers that run."""
        reasons: dict[str, list[str]] = {}
        for name, distinct in self.distinct.items():
            reason = distinct.reason()
            if reason and name not in {*self.keep, *decision.dates}:
                reasons.setdefault(reason, []).append(name)
        for reason, names in reasons.items():
            decision.leave_out(names, reason)

    def _files_decimal(self) -> str:
        """A comma where columns show it as decimal sign and none shows a point; else nothing."""
        signs = {sign for column in self.texts.values() for sign in column.spellings.decimals}
        return "," if signs == {","} else ""
