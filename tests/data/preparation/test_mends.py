"""The parameters that are offered where a file is refused: each of them works."""

import shlex
import shutil

import pytest
from dvc.utils.hydra import apply_overrides

from autoencoders.data.preparation.mends import Mends
from autoencoders.params.params import load_params, parse_params
from repository import ROOT

ALL = [
    Mends(types={"temp": "point", "code": "category"}),
    Mends(ignore=["price", "note"]),
    Mends(impute=True),
    Mends(types={"a": "comma"}, ignore=["b"], impute=True),
]


@pytest.mark.parametrize("mends", ALL)
def test_the_options_set_what_is_offered(tmp_path, mends):
    path = tmp_path / "params.yaml"
    shutil.copy(ROOT / "params.yaml", path)
    arguments = shlex.split(" ".join(mends.options()))
    apply_overrides(path, [value for value in arguments if value != "-S"])
    data = load_params(path).data
    assert data.types == mends.types
    assert data.ignore == mends.ignore
    assert data.missing == ("impute" if mends.impute else "refuse")


def test_a_name_that_dvc_can_not_pass_is_offered_as_lines_of_the_file():
    mends = Mends(types={"temp (C)": "point", "größe: 1": "category"})
    assert not mends.can_be_options
    text = (ROOT / "params.yaml").read_text()
    lines = mends.yaml().splitlines()
    assert lines[0] == "data:"
    merged = text.replace("\ndata:\n", "\ndata:\n" + "\n".join(lines[1:]) + "\n")
    assert parse_params(merged).data.types == mends.types
