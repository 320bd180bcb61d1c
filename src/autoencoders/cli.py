"""The `ae` command: what a user asks between two runs of the pipeline. Each command imports what it needs, no more."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from autoencoders.errors import UserError
from autoencoders.stage import METRICS, reporting


def main() -> None:
    """Entry point of `ae`."""
    arguments = _parser().parse_args()
    with reporting():
        if not Path("dvc.yaml").exists():
            raise UserError("no dvc.yaml here; run `ae` from the repository's root")
        command: Callable[[argparse.Namespace], None] = arguments.command
        command(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ae", description="Autoencoder pipeline: results, studies, registry, MLflow.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    leaderboard = commands.add_parser("leaderboard", help="print the last evaluation's leaderboard and what to do next")
    leaderboard.set_defaults(command=_leaderboard)
    ui = commands.add_parser("ui", help="start the MLflow UI on this machine")
    ui.add_argument("--port", type=int, default=5000)
    ui.add_argument("--host", default="127.0.0.1", help="default: %(default)s, reachable from this machine alone")
    ui.set_defaults(command=_ui)
    studies = commands.add_parser("dashboard", help="start optuna-dashboard on this machine: every study and trial")
    studies.add_argument("--port", type=int, default=8080)
    studies.add_argument("--host", default="127.0.0.1", help="default: %(default)s, reachable from this machine alone")
    studies.set_defaults(command=_dashboard)
    tune = commands.add_parser("tune", help="add a worker to a running study")
    tune.add_argument("--join", metavar="TYPE", required=True, help="the type whose study `dvc repro` is running")
    tune.set_defaults(command=_join)
    curve = commands.add_parser(
        "rate-distortion", help="train each type at each code size of rate_distortion.code_sizes"
    )
    curve.set_defaults(command=_rate_distortion)
    _registry_parser(commands.add_parser("registry", help="the champion, and every decision about it"))
    return parser


def _registry_parser(registry: argparse.ArgumentParser) -> None:
    actions = registry.add_subparsers(required=True, metavar="ACTION")
    history = actions.add_parser("history", help="print the ledger: every decision, the oldest first")
    history.set_defaults(command=_history)
    rollback = actions.add_parser("rollback", help="undo the last promotion")
    rollback.set_defaults(command=_rollback)
    promote = actions.add_parser("promote", help="make a version the champion")
    promote.add_argument("version")
    promote.add_argument("--reason", default="by hand")
    promote.set_defaults(command=_promote)


def _leaderboard(arguments: argparse.Namespace) -> None:  # noqa: ARG001
    from rich.console import Console

    from autoencoders.evaluation.report import table
    from autoencoders.files import read_json
    from autoencoders.params import load_params

    path = METRICS / "leaderboard.json"
    if not path.exists():
        raise UserError(f"{path}: no such file; `dvc repro` makes it")
    Console().print(table(read_json(path), f"{load_params().data.title}: test split, best first"))
    print(
        "\nNext:\n"
        "  make ui                                   compare the runs in MLflow\n"
        "  xdg-open reports/index.html               figures of every model\n"
        "  ae registry history                       why the champion is the champion\n"
        "  make dashboard                            every trial of the studies\n"
        "  dvc exp run -S tune.n_trials=40           tune longer; `dvc exp show` lists what you tried\n"
        "(`. .venv/bin/activate` first, for ae and dvc)"
    )


def _ui(arguments: argparse.Namespace) -> None:
    from autoencoders.tracking import store

    store.open_store()
    print(f"MLflow UI on http://{arguments.host}:{arguments.port}, Ctrl-C ends it", flush=True)
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    where = ["--backend-store-uri", store.uri(), "--host", arguments.host, "--port", str(arguments.port)]
    command = [sys.executable, "-m", "mlflow", "server", *where, "--workers", "1"]
    os.execv(sys.executable, command)  # noqa: S606  (no shell: arguments stay arguments)


def _dashboard(arguments: argparse.Namespace) -> None:
    from autoencoders.params import load_params
    from autoencoders.tuning.storage import dashboard

    dashboard(load_params().tune.storage, arguments.host, arguments.port)


def _join(arguments: argparse.Namespace) -> None:
    from autoencoders.params import load_params
    from autoencoders.tuning.stage import join

    join(arguments.join, load_params())


def _rate_distortion(arguments: argparse.Namespace) -> None:  # noqa: ARG001
    from autoencoders.params import load_params
    from autoencoders.rate_distortion import rate_distortion

    rate_distortion(load_params())


def _history(arguments: argparse.Namespace) -> None:  # noqa: ARG001
    from autoencoders.tracking.registry import present

    for decision in present().history():
        print(decision.told())


def _rollback(arguments: argparse.Namespace) -> None:  # noqa: ARG001
    from autoencoders.tracking.registry import present

    print(present().rollback().told())


def _promote(arguments: argparse.Namespace) -> None:
    from autoencoders.tracking.registry import present

    print(present().promote_by_hand(arguments.version, arguments.reason).told())


if __name__ == "__main__":
    main()
