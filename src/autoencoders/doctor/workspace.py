"""The leavings of an interrupted `dvc repro` or `dvc exp run`.

These are half a dvc.lock, staged parameters and a detached HEAD.
"""

import os
import subprocess
import time
from functools import partial
from pathlib import Path

from autoencoders.core.dvclock import LOCK, LOCK_COPY, broken_lock, mend_lock
from autoencoders.core.errors import UserError
from autoencoders.core.files import move_aside, write_text
from autoencoders.core.paths import PARAMS_FILE
from autoencoders.doctor.finding import Finding, listed, moved
from autoencoders.doctor.processes import (
    EXPERIMENT_LOCK,
    blocking_lock,
    command_of,
    dvc_at_work,
    entries,
)

RESTORE = ("restore", "--staged", "--worktree", str(PARAMS_FILE))
EXPERIMENT_REFS = (  # below refs/exps, of an experiment that runs
    "exec/EXEC_BASELINE",
    "exec/EXEC_MERGE",
    "stash",
)
BROKEN_REFS = "refs/broken"  # where refs are moved aside


def git(*arguments: str) -> str | None:
    """A git command's output without the last line's end; None where it fails.

    Git refreshes no file of its own.
    """
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(
            ["git", *arguments], capture_output=True, text=True, check=True, env=environment
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.removesuffix("\n")


def _git_or_raise(*arguments: str) -> str:
    """`git` for a command that has to work. Raises UserError."""
    answer = git(*arguments)
    if answer is None:
        raise UserError(f"`git {' '.join(arguments)}` fails; call it to see why")
    return answer


def dvc_work() -> Finding:
    """Names another dvc that is at work; a lock that stops every dvc can be moved aside."""
    running = dvc_at_work()
    if running:
        return Finding("dvc", note=f"at work: {running}; wait for it before you mend anything")
    path = blocking_lock()
    if path is None:
        return Finding("dvc")
    problem = f"{path} is left of a dvc that is gone, and stops every other"
    mend = f"mv {path} {path}.broken"
    return Finding("dvc", problem, mend, fix=lambda: moved([move_aside(path)]))


def lock_file() -> Finding:
    """Checks that DVC can read dvc.lock."""
    name = str(LOCK)
    problem = broken_lock()
    if problem is None:
        return Finding(name, note="" if LOCK.exists() else "none yet; `dvc repro` makes it")
    problem = f"no dvc command works: {problem}; an interrupted dvc leaves half of it"
    commands = f"mv {LOCK} {LOCK}.broken"
    if LOCK_COPY.exists():
        commands += f" && cp {LOCK_COPY} {LOCK}"
    mend = f"{commands}; DVC's run cache restores the rest"
    return Finding(name, problem, mend, fix=lambda: moved([mend_lock()]))


def parameters() -> Finding:
    """Checks that params.yaml is not staged; a change that is not staged is the user's."""
    name = str(PARAMS_FILE)
    staged = _changes("--cached")
    if not staged:
        edited = _changes()
        return Finding(name, note=f"edited, not committed: {listed(edited)}" if edited else "")
    if dvc_at_work():
        return Finding(name, note=f"staged by the dvc that is at work: {listed(staged)}")
    problem = f"staged in git, as an interrupted `dvc exp run` leaves it: {listed(staged)}"
    return Finding(name, problem, f"git {' '.join(RESTORE)}", fix=_restore_parameters)


def _changes(*options: str) -> list[str]:
    """The new lines of a changed params.yaml that git knows.

    Where lines were only deleted, they are listed with a minus.
    """
    shown = git(
        "diff",
        "--no-color",
        "--no-ext-diff",
        "--unified=0",
        "--diff-filter=MD",
        *options,
        "--",
        str(PARAMS_FILE),
    )
    added: list[str] = []
    deleted: list[str] = []
    for line in (shown or "").splitlines():
        if line.startswith(("+++", "---")):
            continue
        if line.startswith("+"):
            added.append(line[1:].strip())
        elif line.startswith("-"):
            deleted.append(f"- {line[1:].strip()}")
    return added or deleted


def _restore_parameters() -> str:
    """Restores the committed params.yaml.

    The present one is moved aside, and the staged one where it differs.
    """
    staged = git("show", f":{PARAMS_FILE}") if _changes() else None
    aside: list[Path] = []
    if PARAMS_FILE.exists():
        aside.append(move_aside(PARAMS_FILE))
    if git(*RESTORE) is None:
        if aside:
            aside[0].rename(PARAMS_FILE)
        raise UserError(f"`git {' '.join(RESTORE)}` fails; call it to see why")
    if staged is not None and aside:
        copy = aside[0].with_name(f"{aside[0].name}.staged")
        write_text(copy, staged + "\n")
        aside.append(copy)
    return moved(aside)


def experiment() -> Finding:
    """Checks that no killed `dvc exp run` left HEAD detached, or refs for the next one to run."""
    name = "experiment"
    refs = [ref for ref in EXPERIMENT_REFS if _commit(f"refs/exps/{ref}")]
    detached = _is_detached()
    prepared = _was_preparing()
    if not refs and not (detached and prepared):
        return Finding(name)
    if dvc_at_work():
        return Finding(name, note="one is running")
    stash = ""
    if prepared and _commit("refs/stash"):
        stash = "; your changes are in git's stash: git stash pop"
    commands = ["git reset -q", *(f"git update-ref -d refs/exps/{ref}" for ref in refs)]
    if not detached:
        problem = f"a killed `dvc exp run` left {', '.join(refs)}{stash}"
        return Finding(name, problem, " && ".join(commands), fix=partial(_end, None, refs))
    problem = f"a killed `dvc exp run` left git's HEAD detached{stash}"
    branch = _branch_before()
    if not branch or git("rev-parse", branch) != git("rev-parse", "HEAD"):
        mend = "git switch -c BRANCH, with a name of yours: there are commits that no branch has"
        return Finding(name, problem, mend)
    mend = " && ".join([f"git switch {branch}", *commands])
    return Finding(name, problem, mend, fix=partial(_end, branch, refs))


def _commit(ref: str) -> str | None:
    """The commit of a ref; None where there is no such ref."""
    return git("rev-parse", "-q", "--verify", ref)


def _is_detached() -> bool:
    return _commit("HEAD") is not None and git("symbolic-ref", "-q", "HEAD") is None


def _branch_before() -> str:
    """The branch that HEAD was on before; empty where it was on none."""
    ref = git("rev-parse", "--symbolic-full-name", "@{-1}")
    return (ref or "").removeprefix("refs/heads/")


def _was_preparing() -> bool:
    """Whether a `dvc exp run` was killed while it set the user's changes aside."""
    for entry in entries(EXPERIMENT_LOCK) or []:
        if entry["resource"] == "workspace" and command_of(entry["pid"]) is None:
            return True
    return False


def _end(branch: str | None, refs: list[str]) -> str:
    """Ends an experiment as dvc does: back to the branch, nothing staged. No file changes.

    What was staged, and the experiment's refs, are kept below BROKEN_REFS.
    """
    folder = f"{BROKEN_REFS}/{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    _git_or_raise("update-ref", f"{folder}/index", _git_or_raise("write-tree"))
    if branch:
        _git_or_raise("switch", branch)
    _git_or_raise("reset", "--quiet")
    for ref in refs:
        _git_or_raise("update-ref", f"{folder}/{ref}", f"refs/exps/{ref}")
        _git_or_raise("update-ref", "-d", f"refs/exps/{ref}")
    back = f"on branch {branch} again, " if branch else ""
    return f"{back}nothing is staged; what was, and the experiment's refs, are {folder}/*"
