"""One line of the search space."""

import math
from typing import Annotated, Any, Literal, Self

import pydantic
from pydantic import Field
from pydantic_core import PydanticCustomError

from autoencoders.params.section import Section


class Dimension(Section):
    """One line of the search space: a range from `low` to `high`, both included, or choices."""

    param: str
    """The dotted name of a value of this file that may be tuned."""
    low: int | float = 0
    """The range's lower end, which is included."""
    high: int | float = 0
    """The range's upper end, which is included."""
    log: bool = False
    """Whether the range is drawn evenly on the logarithm."""
    step: Annotated[int | float, Field(gt=0)] | None = None
    """The step from `low`, of a range that is not log."""
    choices: Annotated[list[bool | int | float | str], Field(min_length=1)] | None = None
    """Values, instead of a range."""
    of: Literal["auto"] | None = None
    """auto: low and high are multiples of the untuned value, which is that of this file, or the one
    that auto stands for; whole numbers are rounded away from it, and are at least 1."""

    @pydantic.model_validator(mode="after")
    def _range_or_choices(self) -> Self:
        """Refuses half a range, a range beside choices, and a range without room."""
        broken_rule = self._broken_rule()
        if broken_rule:
            raise PydanticCustomError("dimension", "{rule}", {"rule": broken_rule})
        return self

    def _broken_rule(self) -> str:
        """The rule that the line breaks; nothing where it keeps all."""
        fields = ("low", "high", "log", "step", "of")
        range_fields = [name for name in fields if name in self.model_fields_set]
        if self.choices is not None:
            return f"choices don't go with {', '.join(range_fields)}" if range_fields else ""
        if range_fields[:2] != ["low", "high"]:
            return "needs low and high, or choices"
        if self.low >= self.high:
            return "low must be below high"
        if self.log and (self.low <= 0 or self.step is not None):
            return "with log, low must be above 0 and there is no step"
        if self.of and not (0 < self.low <= 1 <= self.high and self.step is None):
            return (
                "with of: auto, low is above 0 and at most 1, high is at least 1, "
                "and there is no step"
            )
        return ""

    def around(self, value: int | float, *, whole: bool) -> "Dimension":
        """The range whose ends are multiples of a value that is not negative.

        whole: rounds the ends away from the value, to whole numbers of at least 1. Of a range
        without room, the value alone is left.
        """
        low, high = self.low * value, self.high * value
        if whole:
            low, high = max(1, math.floor(low)), math.ceil(high)
        if low >= high:
            return Dimension(param=self.param, choices=[value])
        return Dimension(param=self.param, low=low, high=high, log=self.log)

    @property
    def ends(self) -> list[Any]:
        """The values that stand for all: both ends of the range, and a step, or every choice."""
        if self.choices:
            return list(self.choices)
        if self.step:
            return [self.low, self.low + self.step, self.high]
        return [self.low, self.high]

    def whole_numbers(self) -> list[int]:
        """All values of a dimension of whole numbers, in order."""
        if self.choices is not None:
            return sorted(int(choice) for choice in self.choices)
        return list(range(int(self.low), int(self.high) + 1, int(self.step or 1)))

    def holds(self, value: object) -> bool:
        """Whether a value lies in the range or among the choices."""
        if self.choices is not None:
            return value in self.choices
        if not isinstance(value, int | float) or not self.low <= value <= self.high:
            return False
        if self.step is None:
            return True
        steps = (value - self.low) / self.step
        return abs(steps - round(steps)) < 1e-9  # 0.1 + 0.2 is not 0.3
