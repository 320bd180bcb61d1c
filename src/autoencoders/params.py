"""The typed schema of params.yaml: every value's name, type and bounds, and the rules that join values."""

import difflib
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from autoencoders import defaults
from autoencoders.architecture import Architecture, layer_widths
from autoencoders.defaults import DataFacts
from autoencoders.errors import ParameterError

S = TypeVar("S", bound="Section")
Rule = tuple[bool, str, object, str]  # whether it refuses; the key and its value; why
PARAMS_FILE = Path("params.yaml")
NO_FILE = "pipeline/no_file"  # the default of data.path: DVC wants a file that exists
BUILT_IN = ("digits", "mnist", "fashion_mnist")
LARGEST_CODE = 65_536
Fraction = Annotated[float, Field(ge=0, lt=1)]
OpenFraction = Annotated[float, Field(gt=0, lt=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
CodeSize = Annotated[int, Field(ge=1, le=LARGEST_CODE)]
Nodes = Annotated[int, Field(ge=1, le=65_536)]
Weight = Annotated[float, Field(ge=0)]


class Section(BaseModel):
    """A section of params.yaml: no unknown keys, no silent conversions, no infinities."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_null(cls, value: object, info: ValidationInfo) -> object:
        """An optional key is given or left out: of an empty `sparse:`, DVC would make a stage, and `kinds` no type."""
        if value is None and not cls.model_fields[str(info.field_name)].is_required():
            raise PydanticCustomError("null", "must not be null; leave the key out, or write {} for an empty section")
        return value


class Data(Section):
    """Which data, how it is read, split and scaled."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]  # digits, mnist, fashion_mnist; else your own
    path: Annotated[str, Field(min_length=1)]  # file, folder or URL; NO_FILE: the data set that `name` says
    sha256: Annotated[str, Field(pattern="^([0-9a-f]{64})?$")]  # of what a URL gives
    openml: Annotated[int, Field(ge=0)]  # a data set's id on openml.org; 0: none
    label: str  # auto: none in a table, y in an .npz, an image's folder; else a column, which is no feature then
    label_means: Literal["auto", "class", "anomaly"]  # anomaly: 1, 0 is normal; auto: so where an .npz has such a y
    ignore: list[str]  # columns that are left out
    missing: Literal["refuse", "impute"]  # impute: the training rows' median or most frequent category
    image_side: Literal["auto"] | Annotated[int, Field(ge=2, le=4096)]  # auto: the images' own up to 64, else 32 pixels
    split: Annotated[str, Field(pattern="^(random|(column|time):.+)$")]  # time: the last rows are the test split
    split_seed: Seed
    validation_fraction: OpenFraction  # of the rows that are not test rows
    test_fraction: OpenFraction  # of all rows; a data set's own test split is kept instead
    protocol: Literal["split", "transductive"]  # transductive: fitted on all rows without labels, judged on them
    scaling: Literal["auto", "pixels", "minmax", "standard", "robust", "none"]  # pixels: their range to [0, 1]

    @property
    def own(self) -> bool:
        """Whether the data is the user's own, and none of those that come by name."""
        return self.path != NO_FILE or self.openml > 0

    @property
    def title(self) -> str:
        """The data set's name in MLflow: where `name` speaks of another one, the file's own."""
        if not self.own or self.name not in BUILT_IN:
            return self.name
        file = self.path.rstrip("/").rsplit("/", 1)[-1].split(".", 1)[0]
        return f"openml-{self.openml}" if self.openml else re.sub("[^A-Za-z0-9_-]+", "-", file).strip("-") or "data"


class Network(Section):
    """The symmetric encoder/decoder pair."""

    kind: Literal["auto", "mlp", "conv"]  # conv: of images alone
    code_size: Literal["auto"] | CodeSize  # auto: the square root of the number of features
    n_layers: Literal["auto"] | Annotated[int, Field(ge=0, le=32)]  # hidden layers of the encoder, the code not counted
    nodes_per_layer: Literal["auto"] | Nodes | list[Nodes]  # the first layer's, then halved; conv: the last's channels
    loss: Literal["auto", "mse", "bce", "l1"]  # auto: bce for data in [0, 1], else mse
    activation: Literal["silu", "gelu", "relu", "tanh", "sigmoid"]
    code_activation: Literal["identity", "relu", "tanh", "sigmoid"]


class Train(Section):
    """How weights are fitted."""

    epochs: Literal["auto"] | Annotated[int, Field(ge=1, le=1_000_000)]
    batch_size: Literal["auto"] | Annotated[int, Field(ge=1, le=1_000_000)]  # rows
    learning_rate: Annotated[float, Field(gt=0, le=10)]  # AdamW's, at its peak
    warmup: Fraction  # share of the steps in which the learning rate rises; it then falls to 0 along a cosine
    weight_decay: Weight  # AdamW's
    gradient_clip: Weight  # largest norm of the gradient; 0 switches clipping off
    trim: Literal["auto"] | Annotated[float, Field(ge=0, le=0.5)]  # share of a batch, the worst, left out of the loss
    patience: Annotated[int, Field(ge=0)]  # epochs without a better validation error before training stops; 0: never


class FixedNetwork(Network):
    """`Network` without `auto`."""

    code_size: int
    n_layers: int
    nodes_per_layer: int | list[int]


class FixedTrain(Train):
    """`Train` without `auto`."""

    epochs: int
    batch_size: int
    trim: float


def _partial(section: type[Section]) -> Any:
    fields: dict[str, Any] = {
        name: (Annotated[field.annotation, *field.metadata] | None if field.metadata else field.annotation | None, None)
        for name, field in section.model_fields.items()
        if field.annotation is not None
    }
    return create_model(f"{section.__name__}Overrides", __base__=Section, **fields)


NetworkOverrides: Any = _partial(Network)
TrainOverrides: Any = _partial(Train)


class Kind(Section):
    """A type's section: its own parameters, and its overrides of `network` and `train`."""

    network: NetworkOverrides | None = None
    train: TrainOverrides | None = None

    def own(self) -> dict[str, object]:
        """The type's own parameters, by name."""
        return self.model_dump(exclude={"network", "train"})


class Undercomplete(Kind):
    """No parameters of its own."""


class Sparse(Kind):
    """models/sparse.py."""

    penalty: Literal["kl", "l1", "top_k"]
    weight: Weight
    sparsity: OpenFraction  # kl: a unit's mean activation
    k: CodeSize  # top_k: code units that stay active


class Contractive(Kind):
    """models/contractive.py."""

    weight: Weight
    jacobian: Literal["auto", "closed_form", "exact", "estimate"]


class Denoising(Kind):
    """models/denoising.py."""

    corruption: Literal["gaussian", "masking", "salt_and_pepper"]
    level: Annotated[float, Field(ge=0, le=1)]  # gaussian: standard deviation in model scale; else a share of features


class Variational(Kind):
    """models/variational.py."""

    beta: Literal["auto"] | Weight
    warmup: Fraction  # share of training in which beta rises from 0


class Models(Section):
    """The types to train; a type without a section is not trained."""

    undercomplete: Undercomplete | None = None
    sparse: Sparse | None = None
    contractive: Contractive | None = None
    denoising: Denoising | None = None
    variational: Variational | None = None


class Dimension(Section):
    """One line of the search space: a range from `low` to `high`, both included, or choices."""

    param: str  # dotted name of a value in this file; space.py says which may be tuned
    low: int | float | None = None
    high: int | float | None = None
    log: bool = False  # a range drawn evenly on the logarithm
    step: Annotated[int | float, Field(gt=0)] | None = None  # of a range that is not log
    choices: Annotated[list[bool | int | float | str], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _range_or_choices(self) -> Self:
        """Refuses half a range, a range beside choices, and a range without room."""
        given = [name for name in ("low", "high", "log", "step") if name in self.model_fields_set]
        if self.choices is not None:
            rule = f"choices don't go with {', '.join(given)}" if given else ""
        elif self.low is None or self.high is None:
            rule = "needs low and high, or choices"
        elif self.low >= self.high:
            rule = "low must be below high"
        elif self.log and (self.low <= 0 or self.step is not None):
            rule = "with log, low must be above 0 and there is no step"
        else:
            rule = ""
        if rule:
            raise PydanticCustomError("dimension", rule)
        return self

    @property
    def ends(self) -> list[Any]:
        """The values that stand for all: both ends of the range, and a step, or every choice."""
        if self.choices is not None:
            return list(self.choices)
        assert self.low is not None  # noqa: S101  (for the type checker)
        return [self.low, *([] if self.step is None else [self.low + self.step]), self.high]

    def holds(self, value: object) -> bool:
        """Whether a value lies in the range or among the choices."""
        if self.choices is not None:
            return value in self.choices
        if not isinstance(value, int | float) or self.low is None or self.high is None:
            return False
        steps = (value - self.low) / (self.step or 1)
        return self.low <= value <= self.high and (self.step is None or abs(steps - round(steps)) < 1e-9)


class Tune(Section):
    """The studies that look for better values before the training."""

    goal: Literal["compress", "reconstruct"]  # small codes that keep the variance; or a small error at the code size
    n_trials: Annotated[int, Field(ge=0, le=1_000_000)]  # of each type in all, pruned and failed ones too; 0: no study
    epochs: Literal["full"] | Annotated[int, Field(ge=1, le=1_000_000)]  # of a trial; full: train.epochs
    explained_variance: OpenFraction  # compress: share of the validation rows' variance that a code has to keep
    sampler: Literal["tpe", "random"]
    pruner: Literal["none", "median", "hyperband"]  # reconstruct: how hopeless trials are stopped
    seed: Seed
    workers: Annotated[int, Field(ge=1, le=1024)]  # processes on this machine
    storage: Literal["journal", "environment"]  # studies/optuna.journal, or the URL in AUTOENCODERS_STUDY_URL
    space: Annotated[list[Dimension], Field(min_length=1)]

    def keeps(self, explained_variance: float) -> bool:
        """Whether the goal is `compress` and a code keeps enough of the validation variance."""
        return self.goal == "compress" and explained_variance >= self.explained_variance

    def rank(self, code_size: int, error: float, explained_variance: float) -> tuple[float, float]:
        """What trials and models are ordered by, the best first.

        compress: the smallest code that keeps the variance, then the error. reconstruct, or what keeps less: the error.
        """
        return (code_size if self.keeps(explained_variance) else float("inf"), error)


class RateDistortion(Section):
    """`ae rate-distortion`: error by code size."""

    code_sizes: Annotated[list[CodeSize], Field(min_length=2)]
    seeds: Annotated[list[Seed], Field(min_length=1)]  # one training a type, code size and seed
    workers: Annotated[int, Field(ge=1, le=1024)]  # trainings side by side


class Evaluate(Section):
    """How saved models are judged."""

    seed: Seed
    bootstrap_samples: Annotated[int, Field(ge=100, le=100_000)]  # resamples behind each 95 % interval
    importance_samples: Annotated[int, Field(ge=1, le=100_000)]  # draws a row behind the variational type's nll
    probe_rows: Annotated[int, Field(ge=100)]  # training rows at most for the linear probe and the nearest neighbours
    false_alarm_rate: OpenFraction  # share of clean rows whose score counts as an anomaly's
    figure_columns: Annotated[int, Field(ge=2, le=50)]  # images side by side in a figure


class Registry(Section):
    """When the best model becomes the champion."""

    promote: Literal["auto"] | bool  # auto: in a plain `dvc repro`; else the first


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

    def kind(self, kind: str) -> Kind:
        """A type's section. Raises ParameterError where params.yaml has none."""
        section: Kind | None = getattr(self.models, kind, None)
        if section is None:
            raise ParameterError(f"models.{kind}: not in params.yaml; it has {', '.join(self.kinds)}")
        return section

    def network_of(self, kind: str) -> Network:
        """`network` with the type's overrides."""
        return _merged(self.network, self.kind(kind).network)

    def train_of(self, kind: str) -> Train:
        """`train` with the type's overrides."""
        return _merged(self.train, self.kind(kind).train)

    def network_for(self, kind: str, facts: DataFacts) -> FixedNetwork:
        """`network_of` with every `auto` resolved for the data."""
        return FixedNetwork(**defaults.resolved(self.network_of(kind).model_dump(), defaults.network(facts)))

    def train_for(self, kind: str, facts: DataFacts) -> FixedTrain:
        """`train_of` with every `auto` resolved for the data."""
        train = self.train_of(kind)
        return FixedTrain(**defaults.resolved(train.model_dump(), defaults.train(facts, train.batch_size)))

    def own_for(self, kind: str, facts: DataFacts) -> dict[str, Any]:
        """The type's own parameters, by name, resolved for the data."""
        return defaults.resolved(self.kind(kind).own(), defaults.own(facts))

    def override(self, values: Mapping[str, object]) -> Self:
        """A copy with dotted keys replaced, validated like the file: override({"train.learning_rate": 1e-3})."""
        tree = self.model_dump(exclude_unset=True)
        for key, value in values.items():
            *sections, name = key.split(".")
            node = tree
            for section in sections:
                node = node.setdefault(section, {})
                if not isinstance(node, dict):
                    raise ParameterError(f"{key}: {section} = {node!r} is a value, not a section")
            node[name] = value
        return _validated(type(self), tree)

    def tuned(self, kind: str, values: Mapping[str, object]) -> Self:
        """A copy with a study's values for one type: `network.x` and `train.x` win over the type's own overrides."""
        section = self.kind(kind)
        tree = section.model_dump(exclude_unset=True)
        for key, value in values.items():
            *sections, name = key.removeprefix(f"models.{kind}.").split(".")
            node = tree
            for part in sections:
                node = node.setdefault(part, {})
            node[name] = value
        changed = _validated(type(section), tree, name=f"models.{kind}")
        return self.model_copy(update={"models": self.models.model_copy(update={kind: changed})})

    def flatten(self, kind: str, facts: DataFacts) -> dict[str, object]:
        """A type's training parameters by dotted name, overrides applied and every `auto` resolved."""
        sections = {"network": self.network_for(kind, facts), "train": self.train_for(kind, facts)}
        values = {f"{name}.{key}": value for name, section in sections.items() for key, value in section}
        values |= {f"models.{kind}.{key}": value for key, value in self.own_for(kind, facts).items()}
        widths = list(self.architecture(kind, facts).widths)
        return {"kind": kind, "seed": self.seed, "widths": widths, **values}

    def architecture(self, kind: str, facts: DataFacts) -> Architecture:
        """The type's network with every `auto` resolved for the data.

        Raises ParameterError where the network fits neither itself, nor the type, nor the data.
        """
        network = self.network_for(kind, facts)
        architecture = Architecture(
            n_features=facts.n_features,
            code_size=network.code_size,
            widths=layer_widths(network.n_layers, network.nodes_per_layer, network.code_size, network.kind),
            activation=network.activation,
            code_activation=network.code_activation,
            loss=network.loss,
            kind=network.kind,
            shape=facts.shape,
        )
        for refused, key, value, rule in self._rules(kind, network, architecture, facts):
            if refused:
                raise ParameterError(f"{self._key(kind, key)} = {value}: {rule}")
        return architecture

    def _rules(self, kind: str, network: FixedNetwork, shape: Architecture, facts: DataFacts) -> Iterator[Rule]:
        """The rules that join several values."""
        key, own = partial(self._key, kind), self.kind(kind).own()
        n_layers, nodes, conv = network.n_layers, network.nodes_per_layer, network.kind == "conv"
        if isinstance(nodes, list):
            wanted = f"{key('n_layers')} = {n_layers}; give one number a layer, or a single number"
            yield len(nodes) != n_layers, "nodes_per_layer", nodes, f"has {len(nodes)} numbers, but {wanted}"
            rises = not conv and nodes != sorted(nodes, reverse=True)
            yield rises, "nodes_per_layer", nodes, "must not rise towards the code"
        yield conv and not facts.shape, "kind", "conv", "needs images, but the data has none; choose mlp or auto"
        yield conv and not n_layers, "kind", "conv", f"needs layers, but {key('n_layers')} = 0"
        if network.loss == "bce" and not facts.unit_interval:  # else no stage may read data.scaling
            scaled = f"needs data in [0, 1], but data.scaling = {self.data.scaling} gives other values"
            yield True, "loss", "bce", f"{scaled}; choose mse, l1 or auto, or data.scaling: pixels"
        size, activation = shape.code_size, shape.code_activation
        if kind == "undercomplete":
            rule = f"must be below the data's {facts.n_features} features for undercomplete, which could copy its input"
            yield size >= facts.n_features, "code_size", size, rule
        if kind == "sparse":
            misfit = own["penalty"] == "kl" and activation != "sigmoid"
            rule = "must be sigmoid where models.sparse.penalty = kl, which needs codes in (0, 1)"
            yield misfit, "code_activation", activation, rule
            misfit = own["penalty"] == "top_k" and int(str(own["k"])) > size
            yield misfit, "models.sparse.k", own["k"], f"must be at most the code size, {size}"
        if kind == "contractive":
            found = f"but it has {n_layers} hidden layers; choose auto, exact or estimate"
            rule = f"needs an encoder of one layer ({key('n_layers')} = 0), {found}"
            yield own["jacobian"] == "closed_form" and n_layers > 0, "models.contractive.jacobian", "closed_form", rule
        if kind == "variational":
            rule = "must be identity for variational, whose codes are means of normal distributions"
            yield activation != "identity", "code_activation", activation, rule

    def _key(self, kind: str, name: str) -> str:
        """The dotted key that a network's value comes from."""
        overrides = self.kind(kind).network
        overridden = overrides is not None and getattr(overrides, name, None) is not None
        return name if "." in name else f"models.{kind}.network.{name}" if overridden else f"network.{name}"

    def check(self, facts: DataFacts | None) -> None:
        """Raises ParameterError where a type's values don't fit together or don't fit the data, where it is known."""
        if not self.kinds:
            raise ParameterError(f"models: no type to train; name some of {', '.join(Models.model_fields)}")
        for kind in self.kinds if facts else ():
            self.architecture(kind, cast(DataFacts, facts))


def _merged(section: S, overrides: Section | None) -> S:
    if overrides is None:
        return section
    return section.model_copy(update=overrides.model_dump(exclude_none=True))


def load_params(path: Path = PARAMS_FILE) -> Params:
    """params.yaml, validated value by value. Raises ParameterError."""
    return parse_params(_read(path), name=str(path))


def parse_params(text: str, *, name: str = str(PARAMS_FILE)) -> Params:
    """Parameters from the text of a params.yaml; `name` stands in messages. Raises ParameterError."""
    try:
        tree = YAML(typ="safe", pure=True).load(io.StringIO(text))  # YAML 1.2, as DVC reads it
    except (YAMLError, ValueError) as error:  # ValueError: a date that isn't one, a number of thousands of digits
        raise ParameterError(f"{name}: not valid YAML: {_problem(error)}") from error
    if not isinstance(tree, dict):
        raise ParameterError(f"{name}: must be a mapping of sections ({', '.join(Params.model_fields)})")
    return _validated(Params, tree, name=name)


def _problem(error: Exception) -> str:
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"{error.problem}, line {mark.line + 1}, column {mark.column + 1}"
    return str(error)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ParameterError(f"{path}: no such file; run from the repository's root") from error
    except OSError as error:
        raise ParameterError(f"{path}: can't be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ParameterError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from error


def _validated(schema: type[S], tree: object, *, name: str = str(PARAMS_FILE)) -> S:
    try:
        return schema.model_validate(tree)
    except ValidationError as error:
        raise ParameterError("\n".join(f"{name}: {line}" for line in _lines(schema, error.errors()))) from None


def _lines(schema: type[Section], errors: Sequence[ErrorDetails]) -> list[str]:
    """One line a key: what was found and every rule that would accept it."""
    rules: dict[str, list[str]] = {}
    for details in errors:
        found, rule = _found_and_rule(schema, details)
        rules.setdefault(found, []).append(rule)
    return [f"{found}: {' or '.join(dict.fromkeys(alternatives))}" for found, alternatives in rules.items()]


def _found_and_rule(schema: type[Section], details: ErrorDetails) -> tuple[str, str]:
    names, allowed = _walk(schema, details["loc"])
    key = ".".join(names)
    if details["type"] == "extra_forbidden":
        close = difflib.get_close_matches(names[-1], allowed, n=1)
        return key, f"unknown key; allowed here: {', '.join(allowed)}" + "".join(f"; did you mean {c}?" for c in close)
    if details["type"] == "missing":
        return key, "missing; params.yaml holds every value"
    rule = details["msg"].replace("Input should be", "must be").replace("a valid integer", "a whole number")
    return f"{key} = {details['input']!r}", rule.replace("a valid ", "a ")


def _walk(schema: type[Section], location: Sequence[str | int]) -> tuple[list[str], list[str]]:
    """The location's keys without pydantic's marks of union members, and the keys allowed at its last level."""
    names: list[str] = []
    section: type[Section] | None = schema
    allowed: list[str] = list(schema.model_fields)
    for part in location:
        if section is None:
            names += [f"{part}"] if isinstance(part, int) else []
            continue
        if isinstance(part, int) and names:  # of a list of sections
            names[-1] += f"[{part}]"
            continue
        names.append(str(part))
        allowed = list(section.model_fields)
        field = section.model_fields.get(str(part))
        section = _section_in(field.annotation) if field else None
    return names, allowed


def _section_in(annotation: Any) -> type[Section] | None:
    members = (annotation, *getattr(annotation, "__args__", ()))
    return next((m for m in members if isinstance(m, type) and issubclass(m, Section)), None)
