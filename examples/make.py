"""Writes the data of the README's quick starts.

These are sensor readings as CSV, and folders of clean and of noisy images.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.datasets import load_digits

FOLDER = Path(__file__).parent
SENSORS = ("inlet", "outlet", "pump", "flow", "level", "current", "vibration", "humidity")


def readings(rows: int, faults: int, seed: int) -> pd.DataFrame:
    """Eight sensors that follow three hidden signals, a mode, a time.

    In faulty rows one sensor no longer follows.
    """
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(0).normal(size=(3, len(SENSORS)))
    x = rng.normal(size=(rows, 3)) @ mixing + 0.1 * rng.normal(size=(rows, len(SENSORS)))
    broken = rng.choice(rows, faults, replace=False)
    x[broken, rng.integers(len(SENSORS), size=faults)] += rng.choice([-4, 4], faults)
    table = pd.DataFrame(x * 10 + 50, columns=SENSORS).round(3)
    table.insert(0, "time", pd.date_range("2026-01-01", periods=rows, freq="min"))
    table["mode"] = rng.choice(["idle", "run", "flush"], rows)
    table["faulty"] = np.isin(np.arange(rows), broken).astype(int)
    return table


def images(folder: Path, noise: float, every: int) -> None:
    """Writes every so many of scikit-learn's digits as a PNG of 32 x 32 pixels.

    Each class has a sub-folder.
    """
    rng = np.random.default_rng(0)
    digits = load_digits()
    for i in range(0, len(digits.images), every):
        pixels = np.kron(digits.images[i] / 16, np.ones((4, 4))) + noise * rng.normal(size=(32, 32))
        path = folder / f"class_{digits.target[i]}" / f"{i:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((255 * pixels.clip(0, 1)).astype(np.uint8)).save(path)


if __name__ == "__main__":
    readings(4000, 40, seed=1).drop(columns="faulty").to_csv(FOLDER / "sensors.csv", index=False)
    readings(200, 10, seed=2).to_csv(FOLDER / "new.csv", index=False)
    images(FOLDER / "images", 0.0, every=2)
    images(FOLDER / "noisy", 0.25, every=29)
    print(f"{FOLDER}: sensors.csv, new.csv, images/, noisy/")
