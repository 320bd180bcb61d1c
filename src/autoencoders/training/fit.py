"""The training of one model: from parameters and prepared rows to a trained model and its learning curves."""

import logging
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch

from autoencoders.core.process import is_first
from autoencoders.data.prepared.prepared import Prepared
from autoencoders.models import build
from autoencoders.models.trained.model import ModelDescription, TrainedModel, as_tensor
from autoencoders.params.plan import Plan
from autoencoders.params.sections import FixedTrain
from autoencoders.training.batches import RowsModule
from autoencoders.training.callbacks import History, LogEpoch
from autoencoders.training.machine import use_threads
from autoencoders.training.module import TrainingModule
from autoencoders.training.resume import ResumePoint

CALIBRATION_ROWS = 10_000  # behind the variance of errors and the p-values
LEFT_OUT = (
    "logger",
    "enable_checkpointing",
    "enable_progress_bar",
    "enable_model_summary",
)  # of Lightning's own work


class Fitted(NamedTuple):
    """What `fit` gives."""

    model: TrainedModel
    history: list[dict[str, float]]  # one mapping an epoch


def fit(
    plan: Plan,
    data: Prepared,
    *,
    log: LogEpoch | None = None,
    fingerprint: str = "",
    resume: ResumePoint | None = None,
    callbacks: Sequence[pl.Callback] = (),
    trial: bool = False,
) -> Fitted:
    """Trains by a plan and gives the model with its best weights, and its learning curves.

    log: called with each epoch's number, from 1, and its means. resume: holds the checkpoint that a killed training
    goes on from, with the same result as an uninterrupted one. callbacks: more to do around epochs. trial: takes one
    device, and its model is not made ready to score. Of several devices, the processes of all but the first end in
    here. Raises DivergedError and what the callbacks and `log` raise.
    """
    source = data.description
    train = plan.train
    if trial:
        train = train.model_copy(update={"devices": 1, "num_nodes": 1})
    description = ModelDescription(
        kind=plan.model_type,
        architecture=plan.architecture,
        own=plan.type_values,
        params=plan.flat(),
        data=source.name,
        schema=source.schema,
        split_sha256=source.split_sha256,
        fingerprint=fingerprint,
    )
    torch.manual_seed(plan.seed)
    autoencoder = build(plan.model_type, plan.architecture, plan.type_values)
    model = TrainedModel(description, autoencoder, as_tensor(data.shift), as_tensor(data.scale))
    n_rows = len(data.rows["train"])
    module = TrainingModule(model, train, plan.seed, n_rows, resume, binarise=source.binarise)
    description.params["train.precision"] = module.precision
    history = History(train.patience, log if log is not None and is_first() else lambda *_: None)
    rows = RowsModule(data, module.chunk, module.shuffling)
    start = resume.start if resume else None
    widest = max((plan.architecture.n_features, *plan.architecture.widths))
    with use_threads(train, widest), warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message=".*LeafSpec"
        )  # Lightning's own use of torch, not the user's to mend
        trainer = _trainer(
            train, [history, *(callbacks if is_first() else []), *([resume] if resume else [])]
        )
        trainer.fit(module, rows, ckpt_path=start, weights_only=True)
    if not is_first():
        raise SystemExit(0)  # the first device's process has the same weights, and saves them
    model.autoencoder.load_state_dict(history.weights)
    model.autoencoder.progress = 1.0
    model.description = replace(description, epochs=len(history.epochs), best_epoch=history.best)
    model.eval()
    if not trial:
        model.calibrate(
            data.sample("train", CALIBRATION_ROWS), data.clean("validation", CALIBRATION_ROWS)
        )
    return Fitted(model, history.epochs)


def _trainer(train: FixedTrain, callbacks: list[pl.Callback]) -> pl.Trainer:
    """Lightning's loop alone; who logs and saves is our own."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    # no inference mode: the contractive penalty needs gradients in validation too
    without: Any = dict.fromkeys((*LEFT_OUT, "num_sanity_val_steps", "inference_mode"), False)
    where: Any = train.model_dump(include={"devices", "num_nodes", "strategy"})
    trainer = pl.Trainer(
        max_epochs=train.epochs, callbacks=callbacks, deterministic=True, **where, **without
    )
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # 3 % of a training
    return trainer
