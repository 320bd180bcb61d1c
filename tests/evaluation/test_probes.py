"""Probes find what codes hold; the linear one minimises its equation, by a chosen penalty."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize

from autoencoders.data.prepared.prepared import load_prepared
from autoencoders.evaluation.catalogue import PROBE_L2
from autoencoders.evaluation.leaderboard import Evaluation
from autoencoders.evaluation.probes import STRENGTHS, Labelled, Probes
from autoencoders.models.trained.model import TrainedModel
from autoencoders.params.params import Params
from autoencoders.params.sections import Evaluate

CLASSES = 10


def probe_errors(
    train: Labelled, test: Labelled, l2: float = 1.0, *, standardised: bool = True
) -> dict[str, np.ndarray]:
    return Probes(train, standardised=standardised).errors(test, l2)


def separable(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Codes in tight heaps, one a label, far from each other."""
    labels = np.arange(rows) % CLASSES
    heaps = 100 * np.eye(CLASSES)[labels]
    return heaps + np.random.default_rng(seed).normal(size=heaps.shape), labels


def test_labels_that_the_code_separates_are_all_found():
    errors = probe_errors(separable(200, 0), separable(100, 1))
    assert set(errors) == {"linear_probe_error", "knn_error"}
    for values in errors.values():
        np.testing.assert_array_equal(values, np.zeros(100))


def test_exactly_the_wrongly_labelled_rows_count_as_errors():
    codes, labels = separable(100, 1)
    labels[[3, 50, 99]] = (labels[[3, 50, 99]] + 1) % CLASSES
    for values in probe_errors(separable(200, 0), (codes, labels)).values():
        np.testing.assert_array_equal(np.flatnonzero(values), [3, 50, 99])


def test_labels_that_have_nothing_to_do_with_the_code_are_found_by_chance():
    rng = np.random.default_rng(0)
    train, test = ((rng.normal(size=(n, 4)), rng.integers(0, CLASSES, n)) for n in (500, 1000))
    chance = 1 - 1 / CLASSES
    for values in probe_errors(train, test).values():
        assert values.mean() == pytest.approx(
            chance, abs=4 * math.sqrt(chance * (1 - chance) / 1000)
        )


def test_a_ring_around_a_ring_is_hidden_from_the_linear_probe_and_not_from_the_neighbours():
    rng = np.random.default_rng(0)
    angle, labels = rng.uniform(0, 2 * np.pi, 600), np.arange(600) % 2
    codes = (1 + 2 * labels)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    errors = probe_errors((codes[:300], labels[:300]), (codes[300:], labels[300:]))
    assert errors["linear_probe_error"].mean() > 0.3
    assert errors["knn_error"].mean() < 0.02


def test_the_scale_of_a_code_unit_does_not_matter_and_the_probes_repeat():
    rng = np.random.default_rng(0)
    train, test = separable(200, 0), separable(100, 1)
    train, test = (
        (codes + 60 * rng.normal(size=codes.shape), labels) for codes, labels in (train, test)
    )
    scale, shift = 2.0 ** rng.integers(-9, 10, CLASSES), rng.normal(size=CLASSES)
    first = probe_errors(train, test)
    assert 0 < first["linear_probe_error"].mean() < 0.9
    scaled_train, scaled_test = ((codes * scale + shift, labels) for codes, labels in (train, test))
    scaled = probe_errors(scaled_train, scaled_test)
    for name, values in first.items():
        np.testing.assert_array_equal(values, scaled[name])
        np.testing.assert_array_equal(values, probe_errors(train, test)[name])


def test_a_code_unit_that_never_changes_is_no_trouble():
    train, test = (
        (np.hstack([codes, np.full((len(codes), 1), 5.0)]), labels)
        for codes, labels in (separable(200, 0), separable(100, 1))
    )
    for values in probe_errors(train, test).values():
        np.testing.assert_array_equal(values, np.zeros(100))


# --- the linear probe's L2 penalty


