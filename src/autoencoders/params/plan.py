"""The plan of a training: a type's parameters with every `auto` resolved for the data."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from autoencoders.core.errors import ParameterError
from autoencoders.params import defaults
from autoencoders.params.architecture import Architecture, DataFacts, layer_widths
from autoencoders.params.sections import TIED, FixedNetwork, FixedTrain, Rule, Setting, Train

if TYPE_CHECKING:
    from autoencoders.params.params import Params


@dataclass(frozen=True)
class Plan:
    """One training, resolved: nothing in it is `auto`."""

    model_type: str
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
        section = params.kind(model_type)
        network_values = defaults.resolved(
            params.network_of(model_type).model_dump(), defaults.network(facts)
        )
        network = FixedNetwork(**network_values)
        _check_rules(params, model_type, network, facts)
        return cls(
            model_type=model_type,
            seed=params.seed,
            network=network,
            architecture=_architecture(network, facts),
            train=_train(params.train_of(model_type), facts),
            type_values=defaults.resolved(section.own(), section.auto(facts)),
            facts=facts,
            params=params,
        )

    def with_values(self, values: Mapping[str, object]) -> "Plan":
        """The plan with other values by dotted name, as a study sets them, and what `auto` then stands for."""
        return self.params.tuned(self.model_type, values).plan(self.model_type, self.facts)

    def flat(self) -> dict[str, object]:
        """The values by dotted name."""
        values: dict[str, object] = {"kind": self.model_type, "seed": self.seed}
        values["widths"] = list(self.architecture.widths)
        for section, fields in (("network", self.network), ("train", self.train)):
            values |= {f"{section}.{name}": value for name, value in fields}
        values |= {
            f"models.{self.model_type}.{name}": value for name, value in self.type_values.items()
        }
        return values


def _architecture(network: FixedNetwork, facts: DataFacts) -> Architecture:
    widths = layer_widths(
        network.n_layers, network.nodes_per_layer, network.code_size, network.kind
    )
    others = network.model_dump(exclude={"n_layers", "nodes_per_layer"})
    return Architecture(n_features=facts.n_features, widths=widths, shape=facts.shape, **others)


def _train(train: Train, facts: DataFacts) -> FixedTrain:
    if train.augment and not facts.shape:
        raise ParameterError(
            f"train.augment = {train.augment:g}: needs images, but the data has none; give 0"
        )
    return FixedTrain(
        **defaults.resolved(train.model_dump(), defaults.train(facts, train.batch_size))
    )


def _check_rules(
    params: "Params", model_type: str, network: FixedNetwork, facts: DataFacts
) -> None:
    """Raises ParameterError where a rule that joins several values refuses one."""
    section = params.kind(model_type)

    def key(name: str) -> str:
        return params.key_of(model_type, name)

    setting = Setting(network, facts, lambda: params.data.scaling, key)
    for rules in (_network_rules(setting), section.rules(setting)):
        for rule in rules:
            if rule.refuses:
                value = {**network.model_dump(), **section.own()}[rule.name]
                raise ParameterError(f"{key(rule.name)} = {value}: {rule.reason}")


def _network_rules(setting: Setting) -> Iterator[Rule]:
    """The rules that every type's network has to keep."""
    network = setting.network
    is_conv = network.kind == "conv"
    layers = setting.key("n_layers")
    nodes = network.nodes_per_layer
    if isinstance(nodes, list):
        reason = f"has {len(nodes)} numbers, but {layers} = {network.n_layers}"
        reason += "; give one number a layer, or a single number"
        yield Rule(len(nodes) != network.n_layers, "nodes_per_layer", reason)
        rises = not is_conv and nodes != sorted(nodes, reverse=True)
        yield Rule(rises, "nodes_per_layer", "must not rise towards the code")
    if is_conv:
        no_images = "needs images, but the data has none; choose mlp or auto"
        yield Rule(not setting.facts.shape, "kind", no_images)
        yield Rule(not network.n_layers, "kind", f"needs layers, but {layers} = 0")
        yield Rule(network.tied, "tied", TIED)
    if network.loss == "bce" and not setting.facts.unit_interval:
        reason = f"needs data in [0, 1], but data.scaling = {setting.scaling()} gives other values"
        yield Rule(True, "loss", f"{reason}; choose mse, l1 or auto, or data.scaling: pixels")
