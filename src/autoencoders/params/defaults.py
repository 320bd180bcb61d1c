"""The rules behind `auto` in params.yaml, on the goal and on the data's kind, size and range.

goal: reconstruct. Rows are to be rebuilt well, better than PCA does at the same code size.

goal: anomaly. Tables are small and may hold anomalies, which a short training of a narrow network
with trimmed losses does not learn (`make bench-anomalies`). Images keep the values of
`reconstruct`.
"""

import math
from collections.abc import Mapping
from typing import Any

from autoencoders.params.architecture import DataFacts
from autoencoders.params.goal import Goal

IMAGE_STEPS = 4000  # optimizer steps of a training
TABLE_STEPS = 4000
ANOMALY_STEPS = 300
FEWEST_EPOCHS = {"image": 5, "table": 2}
MOST_EPOCHS = 200
PATIENCE_STEPS = 1000  # without a better validation error
ANOMALY_PATIENCE = 50  # epochs
BATCHES = {  # the batch size up to a number of training rows
    "image": {10_000: 64, 100_000: 256},
    "table": {100_000: 128},
}
LARGEST_BATCH = 1024  # of more rows
# the order in which types find anomalies, the best first: by the mean AUROC over public sets
ANOMALY_TYPES = ("variational", "undercomplete", "contractive", "denoising", "sparse")


def anomaly_place(model_type: str) -> int:
    """A type's place in `ANOMALY_TYPES`; types that were not measured come last."""
    if model_type in ANOMALY_TYPES:
        return ANOMALY_TYPES.index(model_type)
    return len(ANOMALY_TYPES)


def finds_anomalies(facts: DataFacts, goal: Goal) -> bool:
    """Whether the rules for anomalies apply: these are about tables."""
    return goal == "anomaly" and not facts.shape


def network(facts: DataFacts, goal: Goal) -> dict[str, Any]:
    """The network that suits the data and the goal.

    code_size: the square root of the features (64 -> 8, 784 -> 28). loss: bce for images in [0, 1],
    and for tables in [0, 1] that may hold anomalies; else mse. n_layers and nodes_per_layer: 2 and
    128 for images, 1 and 64 for tables.
    """
    is_image = bool(facts.shape)
    takes_bce = facts.unit_interval and (is_image or goal == "anomaly")
    return {
        "kind": "mlp",
        "code_size": max(1, round(math.sqrt(facts.n_features))),
        "loss": "bce" if takes_bce else "mse",
        "n_layers": 2 if is_image else 1,
        "nodes_per_layer": 128 if is_image else 64,
    }


def takes_linear_path(facts: DataFacts, goal: Goal) -> bool:
    """Whether a network that can start as PCA does so."""
    return not finds_anomalies(facts, goal)


def train(facts: DataFacts, goal: Goal, batch_size: int | str) -> dict[str, Any]:
    """The training that suits the data and the goal.

    batch_size: of images 64, 256 above 10,000 rows, of tables 128, and 1024 above 100,000 rows.
    epochs: 4,000 steps (5 to 200 epochs for images, 2 to 200 for tables), 300 steps for anomalies
    in tables. patience: 1,000 steps, 50 epochs for anomalies in tables. trim: 0.2 for anomalies in
    tables, else 0.
    """
    batch = _batch_size(facts) if batch_size == "auto" else int(batch_size)
    steps_an_epoch = math.ceil(facts.rows / batch)
    epochs = round(_steps(facts, goal) / steps_an_epoch)
    anomaly = finds_anomalies(facts, goal)
    return {
        "batch_size": batch,
        "epochs": min(max(epochs, FEWEST_EPOCHS[facts.kind]), MOST_EPOCHS),
        "patience": ANOMALY_PATIENCE if anomaly else math.ceil(PATIENCE_STEPS / steps_an_epoch),
        "trim": 0.2 if anomaly else 0.0,
    }


def _steps(facts: DataFacts, goal: Goal) -> int:
    """The optimizer steps of a training."""
    if facts.shape:
        return IMAGE_STEPS
    if goal == "anomaly":
        return ANOMALY_STEPS
    return TABLE_STEPS


def _batch_size(facts: DataFacts) -> int:
    for rows, batch in BATCHES[facts.kind].items():
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
