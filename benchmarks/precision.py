"""Test error of bf16 products beside fp32, every type, five seeds: what `train.precision: auto` may cost in quality.

`make bench-precision`, a quarter of an hour: MNIST (AUTOENCODERS_MIRROR: a folder or URL with its files), a network of
784-512-256-128-32, three epochs of batches of 128, evaluated in fp32 on the 10,000 test images. Differences are paired
by seed, with Student's 95 % interval.
"""

import os
import tempfile
import warnings
from pathlib import Path

import numpy as np
from common import ROOT, record
from rich.console import Console
from rich.table import Table
from scipy import stats
from tqdm import tqdm

SEEDS = (1, 2, 3, 4, 5)
PRECISIONS = ("32-true", "bf16-mixed")
VALUES = {
    "data.name": "mnist",
    "network.code_size": 32,
    "network.n_layers": 3,
    "network.nodes_per_layer": [512, 256, 128],
    "train.batch_size": 128,
    "train.epochs": 3,
}


def main() -> None:
    os.chdir(ROOT)
    warnings.filterwarnings("ignore")
    import torch

    from autoencoders.data.prepare import prepare
    from autoencoders.data.prepared import load_prepared
    from autoencoders.data.sources import download
    from autoencoders.evaluation.metrics import fidelity
    from autoencoders.params import load_params
    from autoencoders.training import fit

    torch.set_num_threads(1)
    params = load_params(ROOT / "params.yaml").override(VALUES)
    table = Table("", "fp32", "bf16", "difference", "95 % interval", title="squared error on MNIST's test images")
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        raw, prepared = Path(scratch, "raw"), Path(scratch, "prepared")
        download(params.data, raw)
        prepare(raw, prepared, params.data)
        data = load_prepared(prepared)
        for kind in params.kinds:
            errors = np.zeros((len(SEEDS), 2))
            for i, seed in enumerate(tqdm(SEEDS, desc=kind, unit="seed")):
                for j, precision in enumerate(PRECISIONS):
                    changed = params.override({"seed": seed, "train.precision": precision})
                    errors[i, j] = fidelity(fit(kind, changed, data, trial=True).model.reconstruct, data, "test")[
                        0
                    ].mean()
            difference = (errors[:, 1] - errors[:, 0]) / errors[:, 0].mean()
            mean, half = difference.mean(), stats.sem(difference) * stats.t.ppf(0.975, len(SEEDS) - 1)
            table.add_row(
                kind, *(f"{e:.3f}" for e in errors.mean(0)), f"{mean:+.1%}", f"{mean - half:+.1%} to {mean + half:+.1%}"
            )
            result = {"name": f"bf16_error_{kind}", "ratio": 1 + mean, "low": 1 + mean - half, "high": 1 + mean + half}
            results.append({**result, "unit": "times fp32's test error"})
    record(results)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
