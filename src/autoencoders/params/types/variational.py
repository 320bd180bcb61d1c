"""The variational type's parameters."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from autoencoders.params.architecture import DataFacts
from autoencoders.params.sections import TIED, Fraction, Rule, Setting, TypeSection, Weight


class Variational(TypeSection):
    """models/types/variational.py."""

    tunable: ClassVar = ("warmup",)

    beta: Literal["auto"] | Weight
    """The weight of the divergence; 1 gives the ELBO; auto: 0.1 for images, 0.5 for tables."""
    warmup: Fraction
    """The share of the training in which beta rises from 0."""
    importance_samples: Annotated[int, Field(ge=1, le=1000)]
    """Above 1: the importance-weighted bound with so many draws (Burda et al. 2016), with beta 1."""
    importance_from: Fraction
    """The share of the training after which that bound is used; before it, one draw."""

    @classmethod
    def auto(cls, facts: DataFacts) -> dict[str, Any]:
        """beta: 0.1 for images, 0.5 for tables."""
        return {"beta": 0.1 if facts.shape else 0.5}

    def rules(self, setting: Setting) -> Iterator[Rule]:
        """Codes are means of normal distributions, two numbers a unit; the bound of several draws has no beta."""
        yield Rule(setting.network.tied, "tied", TIED)
        reason = f"needs a bound with beta = 1, but {setting.key('beta')} = {self.beta}"
        yield Rule(self.importance_samples > 1 and self.beta != 1, "importance_samples", reason)
        reason = "must be identity for variational, whose codes are means of normal distributions"
        yield Rule(setting.network.code_activation != "identity", "code_activation", reason)
