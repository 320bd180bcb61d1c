"""A version that 99b0b7e registered, under the modules' old names, answers as it did then."""

import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
from mlflow import MlflowException

from autoencoders.cli import ae
from autoencoders.models.trained.model import FORMAT
from autoencoders.registry.answering import load_answering, locate
from autoencoders.serving.inference import answer
from model_server import environment, post, serving
from repository import ROOT

FIXTURES = Path(__file__).with_name("fixtures")
NAME = "autoencoder-flowers"
TYPES = ("undercomplete", "variational")  # of versions 1 and 2
ANSWERS = json.loads((FIXTURES / "answers.json").read_text())
ROWS = pd.read_csv(FIXTURES / "rows.csv")


@pytest.fixture(scope="module")
def repository(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A repository whose store has the versions; the tests' process is in it."""
    folder = tmp_path_factory.mktemp("repository")
    for name in ("params.yaml", "dvc.yaml"):
        (folder / name).symlink_to(ROOT / name)
    models = folder / "mlruns/artifacts" / NAME
    with tarfile.open(FIXTURES / "versions.tar.xz") as archive:
        archive.extractall(models, filter="data")
    shutil.copy(empty_database, folder / "mlruns")
    client = mlflow.MlflowClient(store(folder))
    client.create_registered_model(NAME)
    for model_type in TYPES:
        client.create_model_version(NAME, (models / model_type).as_uri())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("DVC_ROOT", raising=False)
        patch.setenv("MLFLOW_TRACKING_URI", "")
        yield folder


def store(folder: Path) -> str:
    return f"sqlite:///{folder}/mlruns/mlflow.db"


def uri(model_type: str) -> str:
    return f"models:/{NAME}/{TYPES.index(model_type) + 1}"


def assert_same(found: Any, expected: Any) -> None:
    """Equal but for rounding."""
    pd.testing.assert_frame_equal(
        pd.DataFrame(found), pd.DataFrame(expected), check_dtype=False, rtol=1e-5, atol=1e-5
    )


def assert_same_now(found: Any, expected: Any) -> None:
    """As `assert_same`; of reasons only the first, as a divergence was none in that version."""
    tables = []
    for table in (pd.DataFrame(found), pd.DataFrame(expected)):
        if "reasons" in table:
            table["reasons"] = table["reasons"].str.split(";").str[0]
        tables.append(table)
    assert_same(*tables)


def test_model_json_has_the_format_that_it_had(repository):
    for path in repository.rglob("model.json"):
        assert json.loads(path.read_text())["format"] == FORMAT == 2


@pytest.mark.parametrize("model_type", TYPES)
def test_ae_score_answers_as_it_did(repository, model_type):
    command = ["score", str(FIXTURES / "rows.csv"), "-o", "scores.csv", "--model", uri(model_type)]
    ae(command, standalone_mode=False)
    assert_same_now(pd.read_csv("scores.csv"), ANSWERS[model_type]["ae score"])


@pytest.mark.parametrize(
    "model_type", [pytest.param("undercomplete", marks=pytest.mark.slow), "variational"]
)
def test_ae_serve_answers_as_it_did(repository, model_type):
    with serving(uri(model_type), repository) as (address, _):
        for op, expected in ANSWERS[model_type]["ae serve"].items():
            rows = {"dataframe_split": ROWS.to_dict("split"), "params": {"op": op}}
            status, answered = post(address, rows)
            assert status == 200, answered
            assert_same(answered["predictions"], expected)


LOADED = """
import json, sys
import mlflow, pandas as pd
store, file, *uris = sys.argv[1:]
mlflow.set_tracking_uri(store)
rows = pd.read_csv(file)
answers = {}
for uri in uris:
    model = mlflow.pyfunc.load_model(uri)
    for op in ("score", "encode", "reconstruct"):
        answer = pd.DataFrame(model.predict(rows, params={"op": op}))
        answers[f"{uri} {op}"] = answer.to_json(orient="values", double_precision=15)
print(json.dumps({"answers": answers, "package": sys.modules["autoencoders"].__file__}))
"""


def test_pyfunc_answers_as_it_did_by_the_package_that_a_version_carries(repository):
    variables = environment()
    variables.pop("PYTHONPATH", None)
    arguments = [store(repository), str(FIXTURES / "rows.csv"), *map(uri, TYPES)]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOADED, *arguments],
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert Path(result["package"]).is_relative_to(repository / "mlruns/artifacts" / NAME)
    for model_type in TYPES:
        for op, expected in ANSWERS[model_type]["ae serve"].items():
            columns = pd.DataFrame(expected).columns
            found = json.loads(result["answers"][f"{uri(model_type)} {op}"])
            assert_same(pd.DataFrame(found, columns=columns), expected)


@pytest.mark.filterwarnings("ignore::UserWarning")  # mlflow's, about its own type hints
def test_pyfunc_cannot_load_it_where_this_package_was_imported_before(repository, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])  # to which mlflow adds the version's package
    mlflow.set_tracking_uri(store(repository))
    with pytest.raises(MlflowException, match=r"No module named .autoencoders\.checkpoint."):
        mlflow.pyfunc.load_model(uri("variational"))


@pytest.mark.parametrize("model_type", TYPES)
def test_this_package_reads_it_in_any_process(repository, model_type):
    model = load_answering(locate(uri(model_type)))
    for op, expected in ANSWERS[model_type]["ae serve"].items():
        assert_same_now(answer(model, op, ROWS), expected)
