"""The reader of a file or folder; links, hidden files, and files that no reader takes."""

from pathlib import Path

import numpy as np
import pytest

from autoencoders.core.errors import DataError
from autoencoders.data.readers.opening import open_reader
from contents import GOOD, grey, png
from intake import Intake, csv


def test_what_is_no_image_is_left_out_and_noted(intake: Intake):
    intake.image("a.png", grey(8, 8))
    for name in ("notes.txt", ".hidden"):
        intake.file(name, "")
    (note,) = open_reader(intake.source).notes
    assert note == "left out, as no images: notes.txt (1 files)"


def test_a_link_within_the_folder_is_followed(intake: Intake):
    intake.image("a.png", grey(8, 8))
    (intake.source / "b.png").symlink_to("a.png")
    ((rows, _),) = open_reader(intake.source).batches()
    np.testing.assert_array_equal(rows[0], rows[1])


def test_a_folder_with_one_table_is_that_table(intake: Intake):
    intake.file("deep/a.csv", csv(GOOD))
    intake.file("notes.txt", "")
    reader = open_reader(intake.source)
    assert (reader.is_table, reader.names) == (True, list(GOOD))


def test_a_missing_path_is_refused_by_name(tmp_path: Path):
    with pytest.raises(DataError, match=r"none\.csv: no such file or folder"):
        open_reader(tmp_path / "none.csv")


def test_an_empty_folder_is_refused_with_what_is_expected(intake: Intake):
    (intake.source / "images").mkdir()
    message = intake.refusal(intake.source / "images")
    assert "images: 0 tables or arrays and 0 images; expected CSV" in message


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("a.xlsx", "save its sheet as CSV"),
        ("a.jsonl", "pandas.read_json"),
        ("a.json", "pandas.read_json"),
        ("a.pkl", "save the table as Parquet"),
        ("a.mat", "the array as .npy"),
    ],
)
def test_a_format_that_is_not_read_is_refused_with_the_way_to_convert_it(
    intake: Intake, name: str, advice: str
):
    assert advice in intake.refusal(intake.file(name, b"x"))


def test_a_folder_of_hidden_and_unknown_files_is_as_good_as_empty(intake: Intake):
    for name in ("images/.hidden.png", "images/.git/a.png", "images/notes.txt", "images/a.pdf"):
        intake.file(name, png())
    assert "0 tables or arrays and 0 images" in intake.refusal(intake.source / "images")


def test_tables_with_other_columns_are_no_parts_of_one(intake: Intake):
    intake.file("tables/a.csv", csv(GOOD))
    intake.file("tables/b.csv", csv({**GOOD, "price": [1] * len(GOOD["length"])}))
    message = intake.refusal(intake.source / "tables")
    assert "a.csv and b.csv are no parts of one table" in message
    assert "columns that only one of them has: price" in message


@pytest.mark.parametrize("target", ["/etc/hosts", "../elsewhere/secret.png", "../elsewhere"])
def test_a_link_out_of_a_folder_of_images_is_refused_by_name(intake: Intake, target: str):
    intake.file("elsewhere/secret.png", png())
    for i in range(9):
        intake.file(f"images/{i}.png", png(seed=i))
    (intake.source / "images" / "link.png").symlink_to(target)
    message = intake.refusal(intake.source / "images")
    assert "link.png: a link out of" in message


def test_a_link_that_leads_to_itself_is_refused_or_left_out(intake: Intake):
    for i in range(20):
        intake.file(f"images/{i}.png", png(seed=i))
    for name, target in (("loop.png", "loop.png"), ("up", ".")):
        (intake.source / "images" / name).symlink_to(target)
    assert sum(intake.load(intake.source / "images").description.rows.values()) == 20


@pytest.mark.parametrize("name", ["a", "a.txt", "a.gz", "a.7z"])
def test_an_unknown_kind_of_file_is_refused_with_the_kinds_that_are_known(
    intake: Intake, name: str
):
    path = intake.file(name, csv(GOOD))
    message = intake.refusal(path)
    assert message.startswith(
        f"{path}: unknown kind of file; expected CSV (.csv, .tsv, .csv.gz), Parquet, .npy"
    )
