"""The `ae` command: what a user asks between two runs of the pipeline. Each command imports what it needs, no more."""

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import click

from autoencoders.core.errors import UserError
from autoencoders.core.paths import DATA, METRICS, RESUME, repository

HOST = click.option(
    "--host", default="127.0.0.1", show_default=True, help="the default: from this machine alone"
)
MODEL = click.option(
    "--model", help="default: models:/autoencoder-NAME@champion of the data in params.yaml"
)
MODELS = click.option(
    "--model", multiple=True, help="as elsewhere; several: the mean of their scores"
)
FILE = click.argument("file", type=click.Path(path_type=Path))
OUT = click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help=".csv, .parquet, .npy; of images also .png",
)
ANSWERS = {
    "score": "how unusual each row is, and why: score, percentile, p-value, verdict, reasons",
    "encode": "each row's code",
    "reconstruct": "each row rebuilt from its code",
    "denoise": "each row without its noise",
    "interpolate": "rows on the line between the first and the second row's code, and so on",
    "decode": "rows of codes in an .npy",
}


def main() -> None:
    """Runs the command that the shell gave. Raises UserError."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # of `ae ... | head`
    if not Path("dvc.yaml").exists() and not {"-h", "--help"} & {*sys.argv}:
        raise UserError("no dvc.yaml here; run `ae` from the repository's root")
    with store_errors():
        ae(prog_name="ae")


@contextmanager
def store_errors() -> Iterator[None]:
    """Shows what the MLflow store refuses as one message; imports mlflow only where a command has done so."""
    try:
        yield
    except Exception as error:
        if "mlflow" not in sys.modules:
            raise
        from autoencoders.tracking import store

        if not isinstance(error, (*store.StoreError, ImportError)):
            raise
        raise UserError(store.explained(error)) from error


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
def ae() -> None:
    """Autoencoder pipeline: results, answers, studies, registry."""


def _params() -> Any:
    from autoencoders.params.params import load_params

    return load_params()


@ae.command()
def leaderboard() -> None:
    """Print the last evaluation's leaderboard and what to do next."""
    from rich.console import Console

    from autoencoders.core.files import AGAIN, read_json
    from autoencoders.evaluation.report import table

    path = METRICS / "leaderboard.json"
    if not path.exists():
        raise UserError(f"{path}: no such file; `dvc repro` makes it")
    data = DATA / "prepared.json"  # params.yaml may name another one by now
    name = read_json(data)["name"] if data.exists() else _params().data.title
    try:
        shown = table(read_json(path), f"{name}: test split, best first")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: not what evaluate wrote ({error!r}); {AGAIN}") from error
    Console().print(shown)
    print(
        "\nNext:\n"
        "  make ui                                   compare the runs in MLflow\n"
        "  xdg-open reports/index.html               figures of every model\n"
        "  ae registry history                       why the champion is the champion\n"
        "  make dashboard                            every trial of the studies\n"
        "  dvc exp run -S tune.n_trials=40           tune longer; `dvc exp show` lists what you tried\n"
        "(`. .venv/bin/activate` first, for ae and dvc)"
    )


@ae.command("params")
@click.argument("model_type", metavar="[TYPE]", required=False)
def show_params(model_type: str | None) -> None:
    """Print the values of a type's training (of every type, without one), and where each comes from."""
    from rich.console import Console
    from rich.table import Table

    from autoencoders.core.paths import TUNED, TUNED_VALUES
    from autoencoders.data.prepared.prepared import load_description
    from autoencoders.data.sources.source import facts
    from autoencoders.params.listing import listed
    from autoencoders.params.tuned import tuned_values

    params = _params()
    is_prepared = (DATA / "prepared.json").exists()
    known = load_description(DATA).facts if is_prepared else facts(params.data)
    for name in [model_type] if model_type else params.kinds:
        found = tuned_values(name) if (TUNED / name / TUNED_VALUES).exists() else {}
        title = (
            f"{name}: {known.n_features} features, {known.rows} training rows" if known else name
        )
        table = Table("value", "is", "from", title=title, title_justify="left", box=None)
        for line in listed(params, name, known, found):
            table.add_row(*line)
        Console().print(table)
    if known is None:
        print(
            f"\nThe data is not known yet: `dvc repro preprocess` makes {DATA}, then every `auto` has its value."
        )


