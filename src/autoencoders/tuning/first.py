"""The first act of a study: the untuned values, in a trial's epochs and trained in full.

So trials know from the beginning how much of the variance they need, and what they are compared
with.
"""

import time
from typing import NamedTuple

from optuna import Study

from autoencoders.core.errors import DivergedError
from autoencoders.params.sections import Tune
from autoencoders.tuning.decision import described, percent
from autoencoders.tuning.forecast import Forecast
from autoencoders.tuning.full import FullTrainings, Result
from autoencoders.tuning.study import trial_plan

FORECAST = "forecast"  # a study's attribute: the ratios of its trials' forecast
POLL_SECONDS = 0.5


class FirstResults(NamedTuple):
    """The results of the untuned values; None where a training diverged."""

    trial: Result | None  # in a trial's epochs
    untuned: Result | None  # in full

    @property
    def forecast(self) -> Forecast:
        """The forecast that trials begin with."""
        if self.trial is None or self.untuned is None:
            return Forecast()
        return Forecast.of(
            self.trial.explained_variance, self.untuned.explained_variance, self.trial.by_epoch
        )


def first_results(tune: Tune, trainings: FullTrainings) -> FirstResults:
    """The results of the untuned values, printed, and remembered in the study for its workers."""
    plan = trial_plan(trainings.plan, tune)
    trial = None
    untuned = None
    print("untuned values, trained in full: ", end="", flush=True)
    try:
        untuned = trainings.result({}, keeps=True)
        print(described(untuned, tune), flush=True)
        if tune.objective == "smallest_code":
            trial = trainings.trial_result(plan)
    except DivergedError as error:
        print(error, flush=True)
    results = FirstResults(trial, untuned)
    if trial is not None:
        needed = percent(results.forecast.judge(tune).explained_variance)
        print(
            f"a trial's {plan.train.epochs} epochs keep {percent(trial.explained_variance)} of it; "
            f"so a trial needs {needed} for a training to keep {tune.asked_share}",
            flush=True,
        )
    trainings.study.set_user_attr(FORECAST, results.forecast._asdict())
    return results


def awaited_forecast(study: Study) -> Forecast:
    """The forecast of a study's trials, once the process that began the study knows it."""
    says_so = False
    while FORECAST not in study.user_attrs:
        if not says_so:
            print(f"{study.study_name}: waiting for its first training in full", flush=True)
            says_so = True
        time.sleep(POLL_SECONDS)
    return Forecast(**study.user_attrs[FORECAST])
