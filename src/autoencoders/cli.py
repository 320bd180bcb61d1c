"""The `ae` command: what a user asks between two runs of the pipeline.

Each verb imports what it needs, calls it, and prints.
"""

import signal
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from autoencoders.core.errors import UserError
from autoencoders.core.paths import DATA
from autoencoders.tracking.errors import store_errors

if TYPE_CHECKING:
    from autoencoders.params.params import Params
    from autoencoders.registry.registry import Registry

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
NEXT = """
Next:
  make ui                                   compare the runs in MLflow
  xdg-open reports/index.html               figures of every model
  ae registry history                       why the champion is the champion
  make dashboard                            every trial of the studies
  dvc exp run -S tune.n_trials=40           tune longer; `dvc exp show` lists what you tried
(`. .venv/bin/activate` first, for ae and dvc)"""


def main() -> None:
    """Runs the command that the shell gave. Raises UserError."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # of `ae ... | head`
    if not Path("dvc.yaml").exists() and not {"-h", "--help"} & {*sys.argv}:
        raise UserError("no dvc.yaml here; run `ae` from the repository's root")
    with store_errors():
        ae(prog_name="ae")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
def ae() -> None:
    """Autoencoder pipeline: results, answers, studies, registry."""


def _params() -> "Params":
    from autoencoders.params.params import load_params

    return load_params()


def _outlive_broken_pipes() -> None:
    """Lets a command go on when a page is closed as it loads, or its writer of runs is killed."""
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)


@ae.command()
def leaderboard() -> None:
    """Print the last evaluation's leaderboard and what to do next."""
    from rich.console import Console

    from autoencoders.evaluation.latest import latest_leaderboard

    Console().print(latest_leaderboard())
    print(NEXT)


@ae.command("params")
@click.argument("model_type", metavar="[TYPE]", required=False)
def show_params(model_type: str | None) -> None:
    """Print the values of a type's training (of every type, without one), and where each
    comes from.
    """
    from rich.console import Console
    from rich.table import Table

    from autoencoders.core.paths import TUNED, TUNED_VALUES
    from autoencoders.data.known import known_facts
    from autoencoders.params.listing import listed
    from autoencoders.params.tuned import tuned_values

    params = _params()
    facts = known_facts(params.data)
    size = f": {facts.n_features} features, {facts.rows} training rows" if facts else ""
    for name in [model_type] if model_type else params.kinds:
        is_tuned = (TUNED / name / TUNED_VALUES).exists()
        table = Table("value", "is", "from", title=f"{name}{size}", title_justify="left", box=None)
        for line in listed(params, name, facts, tuned_values(name) if is_tuned else {}):
            table.add_row(*line)
        Console().print(table)
    if facts is None:
        print(
            f"\nThe data is not known yet: `dvc repro preprocess` makes {DATA}, "
            "then every `auto` has its value."
        )


@ae.command()
@click.option("--port", default=5000, show_default=True)
@HOST
def ui(port: int, host: str) -> None:
    """Start the MLflow UI on this machine."""
    from autoencoders.serving import servers

    servers.prepare_ui()
    print(f"MLflow UI on http://{host}:{port}, Ctrl-C ends it", flush=True)
    servers.become("server", host, port)


@ae.command()
@click.option("--port", default=8080, show_default=True)
@HOST
def dashboard(port: int, host: str) -> None:
    """Start optuna-dashboard on this machine: every study and trial."""
    from autoencoders.tuning.storage import dashboard

    _outlive_broken_pipes()
    dashboard(_params().tune.storage, host, port)


@ae.command()
@click.option("--join", "model_type", metavar="TYPE", required=True)
def tune(model_type: str) -> None:
    """Add a worker to a running study."""
    from autoencoders.tuning.tune import join

    _outlive_broken_pipes()
    join(model_type, _params())


@ae.command()
def rate_distortion() -> None:
    """Train each type at each code size of rate_distortion.code_sizes."""
    from autoencoders.experiments.rate_distortion import rate_distortion

    _outlive_broken_pipes()
    rate_distortion(_params())


@ae.command()
@click.argument("name")
@click.option("--seed", type=int, help="another seed than params.yaml's")
def experiment(name: str, seed: int | None) -> None:
    """Run the pipeline with the values of experiments/NAME.yaml, in a workspace of its own."""
    from autoencoders.experiments.workspace import run

    folder = run(name, {} if seed is None else {"seed": seed})
    results = "metrics/leaderboard.json, reports/index.html, model/"
    print(f"\n{folder}: {results}; its runs are in `ae ui`")


@ae.group()
def registry() -> None:
    """The champion, and every decision about it."""


