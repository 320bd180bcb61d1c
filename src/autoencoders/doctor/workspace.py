"""What an interrupted `dvc repro` or `dvc exp run` leaves: half a dvc.lock, staged parameters, a detached HEAD."""

import os
import subprocess
import time
from functools import partial
from pathlib import Path

from autoencoders.core.dvclock import LOCK, LOCK_COPY, broken_lock, mend_lock
from autoencoders.core.errors import UserError
from autoencoders.core.files import move_aside, write_text
from autoencoders.doctor.finding import Finding, listed, moved
from autoencoders.doctor.processes import RUN_LOCKS, blocking_lock, command_of, dvc_at_work, entries

PARAMS = Path("params.yaml")
RESTORE = ("restore", "--staged", "--worktree", str(PARAMS))
LEFT = (
    "exec/EXEC_BASELINE",
    "exec/EXEC_MERGE",
    "stash",
)  # below refs/exps: of an experiment that runs
BROKEN_REFS = "refs/broken"  # where refs are moved aside


def git(*arguments: str) -> str | None:
    """A git command's output without the last line's end; None where it fails. Git refreshes no file of its own."""
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(
            ["git", *arguments], capture_output=True, text=True, check=True, env=environment
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.removesuffix("\n")


def _git_or_raise(*arguments: str) -> str:
    """`git`, but for what has to work. Raises UserError."""
    answer = git(*arguments)
    if answer is None:
        raise UserError(f"`git {' '.join(arguments)}` fails; call it to see why")
    return answer


def dvc_work() -> Finding:
    """Tells another dvc that is at work; a lock of one that is gone is moved aside where it would stop all others."""
    running = dvc_at_work()
    if running:
        return Finding("dvc", note=f"at work: {running}; wait for it before you mend anything")
    path = blocking_lock()
    if path is None:
        return Finding("dvc")
    problem = f"{path} is left of a dvc that is gone, and stops every other"
    return Finding(
        "dvc", problem, f"mv {path} {path}.broken", fix=lambda: moved([move_aside(path)])
    )


def lock_file() -> Finding:
    """Checks that DVC can read dvc.lock."""
    problem = broken_lock()
    if problem is None:
        return Finding(str(LOCK), note="" if LOCK.exists() else "none yet; `dvc repro` makes it")
    mend = f"mv {LOCK} {LOCK}.broken" + (f" && cp {LOCK_COPY} {LOCK}" if LOCK_COPY.exists() else "")
    told = f"no dvc command works: {problem}; an interrupted dvc leaves half of it"
    return Finding(
        str(LOCK),
        told,
        f"{mend}; DVC's run cache restores the rest",
        fix=lambda: moved([mend_lock()]),
    )


def parameters() -> Finding:
    """Checks that params.yaml is not staged; a change that is not staged is the user's own."""
    lines = _changes("--cached")
    if not lines:
        edited = _changes()
        return Finding(
            str(PARAMS), note=f"edited, not committed: {listed(edited)}" if edited else ""
        )
    told = f"staged in git, as an interrupted `dvc exp run` leaves it: {listed(lines)}"
    if dvc_at_work():
        return Finding(str(PARAMS), note=f"staged by the dvc that is at work: {listed(lines)}")
    return Finding(str(PARAMS), told, f"git {' '.join(RESTORE)}", fix=_restore_parameters)


def _changes(*options: str) -> list[str]:
    """The new lines of a params.yaml that git knows and that was changed; a deleted line alone is told with a minus."""
    shown = git(
        "diff",
        "--no-color",
        "--no-ext-diff",
        "--unified=0",
        "--diff-filter=MD",
        *options,
        "--",
        str(PARAMS),
    )
    body = [line for line in (shown or "").splitlines() if not line.startswith(("+++", "---"))]
    added = [line[1:].strip() for line in body if line.startswith("+")]
    return added or [f"- {line[1:].strip()}" for line in body if line.startswith("-")]


def _restore_parameters() -> str:
    """Restores the committed params.yaml; the present one is moved aside, and the staged one where it differs."""
    staged = git("show", f":{PARAMS}") if _changes() else None
    aside = [move_aside(PARAMS)] if PARAMS.exists() else []
    if git(*RESTORE) is None:
        if aside:
            aside[0].rename(PARAMS)
        raise UserError(f"`git {' '.join(RESTORE)}` fails; call it to see why")
    if staged is not None and aside:
        aside.append(aside[0].with_name(f"{aside[0].name}.staged"))
        write_text(aside[-1], staged + "\n")
    return moved(aside)


def experiment() -> Finding:
    """Checks that no killed `dvc exp run` left HEAD detached, or an experiment that the next one would run as well."""
    name, left = (
        "experiment",
        [ref for ref in LEFT if git("rev-parse", "-q", "--verify", f"refs/exps/{ref}")],
    )
    detached = (
        git("rev-parse", "-q", "--verify", "HEAD") is not None
        and git("symbolic-ref", "-q", "HEAD") is None
    )
    prepared = _was_preparing()
    if not left and not (detached and prepared):
        return Finding(name)
    if dvc_at_work():
        return Finding(name, note="one is running")
    stashed = prepared and git("rev-parse", "-q", "--verify", "refs/stash")
    told = "; your changes are in git's stash: git stash pop" if stashed else ""
    drop = " && ".join(["git reset -q", *(f"git update-ref -d refs/exps/{ref}" for ref in left)])
    if not detached:
        return Finding(
            name,
            f"a killed `dvc exp run` left {', '.join(left)}{told}",
            drop,
            fix=partial(_end, None, left),
        )
    branch = (git("rev-parse", "--symbolic-full-name", "@{-1}") or "").removeprefix("refs/heads/")
    problem = f"a killed `dvc exp run` left git's HEAD detached{told}"
    if not branch or git("rev-parse", branch) != git("rev-parse", "HEAD"):
        return Finding(
            name,
            problem,
            "git switch -c BRANCH, with a name of yours: there are commits that no branch has",
        )
    return Finding(name, problem, f"git switch {branch} && {drop}", fix=partial(_end, branch, left))


def _was_preparing() -> bool:
    """Whether a `dvc exp run` was killed while it set the user's changes aside."""
    held = entries(RUN_LOCKS[1]) or []
    return any(
        entry["resource"] == "workspace" and command_of(entry["pid"]) is None for entry in held
    )


def _end(branch: str | None, left: list[str]) -> str:
    """Does what dvc does at an experiment's end: back to the branch, nothing staged. No file changes.

    What was staged, and the experiment's refs, are kept below `refs/broken`.
    """
    folder = f"{BROKEN_REFS}/{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    _git_or_raise("update-ref", f"{folder}/index", _git_or_raise("write-tree"))
    if branch:
        _git_or_raise("switch", branch)
    _git_or_raise("reset", "--quiet")
    for ref in left:
        _git_or_raise("update-ref", f"{folder}/{ref}", f"refs/exps/{ref}")
        _git_or_raise("update-ref", "-d", f"refs/exps/{ref}")
    back = f"on branch {branch} again, " if branch else ""
    return f"{back}nothing is staged; what was, and the experiment's refs, are {folder}/*"
