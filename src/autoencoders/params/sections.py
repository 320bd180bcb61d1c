"""The sections of params.yaml: every value's name, type and bounds."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self, TypeVar

import pydantic
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from autoencoders.params.architecture import DataFacts

S = TypeVar("S", bound="Section")
NO_FILE = "pipeline/no_file"  # the default of data.path: DVC wants a file that exists
TIED = (
    "needs network.kind: mlp, and a type with one number a code unit"  # why a network can't be tied
)
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
            raise PydanticCustomError(
                "null", "must not be null; leave the key out, or write {} for an empty section"
            )
        return value


class Data(Section):
    """Which data, how it is read, split and scaled."""

    name: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    ]  # digits, mnist, fashion_mnist; else your own
    path: Annotated[
        str, Field(min_length=1)
    ]  # file, folder or URL; NO_FILE: the data set that `name` says
    sha256: Annotated[str, Field(pattern="^([0-9a-f]{64})?$")]  # of what a URL gives
    openml: Annotated[int, Field(ge=0)]  # a data set's id on openml.org; 0: none
    label: str  # auto: none in a table, y in an .npz, an image's folder; else a column, which is no feature then
    label_means: Literal[
        "auto", "class", "anomaly"
    ]  # anomaly: 1, 0 is normal; auto: so where an .npz has such a y
    ignore: list[str]  # columns that are left out
    missing: Literal[
        "refuse", "impute"
    ]  # impute: the training rows' median or most frequent category
    image_side: (
        Literal["auto"] | Annotated[int, Field(ge=2, le=4096)]
    )  # auto: the images' own up to 64, else 32 pixels
    split: Annotated[
        str, Field(pattern="^(random|(column|time):.+)$")
    ]  # time: the last rows are the test split
    split_seed: Seed
    validation_fraction: OpenFraction  # of the rows that are not test rows
    test_fraction: OpenFraction  # of all rows; a data set's own test split is kept instead
    protocol: Literal[
        "split", "transductive"
    ]  # transductive: fitted on all rows without labels, judged on them
    scaling: Literal[
        "auto", "pixels", "minmax", "standard", "robust", "none"
    ]  # pixels: their range to [0, 1]
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
        return (
            f"openml-{self.openml}"
            if self.openml
            else re.sub("[^A-Za-z0-9_-]+", "-", file).strip("-") or "data"
        )


class Network(Section):
    """The symmetric encoder/decoder pair."""

    kind: Literal["auto", "mlp", "conv"]  # conv: of images alone
    code_size: Literal["auto"] | Units  # auto: the square root of the number of features
    n_layers: (
        Literal["auto"] | Annotated[int, Field(ge=0, le=32)]
    )  # hidden layers of the encoder, the code not counted
    nodes_per_layer: (
        Literal["auto"] | Units | list[Units]
    )  # the first layer's, then halved; conv: the last's channels
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
    trim: (
        Literal["auto"] | Annotated[float, Field(ge=0, le=0.5)]
    )  # share of a batch, the worst, left out of the loss
    augment: Annotated[
        float, Field(ge=0, le=10)
    ]  # images: strength of random affine maps; 1: mild (augment.py)
    augment_until: Annotated[
        float, Field(gt=0, le=1)
    ]  # share of the training after which images stay as they are
    patience: Annotated[
        int, Field(ge=0)
    ]  # epochs without a better validation error before training stops; 0: never
    precision: Literal[
        "auto", "32-true", "bf16-mixed"
    ]  # auto: bf16 products where they are faster; evaluation is fp32
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
    fields: dict[str, Any] = {
        name: (Annotated[f.annotation, f], None) for name, f in section.model_fields.items()
    }
    return pydantic.create_model(f"{section.__name__}Overrides", __base__=Section, **fields)


NetworkOverrides: Any = _partial(Network)
TrainOverrides: Any = _partial(Train)


class Rule(NamedTuple):
    """A rule that joins several values: whether it refuses them, the value to change, and why."""

    refuses: bool
    name: str  # of the value, inside its section
    reason: str


@dataclass(frozen=True)
class Setting:
    """What the parameters of a type have to fit: the network and the data."""

    network: FixedNetwork
    facts: DataFacts
    scaling: Callable[[], str]  # data.scaling, for a message: no training depends on it
    key: Callable[
        [str], str
    ]  # the dotted key that a value of the network or of the type comes from


class TypeSection(Section):
    """A type's section: its own parameters, and its overrides of `network` and `train`."""

    tunable: ClassVar[
        tuple[str, ...]
    ] = ()  # own parameters that a study may change: none weakens the constraint

    network: NetworkOverrides = Field(default_factory=NetworkOverrides)
    train: TrainOverrides = Field(default_factory=TrainOverrides)

    def own(self) -> dict[str, Any]:
        """The type's own parameters, by name."""
        return self.model_dump(exclude={"network", "train"})

    @classmethod
    def auto(cls, facts: DataFacts) -> dict[str, Any]:  # noqa: ARG003  (types with an `auto` read it)
        """What `auto` stands for among the type's own parameters, by name."""
        return {}

    def rules(self, setting: Setting) -> Iterator[Rule]:  # noqa: ARG002  (most types have rules)
        """The rules that the type's parameters and its network have to keep."""
        yield from ()


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
        is_range, logarithm = (
            self.choices is None,
            "with log, low must be above 0 and there is no step",
        )
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

    goal: Literal[
        "compress", "reconstruct"
    ]  # small codes that keep the variance; or a small error at the code size
    n_trials: Annotated[
        int, Field(ge=0, le=1_000_000)
    ]  # of each type in all, pruned and failed ones too; 0: no study
    epochs: (
        Literal["full"] | Annotated[int, Field(ge=1, le=1_000_000)]
    )  # of a trial; full: train.epochs
    explained_variance: (
        OpenFraction  # compress: share of the validation rows' variance that a code has to keep
    )
    sampler: Literal["tpe", "random"]
    pruner: Literal["none", "median", "hyperband"]  # reconstruct: how hopeless trials are stopped
    seed: Seed
    workers: Annotated[int, Field(ge=1, le=1024)]  # processes on this machine
    storage: Literal[
        "journal", "environment"
    ]  # studies/optuna.journal, or the URL in AUTOENCODERS_STUDY_URL
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
    bootstrap_samples: Annotated[
        int, Field(ge=100, le=100_000)
    ]  # resamples behind each 95 % interval
    importance_samples: Annotated[
        int, Field(ge=1, le=100_000)
    ]  # draws a row behind the variational type's nll
    probe_rows: Annotated[
        int, Field(ge=100)
    ]  # training rows at most for the linear probe and the nearest neighbours
    probe_l2: (
        Literal["auto"] | Annotated[float, Field(gt=0)]
    )  # the linear probe's L2 penalty; auto: by validation rows
    probe_standardised: bool  # each code unit; else all are divided by one number
    false_alarm_rate: OpenFraction  # share of clean rows whose score counts as an anomaly's
    figure_columns: Annotated[int, Field(ge=2, le=50)]  # images side by side in a figure


class Registry(Section):
    """When the best model becomes the champion."""

    promote: Literal["auto"] | bool  # auto: in a plain `dvc repro`; else the first
