"""The objective: trains with a trial's values and returns what the study minimises."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from optuna import Trial, TrialPruned
from optuna.distributions import CategoricalChoiceType
from optuna.trial import FrozenTrial, TrialState

from autoencoders.core.errors import DivergedError
from autoencoders.data.prepared.prepared import Prepared
from autoencoders.models.trained.fidelity import fidelity
from autoencoders.models.trained.saved import TRAIN_LOSS, VALIDATION_LOSS
from autoencoders.params.dimension import Dimension
from autoencoders.params.plan import Plan
from autoencoders.params.sections import Tune
from autoencoders.params.space import WHOLE, dimensions
from autoencoders.tracking.recorder import Recorder
from autoencoders.tracking.records import Begin, RunRecord
from autoencoders.training.callbacks import SELECTION_METRIC
from autoencoders.training.fit import fit
from autoencoders.training.shares import Shares
from autoencoders.tuning.forecast import Forecast
from autoencoders.tuning.trials import (
    DATA_SET,
    ERROR,
    KEPT,
    MODEL_TYPE,
    RESULT,
    SAME_AS,
    STOPPED,
    TRIAL,
    VARIANCE,
    rank,
)

# a trial is stopped where its training would lose so many times the share that it may lose
FAR = 1.2
MOST_LOST = 0.999  # of the variance, in a trial's value: below 1, as code sizes come first
FIDELITY = ("squared_error", "explained_variance")  # on validation, of a complete trial
COPIED = (ERROR, KEPT, RESULT, STOPPED)  # attributes that depend on a trial's values alone
CURVES = (TRAIN_LOSS, VALIDATION_LOSS)


@dataclass(frozen=True)
class Objective:
    """Trains a trial and returns the value that the study minimises.

    smallest_error: the squared error on validation, a sum over features, a mean over rows, on the
    model's scale. smallest_code: the code size, and the share of the variance that is lost, which
    is below 1 and so decides between equal codes; a constraint holds what a training would miss of
    the asked share.
    """

    plan: Plan  # untuned, of a trial, whose values it changes
    tune: Tune
    forecast: Forecast
    data: Prepared
    recorder: Recorder
    study_run: Begin  # the MLflow run above the trials'
    each_epoch: Callable[[], None]  # may raise Interrupted

    def __call__(self, trial: Trial) -> float:
        """Raises what the training raises, and TrialPruned."""
        space = dimensions(self.tune, self.plan)
        values = {dimension.param: suggest(trial, dimension) for dimension in space}
        number = rank(trial.study, trial.number)
        self._describe(trial, number)
        begin = self.recorder.trial_run(self.study_run, number, trial.number, values)
        with self.recorder.trial(begin) as run:
            twin = self._twin(trial)
            if twin is None:
                value = self._value(trial, self.plan.with_values(values), run)
            else:
                value = repeated(trial, twin, run)
        if value is None:
            raise TrialPruned
        return value

    def _describe(self, trial: Trial, number: int) -> None:
        """Writes the trial's number, type and data set for optuna-dashboard."""
        trial.set_user_attr(TRIAL, number)
        trial.set_user_attr(MODEL_TYPE, self.plan.model_type)
        trial.set_user_attr(DATA_SET, self.data.description.name)

    def _twin(self, trial: Trial) -> FrozenTrial | None:
        """An earlier trial with the same values, whose training would be the same, too."""
        for other in trial.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            if other.params == trial.params:
                return other
        return None

    def _value(self, trial: Trial, plan: Plan, run: RunRecord) -> float | None:
        """The trial's value; None where it is pruned.

        The value of a trial of smallest_code that is stopped, and its constraint, are those that
        are forecast: so samplers learn from it, and don't take it for feasible.
        """
        try:
            result = self._result(trial, plan, run)
        except TrialPruned:
            run.tag(state="stopped")
            return None
        except FarFromShare as stop:
            run.tag(state="stopped")
            trial.set_user_attr(STOPPED, stop.epoch)
            trial.set_constraint(VARIANCE, stop.lost - (1 - self.tune.explained_variance))
            return plan.network.code_size + min(stop.lost, MOST_LOST)
        kept = result["explained_variance"]
        trial.set_user_attr(ERROR, result["squared_error"])
        trial.set_user_attr(KEPT, kept)
        trial.set_user_attr(RESULT, result)
        if self.tune.objective == "smallest_error":
            return result["squared_error"]
        missed = self.tune.explained_variance - self.forecast.kept(kept)
        trial.set_constraint(VARIANCE, missed)
        return plan.network.code_size + min(1 - kept, MOST_LOST)

    def _result(self, trial: Trial, plan: Plan, run: RunRecord) -> dict[str, float]:
        """The trained model's fidelity on validation, its code size and epochs.

        Raises TrialPruned and FarFromShare where the trial is stopped.
        """
        by_error = self.tune.objective == "smallest_error"

        def log(epoch: int, means: Mapping[str, float]) -> None:
            self.each_epoch()
            run.epoch(epoch, {name: means[name] for name in CURVES})
            if by_error:
                trial.report(means[SELECTION_METRIC], epoch)
                if trial.should_prune():
                    raise TrialPruned

        callbacks = []
        if not by_error:
            callbacks.append(Shares(self.data, partial(self._check_share, trial)))
        fitted = fit(plan, self.data, log=log, callbacks=callbacks, trial=True)
        errors, explained_variance = fidelity(fitted.model.reconstruct, self.data, "validation")
        error = float(errors.mean())
        if not math.isfinite(error):  # here, so that the run in MLflow fails, too
            raise DivergedError(f"the squared error on validation is {error}")
        result = {
            "squared_error": error,
            "explained_variance": explained_variance,
        }
        run.metrics({f"val/{name}": value for name, value in result.items()})
        code_size = fitted.model.description.architecture.code_size
        return {**result, "code_size": code_size, "epochs": fitted.model.description.epochs}

    def _check_share(self, trial: Trial, epoch: int, kept: float) -> None:
        """Reports the share that a training would lose, by that which is kept after an epoch.

        Raises FarFromShare where this is too much. Not the error is looked at: small codes have
        larger ones, and would always be stopped.
        """
        lost = self.forecast.lost_after(epoch, kept)
        if lost is None or not math.isfinite(lost):  # if not, the training ends with a reason
            return
        trial.report(lost, epoch)
        if self.tune.pruner != "none" and lost > FAR * (1 - self.tune.explained_variance):
            raise FarFromShare(epoch, lost)


