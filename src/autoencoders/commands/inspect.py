"""The command that shows how a file would be read, before any run."""

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from autoencoders.commands.options import FILE

if TYPE_CHECKING:
    from autoencoders.data.preparation.decision import Decision
    from autoencoders.data.preparation.inspection import InspectedColumn, Inspection
    from autoencoders.data.preparation.mends import Mends
    from autoencoders.data.readers.reader import Reader
    from autoencoders.params.sections import Data

MOST_REHEARSED = 10_000_000  # values of a source that is read again as preprocess reads it
PIPED_WIDTH = 160  # characters of a line where no terminal says its own
INSPECT_HELP = (
    "Show how a file is read, column by column, and what would be refused. FILE: a table, an "
    "array, a folder of images or an archive."
)


@click.command("inspect", help=INSPECT_HELP)
@FILE
def inspect_file(file: Path) -> None:
    """Prints a table of the columns, notes, then problems and the options that mend them."""
    from autoencoders.data.preparation.inspection import Inspection
    from autoencoders.data.preparation.mends import Mends, option
    from autoencoders.data.preparation.plan import text_settings
    from autoencoders.data.readers.opening import open_reader
    from autoencoders.data.sources.archive import unpacked
    from autoencoders.params.params import load_params

    data = load_params().data.model_copy(update={"path": str(file)})
    problems: list[str] = []
    mends = Mends()
    with unpacked(file) as path:
        reader = open_reader(path, image_side=data.image_side, text=text_settings(data))
        print(f"{file}: {reader.description}", flush=True)
        _show_lines(reader.notes)
        notes = []
        if reader.is_table:
            inspection = Inspection(reader, data)
            _read(inspection)
            decision = inspection.decide()
            _show_columns(inspection, decision)
            refused = inspection.problems(decision)
            problems = [f"column {name}: {reason}" for name, reason in refused.items()]
            mends = inspection.mends(decision)
            notes = decision.notes
            n_values = inspection.n * len(reader.names)
        else:
            n_values = _show_arrays(reader)
        told, refusal = _rehearsal(file, path, data.model_copy(update=mends.values()), n_values)
    if told and not problems:
        notes = [note for note in told if note not in reader.notes]
    _show_lines(notes)
    problems += refusal
    run = f"dvc exp run {option(f'data.path={file}')}"
    if not problems:
        print(f"\nNext: {run}")
        return
    print(f"\nRefused, until the file or the parameters are changed ({len(problems)}):")
    _show_lines(problems)
    if mends:
        _show_mends(mends, run, are_enough=not refusal)
    sys.exit(1)


def _rehearsal(file: Path, path: Path, data: "Data", n_values: int) -> tuple[list[str], list[str]]:
    """The notes of a preparation of which nothing is written, or why it is refused.

    Both are empty, and that is told, where the source holds too many values. path: of the file, or
    of what an archive holds. data: with the parameters that mend it.
    """
    if n_values > MOST_REHEARSED:
        print("  so many values that splits and ranges are left to preprocess")
        return [], []
    from autoencoders.core.errors import DataError
    from autoencoders.data.preparation.plan import rehearse
    from autoencoders.data.sources.origin import Origin
    from autoencoders.data.sources.source import check

    origin = Origin(npz=file.suffix.lower() == ".npz")
    try:
        check(data)
        return rehearse(path, data, origin), []
    except DataError as error:
        return [], str(error).replace(str(path), str(file)).splitlines()


def _show_lines(lines: list[str]) -> None:
    """Prints notes or problems, but not thousands of them."""
    from autoencoders.commands.terminal import printable
    from autoencoders.data.preparation.overview import MOST_LINES

    for line in lines[:MOST_LINES]:
        print(f"  {printable(line)}", flush=True)
    if len(lines) > MOST_LINES:
        print(f"  and {len(lines) - MOST_LINES} more")


def _show_mends(mends: "Mends", run: str, *, are_enough: bool) -> None:
    """Prints the parameters that mend columns. are_enough: whether the file is then taken."""
    so = "Or so" if are_enough else "The columns are mended so, but not the rest"
    if mends.can_be_options:
        print(f"\n{so}: {run} {' '.join(mends.options())}")
    else:
        print(f"\n{so}, in params.yaml, as -S can't pass these names:")
        print(mends.yaml(), end="")


def _show_arrays(reader: "Reader") -> int:
    """Prints the number of rows that are no table, and returns that of their values."""
    n = 0
    n_values = 0
    for batch, _ in reader.batches():
        n += len(batch)
        n_values += math.prod(batch.shape)
    print(f"  {n} rows")
    return n_values


def _read(inspection: "Inspection") -> None:
    """Reads all rows, with a progress bar in a terminal."""
    from tqdm import tqdm

    with tqdm(desc="inspect", unit="row", unit_scale=True, disable=None, leave=False) as bar:
        for n in inspection.read():
            bar.update(n - bar.n)


def _show_columns(inspection: "Inspection", decision: "Decision") -> None:
    """Prints a line for each column; of a wide table, for some of each type and treatment."""
    import shutil

    from rich.table import Table

    from autoencoders.commands.terminal import plain_console
    from autoencoders.data.preparation.overview import groups

    table = Table("column", "type", "values", "missing", "examples", "is", box=None)
    for group in groups(inspection.columns(decision)):
        for column in group.listed:
            table.add_row(*_cells(column))
        if group.n_others:
            table.add_row(f"and {group.n_others} more", group.type, "", "", "", group.treatment)
    console = plain_console()
    if not console.is_terminal:
        console.width = shutil.get_terminal_size((PIPED_WIDTH, 24)).columns
    console.print(table)
    print(f"{inspection.n} rows, {len(inspection.statistics)} columns")


def _cells(column: "InspectedColumn") -> tuple[str, ...]:
    """The cells of a column's line."""
    from autoencoders.commands.terminal import printable

    examples = ", ".join(printable(example[:20]) for example in column.examples)
    missing = str(column.missing) if column.missing else ""
    treatment = printable(column.treatment)
    return printable(column.name), column.type, column.values, missing, examples, treatment