@ae.command()
@click.option("--port", default=5000, show_default=True)
@HOST
def ui(port: int, host: str) -> None:
    """Start the MLflow UI on this machine."""
    from autoencoders.tracking import address
    from autoencoders.tracking.runs import connected

    uri = address.uri()
    if address.is_server(uri):
        raise UserError(
            f"MLFLOW_TRACKING_URI = {address.hidden(uri)}: a server, which shows its UI there"
        )
    connected()
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    os.environ["MLFLOW_BACKEND_STORE_URI"] = (
        uri  # no option: all users see a process's options, and its password
    )
    print(f"MLflow UI on http://{host}:{port}, Ctrl-C ends it", flush=True)
    _become_mlflow("server", host, port)


def _become_mlflow(command: str, host: str, port: int, *options: str) -> None:
    """Goes on as one of MLflow's servers."""
    where = ["--host", host, "--port", str(port), "--workers", "1"]
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", *command.split(), *where, *options])  # noqa: S606


@ae.command()
@click.option("--port", default=8080, show_default=True)
@HOST
def dashboard(port: int, host: str) -> None:
    """Start optuna-dashboard on this machine: every study and trial."""
    from autoencoders.tuning.storage import dashboard

    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # of a page that is closed while it loads
    dashboard(_params().tune.storage, host, port)


@ae.command()
@click.option("--join", "kind", metavar="TYPE", required=True)
def tune(kind: str) -> None:
    """Add a worker to a running study."""
    from autoencoders.tuning.tune import join

    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # of a writer of runs that was killed
    join(kind, _params())


@ae.command()
def rate_distortion() -> None:
    """Train each type at each code size of rate_distortion.code_sizes."""
    from autoencoders.experiments.rate_distortion import rate_distortion

    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    rate_distortion(_params())


@ae.command()
@click.argument("name")
@click.option("--seed", type=int, help="another seed than params.yaml's")
def experiment(name: str, seed: int | None) -> None:
    """Run the pipeline with the values of experiments/NAME.yaml, in a workspace of its own."""
    from autoencoders.experiments.workspace import run

    folder = run(name, {} if seed is None else {"seed": seed})
    print(
        f"\n{folder}: metrics/leaderboard.json, reports/index.html, model/; its runs are in `ae ui`"
    )


@ae.group()
def registry() -> None:
    """The champion, and every decision about it."""


def _registry(*, writing: bool = True) -> Any:
    from autoencoders.registry.registry import present

    return present(writing=writing)


@registry.command()
def history() -> None:
    """Print the ledger: every decision, the oldest first."""
    registry = _registry(writing=False)
    decisions = registry.history()
    for decision in decisions:
        print(decision.told())
    if not decisions:
        print(f"{registry.name}: no decision yet; `dvc repro` makes the first champion")


@registry.command()
def rollback() -> None:
    """Undo the last promotion."""
    print(_registry().rollback().told())


@registry.command()
@click.argument("version", required=False)
@click.option(
    "--best",
    is_flag=True,
    help="the present state's best, if it beats the champion as in `dvc repro`",
)
@click.option("--reason", default="by hand")
def promote(version: str | None, best: bool, reason: str) -> None:
    """Make a version the champion; with --best, the present state's best model, if it beats the champion."""
    if best == (version is not None):
        raise UserError("ae registry promote: give a VERSION, or --best")
    if version is not None:
        print(_registry().promote_by_hand(version, reason).told())
        return
    from autoencoders.registry.promotion import promote_best

    print(promote_best())


def champion(model: str | None = None) -> Any:
    """A registered model by its URI; by default the champion of the data in params.yaml. Raises UserError."""
    from autoencoders.registry.versions import loaded
    from autoencoders.serving.onnx import accelerated

    uri, folder, graph = _located(model)
    return accelerated(loaded(uri, folder), graph)


def _located(model: str | None) -> tuple[str, Path, Path]:
    """A registered model's URI, its folder, and where its ONNX graph is, if it has one."""
    from autoencoders.registry.versions import fetched, model_sha256

    registry = _registry(writing=False)  # also tells mlflow where the store is
    uri = model or f"models:/{registry.name}@champion"
    folder = fetched(uri)
    return uri, folder, repository() / RESUME / "onnx" / f"{model_sha256(folder)}.onnx"


def _answer(op: str, file: Path, out: Path, model: tuple[str, ...]) -> None:
    _check_files(out, file)
    from autoencoders.serving.answers import answer_file
    from autoencoders.serving.ensemble import Ensemble

    first, *others = map(champion, model or (None,))
    if others and (
        op != "score" or any(o.description.schema != first.description.schema for o in others)
    ):
        raise UserError("--model: several models only score, and only rows of the same columns")
    models = Ensemble([first, *others])
    n = answer_file(models, op, file, out, _params().evaluate.false_alarm_rate)
    print(f"{out}: {n} rows")


