"""The `dvc exp run` lines in README, docs and the commands' own messages."""

import re
import shlex
from collections.abc import Iterator

from repository import ROOT

TEXTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "params.yaml",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "src").rglob("*.py")),
]
COMMAND = re.compile(r"dvc exp run (?:[^`\n\\]|\\\n)*")  # goes on after a backslash
SETTING = re.compile(r"""(?:-S|--set-param) ('[^']*'|"[^"]*"|\S+)""")


def commands() -> Iterator[str]:
    """Each `dvc exp run` that sets a value, as one line without its comment."""
    for path in TEXTS:
        for command in COMMAND.findall(path.read_text(encoding="utf-8")):
            line = command.replace("\\\n", " ").partition(" #")[0]
            if SETTING.search(line):
                yield " ".join(line.split())


def overrides(command: str) -> list[str]:
    """The values of a command's `-S`, as the shell hands them on."""
    return [shlex.split(setting)[0] for setting in SETTING.findall(command)]


COMMANDS = sorted(set(commands()))
