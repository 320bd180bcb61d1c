"""The plan of a training: a type's parameters with every `auto` resolved for the data."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from autoencoders.core.errors import ParameterError
from autoencoders.params import defaults
from autoencoders.params.architecture import Architecture, DataFacts, layer_widths
from autoencoders.params.goal import Goal, resolved_goal
from autoencoders.params.sections import FixedNetwork, FixedTrain, Train
from autoencoders.params.type_section import UNTIED, Misfit, Setting, TypeSection

if TYPE_CHECKING:
    from autoencoders.params.params import Params


@dataclass(frozen=True)
class Plan:
    """One training, resolved: nothing in it is `auto`."""

    model_type: str
    goal: Goal
    seed: int
    network: FixedNetwork
    architecture: Architecture
    train: FixedTrain
    type_values: dict[str, Any]  # the type's own parameters, by name
    facts: DataFacts
    params: "Params" = field(repr=False)  # from which this was resolved

    @classmethod
    def of(cls, params: "Params", model_type: str, facts: DataFacts) -> Self:
        """The plan of a type's training on this data.

        Raises ParameterError where the values fit neither each other, nor the type, nor the data.
        """
        goal = resolved_goal(params.goal, facts)
        values = params.network_of(model_type).model_dump()
        values = defaults.resolved(values, defaults.network(facts, goal))
        linear_path = _takes_linear_path(values, facts, goal)
        section = params.type_section(model_type).resolved(facts, goal, linear_path=linear_path)
        values = defaults.resolved(values, {"code_activation": section.code_activation()})
        if values["linear_path"] == "auto":
            is_possible = not _linear_path_misfit(section, values, facts)
            values["linear_path"] = is_possible and defaults.takes_linear_path(facts, goal)
        network = FixedNetwork(**values)
        _refuse_misfits(params, section, model_type, network, facts)
        return cls(
            model_type=model_type,
            goal=goal,
            seed=params.seed,
            network=network,
            architecture=_architecture(network, facts),
            train=_train(params.train_of(model_type), facts, goal),
            type_values=section.type_values(),
            facts=facts,
            params=params,
        )

    def with_values(self, values: Mapping[str, object]) -> "Plan":
        """The plan with other values by dotted name, as a study sets them.

        Each `auto` is resolved anew.
        """
        return self.params.with_tuned(self.model_type, values).plan(self.model_type, self.facts)

    def flat(self) -> dict[str, object]:
        """The values by dotted name."""
        values: dict[str, object] = {
            "kind": self.model_type,
            "goal": self.goal,
            "seed": self.seed,
            "widths": list(self.architecture.widths),
        }
        for name, value in self.network:
            values[f"network.{name}"] = value
        for name, value in self.train:
            values[f"train.{name}"] = value
        for name, value in self.type_values.items():
            values[f"models.{self.model_type}.{name}"] = value
        return values


def _architecture(network: FixedNetwork, facts: DataFacts) -> Architecture:
    widths = layer_widths(
        network.n_layers, network.nodes_per_layer, network.code_size, network.kind
    )
    others = network.model_dump(exclude={"n_layers", "nodes_per_layer"})
    return Architecture(n_features=facts.n_features, widths=widths, shape=facts.shape, **others)


def _train(train: Train, facts: DataFacts, goal: Goal) -> FixedTrain:
    """`train` resolved. Raises ParameterError where it asks for augmented tables."""
    rules = defaults.train(facts, goal, train.batch_size)
    fixed = FixedTrain(**defaults.resolved(train.model_dump(), rules))
    if fixed.augment and not facts.shape:
        raise ParameterError(
            f"train.augment = {fixed.augment:g}: needs images, but the data has none; give 0"
        )
    return fixed


def _refuse_misfits(
    params: "Params",
    section: TypeSection,
    model_type: str,
    network: FixedNetwork,
    facts: DataFacts,
) -> None:
    """Raises ParameterError for the first value that breaks a rule which joins several.

    section: the type's, without `auto`.
    """

    def key(name: str) -> str:
        return params.key_of(model_type, name)

    setting = Setting(network, facts, scaling=lambda: params.data.scaling, key=key)
    values = {**network.model_dump(), **section.type_values()}
    for misfits in (_network_misfits(section, setting), section.misfits(setting)):
        for misfit in misfits:
            raise ParameterError(f"{key(misfit.name)} = {values[misfit.name]}: {misfit.reason}")


def _takes_linear_path(network: Mapping[str, Any], facts: DataFacts, goal: Goal) -> bool:
    """Whether a network starts as PCA, unless the type's codes hinder it.

    network: its values by name, `auto` being resolved but for the path and the code's activation.
    """
    is_wanted = network["linear_path"]
    if is_wanted == "auto":
        is_wanted = defaults.takes_linear_path(facts, goal)
    values = {**network, "code_activation": "identity"}
    return bool(is_wanted) and not _linear_path_misfit(TypeSection(), values, facts)


def _linear_path_misfit(section: TypeSection, network: Mapping[str, Any], facts: DataFacts) -> str:
    """The reason why a network can't start as PCA; nothing where it can.

    network: its values by name, `auto` being resolved.
    """
    if network["kind"] != "mlp":
        return "needs network.kind: mlp"
    if network["loss"] != "mse":
        return f"needs the loss mse, which PCA minimises, but it is {network['loss']}"
    if network["code_activation"] != "identity":
        activation = network["code_activation"]
        return f"needs code_activation: identity, as PCA's codes have any value, not {activation}"
    most = min(facts.n_features, facts.rows)
    if network["code_size"] >= most:
        return (
            f"needs a code smaller than features and training rows ({facts.n_features}, "
            f"{facts.rows}), but code_size = {network['code_size']}"
        )
    return section.linear_path_misfit()


def _network_misfits(section: TypeSection, setting: Setting) -> Iterator[Misfit]:
    """Yields each value of a network that breaks a rule which every type's network has to keep."""
    if isinstance(setting.network.nodes_per_layer, list):
        yield from _nodes_misfits(setting.network.nodes_per_layer, setting)
    if setting.network.kind == "conv":
        yield from _conv_misfits(setting)
    if setting.network.linear_path:
        reason = _linear_path_misfit(section, setting.network.model_dump(), setting.facts)
        if reason:
            yield Misfit("linear_path", f"{reason}; choose auto or false")
    if setting.network.loss == "bce" and not setting.facts.unit_interval:
        yield Misfit(
            "loss",
            f"needs data in [0, 1], but data.scaling = {setting.scaling()} gives other values; "
            "choose mse, l1 or auto, or data.scaling: pixels",
        )


def _nodes_misfits(nodes: list[int], setting: Setting) -> Iterator[Misfit]:
    """Yields a list of nodes with another length than the layers, or that rises to the code."""
    n_layers = setting.network.n_layers
    if len(nodes) != n_layers:
        yield Misfit(
            "nodes_per_layer",
            f"has {len(nodes)} numbers, but {setting.key('n_layers')} = {n_layers}; "
            "give one number a layer, or a single number",
        )
    if setting.network.kind != "conv" and nodes != sorted(nodes, reverse=True):
        yield Misfit("nodes_per_layer", "must not rise towards the code")


def _conv_misfits(setting: Setting) -> Iterator[Misfit]:
    """Yields a convolutional network without images or layers, or with tied weights."""
    if not setting.facts.shape:
        yield Misfit("kind", "needs images, but the data has none; choose mlp or auto")
    if setting.network.n_layers == 0:
        yield Misfit("kind", f"needs layers, but {setting.key('n_layers')} = 0")
    if setting.network.tied:
        yield Misfit("tied", UNTIED)
