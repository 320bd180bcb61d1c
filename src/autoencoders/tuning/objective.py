"""The objective: trains with a trial's values and returns what the study minimises."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from optuna import Trial, TrialPruned
from optuna.distributions import CategoricalChoiceType

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
from autoencoders.tuning.trials import DATA_SET, ERROR, KEPT, MODEL_TYPE, RESULT, TRIAL, rank

FIDELITY = ("squared_error", "explained_variance")  # on validation, of a complete trial
CURVES = (TRAIN_LOSS, VALIDATION_LOSS)


@dataclass(frozen=True)
class Objective:
    """Trains a trial and returns its squared error on validation; smallest_code: its code size too.

    The squared error is a sum over features, a mean over rows, on the model's scale.
    """

    plan: Plan  # of a trial, whose values it changes
    tune: Tune
    data: Prepared
    recorder: Recorder
    study_run: Begin  # the MLflow run above the trials'
    each_epoch: Callable[[], None]  # may raise Interrupted

    def __call__(self, trial: Trial) -> float | tuple[float, int]:
        """Raises what the training raises, and TrialPruned."""
        space = dimensions(self.tune, self.plan.model_type, self.plan.facts)
        values = {dimension.param: suggest(trial, dimension) for dimension in space}
        number = rank(trial.study, trial.number)
        self._describe(trial, number)
        begin = self.recorder.trial_run(self.study_run, number, trial.number, values)
        with self.recorder.trial(begin) as run:
            result = self._result(trial, values, run)
        if result is None:
            raise TrialPruned
        trial.set_user_attr(ERROR, result["squared_error"])
        trial.set_user_attr(KEPT, result["explained_variance"])
        trial.set_user_attr(RESULT, result)
        if self.tune.objective == "smallest_code":
            return result["squared_error"], int(result["code_size"])
        return result["squared_error"]

    def _describe(self, trial: Trial, number: int) -> None:
        """Writes the trial's number, type and data set for optuna-dashboard."""
        trial.set_user_attr(TRIAL, number)
        trial.set_user_attr(MODEL_TYPE, self.plan.model_type)
        trial.set_user_attr(DATA_SET, self.data.description.name)

    def _result(
        self, trial: Trial, values: Mapping[str, object], run: RunRecord
    ) -> dict[str, float] | None:
        """The trained model's fidelity on validation, its code size and epochs; None if pruned."""
        plan = self.plan.with_values(values)

        def log(epoch: int, means: Mapping[str, float]) -> None:
            self.each_epoch()
            run.epoch(epoch, {name: means[name] for name in CURVES})
            if self.tune.objective == "smallest_error":
                trial.report(means[SELECTION_METRIC], epoch)
                if trial.should_prune():
                    raise TrialPruned

        try:
            fitted = fit(plan, self.data, log=log, trial=True)
        except TrialPruned:
            run.tag(state="pruned")
            return None
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
