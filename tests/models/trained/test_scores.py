"""Anomaly scores: closed forms, conformal p-values, and what they must not depend on."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from autoencoders.data.prepared.prepared import Prepared, load_prepared
from autoencoders.models import AUTOENCODERS, build
from autoencoders.models.trained import model as trained_model
from autoencoders.models.trained.model import TrainedModel
from autoencoders.models.trained.scores import (
    BEST_SHARE,
    DEGREES_OF_FREEDOM,
    ERROR_FLOOR,
    GROSS_ERROR,
    Scores,
    conformal_scores,
    mean_scores,
)
from autoencoders.params.architecture import Architecture
from autoencoders.serving.inference import answer

FEATURES = 3
DIRECTION = np.array([2.0, 1.0, 2.0], np.float32) / 3  # of the hand-made model's one code unit
SHIFT, SCALE = np.array([5.0, -1.0, 0.5], np.float32), np.array([2.0, 0.5, 4.0], np.float32)
every_type = pytest.mark.parametrize("model_type", AUTOENCODERS)


@pytest.fixture(scope="module")
def data(digits: Path) -> Prepared:
    return load_prepared(digits)


@pytest.fixture
def linear(untrained: dict[str, TrainedModel]) -> TrainedModel:
    """A projection onto one direction, in model scale."""
    architecture = Architecture(FEATURES, 1, (), "silu", "identity", "mse")
    autoencoder = build("undercomplete", architecture, {})
    weights = {"encoder.0.weight": DIRECTION[None], "decoder.0.weight": DIRECTION[:, None]}
    biases = {
        "encoder.0.bias": np.zeros(1, np.float32),
        "decoder.0.bias": np.zeros(FEATURES, np.float32),
    }
    autoencoder.load_state_dict(
        {name: torch.from_numpy(value) for name, value in {**weights, **biases}.items()}
    )
    description = replace(
        untrained["undercomplete"].description, architecture=architecture, type_values={}
    )
    return TrainedModel(
        description, autoencoder, torch.from_numpy(SHIFT), torch.from_numpy(SCALE)
    ).eval()


def raw_rows(n: int, seed: int, deviation: float = 1.0) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=(n, FEATURES)) * deviation
    return (x * SCALE + SHIFT).astype(np.float32)


def squared_errors(raw: np.ndarray) -> np.ndarray:
    """The hand-made model's, in model scale: what is not along its direction."""
    x, w = (raw.astype(np.float64) - SHIFT) / SCALE, DIRECTION.astype(np.float64)
    return (x - (x @ w)[:, None] * w) ** 2


def variance_by_definition(errors: np.ndarray) -> np.ndarray:
    """The mean squared error of the BEST_SHARE of rows that are rebuilt best.

    An error counts in units of the last estimate; the estimate is repeated once.
    """
    whole = errors.mean(0)
    floor = ERROR_FLOOR * np.minimum(errors, GROSS_ERROR).mean(0)
    variance = whole
    for _ in range(2):
        ranked = sorted(range(len(errors)), key=lambda i: (errors[i] / variance).sum())
        best = ranked[: int(np.ceil(BEST_SHARE * len(errors)))]
        variance = np.maximum(errors[best].mean(0), floor)
    return variance


# --- the variance of the errors


@pytest.mark.parametrize("n", [10, 99, 1000])
def test_the_variance_is_that_of_the_training_rows_that_are_rebuilt_best(linear, n):
    training = raw_rows(n, seed=1)
    linear.calibrate(training, raw_rows(5, seed=2))
    np.testing.assert_allclose(
        linear.variance, variance_by_definition(squared_errors(training)), rtol=1e-4
    )


def test_anomalies_among_the_training_rows_do_not_move_the_variance_above_that_of_the_others(
    linear,
):
    clean, far = raw_rows(850, seed=1), raw_rows(150, seed=2, deviation=10.0)
    both = np.concatenate([clean, far])
    linear.calibrate(both, clean)
    assert (linear.variance.numpy() < squared_errors(clean).mean(0)).all()
    assert (
        squared_errors(both).mean(0) > 10 * squared_errors(clean).mean(0)
    ).all()  # as it would be of all rows


