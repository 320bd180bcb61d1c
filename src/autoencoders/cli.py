"""The `ae` command: what a user asks between two runs of the pipeline. Each command imports what it needs, no more."""

import argparse
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoencoders.errors import UserError
from autoencoders.stage import DATA, METRICS, RESUME, reporting, repository

if TYPE_CHECKING:
    from autoencoders.checkpoint import TrainedModel

Arguments = argparse.Namespace
COMMANDS: dict[str, tuple[Callable[[Arguments], None], str, list[tuple[tuple[str, ...], dict[str, Any]]]]] = {}
HOST = (("--host",), {"default": "127.0.0.1", "help": "default: %(default)s, reachable from this machine alone"})
MODEL = (("--model",), {"help": "default: models:/autoencoder-NAME@champion of the data in params.yaml"})
FILE = (("file",), {"type": Path, "help": "CSV, Parquet, .npy, .npz, an image, a folder of images, or an archive"})
OUT = (("-o", "--out"), {"type": Path, "required": True, "help": ".csv, .parquet, .npy; of images also .png"})


def port(number: int) -> tuple[tuple[str, ...], dict[str, Any]]:
    """The option of a server's port."""
    return ("--port",), {"type": int, "default": number, "help": "default: %(default)s"}


def command(name: str, about: str, *options: tuple[tuple[str, ...], dict[str, Any]]) -> Callable[[Any], Any]:
    """Makes a function a command of `ae`, or of a group: "registry history"."""

    def add(function: Callable[[Arguments], None]) -> Callable[[Arguments], None]:
        COMMANDS[name] = (function, about, list(options))
        return function

    return add


def main() -> None:
    """Entry point of `ae`."""
    arguments = _parser().parse_args()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # of `ae ... | head`
    with reporting():
        if not Path("dvc.yaml").exists():
            raise UserError("no dvc.yaml here; run `ae` from the repository's root")
        arguments.command(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ae", description="Autoencoder pipeline: results, answers, studies, registry."
    )
    groups = {"": parser.add_subparsers(required=True, metavar="COMMAND")}
    for name, (function, about, options) in COMMANDS.items():
        group, _, action = name.rpartition(" ")
        if group not in groups:
            added = groups[""].add_parser(group, help="the champion, and every decision about it")
            groups[group] = added.add_subparsers(required=True, metavar="ACTION")
        parsed = groups[group].add_parser(action, help=about)
        parsed.set_defaults(command=function)
        for flags, settings in options:
            parsed.add_argument(*flags, **settings)
    return parser


@command("leaderboard", "print the last evaluation's leaderboard and what to do next")
def _leaderboard(arguments: Arguments) -> None:  # noqa: ARG001
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


@command("ui", "start the MLflow UI on this machine", port(5000), HOST)
def _ui(arguments: Arguments) -> None:
    from autoencoders.tracking import store

    store.open_store()
    print(f"MLflow UI on http://{arguments.host}:{arguments.port}, Ctrl-C ends it", flush=True)
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    where = ["--backend-store-uri", store.uri(), "--host", arguments.host, "--port", str(arguments.port)]
    command = [sys.executable, "-m", "mlflow", "server", *where, "--workers", "1"]
    os.execv(sys.executable, command)  # noqa: S606  (no shell: arguments stay arguments)


@command("dashboard", "start optuna-dashboard on this machine: every study and trial", port(8080), HOST)
def _dashboard(arguments: Arguments) -> None:
    from autoencoders.params import load_params
    from autoencoders.tuning.storage import dashboard

    dashboard(load_params().tune.storage, arguments.host, arguments.port)


@command("tune", "add a worker to a running study", (("--join",), {"metavar": "TYPE", "required": True}))
def _join(arguments: Arguments) -> None:
    from autoencoders.params import load_params
    from autoencoders.tuning.stage import join

    join(arguments.join, load_params())


@command("rate-distortion", "train each type at each code size of rate_distortion.code_sizes")
def _rate_distortion(arguments: Arguments) -> None:  # noqa: ARG001
    from autoencoders.params import load_params
    from autoencoders.rate_distortion import rate_distortion

    rate_distortion(load_params())


@command("registry history", "print the ledger: every decision, the oldest first")
def _history(arguments: Arguments) -> None:  # noqa: ARG001
    from autoencoders.tracking.registry import present

    for decision in present().history():
        print(decision.told())


@command("registry rollback", "undo the last promotion")
def _rollback(arguments: Arguments) -> None:  # noqa: ARG001
    from autoencoders.tracking.registry import present

    print(present().rollback().told())


@command("registry promote", "make a version the champion", (("version",), {}), (("--reason",), {"default": "by hand"}))
def _promote(arguments: Arguments) -> None:
    from autoencoders.tracking.registry import present

    print(present().promote_by_hand(arguments.version, arguments.reason).told())


