"""Diagnostics of a trained model on test rows: its type's own quality, and its Jacobian's norm."""

import math

import numpy as np
import torch

from autoencoders.data.prepared.prepared import Prepared
from autoencoders.evaluation import catalogue
from autoencoders.evaluation.metrics import Values
from autoencoders.evaluation.row import Estimate, Estimates
from autoencoders.models.trained.model import BATCH_ROWS, TrainedModel
from autoencoders.params.sections import Evaluate

JACOBIAN_ROWS = 1000  # test rows, a sample, whose Jacobians are computed: each costs a matrix


def type_values(model: TrainedModel, data: Prepared, params: Evaluate) -> Values:
    """The model's reconstruction loss and its type's diagnostics, one value a test row."""
    generator = torch.Generator().manual_seed(params.seed)
    parts: list[dict[str, np.ndarray]] = []
    for rows in torch.from_numpy(data.sample("test")).split(BATCH_ROWS):
        x = model.scaled(rows)
        with torch.no_grad():
            loss = model.autoencoder.reconstruction_loss(model.autoencoder.encode(x), x)
            diagnostics = model.autoencoder.diagnostics(x, generator, params.importance_samples)
        values = {"reconstruction_loss": loss, **diagnostics}
        parts.append({name: value.double().numpy() for name, value in values.items()})
    result = {}
    for name in parts[0]:
        if all(name in part for part in parts):
            result[name] = np.concatenate([part[name] for part in parts])
    return result


def jacobian_norm(model: TrainedModel, data: Prepared) -> Values:
    """The Jacobian's norm at JACOBIAN_ROWS rows at most; empty where it would take too long."""
    if not model.autoencoder.reports_jacobian:
        return {}
    x = model.scaled(torch.from_numpy(data.sample("test", JACOBIAN_ROWS)))
    return {"jacobian_norm": model.autoencoder.jacobian_norm(x).double().numpy()}


def scaled_jacobian_norm(model: TrainedModel, data: Prepared, jacobian: Values) -> Estimates:
    """The Jacobian's mean norm, divided by the norm of the code units' standard deviations.

    No rescaling of the whole code changes it. Empty where the code never changes. jacobian: of
    `jacobian_norm`.
    """
    if not jacobian:
        return {}
    codes = model.decoder_codes(data.sample("test"))
    spread = float(np.linalg.norm(codes.std(0)))
    if not spread:
        return {}
    norm = float(jacobian["jacobian_norm"].mean())
    return {catalogue.SCALED_JACOBIAN_NORM.key: Estimate(norm / spread)}


def nll_standard_error(estimates: Estimates, rows: int) -> Estimates:
    """The Monte-Carlo standard error of the mean NLL over the rows; empty without an NLL."""
    variance = estimates.get(catalogue.NLL_VARIANCE.key)
    if variance is None:
        return {}
    return {catalogue.NLL_STANDARD_ERROR.key: Estimate(math.sqrt(variance.value / rows))}
