"""The command that checks what may be wrong around the pipeline."""

import sys

import click

from autoencoders.doctor.finding import Finding

DOCTOR_HELP = (
    "Check what may be wrong here, and say how to mend it. Exits with 1 where something is wrong."
)


@click.command(help=DOCTOR_HELP)
@click.option(
    "--fix", is_flag=True, help="mend what can be mended; nothing is deleted, files are moved aside"
)
@click.option("--before-repro", is_flag=True, hidden=True, help="what `make repro` checks first")
def doctor(fix: bool, before_repro: bool) -> None:
    """Prints a line for each check, after mending what can be mended where `fix` is set."""
    from autoencoders.doctor import checks

    if before_repro:
        print(checks.before_repro(), end="")
        return
    findings = checks.examine()
    if fix:
        mended = checks.mend(findings)
        if mended:
            print(*mended, sep="\n")
            findings = checks.examine()
    for finding in findings:
        print(finding.line())
    wrong = [finding for finding in findings if finding.problem]
    _print_mendable(wrong)
    if wrong:
        sys.exit(1)


def _print_mendable(wrong: list[Finding]) -> None:
    """Prints which of the failed checks `ae doctor --fix` mends."""
    names = [finding.name for finding in wrong if finding.fix]
    if names:
        print(f"`ae doctor --fix` mends {', '.join(names)}")
