"""The sampler: draws a trial's values from the seed and the trials before it."""

from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial

from autoencoders.params.sections import Tune
from autoencoders.tuning.trials import rank

STARTUP = 5  # random trials before a sampler learns from them: short studies gain from few
# from which on `auto` takes TPE: a Gaussian process takes time with the cube of their number
MANY_TRIALS = 100


class Repeatable(BaseSampler):
    """Draws a trial's values from the seed, its type and number, and the trials before it.

    Types have draws of their own: with one stream for all, each would see the same first trials.
    Only the trials that count are numbered. So one worker repeats its study; a study that was
    killed or is given more trials goes on as if it had never stopped; and several workers draw the
    same first trials, before which TPE has nothing to learn from.
    """

    def __init__(self, tune: Tune, model_type: str, study: Study) -> None:
        """study: with all trials, as Hyperband shows a sampler one bracket."""
        self.tune = tune
        self.model_type = model_type
        self.study = study

    def _sampler(self, trial: FrozenTrial, param: str) -> BaseSampler:
        """The sampler of one value: each has its own, as a retried trial may have some already."""
        number = rank(self.study, trial.number)
        entropy = [self.tune.seed, number, *f"{self.model_type}/{param}".encode()]
        seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
        name = self._name(number)
        if name == "gp":
            return GPSampler(
                seed=seed,
                n_startup_trials=STARTUP,
                deterministic_objective=True,
                warn_independent_sampling=False,
            )
        if name == "tpe":
            return TPESampler(seed=seed, n_startup_trials=STARTUP)
        return RandomSampler(seed=seed)

    def _name(self, number: int) -> str:
        """The kind of sampler that draws a trial. number: the trial's, without gaps."""
        if self.tune.sampler != "auto":
            return self.tune.sampler
        if self.tune.objective == "smallest_code" and number < MANY_TRIALS:
            return "gp"
        return "tpe"

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Delegates to the trial's sampler."""
        return self._sampler(trial, "").infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Delegates to the trial's sampler."""
        return self._sampler(trial, "").sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, dist: BaseDistribution
    ) -> Any:
        """Delegates to the value's sampler."""
        return self._sampler(trial, param_name).sample_independent(study, trial, param_name, dist)
