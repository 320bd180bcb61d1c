"""The goal: what the models are for. It decides each value that is left to `auto`."""

from typing import Literal

from autoencoders.params.architecture import DataFacts

Goal = Literal["reconstruct", "anomaly"]


def resolved_goal(goal: Literal["auto"] | Goal, facts: DataFacts) -> Goal:
    """The goal itself; of `auto`, anomaly where labels of the data mean anomalies."""
    if goal != "auto":
        return goal
    if facts.anomaly_labels:
        return "anomaly"
    return "reconstruct"
