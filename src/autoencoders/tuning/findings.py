"""The findings of a study: what was taken and why, and what tuning gained, in numbers and words."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from optuna import create_study
from optuna.trial import FrozenTrial

from autoencoders.params.plan import Plan
from autoencoders.params.sections import FixedTune
from autoencoders.params.space import dimensions
from autoencoders.tuning.bounds import touched
from autoencoders.tuning.decision import Decision
from autoencoders.tuning.finals import described, title
from autoencoders.tuning.first import FirstResults
from autoencoders.tuning.full import Result
from autoencoders.tuning.gain import Gain, sentences
from autoencoders.tuning.study import trial_plan
from autoencoders.tuning.trials import RANKED, VARIANCE, complete, ranked, stopped_and_failed

ENOUGH_FOR_IMPORTANCES = 20  # trials: importances of fewer are noise


@dataclass(frozen=True)
class Findings:
    """The findings of a study that has ended."""

    name: str  # of the study
    plan: Plan  # untuned
    tune: FixedTune
    trials: Sequence[FrozenTrial]  # those that count, in order
    first: FirstResults
    decision: Decision
    gain: Gain | None

    @property
    def touched(self) -> list[str]:
        """A sentence on each bound of the space that the taken values touch."""
        space = dimensions(self.tune, self.plan)
        return touched(self.decision.taken.values, space, self.plan.facts)

    def achievement(self) -> str:
        """The result of the training that is taken."""
        return described(self.decision.taken.result, self.tune)

    def metrics(self) -> dict[str, float]:
        """The metrics of the study's MLflow run, by name."""
        result = self.decision.taken.result
        metrics = {f"taken/{name}": float(getattr(result, name)) for name in RANKED}
        if self.first.untuned is not None:
            for name in RANKED:
                metrics[f"untuned/{name}"] = float(getattr(self.first.untuned, name))
        if self.gain is not None:
            metrics["gain/error_change"] = self.gain.error.change
        return metrics

    def summary(self) -> list[str]:
        """The findings in words, a line each."""
        n_trials = f"{len(self.trials)} trials ({stopped_and_failed(self.trials)})"
        n_tried = len(self.decision.tried)
        taken = title(self.decision.taken.number)
        lines = [
            f"{n_trials}, then {n_tried} trainings in full",
            f"taken: {taken}: {self.achievement()}",
        ]
        lines += self._misses_share()
        lines += self.touched
        if self.gain is not None:
            lines += sentences(self.gain, self.tune)
        if all(final.number is None for final in self.decision.tried):
            lines.append("no trial is better than the one with the untuned values")
        return lines

    def _misses_share(self) -> list[str]:
        """A line on what to do, where the share is asked for and missed."""
        kept = self.decision.taken.result.explained_variance
        if self.tune.objective == "smallest_error" or self.tune.keeps(kept):
            return []
        return [
            f"no code of the space keeps {self.tune.asked_share} of the variance, so the least "
            "error is taken: widen network.code_size in tune.space, or ask for less in "
            "tune.explained_variance"
        ]

    @cached_property
    def importances(self) -> dict[str, float]:
        """The share of each parameter in the variation of the trials' results; {} for few trials.

        Of smallest_code, the result is the share of the variance that is kept, else the error.
        """
        trials = self.measured
        distinct = {self.target(trial) for trial in trials}
        if len(trials) < ENOUGH_FOR_IMPORTANCES or len(distinct) == 1:
            return {}
        from optuna.importance import FanovaImportanceEvaluator, get_param_importances

        study = create_study()
        study.add_trials(trials)
        evaluator = FanovaImportanceEvaluator(seed=0)
        shares = get_param_importances(study, evaluator=evaluator, target=self.target)
        return {name: float(share) for name, share in shares.items()}

    @property
    def measured(self) -> list[FrozenTrial]:
        """The trials that have a target: complete ones, and those that were far from the share."""
        numbers = {trial.number for trial in complete(self.trials)}
        return [
            trial
            for trial in self.trials
            if trial.number in numbers or VARIANCE in trial.constraints
        ]

    def target(self, trial: FrozenTrial) -> float:
        """The error of a trial, or the share of the variance that a training would keep."""
        if VARIANCE in trial.constraints:
            return self.tune.explained_variance - trial.constraints[VARIANCE]
        _, error, kept = ranked(trial)
        if self.tune.objective == "smallest_code":
            return float(kept)
        return float(error)

    def written(self) -> dict[str, Any]:
        """The findings as JSON values."""
        taken = self.decision.taken
        untuned = self.first.untuned
        return {
            "study": self.name,
            "objective": self.tune.objective,
            "asked": self.tune.explained_variance,
            "needed_by_trials": self.first.forecast.judge(self.tune).explained_variance,
            "trial_epochs": trial_plan(self.plan, self.tune).train.epochs,
            "n_trials": len(self.trials),
            "taken": {
                "trial": taken.number,
                "values": dict(taken.values),
                **_numbers(taken.result),
            },
            "untuned": None if untuned is None else _numbers(untuned),
            "in_full": [
                {"trial": final.number, **_numbers(final.result)} for final in self.decision.tried
            ],
            "gain": None if self.gain is None else self.gain.written(),
            "importances": self.importances,
            "summary": self.summary(),
        }


def _numbers(result: Result) -> dict[str, Any]:
    """A training's result as JSON values."""
    numbers = result._asdict()
    del numbers["by_epoch"]
    return numbers
