"""`ae inspect`: a table before any run, all that would be refused, and parameters that mend it."""

import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from autoencoders import cli
from autoencoders.data.preparation.prepare import prepare
from autoencoders.data.sources.source import check, download
from autoencoders.params.params import load_params
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
    done = inspect("\n".join([",".join(names), row, other, *[row] * 38]) + "\n")
    assert done.exit_code == 1
    assert "and 295 more" in done.output
    assert "and 95 more" in done.output
    assert "c5 " not in done.output
    assert "40 rows, 400 columns" in done.output
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


def prepared_with(options: str) -> None:
    """Prepares the data with the options that inspect printed behind `dvc exp run`."""
    from ruamel.yaml import YAML

    values = {}
    for option in shlex.split(options.replace("-S ", "")):
        name, _, text = option.removeprefix("++").partition("=")
        values[name] = YAML(typ="safe").load(text)
    data = load_params().override(values).data
    check(data)
    download(data, Path("raw"))
    prepare(Path("raw"), Path("prepared"), data)


def test_the_options_of_several_problems_are_enough_together(inspect):
    lines = ["x,weight,y,empty,note"]
    for i in range(80):
        weight = "5 g" if i == 7 else "5 kg"
        if i == 9:
            weight = ""
        value = i % 5 if i != 3 else ""
        lines.append(f"{i % 7},{weight},{value},,{'tall' if i == 11 else i * i % 31}")
    done = inspect("\n".join(lines) + "\n")
    assert done.exit_code == 1
    for kind in ("units differ", "among numbers", "missing values in 1 rows", "no value in it"):
        assert kind in done.output
    (line,) = [line for line in done.output.splitlines() if line.startswith("Or so: ")]
    prepared_with(line.removeprefix("Or so: dvc exp run "))
    assert Path("prepared/train.npy").exists()


def test_missing_values_of_a_column_whose_type_is_unclear_are_mended_with_it(inspect):
    weights = ["5 g", "", *["5 kg"] * 78]
    rows = "".join(f"{i % 7},{weight}\n" for i, weight in enumerate(weights))
    done = inspect("x,weight\n" + rows)
    (line,) = [line for line in done.output.splitlines() if line.startswith("Or so: ")]
    prepared_with(line.removeprefix("Or so: dvc exp run "))
    assert Path("prepared/train.npy").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("x,y\n1.5,2\n2.5,3\n3.5,4\n", "3 rows leave 0 for validation"),
        ("x,y\n" + "1,2\n" * 80, "no features: every column is constant"),
        ("x\n" + "".join(f"{i}.5\n" for i in range(79)) + "1e300\n", "not finite or beyond"),
    ],
    ids=["few rows", "no feature", "too large"],
)
def test_what_preparation_refuses_is_refused_in_its_words(inspect, content, message):
    done = inspect(content)
    assert done.exit_code == 1
    assert message in done.output
    assert "Next:" not in done.output
    with pytest.raises(Exception, match=message):
        prepared_with("-S data.path=a.csv")


def test_parameters_that_name_no_column_are_refused_with_the_rest(inspect):
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("ignore: []", "ignore: [nothing]", 1))
    done = inspect("x,weight\n" + "1.5,5 g\n2.5,5 kg\n" * 40)
    assert done.exit_code == 1
    assert "column weight: units differ" in done.output
    assert "data.ignore: no column nothing" in done.output
    assert "The columns are mended so, but not the rest: " in done.output


def test_the_notes_of_preparation_are_shown(inspect):
    rows = "".join(f"{1000 + i};{i % 7},5;{i % 2}\n" for i in range(80))
    done = inspect("row;x;label\n" + rows)
    assert done.exit_code == 0
    assert "  left out, as numbers of the rows, which run: row\n" in done.output
    assert "  column x: read as numbers with a decimal comma\n" in done.output
    assert "  column label (0 and 1) is a feature; if it is the label, set" in done.output


def test_arrays_are_shown_as_preparation_takes_or_refuses_them(inspect):
    inspect("x\n1\n2\n")
    images = np.random.default_rng(0).integers(0, 60, (80, 9, 9)).astype(float)
    np.save("images.npy", images)
    done = CliRunner().invoke(cli.ae, ["inspect", "images.npy"], catch_exceptions=False)
    assert done.exit_code == 0
    assert "  white is 59, the brightest training pixel\n" in done.output
    images[5, 0, 0] = np.nan
    np.save("images.npy", images)
    done = CliRunner().invoke(cli.ae, ["inspect", "images.npy"], catch_exceptions=False)
    assert done.exit_code == 1
    assert "row 6, " in done.output
    assert "nan is not finite" in done.output


def test_of_many_values_the_columns_alone_are_inspected(inspect, monkeypatch):
    module = sys.modules["autoencoders.commands.inspect"]
    monkeypatch.setattr(module, "MOST_REHEARSED", 50)
    done = inspect("x;y\n" + "".join(f"{i % 7};{i % 5}\n" for i in range(40)))
    assert done.exit_code == 0
    assert "so many values that splits and ranges are left to preprocess" in done.output
    assert done.output.endswith("Next: dvc exp run -S data.path=a.csv\n")
