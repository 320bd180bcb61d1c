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

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    @pydantic.field_validator("*", mode="before")
    @classmethod
    def _refuse_null(cls, value: object, info: ValidationInfo) -> object:
        """Refuses `sparse:` without a value: DVC would create a stage that trains no type."""
        if value is None and not cls.model_fields[str(info.field_name)].is_required():
            raise PydanticCustomError(
                "null", "must not be null; leave the key out, or write {} for an empty section"
            )
        return value


class Data(Section):
    """Which data, how it is read, split and scaled."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    """digits, mnist or fashion_mnist; for data of your own, its name in MLflow."""
    path: Annotated[str, Field(min_length=1)]
    """Your own data: a file, a folder, an archive or a URL; the placeholder: the set that `name` says."""
    sha256: Annotated[str, Field(pattern="^([0-9a-f]{64})?$")]
    """The SHA-256 of what a URL gives."""
    openml: Annotated[int, Field(ge=0)]
    """A data set's number on openml.org; 0: none."""
    label: str
    """The column of the class, which is no feature; auto: none in a table, y in .npz, an image's folder."""
    label_means: Literal["auto", "class", "anomaly"]
    """anomaly: 1 is an anomaly, 0 is normal; auto: so where an .npz has such a y, else class."""
    ignore: list[str]
    """Columns that are left out."""
    missing: Literal["refuse", "impute"]
    """impute: the training rows' median or most frequent category."""
    image_side: Literal["auto"] | Annotated[int, Field(ge=2, le=4096)]
    """Pixels a side; auto: the images' own up to 64, else 32."""
    split: Annotated[str, Field(pattern="^(random|(column|time):.+)$")]
    """random, time:COLUMN (the last rows are for test) or column:COLUMN (train, validation, test)."""
    split_seed: Seed
    """The seed of a random split."""
    validation_fraction: OpenFraction
    """The share of validation rows among those that are not for test."""
    test_fraction: OpenFraction
    """The share of test rows; a data set's own test split is kept instead."""
    protocol: Literal["split", "transductive"]
    """transductive: fitted on all rows without their labels, and judged on them."""
    scaling: Literal["auto", "pixels", "minmax", "standard", "robust", "none"]
    """pixels: their range to [0, 1]; auto: pixels for images, standard for tables."""
    binarise: bool
    """Pixels are 0 or 1 with their value as probability, drawn anew in each epoch."""

    @property
    def own(self) -> bool:
        """Whether the data is the user's own, and none of those that come by name."""
        return self.path != NO_FILE or self.openml > 0

    @property
    def title(self) -> str:
        """The data set's name in MLflow: where `name` speaks of another one, the file's own."""
        if not self.own or self.name not in BUILT_IN:
            return self.name
        if self.openml:
            return f"openml-{self.openml}"
        file = self.path.rstrip("/").rsplit("/", 1)[-1].split(".", 1)[0]
        return re.sub("[^A-Za-z0-9_-]+", "-", file).strip("-") or "data"


class Network(Section):
    """The symmetric encoder/decoder pair."""

    kind: Literal["auto", "mlp", "conv"]
    """mlp, or conv for images; auto: mlp."""
    code_size: Literal["auto"] | Units
    """Numbers in the code; auto: the square root of the number of features."""
    n_layers: Literal["auto"] | Annotated[int, Field(ge=0, le=32)]
    """Hidden layers of the encoder, the code not counted; auto: 2 for images, 1 for tables."""
    nodes_per_layer: Literal["auto"] | Units | list[Units]
    """Nodes of the first layer, halved from layer to layer, or a list; conv: channels of the last layer.
    auto: 128 for images, 64 for tables."""
    loss: Literal["auto", "mse", "bce", "l1"]
    """The reconstruction loss; auto: bce for data in [0, 1], else mse."""
    activation: Literal["silu", "gelu", "relu", "tanh", "sigmoid"]
    """Of the hidden layers."""
    code_activation: Literal["identity", "relu", "tanh", "sigmoid"]
    """Of the code."""
    tied: bool
    """mlp: the decoder's weights are the encoder's, transposed."""


