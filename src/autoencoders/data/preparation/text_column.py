"""A column of text: its distinct texts, of which some may spell numbers, and its missing values."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from autoencoders.data.preparation.spellings import SpellingEvidence
from autoencoders.data.prepared.schema import SHOWN_NAMES
from autoencoders.data.prepared.spelling import (
    NUMBER_MARKERS,
    TEXT_MARKERS,
    ColumnValues,
    is_marker,
)
from autoencoders.data.readers.texts import looks_like_number
from autoencoders.params.reading import yaml_text

MANY = 1000  # distinct texts that are no numbers: a column of so many holds no numbers


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
    rows: dict[str, int] = field(default_factory=dict)  # the first rows of some others, from 1
    n: int = 0  # rows, as long as texts are collected
    # how often a text stands that is a missing number, but no missing text
    markers: Counter[str] = field(default_factory=Counter)

    @property
    def n_markers(self) -> int:
        """The number of rows whose text stands for a missing number, but for no missing text."""
        return self.markers.total()

    def count_markers(self, values: ColumnValues, markers: Markers) -> None:
        """Counts the texts that stand for a missing number, but for no missing text."""
        ambiguous = [text for text in markers.number if text not in markers.text]
        texts = pc.utf8_trim_whitespace(pc.cast(values, pa.string())).drop_null()
        counted: ColumnValues = pc.value_counts(texts.filter(is_marker(texts, ambiguous)))
        pairs: list[Any] = counted.to_pylist()
        for pair in pairs:
            self.markers[pair["values"]] += pair["counts"]

    def add(self, values: ColumnValues, markers: Markers) -> None:
        """Adds the values of some rows."""
        self.count_markers(values, markers)
        if len(self.others) > max(MANY, len(self.numbers)):
            return
        values = pc.cast(values, pa.string())
        distinct: list[str | None] = pc.unique(values).to_pylist()
        known = self.others | self.numbers.keys()
        texts = [text for text in distinct if text is not None and text not in known]
        texts = [text for text in texts if text.strip() not in markers.number]
        self.others.update(self.spellings.add(sorted(texts)))
        others = [text for text in texts if text in self.others]
        for text in others[: SHOWN_NAMES - len(self.rows)]:
            self.rows[text] = self.n + 1 + pc.index(values, text).as_py()
        self.n += len(values)
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
        return notes + self.marker_notes(name)

    def marker_notes(self, name: str) -> list[str]:
        """A note on texts of categories that may stand for a missing value."""
        if not self.markers:
            return []
        shown = ", ".join(f"{text} in {n} rows" for text, n in self.markers.most_common())
        meaning = "is a category of its own; if it means missing"
        if len(self.markers) > 1:
            meaning = "are categories of their own; if they mean missing"
        mend = _null_values(text for text, _ in self.markers.most_common())
        return [f"column {name}: {shown} {meaning}, say {mend}"]

    def among_numbers(self) -> str:
        """The reason why texts among numbers are refused, with their first rows."""
        shown = ", ".join(f"{text!r} (row {row})" for text, row in self.rows.items())
        n_more = len(self.others) - len(self.rows)
        if n_more:
            return f"{shown} and {n_more} more among numbers"
        return (
            f"{shown} among numbers; mend this in the file, or, where it means missing, say "
            f"{_null_values(text.strip() for text in self.rows)}"
        )

    def no_number(self) -> str:
        """The first text that is no number, but stands among numbers or begins like one."""
        for text in sorted(self.others):
            if self.numbers or looks_like_number(text):
                return text.strip()
        return ""


def _null_values(texts: Iterable[str]) -> str:
    """The parameter by which texts stand for a missing value, as YAML."""
    return yaml_text({"data.null_values": list(texts)}, flow=True).strip()[1:-1]
