"""The decision: trials choose the candidate, trainings in full decide what is taken.

Trials are short, and favour what learns quickly. So the values of the best trial and the untuned
ones are trained in full, and for both the smallest code is looked for that keeps the asked share.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from optuna.trial import FrozenTrial

from autoencoders.core.errors import DivergedError
from autoencoders.params.sections import Tune
from autoencoders.params.space import CODE_SIZE, dimensions
from autoencoders.tuning.full import FullTrainings, Result
from autoencoders.tuning.trials import best_trial, complete, ranked

UNTUNED_VALUES = "untuned values"
FINE = 20  # code sizes are told apart to a twentieth, at least to 1
HOPELESS = "the values of every complete trial diverge in a training in full"


class Final(NamedTuple):
    """A training in full that takes part in the decision."""

    number: int | None  # of the trial whose values it has, without gaps; None: the untuned ones
    values: Mapping[str, Any]  # by dotted name
    result: Result


class Decision(NamedTuple):
    """The training whose values are taken, and those that it was compared with."""

    taken: Final
    tried: list[Final]
    # the smallest code that keeps the share, with the best trial's and with the untuned values;
    # None: there is none below or at the one that is taken
    smallest_tuned: int | None
    smallest_untuned: int | None


def decide(
    trials: Sequence[FrozenTrial],
    tune: Tune,
    judged: Tune,
    untuned: Result | None,
    trainings: FullTrainings,
) -> Decision:
    """The decision of the objective; leaves the checkpoint of the training that is taken.

    trials: those that count, in order; judged: the settings as trials are judged. untuned: the
    result of a training in full with the untuned values; None: it diverged. Raises UserError where
    no trial is complete, DivergedError where none can be trained in full.
    """
    finals = Finals(tune, trainings)
    if untuned is not None:
        finals.tried.append(Final(None, {}, untuned))
    best_first = _best_first(trials, judged)
    if tune.objective == "smallest_error":
        decision = finals.smallest_error(trials, best_first)
    else:
        decision = finals.smallest_code(trials, best_first)
    for final in finals.tried:
        if not trainings.are_same(final.values, decision.taken.values):
            trainings.forget_checkpoint(final.values)
    return decision


def _best_first(trials: Sequence[FrozenTrial], judged: Tune) -> list[FrozenTrial]:
    """The complete trials. Raises UserError where there is none."""
    best_trial(trials, judged)
    return sorted(complete(trials), key=lambda trial: judged.rank(*ranked(trial)))


class Finals:
    """The trainings in full that decide."""

    def __init__(self, tune: Tune, trainings: FullTrainings) -> None:
        self.tune = tune
        self.trainings = trainings
        self.tried: list[Final] = []

    def smallest_error(
        self, trials: Sequence[FrozenTrial], best_first: Sequence[FrozenTrial]
    ) -> Decision:
        """The best trial's values, unless the untuned ones have a smaller error."""
        self._first_that_trains(trials, best_first)
        taken = min(self.tried, key=lambda final: final.result.squared_error)
        return Decision(taken, self.tried, None, None)

    def smallest_code(
        self, trials: Sequence[FrozenTrial], best_first: Sequence[FrozenTrial]
    ) -> Decision:
        """The smallest code that keeps the share, of equal ones the smaller error.

        Where none keeps it: the least error.
        """
        untuned = self.tried[0] if self.tried else None
        candidate = self._first_that_trains(trials, best_first)
        sizes = self._sizes(candidate or untuned)
        smallest_tuned = None
        smallest_untuned = None
        if candidate is not None:
            smallest_tuned = self._smallest(candidate, sizes)
        if untuned is not None and candidate is not None and self._differ_in_code(candidate):
            smallest_untuned = smallest_tuned
        elif untuned is not None:
            if smallest_tuned is not None:
                sizes = [size for size in sizes if size <= smallest_tuned]
            smallest_untuned = self._smallest(untuned, sizes)
        keeping = [final for final in self.tried if self._keeps(final)]
        taken = min(keeping or self.tried, key=self._rank)
        return Decision(taken, self.tried, smallest_tuned, smallest_untuned)

    def _rank(self, final: Final) -> tuple[float, float]:
        result = final.result
        return self.tune.rank(result.code_size, result.squared_error, result.explained_variance)

    def _keeps(self, final: Final) -> bool:
        """Whether a training in full keeps the share that is asked."""
        return self.tune.keeps(final.result.explained_variance)

    def _differ_in_code(self, candidate: Final) -> bool:
        """Whether a trial's values differ from the untuned ones in their code size alone."""
        values = {**candidate.values, CODE_SIZE: self.trainings.plan.network.code_size}
        return self.trainings.are_same(values, {})

    def _first_that_trains(
        self, trials: Sequence[FrozenTrial], best_first: Sequence[FrozenTrial]
    ) -> Final | None:
        """A training in full with the values of the best trial for which it does not diverge.

        None where that is the trial of the untuned values. Raises DivergedError where all diverge.
        """
        for trial in best_first:
            if self.tried and self.trainings.are_same(trial.params, {}):
                return None
            final = self._train(list(trials).index(trial), trial.params)
            if final is not None:
                return final
        if not self.tried:
            raise DivergedError(HOPELESS)
        return None

    def _train(self, number: int | None, values: Mapping[str, Any]) -> Final | None:
        """Trains in full, prints the result and keeps it; None where the training diverges."""
        print(f"{title(number)} in full: ", end="", flush=True)
        try:
            final = Final(number, values, self.trainings.result(values, keeps=True))
        except DivergedError as error:
            print(error, flush=True)
            return None
        print(described(final.result, self.tune), flush=True)
        self.tried.append(final)
        return final

    def _sizes(self, first: Final | None) -> list[int]:
        """The code sizes of the space, in order; without any, that of the first training."""
        for dimension in dimensions(self.tune, self.trainings.plan):
            if dimension.param == CODE_SIZE:
                return dimension.whole_numbers()
        return [] if first is None else [first.result.code_size]

    def _smallest(self, first: Final, sizes: Sequence[int]) -> int | None:
        """The smallest of these code sizes that keeps the share with the values of a training.

        A larger code loses less: so the sizes on one side of each training are ruled
        out. sizes: in order. None where none keeps it.
        """
        bracket = Bracket(sizes)
        final: Final | None = first
        while final is not None:
            bracket.add(final.result.code_size, keeps=self._keeps(final))
            if bracket.is_closed:
                break
            size = bracket.next(self._expected(final.result))
            final = self._train(first.number, {**first.values, CODE_SIZE: size})
        return bracket.smallest

    def _expected(self, result: Result) -> float:
        """The code size that just keeps the share, if twice the code loses half as much."""
        may_lose = 1 - self.tune.explained_variance
        return result.code_size * (1 - result.explained_variance) / may_lose


