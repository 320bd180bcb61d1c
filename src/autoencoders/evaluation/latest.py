"""The leaderboard of the last evaluation, read from its file."""

from rich.table import Table

from autoencoders.core.errors import UserError
from autoencoders.core.files import AGAIN, read_json
from autoencoders.core.paths import DESCRIPTION, LEADERBOARD
from autoencoders.evaluation.report import table
from autoencoders.evaluation.row import read_rows
from autoencoders.params.params import load_params


def latest_leaderboard() -> Table:
    """The leaderboard for a terminal. Raises UserError where there is none, or a damaged one."""
    if not LEADERBOARD.exists():
        raise UserError(f"{LEADERBOARD}: no such file; `dvc repro` makes it")
    title = f"{_data_name()}: test split, best first"
    try:
        return table(read_rows(LEADERBOARD), title)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{LEADERBOARD}: not what evaluate wrote ({error!r}); {AGAIN}") from error


def _data_name() -> str:
    """The name of the prepared data; params.yaml may name another data set by now."""
    if DESCRIPTION.exists():
        return str(read_json(DESCRIPTION)["name"])
    return load_params().data.title
