"""The sections of params.yaml: every value's name, type, bounds, default and meaning."""

import re
from typing import Annotated, Literal

from pydantic import Field

from autoencoders.params.dimension import Dimension
from autoencoders.params.section import Fraction, OpenFraction, Section, Seed, Units, Weight

NO_FILE = "examples/built_in"  # in data.path: the data set that data.name says
BUILT_IN = ("digits", "mnist", "fashion_mnist")


class Data(Section):
    """The data: where it is, and how it is read, split and scaled."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    """digits, mnist or fashion_mnist; for data of your own, its name in MLflow."""
    path: Annotated[str, Field(min_length=1)]
    """Your own data: a file, a folder, an archive or a URL; examples/built_in: the data set that
    `name` says."""
    sha256: Annotated[str, Field(pattern="^([0-9a-f]{64})?$")]
    """The SHA-256 of what a URL gives."""
    openml: Annotated[int, Field(ge=0)]
    """A data set's number on openml.org; 0: none."""
    label: str = "auto"
    """The column of the class, which is no feature; auto: none in a table, y in .npz, an image's
    folder."""
    label_means: Literal["auto", "class", "anomaly"] = "auto"
    """anomaly: one of two labels means an anomaly, by its name, or as the rarer one; auto: so where
    the y of an .npz is 0 and 1, or logical, else class."""
    ignore: list[str] = Field(default_factory=list)
    """Columns that are left out; their types do not matter."""
    id: str = ""
    """The column that names the rows: no feature, but answers carry its values; empty: none."""
    encoding: Annotated[str, Field(min_length=1)] = "auto"
    """The encoding of a delimited text file, by Python's name; auto: UTF-8, UTF-16 with its mark,
    else cp1252."""
    header: Literal["auto", "first", "none"] = "auto"
    """Of a delimited text file: first: its first line holds the columns' names; none: there are
    none; auto: names are told from values, or refused."""
    decimal: Literal["auto", "point", "comma"] = "auto"
    """The decimal sign of numbers in text; auto: as the columns show it."""
    null_values: list[str] = Field(default_factory=list)
    """Further texts that stand for a missing value, in every column."""
    types: dict[str, Literal["category", "number", "point", "comma"]] = Field(default_factory=dict)
    """The types of columns by name: category for numbers that are codes; number; point or comma for
    numbers whose decimal sign is not plain to see."""
    keep: list[str] = Field(default_factory=list)
    """Columns that stay features although they number or name the rows, or look like dates."""
    missing: Literal["refuse", "impute"] = "refuse"
    """impute: the training rows' median or most frequent category."""
    image_side: Literal["auto"] | Annotated[int, Field(ge=2, le=4096)] = "auto"
    """Pixels a side; auto: the images' own up to 64, else 32."""
    split: Annotated[str, Field(pattern="^(random|(column|time):.+)$")] = "random"
    """random, time:COLUMN (the last rows are for test) or column:COLUMN (train, validation,
    test)."""
    split_seed: Seed = 1
    """The seed of a random split."""
    validation_fraction: OpenFraction = 0.15
    """The share of validation rows among those that are not for test."""
    test_fraction: OpenFraction = 0.2
    """The share of test rows; a data set's own test split is kept instead."""
    protocol: Literal["split", "transductive"] = "split"
    """transductive: fitted on all rows without their labels, and judged on them."""
    scaling: Literal["auto", "pixels", "minmax", "standard", "robust", "none"] = "auto"
    """pixels: their range to [0, 1]; auto: pixels for images, standard for tables."""
    binarise: bool = False
    """Whether pixels are 0 or 1 with their value as probability, drawn anew in each epoch, of
    held-out rows once."""

    @property
    def is_own(self) -> bool:
        """Whether the data is the user's own, and none of those that come by name."""
        return self.path != NO_FILE or self.openml > 0

    @property
    def split_values(self) -> dict[str, str | int | float]:
        """The values that decide which rows are training, validation and test rows, by name."""
        values: dict[str, str | int | float] = {"protocol": self.protocol, "split": self.split}
        if self.split.startswith("column:"):
            return values
        values["validation_fraction"] = self.validation_fraction
        if self.protocol != "transductive":
            values["test_fraction"] = self.test_fraction
        if self.split == "random":
            values["split_seed"] = self.split_seed
        return values

    @property
    def title(self) -> str:
        """The data set's name in MLflow: where `name` speaks of another one, the file's own."""
        if not self.is_own or self.name not in BUILT_IN:
            return self.name
        if self.openml:
            return f"openml-{self.openml}"
        file = self.path.rstrip("/").rsplit("/", 1)[-1].split(".", 1)[0]
        return re.sub("[^A-Za-z0-9_-]+", "-", file).strip("-") or "data"


