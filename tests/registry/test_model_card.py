"""The card of a version says how the data was read."""

from dataclasses import replace

import pytest

from autoencoders.evaluation.row import Estimate
from autoencoders.models.trained.model import TrainedModel
from autoencoders.registry.model_card import NOTE_LENGTH, model_card
from workshop import Workshop

MORE = "more notes stand in report.json, in MLflow"


@pytest.fixture
def model(table_models: dict[str, TrainedModel]) -> TrainedModel:
    return table_models["undercomplete"]


def test_the_notes_on_the_data_stand_in_the_card(workshop: Workshop, model: TrainedModel):
    row = workshop.row("undercomplete")
    card = model_card("autoencoder-a", row, model, {"data": "a"}, ["left out: x", "filled: y"])
    assert "## How the data was read\n\n- left out: x\n- filled: y\n\n## Origin\n" in card
    without = model_card("autoencoder-a", row, model, {"data": "a"}, [])
    assert "How the data was read" not in without
    assert card.replace("## How the data was read\n\n- left out: x\n- filled: y\n\n", "") == without


def lines_of_metrics(card: str) -> list[str]:
    """The first cells of the card's table."""
    _, _, after = card.partition("|---|---|---|\n")
    return [line.split(" | ")[0].removeprefix("| ") for line in after.splitlines() if "|" in line]


def test_the_goal_and_the_error_against_pca_stand_in_the_card(
    workshop: Workshop, model: TrainedModel
):
    row = workshop.row("undercomplete")
    worse = {**row.estimates, "test_squared_error": Estimate(1.5, (1.4, 1.6))}
    card = model_card("autoencoder-a", replace(row, estimates=worse), model, {}, [])
    assert "\n\nGoal: reconstruct: it is to rebuild rows well, better than PCA" in card
    assert "| error against PCA | +50.0 % | |" in card  # PCA's is 1
    assert "score" not in card


def test_where_anomalies_are_to_be_found_the_card_leads_with_how_they_are(
    workshop: Workshop, model: TrainedModel
):
    row = workshop.row("undercomplete")
    found = {
        "anomaly_auroc": Estimate(0.9, (0.8, 1.0)),
        "anomaly_average_precision": Estimate(0.5, (0.4, 0.6)),
    }
    row = replace(row, goal="anomaly", estimates={**row.estimates, **found})
    card = model_card("autoencoder-a", row, model, {}, [])
    assert "\n\nGoal: anomaly: it is to find unusual rows" in card
    assert 'model.predict(rows, params={"op": "score"})' in card
    assert lines_of_metrics(card)[:3] == [*found, "test_squared_error"]


def test_of_many_notes_the_card_has_the_first_ones(workshop: Workshop, model: TrainedModel):
    notes = [f"{i}: {'a' * 95}" for i in range(500)]
    card = model_card("autoencoder-a", workshop.row("undercomplete"), model, {}, notes)
    lines = [line for line in card.splitlines() if line.startswith("- ")]
    assert lines[:-1] == [f"- {note}" for note in notes[: len(lines) - 1]]
    assert lines[-1] == f"- {500 - len(lines) + 1} {MORE}"
    assert 0 < NOTE_LENGTH - sum(map(len, notes[: len(lines) - 1])) < 100


def test_a_registered_version_has_the_notes_of_its_data(workshop: Workshop):
    folder = workshop.folder / "model/variational"
    run_id = workshop.runs.trained(folder)
    registry = workshop.registry
    row = workshop.row("variational")
    version = registry.add(folder, run_id, row, workshop.runs.lineage(), 0.05, ["left out: x"])
    description = registry.client.get_model_version(registry.name, version).description
    assert "- left out: x\n" in str(description)
