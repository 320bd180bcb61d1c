"""PyOD's detectors with their defaults, in an environment of their own.

`python pyod_peers.py FOLDER SEED...` reads X of every .npz file in the folder and prints JSON:
{file: {detector: [scores of all rows, for each seed]}}.
"""

import contextlib
import io
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from pyod.models.auto_encoder import AutoEncoder
from pyod.models.iforest import IForest
from pyod.models.pca import PCA
from tqdm import tqdm

DETECTORS = {"PCA": PCA, "AutoEncoder": AutoEncoder, "IForest": IForest}


def main() -> None:
    """Fits every detector on every file, and prints the scores."""
    warnings.filterwarnings("ignore")
    folder, *seeds = sys.argv[1:]
    scores = {}
    for path in tqdm(sorted(Path(folder).glob("*.npz")), desc="PyOD", unit="set"):
        with np.load(path) as arrays:
            x = arrays["X"]
        x = x[:, x.std(0) > 0]  # PCA and AutoEncoder divide by 0 otherwise
        scores[path.stem] = {
            name: [_scores(detector_class, int(seed), x) for seed in seeds]
            for name, detector_class in DETECTORS.items()
        }
    json.dump(scores, sys.stdout)


def _scores(detector_class: Any, seed: int, x: np.ndarray) -> list[float]:
    """Scores of the rows that the detector is fitted on; what it prints is dropped."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        detector = detector_class(random_state=seed).fit(x)
    return detector.decision_scores_.tolist()


if __name__ == "__main__":
    main()
