"""Any table, written in any usual way, is read as the same values, or refused: never as others."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from autoencoders.core.errors import DataError
from autoencoders.data.preparation.columns import ColumnTypes
from autoencoders.data.prepared.spelling import NUMBER_MARKERS, PLAIN_SPELLING, numbers_of
from autoencoders.data.prepared.values import column_values, is_text_type
from autoencoders.data.readers.opening import open_reader
from autoencoders.params.params import Params

anything = settings(deadline=None, derandomize=True, database=None, max_examples=150)
NUMBERS = st.lists(
    st.one_of(st.none(), st.integers(-(10**7), 10**7).map(lambda n: n / 100)),
    min_size=3,
    max_size=30,
)
TEXTS = ["red", "dark blue", "grün", "a, b", "x;y", 'say "so"', "two\nlines"]


def spelled(value: float | None, decimal: str, groups: str, unit: str, marker: str) -> str:
    """A number as a spreadsheet writes it."""
    if value is None:
        return marker
    signs = str.maketrans({",": groups, ".": decimal})
    return f"{value:,.2f}".translate(signs) + unit


def written(rows: list[list[str]], delimiter: str, end: str) -> str:
    """Rows as delimited text, quoted where it must be."""
    lines = []
    for row in rows:
        fields = []
        for value in row:
            is_quoted = any(sign in value for sign in f'{delimiter}"\n\r')
            fields.append('"' + value.replace('"', '""') + '"' if is_quoted else value)
        lines.append(delimiter.join(fields))
    return end.join(lines) + end


def values_of(path: Path, params: Params) -> dict[str, list[Any]]:
    """The values of each column as the pipeline takes them. Raises DataError."""
    reader = open_reader(path)
    table = pa.concat_tables(
        [batch for batch, _ in reader.batches() if isinstance(batch, pa.Table)]
    )
    types = ColumnTypes(params.data)
    types.keep = reader.names
    types.add(table, reader.names)
    decision = types.decide()
    decision.check()
    values: dict[str, list[Any]] = {}
    for name in reader.names:
        column = column_values(table, name)
        column_type = decision.types.get(name)
        spelling = column_type.spelling if column_type else PLAIN_SPELLING
        if column_type and column_type.is_category:
            values[name] = column.to_pylist()
        elif is_text_type(column.type):
            numbers, is_other = numbers_of(column, spelling, NUMBER_MARKERS)
            assert not is_other.any()
            values[name] = numbers.to_pylist()
        else:
            values[name] = column.to_pylist()
    return values


@anything
@given(
    numbers=NUMBERS,
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"]),
    end=st.sampled_from(["\n", "\r\n"]),
    signs=st.sampled_from(
        [
            (".", ""),
            (",", ""),
            (".", ","),
            (",", "."),
            (",", " "),
            (".", "'"),
            (".", "’"),
            (".", " "),
        ]
    ),
    unit=st.sampled_from(["", "%", " kg", "€"]),
    marker=st.sampled_from(["", "NA", "n/a", "-", "?", "null"]),
    before=st.sampled_from(["", "# made by a program", "\n"]),
    data=st.data(),
)
def test_a_table_written_in_any_usual_way_is_read_as_the_same_values_or_refused(
    tmp_path_factory, params, numbers, delimiter, encoding, end, signs, unit, marker, before, data
):
    texts = data.draw(
        st.lists(st.sampled_from(TEXTS), min_size=len(numbers), max_size=len(numbers))
    )
    decimal, groups = signs
    rows = [["größe", "what"]]
    for value, text in zip(numbers, texts, strict=True):
        rows.append([spelled(value, decimal, groups, unit, marker), text])
    content = written(rows, delimiter, end)
    if before:
        content = before + end + content
    path = tmp_path_factory.mktemp("tables") / "a.csv"
    path.write_bytes(content.encode(encoding))
    try:
        values = values_of(path, params)
    except DataError:
        return
    assert list(values) == ["größe", "what"]
    assert [text.replace("\r\n", "\n") for text in values["what"]] == texts
    if any(value is not None for value in numbers):
        expected = [np.nan if value is None else value for value in numbers]
        found = [np.nan if value is None else value for value in values["größe"]]
        np.testing.assert_allclose(np.array(found, np.float64), expected)
