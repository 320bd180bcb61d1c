"""`ae inspect`: a table before any run, all that would be refused, and parameters that mend it."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from autoencoders import cli
from repository import ROOT


@pytest.fixture
def inspect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs `ae inspect` on a content; the file lies beside params.yaml."""
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")  # of the terminal, in which a table is not folded

    def run(content: str, name: str = "a.csv") -> Result:
        Path(name).write_text(content)
        return CliRunner().invoke(cli.ae, ["inspect", name], catch_exceptions=False)

    return run


def test_a_good_table_is_listed_with_the_next_command(inspect):
    done = inspect("x;colour\n" + "".join(f"{i % 7},5;red\n{i % 5},25;blue\n" for i in range(40)))
    assert done.exit_code == 0
    assert "a.csv: delimited text, utf-8, semicolons between fields" in done.output
    assert "read with a decimal comma" in done.output
    assert "80 rows, 2 columns" in done.output
    assert done.output.endswith("Next: dvc exp run -S data.path=a.csv\n")


def test_all_that_is_refused_is_told_at_once_with_the_options_that_mend_it(inspect):
    weights = ["5 g", *["5 kg"] * 79]
    rows = "".join(f"{i % 7},{w},{i % 5 if i != 3 else ''},\n" for i, w in enumerate(weights))
    done = inspect("x,weight,y,empty\n" + rows)
    assert done.exit_code == 1
    assert "(3):" in done.output
    assert "column weight: units differ" in done.output
    assert "column y: missing values in 1 rows" in done.output
    assert "column empty: no value in it" in done.output
    assert (
        "dvc exp run -S data.path=a.csv -S '++data.types={weight: category}' "
        "-S '++data.ignore=[empty]' -S ++data.missing=impute" in done.output
    )


def test_names_that_dvc_can_not_pass_are_mended_in_params_yaml(inspect):
    weights = ["5 g", *["5 kg"] * 79]
    rows = "".join(f"{i % 7},{weight}\n" for i, weight in enumerate(weights))
    done = inspect("x,weight (kg)\n" + rows)
    assert "in params.yaml" in done.output
    assert "  types:\n    weight (kg): category\n" in done.output


def test_a_file_without_names_is_refused_with_the_mend(inspect):
    with pytest.raises(Exception, match=r"data.header: none"):
        inspect("1.5,2\n2.5,3\n3.5,4\n")


def test_a_wide_table_is_listed_in_some_lines_and_so_are_its_problems(inspect):
    names = [f"c{i}" for i in range(400)]
    row = ",".join("1.5" for _ in names)
    other = ",".join("" if i < 300 else "2.5" for i in range(400))
    done = inspect("\n".join([",".join(names), row, other, row]) + "\n")
    assert done.exit_code == 1
    assert "and 295 more" in done.output
    assert "and 95 more" in done.output
    assert "c5 " not in done.output
    assert "3 rows, 400 columns" in done.output
    assert "(300):" in done.output
    assert done.output.count("missing values in 1 rows\n") == 200
    assert "  and 100 more\n" in done.output
    assert "-S ++data.missing=impute" in done.output


def test_names_and_texts_that_look_like_markup_are_shown_as_they_are(inspect):
    rows = "".join(f"{i % 7},{('[/i]', ':key:')[i % 2]}\n" for i in range(80))
    done = inspect("[/b],[red]x\n" + rows)
    assert done.exit_code == 0
    assert "[/b]" in done.output
    assert "[red]x" in done.output
    assert "[/i], :key:" in done.output