class Train(Section):
    """How weights are fitted."""

    epochs: Literal["auto"] | Annotated[int, Field(ge=1, le=1_000_000)]
    """Passes over the training rows; auto: 4,000 steps for images, 300 for tables, 200 epochs at most."""
    batch_size: Literal["auto"] | Annotated[int, Field(ge=1, le=1_000_000)]
    """Rows a step; auto: 64 or 256 for images, 128 for tables, 1,024 above 100,000 rows."""
    learning_rate: Annotated[float, Field(gt=0, le=10)]
    """AdamW's, at its peak."""
    warmup: Fraction
    """The share of the steps in which the learning rate rises; it then falls to 0 along a cosine."""
    weight_decay: Weight
    """AdamW's."""
    gradient_clip: Weight
    """The largest norm of the gradient; 0 switches clipping off."""
    trim: Literal["auto"] | Annotated[float, Field(ge=0, le=0.5)]
    """The share of a batch, its worst rows, left out of the loss; auto: 0.2 for tables, 0 for images."""
    augment: Annotated[float, Field(ge=0, le=10)]
    """Images: the strength of random affine maps; 1: up to 0.75 pixels, 4 degrees, 4 % of scale and shear."""
    augment_until: Annotated[float, Field(gt=0, le=1)]
    """The share of the training after which images stay as they are."""
    patience: Annotated[int, Field(ge=0)]
    """Epochs without a better validation error before training stops; 0: it never stops early."""
    precision: Literal["auto", "32-true", "bf16-mixed"]
    """auto: bf16 products where they are faster; an evaluation is always fp32."""
    threads: Literal["auto"] | Annotated[int, Field(ge=1, le=1024)]
    """Threads of a training; auto: by the size of the network and the machine."""
    devices: Annotated[int, Field(ge=1, le=1024)]
    """Devices of a machine; several share each batch."""
    num_nodes: Annotated[int, Field(ge=1, le=65_536)]
    """Machines."""
    strategy: Annotated[str, Field(min_length=1)]
    """Lightning's, for several devices: auto, ddp, ..."""


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
    key: Callable[[str], str]  # the dotted key of a value of the network or of the type


class TypeSection(Section):
    """A type's section: its own parameters, and its overrides of `network` and `train`."""

    tunable: ClassVar[tuple[str, ...]] = ()  # own parameters that weaken no constraint

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
        is_range = self.choices is None
        logarithm = "with log, low must be above 0 and there is no step"
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

    goal: Literal["compress", "reconstruct"]
    """compress: the smallest code that keeps the variance; reconstruct: the smallest error at the code size."""
    n_trials: Annotated[int, Field(ge=0, le=1_000_000)]
    """Trials of each type in all, pruned and failed ones too; 0: no study."""
    epochs: Literal["full"] | Annotated[int, Field(ge=1, le=1_000_000)]
    """Epochs of a trial; full: as many as train.epochs."""
    explained_variance: OpenFraction
    """compress: the share of the validation rows' variance that a code has to keep."""
    sampler: Literal["tpe", "random"]
    """How values are drawn."""
    pruner: Literal["none", "median", "hyperband"]
    """reconstruct: how hopeless trials are stopped."""
    seed: Seed
    """The seed of the draws."""
    workers: Annotated[int, Field(ge=1, le=1024)]
    """Processes on this machine."""
    storage: Literal["journal", "environment"]
    """journal: studies/optuna.journal; environment: the URL in AUTOENCODERS_STUDY_URL."""
    space: Annotated[list[Dimension], Field(min_length=1)]
    """What a study may change: low and high, log or step; or choices."""

    def keeps(self, explained_variance: float) -> bool:
        """Whether the goal is `compress` and a code keeps enough of the validation variance."""
        return self.goal == "compress" and explained_variance >= self.explained_variance

    def rank(self, code_size: int, error: float, explained_variance: float) -> tuple[float, float]:
        """What trials and models are ordered by, the best first.

        compress: the smallest code that keeps the variance, then the error. reconstruct, or what
        keeps less: the error.
        """
        return (code_size if self.keeps(explained_variance) else float("inf"), error)


class RateDistortion(Section):
    """`ae rate-distortion`: error by code size."""

    code_sizes: Annotated[list[Units], Field(min_length=2)]
    """The code sizes."""
    seeds: Annotated[list[Seed], Field(min_length=1)]
    """One training a type, code size and seed."""
    workers: Annotated[int, Field(ge=1, le=1024)]
    """Trainings side by side."""


class Evaluate(Section):
    """How trained models are judged."""

    seed: Seed
    """The seed of resamples and noise."""
    bootstrap_samples: Annotated[int, Field(ge=100, le=100_000)]
    """Resamples behind each 95 % interval."""
    importance_samples: Annotated[int, Field(ge=1, le=100_000)]
    """Draws a row behind the variational type's negative log-likelihood."""
    probe_rows: Annotated[int, Field(ge=100)]
    """Training rows at most for the linear probe and the nearest neighbours."""
    probe_l2: Literal["auto"] | Annotated[float, Field(gt=0)]
    """The linear probe's L2 penalty, scikit-learn's 1/C; auto: of 10^-3 to 10^3, by the validation rows."""
    probe_standardised: bool
    """Each code unit by its own deviation; false: all by one number, which suits sparse codes."""
    false_alarm_rate: OpenFraction
    """The share of clean rows that `ae score` takes for anomalies."""
    figure_columns: Annotated[int, Field(ge=2, le=50)]
    """Images side by side in a figure."""


class Registry(Section):
    """When the best model becomes the champion."""

    promote: Literal["auto"] | bool
    """auto: in a plain `dvc repro`; an experiment only makes the first champion."""
