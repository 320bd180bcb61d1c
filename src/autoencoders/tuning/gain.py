"""The gain of tuning: the error at equal code size, the code size at equal share.

Both sides are trained in full and measured on validation rows.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy.special import stdtrit

from autoencoders.core.errors import DivergedError
from autoencoders.params.sections import Tune
from autoencoders.params.space import CODE_SIZE
from autoencoders.tuning.decision import Decision
from autoencoders.tuning.full import PURPOSES, FullTrainings, Result

LEVEL = 0.95  # of the interval over seeds


class ErrorChange(NamedTuple):
    """The change of the squared error by tuning, at equal code size."""

    code_size: int
    untuned: float  # mean over seeds
    tuned: float  # mean over seeds
    change: float  # mean over seeds of tuned / untuned - 1
    interval: tuple[float, float] | None  # of the change, where there are several seeds
    purpose: dict[str, float]  # differences of the type's own metrics, means over seeds


class Gain(NamedTuple):
    """The gain of tuning."""

    error: ErrorChange
    # the smallest codes that keep the asked share, see `Decision`
    smallest_tuned: int | None
    smallest_untuned: int | None

    def written(self) -> dict[str, Any]:
        """The gain as JSON values."""
        return {**self._asdict(), "error": self.error._asdict()}


def gain(decision: Decision, tune: Tune, trainings: FullTrainings) -> Gain | None:
    """The gain; None where it is not asked for, or a training diverges, which is printed.

    Tuned values are those of the best trial that was trained in full.
    """
    tuned = [final for final in decision.tried if final.number is not None]
    if not tune.gain_seeds or not tuned:
        return None
    try:
        error = _error_change(tuned[0].values, _code_size(decision, trainings), tune, trainings)
    except DivergedError as problem:
        print(f"the gain of tuning is not known: {problem}", flush=True)
        return None
    return Gain(error, decision.smallest_tuned, decision.smallest_untuned)


def _code_size(decision: Decision, trainings: FullTrainings) -> int:
    """The code size of the comparison: one at which both sides are trained already, if there is.

    The untuned one comes first, then the largest.
    """
    untuned = trainings.plan.network.code_size
    sizes = [set[int](), set[int]()]  # of tuned and of untuned values
    for final in decision.tried:
        sizes[final.number is None].add(final.result.code_size)
    both = sizes[0] & sizes[1]
    if untuned in both or not both:
        return untuned
    return max(both)


def _error_change(
    values: Mapping[str, Any], code_size: int, tune: Tune, trainings: FullTrainings
) -> ErrorChange:
    """The change of the error, over as many seeds as are asked for."""
    untuned = []
    tuned = []
    for step in range(tune.gain_seeds):
        seed = trainings.plan.seed + step
        untuned.append(trainings.result({CODE_SIZE: code_size}, seed=seed))
        tuned.append(trainings.result({**values, CODE_SIZE: code_size}, seed=seed))
    before = np.array([result.squared_error for result in untuned])
    after = np.array([result.squared_error for result in tuned])
    changes = after / before - 1
    return ErrorChange(
        code_size=code_size,
        untuned=float(before.mean()),
        tuned=float(after.mean()),
        change=float(changes.mean()),
        interval=_interval(changes),
        purpose={name: _difference(name, untuned, tuned) for name in untuned[0].purpose},
    )


def _difference(name: str, untuned: list[Result], tuned: list[Result]) -> float:
    """The difference of a type's own metric, the mean over seeds."""
    pairs = zip(untuned, tuned, strict=True)
    differences = [after.purpose[name] - before.purpose[name] for before, after in pairs]
    return float(np.mean(differences))


def _interval(values: np.ndarray) -> tuple[float, float] | None:
    """The 95 % interval of the mean by Student's t; None of a single value."""
    if len(values) < 2:
        return None
    quantile = stdtrit(len(values) - 1, (1 + LEVEL) / 2)
    half = quantile * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)


def sentences(result: Gain, tune: Tune) -> list[str]:
    """The gain in words, a line each."""
    lines = [_error_sentence(result.error, tune.gain_seeds)]
    if tune.objective == "smallest_code":
        lines.append(_code_sentence(result, tune))
    return lines


def _error_sentence(change: ErrorChange, seeds: int) -> str:
    text = (
        f"tuning changes the error at code size {change.code_size} by {100 * change.change:+.1f} %"
    )
    if change.interval is not None:
        low, high = change.interval
        text += f" ({100 * low:+.1f} to {100 * high:+.1f} %, {seeds} seeds)"
    text += f": {change.untuned:.4f} untuned, {change.tuned:.4f} tuned"
    for name, difference in change.purpose.items():
        text += f"; {PURPOSES[name]}: {difference:+.2f}"
    return text


def _code_sentence(result: Gain, tune: Tune) -> str:
    """The smallest codes that keep the asked share."""
    tuned = result.smallest_tuned
    untuned = result.smallest_untuned
    asked = f"for {tune.asked_share} of the variance"
    if tuned is None and untuned is None:
        return f"{asked} no code of the space is large enough, with tuned values or without"
    if tuned is None:
        return f"{asked} untuned values need code size {untuned}; tuned ones need more"
    if untuned is None:
        return f"{asked} tuned values need code size {tuned}; untuned ones need more"
    return f"{asked} tuned values need code size {tuned}, untuned ones {untuned}"
