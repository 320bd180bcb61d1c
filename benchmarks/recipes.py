"""The ways to train a case's network: our `fit`, a loop, Lightning's usual recipe, libraries."""

import json
import logging
import math
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from cases import PEAK, PreparedCase
from common import MODEL_TYPE, ROOT
from timing import Recipe, Timer, Trained

PEERS = ("pythae", "keras_jax", "pyod", "sklearn")
PEERS_PYTHON = ROOT / ".venv-peers/bin/python"
PEERS_RATE = PEAK / 2  # which they keep, the mean of our cosine
WARMUP = 0.05  # of the steps, as params.yaml's default
CLOSED_FORM = "autoencoders.training.closed_form"
PRECISIONS = {"auto": "auto", "fp32": "32-true", "bf16": "bf16-mixed"}


def ours(
    case: PreparedCase,
    precision: str,
    model_type: str = MODEL_TYPE,
    values: dict[str, Any] | None = None,
) -> Recipe:
    """The product's own entry point. precision: auto, fp32 or bf16; values: by dotted name."""
    from autoencoders.models.trained.fidelity import fidelity
    from autoencoders.training.fit import fit

    common_values = {
        "train.precision": PRECISIONS[precision],
        "models.sparse.network.code_activation": "sigmoid",
    }
    params = case.params.override(common_values).with_tuned(model_type, values or {})
    plan = params.plan(model_type, case.data.description.facts)

    def recipe() -> Trained:
        with Timer() as timer:
            model = fit(plan, case.data, trial=True).model
        errors, _ = fidelity(model.reconstruct, case.data, "test")
        chosen = str(model.description.params["train.precision"])
        return Trained(timer.seconds, timer.cpu_seconds, float(errors.mean()), chosen)

    return recipe


def autograd(case: PreparedCase) -> Recipe:
    """`fit` in fp32 with autograd's step, also for networks that have one in closed form."""
    recipe = ours(case, "fp32")

    def by_autograd() -> Trained:
        with mock.patch(f"{CLOSED_FORM}.covers", return_value=False) as covers:
            trained = recipe()
        if not covers.called:
            raise RuntimeError(f"{CLOSED_FORM}.covers was not asked, so that nothing was switched")
        return trained

    return by_autograd


def loop(case: PreparedCase, model_type: str = MODEL_TYPE) -> Recipe:
    """The loop that one writes by hand in plain torch, with fused AdamW."""
    import torch

    from loops import LOSSES, Pair

    # where `fit` trains too; the rows stay there
    device = "cuda" if torch.cuda.is_available() else "cpu"
    rows = {split: torch.from_numpy(x).to(device) for split, x in case.scaled().items()}
    x, batch_size, loss_of = rows["train"], case.case.batch, LOSSES[model_type]
    rates = _rates(case)
    sizes = [case.n_features, *case.case.widths]

    def error(pair: Pair, split: str) -> float:
        with torch.no_grad():
            difference = pair(rows[split]) - rows[split]
            return float(difference.square().sum(-1).mean())

    def recipe() -> Trained:
        with Timer() as timer:
            torch.manual_seed(1)
            pair = Pair(sizes, case.case.code, model_type, case.case.activation).to(device)
            optimizer = torch.optim.AdamW(pair.parameters(), weight_decay=0.0, fused=True)
            rate = iter(rates)
            for _ in range(case.case.epochs):
                order = torch.randperm(len(x)).to(device)
                total = torch.zeros((), device=device)
                for batch in order.split(batch_size):
                    loss = loss_of(pair, x[batch])
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.param_groups[0]["lr"] = next(rate)
                    optimizer.step()
                    total += loss.detach() * len(batch)
                error(pair, "validation")
        return Trained(timer.seconds, timer.cpu_seconds, error(pair, "test"))

    return recipe


