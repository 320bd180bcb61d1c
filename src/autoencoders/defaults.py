"""What `auto` stands for in params.yaml: rules on the data's kind, size and range, never on its labels."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

STEPS = 4000  # optimizer steps of a training
EPOCHS = (5, 200)  # at least and at most
BATCHES = ((10_000, 64), (100_000, 256))  # up to so many training rows, so many rows a batch
LARGEST_BATCH = 1024


class DataFacts(NamedTuple):
    """What networks, rules and defaults need to know about the data."""

    n_features: int
    unit_interval: bool  # all values in model scale lie in [0, 1]
    shape: tuple[int, ...] = ()  # of one image: rows, columns and, where there are several, channels; else nothing
    rows: int = 1000  # of the training split


def network(facts: DataFacts) -> dict[str, Any]:
    """code_size: the square root of the features (64 -> 8, 784 -> 28). loss: bce for data in [0, 1], else mse."""
    code_size = max(1, round(math.sqrt(facts.n_features)))
    loss = "bce" if facts.unit_interval else "mse"
    return {"kind": "mlp", "code_size": code_size, "nodes_per_layer": 128, "loss": loss}


def train(facts: DataFacts, batch_size: int | str) -> dict[str, Any]:
    """batch_size: 64, 256 above 10,000 and 1024 above 100,000 rows. epochs: 4,000 steps, 5 to 200 epochs."""
    fitting = next((batch for rows, batch in BATCHES if facts.rows <= rows), LARGEST_BATCH)
    batch = fitting if batch_size == "auto" else int(batch_size)
    epochs = round(STEPS / math.ceil(facts.rows / batch))
    return {"batch_size": batch, "epochs": min(max(epochs, EPOCHS[0]), EPOCHS[1])}


def replaced(values: Mapping[str, Any], rules: Mapping[str, Any]) -> dict[str, Any]:
    """The values that are `auto`, by name, with what stands for them."""
    return {name: rules[name] for name, value in values.items() if isinstance(value, str) and value == "auto"}
