"""The files of a request: checked before a model is loaded, which takes seconds."""

from pathlib import Path

from autoencoders.core.errors import UserError
from autoencoders.data.sources.source import ANSWERS


def check_input(file: Path) -> None:
    """Raises UserError where there is no such file."""
    if not file.exists():
        raise UserError(f"{file}: no such file or folder")


def check_output(out: Path) -> None:
    """Raises UserError where answers can't be written to such a file."""
    if out.suffix not in ANSWERS or out.is_dir():
        problem = "is a folder; " if out.is_dir() else ""
        raise UserError(f"{out}: {problem}answers are written as {', '.join(ANSWERS)}")
