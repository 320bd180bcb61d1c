"""Stands in for `tuning.journal` and for `broken_checkpoint`, which come with another change."""

import json
import zipfile
from pathlib import Path

from autoencoders.files import move_aside, write_text


def broken_journal(path: Path) -> str | None:
    """Why Optuna can't read its journal; None where it can. A last line without an end is of a killed writer."""
    for number, line in enumerate(_lines(path), 1):
        if not _is_whole(line):
            return f"line {number} is no JSON"
    return None


def mend_journal(path: Path) -> Path:
    """Moves a journal aside, keeps its whole lines in a new one, and gives the old one's new path."""
    whole = [line.decode() for line in _lines(path) if _is_whole(line)]
    aside = move_aside(path)
    write_text(path, "".join(f"{line}\n" for line in whole))
    return aside


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().split(b"\n")[:-1]


def _is_whole(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line.decode()), dict)
    except ValueError:
        return False


def broken_checkpoint(path: Path) -> str | None:
    """Why a checkpoint can't be read; None where it can: torch's files are archives that hold their checksums."""
    try:
        with zipfile.ZipFile(path) as archive:
            flipped = archive.testzip()
    except zipfile.BadZipFile:
        return "cut, or no checkpoint"
    return f"{flipped} has flipped bits" if flipped else None
