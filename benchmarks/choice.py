"""The precision that `train.precision: auto` chooses, judged by the times of both."""

import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from autoencoders.training.processors import GPU, Kind, Processor
from timing import Trained

FP32, BF16 = "32-true", "bf16-mixed"
ENOUGH = 0.97  # of the other precision's speed: below, `auto` has chosen the wrong one


class Choice(NamedTuple):
    """The precision that `auto` chose in a case, and what it chose from."""

    case: str
    precision: str
    bf16_speed: float  # relative to fp32's

    @property
    def speed(self) -> float:
        """The speed of the precision that was chosen, relative to the other one's."""
        return self.bf16_speed if self.precision == BF16 else 1 / self.bf16_speed

    @property
    def is_right(self) -> bool:
        """Whether the other precision is not faster, but for noise."""
        return self.speed >= ENOUGH

    def __str__(self) -> str:
        taken = f"{self.case}: auto takes {self.precision}, {self.speed:.2f} times as fast as the "
        if self.is_right:
            return f"{taken}other precision: right"
        return f"{taken}other precision: WRONG, below {ENOUGH}"


def choice(case: str, trainings: Mapping[str, Sequence[Trained]], processor: Processor) -> Choice:
    """The choice in a case, by CPU seconds, which other work changes less; with a GPU by seconds.

    trainings: one a round, of auto, fp32 and bf16.
    """
    clock = "seconds" if processor.vendor == GPU else "cpu_seconds"
    fp32 = _times(trainings, FP32, clock)
    bf16 = _times(trainings, BF16, clock)
    bf16_speed = statistics.median(a / b for a, b in zip(fp32, bf16, strict=True))
    return Choice(case, trainings["auto"][0].precision, bf16_speed)


def _times(trainings: Mapping[str, Sequence[Trained]], precision: str, clock: str) -> list[float]:
    """The mean time of each round's trainings in a precision.

    auto's is one of them: it is the training of the precision that it chose, number for number.
    """
    rounds = zip(trainings["auto"], trainings["fp32"], trainings["bf16"], strict=True)
    return [
        statistics.mean(getattr(each, clock) for each in trained if each.precision == precision)
        for trained in rounds
    ]


def row(wide: Choice, processor: Processor) -> Kind:
    """The processor's row in training/processors.py, by what was measured with a wide network."""
    return processor.kind._replace(
        bf16_gains=wide.bf16_speed > 1,
        measured=f"{wide.bf16_speed:.2f} times as fast as fp32 on {processor.name}",
    )


def about_row(measured: Kind, processor: Processor) -> str:
    """The row, and whether the table chooses as it does."""
    if measured.bf16_gains == processor.kind.bf16_gains:
        agreement = "chooses as this row, by which it may be replaced"
    else:
        agreement = "chooses otherwise and needs this row"
    return f"training/processors.py {agreement}:\n{measured}"
