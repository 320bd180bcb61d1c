"""The command that shows how a file would be read, before any run."""

import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from autoencoders.commands.options import FILE

if TYPE_CHECKING:
    from autoencoders.data.preparation.columns import Decision
    from autoencoders.data.preparation.inspection import InspectedColumn, Inspection
    from autoencoders.data.readers.reader import Reader

PIPED_WIDTH = 160  # characters of a line where no terminal says its own
INSPECT_HELP = (
    "Show how a file is read, column by column, and what would be refused. FILE: a table, an "
    "array, a folder of images or an archive."
)


@click.command("inspect", help=INSPECT_HELP)
@FILE
def inspect_file(file: Path) -> None:
    """Prints a table of the columns, then problems and the options that mend them."""
    from autoencoders.data.preparation.inspection import Inspection
    from autoencoders.data.preparation.mends import option
    from autoencoders.data.preparation.overview import MOST_LINES
    from autoencoders.data.preparation.prepare import text_settings
    from autoencoders.data.prepared.prepared import shown_notes
    from autoencoders.data.readers.opening import open_reader
    from autoencoders.data.sources.archive import unpacked
    from autoencoders.params.params import load_params

    data = load_params().data.model_copy(update={"path": str(file)})
    with unpacked(file) as path:
        reader = open_reader(path, image_side=data.image_side, text=text_settings(data))
        print(f"{file}: {reader.description}", flush=True)
        for note in shown_notes(reader.notes):
            print(f"  {note}", flush=True)
        if not reader.is_table:
            _show_arrays(reader)
            return
        inspection = Inspection(reader, data)
        _read(inspection)
    decision = inspection.decide()
    _show_columns(inspection, decision)
    run = f"dvc exp run {option(f'data.path={file}')}"
    problems = inspection.problems(decision)
    if not problems:
        print(f"\nNext: {run}")
        return
    print(f"\nRefused, until the file or the parameters are changed ({len(problems)}):")
    for name, reason in islice(problems.items(), MOST_LINES):
        print(f"  column {name}: {reason}")
    if len(problems) > MOST_LINES:
        print(f"  and {len(problems) - MOST_LINES} more")
    mends = inspection.mends(decision)
    if mends.can_be_options:
        print(f"\nOr so: {run} {' '.join(mends.options())}")
    else:
        print("\nOr so, in params.yaml, as -S can't pass these names:")
        print(mends.yaml(), end="")
    sys.exit(1)


def _show_arrays(reader: "Reader") -> None:
    """Prints the number of rows that are no table."""
    n = sum(len(batch) for batch, _ in reader.batches())
    print(f"  {n} rows")


def _read(inspection: "Inspection") -> None:
    """Reads all rows, with a progress bar in a terminal."""
    from tqdm import tqdm

    with tqdm(desc="inspect", unit="row", unit_scale=True, disable=None, leave=False) as bar:
        for n in inspection.read():
            bar.update(n - bar.n)


def _show_columns(inspection: "Inspection", decision: "Decision") -> None:
    """Prints a line for each column; of a wide table, for some of each type and treatment."""
    import shutil

    from rich.console import Console
    from rich.table import Table

    from autoencoders.data.preparation.overview import groups

    table = Table("column", "type", "values", "missing", "examples", "is", box=None)
    for group in groups(inspection.columns(decision)):
        for column in group.listed:
            table.add_row(*_cells(column))
        if group.n_others:
            table.add_row(f"and {group.n_others} more", group.type, "", "", "", group.treatment)
    console = Console()
    if not console.is_terminal:
        console.width = shutil.get_terminal_size((PIPED_WIDTH, 24)).columns
    console.print(table)
    print(f"{inspection.n} rows, {len(inspection.statistics)} columns")


def _cells(column: "InspectedColumn") -> tuple[str, ...]:
    """The cells of a column's line."""
    examples = ", ".join(example[:20] for example in column.examples)
    missing = str(column.missing) if column.missing else ""
    return column.name, column.type, column.values, missing, examples, column.treatment
