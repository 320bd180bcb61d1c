"""The section of a type: its own parameters, its overrides, and the rules that they keep."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple, Self

import pydantic
from pydantic import Field

from autoencoders.params.architecture import DataFacts
from autoencoders.params.goal import Goal
from autoencoders.params.section import Section
from autoencoders.params.sections import FixedNetwork, Network, Train

# why the decoder's weights can't be the encoder's
UNTIED = "needs network.kind: mlp, and a type with one number a code unit"


def _partial(section: type[Section]) -> Any:
    """The section with every value optional."""
    fields: dict[str, Any] = {}
    for name, field in section.model_fields.items():
        fields[name] = (Annotated[field.annotation, field], None)
    return pydantic.create_model(f"{section.__name__}Overrides", __base__=Section, **fields)


NetworkOverrides: Any = _partial(Network)
TrainOverrides: Any = _partial(Train)


class Misfit(NamedTuple):
    """A value that breaks a rule which joins several values."""

    name: str  # of the value, inside its section
    reason: str  # for the message: what it needs, and what to do


@dataclass(frozen=True)
class Setting:
    """The network and the data that the parameters of a type have to fit."""

    network: FixedNetwork
    facts: DataFacts
    scaling: Callable[[], str]  # data.scaling, for a message: no training depends on it
    key: Callable[[str], str]  # the dotted key of a value of the network or of the type


class TypeSection(Section):
    """A type's section: its own parameters, and its overrides of `network` and `train`."""

    tunable: ClassVar[tuple[str, ...]] = ()  # own parameters that weaken no constraint

    network: NetworkOverrides = Field(default_factory=NetworkOverrides)
    """The type's own values of `network`."""
    train: TrainOverrides = Field(default_factory=TrainOverrides)
    """The type's own values of `train`."""

    def type_values(self) -> dict[str, Any]:
        """The type's own parameters, by name."""
        return self.model_dump(exclude={"network", "train"})

    @classmethod
    def auto(
        cls,
        facts: DataFacts,  # noqa: ARG003  (some types read them)
        goal: Goal,  # noqa: ARG003
        *,
        linear_path: bool,  # noqa: ARG003
    ) -> dict[str, Any]:
        """The values that `auto` stands for among the type's own parameters, by name.

        linear_path: whether the network starts as PCA, unless the type's codes hinder it.
        """
        return {}

    def resolved(self, facts: DataFacts, goal: Goal, *, linear_path: bool) -> Self:
        """The section with each `auto` among the type's own parameters replaced, see `auto`."""
        rules = self.auto(facts, goal, linear_path=linear_path)
        own = {name: rules[name] for name in rules if getattr(self, name) == "auto"}
        return self.model_copy(update=own)

    def code_activation(self) -> str:
        """The activation of the code that `auto` stands for."""
        return "identity"

    def linear_path_misfit(self) -> str:
        """The reason why the type's codes can't start as PCA's; nothing where they can."""
        return ""

    def misfits(self, setting: Setting) -> Iterator[Misfit]:  # noqa: ARG002  (most types read it)
        """Yields each of the type's values, or its network's, that breaks a rule of the type."""
        yield from ()
