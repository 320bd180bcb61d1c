"""`.ci/run` runs make in a bare environment.

It is the one that the tests' copies of the repository have.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

from repository import BARE, BARE_PREFIXES, ROOT

MADE_BY_SHELLS = {
    "PWD",
    "OLDPWD",
    "SHLVL",
    "_",
    "MAKEFLAGS",
    "MAKELEVEL",
    "MFLAGS",
    "MAKE_TERMOUT",
    "MAKE_TERMERR",
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the script and a Makefile that prints its target and its variables.

    Nothing is to be installed.
    """
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/run", tmp_path / ".ci/run")
    (tmp_path / "Makefile").write_text("test test-slow:\n\t@echo target=$@\n\t@env\n")
    (tmp_path / "bin").mkdir()
    for name in ("chromium", "apt-get"):
        (tmp_path / "bin" / name).write_text("#!/bin/sh\n")
        (tmp_path / "bin" / name).chmod(0o755)
    return tmp_path


def told(checkout: Path, *arguments: str, **variables: str) -> dict[str, str]:
    """The variables that make has, and its target."""
    path = f"{checkout / 'bin'}:/usr/local/bin:/usr/bin:/bin"
    command = [str(checkout / ".ci/run"), *arguments]
    done = subprocess.run(
        command, env={"PATH": path, **variables}, capture_output=True, text=True, check=True
    )
    lines = [line for line in done.stdout.splitlines() if "=" in line]
    return dict(line.split("=", 1) for line in lines)


def test_it_takes_no_variable_of_the_machine_but_those_that_pip_and_blas_need(checkout):
    kept = {
        name: "/with a space"
        for name in (*BARE, "PIP_INDEX_URL", "OPENBLAS_CORETYPE")
        if name not in ("PATH", "CI")
    }
    lost = dict.fromkeys(
        ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "MLFLOW_TRACKING_URI", "TERM", "LC_ALL"),
        "1",
    )
    found = told(checkout, **kept, **lost)
    assert found.pop("target") == "test"
    assert found.pop("CI") == "true"
    assert found.pop("PATH").startswith(str(checkout))
    assert {name: value for name, value in found.items() if name not in MADE_BY_SHELLS} == kept
    assert all(name in BARE or name.startswith(BARE_PREFIXES) for name in kept)


def test_what_is_not_set_stays_so(checkout):
    assert set(told(checkout)) <= {*MADE_BY_SHELLS, "target", "CI", "PATH"}


def test_it_makes_the_target_that_is_named(checkout):
    assert told(checkout, "test-slow")["target"] == "test-slow"
