"""The budget of a study in minutes, `tune.minutes`, and how much of it its trials have used."""

from collections.abc import Sequence
from datetime import datetime

from optuna.trial import FrozenTrial

from autoencoders.tuning.trials import complete


def minutes_worked(trials: Sequence[FrozenTrial]) -> float:
    """Minutes in which at least one of these finished trials was running, by the storage's times.

    So the pause of a study that was stopped does not count, trials side by side count once, and all
    workers of a study get the same figure, as far as their machines' clocks agree.
    """
    seconds = 0.0
    end = datetime.min  # of the trials so far
    for began, ended in sorted(_times(trials)):
        uncounted = ended - max(began, end)
        seconds += max(uncounted.total_seconds(), 0.0)
        end = max(end, ended)
    return seconds / 60


def _times(trials: Sequence[FrozenTrial]) -> list[tuple[datetime, datetime]]:
    """When trials began and ended."""
    times = []
    for trial in trials:
        if trial.datetime_start is not None and trial.datetime_complete is not None:
            times.append((trial.datetime_start, trial.datetime_complete))
    return times


def are_over(minutes: float, finished: Sequence[FrozenTrial]) -> bool:
    """Whether a study with these finished trials begins no other one.

    minutes: 0 means no limit. A study goes on until one trial is complete, so that there are values
    to train with.
    """
    if not minutes:
        return False
    return bool(complete(finished)) and minutes_worked(finished) >= minutes
