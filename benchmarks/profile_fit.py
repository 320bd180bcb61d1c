"""Profiles a short training of digits by cProfile and torch's profiler. `make profile`."""

import cProfile
import os
import pstats
import tempfile
import warnings
from pathlib import Path

from common import ROOT, digits

LINES = 20


def main() -> None:
    """Profiles a training twice, prints the costliest functions and writes a trace."""
    os.chdir(ROOT)
    warnings.filterwarnings("ignore")
    from torch.profiler import ProfilerActivity, profile

    from autoencoders.params.params import load_params
    from autoencoders.training.fit import fit

    params = load_params(ROOT / "params.yaml").override({"train.epochs": 20})
    with tempfile.TemporaryDirectory() as scratch:
        data = digits(params, Path(scratch))
        model_type = os.environ.get("KIND", "undercomplete")
        one_epoch = params.override({"train.epochs": 1})
        fit(one_epoch.plan(model_type, data.description.facts), data)  # first uses
        with cProfile.Profile() as functions:
            fit(params.plan(model_type, data.description.facts), data)
        with profile(activities=[ProfilerActivity.CPU]) as operations:
            fit(params.plan(model_type, data.description.facts), data)
    pstats.Stats(functions).sort_stats("tottime").print_stats(LINES)
    print(
        operations.key_averages().table(
            sort_by="self_cpu_time_total", row_limit=LINES, max_name_column_width=40
        )
    )
    trace = ROOT / "build/trace.json"
    trace.parent.mkdir(exist_ok=True)
    operations.export_chrome_trace(str(trace))
    print(f"{trace.relative_to(ROOT)}: open it in a browser's tracing page")


if __name__ == "__main__":
    main()
