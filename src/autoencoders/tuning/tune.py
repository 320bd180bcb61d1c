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
from autoencoders.core.imports import importing
from autoencoders.core.paths import DATA, STUDIES, TRIALS, TUNED, TUNED_VALUES, repository
from autoencoders.core.process import one_process
from autoencoders.data.prepared.prepared import load_prepared
from autoencoders.params.params import Params
from autoencoders.params.plan import Plan
from autoencoders.params.sections import Tune
from autoencoders.params.tuned import write_tuned

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

    from autoencoders.tracking.recorder import Recorder
    from autoencoders.tracking.records import Begin


def tune(model_type: str, params: Params) -> None:
    """Runs or continues a type's study and writes its results. Raises UserError.

    With `tune.n_trials: 0` the outputs are empty.
    """
    if params.tune.n_trials:
        _study(model_type, params)
        return
    with atomic_folder(TUNED / model_type) as folder:
        write_tuned(folder, {})
        write_text(folder / TRIALS, "trial\n")
        (folder / "figures").mkdir()


def _study(model_type: str, params: Params) -> None:
    with importing():
        from autoencoders.tracking.recorder import Recorder, finish_study
        from autoencoders.tuning import outputs, worker
        from autoencoders.tuning.curve import Curve
        from autoencoders.tuning.storage import open_storage, reporting_database
        from autoencoders.tuning.study import open_study
        from autoencoders.tuning.trials import RESULT, finished

    data = load_prepared(DATA)
    settings = params.tune
    plan = params.plan(model_type, data.description.facts)
    if settings.minutes:
        print(
            f"tune.minutes: {settings.minutes:g}: how many trials this allows depends on the "
            "machine's speed; the outputs may differ from run to run",
            flush=True,
        )
    lock = repository() / STUDIES / f"{model_type}.lock"
    with one_process(lock, "tunes this type"), reporting_database(settings.storage):
        study = open_study(open_storage(settings.storage), plan, settings, data.description)
        with Recorder(data.description) as recorder:
            above = study_run(recorder, study.study_name, plan, settings)
            with recorder.studied(above) as run:
                curve = Curve(study, settings, run)
                with _more_workers(model_type, settings.workers - 1):
                    worker.search(study, plan, settings, data, recorder, above, curve.extend)
                curve.extend()
                trials = finished(study, settings.n_trials)
                folder = TUNED / model_type
                best = outputs.write_study(folder, study.study_name, trials, settings)
                result = best.user_attrs[RESULT]
                run.metrics({f"best/{name}": value for name, value in result.items()})
                run.tag(taken_trial=str(trials.index(best)))
                _mark_taken(study, best, trials.index(best), settings, recorder, above)
                finish_study(run, model_type)
    if len(trials) < settings.n_trials:
        print(f"tune.minutes: over after {len(trials)} of {settings.n_trials} trials")
    print(outputs.summary(trials, best, settings))
    print(
        f"next: `dvc repro train@{model_type}` takes {folder / TUNED_VALUES}; "
        "`make dashboard` shows every trial"
    )


def study_run(recorder: "Recorder", name: str, plan: Plan, settings: Tune) -> "Begin":
    """The MLflow run of a study, above its trials'.

    It is the same for all workers that share the study's storage.
    """
    from autoencoders.tuning.study import described

    private = settings.storage == "journal"
    return recorder.study(name, plan.model_type, described(plan, settings), private=private)


def _mark_taken(
    study: "Study",
    best: "FrozenTrial",
    number: int,
    settings: Tune,
    recorder: "Recorder",
    above: "Begin",
) -> None:
    """Marks the trial whose values the training takes, in MLflow and for optuna-dashboard.

    number: the trial's, without gaps. An earlier mark is taken back.
    """
    from autoencoders.tuning.dashboard import TAKEN_NUMBER, mark_taken
    from autoencoders.tuning.progress import achievement
    from autoencoders.tuning.trials import TRIAL

    earlier = study.user_attrs.get(TAKEN_NUMBER)
    if earlier not in (None, best.number):
        trial = study.get_trials(deepcopy=False)[earlier]
        _tag_trial(trial, trial.user_attrs[TRIAL], recorder, above, taken="no")
    _tag_trial(best, number, recorder, above, taken="yes")
    mark_taken(study, best, f"trial {number}: {achievement(best, settings)}")


def _tag_trial(
    trial: "FrozenTrial", number: int, recorder: "Recorder", above: "Begin", *, taken: str
) -> None:
    """Tags the run of a complete trial."""
    from autoencoders.tuning.objective import FIDELITY
    from autoencoders.tuning.trials import RESULT

    begin = recorder.trial_run(above, number, trial.number, trial.params)
    metrics = {f"val/{name}": trial.user_attrs[RESULT][name] for name in FIDELITY}
    with recorder.finished_trial(begin, metrics) as run:
        run.tag(taken=taken)


def join(model_type: str, params: Params) -> None:
    """Works on the running study of a type until it ends. Raises UserError."""
    import torch

    from autoencoders.tracking.recorder import Recorder
    from autoencoders.tuning import worker
    from autoencoders.tuning.storage import open_storage, reporting_database
    from autoencoders.tuning.study import join_study
    from autoencoders.tuning.trials import finished

    torch.set_num_threads(1)
    data = load_prepared(DATA)
    settings = params.tune
    plan = params.plan(model_type, data.description.facts)
    with reporting_database(settings.storage):
        study = join_study(open_storage(settings.storage), plan, settings, data.description)
        with Recorder(data.description) as recorder:
            above = study_run(recorder, study.study_name, plan, settings)
            worker.search(study, plan, settings, data, recorder, above)
        n_finished = len(finished(study, settings.n_trials))
    print(f"{study.study_name}: {n_finished} of {settings.n_trials} trials are finished")


@contextmanager
def _more_workers(model_type: str, n: int) -> Iterator[None]:
    """Runs more workers on this machine, as processes of one thread each, until the block ends."""
    import torch

    if n:
        torch.set_num_threads(1)
        print(
            f"{n + 1} workers: which trial comes when depends on their speed; "
            "the outputs may differ from run to run"
        )
    command = [sys.executable, "-m", "autoencoders", "tune", "--join", model_type]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    processes: list[subprocess.Popen[bytes]] = []
    with ExitStack() as waiting:
        for _ in range(n):
            process = subprocess.Popen(command, env=environment)
            processes.append(waiting.enter_context(process))
        try:
            yield
        except BaseException:
            for process in processes:
                process.terminate()
            raise
