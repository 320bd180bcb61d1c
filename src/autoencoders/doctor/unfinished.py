"""What studies and trainings go on from: Optuna's journal and the trainings' checkpoints."""

from pathlib import Path

from autoencoders.core.files import move_aside
from autoencoders.core.paths import RESUME, STUDIES, repository
from autoencoders.doctor.finding import Finding, moved
from autoencoders.training.checkpoint import broken_checkpoint
from autoencoders.tuning.journal import broken_journal, mend_journal

JOURNAL = "optuna.journal"
CHECKPOINTS = "*/last.ckpt"


def journal() -> Finding:
    """Checks that Optuna can read its journal."""
    path = repository() / STUDIES / JOURNAL
    problem = broken_journal(path) if path.exists() else None
    if problem is None:
        return Finding("journal")
    mend = f"mv {path} {path}.broken, which starts the studies anew; --fix keeps its whole lines"
    return Finding("journal", problem, mend, fix=lambda: moved([mend_journal(path)]))


def checkpoints() -> Finding:
    """Checks that interrupted trainings can go on from their checkpoints."""
    paths = sorted((repository() / RESUME).glob(CHECKPOINTS))
    broken = {path: problem for path in paths if (problem := broken_checkpoint(path))}
    if not broken:
        return Finding("checkpoints")
    problem = ", ".join(broken.values())
    mend = " && ".join(f"mv {path} {path}.broken" for path in broken)
    return Finding(
        "checkpoints", problem, f"{mend}; the training starts anew", fix=lambda: _move(list(broken))
    )


def _move(paths: list[Path]) -> str:
    return moved([move_aside(path) for path in paths])
