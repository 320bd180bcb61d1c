"""Writes the data of the README's quick starts.

These are sensor readings as CSV, and folders of clean and of noisy images.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.datasets import load_digits

FOLDER = Path(__file__).parent
SIDE = 24  # pixels of a picture
DIGIT_SIDE = 18  # pixels of the digit in it
TURN = 15.0  # degrees to either side, at most
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


def picture(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A digit of 8 x 8 pixels (0 to 16), enlarged, turned and moved: (SIDE, SIDE) in [0, 1]."""
    pixels = (255 * digit / 16).astype(np.uint8)
    enlarged = Image.fromarray(pixels).resize((DIGIT_SIDE, DIGIT_SIDE), Image.Resampling.BICUBIC)
    turned = enlarged.rotate(rng.uniform(-TURN, TURN), Image.Resampling.BILINEAR)
    result = Image.new("L", (SIDE, SIDE))
    left, top = rng.integers(0, SIDE - DIGIT_SIDE + 1, 2)
    result.paste(turned, (int(left), int(top)))
    return np.asarray(result) / 255


def images(folder: Path, noise: float, every: int) -> None:
    """Writes every so many of scikit-learn's digits as a PNG, with Gaussian noise.

    noise: its deviation, where white is 1. Each class has a sub-folder.
    """
    places, noises = np.random.default_rng(0), np.random.default_rng(1)
    digits = load_digits()
    for i, digit in enumerate(digits.images):
        pixels = picture(digit, places)  # the same one, whatever the noise
        if i % every:
            continue
        noisy = pixels + noise * noises.normal(size=pixels.shape)
        path = folder / f"class_{digits.target[i]}" / f"{i:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((255 * noisy.clip(0, 1)).round().astype(np.uint8)).save(path)


def main() -> None:
    """Writes all of them into this folder."""
    readings(4000, 40, seed=1).drop(columns="faulty").to_csv(FOLDER / "sensors.csv", index=False)
    readings(200, 10, seed=2).to_csv(FOLDER / "new.csv", index=False)
    images(FOLDER / "images", 0.0, every=1)
    images(FOLDER / "noisy", 0.25, every=29)
    print(f"{FOLDER}: sensors.csv, new.csv, images/, noisy/")


if __name__ == "__main__":
    main()
