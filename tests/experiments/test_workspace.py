"""An experiment's values over params.yaml, and the copy of the repository that it runs in."""

import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from autoencoders.core.errors import ParameterError, UserError
from autoencoders.experiments.workspace import merged, workspace
from autoencoders.params.params import load_params
from repository import ROOT


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository with params.yaml, one more file and an experiment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    for name, text in {
        "src/code.py": "1",
        ".gitignore": "/.experiments/\n/data/",
        "data/rows": "",
        ".dvc/config": "",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    write(
        "tiny", "train: {epochs: 3}\nnetwork: {nodes_per_layer: [9, 5]}\nmodels: {sparse: {k: 2}}\n"
    )
    subprocess.run(["git", "init", "-q"], check=True)
    return tmp_path


def write(name: str, text: str) -> None:
    Path("experiments").mkdir(exist_ok=True)
    Path(f"experiments/{name}.yaml").write_text(text)


@pytest.mark.parametrize(
    "name", [path.stem for path in sorted((ROOT / "experiments").glob("*.yaml"))]
)
def test_every_experiment_of_the_repository_is_valid_and_trains_what_fits_its_data(
    name, monkeypatch
):
    from autoencoders.data.sources.source import facts
    from autoencoders.params.params import parse_params
    from autoencoders.params.reading import yaml_text

    monkeypatch.chdir(ROOT)
    params = parse_params(yaml_text(merged(name)))
    params.check(facts(params.data))


def test_an_experiments_values_stand_over_params_yaml_and_its_models_are_the_types_to_train(
    repository,
):
    before, tree = (
        YAML(typ="safe").load(Path("params.yaml")),
        merged("tiny", {"seed": 7, "train.patience": 0}),
    )
    assert tree["models"] == {"sparse": {**before["models"]["sparse"], "k": 2}}
    assert tree["network"] == {**before["network"], "nodes_per_layer": [9, 5]}
    assert tree["train"] == {**before["train"], "epochs": 3, "patience": 0}
    assert (tree["seed"], tree["data"]) == (7, before["data"])


def test_an_experiment_without_models_trains_those_of_params_yaml(repository):
    write("other", "seed: 3\n")
    assert list(merged("other")["models"]) == load_params().model_types


def test_a_wrong_value_is_told_with_its_file_and_key(repository):
    write("wrong", "train: {epoks: 3}\n")
    with pytest.raises(
        ParameterError,
        match=r"experiments/wrong.yaml: train.epoks: unknown key; .*did you mean epochs",
    ):
        merged("wrong")


def test_an_experiment_that_is_not_there_is_told_with_those_that_are(repository):
    with pytest.raises(
        UserError, match=r"experiments/tinny.yaml: no such experiment: tiny; did you mean tiny\?"
    ):
        merged("tinny")


@pytest.mark.parametrize("name", ["../params", "../experiments/tiny", "/etc/hosts"])
def test_an_experiments_name_is_no_path(repository, name):
    with pytest.raises(UserError, match="no such experiment: tiny"):
        merged(name)


def test_two_runs_of_one_experiment_come_one_after_the_other(repository):
    """The second would change params.yaml below the first one's stages."""
    subprocess.run(["git", "add", "."], check=True)
    look = "grep ^seed: params.yaml >> ../../seen"
    Path("slow").write_text(f"{look}; echo looked; read go; {look}\n")
    Path("slow").chmod(0o755)
    first = started(3)
    assert first.stdout is not None
    assert first.stdout.readline() == "looked\n"
    second = started(4)
    assert second.stdout is not None
    assert second.stdout.readline().startswith("waiting: an earlier process still runs tiny")
    for process in (first, second):
        process.communicate("go\n")
        assert process.returncode == 0
    seen = Path("seen").read_text().splitlines()
    assert seen == ["seed: 3", "seed: 3", "seed: 4", "seed: 4"]


def started(seed: int) -> subprocess.Popen[str]:
    """A process that runs the experiment.

    Its command `slow` looks at the parameters, waits for a line, looks again.
    """
    code = "from autoencoders.experiments.workspace import run"
    script = f"{code}; run('tiny', {{'seed': {seed}}}, commands=['sh -c ./slow'])"
    command = [sys.executable, "-c", script]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_a_workspace_holds_the_files_the_experiments_params_and_the_shared_cache(repository):
    before = Path("params.yaml").read_bytes()
    folder = workspace("tiny", merged("tiny"))
    assert folder == repository / ".experiments/tiny"
    assert (folder / "src/code.py").read_text() == "1"
    assert not (folder / "data").exists()
    assert load_params(folder / "params.yaml").model_types == ["sparse"]
    assert Path("params.yaml").read_bytes() == before
    config = ConfigParser()
    config.read(folder / ".dvc/config.local")
    assert config["cache"]["dir"] == str(repository / ".dvc/cache")
    assert config["core"]["no_scm"] == "true"


def test_a_workspace_follows_the_repository_and_keeps_its_outputs(repository):
    folder = workspace("tiny", merged("tiny"))
    (folder / "model").mkdir()
    Path("src/code.py").write_text("2")
    Path("src/new.py").write_text("3")
    Path("experiments/tiny.yaml").write_text("seed: 4\n")
    workspace("tiny", merged("tiny"))
    assert [(folder / "src" / name).read_text() for name in ("code.py", "new.py")] == ["2", "3"]
    assert load_params(folder / "params.yaml").seed == 4
    Path("src/new.py").unlink()
    workspace("tiny", merged("tiny"))
    assert not (folder / "src/new.py").exists()
    assert (folder / "model").is_dir()


def test_a_users_own_cache_and_remote_are_kept(repository):
    Path(".dvc/config.local").write_text(
        "[cache]\n    dir = /somewhere\n['remote \"x\"']\n    url = /there\n"
    )
    config = ConfigParser()
    config.read(workspace("tiny", merged("tiny")) / ".dvc/config.local")
    assert config["cache"]["dir"] == "/somewhere"
    assert config["'remote \"x\"'"]["url"] == "/there"
