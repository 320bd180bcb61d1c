"""What `auto` stands for in params.yaml: rules on the data's kind, size and range, never on its labels.

Images are to be rebuilt well. Tables are small and may hold anomalies, which a short training of a narrow network with
trimmed losses does not learn: these values had the best mean anomaly AUROC over 58 tables (`make bench-anomalies`).
"""

import math
from collections.abc import Mapping
from typing import Any

from autoencoders.params.architecture import DataFacts

STEPS = {"image": 4000, "table": 300}  # optimizer steps of a training
FEWEST = {"image": 5, "table": 2}  # epochs
MOST_EPOCHS = 200
BATCHES = {
    "image": ((10_000, 64), (100_000, 256)),
    "table": ((100_000, 128),),
}  # up to so many rows, so many a batch
LARGEST_BATCH = 1024


def network(facts: DataFacts) -> dict[str, Any]:
    """code_size: the square root of the features (64 -> 8, 784 -> 28). loss: bce for data in [0, 1], else mse.

    n_layers and nodes_per_layer: 2 and 128 for images, 1 and 64 for tables.
    """
    layers = (
        {"n_layers": 2, "nodes_per_layer": 128}
        if facts.shape
        else {"n_layers": 1, "nodes_per_layer": 64}
    )
    code_size = max(1, round(math.sqrt(facts.n_features)))
    return {
        "kind": "mlp",
        "code_size": code_size,
        "loss": "bce" if facts.unit_interval else "mse",
        **layers,
    }


def train(facts: DataFacts, batch_size: int | str) -> dict[str, Any]:
    """batch_size: of images 64, 256 above 10,000 rows, of tables 128, and 1024 above 100,000 rows.

    epochs: 4,000 steps for images (5 to 200 epochs), 300 for tables (2 to 200). trim: 0.2 for tables.
    """
    fitting = next(
        (batch for rows, batch in BATCHES[facts.kind] if facts.rows <= rows), LARGEST_BATCH
    )
    batch = fitting if batch_size == "auto" else int(batch_size)
    epochs = round(STEPS[facts.kind] / math.ceil(facts.rows / batch))
    trim = 0.0 if facts.shape else 0.2
    return {
        "batch_size": batch,
        "epochs": min(max(epochs, FEWEST[facts.kind]), MOST_EPOCHS),
        "trim": trim,
    }


def resolved(values: Mapping[str, Any], rules: Mapping[str, Any]) -> dict[str, Any]:
    """The values, with what stands for those that are `auto` and have a rule."""
    return {
        name: rules.get(name, value) if value == "auto" else value for name, value in values.items()
    }
