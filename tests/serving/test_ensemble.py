"""An ensemble: the models' mean scores; codes and reconstructions of the first."""

from pathlib import Path

import numpy as np
import pytest

from autoencoders.data.prepared.prepared import load_prepared
from autoencoders.models.trained.model import TrainedModel
from autoencoders.serving.ensemble import Ensemble
from autoencoders.serving.inference import OPERATIONS, answer
from autoencoders.serving.served import trained_model

NAMES = ("sparse", "undercomplete", "variational")


@pytest.fixture(scope="module")
def images(digits: Path) -> np.ndarray:
    """Raw test rows."""
    return load_prepared(digits).rows["test"].read(0, 20)


@pytest.fixture
def models(untrained: dict[str, TrainedModel]) -> list[TrainedModel]:
    return [untrained[name] for name in NAMES]


def test_an_ensemble_scores_by_the_mean_of_its_models(models, images):
    scores = Ensemble(models).score(images)
    each = [model.score(images) for model in models]
    expected = sum(one.score for one in each) / len(models)
    np.testing.assert_allclose(scores.score, expected, rtol=1e-6)
    p_value = sum(one.p_value for one in each) / len(models)
    np.testing.assert_allclose(scores.p_value, np.minimum(1, 2 * p_value), rtol=1e-6)


def test_an_ensemble_answers_score_by_its_models_mean(models, images):
    table = answer(Ensemble(models), "score", images)
    expected = Ensemble(models).score(images)
    np.testing.assert_array_equal(table["score"], expected.score)
    np.testing.assert_array_equal(table["p_value"], expected.p_value)


@pytest.mark.parametrize("op", OPERATIONS)
def test_an_ensemble_of_one_model_answers_as_that_model_does(op, untrained, images):
    model = untrained["variational"]
    rows = model.encode(images) if op == "decode" else images
    result = answer(Ensemble([model]), op, rows)
    np.testing.assert_array_equal(np.asarray(result), np.asarray(answer(model, op, rows)))


def test_what_is_no_score_is_the_first_models_answer(models, images):
    ensemble = Ensemble(models)
    assert ensemble.description == models[0].description
    np.testing.assert_array_equal(ensemble.encode(images), models[0].encode(images))
    np.testing.assert_array_equal(ensemble.reconstruct(images), models[0].reconstruct(images))


def test_behind_an_ensemble_of_ensembles_stands_a_trained_model(models):
    assert trained_model(models[1]) is models[1]
    assert trained_model(Ensemble([Ensemble(models), models[2]])) is models[0]
