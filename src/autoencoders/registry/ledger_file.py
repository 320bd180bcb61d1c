"""The file `mlruns/registry.jsonl`: the ledger of earlier versions, today a copy for people."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock

from autoencoders.core.errors import UserError
from autoencoders.core.files import sha256, write_text
from autoencoders.registry.decision import OLD, Decision
from autoencoders.tracking import address

FILE = "registry.jsonl"  # in mlruns/

Line = dict[str, Any]


def old_decisions(name: str) -> list[Decision]:
    """Returns an earlier version's decisions about a registered model. Raises UserError."""
    decisions: list[Decision] = []
    for line in _read():
        is_old = "key" not in line
        if is_old and line["name"] == name:
            decisions.append(_old_decision(len(decisions), line))
    return decisions


def _old_decision(number: int, line: Line) -> Decision:
    """A decision of an earlier version's file, under the same key whoever takes it over."""
    digest = sha256(json.dumps(line, sort_keys=True).encode())[:12]
    return Decision(**line, key=f"decision.{OLD}.{number:06}-{digest}")


def write_copy(name: str, decisions: Sequence[Decision]) -> None:
    """Copies a registered model's decisions to the file; nothing reads them there."""
    with FileLock(address.folder() / f"{FILE}.lock"):
        lines = [line for line in _read() if line["name"] != name]
        lines += [asdict(decision) for decision in decisions]
        texts = [json.dumps(line, ensure_ascii=False) + "\n" for line in lines]
        write_text(_path(), "".join(texts))


def _read() -> list[Line]:
    """The file's lines; none where there is no file. Raises UserError."""
    if not _path().exists():
        return []
    try:
        texts = _path().read_text(encoding="utf-8").splitlines()
        return [dict(json.loads(text)) for text in texts]
    except (ValueError, TypeError) as error:
        raise UserError(
            f"{_path()}: no ledger ({error}); move it away: the decisions are kept in MLflow"
        ) from error


def _path() -> Path:
    return address.folder() / FILE
