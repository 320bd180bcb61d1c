"""Sparse codes: the three penalties against their formulas, and that they make codes sparse."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from autoencoders.models.jacobian import linear_layers
from autoencoders.models.types.sparse import Sparse
from autoencoders.params.architecture import Architecture
from gradients import gradient_of

FEATURES, CODE = 10, 6
X = torch.rand(9, FEATURES, generator=torch.Generator().manual_seed(0))
NOISE = torch.Generator()  # which no penalty draws from


def sparse(
    *, code_activation: str = "identity", code_size: int = CODE, **type_values: Any
) -> Sparse:
    torch.manual_seed(0)
    shape = Architecture(FEATURES, code_size, (8,), "silu", code_activation, "mse")
    return Sparse(shape, **{"penalty": "l1", "weight": 0.1, "sparsity": 0.2, "k": 2, **type_values})


def identity(code_size: int) -> Sparse:
    """A model whose code is its input."""
    shape = Architecture(code_size, code_size, (), "silu", "identity", "mse")
    model = Sparse(shape, penalty="l1", weight=0.1, sparsity=0.2, k=2)
    with torch.no_grad():
        (layer,) = linear_layers(model.encoder)
        layer.weight.copy_(torch.eye(code_size))
        layer.bias.zero_()
    return model


def trained(model: Sparse, steps: int = 150) -> Tensor:
    """Codes after a short training on data of rank 3."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(64, 3, generator=generator) @ torch.randn(3, FEATURES, generator=generator)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(steps):
        loss = model.loss(x, NOISE)
        optimizer.zero_grad()
        (loss.reconstruction + model.penalty_weight(1.0) * loss.penalty).backward()
        optimizer.step()
    return model.encode(x).detach()


# penalties


@pytest.mark.parametrize("sparsity", [0.05, 0.2, 0.7])
def test_the_kl_penalty_is_the_divergence_of_each_units_mean_activation_from_the_target(sparsity):
    model = sparse(penalty="kl", sparsity=sparsity, code_activation="sigmoid")
    means = [sum(unit) / len(X) for unit in zip(*model.encode(X).tolist(), strict=True)]
    expected = sum(
        sparsity * math.log(sparsity / mean)
        + (1 - sparsity) * math.log((1 - sparsity) / (1 - mean))
        for mean in means
    )
    assert model.loss(X, NOISE).penalty.item() == pytest.approx(expected, rel=1e-4)


def test_the_kl_penalty_is_zero_where_every_unit_is_active_as_often_as_it_should():
    model = sparse(penalty="kl", sparsity=0.3, code_activation="sigmoid")
    with torch.no_grad():
        layer = linear_layers(model.encoder)[-1]
        layer.weight.zero_()
        layer.bias.fill_(math.log(0.3 / 0.7))
    assert model.loss(X, NOISE).penalty.item() == pytest.approx(0, abs=1e-6)


def test_the_l1_penalty_is_the_mean_over_rows_of_the_summed_absolute_code():
    model = sparse(penalty="l1")
    expected = sum(abs(value) for row in model.encode(X).tolist() for value in row) / len(X)
    assert model.loss(X, NOISE).penalty.item() == pytest.approx(expected)


def test_the_top_k_rule_has_no_penalty():
    assert sparse(penalty="top_k").loss(X, NOISE).penalty.item() == 0


@pytest.mark.parametrize("weight", [0.0, 0.3])
def test_the_penaltys_weight_is_constant(weight):
    assert [sparse(weight=weight).penalty_weight(progress) for progress in (0.0, 0.5, 1.0)] == [
        weight
    ] * 3


# the top-k rule


@pytest.mark.parametrize("k", range(1, CODE + 1))
def test_top_k_leaves_exactly_k_values_a_row_and_those_are_the_largest(k):
    full = sparse(penalty="l1").encode(X)
    kept = sparse(penalty="top_k", k=k).encode(X)
    assert ((kept != 0).sum(-1) == k).all()
    for row, kept_row in zip(full.tolist(), kept.tolist(), strict=True):
        threshold = sorted(row, reverse=True)[k - 1]
        assert kept_row == [value if value >= threshold else 0.0 for value in row]


def test_top_k_prefers_a_small_positive_value_to_a_large_negative_one():
    model = identity(3)
    model.penalty, model.k = "top_k", 1
    assert model.encode(torch.tensor([[-5.0, 0.5, 0.1]])).tolist() == [[0.0, 0.5, 0.0]]


