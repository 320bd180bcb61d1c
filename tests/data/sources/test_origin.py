"""Origins: source.json for each source, written, read as it was written, refused where damaged."""

from pathlib import Path

import pytest

from autoencoders.core.errors import DataError
from autoencoders.data.sources.origin import Origin, read_origin, write_origin
from autoencoders.data.sources.source import download
from contents import ROWS, npz
from intake import Intake

ORIGINS = {
    "a file that stays": (Origin(path="a.csv"), '{\n  "path": "a.csv"\n}\n'),
    "an .npz": (Origin(npz=True), '{\n  "npz": true\n}\n'),
    "another archive": (Origin(npz=False), '{\n  "npz": false\n}\n'),
    "OpenML": (Origin(label="class"), '{\n  "label": "class"\n}\n'),
    "OpenML without a target": (Origin(label=""), '{\n  "label": ""\n}\n'),
    "a file that was fetched": (Origin(), "{}\n"),
    "a data set by name": (
        Origin(labels=("T-shirt", "bag"), white=255, test_rows=0),
        '{\n  "labels": [\n    "T-shirt",\n    "bag"\n  ],\n  "white": 255,\n  "test_rows": 0\n}\n',
    ),
}


@pytest.mark.parametrize("case", ORIGINS)
def test_an_origin_is_written_with_what_is_known_and_read_as_it_was(tmp_path: Path, case: str):
    origin, content = ORIGINS[case]
    write_origin(origin, tmp_path)
    assert (tmp_path / "source.json").read_text() == content
    assert read_origin(tmp_path) == origin


def test_the_files_are_the_users_or_those_beside_source_json(tmp_path: Path):
    assert Origin(path="a.csv").files(tmp_path) == Path("a.csv")
    assert Origin(npz=True).files(tmp_path) == tmp_path / "files"


def test_a_download_writes_the_origin(intake: Intake):
    path = intake.file("a.npz", npz(X=ROWS))
    download(intake.section(path), intake.raw)
    assert read_origin(intake.raw) == Origin(npz=True)


@pytest.mark.parametrize("content", ["", '{"path": "a.cs', "[1"])
def test_a_file_that_is_no_json_is_refused_with_the_way_out(tmp_path: Path, content: str):
    (tmp_path / "source.json").write_text(content)
    with pytest.raises(
        DataError, match=r"source\.json: not JSON .*`dvc repro` makes the file again"
    ):
        read_origin(tmp_path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('{"test_rows": "many"}', "test_rows: "),
        ('{"labels": 3}', "labels: "),
        ('{"colour": "blue"}', "colour: "),
        ("[]", "its content: "),
    ],
)
def test_json_that_is_no_origin_is_refused_by_its_key(tmp_path: Path, content: str, problem: str):
    (tmp_path / "source.json").write_text(content)
    with pytest.raises(
        DataError, match=rf"source\.json: not what download wrote \({problem}.*`dvc repro`"
    ):
        read_origin(tmp_path)


def test_a_missing_file_is_left_to_the_message_about_missing_files(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        read_origin(tmp_path)
