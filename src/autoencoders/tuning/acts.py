"""The acts of a study: the untuned values, the search, the decision, and what tuning gained."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from optuna.trial import FrozenTrial

from autoencoders.params.sections import FixedTune
from autoencoders.tracking.recorder import Recorder
from autoencoders.tracking.records import Begin, RunRecord
from autoencoders.tuning import worker
from autoencoders.tuning.curve import Curve
from autoencoders.tuning.decision import decide
from autoencoders.tuning.finals import Finals
from autoencoders.tuning.findings import Findings
from autoencoders.tuning.first import first_results
from autoencoders.tuning.full import FullTrainings
from autoencoders.tuning.gain import gain
from autoencoders.tuning.trials import finished


def run_study(
    tune: FixedTune,
    trainings: FullTrainings,
    recorder: Recorder,
    study_run: Begin,
    run: RunRecord,
    workers: AbstractContextManager[None] | None = None,
) -> Findings:
    """Runs or continues a study to its end, and returns its findings. Raises UserError.

    trainings: in full, of the study, its plan and its data. study_run, run: the MLflow run above
    the trials'. workers: the study's other workers on this machine, which join the search.
    """
    study = trainings.study
    plan = trainings.plan
    finals = Finals(tune, trainings)
    first = first_results(tune, finals)
    curve = Curve(study, first.forecast.judge(tune), run)
    with workers or nullcontext():
        worker.search(
            study, plan, tune, first.forecast, trainings.data, recorder, study_run, curve.extend
        )
    curve.extend()
    trials = finished(study, tune.n_trials)
    _say_where_minutes_are_over(trials, tune)
    decision = decide(trials, tune, first, finals)
    gained = gain(decision, tune, trainings)
    return Findings(study.study_name, plan, tune, trials, first, decision, gained)


def _say_where_minutes_are_over(trials: Sequence[FrozenTrial], tune: FixedTune) -> None:
    if len(trials) < tune.n_trials:
        print(f"tune.minutes: over after {len(trials)} of {tune.n_trials} trials")