def _check_files(out: Path | None, file: Path | None = None) -> None:
    """Raises UserError where there is no such file, or answers can't be written as asked, before a model is loaded."""
    from autoencoders.data.sources.source import ANSWERS

    if file and not file.exists():
        raise UserError(f"{file}: no such file or folder")
    if out and (out.suffix not in ANSWERS or out.is_dir()):
        found = "is a folder; " if out.is_dir() else ""
        raise UserError(f"{out}: {found}answers are written as {', '.join(ANSWERS)}")


for _op, _about in ANSWERS.items():
    ae.command(_op, help=_about)(FILE(OUT(MODELS(partial(_answer, _op)))))


@ae.command()
@click.option("-n", default=64, show_default=True)
@OUT
@MODEL
def sample(n: int, out: Path, model: str | None) -> None:
    """New rows from a variational model."""
    _check_files(out)
    from autoencoders.serving.answers import write
    from autoencoders.serving.inference import answer

    trained = champion(model)
    write([answer(trained, "sample", None, n=n)], out, trained)
    print(f"{out}: {n} samples")


@ae.command()
@click.option("--port", default=5001, show_default=True)
@HOST
@MODEL
def serve(port: int, host: str, model: str | None) -> None:
    """Serve a model over HTTP on this machine."""
    from autoencoders.serving.onnx import ONNX_VARIABLE
    from autoencoders.tracking import address

    uri, _, graph = _located(model)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    store = os.environ.get(address.VARIABLE) or address.local()
    os.environ |= {
        ONNX_VARIABLE: str(graph),
        address.VARIABLE: address.without_credentials(store),
        "PATH": path,
    }
    print(f"{uri} on http://{host}:{port}/invocations, Ctrl-C ends it", flush=True)
    _become_mlflow("models serve", host, port, "--env-manager", "local", "-m", uri)


@ae.command()
@MODEL
def export(model: str | None) -> None:
    """Write a model as an ONNX graph, by which score and serve answer from then on."""
    from autoencoders.registry.versions import loaded
    from autoencoders.serving.onnx import export

    uri, folder, graph = _located(model)
    export(loaded(uri, folder), graph)
    print(f"{graph}: agrees with torch")


@ae.command()
@click.argument("uri")
@click.option("--verify", is_flag=True, help="hash model and data again; fails where they changed")
def lineage(uri: str, verify: bool) -> None:
    """Where a registered model comes from, and the commands that make it again. URI: models:/NAME@ALIAS or VERSION."""
    from autoencoders.registry import lineage
    from autoencoders.tracking.runs import connected

    client = connected(writing=False)
    print(*(f"{name:14} {value}" for name, value in lineage.lineage(client, uri).items()), sep="\n")
    if verify and (changed := lineage.verify(client, uri)):
        raise UserError("\n".join(["changed since the model was made:", *changed]))
    print("verified: model, source and prepared data are as they were" if verify else "")


@ae.command()
@click.option(
    "--fix", is_flag=True, help="mend what can be mended; nothing is deleted, files are moved aside"
)
@click.option("--before-repro", is_flag=True, hidden=True, help="what `make repro` checks first")
def doctor(fix: bool, before_repro: bool) -> None:
    """Check what may be wrong here, and say how to mend it. Exits with 1 where something is wrong."""
    from autoencoders.doctor import checks

    if before_repro:
        print(checks.before_repro(), end="")
        return
    findings = checks.examine()
    mended = checks.mend(findings) if fix else []
    if mended:
        print(*mended, sep="\n")
        findings = checks.examine()
    print(*(finding.line() for finding in findings), sep="\n")
    wrong = [finding for finding in findings if finding.problem]
    if any(finding.fix for finding in wrong):
        print(
            "`ae doctor --fix` mends " + ", ".join(finding.name for finding in wrong if finding.fix)
        )
    sys.exit(1 if wrong else 0)


@ae.command()
@FILE
@MODEL
def drift(file: Path, model: str | None) -> None:
    """Compare new data with the training data."""
    _check_files(None, file)
    from autoencoders.data.prepared.prepared import load_prepared
    from autoencoders.serving.drift import drift, summary
    from autoencoders.tracking.runs import Runs

    data, (uri, *_) = load_prepared(DATA), _located(model)
    found = drift(champion(uri), file, data, _params().evaluate.false_alarm_rate)
    print(summary(found))
    with tempfile.TemporaryDirectory() as scratch:
        table = Path(scratch, "drift.csv")
        found.table.to_csv(table, index=False)
        run = Runs(data.description).log_drift(uri, str(file), table, found.metrics())
    moved = ", ".join(found.moved) or "nothing"
    print(
        f"moved: {moved}; {found.alarms:.1%} of {found.rows} rows count as anomalies; MLflow run {run}"
    )