class Network(Section):
    """The symmetric encoder/decoder pair."""

    kind: Literal["auto", "mlp", "conv"] = "auto"
    """mlp, or conv for images; auto: mlp."""
    code_size: Literal["auto"] | Units = "auto"
    """Numbers in the code; auto: the square root of the number of features."""
    n_layers: Literal["auto"] | Annotated[int, Field(ge=0, le=32)] = "auto"
    """Hidden layers of the encoder, the code not counted; auto: 2, 1 for anomalies in
    tables."""
    nodes_per_layer: Literal["auto"] | Units | list[Units] = "auto"
    """Nodes of the first layer, halved from layer to layer, or a list; conv: channels of the last
    layer. auto: 128, 64 for anomalies in tables."""
    loss: Literal["auto", "mse", "bce", "l1"] = "auto"
    """The reconstruction loss; auto: bce for images in [0, 1] with 10 training images a pixel, and
    for tables in [0, 1] whose goal is anomaly; else mse."""
    activation: Literal["silu", "gelu", "relu", "tanh", "sigmoid"] = "silu"
    """The activation of the hidden layers."""
    code_activation: Literal["auto", "identity", "relu", "tanh", "sigmoid"] = "auto"
    """The activation of the code; auto: identity, but sigmoid for sparse codes of the KL
    penalty."""
    tied: bool = False
    """mlp: whether the decoder's weights are the encoder's, transposed."""
    linear_path: Literal["auto"] | bool = "auto"
    """mlp: an affine map beside the hidden layers of encoder and decoder; the training starts as
    PCA. auto: with mse, no activation of the code, and a code smaller than features and rows; not
    for anomalies in tables."""


class Train(Section):
    """How weights are fitted."""

    epochs: Literal["auto"] | Annotated[int, Field(ge=1, le=1_000_000)] = "auto"
    """Passes over the training rows; auto: 4,000 steps, up to 10,000 for tables of more than 100
    features, 300 for anomalies in tables; 5 to 1,000 epochs at most."""
    batch_size: Literal["auto"] | Annotated[int, Field(ge=1, le=1_000_000)] = "auto"
    """Rows a step; auto: 64 or 256 for images, 32 or 128 for tables, 1,024 above 100,000 rows."""
    learning_rate: Annotated[float, Field(gt=0, le=10)] = 3.0e-3
    """AdamW's learning rate, at its peak."""
    warmup: Fraction = 0.05
    """The share of the steps in which the learning rate rises; then it falls to 0 along a
    cosine."""
    weight_decay: Weight = 0.1
    """AdamW's weight decay, decoupled from the gradient."""
    gradient_clip: Weight = 0.0
    """The largest norm of the gradient; 0 switches clipping off."""
    trim: Literal["auto"] | Annotated[float, Field(ge=0, le=0.5)] = "auto"
    """The share of a batch, its worst rows, left out of the loss; auto: 0.2 for anomalies in
    tables, else 0."""
    augment: Literal["auto"] | Annotated[float, Field(ge=0, le=10)] = "auto"
    """Images: the strength of random affine maps; 1: up to 0.75 pixels, 4 degrees, 4 % of scale and
    shear. auto: 1 for fewer training images than 10 a pixel, 2 from 16 pixels a side on; else 0."""
    augment_until: Annotated[float, Field(gt=0, le=1)] = 0.85
    """The share of the training after which images stay as they are."""
    patience: Literal["auto"] | Annotated[int, Field(ge=0)] = "auto"
    """Epochs without a better validation error before training stops; 0: it never stops early;
    auto: 1,000 steps, 50 epochs for anomalies in tables."""
    precision: Literal["auto", "32-true", "bf16-mixed"] = "auto"
    """auto: bf16 products where they are faster; an evaluation is always fp32."""
    threads: Literal["auto"] | Annotated[int, Field(ge=1, le=1024)] = "auto"
    """Threads of a training; auto: by the size of the network and the machine."""
    devices: Annotated[int, Field(ge=1, le=1024)] = 1
    """Devices of a machine; several share each batch."""
    num_nodes: Annotated[int, Field(ge=1, le=65_536)] = 1
    """Machines; several share each batch."""
    strategy: Annotated[str, Field(min_length=1)] = "auto"
    """Lightning's strategy for several devices: auto, ddp, ..."""


class FixedNetwork(Network):
    """`Network` without `auto`."""

    code_activation: Literal["identity", "relu", "tanh", "sigmoid"]
    code_size: int
    n_layers: int
    nodes_per_layer: int | list[int]
    linear_path: bool


class FixedTrain(Train):
    """`Train` without `auto`."""

    augment: float
    epochs: int
    batch_size: int
    patience: int
    trim: float


