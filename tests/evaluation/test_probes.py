"""Probes find the labels that a code holds, and none where it holds none."""

import math

import numpy as np
import pytest

from autoencoders.evaluation.probes import probe_errors

CLASSES = 10


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
        assert values.mean() == pytest.approx(chance, abs=4 * math.sqrt(chance * (1 - chance) / 1000))


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
    train, test = ((codes + 60 * rng.normal(size=codes.shape), labels) for codes, labels in (train, test))
    scale, shift = 2.0 ** rng.integers(-9, 10, CLASSES), rng.normal(size=CLASSES)
    first = probe_errors(train, test)
    assert 0 < first["linear_probe_error"].mean() < 0.9
    scaled = probe_errors(*((codes * scale + shift, labels) for codes, labels in (train, test)))
    for name, values in first.items():
        np.testing.assert_array_equal(values, scaled[name])
        np.testing.assert_array_equal(values, probe_errors(train, test)[name])


def test_a_code_unit_that_never_changes_is_no_trouble():
    (codes, labels), test = separable(200, 0), separable(100, 1)
    dead = [(np.hstack([c, np.full((len(c), 1), 5.0)]), y) for c, y in ((codes, labels), test)]
    for values in probe_errors(*dead).values():
        np.testing.assert_array_equal(values, np.zeros(100))
