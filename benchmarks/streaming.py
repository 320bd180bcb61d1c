"""A training that streams 4 GB beside one that holds them: memory, speed, error.

`make bench-streaming`: one epoch of `fit` in a process of its own, one thread, warm files,
interleaved; "held" has no limit for rows that are held as a whole, and so shuffles all together.
Takes 12 GB of memory and 8 GB of disk, in `build`, while it runs.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tqdm import tqdm

from common import MODEL_TYPE, ROOT, alone, record
from memory import _write

ROUNDS = 3
GIGABYTES = 4.0


def main() -> None:
    """Measures the rounds, records the ratio and prints it."""
    if len(sys.argv) > 1:
        _train(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
        return
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "build", prefix="streaming-") as scratch:
        folder = alone(_prepared, Path(scratch))
        rounds = [
            {how: _measured(folder, how, seed) for how in ("held", "streamed")}
            for seed in tqdm(range(1, ROUNDS + 1), unit="round")
        ]
    ratios = [each["held"]["seconds"] / each["streamed"]["seconds"] for each in rounds]
    errors = [each["streamed"]["error"] / each["held"]["error"] for each in rounds]
    for each in rounds:
        print(each)
    megabytes = max(each["streamed"]["megabytes"] for each in rounds)
    print(
        f"streamed: {megabytes:.0f} MB resident at most, "
        f"{statistics.median(ratios):.2f} times as fast as held,"
    )
    print(f"validation error {min(errors) - 1:+.2%} to {max(errors) - 1:+.2%}")
    speed = {
        "ratio": statistics.median(ratios),
        "low": min(ratios),
        "high": max(ratios),
        "unit": "times as fast",
    }
    record([{"name": "fit_streamed_vs_held", **speed, "megabytes": megabytes}])


def _prepared(scratch: Path) -> Path:
    from autoencoders.data.preparation.prepare import prepare
    from autoencoders.data.sources.source import download
    from autoencoders.params.params import load_params

    os.chdir(ROOT)
    _write(scratch / "rows.npy", GIGABYTES)
    data = load_params(ROOT / "params.yaml").override({"data.path": str(scratch / "rows.npy")}).data
    download(data, scratch / "raw")
    prepare(scratch / "raw", scratch / "prepared", data)
    (scratch / "rows.npy").unlink()
    return scratch / "prepared"


def _measured(folder: Path, how: str, seed: int) -> dict[str, float]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, __file__, str(folder), how, str(seed)]
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
    )
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def _train(folder: Path, how: str, seed: int) -> None:
    from autoencoders.data.prepared.prepared import load_prepared
    from autoencoders.models.trained.fidelity import fidelity
    from autoencoders.params.params import load_params
    from autoencoders.training import batches
    from autoencoders.training.fit import fit

    params = load_params(ROOT / "params.yaml").override({"train.epochs": 1, "seed": seed})
    if how == "held":
        batches.IN_MEMORY = 2**40
    data = load_prepared(folder)
    began = time.perf_counter()
    model = fit(params.plan(MODEL_TYPE, data.description.facts), data, trial=True).model
    seconds = time.perf_counter() - began
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1024 if sys.platform == "darwin" else 1
    )
    error = float(fidelity(model.reconstruct, data, "validation")[0].mean())
    print(json.dumps({"seconds": seconds, "megabytes": kilobytes * 1024 / 1e6, "error": error}))


if __name__ == "__main__":
    main()
