"""A whole study, as a stage and a benchmark run it, with no run of MLflow above it."""

from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from optuna.storages import BaseStorage

from autoencoders.data.prepared.prepared import load_prepared
from autoencoders.params.params import Params
from autoencoders.tuning.acts import run_study
from autoencoders.tuning.findings import Findings
from autoencoders.tuning.full import FullTrainings
from autoencoders.tuning.study import open_study
from common import Unlogged

N_TRIALS = 2


@pytest.fixture
def run(journal: BaseStorage, digits: Path, params: Params) -> Callable[..., Findings]:
    """Runs a short study, or continues it, with other workers."""
    data = load_prepared(digits)
    values = {"train.epochs": 4, "tune.epochs": 2, "tune.n_trials": N_TRIALS}
    short = params.override({**values, "tune.pruner": "none", "tune.gain_seeds": 0})
    tune = short.study(data.description.facts)
    plan = short.plan("undercomplete", data.description.facts)
    unlogged: Any = Unlogged()

    def run(workers: Any = None) -> Findings:
        study = open_study(journal, plan, tune, data.description)
        trainings = FullTrainings(study, plan, data, lambda: None)
        return run_study(tune, trainings, unlogged, unlogged, unlogged, workers)

    return run


def test_a_study_runs_without_mlflow_and_a_second_run_repeats_its_findings(run, store_root, capsys):
    findings = run()
    assert len(findings.trials) == N_TRIALS
    assert findings.decision.taken in findings.decision.tried
    assert findings.gain is None
    assert not (store_root / "mlruns").exists()
    capsys.readouterr()
    again = run()
    assert f"goes on after {N_TRIALS} of {N_TRIALS} trials" in capsys.readouterr().out
    assert again.decision == findings.decision
    assert [trial.params for trial in again.trials] == [trial.params for trial in findings.trials]


def test_other_workers_join_after_the_first_trainings_and_leave_before_the_decision(run, capsys):
    printed = []

    @contextmanager
    def workers():
        printed.append(capsys.readouterr().out)
        yield
        printed.append(capsys.readouterr().out)

    findings = run(workers())
    before, meanwhile = printed
    assert "untuned values in full: " in before
    assert "trial 0 " not in before
    assert f"({N_TRIALS}/{N_TRIALS})" in meanwhile
    assert "in full" not in meanwhile
    after = capsys.readouterr().out
    numbers = {final.number for final in findings.decision.tried} - {None}
    assert all(f"values of trial {number} in full: " in after for number in numbers)
