"""One line of the search space."""

from typing import Annotated, Any, Self

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

    @pydantic.model_validator(mode="after")
    def _range_or_choices(self) -> Self:
        """Refuses half a range, a range beside choices, and a range without room."""
        broken_rule = self._broken_rule()
        if broken_rule:
            raise PydanticCustomError("dimension", "{rule}", {"rule": broken_rule})
        return self

    def _broken_rule(self) -> str:
        """The rule that the line breaks; nothing where it keeps all."""
        fields = ("low", "high", "log", "step")
        range_fields = [name for name in fields if name in self.model_fields_set]
        if self.choices is not None:
            return f"choices don't go with {', '.join(range_fields)}" if range_fields else ""
        if range_fields[:2] != ["low", "high"]:
            return "needs low and high, or choices"
        if self.low >= self.high:
            return "low must be below high"
        if self.log and (self.low <= 0 or self.step is not None):
            return "with log, low must be above 0 and there is no step"
        return ""

    @property
    def ends(self) -> list[Any]:
        """The values that stand for all: both ends of the range, and a step, or every choice."""
        if self.choices:
            return list(self.choices)
        if self.step:
            return [self.low, self.low + self.step, self.high]
        return [self.low, self.high]

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
