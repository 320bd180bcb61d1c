"""The reader of a file or folder; links, hidden files, and files that no reader takes."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from autoencoders.core.errors import DataError
from autoencoders.data.readers.opening import _visible_files, open_reader
from contents import GOOD, grey, png
from intake import Intake, csv


def test_what_is_no_image_is_left_out_and_noted(intake: Intake):
    intake.image("a.png", grey(8, 8))
    for name in ("notes.txt", ".hidden"):
        intake.file(name, "")
    (note,) = open_reader(intake.source).notes
    assert note == "left out, as no images: notes.txt (1 files)"


def test_folders_that_computers_make_for_themselves_are_hidden(intake: Intake):
    for i, name in enumerate(["cat/a.png", "dog/b.png", "@eaDir/a.png/thumb.jpg"]):
        intake.image(name, grey(8, 8, i))
    intake.file("__MACOSX/cat/a.png", "no image")
    reader = open_reader(intake.source)
    ((_, labels),) = reader.batches()
    assert (labels, reader.notes) == (["cat", "dog"], [])


def test_a_link_that_leads_nowhere_is_noted(intake: Intake):
    intake.image("a.png", grey(8, 8))
    (intake.source / "b.png").symlink_to("moved away.png")
    assert open_reader(intake.source).notes == ["left out, as no images: b.png (1 files)"]


def test_images_beside_folders_are_noted(intake: Intake):
    for i, name in enumerate(["cat/a.png", "dog/b.png", "cover.png"]):
        intake.image(name, grey(8, 8, i))
    assert open_reader(intake.source).notes == [
        "folders are no labels, as images lie beside them: cover.png (1 images)"
    ]


def test_splits_that_are_taken_for_labels_are_noted(intake: Intake):
    for i, name in enumerate(["train/good/a.png", "test/good/b.png", "test/bad/c.png"]):
        intake.image(name, grey(8, 8, i))
    (note,) = open_reader(intake.source).notes
    assert note.startswith("the labels are test, train: where these are splits, give the path")


def test_names_are_in_the_order_of_a_person(intake: Intake):
    names = [
        *("2.png", "10.png", "a/9.png", "a/10.png", "a b/1.png", "IMG1.png", "img2.png"),
        *("img02.png", "Img3.png", "img٤.png", "img10.png", "img10a.png", "²3.png"),
    ]
    for name in names:
        intake.image(name, grey(8, 8))
    files = _visible_files(intake.source)
    assert [str(file.relative_to(intake.source)) for file in files] == [
        *("2.png", "10.png", "a/9.png", "a/10.png", "a b/1.png", "IMG1.png", "img02.png"),
        *("img2.png", "Img3.png", "img٤.png", "img10.png", "img10a.png", "²3.png"),
    ]


def test_names_that_differ_in_capitals_alone_have_one_order(intake: Intake):
    for names in (("A.png", "a.png"), ("a.png", "A.png")):
        for name in names:
            intake.file(name, png())
        assert [file.name for file in _visible_files(intake.source)] == ["A.png", "a.png"]


def test_what_is_no_table_is_left_out_and_noted(intake: Intake):
    for i in range(2):
        intake.file(f"{i}.csv", csv(GOOD))
    for name in ("README.md", "_SUCCESS", "more.zip"):
        intake.file(name, "")
    notes = open_reader(intake.source).notes
    assert notes[-1] == "left out, as no tables: _SUCCESS, more.zip, README.md (3 files)"


def test_arrays_beside_x_and_y_are_left_out_and_noted(intake: Intake):
    for name in ("X.npy", "Y.npy", "X_test.npy"):
        intake.array(name, np.zeros((9, 3)))
    (note,) = open_reader(intake.source).notes
    assert note == "left out, as neither X nor y: X_test.npy, Y.npy (2 files)"


def test_an_x_that_is_a_link_out_of_the_folder_is_refused(intake: Intake):
    elsewhere = intake.array("elsewhere.npy", np.zeros((9, 3)))
    (intake.source / "arrays").mkdir()
    (intake.source / "arrays" / "X.npy").symlink_to(elsewhere)
    with pytest.raises(DataError, match=r"X\.npy: a link out of"):
        open_reader(intake.source / "arrays")


def test_a_folder_of_archives_is_refused_with_the_way_out(intake: Intake):
    intake.file("in/a.zip", b"")
    message = intake.refusal(intake.source / "in")
    assert message.endswith("it holds a.zip: give an archive's own path, or unpack it")


def test_a_table_beside_images_is_refused_with_the_way_out(intake: Intake):
    intake.file("in/a.png", png())
    intake.file("in/labels.csv", csv(GOOD))
    message = intake.refusal(intake.source / "in")
    assert message.endswith("give the path of the images' folder alone, or that of the table")


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


def test_a_packed_table_with_tabs_is_read(intake: Intake):
    path = intake.file("a.tsv.gz", gzip.compress(csv(GOOD, "\t").encode()))
    assert open_reader(path).names == list(GOOD)


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
        ("a.h5", "the array as .npy"),
        ("a.HEIC", "save it as PNG"),
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
