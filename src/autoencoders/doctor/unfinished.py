"""Unfinished studies and trainings: Optuna's journal, and the checkpoints to go on from."""

from pathlib import Path

from autoencoders.core.files import move_aside
from autoencoders.core.paths import RESUME, STUDIES, repository
from autoencoders.doctor.finding import Finding, moved
from autoencoders.training.checkpoint import CHECKPOINT, broken_checkpoint
from autoencoders.tuning.journal import JOURNAL, broken_journal, mend_journal


def journal() -> Finding:
    """Checks that Optuna can read its journal."""
    path = repository() / STUDIES / JOURNAL
    problem = broken_journal(path) if path.exists() else None  # without optuna where none is
    if problem is None:
        return Finding("journal")
    mend = f"mv {path} {path}.broken, which starts the studies anew; --fix keeps its whole lines"
    return Finding("journal", problem, mend, fix=lambda: moved([mend_journal(path)]))


def checkpoints() -> Finding:
    """Checks that interrupted trainings can go on from their checkpoints."""
    broken: dict[Path, str] = {}
    for path in sorted((repository() / RESUME).glob(f"*/{CHECKPOINT}")):
        problem = broken_checkpoint(path)
        if problem:
            broken[path] = problem
    if not broken:
        return Finding("checkpoints")
    commands = " && ".join(f"mv {path} {path}.broken" for path in broken)
    return Finding(
        "checkpoints",
        ", ".join(broken.values()),
        f"{commands}; the training starts anew",
        fix=lambda: moved(list(map(move_aside, broken))),
    )
