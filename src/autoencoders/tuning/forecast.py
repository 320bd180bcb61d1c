"""The forecast of a training's result from that of its trial, which has fewer epochs.

Both lose a share of the variance. The quotient of the two shares differs little from one code size
to the next, so that a training in full, with the values of params.yaml, tells what a trial needs:
at its end, and on the way there.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple, TypeVar

from autoencoders.params.sections import Tune

T = TypeVar("T", bound=Tune)
DIGITS = 4  # of the share that a trial has to keep: a hundredth of a percent
LEAST_SHARE = 1e-4  # that a trial has to keep, however little a training loses


class Forecast(NamedTuple):
    """The share of the variance that a training loses, as a multiple of what its trial loses."""

    ratio: float = 1.0  # at the trial's end
    ratios: Mapping[str, float] = {}  # after some epochs of the trial, by their number

    @classmethod
    def of(
        cls, trial_kept: float, training_kept: float, by_epoch: Mapping[str, float] | None = None
    ) -> "Forecast":
        """The forecast by a trial and the training in full with its values.

        All are shares of the variance that are kept. by_epoch: by the trial after some epochs.
        """
        lost = 1 - training_kept
        ratios = {epoch: _quotient(lost, 1 - kept) for epoch, kept in (by_epoch or {}).items()}
        return cls(_quotient(lost, 1 - trial_kept), ratios)

    def kept(self, trial_kept: float) -> float:
        """The share of the variance that a training keeps, by that of its trial."""
        return 1 - self.ratio * (1 - trial_kept)

    def lost_after(self, epoch: int, trial_kept: float) -> float | None:
        """The share that a training loses, by that which its trial keeps after an epoch.

        None where no ratio is known.
        """
        ratio = self.ratios.get(str(epoch))
        if ratio is None:
            return None
        return ratio * (1 - trial_kept)

    def needed(self, asked: float) -> float:
        """The share that a trial has to keep, so that its training keeps the asked one.

        It is rounded up, and lies in (0, 1).
        """
        if self.ratio <= 0:
            return LEAST_SHARE
        share = 1 - (1 - asked) / self.ratio
        rounded = math.ceil(share * 10**DIGITS) / 10**DIGITS
        return min(max(rounded, LEAST_SHARE), 1 - LEAST_SHARE)

    def judge(self, tune: T) -> T:
        """The settings by which trials are judged: a trial needs less than a training."""
        if tune.objective == "smallest_error":
            return tune
        return tune.model_copy(update={"explained_variance": self.needed(tune.explained_variance)})


def _quotient(lost: float, lost_by_trial: float) -> float:
    """The share that a training loses, in that of its trial; 1 where that loses nothing."""
    if lost_by_trial <= 0:
        return 1.0
    return lost / lost_by_trial
