"""Commands by which a registered model answers: about the rows of a file, or with new rows."""

from pathlib import Path

import click

from autoencoders.commands.options import FILE, MODEL, MODELS, OUT, named_models
from autoencoders.core.paths import DATA

HELP = {
    "score": "how unusual each row is, and why: score, percentile, p-value, verdict, reasons",
    "encode": "each row's code",
    "reconstruct": "each row rebuilt from its code",
    "denoise": "each row without its noise",
    "interpolate": "rows on the line between the first and the second row's code, and so on",
    "decode": "rows of codes in an .npy",
}


def operation_command(op: str) -> click.Command:
    """Returns the command that answers one operation for every row of a file."""

    @click.command(op, help=HELP[op])
    @FILE
    @OUT
    @MODELS
    def command(file: Path, out: Path, model: tuple[str, ...]) -> None:
        _answer(op, file, out, model)

    return command


def _answer(op: str, file: Path, out: Path, model: tuple[str, ...]) -> None:
    """Writes the answers for a file's rows. The names of both files are checked first."""
    from autoencoders.serving.request import check_input, check_output

    check_input(file)
    check_output(out)
    from autoencoders.params.params import load_params
    from autoencoders.registry.answering import introduce, load_for
    from autoencoders.registry.sources import goal_note, id_note
    from autoencoders.serving.answers import answer_file

    params = load_params()
    introduction = introduce(model, params.data)
    answering = load_for(op, introduction.uris)
    n = answer_file(answering, op, file, out, params.evaluate.false_alarm_rate)
    notes = []
    if not model:
        notes.append(id_note(params.data, answering.description.schema.id_column))
    if op == "score":
        notes.append(goal_note(answering.descriptions))
    lines = [*introduction.lines, *(note for note in notes if note)]
    print(*lines, f"{out}: {n} rows", sep="\n")


OPERATIONS = [operation_command(op) for op in HELP]


@click.command()
@click.option("-n", default=64, show_default=True)
@OUT
@MODEL
def sample(n: int, out: Path, model: str | None) -> None:
    """New rows from a variational model."""
    from autoencoders.serving.request import check_output

    check_output(out)
    from autoencoders.params.params import load_params
    from autoencoders.registry.answering import introduce, load_for
    from autoencoders.serving.answers import write
    from autoencoders.serving.inference import answer

    introduction = introduce(named_models(model), load_params().data)
    print(*introduction.lines, sep="\n")
    trained = load_for("sample", introduction.uris).trained
    rows = answer(trained, "sample", None, n=n)
    write([rows], out, trained)
    print(f"{out}: {n} samples")


@click.command()
@FILE
@MODEL
def drift(file: Path, model: str | None) -> None:
    """Compare new data with the training data."""
    from autoencoders.serving.request import check_input

    check_input(file)
    from autoencoders.data.prepared.prepared import load_prepared
    from autoencoders.params.params import load_params
    from autoencoders.registry.answering import introduce, load_answering, locate
    from autoencoders.serving.drift import drift, summary
    from autoencoders.serving.drift_run import log_drift

    data = load_prepared(DATA)
    params = load_params()
    introduction = introduce(named_models(model), params.data)
    print(*introduction.lines, sep="\n")
    (uri,) = introduction.uris
    located = locate(uri)
    result = drift(load_answering(located), file, data, params.evaluate.false_alarm_rate)
    print(summary(result))
    run = log_drift(result, located.uri, file, data.description)
    moved = ", ".join(result.moved) or "nothing"
    alarms = f"{result.alarms:.1%} of {result.rows} rows count as anomalies"
    print(f"moved: {moved}; {alarms}; MLflow run {run}")
