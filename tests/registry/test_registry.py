"""The registry: aliases, ledger and rollback on real versions of small, untrained models."""

import json

import pytest
import torch

from autoencoders.core.errors import UserError
from autoencoders.evaluation.catalogue import VALIDATION_SQUARED_ERROR
from autoencoders.evaluation.ranking import beats_pca
from autoencoders.evaluation.row import Estimate, Row, TrainedNetwork
from autoencoders.models import build
from autoencoders.models.trained.model import ModelDescription, TrainedModel
from autoencoders.models.trained.saved import save
from autoencoders.params.params import load_params
from autoencoders.registry.promotion import candidate, may_promote, types_in_order
from autoencoders.registry.registry import Registry
from autoencoders.tracking.runs import Runs

ROW = Row(
    "undercomplete",
    "reconstruct",
    "split",
    5,
    TrainedNetwork(8, 8.0, 100, "bce", epochs=2, best_epoch=1, active_code_units=8),
    {
        "test_squared_error": Estimate(1.0, (0.9, 1.1)),
        "pca_test_squared_error": Estimate(1.0),
    },
)


@pytest.fixture
def registry(tracked_root, description):
    return Registry(Runs(description).client, "digits")


@pytest.fixture
def add(registry, tracked_root, description):
    """Registers an undercomplete model with random weights of a seed."""
    runs, params = Runs(description), load_params()

    def added(seed: int) -> str:
        torch.manual_seed(seed)
        architecture = params.plan("undercomplete", description.facts).architecture
        model_description = ModelDescription(
            model_type="undercomplete",
            architecture=architecture,
            type_values={},
            params={"kind": "undercomplete"},
            data="digits",
            schema=description.schema,
            split_sha256="a" * 64,
            fingerprint=f"f{seed}",
            epochs=1,
            best_epoch=1,
        )
        autoencoder = build("undercomplete", architecture, {})
        model = TrainedModel(model_description, autoencoder, torch.zeros(64), torch.ones(64))
        folder = tracked_root / f"{seed}" / "undercomplete"
        save(model, [{"val/reconstruction_loss": 1.0}], folder)
        run_id = runs.trained(folder)
        return registry.add(folder, run_id, ROW, {"data": "digits"}, 0.05)

    return added


def test_an_identical_model_is_not_registered_twice(registry, add):
    assert add(1) == add(1)
    assert add(2) != add(1)
    assert len(registry.versions()) == 2


def test_the_page_of_a_logged_model_names_its_version(registry, add):
    version = registry.client.get_model_version(registry.name, add(1))
    logged = registry.client.get_logged_model(version.source.removeprefix("models:/"))
    assert logged.experiment_id == registry.client.get_run(version.run_id).info.experiment_id
    assert logged.source_run_id == version.run_id
    assert json.loads(logged.tags["mlflow.modelVersions"]) == [
        {"name": registry.name, "version": version.version}
    ]


def test_rollback_undoes_promotions_one_by_one_and_the_ledger_keeps_every_decision(registry, add):
    first, second, third = add(1), add(2), add(3)
    for version in (first, second, third):
        registry.promote_by_hand(version, "a test")
    assert registry.champion() == third
    assert registry.rollback().after == second
    assert registry.rollback().after == first
    assert registry.rollback().after is None
    assert registry.champion() is None
    with pytest.raises(UserError, match="no promotion to roll back"):
        registry.rollback()
    assert [decision.action for decision in registry.history()] == ["promoted"] * 3 + [
        "rolled_back"
    ] * 3
    registry.promote_by_hand(second, "again")
    assert registry.rollback().after is None


def test_a_champion_that_was_deleted_can_not_come_back(registry, add):
    first, second = add(1), add(2)
    for version in (first, second):
        registry.promote_by_hand(version, "a test")
    registry.client.delete_model_version(registry.name, first)
    with pytest.raises(UserError, match=f"version {first}, the champion before, was deleted"):
        registry.rollback()
    assert registry.champion() == second


