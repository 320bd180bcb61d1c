"""The training of one model: from a plan and prepared rows to a trained model and its curves."""

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
SWITCHED_OFF = (
    "logger",
    "enable_checkpointing",
    "enable_progress_bar",
    "enable_model_summary",
    "num_sanity_val_steps",
    "inference_mode",  # the contractive penalty needs gradients in validation too
)


class Fitted(NamedTuple):
    """A trained model and its learning curves."""

    model: TrainedModel
    history: list[dict[str, float]]  # each epoch's means by name


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
    """Trains by a plan; returns the model with its best weights, and its learning curves.

    log: called with each epoch's number, from 1, and its means. resume: holds the checkpoint that a
    killed training goes on from, with the same result as an uninterrupted one. callbacks: further
    ones of Lightning. trial: uses one device, and the model is not calibrated to score. Of several
    devices, the processes of all but the first exit in here. Raises DivergedError and the errors
    of the callbacks and of `log`.
    """
    train = plan.train
    if trial:
        train = train.model_copy(update={"devices": 1, "num_nodes": 1})
    torch.manual_seed(plan.seed)
    model = _untrained(plan, data, fingerprint)
    n_rows = len(data.rows["train"])
    binarise = data.description.binarise
    module = TrainingModule(model, train, plan.seed, n_rows, resume, binarise=binarise)
    model.description.params["train.precision"] = module.precision
    rows = RowsModule(data, module.chunk, module.shuffling)
    history = History(train.patience, log if is_first() else None)
    every_callback: list[pl.Callback] = [history]
    if is_first():
        every_callback += callbacks
    if resume:
        every_callback.append(resume)
    checkpoint = resume.start if resume else None
    widest = max((plan.architecture.n_features, *plan.architecture.widths))
    with use_threads(train, widest), warnings.catch_warnings():
        # Lightning's use of torch, which no user can mend
        warnings.filterwarnings("ignore", message=".*LeafSpec")
        trainer = _trainer(train, every_callback)
        trainer.fit(module, rows, ckpt_path=checkpoint, weights_only=True)
    if not is_first():
        raise SystemExit(0)  # the first device's process has the same weights, and saves them
    model.autoencoder.load_state_dict(history.weights)
    model.description = replace(
        model.description, epochs=len(history.epochs), best_epoch=history.best
    )
    model.eval()
    if not trial:
        training = data.sample("train", CALIBRATION_ROWS)
        clean = data.clean("validation", CALIBRATION_ROWS)
        model.calibrate(training, clean)
    return Fitted(model, history.epochs)


def _untrained(plan: Plan, data: Prepared, fingerprint: str) -> TrainedModel:
    """The plan's model with initial weights, drawn from torch's global random stream."""
    description = ModelDescription(
        model_type=plan.model_type,
        architecture=plan.architecture,
        type_values=plan.type_values,
        params=plan.flat(),
        data=data.description.name,
        schema=data.description.schema,
        split_sha256=data.description.split_sha256,
        fingerprint=fingerprint,
    )
    autoencoder = build(plan.model_type, plan.architecture, plan.type_values)
    return TrainedModel(description, autoencoder, as_tensor(data.shift), as_tensor(data.scale))


def _trainer(train: FixedTrain, callbacks: list[pl.Callback]) -> pl.Trainer:
    """Lightning's loop alone: it neither logs nor saves."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    devices: Any = train.model_dump(include={"devices", "num_nodes", "strategy"})
    switched_off: Any = dict.fromkeys(SWITCHED_OFF, False)
    trainer = pl.Trainer(
        max_epochs=train.epochs, callbacks=callbacks, deterministic=True, **devices, **switched_off
    )
    # filling memory takes 3 % of a training; torch makes the module's class, which has this
    # property, at run time
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return trainer