def usual(case: PreparedCase) -> Recipe:
    """Lightning's usual recipe: TensorDataset, DataLoader, a module that logs in every step."""
    import pytorch_lightning as pl
    import torch
    from pytorch_lightning.loggers import CSVLogger
    from torch.utils.data import DataLoader, TensorDataset

    from loops import LOSSES, Pair

    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    rows = {split: torch.from_numpy(x) for split, x in case.scaled().items()}
    rates = _rates(case)
    loss_of = LOSSES[MODEL_TYPE]

    class Usual(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            sizes = [case.n_features, *case.case.widths]
            self.pair = Pair(sizes, case.case.code, MODEL_TYPE, case.case.activation)

        def training_step(self, batch: Any, index: int) -> Any:
            loss = loss_of(self.pair, batch[0])
            self.log("train_loss", loss)
            return loss

        def validation_step(self, batch: Any, index: int) -> None:
            self.log("val_loss", loss_of(self.pair, batch[0]))

        def configure_optimizers(self) -> Any:
            optimizer = torch.optim.AdamW(self.parameters(), lr=1.0, weight_decay=0.0)
            falling = torch.optim.lr_scheduler.LambdaLR(
                optimizer, lambda step: rates[min(step, len(rates) - 1)]
            )
            return [optimizer], [{"scheduler": falling, "interval": "step"}]

    def loader(split: str, *, shuffle: bool) -> Any:
        return DataLoader(TensorDataset(rows[split]), batch_size=case.case.batch, shuffle=shuffle)

    def recipe() -> Trained:
        with Timer() as timer:
            torch.manual_seed(1)
            module = Usual()
            trainer = pl.Trainer(
                max_epochs=case.case.epochs,
                default_root_dir=case.folder,
                logger=CSVLogger(case.folder),
                enable_progress_bar=False,
                enable_model_summary=False,
            )
            trainer.fit(module, loader("train", shuffle=True), loader("validation", shuffle=False))
        with torch.no_grad():
            difference = module.pair(rows["test"]) - rows["test"]
            error = float(difference.square().sum(-1).mean())
        return Trained(timer.seconds, timer.cpu_seconds, error)

    return recipe


def _rates(case: PreparedCase) -> list[float]:
    """The learning rate of each step: a warm-up over a twentieth of them, then a cosine to 0."""
    steps = case.case.epochs * math.ceil(case.train_rows / case.case.batch)
    rising = WARMUP * steps
    rates = []
    for step in range(steps):
        if step < rising:
            share = (step + 1) / (rising + 1)
        else:
            share = 0.5 * (1 + math.cos(math.pi * (step - rising) / (steps - rising)))
        rates.append(PEAK * share)
    return rates


@contextmanager
def peer(case: PreparedCase, library: str) -> Iterator[Recipe]:
    """Yields a library's training, in a process of .venv-peers that waits for each turn."""
    path = case.folder / "rows.npz"
    if not path.exists():
        rows: dict[str, Any] = case.scaled()
        np.savez(path, **rows)
    command = _peer_command(case, library, path)
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "KERAS_BACKEND": "jax",
            "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
        },
    ) as process:

        def turn() -> Trained:
            assert process.stdin
            assert process.stdout
            process.stdin.write("\n")
            process.stdin.flush()
            answer = process.stdout.readline()
            if not answer:
                sys.exit(f"{library} failed: {shlex.join(command)}")
            return Trained(**json.loads(answer))

        yield turn
        process.terminate()


def _peer_command(case: PreparedCase, library: str, rows: Path) -> list[str]:
    """The command that trains a library's network each time that it reads a line."""
    settings = {
        "widths": case.case.widths,
        "code": case.case.code,
        "activation": case.case.activation,
        "batch": case.case.batch,
        "epochs": case.case.epochs,
        "learning_rate": PEERS_RATE,
        "rows": str(rows),
    }
    script = ROOT / "benchmarks/fit_peers.py"
    return [str(PEERS_PYTHON), str(script), library, json.dumps(settings)]
