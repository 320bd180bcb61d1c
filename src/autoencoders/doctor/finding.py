"""What a check found: nothing wrong, or what is wrong and the command that mends it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

LONGEST = 80  # characters of a list in a line


@dataclass(frozen=True)
class Finding:
    """One line of `ae doctor`."""

    name: str
    problem: str = ""  # nothing: all is well
    mend: str = ""  # the exact command, or what to do
    note: str = ""  # what is worth knowing although nothing is wrong
    fix: Callable[[], str] | None = (
        None  # for --fix: mends, deletes nothing, and gives a line on what it did
    )

    def line(self) -> str:
        """The finding as a line of text."""
        if not self.problem:
            return f"{self.name:15} ok" + (f": {self.note}" if self.note else "")
        return f"{self.name:15} WRONG: {self.problem}" + (
            f"; mend: {self.mend}" if self.mend else ""
        )


def listed(names: list[str]) -> str:
    """Names in one line, shortened where they are many."""
    text = ", ".join(names)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... ({len(names)} in all)"


def moved(paths: list[Path]) -> str:
    """A line on files that were moved aside."""
    return f"moved aside: {', '.join(str(path) for path in paths)}"