def repeated(trial: Trial, twin: FrozenTrial, run: RunRecord) -> float | None:
    """Gives a trial the result of its twin, and returns its value."""
    for name in COPIED:
        if name in twin.user_attrs:
            trial.set_user_attr(name, twin.user_attrs[name])
    for name, violation in twin.constraints.items():
        trial.set_constraint(name, violation)
    for epoch, value in twin.intermediate_values.items():
        trial.report(value, epoch)
    if RESULT in twin.user_attrs:
        result = twin.user_attrs[RESULT]
        run.metrics({f"val/{name}": result[name] for name in FIDELITY})
    number = twin.user_attrs[TRIAL]
    trial.set_user_attr(SAME_AS, number)
    run.tag(same_as=f"trial {number}")
    return twin.value


class FarFromShare(Exception):  # noqa: N818  (no error)
    """Raised in a trial of smallest_code that is far from the asked share."""

    def __init__(self, epoch: int, lost: float) -> None:
        """lost: the share of the variance that a training would lose, as forecast."""
        super().__init__(f"after epoch {epoch}, a training would lose {lost:.0%} of the variance")
        self.epoch = epoch
        self.lost = lost


def suggest(trial: Trial, dimension: Dimension) -> CategoricalChoiceType:
    """The trial's value of one dimension of the search space."""
    if dimension.choices is not None:
        return trial.suggest_categorical(dimension.param, dimension.choices)
    low = dimension.ends[0]
    high = dimension.ends[-1]
    if dimension.param in WHOLE:
        step = int(dimension.step or 1)
        return trial.suggest_int(dimension.param, low, high, step=step, log=dimension.log)
    return trial.suggest_float(dimension.param, low, high, step=dimension.step, log=dimension.log)
