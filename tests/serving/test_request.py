"""The files of a request are refused before anything is loaded."""

from pathlib import Path

import pytest

from autoencoders.core.errors import UserError
from autoencoders.serving.request import check_input, check_output


def test_a_missing_input_is_refused_and_a_file_or_folder_is_taken(tmp_path: Path):
    with pytest.raises(UserError, match=r"none.csv: no such file or folder$"):
        check_input(tmp_path / "none.csv")
    check_input(tmp_path)


@pytest.mark.parametrize("name", ["out", "out.txt", "out.CSV"])
def test_an_output_of_another_ending_is_refused_with_those_that_are_written(name: str):
    with pytest.raises(UserError, match=rf"^{name}: answers are written as \.csv, "):
        check_output(Path(name))


def test_an_output_that_is_a_folder_is_refused(tmp_path: Path):
    (tmp_path / "out.csv").mkdir()
    with pytest.raises(UserError, match=r"out.csv: is a folder; answers are written as"):
        check_output(tmp_path / "out.csv")
    check_output(tmp_path / "new.csv")
