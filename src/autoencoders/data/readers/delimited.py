"""Delimited text files as batches of columns, typed by Arrow."""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.schema import Schema
from autoencoders.data.prepared.spelling import NUMBER_MARKERS, PLAIN_SPELLING
from autoencoders.data.readers import reader
from autoencoders.data.readers.arrow_messages import in_words
from autoencoders.data.readers.blank_lines import blank_lines_at_end, without_last
from autoencoders.data.readers.codes import (
    holds_code,
    holds_thousands,
    holds_versions,
    may_hold_codes,
)
from autoencoders.data.readers.delimiters import DELIMITER_NAMES
from autoencoders.data.readers.dialect import Dialect, read_dialect
from autoencoders.data.readers.encoding import BLOCK_BYTES, open_bytes
from autoencoders.data.readers.first_column import FIRST_NAME
from autoencoders.data.readers.single_blanks import SingleBlanks

TOO_SHORT = "Could not skip initial"  # of an error of Arrow's


@dataclass(frozen=True)
class TextSettings:
    """How a delimited text file is to be read, where the user or a model says so."""

    encoding: str = "auto"  # as in `read_dialect`
    header: str = "auto"  # as in `read_dialect`
    as_text: tuple[str, ...] = ()  # columns whose values stay text
    all_as_text: bool = False  # whether those of every column do: Arrow knows no decimal comma
    is_part: bool = False  # whether the file is one of several, which agree on columns of text


