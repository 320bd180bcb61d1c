"""All checks in their order, their mends, and the two checks that `make repro` begins with."""

from collections.abc import Callable

from autoencoders.core.dvclock import LOCK, broken_lock
from autoencoders.core.errors import UserError
from autoencoders.core.paths import REGISTERED, repository
from autoencoders.doctor import machine, mlflow_store, unfinished, workspace
from autoencoders.doctor.finding import Finding
from autoencoders.doctor.processes import dvc_at_work

CHECKS: dict[str, Callable[[], Finding]] = {
    "dvc": workspace.dvc_work,
    "dvc.lock": workspace.lock_file,
    "params.yaml": workspace.parameters,
    "experiment": workspace.experiment,
    "store": mlflow_store.store,
    "server": mlflow_store.server,
    "registered.json": mlflow_store.registered,
    "pending": mlflow_store.pending,
    "journal": unfinished.journal,
    "checkpoints": unfinished.checkpoints,
    "disk": machine.disk,
    "environment": machine.environment,
}


def examine() -> list[Finding]:
    """The finding of each check."""
    return [_finding(name, check) for name, check in CHECKS.items()]


def _finding(name: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except (OSError, ValueError, UserError) as error:
        return Finding(name, f"can't be checked: {error}", "see that the file can be read")


def mend(findings: list[Finding]) -> list[str]:
    """Mends what can be mended, and returns a line on each.

    Raises UserError while a dvc works, or where git fails.
    """
    mendable = [finding for finding in findings if finding.fix]
    running = dvc_at_work()
    if mendable and running:
        raise UserError(f"nothing is mended while a dvc is at work: {running}")
    lines = []
    for finding in mendable:
        if finding.fix:
            lines.append(f"{finding.name:15} mended: {finding.fix()}")
    return lines


def before_repro() -> str:
    """Prepares `make repro`; returns a line where `register` has to run again, else nothing.

    Raises UserError where dvc.lock is broken.
    """
    problem = broken_lock()
    if problem:
        raise UserError(
            f"{LOCK}: {problem}; no dvc command can read it. `ae doctor --fix` mends it"
        )
    missing = mlflow_store.registered_problem()
    if missing is None:
        return ""
    (repository() / REGISTERED).unlink()
    return f"{missing}: removed {REGISTERED}, so that `register` fills the store\n"
