"""All of params.yaml: the types to train, and the rules that join values."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Self

from autoencoders.core.errors import ParameterError
from autoencoders.core.paths import PARAMS_FILE
from autoencoders.params import defaults
from autoencoders.params.architecture import DataFacts
from autoencoders.params.goal import Goal, resolved_goal
from autoencoders.params.plan import Plan
from autoencoders.params.reading import put, read_text, validated, yaml_tree
from autoencoders.params.section import LARGEST_CODE, S, Section, Seed
from autoencoders.params.sections import (
    Data,
    Evaluate,
    FixedTune,
    Network,
    RateDistortion,
    Registry,
    Train,
    Tune,
)
from autoencoders.params.type_section import TypeSection
from autoencoders.params.types import Models


class Params(Section):
    """All of params.yaml.

    A section that dvc.yaml names has no default here, as DVC refuses a file without it.
    """

    seed: Seed
    """The seed of weights, batches and noise."""
    goal: Literal["auto"] | Goal
    """The purpose of the models, which decides each `auto`, the ranks of types and what the report
    begins with. auto: anomaly where labels mean anomalies (data.label_means), else reconstruct."""
    data: Data
    network: Network
    train: Train
    models: Models
    tune: Tune
    rate_distortion: RateDistortion = RateDistortion()
    evaluate: Evaluate
    registry: Registry

    @property
    def model_types(self) -> list[str]:
        """The types to train, in the order of params.yaml's schema."""
        return [name for name in Models.model_fields if getattr(self.models, name) is not None]

    def type_section(self, model_type: str) -> TypeSection:
        """A type's section. Raises ParameterError where params.yaml has none."""
        section: TypeSection | None = getattr(self.models, model_type, None)
        if section is None:
            raise ParameterError(
                f"models.{model_type}: not in params.yaml; it has {', '.join(self.model_types)}"
            )
        return section

    def network_of(self, model_type: str) -> Network:
        """`network` with the type's overrides."""
        overrides = self.type_section(model_type).network.model_dump(exclude_unset=True)
        return self.network.model_copy(update=overrides)

    def train_of(self, model_type: str) -> Train:
        """`train` with the type's overrides."""
        overrides = self.type_section(model_type).train.model_dump(exclude_unset=True)
        return self.train.model_copy(update=overrides)

    def plan(self, model_type: str, facts: DataFacts) -> Plan:
        """The type's training with every `auto` resolved for the data.

        Raises ParameterError where it does not fit the data.
        """
        return Plan.of(self, model_type, facts)

    def study(self, facts: DataFacts) -> FixedTune:
        """The settings of every type's study on this data."""
        n_trials = self.tune.n_trials
        if n_trials == "auto":
            n_trials = defaults.n_trials(resolved_goal(self.goal, facts))
        return FixedTune(**{**dict(self.tune), "n_trials": n_trials})

    def override(self, values: Mapping[str, object]) -> Self:
        """A copy with dotted keys replaced, validated like the file.

        Example: override({"train.learning_rate": 1e-3}).
        """
        return _replaced(self, values, str(PARAMS_FILE))

    def with_tuned(self, model_type: str, values: Mapping[str, object]) -> Self:
        """A copy with a study's values for one type.

        `network.x` and `train.x` win over the type's own overrides.
        """
        prefix = f"models.{model_type}."
        in_section = {key.removeprefix(prefix): value for key, value in values.items()}
        section = _replaced(self.type_section(model_type), in_section, f"models.{model_type}")
        models = self.models.model_copy(update={model_type: section})
        return self.model_copy(update={"models": models})

    def key_of(self, model_type: str, name: str) -> str:
        """The dotted key that a value of the type itself or of its network comes from."""
        section = self.type_section(model_type)
        if name in section.type_values():
            return f"models.{model_type}.{name}"
        if name in section.network.model_fields_set:
            return f"models.{model_type}.network.{name}"
        return f"network.{name}"

    def check(self, facts: DataFacts | None) -> None:
        """Checks that each type's values fit together, and the data, where it is known.

        Raises ParameterError.
        """
        if not self.model_types:
            raise ParameterError(
                f"models: no type to train; name some of {', '.join(Models.model_fields)}"
            )
        check_data(facts, self._check_types)

    def _check_types(self, facts: DataFacts) -> None:
        for model_type in self.model_types:
            self.plan(model_type, facts)


def check_data(facts: DataFacts | None, check: Callable[[DataFacts], object]) -> None:
    """Calls a check with the data's facts.

    Of data that is not read yet, the check has to pass for a large table, with labels of anomalies
    or without, or for large images, many or few. Raises ParameterError where the check does.
    """
    if facts is not None:
        check(facts)
        return
    *others, last = _possible_facts()
    for possible in others:
        try:
            check(possible)
        except ParameterError:
            continue
        return
    check(last)


def _possible_facts() -> list[DataFacts]:
    """Facts of data that is not read yet; the last one's refusal is shown."""
    side = LARGEST_CODE
    table = DataFacts(side**2, unit_interval=True, rows=side**2)
    images = table._replace(shape=(side, side))
    many = images._replace(rows=defaults.ENOUGH_ROWS_A_PIXEL * images.n_features)
    return [table, table._replace(anomaly_labels=True), images, many]


def load_params(path: Path = PARAMS_FILE) -> Params:
    """params.yaml, validated value by value. Raises ParameterError."""
    return parse_params(read_text(path), name=str(path))


def load_tree(path: Path) -> dict[str, Any]:
    """The values of a file of parameters, not validated. Raises ParameterError."""
    return yaml_tree(read_text(path), str(path), Params.model_fields)


def parse_params(text: str, *, name: str = str(PARAMS_FILE)) -> Params:
    """Parameters from the text of a params.yaml.

    name: of the file, for messages. Raises ParameterError.
    """
    return validated(Params, yaml_tree(text, name, Params.model_fields), name)


def _replaced(section: S, values: Mapping[str, object], name: str) -> S:
    """The section with other values by dotted key, validated; `name` stands in messages."""
    tree = section.model_dump(exclude_unset=True)
    put(tree, values)
    return validated(type(section), tree, name)
