"""Short trainings, which can be stopped and compared."""

from pathlib import Path

import torch
from torch import nn

from autoencoders.data.prepared.prepared import Prepared
from autoencoders.params.params import Params
from autoencoders.training.fit import Fitted, fit
from autoencoders.training.resume import ResumePoint

QUICK = {"train.epochs": 4, "network.nodes_per_layer": 16, "train.patience": 0}

RATES = [0.1, 0.01, 0.05, 0.02]  # learning rates of an optimizer's steps


def small_network() -> nn.Sequential:
    """A network for an optimizer's steps, with the same weights each time."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 4), nn.SiLU(), nn.Linear(4, 3))


class StopError(Exception):
    """The error that ends a training in these tests, as a kill would."""


def trained(
    kind: str, params: Params, data: Prepared, folder: Path, *, until: int | None = None
) -> Fitted:
    def log(epoch: int, means: dict[str, float]) -> None:
        if epoch == until:
            raise StopError

    with ResumePoint(folder / "resume") as resume:
        resume.every = 0.0  # seconds: a checkpoint each epoch
        return fit(
            params.plan(kind, data.description.facts), data, fingerprint="f", resume=resume, log=log
        )


def same(a: Fitted, b: Fitted) -> bool:
    mine, other = a.model.state_dict(), b.model.state_dict()
    return all(torch.equal(mine[name], other[name]) for name in mine) and a.history == b.history
