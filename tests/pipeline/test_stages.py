"""dvc.yaml declares what the stages read and import.

Where it doesn't, DVC silently keeps stale results.
"""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from repository import ROOT, Repository

TRACER = Path(__file__).with_name("tracer.py")
STAGES = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
WRITE_ONLY = "src/autoencoders/tracking"  # see test_write_only.py
READ_OF_OTHER_DATA = {
    "download": ("data.sha256",)
}  # by stage: what is read where the data comes from a URL


def covered(name: str, declared: list[str], separator: str) -> bool:
    return any(name == key or name.startswith(key + separator) for key in declared)


def is_docstring_only(path: Path) -> bool:
    body = ast.parse(path.read_text()).body
    return (
        len(body) == 1 and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    )


@pytest.fixture(scope="module")
def traces(shrunk_repository: Path) -> dict[str, dict[str, list[str]]]:
    """Files and parameters that each stage used, run in order on shrunk parameters."""
    result = {}
    model_types = list(YAML(typ="safe").load(shrunk_repository / "params.yaml")["models"])
    for stage, body in STAGES.items():
        for arguments in (
            [[model_type] for model_type in model_types] if "foreach" in body else [[]]
        ):
            result["@".join([stage, *arguments])] = trace(
                shrunk_repository, f"pipeline/{stage}.py", *arguments
            )
    promote_another(Repository.at(shrunk_repository))
    again = trace(
        shrunk_repository, "pipeline/register.py"
    )  # now there is a champion to compare with
    result["register"] = {
        key: sorted({*values, *again[key]}) for key, values in result["register"].items()
    }
    return result


def promote_another(repository: Repository) -> None:
    """Makes a version the champion that was not the winner."""
    winner = (
        repository.client().get_model_version_by_alias("autoencoder-digits", "champion").version
    )
    repository.run("ae", "registry", "promote", "1" if str(winner) != "1" else "2")


def trace(folder: Path, script: str, *arguments: str) -> dict[str, list[str]]:
    """Files and parameters that a script used, run in a copy of the repository."""
    done = subprocess.run(
        [sys.executable, TRACER, script, *arguments],
        cwd=folder,
        env={**Repository.at(folder).environment, "PYTHONPATH": "src"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def declared(stage: str) -> tuple[list[str], list[str]]:
    """Declared parameters and code of a stage or of one of its instances."""
    name, _, model_type = stage.partition("@")
    body = STAGES[name].get("do", STAGES[name])
    parameters = [
        key.replace("${key}", model_type) for key in body["params"] if isinstance(key, str)
    ]
    return parameters, [path for path in body["deps"] if path.startswith(("src/", "pipeline/"))]


def test_every_stage_declares_the_code_that_it_imports(traces):
    for stage, used in traces.items():
        _, code = declared(stage)
        imported = [file for file in used["files"] if not is_docstring_only(ROOT / file)]
        if stage != "register":
            imported = [file for file in imported if not file.startswith(WRITE_ONLY)]
        assert [file for file in imported if not covered(file, code, "/")] == [], stage
        assert [
            path for path in code if not any(covered(file, [path], "/") for file in imported)
        ] == [], stage


def test_every_stage_declares_the_parameters_that_it_reads(traces):
    assert STAGES["check"]["params"] == [{"params.yaml": None}]
    undeclared, unread = {}, {}
    for stage, used in traces.items():
        if stage == "check":
            continue
        keys, _ = declared(stage)
        sections = {name.rsplit(".", 1)[0] for name in used["params"] if "." in name} | {
            "data",
            "models",
        }
        leaves = [name for name in used["params"] if name not in sections]
        undeclared[stage] = [name for name in leaves if not covered(name, keys, ".")]
        keys = [key for key in keys if key not in READ_OF_OTHER_DATA.get(stage, ())]
        unread[stage] = [
            key for key in keys if not any(covered(name, [key], ".") for name in used["params"])
        ]
    assert {stage: names for stage, names in undeclared.items() if names} == {}
    assert {stage: names for stage, names in unread.items() if names} == {}


def reads(folder: Path, line: str) -> set[str]:
    """The parameters `p` that a line of Python reads."""
    (folder / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    (folder / "reader.py").write_text(
        f"from autoencoders.params.params import load_params\np = load_params()\n{line}\n"
    )
    return set(trace(folder, "reader.py")["params"])


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("p.model_copy(update={'seed': 5})", set()),
        ("p.model_copy(update={'seed': 5}).seed", {"seed"}),
        ("p.model_copy().network.loss", {"network", "network.loss"}),
        ("p.train.model_copy(update={'epochs': 5}).patience", {"train", "train.patience"}),
    ],
)
def test_the_tracer_takes_a_copy_for_the_original(tmp_path, line, read):
    assert reads(tmp_path, line) == read


def test_the_tracer_sees_what_is_read_beside_a_studys_values(tmp_path):
    read = reads(
        tmp_path, "p.with_tuned('denoising', {'train.epochs': 5}).train_of('denoising').patience"
    )
    assert {"train.patience", "models.denoising.train", "models.denoising.level"} <= read
    assert {name.split(".")[0] for name in read} == {"train", "models"}
    assert {name.split(".")[1] for name in read if name.startswith("models.")} == {"denoising"}


def test_the_lock_file_is_a_dependency_of_all_that_computes():
    for stage, body in STAGES.items():
        assert stage == "check" or "requirements.lock" in body.get("do", body)["deps"]


def test_stages_import_from_the_folder_that_they_run_in():
    for body in STAGES.values():
        assert body.get("do", body)["cmd"].startswith("PYTHONPATH=src python pipeline/")