def noisy_classes(rows: int, seed: int, units: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Two overlapping classes that one of many code units tells apart.

    A weak penalty fits the others' noise.
    """
    labels, rng = np.arange(rows) % 2, np.random.default_rng(seed)
    return rng.normal(size=(rows, units)) + 1.5 * np.outer(labels, np.eye(units)[0]), labels


def test_the_linear_probe_is_the_minimum_of_its_equation():
    (codes, labels), l2 = noisy_classes(200, 0, units=3), 10.0
    z = (codes - codes.mean(0)) / codes.std(0)

    def objective(w: np.ndarray) -> float:
        return float(
            np.logaddexp(0, -(2 * labels - 1) * (z @ w[:-1] + w[-1])).sum()
            + l2 / 2 * (w[:-1] ** 2).sum()
        )

    w = minimize(objective, np.zeros(4)).x
    test, answers = noisy_classes(1000, 1, units=3)
    expected = ((test - codes.mean(0)) / codes.std(0) @ w[:-1] + w[-1] > 0) != answers
    errors = probe_errors((codes, labels), (test, answers), l2)["linear_probe_error"]
    assert (errors != expected).mean() < 0.005  # rows on the border


def test_the_best_strength_has_the_fewest_validation_errors_and_is_the_strongest_of_these():
    train, validation = noisy_classes(80, 0), noisy_classes(1000, 1)
    by_strength = {
        l2: probe_errors(train, validation, l2)["linear_probe_error"].sum() for l2 in STRENGTHS
    }
    fewest = min(by_strength.values())
    assert Probes(train, standardised=True).best_l2(validation) == max(
        l2 for l2, errors in by_strength.items() if errors == fewest
    )
    assert fewest < by_strength[1e-3]
    assert (
        Probes(separable(200, 0), standardised=True).best_l2(separable(100, 1)) == 1e3
    )  # all find everything


def test_codes_that_are_mostly_zero_are_told_apart_as_they_would_be_in_full(
    monkeypatch: pytest.MonkeyPatch,
):
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=600)
    active = rng.random((600, 40)) < 0.1 + 0.2 * (np.arange(40) % 3 == labels[:, None])
    codes = np.where(active, rng.uniform(1, 2, active.shape), 0.0)
    train, test = (codes[:300], labels[:300]), (codes[300:], labels[300:])
    sparse = probe_errors(train, test, standardised=False)
    monkeypatch.setattr("autoencoders.evaluation.probes.MOSTLY_ZERO", 0.0)
    full = probe_errors(train, test, standardised=False)
    assert 0 < sparse["linear_probe_error"].mean() < 0.5
    for name, errors in sparse.items():
        assert (errors != full[name]).mean() < 0.01, name  # rows on the border


def test_auto_takes_what_validation_says_and_never_looks_at_test_labels(
    params: Params, evaluate: Evaluate, untrained: dict[str, TrainedModel], digits: Path
):
    data, model = load_prepared(digits), untrained["undercomplete"]
    auto = params.override(
        {**{f"evaluate.{k}": v for k, v in evaluate}, "evaluate.probe_l2": "auto"}
    ).evaluate
    row = Evaluation(data, auto, "reconstruct").model_row(model).written()
    most = evaluate.probe_rows
    train = (
        model.encode(data.sample("train", most)),
        data.labels["train"][data.chosen("train", most)],
    )
    chosen = Probes(train, standardised=True).best_l2(
        (model.encode(data.sample("validation")), data.labels["validation"])
    )
    assert row["probe_l2"] == chosen
    test = model.encode(data.sample("test")), data.labels["test"]
    assert (
        row["test_linear_probe_error"]
        == probe_errors(train, test, chosen)["linear_probe_error"].mean()
    )

    shuffled = np.random.default_rng(0).permutation(data.labels["test"])
    relabelled = replace(data, labels={**data.labels, "test": shuffled})
    other = Evaluation(relabelled, auto, "reconstruct").model_row(model).written()
    assert other["probe_l2"] == chosen
    assert other["test_linear_probe_error"] > row["test_linear_probe_error"]
    assert (
        Evaluation(data, evaluate, "reconstruct").model_row(model).value(PROBE_L2)
        == evaluate.probe_l2
        == 1.0
    )


def test_probes_that_divide_all_units_by_one_number_see_their_proportions():
    codes = np.random.default_rng(0).normal(size=(300, 2)).astype(np.float32) * [1.0, 1e-3]
    labels = (codes[:, 1] > 0).astype(int)
    train, test = (codes[:200], labels[:200]), (codes[200:], labels[200:])
    errors = {
        each: probe_errors(train, test, standardised=each)["knn_error"].mean()
        for each in (True, False)
    }
    assert errors[True] < 0.1 < 0.3 < errors[False]
    for name, values in probe_errors(train, test, standardised=False).items():
        scaled = probe_errors(
            (codes[:200] * 50, labels[:200]), (codes[200:] * 50, labels[200:]), standardised=False
        )
        np.testing.assert_array_equal(values, scaled[name])


def test_probe_standardised_decides_how_a_models_codes_are_scaled_for_probes(
    params: Params, evaluate: Evaluate, untrained: dict[str, TrainedModel], digits: Path
):
    data, model = load_prepared(digits), untrained["undercomplete"]
    most = evaluate.probe_rows
    train_labels = data.labels["train"][data.chosen("train", most)]
    train = model.encode(data.sample("train", most)), train_labels
    test = model.encode(data.sample("test")), data.labels["test"]
    rows = []
    for standardised in (True, False):
        changed = evaluate.model_copy(update={"probe_standardised": standardised})
        row = Evaluation(data, changed, "reconstruct").model_row(model).written()
        errors = probe_errors(train, test, standardised=standardised)
        for name, values in errors.items():
            assert row[f"test_{name}"] == values.mean()
        rows.append(row)
    assert rows[0]["test_linear_probe_error"] != rows[1]["test_linear_probe_error"]