def test_equal_values_are_not_kept_beyond_k():
    model = identity(4)
    model.penalty, model.k = "top_k", 2
    assert model.encode(torch.ones(3, 4)).sum(-1).tolist() == [2.0, 2.0, 2.0]


def test_top_k_passes_gradients_to_the_kept_units_alone():
    model = identity(4)
    model.penalty, model.k = "top_k", 2
    x = torch.tensor([[1.0, 4.0, 3.0, 2.0]], requires_grad=True)
    model.encode(x).sum().backward()
    assert gradient_of(x).tolist() == [[0.0, 1.0, 1.0, 0.0]]


# behaviour


def test_a_larger_l1_weight_makes_smaller_codes():
    sizes = [
        trained(sparse(penalty="l1", weight=weight)).abs().mean().item()
        for weight in (0.0, 0.1, 1.0)
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < sizes[0] / 2


@pytest.mark.parametrize("sparsity", [0.1, 0.9])
def test_a_larger_kl_weight_brings_mean_activations_nearer_to_the_target(sparsity):
    def distance(weight: float) -> float:
        model = sparse(penalty="kl", weight=weight, sparsity=sparsity, code_activation="sigmoid")
        return (trained(model).mean(0) - sparsity).abs().mean().item()

    distances = [distance(weight) for weight in (0.0, 1.0, 100.0)]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < distances[0] / 4


# diagnostics


@pytest.mark.parametrize(
    ("code", "active"),
    [
        ([1.0, 0.5, 0.05, 0.0], 2),
        ([-1.0, 0.5, 0.2, -0.05], 3),
        ([1.0, 0.0, 0.0, 0.0], 1),
        ([3.0, 3.0, 3.0, 3.0], 4),
        ([0.0, 0.0, 0.0, 0.0], 0),
    ],
)
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_a_unit_is_active_above_a_tenth_of_the_rows_largest_size_whatever_the_scale(
    code, active, scale
):
    result = identity(4).diagnostics(
        scale * torch.tensor([code, [1.0, 1.0, 1.0, 0.0]]), NOISE, n_samples=1
    )
    assert result["mean_active_units"].tolist() == [active, 3]


@pytest.mark.parametrize("k", [1, 3, CODE])
def test_top_k_has_at_most_k_active_units(k):
    active = sparse(penalty="top_k", k=k).diagnostics(X, NOISE, n_samples=1)["mean_active_units"]
    assert (active <= k).all()
    assert (active >= 1).all()


# schedules and encodings


def test_k_falls_from_the_code_size_over_the_first_share_of_the_training():
    model, active = sparse(penalty="top_k", k=2, anneal=0.5), []
    for progress in (0.0, 0.25, 0.5, 1.0):
        active.append(int((model.encode(X, progress) != 0).sum(-1).max()))
    assert active == [6, 4, 2, 2]
    assert [model.settled(progress) for progress in (0.0, 0.49, 0.5, 1.0)] == [
        False,
        False,
        True,
        True,
    ]


def test_a_trained_model_has_its_last_k_without_a_schedules_help():
    assert (sparse(penalty="top_k", k=2, anneal=0.9).encode(X) != 0).sum(-1).tolist() == [2] * len(
        X
    )


def test_the_codes_that_users_get_may_keep_more_units_than_the_decoders():
    hard, more = (
        sparse(penalty="top_k", k=2, encoding=name, encoding_k=4) for name in ("same", "top_k")
    )
    activations = more.code_activation(more.encoder(X))
    fourth = activations.sort(-1, descending=True).values[:, 3:4]
    assert torch.equal(more.features(X), activations.where(activations >= fourth, 0.0))
    assert (more.features(X) != 0).sum(-1).tolist() == [4] * len(X)
    assert torch.equal(more.encode(X), hard.encode(X))


def test_a_soft_threshold_shrinks_every_unit_and_leaves_the_decoders_codes_alone():
    hard, soft = (
        sparse(penalty="top_k", k=2, encoding=name, threshold=0.1)
        for name in ("same", "soft_threshold")
    )
    activations = soft.code_activation(soft.encoder(X))
    torch.testing.assert_close(soft.features(X), (activations - 0.1).clamp_min(0))
    assert torch.equal(hard.features(X), hard.encode(X))
    assert torch.equal(soft.encode(X), hard.encode(X))
    assert torch.equal(soft(X), hard(X))
