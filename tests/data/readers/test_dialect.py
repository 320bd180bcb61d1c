"""The dialect of delimited text: what a person sees at once, or a refusal with the mend."""

import gzip
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoencoders.core.errors import DataError
from autoencoders.data.readers import encoding
from autoencoders.data.readers.dialect import Dialect, read_dialect

anything = settings(deadline=None, derandomize=True, database=None)
ROWS = [("20.4", "7", "red"), ("19.6", "8", "blue"), ("21.9", "9", "red")]
NAMES = ("temp", "n", "colour")


def text(delimiter: str, *before: str, rows: Sequence[tuple[str, ...]] = ROWS) -> str:
    """The rows below their names, after some lines."""
    return "\n".join([*before, *(delimiter.join(row) for row in [NAMES, *rows])]) + "\n"


@pytest.fixture
def dialect(tmp_path: Path):
    """Reads the dialect of a content."""

    def read(content: str | bytes, name: str = "a.csv", **settings: Any) -> Dialect:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_dialect(path, **settings)

    return read


# --- delimiters ---


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", " ", "    "])
def test_the_delimiter_is_the_one_that_gives_every_row_the_same_number_of_fields(
    dialect, delimiter
):
    found = dialect(text(delimiter))
    assert (found.delimiter, found.names) == (delimiter[:1], NAMES)
    assert bool(found.notes) == (delimiter != ",")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_names_that_are_longer_than_the_sample_are_read_to_their_end(
    dialect, monkeypatch: pytest.MonkeyPatch, end: str, suffix: str
):
    monkeypatch.setattr(encoding, "SAMPLE_BYTES", 100)
    names = tuple(f"a long name {i}" for i in range(50))
    rows = [",".join(f"{i}.5" for i in range(50))] * 30
    content = (end.join([",".join(names), *rows]) + end).encode()
    found = dialect(gzip.compress(content) if suffix == ".csv.gz" else content, f"a{suffix}")
    assert (found.names, found.delimiter) == (names, ",")


def test_a_sample_ends_where_lines_have_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(encoding, "SAMPLE_BYTES", 100)
    monkeypatch.setattr(encoding, "MOST_SAMPLE_BYTES", 1000)
    (tmp_path / "a.csv").write_text("1," * 5000)
    (line,) = encoding.sample_lines(tmp_path / "a.csv", "utf-8")
    assert 1000 <= len(line) < 2000


def test_a_decimal_comma_is_no_delimiter(dialect):
    assert dialect("temp;press\n20,4;40,5\n19,6;40,7\n").delimiter == ";"
    one = dialect("temp\n20,4\n19,6\n")
    assert (one.names, len(one.notes)) == (("temp",), 0)


def test_a_quoted_delimiter_belongs_to_its_value(dialect):
    found = dialect('"temp, inside";press\n1;"2;5"\n3;"4;6"\n')
    assert found.names == ("temp, inside", "press")
    assert dialect('"a;b",c\n"1;2",3\n').names == ("a;b", "c")


def test_a_time_of_day_and_its_blank_do_not_split_a_date(dialect):
    found = dialect("time,temp\n2020-01-01 12:00:00,1\n2020-01-01 12:00:01,2\n")
    assert (found.delimiter, found.names) == (",", ("time", "temp"))


def test_the_line_of_a_spreadsheet_says_the_delimiter(dialect):
    found = dialect("sep=;\n" + text(";"))
    assert (found.delimiter, found.skipped_lines, found.names) == (";", 2, NAMES)


@pytest.mark.parametrize("line", ["sep=\\t", "SEP = \t", '"sep=\\t"'])
def test_the_line_of_a_spreadsheet_may_spell_a_tab(dialect, line):
    assert dialect(f"{line}\n" + text("\t")).delimiter == "\t"


@pytest.mark.parametrize("delimiter", [":", "~", "^"])
def test_a_rare_delimiter_is_found_where_names_and_rows_agree(dialect, delimiter):
    found = dialect(text(delimiter))
    assert (found.delimiter, found.names) == (delimiter, NAMES)
    times = dialect("start: end\n" + "".join(f"12:{i:02}\n" for i in range(20)))
    assert times.names == ("start: end",)


def test_decimal_commas_between_blanks_are_no_delimiters(dialect):
    assert dialect("temp press\n1,5 2,5\n3,5 4,25\n").delimiter == " "


