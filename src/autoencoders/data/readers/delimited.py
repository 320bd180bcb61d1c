"""Delimited text files as batches of columns, typed by Arrow."""

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.schema import Schema
from autoencoders.data.prepared.spelling import NUMBER_MARKERS, PLAIN_SPELLING
from autoencoders.data.readers import reader
from autoencoders.data.readers.dialect import (
    DELIMITERS,
    Dialect,
    read_dialect,
)
from autoencoders.data.readers.encoding import BLOCK_BYTES, open_bytes

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer

BLANKS = re.compile(rb"[ \t]+")
QUOTED_OR_BLANKS = re.compile(rb'("[^"\n]*")|[ \t]+')


@dataclass(frozen=True)
class TextSettings:
    """How a delimited text file is to be read, where the user or a model says so."""

    encoding: str = "auto"  # as in `read_dialect`
    header: str = "auto"  # as in `read_dialect`
    as_text: tuple[str, ...] = ()  # columns whose values stay text
    all_as_text: bool = False  # whether those of every column do: Arrow knows no decimal comma


class DelimitedFile:
    """A delimited text file, whose dialect is read once."""

    is_typed = False

    def __init__(self, path: Path, like: Schema, settings: TextSettings) -> None:
        """Reads the dialect. like: the schema of a model that waits for the rows, or an empty one.

        Raises DataError.
        """
        self.path = path
        self.dialect = read_dialect(
            path,
            encoding=settings.encoding,
            header=settings.header,
            expected=[column.name for column in like.columns],
        )
        self.texts = [*settings.as_text, *_texts_of_model(like)]
        if settings.all_as_text or self.dialect.has_commas:
            self.texts = list(self.dialect.names)

    @property
    def has_names(self) -> bool:
        """Whether the columns' names stand in the file."""
        return self.dialect.has_names

    @property
    def description(self) -> str:
        """The dialect in a few words."""
        encoding = self.dialect.encoding.removesuffix("-sig")
        fields = DELIMITERS.get(self.dialect.delimiter, "")
        between = f"{fields} between fields" if fields else "one column"
        names = "names in the first line" if self.has_names else "no names"
        return f"delimited text, {encoding}, {between}, {names}"

    @property
    def notes(self) -> list[str]:
        """Notes for the user: what is read in another way than it looks."""
        return self.dialect.notes

    @property
    def empty(self) -> list[str]:
        """The columns at the end that have no name and no value."""
        names = _arrow_names(self.dialect)
        return [names[position] for position in self.dialect.unnamed]

    def schema(self) -> pa.Schema:
        """The columns and the types that Arrow infers from the first batch."""
        types: dict[str, pa.DataType] = {}
        for name in (*self.texts, *self.empty):
            types[name] = pa.string()
        return self._open(types).schema

    def batches(
        self, types: Mapping[str, pa.DataType], rows_per_batch: int
    ) -> Iterator[pa.RecordBatch]:
        """Yields the rows in batches of some megabytes, as these types."""
        del rows_per_batch  # blocks of bytes are what Arrow reads
        parts = self._open(dict(types))
        if len(self.dialect.names) > 1:
            yield from self._checked(parts)
            return
        yield from _without_last(parts, blank_lines_at_end(self.path, self.dialect.encoding))

    def _checked(self, parts: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yields batches. Raises DataError where a column without a name has a value after all."""
        first = 0
        for part in parts:
            for name in self.empty:
                is_value = pc.not_equal(pc.utf8_trim_whitespace(part[name]), pa.scalar(""))
                if pc.any(is_value).as_py():
                    row = first + is_value.index(True).as_py() + 1
                    raise DataError(
                        f"{self.path}: row {row} has a value in {name}, which has no name; "
                        "write a name above it"
                    )
            first += len(part)
            yield part

    def _open(self, types: dict[str, pa.DataType]) -> pa.csv.CSVStreamingReader:
        dialect = self.dialect
        source: str | IO[bytes] = str(self.path)
        if dialect.delimiter == " ":
            source = io.BufferedReader(_SingleBlanks(open_bytes(self.path)))
        return pa.csv.open_csv(
            source,
            read_options=pa.csv.ReadOptions(
                use_threads=False,  # with threads, errors name no rows
                block_size=reader.table_batch_bytes(len(dialect.names)),
                encoding="utf8" if dialect.encoding.startswith("utf-8") else dialect.encoding,
                column_names=_arrow_names(dialect),
                skip_rows=dialect.skipped_lines,
            ),
            parse_options=pa.csv.ParseOptions(
                delimiter=dialect.delimiter,
                ignore_empty_lines=len(dialect.names) > 1,
            ),
            convert_options=pa.csv.ConvertOptions(
                column_types=types,
                null_values=list(NUMBER_MARKERS),
                strings_can_be_null=False,  # a region may be called NA
            ),
        )


def _texts_of_model(like: Schema) -> list[str]:
    """The columns that a model reads from text: its categories, and numbers in a spelling."""
    texts = []
    for column in like.columns:
        if column.categories is not None or column.spelling != PLAIN_SPELLING:
            texts.append(column.name)
    return texts


def _arrow_names(dialect: Dialect) -> list[str]:
    """A different name for every column: those without a name are called by their place."""
    names = list(dialect.names)
    for position in dialect.unnamed:
        names[position] = f"column {position + 1}"
    return names


def _without_last(parts: Iterator[pa.RecordBatch], n: int) -> Iterator[pa.RecordBatch]:
    """Yields batches without the last n rows of them all."""
    held: list[pa.RecordBatch] = []
    n_held = 0
    for part in parts:
        held.append(part)
        n_held += len(part)
        while held and n_held - len(held[0]) >= n:
            first = held.pop(0)
            n_held -= len(first)
            yield first
    for part in held:
        n_rows = min(len(part), max(0, n_held - n))
        n_held -= len(part)
        yield part.slice(0, n_rows)


def blank_lines_at_end(path: Path, encoding: str) -> int:
    """The number of lines without text after a file's last line of text."""
    n_ends = 0
    with io.TextIOWrapper(cast("io.BufferedReader", open_bytes(path)), encoding=encoding) as text:
        while block := text.read(BLOCK_BYTES):
            last = block.rstrip()
            if last:
                n_ends = 0
            n_ends += block[len(last) :].count("\n")
    return max(0, n_ends - 1)


class _SingleBlanks(io.RawIOBase):
    """A file of bytes in which one blank stands for any number of blanks or tabs.

    Blanks at the beginning and end of a line are left out.
    """

    def __init__(self, source: IO[bytes]) -> None:
        super().__init__()
        self.source = source
        self.rest = b""

    def readable(self) -> bool:
        """Whether bytes can be read: always."""
        return True

    def readinto(self, buffer: "Buffer") -> int:
        """Fills a buffer with the next bytes, and returns their number; 0 at the end."""
        if not self.rest:
            lines = self.source.readlines(reader.BATCH_BYTES)
            self.rest = b"".join(_with_single_blanks(line) for line in lines)
        view = memoryview(buffer)
        part = self.rest[: len(view)]
        view[: len(part)] = part
        self.rest = self.rest[len(part) :]
        return len(part)

    def close(self) -> None:
        """Closes the file that the bytes come from, too."""
        self.source.close()
        super().close()


def _with_single_blanks(line: bytes) -> bytes:
    """A line with one blank between its fields."""
    stripped = line.strip()
    if b'"' in stripped:
        return QUOTED_OR_BLANKS.sub(lambda match: match[1] or b" ", stripped) + b"\n"
    return BLANKS.sub(b" ", stripped) + b"\n"
