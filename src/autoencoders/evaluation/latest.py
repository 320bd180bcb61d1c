"""The leaderboard of the last evaluation, read from its file."""

from rich.table import Table

from autoencoders.core.errors import UserError
from autoencoders.core.files import AGAIN, read_json
from autoencoders.core.paths import DATA, METRICS
from autoencoders.evaluation.report import table
from autoencoders.evaluation.row import read_rows
from autoencoders.params.params import load_params


def latest_leaderboard() -> Table:
    """The leaderboard for a terminal. Raises UserError where there is none, or a damaged one."""
    path = METRICS / "leaderboard.json"
    if not path.exists():
        raise UserError(f"{path}: no such file; `dvc repro` makes it")
    title = f"{_data_name()}: test split, best first"
    try:
        return table(read_rows(path), title)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: not what evaluate wrote ({error!r}); {AGAIN}") from error


def _data_name() -> str:
    """The name of the prepared data; params.yaml may name another data set by now."""
    description = DATA / "prepared.json"
    if description.exists():
        return str(read_json(description)["name"])
    return load_params().data.title
