"""The decision: trials choose the candidate, trainings in full decide what is taken.

Trials are short, and favour what learns quickly. So the values of the best trial are trained in
full, too, and compete with the untuned ones for the smallest code that keeps the asked share.
"""

from collections.abc import Sequence
from typing import NamedTuple

from optuna.trial import FrozenTrial

from autoencoders.core.errors import DivergedError
from autoencoders.params.sections import Tune
from autoencoders.params.space import CODE_SIZE
from autoencoders.tuning.finals import Final, Finals
from autoencoders.tuning.first import FirstResults
from autoencoders.tuning.trials import best_trial, complete, ranked, state


class Decision(NamedTuple):
    """The training whose values are taken, and those that it was compared with."""

    taken: Final
    tried: list[Final]
    # the smallest code that keeps the share, with the best trial's and with the untuned values;
    # None: there is none, or with the best trial's values none that is as small as the other
    smallest_tuned: int | None
    smallest_untuned: int | None


def decide(
    trials: Sequence[FrozenTrial], tune: Tune, first: FirstResults, finals: Finals
) -> Decision:
    """The decision of the objective; leaves the checkpoint of the training that is taken.

    trials: those that count, in order. first: the results of the untuned values; finals: their
    trainings. Raises UserError where all trials failed, DivergedError where none can be trained in
    full.
    """
    judged = first.forecast.judge(tune)
    if not any(state(trial) == "stopped" for trial in trials):
        best_trial(trials, judged)  # raises where none is complete
    best_first = sorted(complete(trials), key=lambda trial: judged.rank(*ranked(trial)))
    candidate = _candidate(trials, best_first, first, finals)
    smallest_tuned = None
    if candidate is not None and tune.objective == "smallest_code":
        smallest_tuned = finals.smallest(candidate, first.smallest)
    if not finals.tried:
        raise DivergedError("the values of every complete trial diverge in a training in full")
    taken = finals.best()
    for final in finals.tried:
        if not finals.trainings.are_same(final.values, taken.values):
            finals.trainings.forget_checkpoint(final.values)
    return Decision(taken, finals.tried, smallest_tuned, first.smallest)


def _candidate(
    trials: Sequence[FrozenTrial],
    best_first: Sequence[FrozenTrial],
    first: FirstResults,
    finals: Finals,
) -> Final | None:
    """A training with the values of the best trial for which it does not diverge.

    Its code is not larger than the smallest one of the untuned values. None where the best trial
    has the untuned values, but for the code size: there is nothing to compare.
    """
    for trial in best_first:
        values = dict(trial.params)
        if _are_untuned(values, finals):
            return None
        size = values.get(CODE_SIZE)
        if size is not None and first.smallest is not None:
            values[CODE_SIZE] = min(size, first.smallest)
        final = finals.train(list(trials).index(trial), values)
        if final is not None:
            return final
    return None


def _are_untuned(values: dict[str, object], finals: Finals) -> bool:
    """Whether values make the untuned training, but for the code size."""
    untuned = finals.trainings.plan.network.code_size
    return finals.trainings.are_same({**values, CODE_SIZE: untuned}, {})
