"""The typed schema of params.yaml: every value's name, type and bounds, and the rules that join values."""

import difflib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self, TypeVar

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

from autoencoders.architecture import Architecture, default_code_size, layer_widths
from autoencoders.errors import ParameterError

S = TypeVar("S", bound="Section")
PARAMS_FILE = Path("params.yaml")
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
    """Which data, and how it is split and scaled."""

    name: Literal["digits", "mnist", "fashion_mnist"]
    split_seed: Seed
    validation_fraction: OpenFraction  # of the rows that are not test rows
    test_fraction: OpenFraction  # of all rows; a data set's own test split is kept instead
    scaling: Literal["auto", "pixels", "standard", "none"]  # auto: pixels, which maps the pixels' range to [0, 1]


class Network(Section):
    """The symmetric encoder/decoder pair."""

    code_size: Literal["auto"] | CodeSize  # auto: the square root of the number of features
    n_layers: Annotated[int, Field(ge=0, le=32)]  # hidden layers of the encoder, the code not counted
    nodes_per_layer: Nodes | list[Nodes]  # the first hidden layer's nodes, halved from layer to layer, or each layer's
    loss: Literal["auto", "mse", "bce", "l1"]  # auto: bce for data in [0, 1], else mse
    activation: Literal["silu", "gelu", "relu", "tanh", "sigmoid"]
    code_activation: Literal["identity", "relu", "tanh", "sigmoid"]


class Train(Section):
    """How weights are fitted."""

    epochs: Annotated[int, Field(ge=1, le=1_000_000)]
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)]  # rows
    learning_rate: Annotated[float, Field(gt=0, le=10)]  # AdamW's, at its peak
    warmup: Fraction  # share of the steps in which the learning rate rises; it then falls to 0 along a cosine
    weight_decay: Weight  # AdamW's
    gradient_clip: Weight  # largest norm of the gradient; 0 switches clipping off
    patience: Annotated[int, Field(ge=0)]  # epochs without a better validation error before training stops; 0: never


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

    beta: Weight
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
    figure_columns: Annotated[int, Field(ge=2, le=50)]  # images side by side in a figure


class Registry(Section):
    """When the best model becomes the champion."""

    promote: Literal["auto"] | bool  # auto: in a plain `dvc repro`, not in an experiment


class DataFacts(NamedTuple):
    """What the rules below need to know about the data."""

    n_features: int
    unit_interval: bool  # all values in model scale lie in [0, 1]


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
        """A type's training parameters by dotted name, overrides applied and the network's `auto`s resolved."""
        sections = {"network": self.network_of(kind), "train": self.train_of(kind)}
        values = {f"{name}.{key}": value for name, section in sections.items() for key, value in section}
        values |= {f"models.{kind}.{key}": value for key, value in self.kind(kind).own().items()}
        architecture = self.architecture(kind, facts)
        values |= {"network.code_size": architecture.code_size, "network.loss": architecture.loss}
        return {"kind": kind, "seed": self.seed, "widths": list(architecture.widths), **values}

    def architecture(self, kind: str, facts: DataFacts) -> Architecture:
        """The type's network with every `auto` resolved for the data.

        Raises ParameterError where the network fits neither itself, nor the type, nor the data.
        """
        network = self.network_of(kind)
        code_size = default_code_size(facts.n_features) if network.code_size == "auto" else network.code_size
        auto_loss = "bce" if facts.unit_interval else "mse"
        architecture = Architecture(
            n_features=facts.n_features,
            code_size=code_size,
            widths=layer_widths(network.n_layers, network.nodes_per_layer, code_size),
            activation=network.activation,
            code_activation=network.code_activation,
            loss=auto_loss if network.loss == "auto" else network.loss,
        )
        _Refusal(self, kind, architecture, facts).check()
        return architecture

    def check(self, facts: DataFacts) -> None:
        """Raises ParameterError where a type's values don't fit together or don't fit the data."""
        if not self.kinds:
            raise ParameterError(f"models: no type to train; name some of {', '.join(Models.model_fields)}")
        for kind in self.kinds:
            self.architecture(kind, facts)


class _Refusal(NamedTuple):
    """The rules that join several values."""

    params: Params
    kind: str
    architecture: Architecture
    facts: DataFacts

    def check(self) -> None:
        self._network()
        rules = {"undercomplete": self._undercomplete, "sparse": self._sparse, "variational": self._variational}
        rules |= {"contractive": self._contractive}
        rules.get(self.kind, lambda: None)()

    def _key(self, name: str) -> str:
        overrides = self.params.kind(self.kind).network
        overridden = overrides is not None and getattr(overrides, name) is not None
        return f"models.{self.kind}.network.{name}" if overridden else f"network.{name}"

    def _network(self) -> None:
        network = self.params.network_of(self.kind)
        nodes = network.nodes_per_layer
        if isinstance(nodes, list):
            if len(nodes) != network.n_layers:
                raise ParameterError(
                    f"{self._key('nodes_per_layer')} = {nodes}: has {len(nodes)} numbers, but "
                    f"{self._key('n_layers')} = {network.n_layers}; give one number a layer, or a single number"
                )
            if list(nodes) != sorted(nodes, reverse=True):
                raise ParameterError(f"{self._key('nodes_per_layer')} = {nodes}: must not rise towards the code")
        if network.loss == "bce" and not self.facts.unit_interval:
            raise ParameterError(
                f"{self._key('loss')} = bce: needs data in [0, 1], but data.scaling = {self.params.data.scaling} "
                "gives other values; choose mse, l1 or auto, or data.scaling: pixels"
            )

    def _undercomplete(self) -> None:
        if self.architecture.code_size >= self.facts.n_features:
            raise ParameterError(
                f"{self._key('code_size')} = {self.architecture.code_size}: must be below the data's "
                f"{self.facts.n_features} features for undercomplete, which else could copy its input"
            )

    def _sparse(self) -> None:
        own = self.params.kind("sparse")
        assert isinstance(own, Sparse)  # noqa: S101  (for the type checker)
        if own.penalty == "kl" and self.architecture.code_activation != "sigmoid":
            raise ParameterError(
                f"{self._key('code_activation')} = {self.architecture.code_activation}: must be sigmoid where "
                "models.sparse.penalty = kl, which needs codes in (0, 1)"
            )
        if own.penalty == "top_k" and own.k > self.architecture.code_size:
            raise ParameterError(
                f"models.sparse.k = {own.k}: must be at most the code size, {self.architecture.code_size}"
            )

    def _contractive(self) -> None:
        own = self.params.kind("contractive")
        assert isinstance(own, Contractive)  # noqa: S101  (for the type checker)
        if own.jacobian == "closed_form" and self.architecture.widths:
            raise ParameterError(
                f"models.contractive.jacobian = closed_form: needs an encoder of one layer ({self._key('n_layers')} "
                f"= 0), but it has {len(self.architecture.widths)} hidden layers; choose auto, exact or estimate"
            )

    def _variational(self) -> None:
        if self.architecture.code_activation != "identity":
            raise ParameterError(
                f"{self._key('code_activation')} = {self.architecture.code_activation}: must be identity for "
                "variational, whose codes are means of normal distributions"
            )


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