class Tune(Section):
    """The studies that look for better values before the training."""

    objective: Literal["smallest_code", "smallest_error"]
    """smallest_code: the smallest code that keeps the variance; smallest_error: the smallest error
    at the code size."""
    n_trials: Literal["auto"] | Annotated[int, Field(ge=0, le=1_000_000)] = "auto"
    """Trials of each type in all, pruned and failed ones too; 0: no study; auto: 20, but 0 where
    the goal is anomaly, as no study knows what finds them."""
    minutes: Annotated[float, Field(ge=0, le=1_000_000)] = 0.0
    """Minutes in which each study begins trials, if n_trials does not end it first; 0: no limit.
    With a limit, the outputs depend on the machine's speed."""
    epochs: Literal["auto", "full"] | Annotated[int, Field(ge=1, le=1_000_000)] = "auto"
    """Epochs of a trial; auto: a fifth of train.epochs; full: all of them."""
    explained_variance: OpenFraction
    """smallest_code: the share of the validation rows' variance that a code has to keep."""
    sampler: Literal["auto", "gp", "tpe", "random"] = "auto"
    """How values are drawn; auto: by a Gaussian process (gp) for smallest_code, up to 100 trials,
    else by TPE."""
    pruner: Literal["none", "median", "hyperband"] = "median"
    """How hopeless trials are stopped; smallest_code: none, or else those that are far from the
    share of the variance."""
    gain_seeds: Annotated[int, Field(ge=0, le=1000)] = 1
    """Training seeds over which the gain of tuning is measured; 2 or more give its interval; 0: it
    is not measured."""
    seed: Seed = 1
    """The seed of the draws."""
    workers: Annotated[int, Field(ge=1, le=1024)] = 1
    """Processes of each study on this machine."""
    storage: Literal["journal", "environment"] = "journal"
    """journal: studies/optuna.journal; environment: the URL in AUTOENCODERS_STUDY_URL."""
    space: Annotated[list[Dimension], Field(min_length=1)]
    """The values that a study may change: low and high, with log or step; or choices."""

    @property
    def asked_share(self) -> str:
        """The share of the variance that a code has to keep, in percent."""
        return f"{round(100 * self.explained_variance, 2):g} %"

    def keeps(self, explained_variance: float) -> bool:
        """Whether small codes are asked for, and one keeps enough of the validation variance."""
        return self.objective == "smallest_code" and explained_variance >= self.explained_variance

    def rank(self, code_size: int, error: float, explained_variance: float) -> tuple[float, float]:
        """A key that sorts trials and models, the best first.

        smallest_code: the smallest code that keeps the variance, then the error. smallest_error, or
        where less is kept: the error.
        """
        if self.keeps(explained_variance):
            return (code_size, error)
        return (float("inf"), error)


class FixedTune(Tune):
    """`Tune` whose number of trials is not `auto`."""

    n_trials: int


class RateDistortion(Section):
    """`ae rate-distortion`: error by code size."""

    code_sizes: Annotated[list[Units], Field(min_length=2)] = Field(
        default_factory=lambda: [2, 4, 8, 16, 32]
    )
    """The code sizes that are trained."""
    seeds: Annotated[list[Seed], Field(min_length=1)] = Field(default_factory=lambda: [1, 2, 3])
    """One training a type, code size and seed."""
    workers: Annotated[int, Field(ge=1, le=1024)] = 1
    """Trainings side by side."""


class Evaluate(Section):
    """How trained models are judged."""

    seed: Seed = 1
    """The seed of resamples and noise."""
    bootstrap_samples: Annotated[int, Field(ge=100, le=100_000)] = 1000
    """Resamples behind each 95 % interval."""
    importance_samples: Annotated[int, Field(ge=1, le=100_000)] = 100
    """Draws a row behind the variational type's negative log-likelihood."""
    probe_rows: Annotated[int, Field(ge=100)] = 10_000
    """Training rows at most for the linear probe and the nearest neighbours."""
    probe_l2: Literal["auto"] | Annotated[float, Field(gt=0)] = 1.0
    """The linear probe's L2 penalty, scikit-learn's 1/C; auto: of 10^-3 to 10^3, by the validation
    rows."""
    probe_standardised: bool = True
    """Each code unit by its own deviation; false: all by one number, which suits sparse codes."""
    false_alarm_rate: OpenFraction = 0.05
    """The share of clean rows that `ae score` takes for anomalies."""
    figure_columns: Annotated[int, Field(ge=2, le=50)] = 12
    """Images side by side in a figure."""


class Registry(Section):
    """When the best model becomes the champion."""

    promote: Literal["auto"] | bool = "auto"
    """auto: in a plain `dvc repro`; an experiment only makes the first champion."""
