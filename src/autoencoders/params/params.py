"""All of params.yaml: the types to train, and the rules that join values."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from autoencoders.core.errors import ParameterError
from autoencoders.core.paths import PARAMS_FILE
from autoencoders.params.architecture import DataFacts
from autoencoders.params.plan import Plan
from autoencoders.params.reading import put, read_text, validated, yaml_tree
from autoencoders.params.sections import (
    LARGEST_CODE,
    Data,
    Evaluate,
    Network,
    RateDistortion,
    Registry,
    S,
    Section,
    Seed,
    Train,
    Tune,
    TypeSection,
)
from autoencoders.params.types import Models


class Params(Section):
    """All of params.yaml."""

    seed: Seed
    data: Data
    network: Network
    train: Train
    models: Models
    tune: Tune
    rate_distortion: RateDistortion
    evaluate: Evaluate
    registry: Registry

    @property
    def kinds(self) -> list[str]:
        """The types to train, in the order of params.yaml's schema."""
        return [kind for kind in Models.model_fields if getattr(self.models, kind) is not None]

    def kind(self, kind: str) -> TypeSection:
        """A type's section. Raises ParameterError where params.yaml has none."""
        section: TypeSection | None = getattr(self.models, kind, None)
        if section is None:
            raise ParameterError(
                f"models.{kind}: not in params.yaml; it has {', '.join(self.kinds)}"
            )
        return section

    def network_of(self, kind: str) -> Network:
        """`network` with the type's overrides."""
        return self.network.model_copy(
            update=self.kind(kind).network.model_dump(exclude_unset=True)
        )

    def train_of(self, kind: str) -> Train:
        """`train` with the type's overrides."""
        return self.train.model_copy(update=self.kind(kind).train.model_dump(exclude_unset=True))

    def plan(self, model_type: str, facts: DataFacts) -> Plan:
        """The type's training with every `auto` resolved for the data. Raises ParameterError where it does not fit."""
        return Plan.of(self, model_type, facts)

    def override(self, values: Mapping[str, object]) -> Self:
        """A copy with dotted keys replaced, validated like the file: override({"train.learning_rate": 1e-3})."""
        return _replaced(self, values, str(PARAMS_FILE))

    def tuned(self, kind: str, values: Mapping[str, object]) -> Self:
        """A copy with a study's values for one type: `network.x` and `train.x` win over the type's own overrides."""
        own = {key.removeprefix(f"models.{kind}."): value for key, value in values.items()}
        changed = _replaced(self.kind(kind), own, f"models.{kind}")
        return self.model_copy(update={"models": self.models.model_copy(update={kind: changed})})

    def key_of(self, kind: str, name: str) -> str:
        """The dotted key that a value of the type itself or of its network comes from."""
        section = self.kind(kind)
        if name in section.own():
            return f"models.{kind}.{name}"
        return (
            f"models.{kind}.network.{name}"
            if name in section.network.model_fields_set
            else f"network.{name}"
        )

    def check(self, facts: DataFacts | None) -> None:
        """Raises ParameterError where a type's values don't fit together or don't fit the data, where it is known."""
        if not self.kinds:
            raise ParameterError(
                f"models: no type to train; name some of {', '.join(Models.model_fields)}"
            )
        for_some(facts, self._fits)

    def _fits(self, facts: DataFacts) -> None:
        for kind in self.kinds:
            self.plan(kind, facts)


def for_some(facts: DataFacts | None, check: Callable[[DataFacts], object]) -> None:
    """Calls a check. Raises ParameterError where it does: of data not read yet, for a large table and large images."""
    try:
        check(facts or DataFacts(LARGEST_CODE**2, unit_interval=True))
    except ParameterError:
        if facts:
            raise
        check(DataFacts(LARGEST_CODE**2, unit_interval=True, shape=(LARGEST_CODE, LARGEST_CODE)))


def load_params(path: Path = PARAMS_FILE) -> Params:
    """params.yaml, validated value by value. Raises ParameterError."""
    return parse_params(read_text(path), name=str(path))


def load_tree(path: Path) -> dict[str, Any]:
    """The values of a file of parameters, not validated. Raises ParameterError."""
    return yaml_tree(read_text(path), str(path), Params.model_fields)


def parse_params(text: str, *, name: str = str(PARAMS_FILE)) -> Params:
    """Parameters from the text of a params.yaml; `name` stands in messages. Raises ParameterError."""
    return validated(Params, yaml_tree(text, name, Params.model_fields), name)


def _replaced(section: S, values: Mapping[str, object], name: str) -> S:
    """The section with other values by dotted key, validated; `name` stands in messages."""
    tree = section.model_dump(exclude_unset=True)
    put(tree, values)
    return validated(type(section), tree, name)
