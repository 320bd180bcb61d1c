"""The sampler: draws a trial's values from the seed and the trials before it."""

from typing import Any

import numpy as np
from optuna import Study
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial

from autoencoders.tuning.trials import rank

STARTUP = 5  # random trials before TPE learns from them: short studies gain from few


class Repeatable(BaseSampler):
    """Draws a trial's values from the seed, the number of trials before it that count, and their results.

    So one worker repeats its study, a study that was killed or is given more trials goes on as if it had never stopped,
    and several workers draw the same first trials, before which TPE has nothing to learn from.
    """

    def __init__(self, name: str, seed: int, study: Study) -> None:
        """name: tpe or random. study: with all its trials; Hyperband shows a sampler those of one bracket alone."""
        self.name, self.seed, self.study = name, seed, study

    def _sampler(self, trial: FrozenTrial, drawn: str) -> BaseSampler:
        """A sampler for what is drawn: of each value its own, as a retried trial has some of them already."""
        entropy = [self.seed, rank(self.study, trial.number), *drawn.encode()]
        seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
        return (
            TPESampler(seed=seed, n_startup_trials=STARTUP)
            if self.name == "tpe"
            else RandomSampler(seed=seed)
        )

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, Any]:
        """As the trial's own sampler says."""
        return self._sampler(trial, "").infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, Any]
    ) -> Any:
        """As the trial's own sampler says."""
        return self._sampler(trial, "").sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, dist: Any
    ) -> Any:
        """As the value's own sampler says."""
        return self._sampler(trial, param_name).sample_independent(study, trial, param_name, dist)
