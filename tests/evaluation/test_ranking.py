"""The order of the trained types: by validation error, by validation AUROC, or by public sets."""

import pytest

from autoencoders.evaluation.ranking import earns, ranking
from autoencoders.evaluation.row import Estimate, LinearNetwork, Row, TrainedNetwork
from autoencoders.params.defaults import ANOMALY_TYPES, anomaly_place
from autoencoders.params.params import Params
from autoencoders.params.types import Models


def row(model: str, goal: str, code_size: int = 4, **values: float) -> Row:
    """A trained type's row with values on validation, each 1 where none is given."""
    network = TrainedNetwork(code_size, 2.0, 9, "mse", epochs=3, best_epoch=2, active_code_units=1)
    defaults = {
        "validation_squared_error": 1.0,
        "validation_explained_variance": 0.5,
        "pca_validation_squared_error": 1.0,
    }
    estimates = {name: Estimate(value) for name, value in {**defaults, **values}.items()}
    return Row(model, goal, "split", 80, network, estimates)


def names(rows: list[Row]) -> list[str]:
    return [row.model for row in rows]


def test_types_that_reconstruct_are_ranked_by_the_error_on_validation(params: Params):
    errors = {"sparse": 3.0, "denoising": 1.0, "contractive": 2.0}
    rows = [row(name, "reconstruct", validation_squared_error=e) for name, e in errors.items()]
    baseline = Row("pca", "reconstruct", "split", 80, LinearNetwork(4, 9, 2.0), {})
    order = ranking([*rows, baseline], params.tune)
    assert names(order.rows) == ["denoising", "contractive", "sparse"]
    assert order.criterion == "by the error on validation"


def test_of_several_code_sizes_the_smallest_that_keeps_the_variance_comes_first(params: Params):
    tune = params.override({"tune.objective": "smallest_code", "tune.explained_variance": 0.9}).tune
    rows = [
        row("sparse", "reconstruct", 8, validation_explained_variance=0.95),
        row("denoising", "reconstruct", 4, validation_explained_variance=0.91),
        row("contractive", "reconstruct", 2, validation_explained_variance=0.89),
    ]
    order = ranking(rows, tune)
    assert names(order.rows) == ["denoising", "sparse", "contractive"]
    assert "the smallest code that keeps 90% of the variance" in order.criterion


def test_types_that_find_anomalies_are_ranked_by_the_auroc_on_validation(params: Params):
    aurocs = {"sparse": 0.7, "denoising": 0.9, "variational": 0.8}
    rows = [
        row(name, "anomaly", validation_anomaly_auroc=a, validation_squared_error=a)
        for name, a in aurocs.items()
    ]
    order = ranking(rows, params.tune)
    assert names(order.rows) == ["denoising", "variational", "sparse"]
    assert order.criterion == "by the anomaly AUROC on validation"


def test_without_labels_of_both_classes_the_order_is_that_of_public_sets(params: Params):
    rows = [row(name, "anomaly") for name in sorted(ANOMALY_TYPES)]
    order = ranking(rows, params.tune)
    assert names(order.rows) == list(ANOMALY_TYPES)
    assert order.criterion == "by the order of types on public tables"


def test_every_type_has_a_place_among_those_that_find_anomalies():
    assert set(ANOMALY_TYPES) == set(Models.model_fields)
    assert [anomaly_place(name) for name in ANOMALY_TYPES] == list(range(len(ANOMALY_TYPES)))
    assert anomaly_place("a sixth type") > anomaly_place(ANOMALY_TYPES[-1])


def test_of_equals_the_first_by_name_is_the_best(params: Params):
    rows = [row(name, "reconstruct") for name in ("sparse", "contractive", "denoising")]
    assert names(ranking(rows, params.tune).rows) == ["contractive", "denoising", "sparse"]


@pytest.mark.parametrize(("error", "earned"), [(0.99, True), (1.0, False), (1.5, False)])
def test_a_type_that_reconstructs_has_to_beat_pca_and_one_that_finds_anomalies_has_not(
    error, earned
):
    assert earns(row("sparse", "reconstruct", validation_squared_error=error)) is earned
    assert earns(row("sparse", "anomaly", validation_squared_error=error))
