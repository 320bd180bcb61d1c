"""The command that says before a run what each stage will do, and about how long it takes."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.table import Table

    from autoencoders.experiments.estimate import Stage

PIPED_WIDTH = 120  # characters of a line where no terminal says its own
UNKNOWN = (
    "The data is not known yet: `dvc repro preprocess` fetches and prepares it, "
    "then `ae estimate` knows its size."
)
NOTE = (
    "Stages that DVC finds unchanged take no time; `dvc status` names the others.\n"
    "The seconds of the last run of each stage stand under `last time`."
)
ESTIMATE_HELP = (
    "Show what each stage of a run will do, how many trainings that are, and about how long it "
    "takes on this machine. A few seconds of trainings are timed for it; nothing is written. "
    "After a run, the real times stand beside the estimate."
)


@click.command("estimate", help=ESTIMATE_HELP)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="types side by side, as in `make repro JOBS=2`",
)
def estimate(jobs: int) -> None:
    """Prints a table of the stages, the total times, and what to do next."""
    from autoencoders.commands.terminal import plain_console
    from autoencoders.core.machine import usable_cores
    from autoencoders.core.stage_times import last_times
    from autoencoders.data.sources.source import check
    from autoencoders.experiments.estimate import counted, duration, in_turn, side_by_side, stages
    from autoencoders.experiments.probe import known_size, now, paces, slowness, trainings
    from autoencoders.params.params import load_params

    begin = now()
    params = load_params()
    check(params.data)
    size = known_size(params.data)
    params.check(size and size.facts)
    if size is None:
        print(UNKNOWN)
        return
    planned = trainings(params, size.facts)
    probed = paces([one.plan for one in planned], size)
    ratio = slowness(begin)
    listed = stages(params, planned, probed, size.rows, ratio)
    times = {stage.name: stage.seconds for stage in listed}
    console = plain_console()
    if not console.is_terminal:
        console.width = PIPED_WIDTH
    console.print(table(listed, last_times()))
    most = "at most " if any(stage.ends_early for stage in listed) else ""
    jobs = min(jobs, usable_cores(), len(planned))
    plain = duration(in_turn(times, ratio))
    parallel = duration(side_by_side(times, jobs, ratio))
    print(f"\n`dvc repro`: {most}{plain}, one stage after the other")
    print(f"`make repro`: {most}{parallel}, {counted(jobs, 'type')} at a time")
    print(f"\n{NOTE}\n\nNext: make repro")


def table(stages: "Sequence[Stage]", last: Mapping[str, float]) -> "Table":
    """A line for each stage and their sum. last: seconds of the stages' last runs, by name."""
    from rich.table import Table

    from autoencoders.experiments.estimate import duration

    result = Table(box=None)
    for name in ("stage", "does"):
        result.add_column(name)
    for name in ("trainings", "about", "last time"):
        result.add_column(name, justify="right")
    for stage in stages:
        trainings = f"{stage.trainings:,}" if stage.trainings else ""
        about = duration(stage.seconds)
        if stage.ends_early:
            about = f"at most {about}"
        real = duration(last[stage.name]) if stage.name in last else ""
        result.add_row(stage.name, stage.does, trainings, about, real)
    n_trainings = sum(stage.trainings for stage in stages)
    total = sum(stage.seconds for stage in stages)
    real = ""
    if all(stage.name in last for stage in stages):
        real = duration(sum(last[stage.name] for stage in stages))
    result.add_row("all stages", "", f"{n_trainings:,}", duration(total), real)
    return result