@pytest.mark.parametrize("row", ["3", "3,4,5"])
def test_a_ragged_row_makes_no_column_of_decimal_commas(dialect, row):
    assert dialect(f"temp,press\n1,2\n{row}\n4,5\n").names == ("temp", "press")


def test_amounts_with_commas_that_split_some_rows_are_refused(dialect):
    with pytest.raises(DataError, match="its first line has 2 fields, others have 3"):
        dialect("n,v\n1,$1,234.50\n2,$2,000.00\n3,$2.00\n")


def test_single_quotes_are_quotes_where_they_stand_around_the_names(dialect):
    found = dialect("'temp','n, m'\n'1.5','a, b'\n")
    assert (found.quote, found.names) == ("'", ("temp", "n, m"))
    assert found.notes == ["read with single quotes around values"]
    assert dialect("temp,n\n'1,2\n").quote == '"'


def test_a_blank_before_a_quote_is_refused(dialect):
    with pytest.raises(DataError, match="line 3 has a blank before a quote"):
        dialect('temp,what\n1,"a"\n2, "a, b"\n')


def test_a_quote_that_swallows_lines_is_refused(dialect):
    with pytest.raises(DataError, match=r"a quote opens in line 2, .*, in line 3"):
        dialect('temp,what\n1,"open\n2,"open\n3,b\n')
    assert dialect('temp,what\n1,"two\nlines"\n2,5" pipe\n').names == ("temp", "what")


# --- names ---


