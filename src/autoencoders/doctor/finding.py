"""The result of a check: all is well, or a problem and the command that mends it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

LONGEST_LIST = 80  # characters of a list in a line: a terminal's width


@dataclass(frozen=True)
class Finding:
    """One line of `ae doctor`."""

    name: str
    problem: str = ""  # empty: all is well
    mend: str = ""  # the exact command, or what to do
    note: str = ""  # worth knowing although nothing is wrong
    # for --fix: mends, deletes nothing, and returns a line on what it did
    fix: Callable[[], str] | None = None

    def line(self) -> str:
        """The finding as a line of text."""
        if self.problem:
            mend = f"; mend: {self.mend}" if self.mend else ""
            return f"{self.name:15} WRONG: {self.problem}{mend}"
        note = f": {self.note}" if self.note else ""
        return f"{self.name:15} ok{note}"


def listed(names: list[str]) -> str:
    """Names in one line, shortened where they are many."""
    text = ", ".join(names)
    if len(text) <= LONGEST_LIST:
        return text
    return f"{text[:LONGEST_LIST]}... ({len(names)} in all)"


def moved(paths: list[Path]) -> str:
    """A line on files that were moved aside."""
    return f"moved aside: {', '.join(map(str, paths))}"
