"""The rules behind `auto` in params.yaml, on the data's kind, size and range, never on its labels.

Images are to be rebuilt well. Tables are small and may hold anomalies, which a short training of a
narrow network with trimmed losses does not learn (ADR 15, `make bench-anomaly-choice`).
"""

import math
from collections.abc import Mapping
from typing import Any

from autoencoders.params.architecture import DataFacts

STEPS = {"image": 4000, "table": 300}  # optimizer steps of a training
FEWEST = {"image": 5, "table": 2}  # epochs
MOST_EPOCHS = 200
BATCHES = {  # the batch size up to a number of training rows
    "image": {10_000: 64, 100_000: 256},
    "table": {100_000: 128},
}
LARGEST_BATCH = 1024  # of more rows
# the order in which types find anomalies in tables, the best first: by the sum of mean AUROC and
# mean average precision over the real sets of ADR 15 (`make bench-anomaly-choice`)
ANOMALY_TYPES = ("variational", "sparse", "denoising", "contractive", "undercomplete")


def network(facts: DataFacts) -> dict[str, Any]:
    """The network that suits the data.

    code_size: the square root of the features (64 -> 8, 784 -> 28). loss: bce for data in [0, 1],
    else mse. n_layers and nodes_per_layer: 2 and 128 for images, 1 and 64 for tables.
    """
    is_image = bool(facts.shape)
    return {
        "kind": "mlp",
        "code_size": max(1, round(math.sqrt(facts.n_features))),
        "loss": "bce" if facts.unit_interval else "mse",
        "n_layers": 2 if is_image else 1,
        "nodes_per_layer": 128 if is_image else 64,
    }


def train(facts: DataFacts, batch_size: int | str) -> dict[str, Any]:
    """The training that suits the data.

    batch_size: of images 64, 256 above 10,000 rows, of tables 128, and 1024 above 100,000 rows.
    epochs: 4,000 steps for images (5 to 200 epochs), 300 for tables (2 to 200). trim: 0.2 for
    tables.
    """
    batch = _batch_size(facts) if batch_size == "auto" else int(batch_size)
    steps_an_epoch = math.ceil(facts.rows / batch)
    epochs = round(STEPS[facts.kind] / steps_an_epoch)
    return {
        "batch_size": batch,
        "epochs": min(max(epochs, FEWEST[facts.kind]), MOST_EPOCHS),
        "trim": 0.0 if facts.shape else 0.2,
    }


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
