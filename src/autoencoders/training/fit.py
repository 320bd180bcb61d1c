"""The training of one model: from a plan and prepared rows to a trained model and its curves."""

import logging
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch

from autoencoders.core.process import is_first
from autoencoders.data.prepared.prepared import Prepared
from autoencoders.models import build
from autoencoders.models.pca import PrincipalComponents
from autoencoders.models.trained.fidelity import fidelity
from autoencoders.models.trained.model import ModelDescription, TrainedModel, as_tensor
from autoencoders.params.plan import Plan
from autoencoders.params.sections import FixedTrain
from autoencoders.training.batches import RowsModule
from autoencoders.training.callbacks import History, LogEpoch
from autoencoders.training.gain import is_gain
from autoencoders.training.machine import use_threads
from autoencoders.training.module import TrainingModule
from autoencoders.training.resume import ResumePoint

# rows at most behind the variance of errors and the p-values: these are then as fine as 0.0001
CALIBRATION_ROWS = 10_000
SWITCHED_OFF = (
    "logger",
    "enable_checkpointing",
    "enable_progress_bar",
    "enable_model_summary",
    "limit_val_batches",  # History validates
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
    train = _trial_train(plan.train) if trial else plan.train
    torch.manual_seed(plan.seed)
    model = _untrained(plan, data, fingerprint)
    module = _module(model, plan.seed, train, data, resume)
    rows = RowsModule(data, module.chunk, module.shuffling)
    history = History(train.patience, log if is_first() else None, rows)
    _run(train, module, rows, _callbacks(history, callbacks, resume), resume)
    _take_best(model, history, data, train.trim)
    if not trial:
        _calibrate(model, data)
    return Fitted(model, history.epochs)


def _trial_train(train: FixedTrain) -> FixedTrain:
    """A trial's training parameters: those of the plan, on one device of one machine."""
    return train.model_copy(update={"devices": 1, "num_nodes": 1})


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
    if plan.architecture.linear_path:
        pca = PrincipalComponents(map(data.scaled, data.rows["train"]))
        autoencoder.start_as_pca(pca.at(plan.architecture.code_size))
    fences = as_tensor(data.fences.stacked()) if data.fences else None
    return TrainedModel(
        description, autoencoder, as_tensor(data.shift), as_tensor(data.scale), fences
    )


def _module(
    model: TrainedModel,
    seed: int,
    train: FixedTrain,
    data: Prepared,
    resume: ResumePoint | None,
) -> TrainingModule:
    """Lightning's module of the model, which notes the precision that was chosen."""
    n_rows = len(data.rows["train"])
    binarise = data.description.binarise
    module = TrainingModule(model, train, seed, n_rows, resume, binarise=binarise)
    model.description.params["train.precision"] = module.precision
    return module


def _callbacks(
    history: History, others: Sequence[pl.Callback], resume: ResumePoint | None
) -> list[pl.Callback]:
    """The callbacks of this process: of several devices, only the first shows and logs."""
    callbacks: list[pl.Callback] = [history]
    if is_first():
        callbacks += others
    if resume:
        callbacks.append(resume)
    return callbacks


def _run(
    train: FixedTrain,
    module: TrainingModule,
    rows: RowsModule,
    callbacks: list[pl.Callback],
    resume: ResumePoint | None,
) -> None:
    """Trains the module's model, from its checkpoint on if there is one.

    Ends the processes of all devices but the first, which has the same weights and saves them.
    """
    checkpoint = resume.start if resume else None
    architecture = module.model.description.architecture
    widest = max((architecture.n_features, *architecture.widths))
    with use_threads(train, widest), warnings.catch_warnings():
        # Lightning's use of torch, which no user can mend
        warnings.filterwarnings("ignore", message=".*LeafSpec")
        warnings.filterwarnings("ignore", message="GPU available but not used")  # Apple's
        trainer = _trainer(train, callbacks)
        trainer.fit(module, rows, ckpt_path=checkpoint, weights_only=True)
    if not is_first():
        raise SystemExit(0)


def _trainer(train: FixedTrain, callbacks: list[pl.Callback]) -> pl.Trainer:
    """Lightning's loop alone: it neither logs nor saves."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    # Lightning would also choose Apple's GPU, which has no 64-bit numbers for the sums of an epoch
    accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    # cuDNN's convolutions would round to TF32's 10 bits, also where fp32 is asked for
    torch.backends.cudnn.allow_tf32 = False
    devices: Any = train.model_dump(include={"devices", "num_nodes", "strategy"})
    switched_off: Any = dict.fromkeys(SWITCHED_OFF, False)
    trainer = pl.Trainer(
        accelerator=accelerator,
        max_epochs=train.epochs,
        callbacks=callbacks,
        deterministic=True,
        **devices,
        **switched_off,
    )
    # filling memory takes 3 % of a training; torch makes the module's class, which has this
    # property, at run time
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return trainer


def _take_best(model: TrainedModel, history: History, data: Prepared, trim: float) -> None:
    """Gives the model its best epoch's weights, ready for inference.

    A start as PCA stays where no epoch is better by more than chance.
    """
    model.eval()
    best = history.best
    model.autoencoder.load_state_dict(history.weights)
    if history.start and best:
        errors = _validation_errors(model, data)
        model.autoencoder.load_state_dict(history.start)
        if is_gain(errors, _validation_errors(model, data), trim):
            model.autoencoder.load_state_dict(history.weights)
        else:
            best = 0
    model.description = replace(model.description, epochs=history.last, best_epoch=best)


def _validation_errors(model: TrainedModel, data: Prepared) -> np.ndarray:
    """The model's squared errors on validation rows, (rows,)."""
    errors, _ = fidelity(model.reconstruct, data, "validation")
    return errors


def _calibrate(model: TrainedModel, data: Prepared) -> None:
    """Prepares the model to score rows, which a trial's model never does."""
    training = data.sample("train", CALIBRATION_ROWS)
    clean = data.clean("validation", CALIBRATION_ROWS)
    model.calibrate(training, clean, data.clean_novel("validation", CALIBRATION_ROWS))