def _registry(*, writing: bool = True) -> "Registry":
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
    """Make a version the champion; with --best, the present state's best model, if it beats
    the champion.
    """
    if best == (version is not None):
        raise UserError("ae registry promote: give a VERSION, or --best")
    if version is not None:
        print(_registry().promote_by_hand(version, reason).told())
        return
    from autoencoders.registry.promotion import promote_best

    print(promote_best())


def _answer(op: str, file: Path, out: Path, model: tuple[str, ...]) -> None:
    from autoencoders.serving.request import check_input, check_output

    check_input(file)
    check_output(out)
    from autoencoders.registry.answering import load_for
    from autoencoders.serving.answers import answer_file

    rate = _params().evaluate.false_alarm_rate
    n = answer_file(load_for(op, model), op, file, out, rate)
    print(f"{out}: {n} rows")


for _op, _about in ANSWERS.items():
    ae.command(_op, help=_about)(FILE(OUT(MODELS(partial(_answer, _op)))))


@ae.command()
@click.option("-n", default=64, show_default=True)
@OUT
@MODEL
def sample(n: int, out: Path, model: str | None) -> None:
    """New rows from a variational model."""
    from autoencoders.serving.request import check_output

    check_output(out)
    from autoencoders.registry.answering import load_answering, locate
    from autoencoders.serving.answers import write
    from autoencoders.serving.inference import answer
    from autoencoders.serving.served import trained_model

    trained = trained_model(load_answering(locate(model)))
    write([answer(trained, "sample", None, n=n)], out, trained)
    print(f"{out}: {n} samples")


@ae.command()
@click.option("--port", default=5001, show_default=True)
@HOST
@MODEL
def serve(port: int, host: str, model: str | None) -> None:
    """Serve a model over HTTP on this machine."""
    from autoencoders.registry.answering import locate
    from autoencoders.serving import servers

    located = locate(model)
    servers.prepare_model_server(located.graph)
    print(f"{located.uri} on http://{host}:{port}/invocations, Ctrl-C ends it", flush=True)
    servers.become("models serve", host, port, "--env-manager", "local", "-m", located.uri)


@ae.command()
@MODEL
def export(model: str | None) -> None:
    """Write a model as an ONNX graph, by which score and serve answer from then on."""
    from autoencoders.registry.answering import locate
    from autoencoders.registry.versions import loaded
    from autoencoders.serving.onnx import export

    located = locate(model)
    export(loaded(located.uri, located.folder), located.graph)
    print(f"{located.graph}: agrees with torch")


@ae.command()
@click.argument("uri")
@click.option("--verify", is_flag=True, help="hash model and data again; fails where they changed")
def lineage(uri: str, verify: bool) -> None:
    """Where a registered model comes from, and the commands that make it again. URI:
    models:/NAME@ALIAS or VERSION.
    """
    from autoencoders.registry import lineage
    from autoencoders.tracking.runs import connected

    client = connected(writing=False)
    for name, value in lineage.lineage(client, uri).items():
        print(f"{name:14} {value}")
    changes = lineage.verify(client, uri) if verify else []
    if changes:
        raise UserError("\n".join(["changed since the model was made:", *changes]))
    print("verified: model, source and prepared data are as they were" if verify else "")


@ae.command()
@click.option(
    "--fix", is_flag=True, help="mend what can be mended; nothing is deleted, files are moved aside"
)
@click.option("--before-repro", is_flag=True, hidden=True, help="what `make repro` checks first")
def doctor(fix: bool, before_repro: bool) -> None:
    """Check what may be wrong here, and say how to mend it. Exits with 1 where something is
    wrong.
    """
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
    mendable = [finding.name for finding in wrong if finding.fix]
    if mendable:
        print(f"`ae doctor --fix` mends {', '.join(mendable)}")
    sys.exit(1 if wrong else 0)


@ae.command()
@FILE
@MODEL
def drift(file: Path, model: str | None) -> None:
    """Compare new data with the training data."""
    from autoencoders.serving.request import check_input

    check_input(file)
    from autoencoders.data.prepared.prepared import load_prepared
    from autoencoders.registry.answering import load_answering, locate
    from autoencoders.serving.drift import drift, summary
    from autoencoders.serving.drift_run import log_drift

    data = load_prepared(DATA)
    located = locate(model)
    rate = _params().evaluate.false_alarm_rate
    result = drift(load_answering(located), file, data, rate)
    print(summary(result))
    run = log_drift(result, located.uri, file, data.description)
    moved = ", ".join(result.moved) or "nothing"
    alarms = f"{result.alarms:.1%} of {result.rows} rows count as anomalies"
    print(f"moved: {moved}; {alarms}; MLflow run {run}")
