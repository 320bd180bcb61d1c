"""The rules behind `auto` in params.yaml, on the goal and on the data's kind, size and range.

goal: reconstruct. Rows are to be rebuilt better than PCA does at the same code size: where the loss
allows it, a training starts as PCA, and goes on as long as validation rows gain from it. Values
were chosen by validation errors of public tables and pictures; `make bench-tables` shows the test
errors of some of these and of others.

goal: anomaly. Tables are small and may hold anomalies, which a short training of a narrow network
with trimmed losses does not learn (ADR 15, `make bench-anomaly-choice`). Images keep the values of
`reconstruct`.
"""

import math
from collections.abc import Mapping
from typing import Any

from autoencoders.params.architecture import DataFacts
from autoencoders.params.goal import Goal

STEPS = 4000  # optimizer steps of a training
STEPS_A_FEATURE = 40  # of a table with many features, as of one with many categories
MOST_STEPS = 10_000
ANOMALY_STEPS = 300
EPOCHS = (5, 1000)  # at least, at most
ANOMALY_EPOCHS = (3, 200)
PATIENCE_STEPS = 1000  # without a better validation error
ANOMALY_PATIENCE = 50  # epochs
# the batch size up to a number of training rows
IMAGE_BATCHES = {10_000: 64, 100_000: 256}
TABLE_BATCHES = {1000: 32, 100_000: 128}  # an epoch of few steps would be spent on validation
ANOMALY_BATCHES = {100_000: 128}
LARGEST_BATCH = 1024  # of more rows
ENOUGH_ROWS_A_PIXEL = 10  # of training images
AUGMENTED_SIDE = 16  # pixels from which on augmentation is doubled: 0.75 pixels are little there
TRIALS = 20  # of a study
TRIAL_SHARE = 5  # a trial has a fifth of the training's epochs
# the order in which types find anomalies in tables, the best first: by the sum of mean AUROC and
# mean average precision over the real sets of ADR 15 (`make bench-anomaly-choice`)
ANOMALY_TYPES = ("variational", "sparse", "denoising", "contractive", "undercomplete")


def anomaly_place(model_type: str) -> int:
    """A type's place in `ANOMALY_TYPES`; types that were not measured come last."""
    if model_type in ANOMALY_TYPES:
        return ANOMALY_TYPES.index(model_type)
    return len(ANOMALY_TYPES)


def finds_anomalies(facts: DataFacts, goal: Goal) -> bool:
    """Whether the rules for anomalies apply: these are about tables."""
    return goal == "anomaly" and not facts.shape


def are_few_images(facts: DataFacts) -> bool:
    """Whether the data is images, but too few to learn from scratch what PCA finds at once."""
    return bool(facts.shape) and facts.rows < ENOUGH_ROWS_A_PIXEL * facts.n_features


def network(facts: DataFacts, goal: Goal) -> dict[str, Any]:
    """The network that suits the data and the goal.

    code_size: the square root of the features (64 -> 8, 784 -> 28). loss: bce for images in [0, 1]
    of which there are 10 a pixel, and for anomalies in tables in [0, 1]; else mse. n_layers and
    nodes_per_layer: 2 and 128, for anomalies in tables 1 and 64.
    """
    anomaly = finds_anomalies(facts, goal)
    takes_bce = anomaly or (bool(facts.shape) and not are_few_images(facts))
    return {
        "kind": "mlp",
        "code_size": max(1, round(math.sqrt(facts.n_features))),
        "loss": "bce" if facts.unit_interval and takes_bce else "mse",
        "n_layers": 1 if anomaly else 2,
        "nodes_per_layer": 64 if anomaly else 128,
    }


def starts_as_pca(facts: DataFacts, goal: Goal) -> bool:
    """Whether the automatic loss, and the goal, let a network start as PCA."""
    return takes_linear_path(facts, goal) and network(facts, goal)["loss"] == "mse"


def takes_linear_path(facts: DataFacts, goal: Goal) -> bool:
    """Whether a network that can start as PCA does so."""
    return not finds_anomalies(facts, goal)


def train(facts: DataFacts, goal: Goal, batch_size: int | str) -> dict[str, Any]:
    """The training that suits the data and the goal.

    batch_size: of images 64, 256 above 10,000 rows; of tables 32, 128 above 1,000 rows or for
    anomalies; 1024 above 100,000 rows.
    epochs: 4,000 steps, for tables 40 a feature if that is more, up to 10,000; 5 to 1,000 epochs;
    for anomalies in tables 300 steps, 3 to 200 epochs.
    patience: 1,000 steps, 50 epochs for anomalies in tables. trim: 0.2 for anomalies in tables,
    else 0. augment: of images of which there are fewer than 10 a pixel 1, and 2 from 16 pixels a
    side on; else 0.
    """
    batch = _batch_size(facts, goal) if batch_size == "auto" else int(batch_size)
    steps_an_epoch = math.ceil(facts.rows / batch)
    anomaly = finds_anomalies(facts, goal)
    return {
        "batch_size": batch,
        "epochs": _epochs(facts, goal, steps_an_epoch),
        "patience": ANOMALY_PATIENCE if anomaly else math.ceil(PATIENCE_STEPS / steps_an_epoch),
        "trim": 0.2 if anomaly else 0.0,
        "augment": _augment(facts),
    }


def n_trials(goal: Goal) -> int:
    """The trials of a study: 20; for anomalies none, as no study knows what finds them."""
    return 0 if goal == "anomaly" else TRIALS


def trial_epochs(epochs: int) -> int:
    """The epochs of a trial: a fifth of those of the training."""
    return math.ceil(epochs / TRIAL_SHARE)


def _epochs(facts: DataFacts, goal: Goal, steps_an_epoch: int) -> int:
    """The epochs of a training, at most: early stopping may end it before."""
    anomaly = finds_anomalies(facts, goal)
    fewest, most = ANOMALY_EPOCHS if anomaly else EPOCHS
    steps = ANOMALY_STEPS if anomaly else steps_to_rebuild(facts)
    return min(max(round(steps / steps_an_epoch), fewest), most)


def steps_to_rebuild(facts: DataFacts) -> int:
    """The optimizer steps of a training that is to rebuild rows: more for wide tables."""
    if facts.shape:
        return STEPS
    return min(max(STEPS, STEPS_A_FEATURE * facts.n_features), MOST_STEPS)


def _augment(facts: DataFacts) -> float:
    """The strength of augmentation: of few images, it takes the place of those that are missing."""
    if not are_few_images(facts):
        return 0.0
    return 2.0 if min(facts.shape[:2]) >= AUGMENTED_SIDE else 1.0


def _batch_size(facts: DataFacts, goal: Goal) -> int:
    """The rows of a step."""
    batches = IMAGE_BATCHES if facts.shape else TABLE_BATCHES
    if finds_anomalies(facts, goal):
        batches = ANOMALY_BATCHES
    for rows, batch in batches.items():
        if facts.rows <= rows:
            return batch
    return LARGEST_BATCH


def resolved(values: Mapping[str, Any], rules: Mapping[str, Any]) -> dict[str, Any]:
    """The values; each that is `auto` and has a rule is replaced by the rule's."""
    result = dict(values)
    for name, value in rules.items():
        if result.get(name) == "auto":
            result[name] = value
    return result
