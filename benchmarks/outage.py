"""Trainings whose MLflow server fails beside undisturbed ones: `make bench-outage`.

First three pairs of a training of more than five minutes. Both of a pair run at the same time, one
thread each; the server of one is killed after a minute and a half and back two minutes later. Then
default trainings in turn: with a server that answers, with one that was killed, and with one that
accepts connections and never answers. 35 minutes on two cores; needs PostgreSQL.
"""

import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from common import MODEL_TYPE, ROOT, record

sys.path.insert(0, str(ROOT / "tests/support"))
from mlflow_server import Server, server
from repository import Repository

PAIRS = int(os.environ.get("PAIRS", "3"))
EPOCHS = int(os.environ.get("EPOCHS", "25000"))
BEFORE = 90  # seconds of training until the server is killed
OUTAGE = 120  # seconds until it is back
LONG = {"train.epochs": EPOCHS, "train.patience": EPOCHS, "train.threads": 1}


def main() -> None:
    """Measures both kinds of trainings, records the results and prints them."""
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder = Path(scratch)
        servers = []
        for name in ("steady", "failing"):
            (folder / name).mkdir()
            servers.append(stack.enter_context(server(folder / name)))
        long = _prepared(folder / "long", LONG)
        ratios = [_pair(long, folder / f"pair-{number}", *servers) for number in range(PAIRS)]
        default = _prepared(folder / "default", {})
        later = _default_trainings(default, folder, *servers)
    results = [_result("training_with_outage_vs_without", ratios, "times as long")]
    for name, seconds in later.items():
        results.append(
            _result(f"default_training_server_{name}_vs_steady", seconds, "seconds later")
        )
    record(results)
    for result in results:
        print("{name}: {ratio:.3f} ({low:.3f} to {high:.3f}) {unit}".format(**result))


def _prepared(folder: Path, values: Mapping[str, Any]) -> Repository:
    """A copy of the repository whose next stage is the training."""
    folder.mkdir()
    repository = Repository(folder, {**values, "tune.n_trials": 0}, [MODEL_TYPE])
    repository.run("dvc", "repro", f"tune@{MODEL_TYPE}")
    return repository


def _copy(prepared: Repository, folder: Path) -> Repository:
    shutil.copytree(prepared.folder, folder, symlinks=True)
    return Repository.at(folder)


def _started(repository: Repository, url: str) -> subprocess.Popen[str]:
    """A training that was started against the server at this address."""
    command = ["dvc", "repro", "--single-item", f"train@{MODEL_TYPE}"]
    environment = {**repository.environment, "MLFLOW_TRACKING_URI": url, "OMP_NUM_THREADS": "1"}
    with (repository.folder / "train.log").open("w") as log:
        return subprocess.Popen(
            command,
            cwd=repository.folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
        )


def _pair(prepared: Repository, folder: Path, steady: Server, failing: Server) -> float:
    """The time of the training whose server fails, as a multiple of the undisturbed one's."""
    folder.mkdir()
    undisturbed = _copy(prepared, folder / "undisturbed")
    disturbed = _copy(prepared, folder / "disturbed")
    began = time.perf_counter()
    running = {
        "undisturbed": _started(undisturbed, steady.url),
        "disturbed": _started(disturbed, failing.url),
    }
    due = [(BEFORE, failing.kill), (BEFORE + OUTAGE, failing.start)]
    seconds: dict[str, float] = {}
    while running:
        passed = time.perf_counter() - began
        if due and passed > due[0][0]:
            due.pop(0)[1]()
        for name, process in list(running.items()):
            if process.poll() is not None:
                assert process.returncode == 0, (folder / name / "train.log").read_text()[-2000:]
                seconds[name] = passed
                del running[name]
        time.sleep(0.1)
    _check_complete(disturbed, failing.url)
    ratio = seconds["disturbed"] / seconds["undisturbed"]
    print(
        f"{seconds['undisturbed']:.1f} s undisturbed, {seconds['disturbed']:.1f} s with an outage",
        flush=True,
    )
    return ratio


def _check_complete(repository: Repository, url: str) -> None:
    """Checks that the newest training's run holds each epoch once and is FINISHED.

    That is so at the latest after the next command.
    """
    import mlflow

    from autoencoders.models.trained.saved import VALIDATION_LOSS
    from autoencoders.tracking.recorder import experiment_name

    repository.run("ae", "registry", "history", MLFLOW_TRACKING_URI=url, check=False)
    client = mlflow.MlflowClient(url)
    experiment = client.get_experiment_by_name(experiment_name("digits"))
    assert experiment is not None
    run = client.search_runs([experiment.experiment_id], "tags.stage = 'train'", max_results=1)[0]
    steps = [point.step for point in client.get_metric_history(run.info.run_id, VALIDATION_LOSS)]
    assert run.info.status == "FINISHED", run.info.status
    assert steps == list(range(1, EPOCHS + 1)), len(steps)


def _default_trainings(
    prepared: Repository, folder: Path, steady: Server, failing: Server
) -> dict[str, list[float]]:
    """Seconds that a default training ends later without a server that answers."""
    later: dict[str, list[float]] = {"killed": [], "frozen": []}
    for number in range(PAIRS):
        reference = _seconds(prepared, folder / f"steady-{number}", steady.url)
        failing.kill()
        later["killed"].append(
            _seconds(prepared, folder / f"killed-{number}", failing.url) - reference
        )
        failing.start()
        failing.signal(signal.SIGSTOP)
        later["frozen"].append(
            _seconds(prepared, folder / f"frozen-{number}", failing.url) - reference
        )
        failing.signal(signal.SIGCONT)
        print(
            f"{reference:.1f} s; later by {later['killed'][-1]:.1f} "
            f"and {later['frozen'][-1]:.1f} s",
            flush=True,
        )
    return later


def _seconds(prepared: Repository, folder: Path, url: str) -> float:
    repository = _copy(prepared, folder)
    began = time.perf_counter()
    assert _started(repository, url).wait() == 0, (folder / "train.log").read_text()[-2000:]
    return time.perf_counter() - began


def _result(name: str, values: list[float], unit: str) -> dict[str, Any]:
    return {
        "name": name,
        "ratio": statistics.median(values),
        "low": min(values),
        "high": max(values),
        "unit": unit,
    }


if __name__ == "__main__":
    main()
