"""Commands that train, and the page of all studies."""

import signal

import click

from autoencoders.commands.options import HOST


def outlive_broken_pipes() -> None:
    """Lets a command go on when a page is closed as it loads, or its writer of runs is killed."""
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)


@click.command()
@click.option("--port", default=8080, show_default=True)
@HOST
def dashboard(port: int, host: str) -> None:
    """Start optuna-dashboard on this machine: every study and trial."""
    from autoencoders.params.params import load_params
    from autoencoders.tuning.storage import dashboard

    outlive_broken_pipes()
    dashboard(load_params().tune.storage, host, port)


@click.command()
@click.option("--join", "model_type", metavar="TYPE", required=True)
def tune(model_type: str) -> None:
    """Add a worker to a running study."""
    from autoencoders.params.params import load_params
    from autoencoders.tuning.tune import join

    outlive_broken_pipes()
    join(model_type, load_params())


@click.command()
def rate_distortion() -> None:
    """Train each type at each code size of rate_distortion.code_sizes."""
    from autoencoders.experiments.rate_distortion import rate_distortion
    from autoencoders.params.params import load_params

    outlive_broken_pipes()
    rate_distortion(load_params())


@click.command()
@click.argument("name")
@click.option("--seed", type=int, help="another seed than params.yaml's")
def experiment(name: str, seed: int | None) -> None:
    """Run the pipeline with the values of experiments/NAME.yaml, in a workspace of its own."""
    from autoencoders.experiments.workspace import run

    overrides = {}
    if seed is not None:
        overrides["seed"] = seed
    folder = run(name, overrides)
    results = "metrics/leaderboard.json, reports/index.html, model/"
    print(f"\n{folder}: {results}; its runs are in `ae ui`")
