"""The `dvc exp run` lines in README, docs and the commands' own messages: each one works."""

import shutil
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML

from autoencoders.params.params import load_params
from autoencoders.params.space import check_space
from commands_of_docs import COMMANDS, overrides
from repository import ROOT


def test_the_documents_hold_commands():
    assert len(COMMANDS) >= 8


@pytest.mark.parametrize("command", COMMANDS)
def test_a_documented_setting_works_with_the_repositorys_file(tmp_path, command):
    path = tmp_path / "params.yaml"
    shutil.copy(ROOT / "params.yaml", path)
    apply_overrides(path, overrides(command))
    params = load_params(path)
    check_space(params, None)
    params.check(None)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_documented_setting_works_where_the_file_holds_no_more_than_it_must(tmp_path, command):
    """A key that may be left out is set by `++`; `~` takes a type out, which has to be there."""
    path = tmp_path / "params.yaml"
    write_least(path)
    apply_overrides(path, [value for value in overrides(command) if not value.startswith("~")])
    load_params(path)


def write_least(path: Path) -> None:
    """Writes a params.yaml of nothing but the keys without a default."""
    yaml = YAML(typ="safe", pure=True)
    full = yaml.load(ROOT / "params.yaml")
    data = {name: full["data"][name] for name in ("name", "path", "sha256", "openml")}
    tune = {name: full["tune"][name] for name in ("objective", "explained_variance", "space")}
    least = {"seed": 1, "goal": "auto", "data": data, "models": {"undercomplete": {}}, "tune": tune}
    least |= {name: {} for name in ("network", "train", "evaluate", "registry")}
    yaml.dump(least, path)