def test_a_single_gross_value_does_not_decide_the_variance(linear):
    """By its size it would set the floor, which is a share of all rows' mean."""
    clean = raw_rows(1000, seed=1)
    linear.calibrate(clean, clean)
    before = linear.variance.clone()
    gross = (np.full((1, FEATURES), 1e6) * SCALE * [1, -1, 1] + SHIFT).astype(np.float32)
    linear.calibrate(np.concatenate([clean, gross]), clean)
    np.testing.assert_allclose(linear.variance, before, rtol=0.2)


def test_a_feature_that_is_always_rebuilt_has_a_small_variance_and_no_division_by_zero(linear):
    training = np.tile((DIRECTION * 2 * SCALE + SHIFT).astype(np.float32), (20, 1))
    linear.calibrate(training, training)
    assert (linear.variance > 0).all()
    assert np.isfinite(linear.score(training).score).all()


# --- the score


def surprises(squared: np.ndarray, variance: torch.Tensor) -> np.ndarray:
    """The nats by which Student's t lies below its largest density."""
    deviations = np.sqrt(squared / variance.numpy().astype(np.float64))
    density = stats.t(df=DEGREES_OF_FREEDOM).logpdf
    return density(0.0) - density(deviations)


def test_a_features_part_is_its_largest_surprise(linear):
    linear.calibrate(raw_rows(200, seed=1), raw_rows(50, seed=2))
    raw = raw_rows(400, seed=3, deviation=3.0)
    marginals = linear.marginals
    x = (raw.astype(np.float64) - SHIFT) / SCALE
    in_view_of_others = surprises(squared_errors(raw), linear.variance)
    by_distance = surprises((x - marginals.middle.numpy()) ** 2, marginals.variance)
    by_rarity = marginals.rarity(torch.from_numpy(x).float()).numpy()
    each = np.stack([in_view_of_others, by_distance, by_rarity])
    result = linear.score(raw)
    np.testing.assert_allclose(result.contributions, each.max(0), rtol=1e-3, atol=1e-4)
    assert set(each.argmax(0).ravel()) == {0, 1, 2}  # each of the three decides somewhere


@every_type
def test_contributions_add_up_to_the_score(model_type, untrained, data):
    result = untrained[model_type].score(data.sample("test", 100))
    np.testing.assert_allclose(result.contributions.sum(1), result.score, rtol=1e-5)
    assert (result.contributions >= 0).all()


