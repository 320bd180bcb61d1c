"""dvc.lock as stages read it: whole, although DVC writes it in place.

A copy of its last whole text is kept, to mend one that an interrupted dvc left cut.
"""

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from autoencoders.core.files import move_aside, write_text

LOCK = Path("dvc.lock")
LOCK_COPY = Path(".dvc/tmp/autoencoders/dvc.lock")  # neither git nor DVC looks below .dvc/tmp
# seconds before each look at dvc.lock, 1.5 in all: DVC writes ours in 0.2
LOCK_WAITS = (0.0, 0.1, 0.2, 0.4, 0.8)
MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")
FILE_KEYS = {
    "path": str,
    "hash": str,
    "size": int,
    "nfiles": int,
    "isexec": bool,
    "version_id": str,
}
CHECKSUMS = ("md5", "checksum", "etag")
SHORTEST_CHECKSUM = 3  # characters: DVC takes no shorter one
HASHES = (  # DVC ends in a traceback with others
    "md5",
    "md5-dos2unix",
    "checksum",
    "etag",
    "sha256",
    "blake3",
)
OTHER_FILE_KEYS = ("cloud", "files", "dataset")  # of imports from clouds, which no stage here has


class BrokenLockError(ValueError):
    """A dvc.lock that DVC refuses, and why."""


def read_lock() -> dict[str, Any] | None:
    """The stages in dvc.lock by name; None where there is no lock, or none that becomes whole.

    Another `dvc` may be writing the file, which it does in place: only a part can be read then.
    """
    return next(_whole_locks(), None)


def output_hash(path: Path) -> str | None:
    """DVC's hash of a stage's output, from dvc.lock, where a stage has written it."""
    for stages in _whole_locks():
        md5 = _output_md5(stages, path)
        if MD5.fullmatch(md5):
            return md5
    return None


def _output_md5(stages: dict[str, Any], path: Path) -> str:
    """The `md5` of an output; empty where no stage has it."""
    for stage in stages.values():
        for out in stage.get("outs", []):
            if out["path"] == path.as_posix():
                return str(out.get("md5"))
    return ""


def broken_lock() -> str | None:
    """The reason why DVC can't read dvc.lock, after waiting for a `dvc` that may be writing it.

    None where DVC can read it, or where there is no lock.
    """
    problem = None
    for text in _lock_texts():
        problem = problem_of(text)
        if problem is None or not LOCK.exists():
            return None
    return problem


def mend_lock() -> Path:
    """Moves dvc.lock aside, puts its copy in its place if there is one, and returns the new path.

    Where there is no copy, DVC's run cache knows what each stage made.
    """
    copy = _text(LOCK_COPY)
    aside = move_aside(LOCK)
    if problem_of(copy) is None:
        write_text(LOCK, copy)
    return aside


def problem_of(text: str) -> str | None:
    """The reason why DVC would refuse this text of a dvc.lock; None where it would take it."""
    try:
        parsed(text)
    except BrokenLockError as problem:
        return str(problem)
    return None


def parsed(text: str) -> dict[str, Any]:
    """The stages of a dvc.lock's text by name. Raises BrokenLockError where DVC would refuse it."""
    try:
        tree = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise BrokenLockError(_yaml_problem(error)) from error
    return _stages(text, tree)


def parsed_quickly(text: str) -> dict[str, Any]:
    """The same of a text that DVC wrote, or a part of it, in a tenth of the time.

    A text that somebody edited may be taken although DVC would refuse it.
    """
    try:
        tree = yaml.load(text, yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that isn't one
        raise BrokenLockError("no YAML") from error
    return _stages(text, tree)


def _parsed_either_way(text: str) -> dict[str, Any]:
    """The stages of a dvc.lock's text by name. Raises BrokenLockError.

    YAML 1.1, which is read quickly, takes a folder called `no` for a truth value.
    """
    try:
        return parsed_quickly(text)
    except BrokenLockError:
        return parsed(text)


def _stages(text: str, tree: Any) -> dict[str, Any]:
    """The stages of a parsed dvc.lock by name. Raises BrokenLockError."""
    if not text.strip():
        raise BrokenLockError("empty")
    if not _has_first_lines(tree):
        raise BrokenLockError("without DVC's first lines")
    stages = tree.get("stages", {})
    if not isinstance(stages, dict):
        raise BrokenLockError("its stages are missing")
    for name, stage in stages.items():
        if not _is_stage(stage):
            raise BrokenLockError(f"stage {name} is not whole")
    return stages


def _yaml_problem(error: YAMLError) -> str:
    place = getattr(error, "problem_mark", None)
    return f"no YAML from line {place.line + 1} on" if place else "no YAML"


def _whole_locks() -> Iterator[dict[str, Any]]:
    """The stages of dvc.lock each time that it is seen whole; keeps a copy of it."""
    for text in _lock_texts():
        with suppress(BrokenLockError):
            stages = _parsed_either_way(text)
            _keep_copy(text)
            yield stages


def _lock_texts() -> Iterator[str]:
    """The text of dvc.lock, looked at again and again; nothing where there is no lock."""
    if not LOCK.exists():
        return
    for wait in LOCK_WAITS:
        time.sleep(wait)
        yield _text(LOCK)


def _text(path: Path) -> str:
    """A file's text; empty without a file. NUL, which no YAML has, stands for bytes of no text."""
    try:
        return path.read_bytes().decode("utf-8", errors="replace").replace("\ufffd", "\0")
    except FileNotFoundError:
        return ""


def _keep_copy(text: str) -> None:
    """Writes the copy of a whole lock where DVC has a folder for it; a full disk stops no stage."""
    complete = text.endswith("\n")  # as DVC ends its files
    with suppress(OSError):
        if complete and Path(".dvc").is_dir() and _text(LOCK_COPY) != text:
            write_text(LOCK_COPY, text)


def _has_first_lines(tree: object) -> bool:
    if not isinstance(tree, dict) or tree.get("schema") != "2.0":
        return False
    return tree.keys() <= {"schema", "stages", "datasets"}


def _is_stage(stage: object) -> bool:
    """Whether this is a stage as DVC writes it."""
    if not isinstance(stage, dict) or stage.keys() - {"cmd", "deps", "params", "outs"}:
        return False
    if not isinstance(stage.get("cmd"), str | list):
        return False
    params = stage.get("params", {})
    if not isinstance(params, dict):
        return False
    if not all(isinstance(values, dict) for values in params.values()):
        return False
    return _are_files(stage.get("deps", [])) and _are_files(stage.get("outs", []))


def _are_files(files: object) -> bool:
    return isinstance(files, list) and all(map(_is_file, files))


def _is_file(file: object) -> bool:
    """Whether this is a dependency or an output as DVC writes it."""
    if not isinstance(file, dict) or "path" not in file:
        return False
    if file.keys() - FILE_KEYS.keys() - {*CHECKSUMS, *OTHER_FILE_KEYS}:
        return False
    for name, value in file.items():
        if name in FILE_KEYS and not isinstance(value, FILE_KEYS[name]):
            return False
        if name in CHECKSUMS and not _is_checksum(value):
            return False
    return file.get("hash", "md5") in HASHES


def _is_checksum(value: object) -> bool:
    """Whether DVC takes this as a checksum: nothing, or text of some length.

    A checksum that was cut may be a number to YAML, of which DVC then dies.
    """
    if value is None or value == "":
        return True
    return isinstance(value, str) and len(value) >= SHORTEST_CHECKSUM
