"""Test error of bf16 products beside fp32, every type, five seeds.

Shows the quality that `train.precision: auto` may cost. `make bench-precision`, some minutes:
the middle case's network and rows, evaluated in fp32 on the test rows. Differences are paired by
seed, with Student's 95 % interval.
"""

import os
import tempfile
import warnings
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy import stats
from tqdm import tqdm

from cases import PreparedCase, prepared_case
from common import ROOT, record

SEEDS = (1, 2, 3, 4, 5)
PRECISIONS = ("32-true", "bf16-mixed")


def main() -> None:
    """Trains every type in both precisions, records the differences and prints them."""
    os.chdir(ROOT)
    warnings.filterwarnings("ignore")
    import torch

    torch.set_num_threads(1)
    table = Table(
        "", "fp32", "bf16", "difference", "95 % interval", title="squared error on test rows"
    )
    with tempfile.TemporaryDirectory() as scratch:
        case = prepared_case("middle", Path(scratch, "middle"))
        for model_type in case.params.model_types:
            errors = np.array(
                [
                    _errors(case, model_type, seed)
                    for seed in tqdm(SEEDS, desc=model_type, unit="seed")
                ]
            )
            difference = (errors[:, 1] - errors[:, 0]) / errors[:, 0].mean()
            mean, half = (
                difference.mean(),
                stats.sem(difference) * stats.t.ppf(0.975, len(SEEDS) - 1),
            )
            means = [f"{error:.3f}" for error in errors.mean(0)]
            table.add_row(
                model_type, *means, f"{mean:+.1%}", f"{mean - half:+.1%} to {mean + half:+.1%}"
            )
            ratio = {"ratio": 1 + mean, "low": 1 + mean - half, "high": 1 + mean + half}
            record(
                [{"name": f"bf16_error_{model_type}", **ratio, "unit": "times fp32's test error"}]
            )
    Console(width=120).print(table)


def _errors(case: PreparedCase, model_type: str, seed: int) -> list[float]:
    """The test error in each precision."""
    from autoencoders.models.trained.fidelity import fidelity
    from autoencoders.training.fit import fit

    errors = []
    for precision in PRECISIONS:
        params = case.params.override({"seed": seed, "train.precision": precision})
        params = params.override({"models.sparse.network.code_activation": "sigmoid"})
        model = fit(
            params.plan(model_type, case.data.description.facts), case.data, trial=True
        ).model
        errors.append(float(fidelity(model.reconstruct, case.data, "test")[0].mean()))
    return errors


if __name__ == "__main__":
    main()
