"""The `tune` stage of one type, and the workers that join its study.

Heavy imports wait until there is something to tune.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from autoencoders.core.files import atomic_folder, write_text
from autoencoders.core.paths import DATA, STUDIES, TRIALS, TUNED, TUNED_VALUES, repository
from autoencoders.core.process import one_process
from autoencoders.data.prepared.prepared import load_prepared
from autoencoders.params.params import Params
from autoencoders.params.plan import Plan
from autoencoders.params.sections import Tune
from autoencoders.params.tuned import write_tuned

if TYPE_CHECKING:
    from autoencoders.tracking.recorder import Recorder
    from autoencoders.tracking.records import Begin


def tune(kind: str, params: Params) -> None:
    """Runs or continues a type's study and writes what it found; with `tune.n_trials: 0`, nothing. Raises UserError."""
    if params.tune.n_trials:
        _study(kind, params)
        return
    with atomic_folder(TUNED / kind) as folder:
        write_tuned(folder, {})
        write_text(folder / TRIALS, "trial\n")
        (folder / "figures").mkdir()


def _study(kind: str, params: Params) -> None:
    from autoencoders.tracking.recorder import Recorder, finish_study
    from autoencoders.tuning import outputs, storage, study, worker
    from autoencoders.tuning.trials import RESULT

    data, settings = load_prepared(DATA), params.tune
    plan = params.plan(kind, data.description.facts)
    lock = repository() / STUDIES / f"{kind}.lock"
    with one_process(lock, "tunes this type"), storage.reporting_database(settings.storage):
        opened = study.open_study(
            storage.open_storage(settings.storage), plan, settings, data.description
        )
        with Recorder(data.description) as recorder:
            above = study_run(recorder, opened.study_name, plan, settings)
            with recorder.studied(above) as run:
                with _workers(kind, settings.workers - 1):
                    worker.search(opened, plan, settings, data, recorder, above)
                trials = worker.finished(opened, settings.n_trials)
                best = outputs.write_study(TUNED / kind, opened.study_name, trials, settings)
                run.metrics(
                    {f"best/{name}": value for name, value in best.user_attrs[RESULT].items()}
                )
                finish_study(run, kind)
    print(outputs.summary(trials, best, settings))
    print(
        f"next: `dvc repro train@{kind}` takes {TUNED / kind / TUNED_VALUES}; `make dashboard` shows every trial"
    )


def study_run(recorder: "Recorder", name: str, plan: Plan, settings: Tune) -> "Begin":
    """The MLflow run of a study, above its trials': the same for all workers that share the study's storage."""
    from autoencoders.tuning.study import described

    private = settings.storage == "journal"
    return recorder.study(name, plan.model_type, described(plan, settings), private=private)


def join(kind: str, params: Params) -> None:
    """Works on the running study of a type until it has all its trials. Raises UserError."""
    import torch

    from autoencoders.tracking.recorder import Recorder
    from autoencoders.tuning import storage, study, worker

    torch.set_num_threads(1)
    data, settings = load_prepared(DATA), params.tune
    plan = params.plan(kind, data.description.facts)
    with storage.reporting_database(settings.storage):
        joined = study.join_study(
            storage.open_storage(settings.storage), plan, settings, data.description
        )
        with Recorder(data.description) as recorder:
            above = study_run(recorder, joined.study_name, plan, settings)
            worker.search(joined, plan, settings, data, recorder, above)
    print(f"{joined.study_name}: all {settings.n_trials} trials are finished")


@contextmanager
def _workers(kind: str, n: int) -> Iterator[None]:
    """More workers on this machine, as processes of one thread each; gone when the block ends."""
    import torch

    if n:
        torch.set_num_threads(1)
        print(
            f"{n + 1} workers: which trial comes when depends on their speed; the outputs may differ from run to run"
        )
    command = [sys.executable, "-m", "autoencoders", "tune", "--join", kind]
    with ExitStack() as ended:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        processes = [
            ended.enter_context(subprocess.Popen(command, env=environment)) for _ in range(n)
        ]
        try:
            yield
        except BaseException:
            for process in processes:
                process.terminate()
            raise
