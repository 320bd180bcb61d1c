"""One trial: values from the search space, an ordinary training, its error on validation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from optuna import Study, Trial, TrialPruned

from autoencoders.callbacks import CRITERION
from autoencoders.data.prepared import Prepared
from autoencoders.evaluation.metrics import fidelity
from autoencoders.params import Dimension, Params
from autoencoders.process import Starter
from autoencoders.space import WHOLE, dimensions
from autoencoders.tracking.runs import Run, Runs
from autoencoders.training import fit
from autoencoders.tuning.storage import RESULT
from autoencoders.tuning.study import trial_params
from autoencoders.tuning.work import Bar, work

CURVES = ("train/reconstruction_loss", CRITERION)


@dataclass(frozen=True)
class Objective:
    """Trains a trial and gives what the study minimises: the squared error, and for `compress` the code size."""

    kind: str
    params: Params
    data: Prepared
    runs: Runs
    study_run: str  # the MLflow run above the trials'
    each_epoch: Callable[[], None]  # may raise Interrupted

    def __call__(self, trial: Trial) -> float | tuple[float, int]:
        """Raises what the training raises, and TrialPruned."""
        values = {d.param: suggest(trial, d) for d in dimensions(self.params, self.kind, self.data.description.facts)}
        with self.runs.trial(self.study_run, f"trial {trial.number}", values) as run:
            result = self._result(trial, values, run)
        if result is None:
            raise TrialPruned
        trial.set_user_attr(RESULT, result)
        compress = self.params.tune.goal == "compress"
        return (result["squared_error"], int(result["code_size"])) if compress else result["squared_error"]

    def _result(self, trial: Trial, values: Mapping[str, object], run: Run) -> dict[str, float] | None:
        """What the trained network achieves on validation; None for a pruned trial."""
        params = trial_params(self.params, self.kind, self.data.description.facts).tuned(self.kind, values)

        def log(epoch: int, means: Mapping[str, float]) -> None:
            self.each_epoch()
            run.epoch(epoch, {name: means[name] for name in CURVES})
            if self.params.tune.goal == "reconstruct":
                trial.report(means[CRITERION], epoch)
                if trial.should_prune():
                    raise TrialPruned

        try:
            fitted = fit(self.kind, params, self.data, log=log, calibrate=False)
        except TrialPruned:
            run.tag(state="pruned")
            return None
        errors, kept = fidelity(fitted.model.reconstruct, self.data, "validation")
        result = {"squared_error": float(errors.mean()), "explained_variance": kept}
        run.metrics({f"val/{name}": value for name, value in result.items()})
        code_size = fitted.model.description.architecture.code_size
        return {**result, "code_size": code_size, "epochs": len(fitted.history)}


def suggest(trial: Trial, dimension: Dimension) -> Any:
    """A value from one line of the search space."""
    if dimension.choices is not None:
        return trial.suggest_categorical(dimension.param, dimension.choices)
    low, high = dimension.ends[0], dimension.ends[-1]
    if dimension.param in WHOLE:
        return trial.suggest_int(dimension.param, low, high, step=int(dimension.step or 1), log=dimension.log)
    return trial.suggest_float(dimension.param, low, high, step=dimension.step, log=dimension.log)


def search(study: Study, kind: str, params: Params, data: Prepared, runs: Runs, study_run: str) -> None:
    """Works on a study until it has all its trials, and shows its progress."""
    objective = Objective(kind, params, data, runs, study_run, Starter().stop_if_gone)
    with Bar(study, params.tune.n_trials) as bar:
        work(study, objective, params.tune.n_trials, bar.update)
