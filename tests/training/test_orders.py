"""Trained models keep to the theory: PCA's subspace, sparser codes, flatter encoders."""

from typing import Any

import numpy as np
import torch
from scipy.linalg import subspace_angles

from autoencoders.data.prepared.prepared import Prepared
from autoencoders.models.jacobian import linear_layers
from autoencoders.models.pca import PrincipalComponents
from autoencoders.models.trained.fidelity import squared_error
from autoencoders.params.params import Params
from autoencoders.training.fit import fit

LINEAR = {
    "network.n_layers": 0,
    "network.loss": "mse",
    "network.code_size": 3,
    "train.weight_decay": 0.0,
    "train.learning_rate": 1e-2,
    "train.batch_size": 256,
    "train.epochs": 600,
    "train.patience": 0,
}
QUICK = {"train.epochs": 40, "network.nodes_per_layer": 32}


def test_a_linear_undercomplete_model_finds_pcas_subspace_and_error(params: Params, data: Prepared):
    model = fit(params.override(LINEAR).plan("undercomplete", data.description.facts), data).model
    x = data.scaled(data.sample("train"))
    pca = PrincipalComponents([x]).at(3)
    (layer,) = linear_layers(model.autoencoder.decoder)
    weights = layer.weight.detach().numpy()  # its columns span the reconstructions
    assert np.rad2deg(subspace_angles(weights, pca.components.T)).max() < 5
    error = squared_error(x, data.scaled(model.reconstruct(data.sample("train")))).mean()
    least = squared_error(x, pca.reconstruct(x)).mean()
    assert least <= error < 1.01 * least


def test_a_larger_penalty_makes_flatter_encoders(params: Params, data: Prepared):
    x, norms = torch.from_numpy(data.sample("test", 100)), []
    for weight in (0.0, 0.03, 1.0):
        values = {**QUICK, "models.contractive.weight": weight}
        model = fit(params.override(values).plan("contractive", data.description.facts), data).model
        norms.append(model.autoencoder.jacobian_norm(model.scaled(x)).mean().item())
    assert norms[0] > 1.2 * norms[1] > 1.2 * 1.2 * norms[2]


def test_sparse_codes_are_sparser_than_others(params: Params, data: Prepared):
    values: dict[str, Any] = {
        **QUICK,
        "network.code_size": 16,
        "models.sparse.sparsity": 0.05,
        "models.sparse.weight": 0.3,
    }
    values |= {
        f"models.{model_type}.network.code_activation": "sigmoid"
        for model_type in ("undercomplete", "sparse")
    }
    active = {}
    for model_type in ("undercomplete", "sparse"):
        active[model_type] = (
            fit(params.override(values).plan(model_type, data.description.facts), data)
            .model.encode(data.sample("test"))
            .mean()
        )
    assert 0.04 < active["sparse"] < 0.15 < 0.3 < active["undercomplete"]