@every_type
def test_without_marginals_the_score_is_what_it_was_before_them(model_type, untrained, data):
    """The errors' surprise and the divergence, in models that were written then."""
    model, raw = copy.copy(untrained[model_type]), data.sample("test", 100)
    model._modules = {**model._modules, "marginals": None}
    x = model.scaled(torch.from_numpy(raw))
    with torch.no_grad():
        codes = list(model.autoencoder.posterior_codes(x))
        decoded = torch.stack([model.autoencoder.decode(z) for z in codes])
        errors = (decoded - x).square().mean(0).double().numpy()
        divergence = model.autoencoder.divergence(x).numpy()
    result = model.score(raw)
    expected = surprises(errors, model.variance)
    np.testing.assert_allclose(result.contributions, expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(result.score, expected.sum(1) + divergence, rtol=1e-3)
    assert (divergence > 0).all() == (model_type == "variational")


@every_type
@pytest.mark.parametrize("size", [1, 7, 100])
def test_the_score_depends_neither_on_the_batch_nor_on_the_order_of_rows(
    model_type, size, untrained, data, monkeypatch
):
    model, raw = untrained[model_type], data.sample("test", 100)
    order = np.random.default_rng(0).permutation(len(raw))
    whole = model.score(raw)
    monkeypatch.setattr(trained_model, "BATCH_ROWS", size)
    parts = model.score(raw[order])
    np.testing.assert_allclose(parts.score, whole.score[order], rtol=1e-5)
    np.testing.assert_allclose(
        parts.contributions, whole.contributions[order], rtol=1e-4, atol=1e-5
    )


def test_the_variational_types_draws_of_a_row_are_the_same_in_any_batch(untrained, data):
    model = untrained["variational"]
    x = model.scaled(torch.from_numpy(data.sample("test", 20)))
    with torch.no_grad():
        together = torch.stack(list(model.autoencoder.posterior_codes(x)))
        alone = torch.cat(
            [torch.stack(list(model.autoencoder.posterior_codes(row[None]))) for row in x], 1
        )
    torch.testing.assert_close(together, alone)
    assert len(together.unique(dim=0)) == len(together) > 1


def test_draws_leave_the_global_random_stream_alone(untrained, data):
    before = torch.get_rng_state()
    untrained["variational"].score(data.sample("test", 5))
    assert torch.equal(torch.get_rng_state(), before)


# --- percentile and p-value


@every_type
def test_percentile_and_p_value_are_shares_of_the_clean_validation_rows(
    model_type, untrained, data
):
    model, clean = untrained[model_type], untrained[model_type].calibration.tolist()
    result = model.score(data.sample("test", 200))
    for score, percentile, p_value in zip(
        result.score.tolist(), result.percentile, result.p_value, strict=True
    ):
        assert percentile == pytest.approx(100 * sum(other < score for other in clean) / len(clean))
        assert p_value == pytest.approx(
            (1 + sum(other >= score for other in clean)) / (1 + len(clean))
        )
    assert len(clean) == model.description.calibration_rows == len(data.rows["validation"])


def test_the_clean_scores_are_those_of_the_clean_rows(linear):
    clean = raw_rows(50, seed=2)
    linear.calibrate(raw_rows(200, seed=1), clean)
    np.testing.assert_allclose(linear.calibration, np.sort(linear.score(clean).score), rtol=1e-6)


def test_the_smallest_p_value_is_one_over_one_more_than_the_clean_rows_and_the_largest_is_1(linear):
    linear.calibrate(raw_rows(200, seed=1), raw_rows(49, seed=2))
    result = linear.score(np.stack([SHIFT + 1e6 * SCALE * np.array([1, -1, 1], np.float32), SHIFT]))
    assert result.p_value.tolist() == [1 / 50, 1.0]
    assert result.percentile.tolist() == [100.0, 0.0]


def test_p_values_of_rows_like_the_clean_ones_are_uniform(linear):
    n, repeats = 19, 600
    linear.calibrate(raw_rows(200, seed=1), raw_rows(5, seed=2))
    p_values = []
    for repeat in range(
        repeats
    ):  # of each draw of clean rows one: those of the same draw hang together
        linear.calibrate(raw_rows(50, seed=10_000), raw_rows(n, seed=repeat))
        p_values.append(linear.score(raw_rows(1, seed=50_000 + repeat)).p_value[0])
    counts = np.bincount(np.rint(np.array(p_values) * (n + 1)).astype(int), minlength=n + 2)[1:]
    assert counts.sum() == repeats
    assert stats.chisquare(counts).pvalue > 0.01


def test_rows_that_are_all_the_same_have_the_largest_p_value(linear):
    same = np.tile(raw_rows(1, seed=1), (30, 1))
    linear.calibrate(raw_rows(200, seed=2), same)
    assert set(linear.score(same).p_value) == {1.0}


def test_a_score_is_compared_with_the_clean_scores():
    parts = np.array([[0.5, 0.25, 0.25], [3.0, 0.0, 1.0]])  # two features, and no feature's
    scores = conformal_scores(parts, None, 2.0, calibration=np.array([0.0, 1.0, 1.0, 2.0]))
    assert scores.score.tolist() == [1.0, 4.0]
    assert scores.contributions.tolist() == [[0.5, 0.25], [3.0, 0.0]]
    assert scores.percentile.tolist() == [25.0, 100.0]  # 1 and 4 of 4 are lower
    assert scores.p_value.tolist() == [(1 + 3) / (1 + 4), 1 / (1 + 4)]  # 3 and 0 are as high


def test_each_novel_value_adds_its_part():
    parts = np.array([[0.5, 0.5], [0.5, 0.5], [0.0, 0.0]])
    scores = conformal_scores(parts, np.array([0, 1, 2]), 2.0, calibration=np.array([1.0, 2.0]))
    assert scores.score.tolist() == [1.0, 3.0, 4.0]
    assert scores.p_value.tolist() == [1.0, 1 / 3, 1 / 3]
    assert scores.contributions.tolist() == [[0.5], [0.5], [0.0]]


def test_a_novel_value_weighs_as_much_as_the_most_unusual_clean_row(linear):
    clean = raw_rows(50, seed=2)
    linear.calibrate(raw_rows(200, seed=1), clean)
    largest = linear.score(clean).score.max()
    assert linear.description.novel_part == pytest.approx(largest)
    row = raw_rows(1, seed=3)
    without, once = linear.score(row), linear.score(row, np.array([1]))
    assert once.score[0] == pytest.approx(without.score[0] + largest)
    assert once.p_value[0] == 1 / 51


def test_clean_rows_with_a_novel_value_are_compared_as_such(linear):
    """Else the p-values of rows like these would not be uniform."""
    clean, n_novel = raw_rows(50, seed=2), np.arange(50) % 2
    linear.calibrate(raw_rows(200, seed=1), clean, n_novel)
    scores = linear.score(clean, n_novel)
    np.testing.assert_allclose(np.sort(scores.score), linear.calibration, rtol=1e-6)
    assert scores.p_value.max() == 1
    plain = linear.score(clean).score.max()
    assert linear.description.novel_part == pytest.approx(plain)


# --- several models


def test_an_ensembles_score_is_the_mean_and_its_p_value_twice_the_mean():
    """Vovk & Wang 2020: the mean of p-values alone would not be one."""
    result = [
        Scores(
            np.array([score]),
            np.full((1, 2), score),
            np.array([percentile]),
            np.array([p_value]),
            novel_part=score,
        )
        for score, percentile, p_value in ((2.0, 50.0, 0.1), (4.0, 90.0, 0.3))
    ]
    score, contributions, percentile, p_value, novel_part = mean_scores(result)
    assert (score[0], contributions.tolist(), percentile[0], p_value[0]) == (
        3.0,
        [[3.0, 3.0]],
        70.0,
        0.4,
    )
    assert novel_part == 3.0
    assert mean_scores([result[0], result[0]._replace(p_value=np.array([0.9]))]).p_value[0] == 1.0
    assert mean_scores(result[:1]) is result[0]


# --- one scaling


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_scaling_is_bit_for_bit_the_same_in_training_evaluation_and_serving(
    data, untrained, tmp_path, dtype
):
    rng = np.random.default_rng(0)
    shift, scale = (
        rng.normal(size=64).astype(np.float32),
        rng.uniform(0.1, 30, 64).astype(np.float32),
    )
    odd = replace(data, shift=shift, scale=scale)
    model = TrainedModel(
        untrained["undercomplete"].description,
        untrained["undercomplete"].autoencoder,
        torch.from_numpy(shift),
        torch.from_numpy(scale),
    )
    raw = data.rows["test"].read(0, 50).astype(dtype)
    training = model.scaled(torch.from_numpy(raw)).numpy()
    np.testing.assert_array_equal(odd.scaled(raw), training, strict=True)
    seen = []
    model.autoencoder.encoder.register_forward_pre_hook(
        lambda module, inputs: seen.append(inputs[0].numpy().copy())
    )
    try:
        answer(model, "encode", raw)
    finally:
        model.autoencoder.encoder._forward_pre_hooks.clear()
    np.testing.assert_array_equal(seen[0], training, strict=True)
