"""Trainings in full that take part in a decision, and the smallest code that keeps the share."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from autoencoders.core.errors import DivergedError
from autoencoders.params.sections import FixedTune, Tune
from autoencoders.params.space import CODE_SIZE, dimensions
from autoencoders.tuning.bracket import Bracket
from autoencoders.tuning.full import FullTrainings, Result


class Final(NamedTuple):
    """A training in full."""

    number: int | None  # of the trial whose values it has, without gaps; None: the untuned ones
    values: Mapping[str, Any]  # by dotted name, which differ from the untuned ones
    result: Result


class Finals:
    """Trains in full, prints the results and keeps them."""

    def __init__(self, tune: FixedTune, trainings: FullTrainings) -> None:
        self.tune = tune
        self.trainings = trainings
        self.tried: list[Final] = []

    def train(self, number: int | None, values: Mapping[str, Any]) -> Final | None:
        """A training with the values of a trial, or untuned ones; None where it diverges."""
        beginning = f"{self.trainings.plan.model_type}: {title(number)} in full"
        try:
            final = Final(number, values, self.trainings.result(values, keeps=True))
        except DivergedError as error:
            print(f"{beginning}: {error}", flush=True)
            return None
        print(f"{beginning}: {described(final.result, self.tune)}", flush=True)
        self.tried.append(final)
        return final

    def smallest(self, first: Final, most: int | None = None) -> int | None:
        """The smallest code size that keeps the share with the values of a training.

        A larger code loses less: so the sizes on one side of each training are ruled out. most: the
        largest size that is looked at; None: that of the space. None where no size keeps the share.
        """
        sizes = [size for size in self._sizes() if most is None or size <= most]
        bracket = Bracket(sizes)
        final: Final | None = first
        while final is not None:
            bracket.add(final.result.code_size, keeps=self.keeps(final))
            if bracket.is_closed:
                break
            size = bracket.next(self._expected(final.result))
            final = self.train(first.number, {**first.values, CODE_SIZE: size})
        return bracket.smallest

    def keeps(self, final: Final) -> bool:
        """Whether a training keeps the share that is asked."""
        return self.tune.keeps(final.result.explained_variance)

    def best(self) -> Final:
        """The first of the trainings by `Tune.rank`."""
        return min(self.tried, key=self._rank)

    def _rank(self, final: Final) -> tuple[float, float]:
        result = final.result
        return self.tune.rank(result.code_size, result.squared_error, result.explained_variance)

    def _sizes(self) -> list[int]:
        """The code sizes of the space, in order; the untuned one where the space has none."""
        for dimension in dimensions(self.tune, self.trainings.plan):
            if dimension.param == CODE_SIZE:
                return dimension.whole_numbers()
        return [self.trainings.plan.network.code_size]

    def _expected(self, result: Result) -> float:
        """The code size that just keeps the share, if twice the code loses half as much."""
        may_lose = 1 - self.tune.explained_variance
        return result.code_size * (1 - result.explained_variance) / may_lose


def title(number: int | None) -> str:
    """The values of a trial, or the untuned ones, in words."""
    return "untuned values" if number is None else f"values of trial {number}"


def described(result: Result, tune: Tune) -> str:
    """A training's result in view of the objective."""
    text = f"code size {result.code_size} keeps {percent(result.explained_variance)}"
    if tune.objective == "smallest_code":
        text += f" (asked {tune.asked_share})"
    return f"{text}, squared error {result.squared_error:.4f}"


def percent(share: float) -> str:
    """A share in percent, with one decimal: 86.1 %."""
    return f"{100 * share:.1f} %"
