"""Commands that show the last evaluation and the values of params.yaml."""

import click

from autoencoders.core.paths import DATA, TUNED, TUNED_VALUES

ANSWERS = {  # commands by which the champion answers, by goal
    "anomaly": """
  ae score NEW.csv -o scores.csv            how unusual each row is, and why""",
    "reconstruct": """
  ae encode FILE -o codes.csv               each row's code
  ae reconstruct FILE -o rebuilt.csv        each row rebuilt from its code""",
}
NEXT = """
  xdg-open reports/index.html               figures of every model
  make ui                                   compare the runs in MLflow
  ae registry history                       why the champion is the champion
  make dashboard                            every trial of the studies
  dvc exp run -S ++tune.n_trials=40         tune longer; `dvc exp show` lists what you tried
(`. .venv/bin/activate` first, for ae and dvc)"""
PARAMS_HELP = (
    "Print the values of a type's training (of every type, without one), and where each comes from."
)


@click.command()
def leaderboard() -> None:
    """Print the last evaluation's leaderboard and what to do next."""
    from autoencoders.commands.terminal import plain_console
    from autoencoders.evaluation.latest import latest_evaluation

    latest = latest_evaluation()
    print(*latest.verdict, "", sep="\n")
    plain_console().print(latest.table)
    answers = ANSWERS.get(latest.goal, "") if latest.is_reached else ""
    print(f"\nNext:{answers}{NEXT}")


@click.command("params", help=PARAMS_HELP)
@click.argument("model_type", metavar="[TYPE]", required=False)
@click.option("--all", "everything", is_flag=True, help="every value, its default and meaning")
def show_params(model_type: str | None, everything: bool) -> None:
    """Prints one table of values for each type, or the file with every value."""
    from rich.table import Table

    from autoencoders.commands.terminal import plain_console
    from autoencoders.data.known import known_facts
    from autoencoders.params.listing import full_text, listed
    from autoencoders.params.params import load_params
    from autoencoders.params.tuned import tuned_values

    params = load_params()
    if everything:
        print(full_text(params), end="")
        return
    model_types = params.model_types
    if model_type:
        model_types = [model_type]
    facts = known_facts(params.data)
    size = ""
    if facts:
        size = f": {facts.n_features} features, {facts.rows} training rows"
    for name in model_types:
        tuned = {}
        if (TUNED / name / TUNED_VALUES).exists():
            tuned = tuned_values(name)
        table = Table("value", "is", "from", title=f"{name}{size}", title_justify="left", box=None)
        for line in listed(params, name, facts, tuned):
            table.add_row(*line)
        plain_console().print(table)
    if facts is None:
        print(
            f"\nThe data is not known yet: `dvc repro preprocess` makes {DATA}, "
            "then every `auto` has its value."
        )
