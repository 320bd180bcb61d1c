"""The leaderboard of the last evaluation, read from its file."""

from textwrap import wrap
from typing import NamedTuple

from rich.table import Table

from autoencoders.core.errors import UserError
from autoencoders.core.files import AGAIN, read_json
from autoencoders.core.paths import DESCRIPTION, LEADERBOARD
from autoencoders.evaluation.catalogue import AUROC
from autoencoders.evaluation.report import table
from autoencoders.evaluation.row import Row, read_rows
from autoencoders.evaluation.verdict import INDENT, unearned, verdict
from autoencoders.params.params import load_params

WIDTH = 80  # columns of a terminal


class Latest(NamedTuple):
    """The last evaluation, for a terminal."""

    verdict: list[str]  # lines of at most WIDTH columns; longer commands stay whole
    table: Table
    goal: str  # reconstruct or anomaly; nothing without a row
    is_reached: bool  # whether a type does what it is for well enough to become the champion


def latest_evaluation() -> Latest:
    """The last evaluation. Raises UserError where there is none, or a damaged one."""
    if not LEADERBOARD.exists():
        raise UserError(f"{LEADERBOARD}: no such file; `dvc repro` makes it")
    try:
        return _shown(read_rows(LEADERBOARD))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{LEADERBOARD}: not what evaluate wrote ({error!r}); {AGAIN}") from error


def _shown(rows: list[Row]) -> Latest:
    goal = rows[0].goal if rows else ""
    title = f"{_data_name()}: test split"
    if goal == "reconstruct" or any(row.has(AUROC) for row in rows):
        title += ", best first"
    lines: list[str] = []
    for line in verdict(rows, load_params().tune):
        lines += [line] if line.startswith(INDENT) else wrap(line, WIDTH, break_on_hyphens=False)
    return Latest(lines, table(rows, title), goal, is_reached=not unearned(rows))


def _data_name() -> str:
    """The name of the prepared data; params.yaml may name another data set by now."""
    if DESCRIPTION.exists():
        return str(read_json(DESCRIPTION)["name"])
    return load_params().data.title
