"""A user's tables, prepared as the stages do it, and answers that are tables."""

from pathlib import Path

import pandas as pd

from autoencoders.data.preparation.prepare import prepare
from autoencoders.data.prepared.prepared import Prepared, load_prepared
from autoencoders.data.sources.source import download
from autoencoders.params.params import Params


def prepared_table(
    params: Params, frame: pd.DataFrame, folder: Path, **settings: object
) -> tuple[Params, Prepared]:
    """The table, prepared in the folder beside its CSV file, and the parameters that name it.

    settings: further values of the data section.
    """
    frame.to_csv(folder / "table.csv", index=False)
    values = {"name": "table", "path": str(folder / "table.csv"), **settings}
    changed = params.override({f"data.{name}": value for name, value in values.items()})
    download(changed.data, folder / "raw")
    prepare(folder / "raw", folder / "prepared", changed.data)
    return changed, load_prepared(folder / "prepared")


def table_of(answer: object) -> pd.DataFrame:
    """An answer that has columns."""
    assert isinstance(answer, pd.DataFrame)
    return answer