class Bracket:
    """The code sizes between those that miss a share and those that keep it."""

    def __init__(self, sizes: Sequence[int]) -> None:
        """sizes: that are allowed, in order."""
        self.allowed = sizes
        self.left = sizes  # of which nothing is known
        self.smallest: int | None = None  # that keeps the share
        self.largest_missing: int | None = None
        self.has_kept = False  # whether a size kept the share, also one that is not allowed
        self.steps = 0  # in one direction, before a size of the other side was known

    def add(self, size: int, *, keeps: bool) -> None:
        """Notes whether a code size keeps the share."""
        if keeps:
            self.has_kept = True
            self.left = [other for other in self.left if other < size]
            # a size that is not allowed speaks for the next larger one
            self.smallest = next((other for other in self.allowed if other >= size), None)
        else:
            self.largest_missing = size
            self.left = [other for other in self.left if other > size]

    @property
    def is_closed(self) -> bool:
        """Whether the smallest code is known, to a twentieth."""
        if not self.left:
            return True
        if self.smallest is None or self.largest_missing is None:
            return False
        return self.smallest - self.largest_missing <= max(1, self.smallest // FINE)

    def next(self, expected: float) -> int:
        """The next code size to train with.

        expected: by the last one. As long as one side is unknown, each step is at least twice as
        long as the one before; after that, the middle is taken.
        """
        if self.has_kept and self.largest_missing is not None:
            return self.left[len(self.left) // 2]
        step = 2**self.steps - 1
        self.steps += 1
        if self.has_kept:
            expected = min(expected, self.left[-1] - step)
        else:
            expected = max(expected, self.left[0] + step)
        return min(self.left, key=lambda size: (abs(size - expected), size))


def title(number: int | None) -> str:
    """The values of a trial, or the untuned ones, in words."""
    return UNTUNED_VALUES if number is None else f"values of trial {number}"


def described(result: Result, tune: Tune) -> str:
    """A training's result in view of the objective."""
    text = f"code size {result.code_size} keeps {percent(result.explained_variance)}"
    if tune.objective == "smallest_code":
        text += f" (asked {tune.asked_share})"
    return f"{text}, squared error {result.squared_error:.4f}"


def percent(share: float) -> str:
    """A share in percent, with one decimal: 86.1 %."""
    return f"{100 * share:.1f} %"
