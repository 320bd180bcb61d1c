"""The `ae` command: what a user asks between two runs of the pipeline."""

import signal
import sys
from pathlib import Path

import click

from autoencoders.commands import (
    answers,
    doctor,
    estimate,
    inspect,
    registry,
    results,
    servers,
    studies,
)
from autoencoders.core.errors import UserError
from autoencoders.tracking.errors import store_errors

COMMANDS: tuple[click.Command, ...] = (
    results.leaderboard,
    results.show_params,
    inspect.inspect_file,
    estimate.estimate,
    servers.ui,
    servers.serve,
    studies.dashboard,
    studies.tune,
    studies.rate_distortion,
    studies.experiment,
    registry.registry,
    registry.lineage,
    registry.export,
    *answers.OPERATIONS,
    answers.sample,
    answers.drift,
    doctor.doctor,
)


def main() -> None:
    """Runs the command that the shell gave. Raises UserError."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # of `ae ... | head`
    asks_for_help = "-h" in sys.argv or "--help" in sys.argv
    if not asks_for_help and not Path("dvc.yaml").exists():
        raise UserError("no dvc.yaml here; run `ae` from the repository's root")
    with store_errors():
        ae(prog_name="ae")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
def ae() -> None:
    """Autoencoder pipeline: results, answers, studies, registry."""


for _command in COMMANDS:
    ae.add_command(_command)