def test_a_kept_version_is_the_challenger_until_it_is_promoted(registry, add):
    first, second = add(1), add(2)
    registry.promote_by_hand(first, "a test")
    registry.keep(second, "not better")
    assert (registry.champion(), registry.challenger()) == (first, second)
    registry.promote_by_hand(second, "by hand")
    assert (registry.champion(), registry.challenger()) == (second, None)
    with pytest.raises(UserError, match=r"no version 7; there are 1, 2"):
        registry.promote_by_hand("7", "by hand")


RANKED = [  # model, code size, error and explained variance on validation
    ("sparse", 4, 2.0, 0.91),
    ("variational", 8, 1.0, 0.95),
    ("denoising", 2, 3.0, 0.89),
    ("pca", 1, 0.5, 0.99),
]


def ranked_row(model: str, code_size: int, error: float, variance: float, pca: float = 1e9) -> Row:
    """A leaderboard row with what models are ranked by. pca: PCA's error."""
    network = TrainedNetwork(
        code_size, 2.0, 100, "mse", epochs=3, best_epoch=2, active_code_units=1
    )
    estimates = {
        "validation_squared_error": Estimate(error),
        "validation_explained_variance": Estimate(variance),
        "pca_validation_squared_error": Estimate(pca),
    }
    return Row(model, "reconstruct", "split", 80, network, estimates)


@pytest.mark.parametrize(
    ("objective", "explained_variance", "best"),
    [
        ("smallest_error", 0.9, "variational"),
        ("smallest_code", 0.9, "sparse"),
        ("smallest_code", 0.99, "variational"),
    ],
)
def test_the_winner_is_the_best_on_validation_as_the_objective_ranks_it_and_no_baseline_wins(
    objective, explained_variance, best
):
    rows = [ranked_row(*values) for values in RANKED]
    params = load_params().override(
        {"tune.objective": objective, "tune.explained_variance": explained_variance}
    )
    assert types_in_order(rows, params).rows[0].model == best
    assert candidate(types_in_order(rows, params), params) == best


def test_the_champion_beats_pca_and_where_none_does_there_is_one_only_if_asked_for():
    rows = [ranked_row(*values, pca=0.9 * values[2]) for values in RANKED]
    params = load_params()
    assert candidate(types_in_order(rows, params), params) is None
    asked = params.override({"registry.promote": True})
    assert (
        candidate(types_in_order(rows, asked), asked) == types_in_order(rows, asked).rows[0].model
    )
    first, *others = types_in_order(rows, params).rows
    beaten = first.value(VALIDATION_SQUARED_ERROR) * 0.9
    rest = [ranked_row(row.model, 4, row.value(VALIDATION_SQUARED_ERROR), 0.95) for row in others]
    mixed = [ranked_row(first.model, 1, beaten / 0.9, 0.95, pca=beaten), *rest]
    assert candidate(types_in_order(mixed, params), params) in {row.model for row in rest}


def test_an_error_level_with_pcas_within_rounding_does_not_beat_it():
    assert beats_pca(ranked_row("sparse", 4, 1.0, 0.9, pca=1.001))
    assert not beats_pca(ranked_row("sparse", 4, 1.0, 0.9, pca=1.0 + 1e-6))
    assert not beats_pca(ranked_row("sparse", 4, 0.0, 1.0, pca=0.0))


@pytest.mark.parametrize(
    ("promote", "experiment", "allowed"),
    [("auto", None, True), ("auto", "x", False), (True, "x", True), (False, None, False)],
)
def test_an_experiment_promotes_only_where_the_parameter_says_so(
    monkeypatch, promote, experiment, allowed
):
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    if experiment:
        monkeypatch.setenv("DVC_EXP_NAME", experiment)
    assert may_promote(load_params().override({"registry.promote": promote})) is allowed
