"""A column of text: its distinct texts, of which some may spell numbers, and its missing values."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from autoencoders.data.preparation.spellings import SpellingEvidence
from autoencoders.data.prepared.spelling import (
    NUMBER_MARKERS,
    TEXT_MARKERS,
    ColumnValues,
    is_marker,
)
from autoencoders.data.readers.texts import looks_like_number

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
