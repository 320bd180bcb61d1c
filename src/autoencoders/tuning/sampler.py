"""The sampler: draws a trial's values from the seed and the trials before it."""

from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial

from autoencoders.tuning.trials import rank

STARTUP = 5  # random trials before TPE learns from them: short studies gain from few


class Repeatable(BaseSampler):
    """Draws a trial's values from the seed, the number of trials before it, and their results.

    Only the trials that count are numbered. So one worker repeats its study; a study that was
    killed or is given more trials goes on as if it had never stopped; and several workers draw the
    same first trials, before which TPE has nothing to learn from.
    """

    def __init__(self, name: str, seed: int, study: Study) -> None:
        """name: tpe or random. study: with all trials, as Hyperband shows a sampler one bracket."""
        self.name = name
        self.seed = seed
        self.study = study

    def _sampler(self, trial: FrozenTrial, param: str) -> BaseSampler:
        """The sampler of one value: each has its own, as a retried trial may have some already."""
        entropy = [self.seed, rank(self.study, trial.number), *param.encode()]
        seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
        if self.name == "tpe":
            return TPESampler(seed=seed, n_startup_trials=STARTUP)
        return RandomSampler(seed=seed)

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
