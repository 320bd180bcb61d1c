"""A trained model with fences: networks see clipped rows, scores take rows in full."""

from pathlib import Path

import numpy as np
import pytest
import torch

from autoencoders.data.prepared.prepared import Prepared
from autoencoders.data.prepared.schema import LARGEST
from autoencoders.models import AUTOENCODERS
from autoencoders.models.trained.model import TrainedModel
from autoencoders.models.trained.saved import FENCES, load, save
from autoencoders.models.trained.scores import DEGREES_OF_FREEDOM
from autoencoders.params.params import Params
from autoencoders.training.fit import fit
from trainings import QUICK

every_type = pytest.mark.parametrize("model_type", AUTOENCODERS)


@pytest.fixture(scope="module")
def models(params: Params, table: Prepared) -> dict[str, TrainedModel]:
    """Shortly trained models of a table, of every type."""
    quick = params.override({**QUICK, "network.code_size": 2, "data.name": "table"})
    facts = table.description.facts
    return {
        model_type: fit(quick.plan(model_type, facts), table).model for model_type in AUTOENCODERS
    }


@pytest.fixture(scope="module")
def rows(table: Prepared) -> np.ndarray:
    """Raw test rows, all between the fences."""
    return table.sample("test")


def place(table: Prepared) -> int:
    """The place of a number among the features."""
    return table.description.schema.features.index("length")


def far(rows: np.ndarray, column: int, value: float) -> np.ndarray:
    """The rows with another value in a column."""
    changed = rows.copy()
    changed[:, column] = value
    return changed


@every_type
def test_between_the_fences_they_change_nothing(model_type, models, rows):
    model = models[model_type]
    fences = model.fences
    assert fences is not None
    with_fences = (model.encode(rows), model.reconstruct(rows), *model.score(rows)[:2])
    model.fences = None
    try:
        without = (model.encode(rows), model.reconstruct(rows), *model.score(rows)[:2])
    finally:
        model.fences = fences
    for value, expected in zip(with_fences, without, strict=True):
        np.testing.assert_array_equal(value, expected)


@every_type
@pytest.mark.parametrize("value", [-9999.0, 65535.0, 1e12])
def test_codes_and_reconstructions_are_those_of_the_clipped_row(
    model_type, value, models, rows, table
):
    model = models[model_type]
    column = place(table)
    end = table.fences.maximum if value > 0 else table.fences.minimum
    clipped = far(rows, column, end[column])
    row = far(rows, column, value)
    np.testing.assert_array_equal(model.encode(row), model.encode(clipped))
    np.testing.assert_array_equal(model.reconstruct(row), model.reconstruct(clipped))


@every_type
def test_the_score_takes_the_whole_distance_in_that_feature_alone(model_type, models, rows, table):
    model = models[model_type]
    column = place(table)
    clipped = model.score(far(rows, column, table.fences.minimum[column]))
    scored = model.score(far(rows, column, -9999.0))
    others = np.delete(np.arange(rows.shape[1]), column)
    np.testing.assert_array_equal(scored.contributions[:, others], clipped.contributions[:, others])
    distance = (9999 + table.shift[column]) / table.scale[column]
    variance = model.variance[column].item()
    nu = DEGREES_OF_FREEDOM
    expected = (nu + 1) / 2 * np.log1p(distance**2 / (nu * variance))
    np.testing.assert_allclose(scored.contributions[:, column], expected, rtol=0.01)
    assert (scored.p_value == scored.p_value.min()).all()
    assert (scored.contributions.argmax(1) == column).all()


@every_type
def test_scores_are_finite_and_rise_up_to_the_largest_number(model_type, models, rows, table):
    model = models[model_type]
    column = place(table)
    for sign in (-1, 1):
        scores = []
        for value in (1e3, 1e4, 1e6, 1e9, 1e12, LARGEST):
            scores.append(model.score(far(rows, column, sign * value)).score)
        assert np.isfinite(scores).all()
        assert (np.diff(scores, axis=0) >= 0).all()
    everywhere = far(
        far(rows, column, LARGEST), table.description.schema.features.index("width"), -LARGEST
    )
    assert np.isfinite(model.score(everywhere).score).all()


def test_scores_are_finite_where_scale_and_variance_are_small(models, rows, table):
    model = models["undercomplete"]
    small = TrainedModel(
        model.description, model.autoencoder, model.shift, model.scale * 1e-3, model.fences
    )
    small.variance = torch.full_like(model.variance, 1e-8)
    small.calibration = model.calibration
    score = small.score(far(rows, place(table), LARGEST)).score
    assert np.isfinite(score).all()


@every_type
def test_a_saved_model_alone_answers_so(model_type, models, rows, table, tmp_path: Path):
    model = models[model_type]
    save(model, [{"train/reconstruction_loss": 1.0}], tmp_path / "model")
    loaded = load(tmp_path / "model")
    row = far(rows, place(table), -9999.0)
    np.testing.assert_array_equal(loaded.score(row).score, model.score(row).score)
    np.testing.assert_array_equal(loaded.reconstruct(row), model.reconstruct(row))


def test_a_model_without_fences_is_saved_and_loaded_without(untrained, tmp_path: Path):
    model = untrained["undercomplete"]
    save(model, [{"train/reconstruction_loss": 1.0}], tmp_path / "model")
    assert FENCES not in model.state_dict()
    assert load(tmp_path / "model").fences is None
