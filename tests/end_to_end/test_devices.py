"""A training on two devices, which are CPU processes.

The losses of one device with the same batches, one run, one model.
"""

import csv
from pathlib import Path

import pytest

from repository import QUICK, Repository

pytestmark = pytest.mark.slow


def curves(repository: Repository, kind: str) -> list[list[float]]:
    with Path(repository.folder, "model", kind, "history.csv").open(encoding="utf-8") as file:
        return [[float(value) for value in row] for row in list(csv.reader(file))[1:]]


def test_two_devices_learn_what_one_does_and_write_one_run_and_one_model(tmp_path):
    repository = Repository(tmp_path, QUICK, ["undercomplete", "variational"])
    repository.repro("train")
    alone = {kind: curves(repository, kind) for kind in ("undercomplete", "variational")}
    repository.set({"train.devices": 2})
    told = repository.repro("train")
    assert "MEMBER: 2/2" in told  # there were two processes
    assert told.count(f"epoch 3/{QUICK['train.epochs']} variational") == 1
    found = curves(repository, "undercomplete")
    assert found == [pytest.approx(means, rel=1e-5) for means in alone["undercomplete"]]
    for ours, before in zip(curves(repository, "variational"), alone["variational"], strict=True):
        assert ours != before  # each device has its own noise
        assert ours[3] == pytest.approx(before[3], rel=0.1)  # the clean validation error
    client = repository.client()
    (experiment,) = [e for e in client.search_experiments() if e.name == "autoencoder-digits"]
    runs = client.search_runs([experiment.experiment_id], "tags.stage = 'train'")
    assert sorted(run.data.params["train.devices"] for run in runs) == ["1", "1", "2", "2"]
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert not [path for path in (tmp_path / ".checkpoints").iterdir() if path.is_dir()]
