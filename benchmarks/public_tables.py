"""Public tables, as `ae inspect` reads them: how many are read, what is refused, and why.

The CSVs of statsmodels, vega_datasets and pydataset, where these are installed (`make
public-tables`), and ../shared/data/tables, where that folder exists. No package is imported:
pydataset would write into the user's home.
"""

import csv
import random
import tarfile
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from autoencoders.core.errors import DataError
from autoencoders.data.preparation.inspection import InspectedColumn, Inspection
from autoencoders.data.preparation.mends import Mends
from autoencoders.data.preparation.plan import text_settings
from autoencoders.data.readers.opening import open_reader
from autoencoders.params.params import load_params
from autoencoders.params.sections import Data
from common import ROOT

PACKAGES = ("statsmodels", "vega_datasets", "pydataset")
ARCHIVE = "resources.tar.gz"  # in which pydataset keeps its tables
SHARED_TABLES = ROOT / "../shared/data/tables"
HIDDEN = "._"  # how the files begin that macOS adds to archives
ASKS_FOR_HEADER = "data.header: none"  # in the refusal of a file whose first line may be a row
REASONS = (  # by the words that a message holds, of files and of columns
    "looks like a row",
    "its first line has",
    "CSV parse error",
    "holds no rows",
    "no value in it",
    "missing values",
    "among numbers",
    "units differ",
    "may be decimal",
    "spelled in different ways",
)


@dataclass(frozen=True)
class Reading:
    """What the inspection says of one table, or why its file is refused."""

    refusal: str = ""
    rows: int = 0
    columns: dict[str, InspectedColumn] = field(default_factory=dict)  # by name, in order
    notes: list[str] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)  # by column
    mends: Mends = field(default_factory=Mends)


def main() -> None:
    """Prints how many tables are read, how many are refused, and the reasons."""
    missing = missing_packages()
    if missing:
        print(f"not installed: {', '.join(missing)}; `make public-tables` installs them")
    data = load_params(ROOT / "params.yaml").data
    with tempfile.TemporaryDirectory() as scratch:
        tables = public_tables(Path(scratch))
        readings = {}
        for name, path in tqdm(tables.items(), desc="inspect", unit="table", disable=None):
            readings[name] = reading(path, data)
    print_outcomes(readings)
    files = refused_files(readings)
    print_reasons("files refused", files, files)
    print_reasons("columns refused", refused_columns(readings), files_of_refused_columns(readings))


def missing_packages() -> list[str]:
    """The packages with tables that are not installed."""
    missing = []
    for package in PACKAGES:
        try:
            metadata.distribution(package)
        except metadata.PackageNotFoundError:
            missing.append(package)
    return missing


def public_tables(scratch: Path) -> dict[str, Path]:
    """The path of each table that is there, by its name: package, folders and file.

    scratch: a folder for the tables of an archive.
    """
    tables = {}
    missing = missing_packages()
    for package in PACKAGES:
        if package not in missing:
            tables.update(_tables_of(package, scratch))
    for path in SHARED_TABLES.glob("*.csv"):
        tables[f"tables/{path.name}"] = path
    return dict(sorted(tables.items()))


def _tables_of(package: str, scratch: Path) -> dict[str, Path]:
    """The tables of an installed package, by name."""
    tables = {}
    for file in metadata.files(package) or []:
        if file.name == ARCHIVE:
            tables.update(_unpacked(Path(file.locate()), file.parent, scratch))
        elif file.suffix == ".csv":
            tables[str(file)] = Path(file.locate())
    return tables


def _unpacked(archive: Path, folder: PurePosixPath, scratch: Path) -> dict[str, Path]:
    """The tables of an archive, by their names in this folder."""
    tables = {}
    with tarfile.open(archive) as members:
        for member in members:
            file = PurePosixPath(member.name)
            if file.suffix == ".csv" and not file.name.startswith(HIDDEN):
                members.extract(member, scratch, filter="data")
                tables[str(folder / file)] = scratch / file
    return tables


def drawn(tables: Mapping[str, Path], n: int, seed: int) -> list[tuple[str, int]]:
    """A random field of the first line of n random tables: the table's name, and the place from 1.

    Nothing but first lines is read, split at commas.
    """
    rng = random.Random(seed)
    places = []
    for name in rng.sample(sorted(tables), n):
        with tables[name].open(encoding="latin-1", newline="") as file:
            first = next(csv.reader(file))
        places.append((name, rng.randrange(len(first)) + 1))
    return places


def reading(path: Path, data: Data) -> Reading:
    """What `ae inspect` says of a table. data: what params.yaml says of it.

    An error that is no refusal names the table, too.
    """
    try:
        reader = open_reader(path, image_side=data.image_side, text=text_settings(data))
        inspection = Inspection(reader, data)
        for _ in inspection.read():
            pass
        decision = inspection.decide()
        columns = inspection.columns(decision)
        return Reading(
            rows=inspection.n,
            columns={column.name: column for column in columns},
            notes=[*reader.notes, *decision.notes],
            problems=inspection.problems(decision),
            mends=inspection.mends(decision),
        )
    except DataError as error:
        return Reading(refusal=str(error))
    except Exception as error:
        error.add_note(f"while {path} was inspected")
        raise


def mended(data: Data, refused: Reading) -> Data:
    """The parameters with those that a refused reading names."""
    if ASKS_FOR_HEADER in refused.refusal:
        return data.model_copy(update={"header": "none"})
    values: dict[str, object] = {}
    if refused.mends.types:
        values["types"] = dict(refused.mends.types)
    if refused.mends.ignore:
        values["ignore"] = refused.mends.ignore
    if refused.mends.impute:
        values["missing"] = "impute"
    return data.model_copy(update=values)


def outcome(of: Reading) -> str:
    """What became of a table, in words."""
    if of.refusal:
        return "the file refused"
    return "columns refused" if of.problems else "read"


def reason(message: str) -> str:
    """The reason that a message tells, without what it says of one file alone."""
    for words in REASONS:
        if words in message:
            return words
    return message


def refused_files(readings: Mapping[str, Reading]) -> Counter[str]:
    """The number of files by the reason why they are refused."""
    return Counter(reason(of.refusal) for of in readings.values() if of.refusal)


def refused_columns(readings: Mapping[str, Reading]) -> Counter[str]:
    """The number of columns by the reason why they are refused."""
    counts: Counter[str] = Counter()
    for of in readings.values():
        counts.update(map(reason, of.problems.values()))
    return counts


def files_of_refused_columns(readings: Mapping[str, Reading]) -> Counter[str]:
    """The number of files by the reasons why columns of theirs are refused."""
    counts: Counter[str] = Counter()
    for of in readings.values():
        counts.update(set(map(reason, of.problems.values())))
    return counts


def print_outcomes(readings: Mapping[str, Reading]) -> None:
    """Prints how many tables of each source came to which outcome."""
    sources = list(dict.fromkeys(name.split("/")[0] for name in readings))
    print("tables".ljust(20), *(source.rjust(14) for source in sources), "all".rjust(8))
    for words in ("read", "columns refused", "the file refused"):
        counts = Counter(
            name.split("/")[0] for name, of in readings.items() if outcome(of) == words
        )
        shown = [str(counts[source]).rjust(14) for source in sources]
        print(words.ljust(20), *shown, str(counts.total()).rjust(8))


def print_reasons(title: str, reasons: Counter[str], files: Counter[str]) -> None:
    """Prints reasons, the commonest first. files: the number of files by reason."""
    print(f"\n{title}")
    for words, n in reasons.most_common():
        print(f"{n:8} in {files[words]:4} files  {words}")


if __name__ == "__main__":
    main()
