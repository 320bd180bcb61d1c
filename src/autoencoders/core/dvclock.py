"""dvc.lock as stages read it: whole, though DVC writes it in place. Its last whole text is kept, to mend a cut one."""

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from autoencoders.core.files import move_aside, write_text

LOCK = Path("dvc.lock")
KEPT = Path(".dvc/tmp/autoencoders/dvc.lock")  # neither git nor DVC looks below .dvc/tmp
LOCK_WAITS = (0.0, 0.1, 0.2, 0.4, 0.8)  # seconds before each look at dvc.lock
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
HASHES = (
    "md5",
    "md5-dos2unix",
    "checksum",
    "etag",
    "sha256",
    "blake3",
)  # DVC ends in a traceback with others
OTHER_FILE_KEYS = ("cloud", "files", "dataset")  # of imports from clouds, which no stage here has


class BrokenLockError(ValueError):
    """A dvc.lock that DVC does not take, and why."""


def read_lock() -> dict[str, Any] | None:
    """The stages in dvc.lock by name; None where there is no lock, or none that is whole after 1.5 seconds.

    Another `dvc` may be writing the file, which it does in place: what is read then is a part of it.
    """
    return next(_whole_locks(), None)


def output_hash(path: Path) -> str | None:
    """DVC's hash of a stage's output, from dvc.lock, where a stage has written it."""
    for stages in _whole_locks():
        outs = [out for stage in stages.values() for out in stage.get("outs", [])]
        hashes = [str(out.get("md5")) for out in outs if out["path"] == path.as_posix()]
        if hashes and MD5.fullmatch(hashes[0]):
            return hashes[0]
    return None


def broken_lock() -> str | None:
    """Why DVC can't read dvc.lock; None where it can, or where there is no lock. Waits for a `dvc` that writes it."""
    problem = None
    for wait in LOCK_WAITS if LOCK.exists() else ():
        time.sleep(wait)
        problem = problem_of(_text(LOCK))
        if problem is None or not LOCK.exists():
            return None
    return problem


def mend_lock() -> Path:
    """Moves dvc.lock aside, puts the kept copy in its place where there is one, and gives the new path of the broken.

    Where no copy was kept, DVC's run cache knows what each stage made.
    """
    kept = _text(KEPT) if KEPT.exists() else ""
    moved = move_aside(LOCK)
    if problem_of(kept) is None:
        write_text(LOCK, kept)
    return moved


def problem_of(text: str) -> str | None:
    """Why this is no text of a dvc.lock that DVC takes; None where it takes it."""
    try:
        parsed(text)
    except BrokenLockError as problem:
        return str(problem)
    return None


def parsed(text: str) -> dict[str, Any]:
    """The stages of a dvc.lock's text by name. Raises BrokenLockError where DVC would not take it."""
    try:
        tree = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise BrokenLockError(
            f"no YAML from line {mark.line + 1} on" if mark else "no YAML"
        ) from error
    if (
        not isinstance(tree, dict)
        or tree.get("schema") != "2.0"
        or tree.keys() - {"schema", "stages", "datasets"}
    ):
        raise BrokenLockError("without DVC's first lines" if text.strip() else "empty")
    stages = tree.get("stages", {})
    if not isinstance(stages, dict):
        raise BrokenLockError("its stages are missing")
    for name, stage in stages.items():
        if not _is_stage(stage):
            raise BrokenLockError(f"stage {name} is not whole")
    return stages


def _whole_locks() -> Iterator[dict[str, Any]]:
    """Looks at dvc.lock again and again, for 1.5 seconds, and gives its stages each time that it is whole."""
    for wait in LOCK_WAITS if LOCK.exists() else ():
        time.sleep(wait)
        text = _text(LOCK)
        with suppress(BrokenLockError):
            stages = parsed(text)
            _keep(text)
            yield stages


def _text(path: Path) -> str:
    """A file's text; of bytes that are no text, what can't be YAML; of a file that is gone by now, nothing."""
    try:
        return path.read_bytes().decode("utf-8", errors="replace").replace("\ufffd", "\0")
    except FileNotFoundError:
        return ""


def _keep(text: str) -> None:
    """Keeps a whole lock beside, where DVC has a folder for it; a disk that takes no copy stops no stage."""
    complete = text.endswith("\n") and Path(".dvc").is_dir()  # DVC ends its files with a line's end
    with suppress(OSError):
        if complete and not (KEPT.exists() and _text(KEPT) == text):
            write_text(KEPT, text)


def _is_stage(stage: Any) -> bool:
    if not isinstance(stage, dict) or stage.keys() - {"cmd", "deps", "params", "outs"}:
        return False
    params = stage.get("params", {})
    sections = isinstance(params, dict) and all(
        isinstance(values, dict) for values in params.values()
    )
    lists = [stage.get(name, []) for name in ("deps", "outs")]
    files = all(isinstance(files, list) and all(map(_is_file, files)) for files in lists)
    return isinstance(stage.get("cmd"), str | list) and sections and files


def _is_file(file: Any) -> bool:
    """Whether this is a dependency or an output as DVC writes it."""
    if not isinstance(file, dict) or "path" not in file:
        return False
    if file.keys() - FILE_KEYS.keys() - {*CHECKSUMS, *OTHER_FILE_KEYS}:
        return False
    return _right_types(file) and all(
        _is_checksum(file[name]) for name in CHECKSUMS if name in file
    )


def _right_types(file: Mapping[str, Any]) -> bool:
    right = all(isinstance(file[name], type_) for name, type_ in FILE_KEYS.items() if name in file)
    return right and file.get("hash", "md5") in HASHES


def _is_checksum(value: Any) -> bool:
    """DVC takes nothing, and three characters or more; what is cut may be a number to YAML, which DVC then dies of."""
    return value in (None, "") or (isinstance(value, str) and len(value) >= 3)
