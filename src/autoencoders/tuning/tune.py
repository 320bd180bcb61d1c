"""The `tune` stage of one type, and the workers that join its study.

Heavy imports wait until there is something to tune.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from autoencoders.core.files import atomic_folder, write_json, write_text
from autoencoders.core.imports import importing
from autoencoders.core.paths import DATA, STUDIES, STUDY, TRIALS, TUNED, TUNED_VALUES, repository
from autoencoders.core.process import ParentDvc, one_process
from autoencoders.data.prepared.prepared import load_description, load_prepared
from autoencoders.params.params import Params
from autoencoders.params.plan import Plan
from autoencoders.params.sections import Tune
from autoencoders.params.tuned import write_tuned

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

    from autoencoders.tracking.recorder import Recorder
    from autoencoders.tracking.records import Begin, RunRecord
    from autoencoders.tuning.findings import Findings


def tune(model_type: str, params: Params) -> None:
    """Runs or continues a type's study and writes its results. Raises UserError.

    Without trials the outputs are empty.
    """
    if params.tune.n_trials == 0 or params.study(load_description(DATA).facts).n_trials == 0:
        _write_no_study(TUNED / model_type)
    else:
        _study(model_type, params)


def _write_no_study(folder: Path) -> None:
    """Writes the outputs of a stage that has no study."""
    with atomic_folder(folder) as new:
        write_tuned(new, {})
        write_text(new / TRIALS, "trial\n")
        write_json(new / STUDY, {})
        (new / "figures").mkdir()


def _study(model_type: str, params: Params) -> None:
    with importing():
        from autoencoders.tracking.recorder import Recorder, finish_study
        from autoencoders.tuning.acts import run_study
        from autoencoders.tuning.full import FullTrainings
        from autoencoders.tuning.outputs import write_study
        from autoencoders.tuning.storage import open_storage, reporting_database
        from autoencoders.tuning.study import open_study

    data = load_prepared(DATA)
    settings = params.study(data.description.facts)
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
        trainings = FullTrainings(study, plan, data, ParentDvc().stop_if_gone)
        with Recorder(data.description) as recorder:
            above = study_run(recorder, study.study_name, plan, settings)
            with recorder.studied(above) as run:
                workers = _more_workers(model_type, settings.workers - 1)
                findings = run_study(settings, trainings, recorder, above, run, workers)
                write_study(TUNED / model_type, findings)
                run.metrics(findings.metrics())
                _mark_taken(study, findings, recorder, above, run)
                finish_study(run, model_type)
    lines = [f"{model_type}: {line}" for line in findings.summary()]
    lines.append(
        f"next: `dvc repro train@{model_type}` takes {TUNED / model_type / TUNED_VALUES}; "
        "`make dashboard` shows every trial"
    )
    # at once, as `make repro` tunes several types side by side
    print("\n".join(lines))


def study_run(recorder: "Recorder", name: str, plan: Plan, settings: Tune) -> "Begin":
    """The MLflow run of a study, above its trials'.

    It is the same for all workers that share the study's storage.
    """
    from autoencoders.tuning.study import described

    private = settings.storage == "journal"
    return recorder.study(name, plan.model_type, described(plan, settings), private=private)


def _mark_taken(
    study: "Study",
    findings: "Findings",
    recorder: "Recorder",
    above: "Begin",
    run: "RunRecord",
) -> None:
    """Marks the trial whose values the training takes, in MLflow and for optuna-dashboard.

    An earlier mark is taken back. Where the untuned values are taken, no trial is marked.
    """
    from autoencoders.tuning.dashboard import TAKEN_NUMBER, mark_taken
    from autoencoders.tuning.finals import title
    from autoencoders.tuning.trials import TRIAL

    taken = findings.decision.taken
    trial = None if taken.number is None else findings.trials[taken.number]
    earlier = study.user_attrs.get(TAKEN_NUMBER)
    if earlier is not None and (trial is None or earlier != trial.number):
        before = study.get_trials(deepcopy=False)[earlier]
        _tag_trial(before, before.user_attrs[TRIAL], recorder, above, taken="no")
    if trial is None:
        run.tag(taken_trial="none")
    else:
        run.tag(taken_trial=str(taken.number))
        _tag_trial(trial, trial.user_attrs[TRIAL], recorder, above, taken="yes")
    mark_taken(study, trial, f"{title(taken.number)}: {findings.achievement()}")


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
    from autoencoders.tuning.first import awaited_forecast
    from autoencoders.tuning.storage import open_storage, reporting_database
    from autoencoders.tuning.study import join_study
    from autoencoders.tuning.trials import finished

    torch.set_num_threads(1)
    data = load_prepared(DATA)
    settings = params.study(data.description.facts)
    plan = params.plan(model_type, data.description.facts)
    with reporting_database(settings.storage):
        study = join_study(open_storage(settings.storage), plan, settings, data.description)
        forecast = awaited_forecast(study)
        with Recorder(data.description) as recorder:
            above = study_run(recorder, study.study_name, plan, settings)
            worker.search(study, plan, settings, forecast, data, recorder, above)
        n_finished = len(finished(study, settings.n_trials))
    print(f"{study.study_name}: {n_finished} of {settings.n_trials} trials are finished")


@contextmanager
def _more_workers(model_type: str, n: int) -> Iterator[None]:
    """Runs more workers on this machine, as processes of one thread each, until the block ends.

    Until then, this process has one thread, too.
    """
    import torch

    threads = torch.get_num_threads()
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
    torch.set_num_threads(threads)
