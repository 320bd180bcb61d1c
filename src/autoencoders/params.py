"""The typed schema of params.yaml: every value's name, type and bounds, and the rules that join values."""

import difflib
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

import pydantic
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo
from pydantic_core import ErrorDetails, PydanticCustomError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from autoencoders import defaults
from autoencoders.architecture import Architecture, layer_widths
from autoencoders.defaults import DataFacts
from autoencoders.errors import ParameterError

S = TypeVar("S", bound="Section")
PARAMS_FILE = Path("params.yaml")
NO_FILE = "pipeline/no_file"  # the default of data.path: DVC wants a file that exists
BUILT_IN = ("digits", "mnist", "fashion_mnist")
Fraction = Annotated[float, Field(ge=0, lt=1)]
OpenFraction = Annotated[float, Field(gt=0, lt=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
LARGEST_CODE = 65_536
Units = Annotated[int, Field(ge=1, le=LARGEST_CODE)]
Weight = Annotated[float, Field(ge=0)]


class Section(BaseModel):
    """A section of params.yaml: no unknown keys, no silent conversions, no infinities."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    @pydantic.field_validator("*", mode="before")
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
    binarise: bool  # pixels are 0 or 1 with their value as probability: drawn anew in each epoch, of held-out rows once

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
    code_size: Literal["auto"] | Units  # auto: the square root of the number of features
    n_layers: Literal["auto"] | Annotated[int, Field(ge=0, le=32)]  # hidden layers of the encoder, the code not counted
    nodes_per_layer: Literal["auto"] | Units | list[Units]  # the first layer's, then halved; conv: the last's channels
    loss: Literal["auto", "mse", "bce", "l1"]  # auto: bce for data in [0, 1], else mse
    activation: Literal["silu", "gelu", "relu", "tanh", "sigmoid"]
    code_activation: Literal["identity", "relu", "tanh", "sigmoid"]
    tied: bool  # mlp: the decoder's weights are the encoder's, transposed


class Train(Section):
    """How weights are fitted."""

    epochs: Literal["auto"] | Annotated[int, Field(ge=1, le=1_000_000)]
    batch_size: Literal["auto"] | Annotated[int, Field(ge=1, le=1_000_000)]  # rows
    learning_rate: Annotated[float, Field(gt=0, le=10)]  # AdamW's, at its peak
    warmup: Fraction  # share of the steps in which the learning rate rises; it then falls to 0 along a cosine
    weight_decay: Weight  # AdamW's
    gradient_clip: Weight  # largest norm of the gradient; 0 switches clipping off
    trim: Literal["auto"] | Annotated[float, Field(ge=0, le=0.5)]  # share of a batch, the worst, left out of the loss
    augment: Annotated[float, Field(ge=0, le=10)]  # images: strength of random affine maps; 1: mild (augment.py)
    augment_until: Annotated[float, Field(gt=0, le=1)]  # share of the training after which images stay as they are
    patience: Annotated[int, Field(ge=0)]  # epochs without a better validation error before training stops; 0: never
    precision: Literal["auto", "32-true", "bf16-mixed"]  # auto: bf16 products where they are faster; evaluation is fp32
    threads: Literal["auto"] | Annotated[int, Field(ge=1, le=1024)]  # of a processor
    devices: Annotated[int, Field(ge=1, le=1024)]  # on each machine, which share each batch
    num_nodes: Annotated[int, Field(ge=1, le=65_536)]  # machines
    strategy: Annotated[str, Field(min_length=1)]  # Lightning's, for several devices


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
    """The section with every value optional."""
    fields: dict[str, Any] = {name: (Annotated[f.annotation, f], None) for name, f in section.model_fields.items()}
    return pydantic.create_model(f"{section.__name__}Overrides", __base__=Section, **fields)


NetworkOverrides: Any = _partial(Network)
TrainOverrides: Any = _partial(Train)


class Kind(Section):
    """A type's section: its own parameters, and its overrides of `network` and `train`."""

    network: NetworkOverrides = Field(default_factory=NetworkOverrides)
    train: TrainOverrides = Field(default_factory=TrainOverrides)

    def own(self) -> dict[str, Any]:
        """The type's own parameters, by name."""
        return self.model_dump(exclude={"network", "train"})


class Sparse(Kind):
    """models/sparse.py."""

    penalty: Literal["kl", "l1", "top_k"]
    weight: Weight
    sparsity: OpenFraction  # kl: a unit's mean activation
    k: Units  # top_k: code units that stay active
    anneal: Fraction  # top_k: share of the training in which k falls from the code size
    encoding: Literal["same", "top_k", "soft_threshold"]  # of `encode` and the probes
    encoding_k: Units  # top_k: units that these keep
    threshold: Weight  # soft_threshold: max(0, a - threshold)


class Contractive(Kind):
    """models/contractive.py."""

    weight: Weight
    jacobian: Literal["auto", "closed_form", "exact", "estimate"]


class Denoising(Kind):
    """models/denoising.py."""

    corruption: Literal["gaussian", "masking", "salt_and_pepper"]
    level: Annotated[float, Field(ge=0, le=1)]  # gaussian: standard deviation in model scale; else a share of features
    clip: bool  # the corrupted values to [0, 1], where the data lies


class Variational(Kind):
    """models/variational.py."""

    beta: Literal["auto"] | Weight
    warmup: Fraction  # share of training in which beta rises from 0
    importance_samples: Annotated[int, Field(ge=1, le=1000)]  # above 1: the bound of Burda et al. 2016, with so many
    importance_from: Fraction  # share of training after which; before it, one


class Models(Section):
    """The types to train; a type without a section is not trained."""

    undercomplete: Kind | None = None  # no parameters of its own
    sparse: Sparse | None = None
    contractive: Contractive | None = None
    denoising: Denoising | None = None
    variational: Variational | None = None


class Dimension(Section):
    """One line of the search space: a range from `low` to `high`, both included, or choices."""

    param: str  # dotted name of a value in this file; space.py says which may be tuned
    low: int | float = 0
    high: int | float = 0
    log: bool = False  # a range drawn evenly on the logarithm
    step: Annotated[int | float, Field(gt=0)] | None = None  # of a range that is not log
    choices: Annotated[list[bool | int | float | str], Field(min_length=1)] | None = None

    @pydantic.model_validator(mode="after")
    def _range_or_choices(self) -> Self:
        """Refuses half a range, a range beside choices, and a range without room."""
        given = [name for name in ("low", "high", "log", "step") if name in self.model_fields_set]
        is_range, logarithm = self.choices is None, "with log, low must be above 0 and there is no step"
        for refused, rule in (
            (given and not is_range, f"choices don't go with {', '.join(given)}"),
            (is_range and given[:2] != ["low", "high"], "needs low and high, or choices"),
            (is_range and self.low >= self.high, "low must be below high"),
            (self.log and (self.low <= 0 or self.step is not None), logarithm),
        ):
            if refused:
                raise PydanticCustomError("dimension", rule)
        return self

    @property
    def ends(self) -> list[Any]:
        """The values that stand for all: both ends of the range, and a step, or every choice."""
        return self.choices or [self.low, *([self.low + self.step] if self.step else []), self.high]

    def holds(self, value: object) -> bool:
        """Whether a value lies in the range or among the choices."""
        if self.choices is not None or not isinstance(value, int | float):
            return value in (self.choices or ())
        steps = (value - self.low) / self.step if self.step else 0
        return self.low <= value <= self.high and abs(steps - round(steps)) < 1e-9


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

    code_sizes: Annotated[list[Units], Field(min_length=2)]
    seeds: Annotated[list[Seed], Field(min_length=1)]  # one training a type, code size and seed
    workers: Annotated[int, Field(ge=1, le=1024)]  # trainings side by side


class Evaluate(Section):
    """How saved models are judged."""

    seed: Seed
    bootstrap_samples: Annotated[int, Field(ge=100, le=100_000)]  # resamples behind each 95 % interval
    importance_samples: Annotated[int, Field(ge=1, le=100_000)]  # draws a row behind the variational type's nll
    probe_rows: Annotated[int, Field(ge=100)]  # training rows at most for the linear probe and the nearest neighbours
    probe_l2: Literal["auto"] | Annotated[float, Field(gt=0)]  # the linear probe's L2 penalty; auto: by validation rows
    probe_standardised: bool  # each code unit; else all are divided by one number
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
        return self.network.model_copy(update=self.kind(kind).network.model_dump(exclude_unset=True))

    def train_of(self, kind: str) -> Train:
        """`train` with the type's overrides."""
        return self.train.model_copy(update=self.kind(kind).train.model_dump(exclude_unset=True))

    def network_for(self, kind: str, facts: DataFacts) -> FixedNetwork:
        """`network_of` with every `auto` resolved for the data."""
        return FixedNetwork(**defaults.resolved(self.network_of(kind).model_dump(), defaults.network(facts)))

    def train_for(self, kind: str, facts: DataFacts) -> FixedTrain:
        """`train_of` with every `auto` resolved for the data."""
        train = self.train_of(kind)
        if train.augment and not facts.shape:
            raise ParameterError(f"train.augment = {train.augment:g}: needs images, but the data has none; give 0")
        return FixedTrain(**defaults.resolved(train.model_dump(), defaults.train(facts, train.batch_size)))

    def own_for(self, kind: str, facts: DataFacts) -> dict[str, Any]:
        """The type's own parameters, by name, resolved for the data."""
        return defaults.resolved(self.kind(kind).own(), defaults.own(facts))

    def override(self, values: Mapping[str, object]) -> Self:
        """A copy with dotted keys replaced, validated like the file: override({"train.learning_rate": 1e-3})."""
        return _replaced(self, values, str(PARAMS_FILE))

    def tuned(self, kind: str, values: Mapping[str, object]) -> Self:
        """A copy with a study's values for one type: `network.x` and `train.x` win over the type's own overrides."""
        own = {key.removeprefix(f"models.{kind}."): value for key, value in values.items()}
        changed = _replaced(self.kind(kind), own, f"models.{kind}")
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
        for refused, name, rule in self._rules(kind, network, facts):
            if refused:
                value = {**network.model_dump(), **self.kind(kind).own()}[name]
                raise ParameterError(f"{self._key(kind, name)} = {value}: {rule}")
        widths = layer_widths(network.n_layers, network.nodes_per_layer, network.code_size, network.kind)
        others = network.model_dump(exclude={"n_layers", "nodes_per_layer"})
        return Architecture(n_features=facts.n_features, widths=widths, shape=facts.shape, **others)

    def _rules(self, kind: str, network: FixedNetwork, facts: DataFacts) -> Iterator[tuple[bool, str, str]]:
        """The rules that join several values: whether one refuses, which value, why."""
        own, conv, size, n_layers = self.kind(kind).own(), network.kind == "conv", network.code_size, network.n_layers
        nodes, activation, layers = network.nodes_per_layer, network.code_activation, self._key(kind, "n_layers")
        if isinstance(nodes, list):
            rule = f"has {len(nodes)} numbers, but {layers} = {n_layers}; give one number a layer, or a single number"
            yield len(nodes) != n_layers, "nodes_per_layer", rule
            rises = not conv and nodes != sorted(nodes, reverse=True)
            yield rises, "nodes_per_layer", "must not rise towards the code"
        yield conv and not facts.shape, "kind", "needs images, but the data has none; choose mlp or auto"
        yield conv and not n_layers, "kind", f"needs layers, but {layers} = 0"
        untied = conv or kind == "variational"
        yield network.tied and untied, "tied", "needs network.kind: mlp, and a type with one number a code unit"
        bce, clip = network.loss == "bce", own.get("clip", False)
        if (bce or clip) and not facts.unit_interval:  # else no training depends on data.scaling
            rule = f"needs data in [0, 1], but data.scaling = {self.data.scaling} gives other values"
            yield bce, "loss", f"{rule}; choose mse, l1 or auto, or data.scaling: pixels"
            yield clip, "clip", f"{rule}; choose false, or data.scaling: pixels"
        rule = f"must be below the data's {facts.n_features} features for undercomplete, which could copy its input"
        yield kind == "undercomplete" and size >= facts.n_features, "code_size", rule
        rule = "must be sigmoid where models.sparse.penalty = kl, which needs codes in (0, 1)"
        yield own.get("penalty") == "kl" and activation != "sigmoid", "code_activation", rule
        rule = f"must be at most the code size, {size}"
        yield own.get("penalty") == "top_k" and own["k"] > size, "k", rule
        yield own.get("encoding") == "top_k" and own["encoding_k"] > size, "encoding_k", rule
        rule = f"needs an encoder of one layer ({layers} = 0), but it has {n_layers} hidden layers"
        misfit = own.get("jacobian") == "closed_form" and n_layers > 0
        yield misfit, "jacobian", f"{rule}; choose auto, exact or estimate"
        rule = f"needs a bound with beta = 1, but {self._key(kind, 'beta')} = {own.get('beta')}"
        yield own.get("importance_samples", 1) > 1 and own["beta"] != 1, "importance_samples", rule
        rule = "must be identity for variational, whose codes are means of normal distributions"
        yield kind == "variational" and activation != "identity", "code_activation", rule

    def _key(self, kind: str, name: str) -> str:
        """The dotted key that a value of the type itself or of its network comes from."""
        section = self.kind(kind)
        if name in section.own():
            return f"models.{kind}.{name}"
        return f"models.{kind}.network.{name}" if name in section.network.model_fields_set else f"network.{name}"

    def check(self, facts: DataFacts | None) -> None:
        """Raises ParameterError where a type's values don't fit together or don't fit the data, where it is known."""
        if not self.kinds:
            raise ParameterError(f"models: no type to train; name some of {', '.join(Models.model_fields)}")
        for_some(facts, self._fits)

    def _fits(self, facts: DataFacts) -> None:
        for kind in self.kinds:
            self.architecture(kind, facts)
            self.train_for(kind, facts)


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
    return parse_params(_read(path), name=str(path))


def load_tree(path: Path) -> dict[str, Any]:
    """The values of a file of parameters, not validated. Raises ParameterError."""
    return _tree(_read(path), str(path))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ParameterError(f"{path}: {str(error.strerror).lower()}; run from the repository's root") from error
    except UnicodeDecodeError as error:
        raise ParameterError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from error


def parse_params(text: str, *, name: str = str(PARAMS_FILE)) -> Params:
    """Parameters from the text of a params.yaml; `name` stands in messages. Raises ParameterError."""
    return validated(Params, _tree(text, name), name)


def _tree(text: str, name: str) -> dict[str, Any]:
    try:
        tree = YAML(typ="safe", pure=True).load(io.StringIO(text))  # YAML 1.2, as DVC reads it
    except (YAMLError, ValueError) as error:  # ValueError: a date that isn't one, a number of thousands of digits
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ParameterError(f"{name}: not valid YAML: {getattr(error, 'problem', error)}{place}") from error
    if not isinstance(tree, dict):
        raise ParameterError(f"{name}: must be a mapping of sections ({', '.join(Params.model_fields)})")
    return tree


def _replaced(section: S, values: Mapping[str, object], name: str) -> S:
    """The section with other values by dotted key, validated; `name` stands in messages."""
    tree = section.model_dump(exclude_unset=True)
    put(tree, values)
    return validated(type(section), tree, name)


def put(tree: dict[str, Any], values: Mapping[str, object]) -> None:
    """Sets values of a tree by dotted key; sections that it lacks are made. Raises ParameterError."""
    for key, value in values.items():
        *parents, last = key.split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
            if not isinstance(node, dict):
                raise ParameterError(f"{key}: {parent} = {node!r} is a value, not a section")
        node[last] = value


def validated(schema: type[S], tree: object, name: str) -> S:
    """The section. Raises ParameterError: one line a key, what was found and every rule that would accept it."""
    try:
        return schema.model_validate(tree)
    except ValidationError as error:
        rules: dict[str, list[str]] = {}
        for details in error.errors():
            found, rule = _found_and_rule(schema, details)
            rules.setdefault(found, []).append(rule)
        lines = [f"{name}: {found}: {' or '.join(dict.fromkeys(allowed))}" for found, allowed in rules.items()]
        raise ParameterError("\n".join(lines)) from None


def _found_and_rule(schema: type[Section], details: ErrorDetails) -> tuple[str, str]:
    """The dotted key with its value, and what is allowed there; pydantic's marks of union members are left out."""
    key, allowed = "", list(schema.model_fields)
    section: type[Section] | None = schema
    for part in details["loc"]:
        if isinstance(part, int) and key:
            key += f"[{part}]" if section else f".{part}"
        elif section:
            key, allowed = f"{key}.{part}".removeprefix("."), list(section.model_fields)
            field = section.model_fields.get(str(part))
            members = (field.annotation, *get_args(field.annotation)) if field else ()
            section = next((m for m in members if isinstance(m, type) and issubclass(m, Section)), None)
    if details["type"] == "extra_forbidden":
        return key, f"unknown key; allowed here: {likely(key.rpartition('.')[2], allowed)}"
    if details["type"] == "missing":
        return key, "missing; params.yaml holds every value"
    rule = details["msg"].replace("Input should be", "must be").replace("a valid integer", "a whole number")
    return f"{key} = {details['input']!r}", rule.replace("a valid ", "a ")


def likely(name: str, allowed: Sequence[str]) -> str:
    """The names that are allowed, and the one that was probably meant."""
    close = difflib.get_close_matches(name, allowed, n=1)
    return ", ".join(allowed) + "".join(f"; did you mean {meant}?" for meant in close)
