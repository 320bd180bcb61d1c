"""The variational type's parameters."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from autoencoders.params.architecture import DataFacts
from autoencoders.params.defaults import finds_anomalies
from autoencoders.params.goal import Goal
from autoencoders.params.section import Fraction, Weight
from autoencoders.params.type_section import UNTIED, Misfit, Setting, TypeSection


class Variational(TypeSection):
    """models/types/variational.py."""

    tunable: ClassVar = ("warmup",)

    beta: Literal["auto"] | Weight = "auto"
    """The weight of the divergence; 1 gives the ELBO; auto: 0.1; 1 for anomalies in tables."""
    warmup: Literal["auto"] | Fraction = "auto"
    """The share of the training in which beta rises from 0; auto: 0 where PCA is a start, which
    has the best variances for its beta; else 0.1."""
    importance_samples: Annotated[int, Field(ge=1, le=1000)] = 1
    """Above 1: the importance-weighted bound with so many draws (Burda et al. 2016); beta is 1."""
    importance_from: Fraction = 0.0
    """The share of the training after which that bound is used; before it, one draw."""

    @classmethod
    def auto(cls, facts: DataFacts, goal: Goal, *, linear_path: bool) -> dict[str, Any]:
        """beta: 0.1, which rebuilds well; 1 for anomalies in tables. warmup: 0 or 0.1."""
        return {
            "beta": 1.0 if finds_anomalies(facts, goal) else 0.1,
            "warmup": 0.0 if linear_path else 0.1,
        }

    def misfits(self, setting: Setting) -> Iterator[Misfit]:
        """Yields tied weights, an activation of the codes' means, and a beta beside several draws.

        A code unit has two numbers, a mean and a variance; the bound of several draws has no beta.
        """
        if setting.network.tied:
            yield Misfit("tied", UNTIED)
        if self.importance_samples > 1 and self.beta != 1:
            reason = f"needs a bound with beta = 1, but {setting.key('beta')} = {self.beta}"
            yield Misfit("importance_samples", reason)
        if setting.network.code_activation != "identity":
            yield Misfit(
                "code_activation",
                "must be identity for variational, whose codes are means of normal distributions",
            )