class DelimitedFile:
    """A delimited text file, whose dialect is read once."""

    is_typed = False

    def __init__(self, path: Path, like: Schema, settings: TextSettings) -> None:
        """Reads the dialect. like: the schema of a model that waits for the rows, or an empty one.

        Raises DataError.
        """
        self.path = path
        expected = [column.name for column in like.columns]
        self.dialect = read_dialect(
            path,
            encoding=settings.encoding,
            header=settings.header,
            expected=expected,
            keeps_first=FIRST_NAME in (*expected, like.id_column),
        )
        self.is_decided = bool(like.columns)
        self.is_part = settings.is_part
        self.has_seen_all = self.is_decided  # whether all rows were looked at for codes
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
        fields = DELIMITER_NAMES.get(self.dialect.delimiter, "")
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
        """The columns and the types that Arrow infers from the first batch.

        Codes such as 007 are text, unless a model waits for numbers: its columns are decided.
        """
        is_needed = not self.is_decided and not self.is_part
        if is_needed and not self.dialect.has_rows:
            raise DataError(f"{self.path}: holds no rows below the names")
        try:
            schema = self._open(self._text_types()).schema
        except pa.ArrowInvalid as error:
            if TOO_SHORT in str(error):
                raise DataError(f"{self.path}: holds no rows below the names") from None
            raise DataError(f"{self.path}: {self._in_words(error)}") from error
        if self.is_decided:
            return schema
        numbers = [column.name for column in schema if _is_number(column.type)]
        codes = self._codes_at_start(numbers)
        self.texts += codes
        if self.is_part:
            known = set(codes)
            codes += self._late_codes([name for name in numbers if name not in known])
        return self._open(self._text_types()).schema if codes else schema

    def _text_types(self) -> dict[str, pa.DataType]:
        """The type of the columns that are read as text."""
        types: dict[str, pa.DataType] = {}
        for name in (*self.texts, *self.empty):
            types[name] = pa.string()
        return types

    def _texts_of(self, names: list[str]) -> Iterator[pa.RecordBatch]:
        """Yields these columns as text."""
        types: dict[str, pa.DataType] = dict.fromkeys(names, pa.string())
        return iter(self._open(types, names)) if names else iter(())

    def _codes_at_start(self, names: list[str]) -> list[str]:
        """Those of the columns that are read as text for what the first batch holds.

        A code, versions, or points that may be of thousands.
        """
        first = next(self._texts_of(names), None)
        if first is None:
            return []
        codes = []
        for name in names:
            texts = first[name]
            if holds_code(texts) or holds_thousands(texts) or holds_versions(texts):
                codes.append(name)
        return codes

    def _late_codes(self, names: list[str]) -> list[str]:
        """Those of the columns that hold a code in any row; they are text from now on.

        The first line of an inspection shall not wait for it: all bytes of the file are read.
        """
        if self.has_seen_all:
            return []
        codes: list[str] = []
        if names and may_hold_codes(self.path, self.dialect.encoding, self.dialect.delimiter):
            others = names
            for part in self._texts_of(names):
                found = {name for name in others if holds_code(part[name])}
                codes += [name for name in others if name in found]
                others = [name for name in others if name not in found]
        self.has_seen_all = True
        self.texts += codes
        return codes

    def batches(
        self, types: Mapping[str, pa.DataType], rows_per_batch: int
    ) -> Iterator[pa.RecordBatch]:
        """Yields the rows in batches of some megabytes, as these types."""
        del rows_per_batch  # blocks of bytes are what Arrow reads
        try:
            numbers = [name for name, column_type in types.items() if _is_number(column_type)]
            self._late_codes(numbers)
            parts = self._checked(self._open({**types, **self._text_types()}))
            if len(self.dialect.names) > 1:
                yield from parts
                return
            yield from without_last(parts, blank_lines_at_end(self.path, self.dialect.encoding))
        except pa.ArrowInvalid as error:
            raise DataError(f"{self.path}: {self._in_words(error)}") from error

    def _in_words(self, error: pa.ArrowInvalid) -> str:
        """An error of Arrow's with the column, the row and what to do."""
        return in_words(str(error), self.dialect, _arrow_names(self.dialect), self.is_decided)

    def _checked(self, parts: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yields batches.

        Raises DataError where a column without a name has a value after all, or where the last
        value runs over all lines to the file's end.
        """
        first = 0
        last: pa.RecordBatch | None = None
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
            last = part if len(part) else last
            yield part
        if last is not None and _ends_with_lines(last) and self._has_odd_quotes():
            raise DataError(
                f"{self.path}: the quote in row {first} is not closed, so that all lines behind it "
                "would be one value; close it, or double quotes within a value"
            )

    def _has_odd_quotes(self) -> bool:
        """Whether the file has an odd number of quotes."""
        n = 0
        with open_bytes(self.path) as stream:
            while block := stream.read(BLOCK_BYTES):
                n += block.count(self.dialect.quote.encode())
        return n % 2 == 1

    def _open(
        self, types: Mapping[str, pa.DataType], names: list[str] | None = None
    ) -> pa.csv.CSVStreamingReader:
        """Arrow's reader of the file. names: the columns to read; None: all."""
        dialect = self.dialect
        source: str | IO[bytes] = str(self.path)
        encoding = dialect.encoding
        if dialect.delimiter == " ":
            source = io.BufferedReader(SingleBlanks(self.path, encoding, dialect.quote))
            encoding = "utf-8"
        return pa.csv.open_csv(
            source,
            read_options=pa.csv.ReadOptions(
                use_threads=False,  # with threads, errors name no rows
                block_size=reader.table_batch_bytes(len(dialect.names)),
                encoding="utf8" if encoding.startswith("utf-8") else encoding,
                column_names=_arrow_names(dialect),
                skip_rows=dialect.skipped_lines,
            ),
            parse_options=pa.csv.ParseOptions(
                delimiter=dialect.delimiter,
                quote_char=dialect.quote,
                ignore_empty_lines=len(dialect.names) > 1,
            ),
            convert_options=pa.csv.ConvertOptions(
                column_types=dict(types),
                null_values=list(NUMBER_MARKERS),
                include_columns=names,
                strings_can_be_null=False,  # a region may be called NA
            ),
        )


def _texts_of_model(like: Schema) -> list[str]:
    """The columns that a model reads from text: ids, categories, and numbers in a spelling."""
    texts = [like.id_column] if like.id_column else []
    for column in like.columns:
        if column.categories is not None or column.spelling != PLAIN_SPELLING:
            texts.append(column.name)
    return texts


def _is_number(column_type: pa.DataType) -> bool:
    """Whether a column is read as numbers, or has no value in the first batch."""
    is_number = pa.types.is_floating(column_type) or pa.types.is_integer(column_type)
    return bool(is_number or pa.types.is_null(column_type))


def _ends_with_lines(rows: pa.RecordBatch) -> bool:
    """Whether a text of the last row has several lines."""
    last = rows.slice(len(rows) - 1).to_pylist()[0]
    return any(isinstance(value, str) and "\n" in value for value in last.values())


def _arrow_names(dialect: Dialect) -> list[str]:
    """A different name for every column: those without a name are called by their place."""
    names = list(dialect.names)
    for position in dialect.unnamed:
        names[position] = f"column {position + 1}"
    return names
