"""Data that people have: public tables of other packages, small sets of pictures, folders of CSVs.

Each with the parameters without which its reading is refused, as `ae inspect` names them. Tables of
packages are left out where these are not installed (`make bench-tables` installs them).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from autoencoders.params.sections import Data
from public_tables import mended, public_tables, reading

PUBLIC = (  # of a thousand CSVs: with numbers and categories, of 300 to 50,000 rows
    "pydataset/ggplot2/diamonds",
    "pydataset/survival/flchain",
    "pydataset/Ecdat/Computers",
    "pydataset/Ecdat/OFP",
    "pydataset/Ecdat/Workinghours",
    "pydataset/psych/bfi",
    "pydataset/Ecdat/Griliches",
    "pydataset/MASS/Boston",
    "statsmodels/fair",
    "statsmodels/anes96",
    "statsmodels/star98",
    "vega_datasets/seattle-weather",
)
SCIKIT_LEARN = ("wine", "breast_cancer", "diabetes")
DIGITS = 300  # pictures
MOST_MENDS = 3  # readings after which a table is given up
ASKED = ("header", "types", "ignore", "missing")  # the parameters that a refusal may ask for


@dataclass(frozen=True)
class DataSet:
    """A file, and the parameters that its reading asks for."""

    name: str
    path: Path
    values: dict[str, Any] = field(default_factory=dict)  # by name below data


def data_sets(folders: list[Path], scratch: Path, data: Data) -> list[DataSet]:
    """Every data set that is there. scratch: for those that no file holds; data: params.yaml's."""
    paths = {path.stem: path for folder in folders for path in sorted(folder.glob("*.csv"))}
    paths |= _of_packages(scratch) | _of_scikit_learn(scratch)
    sets = [DataSet(name, path, asked(path, data)) for name, path in paths.items()]
    return [*sets, *(DataSet(name, path) for name, path in _pictures(scratch))]


def asked(path: Path, data: Data) -> dict[str, Any]:
    """The parameters below `data` that the reader asks for until it takes every column."""
    changed = data
    for _ in range(MOST_MENDS):
        result = reading(path, changed)
        if not (result.refusal or result.mends):
            break
        changed = mended(changed, result)
    names = [name for name in ASKED if getattr(changed, name) != getattr(data, name)]
    return {name: getattr(changed, name) for name in names}


def _of_packages(scratch: Path) -> dict[str, Path]:
    """The paths of `PUBLIC` that are installed, by name."""
    found: dict[str, Path] = {}
    for key, path in public_tables(scratch).items():
        for name in PUBLIC:
            package, _, table = name.partition("/")
            folders_and_file = f"/{key.removesuffix('.csv')}"
            if key.startswith(f"{package}/") and folders_and_file.endswith(f"/{table}"):
                found.setdefault(path.stem, path)
    return found


def _of_scikit_learn(scratch: Path) -> dict[str, Path]:
    """scikit-learn's tables, written into a folder."""
    from sklearn import datasets

    paths = {}
    for name in SCIKIT_LEARN:
        path = scratch / f"sklearn_{name}.csv"
        getattr(datasets, f"load_{name}")(as_frame=True).data.to_csv(path, index=False)
        paths[name] = path
    return paths


def _pictures(scratch: Path) -> Iterator[tuple[str, Path]]:
    """Yields the names and the paths of small sets of pictures, written into a folder."""
    from skimage.data import lfw_subset
    from sklearn.datasets import load_digits

    digits = load_digits().images.astype(np.uint8)
    chosen = np.random.default_rng(0).choice(len(digits), DIGITS, replace=False)
    faces = lfw_subset()  # type: ignore[no-untyped-call]  # scikit-image has no types
    for name, pictures in ((f"{DIGITS} digits", digits[chosen]), ("200 faces", faces)):
        path = scratch / f"{name.replace(' ', '_')}.npy"
        np.save(path, pictures)
        yield name, path
