"""The first act of a study: the untuned values, trained in full.

The smallest code is looked for with which they keep the asked share. There, a trial of theirs tells
how much of the variance trials need, and tuned values are compared with these.
"""

import time
from typing import NamedTuple

from optuna import Study

from autoencoders.core.errors import DivergedError
from autoencoders.params.sections import Tune
from autoencoders.params.space import CODE_SIZE
from autoencoders.tuning.finals import Final, Finals, percent
from autoencoders.tuning.forecast import Forecast
from autoencoders.tuning.full import Result
from autoencoders.tuning.study import trial_plan

FORECAST = "forecast"  # a study's attribute: the ratios of its trials' forecast
POLL_SECONDS = 0.5


class FirstResults(NamedTuple):
    """The results of the untuned values."""

    untuned: Result | None  # in full, with the untuned code size; None: the training diverged
    smallest: int | None  # the smallest code that keeps the asked share; None: there is none
    near: Final | None  # in full, with the code size that is nearest to the asked share
    trial: Result | None  # with that code size, in a trial's epochs

    @property
    def forecast(self) -> Forecast:
        """The forecast of trainings by their trials."""
        if self.trial is None or self.near is None:
            return Forecast()
        kept = self.near.result.explained_variance
        return Forecast.of(self.trial.explained_variance, kept, self.trial.by_epoch)


def first_results(tune: Tune, finals: Finals) -> FirstResults:
    """The results of the untuned values, printed, and remembered in the study for its workers."""
    trainings = finals.trainings
    untuned = finals.train(None, {})
    if untuned is None or tune.objective == "smallest_error":
        results = FirstResults(untuned and untuned.result, None, untuned, None)
    else:
        smallest = finals.smallest(untuned)
        near = min(finals.tried, key=lambda final: _distance(final, tune))
        results = FirstResults(untuned.result, smallest, near, _trial(near, tune, finals))
    trainings.study.set_user_attr(FORECAST, results.forecast._asdict())
    return results


def _distance(final: Final, tune: Tune) -> float:
    """The distance of the share that a training keeps from the one that is asked."""
    return abs(final.result.explained_variance - tune.explained_variance)


def _trial(near: Final, tune: Tune, finals: Finals) -> Result | None:
    """The result of a trial with the code size of a training; None where it diverges."""
    code_size = near.result.code_size
    plan = trial_plan(finals.trainings.plan.with_values({CODE_SIZE: code_size}), tune)
    try:
        trial = finals.trainings.trial_result(plan)
    except DivergedError as error:
        print(f"{plan.model_type}: a trial of the untuned values: {error}", flush=True)
        return None
    kept = near.result.explained_variance
    needed = Forecast.of(trial.explained_variance, kept).needed(tune.explained_variance)
    print(
        f"{plan.model_type}: with code size {code_size}, {trial.epochs} epochs of a trial keep "
        f"{percent(trial.explained_variance)}, {near.result.epochs} of a training in full "
        f"{percent(kept)}: for {tune.asked_share}, a trial needs {percent(needed)}",
        flush=True,
    )
    return trial


def awaited_forecast(study: Study) -> Forecast:
    """The forecast of a study's trials, once the process that began the study knows it."""
    says_so = False
    while FORECAST not in study.user_attrs:
        if not says_so:
            print(f"{study.study_name}: waiting for its first trainings in full", flush=True)
            says_so = True
        time.sleep(POLL_SECONDS)
    return Forecast(**study.user_attrs[FORECAST])