@pytest.mark.parametrize(
    "title",
    [
        "My title",
        "Station: Oslo\nHeight: 12 m",
        "% made by a program",
        "@relation x\n@attribute temp numeric\n@data",
    ],
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_lines_above_the_names_are_refused_with_the_mend(dialect, title, delimiter):
    with pytest.raises(DataError, match=r"no part of the table: .*write # in front of each"):
        dialect(f"{title}\n\n" + text(delimiter, rows=ROWS * 5))
    commented = "".join(f"# {line}\n" for line in title.split("\n"))
    assert dialect(commented + text(delimiter)).names == NAMES


def test_comments_and_blank_lines_above_the_names_are_left_out_and_noted(dialect):
    found = dialect(text(",", "# a sensor, in a hall", "", "# 2020"))
    assert (found.skipped_lines, found.names) == (4, NAMES)
    assert "comments" in found.notes[0]


def test_names_in_a_comment_are_names(dialect):
    found = dialect("# temp, n\n1.5,2\n2.5,3\n")
    assert (found.names, found.skipped_lines, found.has_names) == (("temp", "n"), 1, True)
    pokemon = dialect("#,Name,HP\n1,Bulbasaur,45\n2,Ivysaur,60\n")
    assert (pokemon.names[1:], pokemon.skipped_lines) == (("Name", "HP"), 1)


@pytest.mark.parametrize(
    "content",
    [
        "5.1,3.5,setosa\n4.9,3.0,setosa\n6.3,3.3,virginica\n",  # iris.csv of many tutorials
        "20.4,40.5,a\n19.6,40.7,b\n",
        "2019,2020\n1,2\n3,4\n",  # years that may be names
        "red\nblue\nred\n",
        "20,4;3,5\n19,6;3,7\n",
        "2020-01-01,5\n2020-01-02,6\n",
        "3,5;31.01.2024;n/a\n4,5;01.02.2024;3\n",  # as the columns below are judged
        "31. Januar 2024;<NA>\n1. Februar 2024;3\n",
        "CHF 5.50\nCHF 6.50\n",
    ],
)
def test_a_first_line_that_looks_like_a_row_is_refused_with_both_mends(dialect, content):
    with pytest.raises(DataError, match=r"looks like a row .*header: none.*header: first"):
        dialect(content)
    first = dialect(content, header="first")
    assert (first.skipped_lines, first.has_names) == (1, True)
    none = dialect(content, header="none")
    assert (none.skipped_lines, none.has_names) == (0, False)
    assert none.names == tuple(f"x{i}" for i in range(len(none.names)))


@pytest.mark.parametrize(
    "content",
    [
        "0,1,2\n5.1,3.5,1\n4.9,3.0,2\n",  # pandas' names of an array's columns
        ",0,1\n0,3.5,1\n1,3.0,2\n",
        "city,mayor\nRome,Anna\nOslo,Ben\n",  # text alone
        ",1990,1991\nfood,1.5,2\nrent,3,4\n",  # years behind a field above row names
        "place,what,1990\n" + "".join(f"{c},births,{i}\n" for i, c in enumerate("abcdef")),
        "name,2019,2020,total\na,1,2,3\nb,4,5,9\n",
        "temp,n\n",  # no row
        "temp,n\n?,3\nNA,4\n5,\n",
    ],
)
def test_a_first_line_that_can_only_be_names_is_names(dialect, content):
    assert dialect(content).skipped_lines == 1


def test_names_that_stand_twice_or_nowhere_get_one_and_that_is_noted(dialect):
    found = dialect("a,b,a,,c\n1,2,3,4,5\n")
    assert found.names == ("a", "b", "a.1", "column 4", "c")
    assert [note.split(":")[0] for note in found.notes] == [
        "the field at place 4 has no name",
        "the name a stands twice",
    ]
    assert dialect("a,a,a.1\n1,2,3\n").names == ("a", "a.2", "a.1")


def test_blanks_around_names_are_no_part_of_them(dialect):
    assert dialect("temp , n\n1,2\n").names == ("temp", "n")


def test_fields_at_the_end_without_name_and_value_are_left_out_and_noted(dialect):
    found = dialect("temp,n,,\n1,2,,\n3,4,,\n")
    assert (found.names, found.unnamed) == (("temp", "n", "", ""), (2, 3))
    assert found.notes == ["left out, as fields without name and value: 2 at the end"]
    longer = dialect("temp,n\n1,2,,\n3,4,,\n")
    assert (longer.names, longer.unnamed) == (("temp", "n", "", ""), (2, 3))


def test_rows_with_more_values_than_names_are_refused(dialect):
    with pytest.raises(DataError, match=r"its first line has 2 fields, others have 4 \(40, 40\)"):
        dialect("temp,press\n20,4,40,5\n19,6,40,7\n")


def test_row_names_as_r_writes_them_have_no_name(dialect):
    assert dialect('"mpg" "cyl"\n"Mazda RX4" 21 6\n"Datsun 710" 22.8 4\n').names == (
        "",
        "mpg",
        "cyl",
    )


def test_a_name_may_hold_the_end_of_a_line(dialect):
    found = dialect('"temp\nin C",n\n1,2\n')
    assert found.skipped_lines == 2


# --- encodings ---


@pytest.mark.parametrize(
    ("encoding", "notes"),
    [("utf-8", 0), ("utf-8-sig", 0), ("utf-16", 1), ("utf-32", 1), ("cp1252", 1)],
)
def test_the_encoding_is_found_and_another_than_utf_8_is_noted(dialect, encoding, notes):
    found = dialect("größe,€\n1,2\n".encode(encoding))
    assert (found.encoding, found.names) == (encoding, ("größe", "€"))
    assert len(found.notes) == notes


def test_the_encoding_is_that_of_the_whole_file(dialect):
    content = "grün,n\n" + "x,1\n" * 500_000
    assert dialect(content.encode()).encoding == "utf-8"
    assert dialect((content + "é,1\n").encode().replace("é".encode(), b"\xe9")).encoding == "cp1252"


def test_an_encoding_can_be_said(dialect):
    assert dialect("größe,n\n1,2\n".encode("mac-roman"), encoding="mac-roman").names[0] == "größe"
    with pytest.raises(DataError, match="can't be read as no-such-encoding"):
        dialect("a,n\n1,2\n", encoding="no-such-encoding")


def test_what_is_no_text_is_refused_by_its_byte(dialect):
    with pytest.raises(DataError, match="byte 4 is 0"):
        dialect(b"a,b\x00\n1,2\n")
    with pytest.raises(DataError, match="neither UTF-8, UTF-16 nor cp1252"):
        dialect(b"a,b\n\x81,2\n")


def test_a_compressed_file_has_the_same_dialect(dialect):
    assert dialect(gzip.compress(text("|").encode()), "a.csv.gz").names == NAMES


# --- any table ---

WORDS = st.text("abcdefghij", min_size=1, max_size=6)
NUMBERS = st.floats(-1e6, 1e6).map(lambda value: f"{value:.3f}")


@anything
@given(
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    names=st.lists(WORDS, min_size=2, max_size=5, unique=True),
    rows=st.lists(st.tuples(*[NUMBERS] * 5), min_size=2, max_size=20),
)
def test_any_table_of_numbers_keeps_its_names_and_rows(tmp_path_factory, delimiter, names, rows):
    path = tmp_path_factory.mktemp("tables") / "a.csv"
    lines = [names, *(row[: len(names)] for row in rows)]
    path.write_text("\n".join(delimiter.join(line) for line in lines))
    found = read_dialect(path)
    assert (found.delimiter, found.names, found.skipped_lines) == (delimiter, tuple(names), 1)


# --- names that are none, rows that are none ---


def test_names_that_look_like_values_are_noted_unless_they_run(dialect):
    rows = "5.1,3.5,1\n4.9,3.0,0\n"
    (note,) = dialect("150,4,setosa\n" + rows).notes
    assert note.startswith("names that look like values: 150, 4; if the first line is a row, say")
    assert dialect("area,1990,1991,1992\n" + "2.5,1,2,3\n" * 3).notes == []


@pytest.mark.parametrize("content", ["0.00,1.00,0.00\n", "1,2,3", " -2.48, 3.52\n\n\n"])
def test_an_only_line_of_values_is_no_line_of_names(dialect, content):
    with pytest.raises(DataError, match=r"its only line looks like a row .*header: none"):
        dialect(content)


def test_of_many_names_that_stand_twice_some_are_noted(dialect):
    found = dialect(",".join(["a"] * 50) + "\n" + ",".join(["1"] * 50) + "\n")
    assert len(set(found.names)) == 50
    assert len(found.notes) == 4
    assert found.notes[-1] == "and so on: 46 more names"


def test_lines_without_text_between_rows_are_counted(dialect):
    found = dialect('a,b\n\n1,"x\n\ny"\n\n\n2,z\n\n\n')
    assert found.notes == ["left out, as lines without text: 3"]
    assert dialect("a\n1\n\n2\n").notes == []  # of one column, it is a missing value


def test_names_of_rows_between_commas_are_those_in_quotes_that_r_writes(dialect):
    found = dialect('"a","b"\n"1",2.5,"x"\n"2",3,"y"\n')
    assert found.names == ("", "a", "b")
    for rows in ("1,2.5,x\n2,3,y\n", '"1","2.5","x"\n"2","3","y"\n', '"s",2.5,"x"\n"t",3,"y"\n'):
        with pytest.raises(DataError, match="write a name above each"):
            dialect('"a","b"\n' + rows)


@pytest.mark.parametrize(
    ("values", "note"),
    [
        (["1", "2", "3"], "a column of row numbers"),
        (["0", "7", "4"], "a column of row numbers"),
        (["1.0", "2.0", "3.0"], "a column of row numbers"),
        (["0", "1", "0", "1", "2"], "a column of row numbers"),  # of tables one behind the other
        (["1947", "1948", "1949"], "names of the rows.*1947, 1948, 1949; if they are data"),
        (["Alabama", "Alaska"], "names of the rows.*Alabama, Alaska; if"),
        (["1962.25", "1962.5"], "names of the rows.*1962.25, 1962.5; if"),
        (["", ""], "a field without name and value"),
    ],
)
def test_a_first_field_without_name_is_left_out_by_what_it_holds(dialect, values, note):
    found = dialect(",x,y\n" + "".join(f"{value},1.5,2\n" for value in values))
    assert found.names == ("", "x", "y")
    assert re.match(f"left out, as {note}", found.notes[-1])
    kept = dialect(",x,y\n" + "".join(f"{value},1.5,2\n" for value in values), keeps_first=True)
    assert kept.names == ("column 1", "x", "y")


@pytest.mark.parametrize("values", [["a", "b", "a"], ["0.5", "0.5", "1"], ["3", "7", "3"]])
def test_a_first_field_without_name_that_repeats_is_data(dialect, values):
    found = dialect(",x,y\n" + "".join(f"{value},1.5,2\n" for value in values))
    assert found.names == ("column 1", "x", "y")
    assert found.notes == ["the field at place 1 has no name: called column 1"]


def test_the_line_where_a_table_begins_below_other_lines_is_named(dialect):
    title = 'Title:,"Population,\n1996"\nSource:,office\n====\n'
    table = "town,area,people\n" + "a,1.5,2\n" * 9
    with pytest.raises(DataError, match=r"names \(town, area, people\).*begins in line 5:"):
        dialect(title + table + "====\nFootnotes\n")