def champion(model: str | None = None) -> "TrainedModel":
    """A registered model by its URI; by default the champion of the data in params.yaml. Raises UserError."""
    from autoencoders.checkpoint import load
    from autoencoders.onnx import accelerated

    folder, graph = _located(model)
    return accelerated(load(folder), graph)


def _located(model: str | None) -> tuple[Path, Path]:
    """The folder of a registered model, and where its ONNX graph is, if it has one."""
    from autoencoders.tracking.registry import fetched, model_sha256, present

    registry = present()  # also tells mlflow where the store is
    folder = fetched(model or f"models:/{registry.name}@champion")
    return folder, repository() / RESUME / "onnx" / f"{model_sha256(folder)}.onnx"


def _answer(op: str) -> Callable[[Arguments], None]:
    def run(arguments: Arguments) -> None:
        from autoencoders.answers import answer_file
        from autoencoders.params import load_params

        rate = load_params().evaluate.false_alarm_rate
        n = answer_file(champion(arguments.model), op, arguments.file, arguments.out, rate)
        print(f"{arguments.out}: {n} rows")

    return run


for _op, _about in {
    "score": "how unusual each row is, and why: score, percentile, p-value, verdict, reasons",
    "encode": "each row's code",
    "reconstruct": "each row rebuilt from its code",
    "denoise": "each row without its noise",
    "interpolate": "rows on the line between the first and the second row's code, and so on",
    "decode": "rows of codes in an .npy",
}.items():
    command(_op, _about, FILE, OUT, MODEL)(_answer(_op))


@command("sample", "new rows from a variational model", (("-n",), {"type": int, "default": 64}), OUT, MODEL)
def _sample(arguments: Arguments) -> None:
    from autoencoders.answers import write_answers
    from autoencoders.operations import answer

    model = champion(arguments.model)
    write_answers(answer(model, "sample", None, n=arguments.n), arguments.out, model)
    print(f"{arguments.out}: {arguments.n} samples")


@command("serve", "serve a model over HTTP on this machine", port(5001), HOST, MODEL)
def _serve(arguments: Arguments) -> None:
    from autoencoders.onnx import ONNX_VARIABLE
    from autoencoders.tracking import store
    from autoencoders.tracking.registry import present

    uri = arguments.model or f"models:/{present().name}@champion"
    os.environ[ONNX_VARIABLE] = str(_located(uri)[1])
    os.environ |= {"MLFLOW_TRACKING_URI": store.uri(), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    print(f"{uri} on http://{arguments.host}:{arguments.port}/invocations, Ctrl-C ends it", flush=True)
    where = ["--host", arguments.host, "--port", str(arguments.port), "--env-manager", "local", "--workers", "1"]
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", "models", "serve", "-m", uri, *where])  # noqa: S606


@command("export", "write a model as an ONNX graph, by which score and serve answer from then on", MODEL)
def _export(arguments: Arguments) -> None:
    from autoencoders.checkpoint import load
    from autoencoders.onnx import export

    folder, graph = _located(arguments.model)
    export(load(folder), graph)
    print(f"{graph}: agrees with torch")


@command(
    "lineage",
    "where a registered model comes from, and the commands that make it again",
    (("uri",), {"help": "models:/NAME@ALIAS or models:/NAME/VERSION"}),
    (("--verify",), {"action": "store_true", "help": "hash model and data again; fails where they changed"}),
)
def _lineage(arguments: Arguments) -> None:
    from autoencoders.tracking import store
    from autoencoders.tracking.lineage import lineage, verify

    client = store.open_store()
    print(*(f"{name:14} {value}" for name, value in lineage(client, arguments.uri).items()), sep="\n")
    if arguments.verify and (changed := verify(client, arguments.uri)):
        raise UserError("\n".join(["changed since the model was made:", *changed]))
    print("verified: model, source and prepared data are as they were" if arguments.verify else "")


@command("drift", "compare new data with the training data", FILE, MODEL)
def _drift(arguments: Arguments) -> None:
    from rich.console import Console

    from autoencoders.data.prepared import load_prepared
    from autoencoders.drift import drift, told
    from autoencoders.params import load_params
    from autoencoders.tracking.registry import present
    from autoencoders.tracking.runs import Runs

    data, uri = load_prepared(DATA), arguments.model or f"models:/{present().name}@champion"
    found = drift(champion(uri), arguments.file, data, load_params().evaluate.false_alarm_rate)
    Console().print(told(found))
    run = Runs(data.description).log_drift(
        uri,
        str(arguments.file),
        found.table.to_csv(index=False),
        {"score_distance": float(found.table["statistic"][0]), "moved": len(found.moved), "alarms": found.alarms},
    )
    moved = ", ".join(found.moved) or "nothing"
    print(f"moved: {moved}; {found.alarms:.1%} of {found.rows} rows count as anomalies; MLflow run {run}")


if __name__ == "__main__":
    main()
