"""The `tune` stage of one type, and the workers that join it. Heavy imports wait until there is something to tune."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from autoencoders.files import replacing, write_text
from autoencoders.params import Params
from autoencoders.process import OneProcess, Starter
from autoencoders.stage import DATA, STUDIES, TRIALS, TUNED, TUNED_VALUES, repository
from autoencoders.tuning.values import write_tuned


def tune(kind: str, params: Params) -> None:
    """Runs or continues a type's study and writes what it found; with `tune.n_trials: 0`, nothing. Raises UserError."""
    if params.tune.n_trials:
        _study(kind, params)
        return
    with replacing(TUNED / kind) as folder:
        write_tuned(folder, {})
        write_text(folder / TRIALS, "trial\n")
        (folder / "figures").mkdir()


def _study(kind: str, params: Params) -> None:
    from autoencoders.data.prepared import load_prepared
    from autoencoders.tracking.runs import Runs
    from autoencoders.tuning.objective import Objective
    from autoencoders.tuning.outputs import summary, write_study
    from autoencoders.tuning.storage import RESULT, open_storage, reporting_database
    from autoencoders.tuning.study import described, open_study
    from autoencoders.tuning.work import Bar, finished, work

    data, settings = load_prepared(DATA), params.tune
    with OneProcess(repository() / STUDIES / f"{kind}.lock", "tunes this type"), reporting_database(settings.storage):
        study = open_study(open_storage(settings.storage), kind, params, data.description)
        runs = Runs(data.description)
        with runs.study(study.study_name, kind, described(params, kind)) as run:
            objective = Objective(kind, params, data, runs, run.id, Starter().stop_if_gone)
            with _workers(kind, settings.workers - 1), Bar(study, settings.n_trials) as bar:
                work(study, objective, settings.n_trials, bar.update)
            trials = finished(study, settings.n_trials)
            best = write_study(TUNED / kind, study.study_name, trials, settings)
            run.metrics({f"best/{name}": value for name, value in best.user_attrs[RESULT].items()})
            runs.log_study(run, kind)
    print(summary(trials, best, settings))
    print(f"next: `dvc repro train@{kind}` takes {TUNED / kind / TUNED_VALUES}; `make dashboard` shows every trial")


def join(kind: str, params: Params) -> None:
    """Works on the running study of a type until it has all its trials. Raises UserError."""
    import torch

    from autoencoders.data.prepared import load_prepared
    from autoencoders.tracking.runs import Runs
    from autoencoders.tuning.objective import Objective
    from autoencoders.tuning.storage import open_storage, reporting_database
    from autoencoders.tuning.study import join_study
    from autoencoders.tuning.work import Bar, work

    torch.set_num_threads(1)
    data = load_prepared(DATA)
    with reporting_database(params.tune.storage):
        study = join_study(open_storage(params.tune.storage), kind, params, data.description)
        runs = Runs(data.description)
        above = runs.find(study.study_name) or runs.parent()  # the study's run may be in another machine's store
        objective = Objective(kind, params, data, runs, above, Starter().stop_if_gone)
        with Bar(study, params.tune.n_trials) as bar:
            work(study, objective, params.tune.n_trials, bar.update)
    print(f"{study.study_name}: all {params.tune.n_trials} trials are finished")


@contextmanager
def _workers(kind: str, n: int) -> Iterator[None]:
    """More workers on this machine, as processes of one thread each; gone when the block ends."""
    if not n:
        yield
        return
    import torch

    torch.set_num_threads(1)
    print(f"{n + 1} workers: which trial comes when depends on their speed, so the outputs may differ from run to run")
    command = [sys.executable, "-m", "autoencoders.cli", "tune", "--join", kind]
    processes = [subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}) for _ in range(n)]
    try:
        yield
    except BaseException:
        for process in processes:
            process.terminate()
        raise
    finally:
        for process in processes:
            process.wait()
