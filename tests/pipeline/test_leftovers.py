"""Leftovers of tools and editors.

DVC and the hashes of code leave out the same ones, and no file of the project.
"""

import subprocess
from pathlib import Path

from autoencoders.core.files import LEFTOVERS
from repository import ROOT


def ignored_by_dvc(*paths: str) -> set[str]:
    command = ["dvc", "check-ignore", *paths]
    return set(
        subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False
        ).stdout.splitlines()
    )


def test_dvcignore_has_the_patterns_of_the_hashes():
    lines = (ROOT / ".dvcignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("# ")]
    said = [
        pattern.removeprefix("/*/**/").removeprefix("\\").removesuffix("/") for pattern in patterns
    ]
    assert tuple(said) == LEFTOVERS


def test_dvc_ignores_a_leftover_of_each_pattern():
    names = [
        ".DS_Store",
        "__pycache__/a.py",
        "a.pyc",
        "a.py~",
        "#a.py#",
        "a.swp",
        "a.orig",
        "a.rej",
        "a.bak",
        "a.tmp",
    ]
    names += ["Thumbs.db", "desktop.ini", ".#a.py", ".idea/workspace.xml", ".a~12-b/a.py"]
    paths = {f"src/autoencoders/models/{name}" for name in names}
    assert ignored_by_dvc(*paths) == paths


def test_dvc_ignores_no_file_of_the_project():
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    seen = [name for name in listed.splitlines() if not Path(name).name.startswith(".git")]
    assert ignored_by_dvc(*seen) == {".dvc/config"}  # DVC reads its own folder all the same
