"""The best result by trial, as curves in a study's MLflow run."""

from collections.abc import Iterator
from itertools import islice, takewhile

from optuna import Study
from optuna.trial import FrozenTrial

from autoencoders.params.sections import FixedTune
from autoencoders.tracking.records import RunRecord
from autoencoders.tuning.trials import RANKED, RESULT, attempts, best_trial, complete

BEST_SO_FAR = "best_so_far"  # group of the curves' names in MLflow


class Curve:
    """Records the best of the first n trials at step n, for each n.

    All points are written by each process that runs the study, also those of earlier trials: MLflow
    keeps the ones that it has.
    """

    def __init__(self, study: Study, tune: FixedTune, run: RunRecord) -> None:
        self.study = study
        self.tune = tune
        self.run = run
        self.n_trials = 0  # whose points are written
        self.best: FrozenTrial | None = None

    def extend(self) -> None:
        """Writes the points of the trials that have finished since."""
        for trial in islice(self._in_order(), self.n_trials, self.tune.n_trials):
            self.n_trials += 1
            self._compare(trial)
            if self.best is not None:
                result = self.best.user_attrs[RESULT]
                values = {f"{BEST_SO_FAR}/{name}": result[name] for name in RANKED}
                self.run.metrics(values, self.n_trials)

    def _in_order(self) -> Iterator[FrozenTrial]:
        """The finished trials up to the first that is not."""
        return takewhile(lambda trial: trial.state.is_finished(), attempts(self.study))

    def _compare(self, trial: FrozenTrial) -> None:
        """Keeps the better one of the best so far and a further trial."""
        if not complete([trial]):
            return
        if self.best is not None:
            trial = best_trial([self.best, trial], self.tune)
        self.best = trial
