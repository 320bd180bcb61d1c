"""Disk and environment."""

import shutil
import sys
from pathlib import Path

import pytest

from autoencoders.doctor import machine
from mounts import small_disk
from repository import ROOT


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".dvc").mkdir()
    return tmp_path


@pytest.fixture
def small(folder: Path):
    """A file system of 16 MB."""
    path = folder / "small"
    path.mkdir()
    with small_disk(path, "16m"):
        yield path


def test_a_small_tmpdir_is_named(folder, small, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(small))
    problem = machine.disk().problem
    assert f"TMPDIR ({small}) 0.02 GiB" in problem
    assert "the repository" not in problem


@pytest.mark.parametrize("name", ["config", "config.local"])
def test_a_cache_on_a_small_disk_is_named_by_dvcs_configuration(folder, small, name):
    Path(".dvc", name).write_text(
        "[core]\n    autostage = false\n['remote \"a\"']\n    url = b\n"
        "[cache]\n    dir = ../small/cache\n"
    )
    assert "DVC's cache" in machine.disk().problem
    assert machine.dvc_cache().resolve() == small / "cache"


def test_a_configuration_that_is_broken_stops_no_check(folder):
    Path(".dvc/config").write_text("no section\n")
    assert machine.dvc_cache() == folder / ".dvc/cache"
    assert "GiB" in machine.disk().line()


def test_packages_that_are_missing_or_of_another_version_are_named_with_the_command_to_install(
    folder,
):
    assert machine.environment().problem == ""
    lock = Path("requirements.lock").read_text()
    click = next(line for line in lock.splitlines() if line.startswith("click=="))
    Path("requirements.lock").write_text(
        lock.replace(click, "click==0.0.1") + "no-such-package==1.0\n"
    )
    result = machine.environment()
    assert (
        f"click {click.removeprefix('click==')} instead of 0.0.1, no-such-package is missing"
        in result.problem
    )
    assert result.mend == f"{sys.executable} -m pip install -r requirements.lock"


def test_another_python_than_pyproject_allows_is_named(folder):
    text = Path("pyproject.toml").read_text()
    Path("pyproject.toml").write_text(text.replace('">=3.11,<3.14"', '">=3.99"'))
    assert ">=3.99 (pyproject.toml)" in machine.environment().problem
