"""Outputs of a study: the same trials give the same bytes."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from optuna.trial import FrozenTrial, TrialState, create_trial

from autoencoders.core.paths import STUDY, TRIALS, TUNED_VALUES
from autoencoders.tuning.finals import Final
from autoencoders.tuning.findings import ENOUGH_FOR_IMPORTANCES
from autoencoders.tuning.outputs import RESULTS, table, write_study
from autoencoders.tuning.trials import REASON, RESULT, RETRIES, STOPPED, WORKER, finished
from repository import yaml
from study_parts import (
    DISTRIBUTIONS,
    TAKEN,
    UNTUNED,
    complete_trial,
    ended_trial,
    findings_of,
    numbered,
    result_of,
    values_of,
    with_space,
)

OBJECTIVES = ["smallest_code", "smallest_error"]
FAILED: dict[str, Any] = {REASON: 'DivergedError: it said "no", twice\nand again'}


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


# the table


def test_the_table_has_a_line_a_trial_with_state_values_results_and_reason():
    trials = [
        complete_trial(4, 2.0, 0.95),
        ended_trial(TrialState.FAIL, epochs=2, **FAILED),
        ended_trial(TrialState.PRUNED, epochs=1),
    ]
    rows = list(csv.DictReader(io.StringIO(table(numbered(trials)))))
    assert list(rows[0]) == ["trial", "state", *RESULTS, *DISTRIBUTIONS, "reason"]
    assert [row["trial"] for row in rows] == ["0", "1", "2"]
    assert [row["state"] for row in rows] == ["complete", "fail", "stopped"]
    assert [row["epochs"] for row in rows] == ["3", "2", "1"]
    assert [row["reason"] for row in rows] == ["", FAILED[REASON], ""]
    assert rows[0] == rows[0] | {
        name: str(value) for name, value in trials[0].user_attrs[RESULT].items()
    }
    for row, trial in zip(rows, trials, strict=True):
        assert row == row | {name: str(value) for name, value in trial.params.items()}


def test_the_table_tells_neither_time_nor_worker_nor_how_often_a_trial_was_begun():
    trials = [
        complete_trial(4, 2.0, 0.95),
        complete_trial(5, 1.0, 0.97),
        ended_trial(TrialState.FAIL, **FAILED),
    ]
    elsewhere: dict[str, Any] = {WORKER: ["elsewhere", 3, 4.0]}
    retried = complete_trial(5, 1.0, 0.97, **elsewhere)
    retried.system_attrs = {RETRIES: [1]}
    killed = create_trial(state=TrialState.FAIL, params=values_of(5), distributions=DISTRIBUTIONS)
    made = optuna.create_study()
    made.add_trials([trials[0], killed, killed, retried, trials[2]])
    assert [trial.number for trial in finished(made, 3)] == [0, 3, 4]
    assert table(finished(made, 3)) == table(numbered(trials))


def test_lines_end_the_same_on_every_machine():
    assert "\r" not in table(numbered([complete_trial(4, 2.0, 0.95)]))


# the files

MANY = [(4, 2.0, 0.91), (8, 1.0, 0.95), (3, 3.0, 0.89), (16, 0.5, 0.98), (9, 0.9, 0.96)]


def many(objective: str) -> list[FrozenTrial]:
    """Enough complete trials for importances, a failed one and one that was stopped."""
    repeated = (MANY * ENOUGH_FOR_IMPORTANCES)[:ENOUGH_FOR_IMPORTANCES]
    trials = [complete_trial(*trial, objective) for trial in repeated]
    stopped = create_trial(value=4.9, user_attrs={STOPPED: 1})
    return numbered([*trials, ended_trial(TrialState.FAIL, **FAILED), stopped])


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_same_findings_write_the_same_bytes(params, tmp_path, objective):
    for name in ("first", "again"):
        spaced = with_space(params, objective)
        write_study(tmp_path / name, findings_of(spaced, many(objective), TAKEN, UNTUNED))
    assert contents(tmp_path / "first") == contents(tmp_path / "again")


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_values_table_findings_and_figures_are_written_and_nothing_is_left_of_before(
    params, tmp_path, objective
):
    (tmp_path / "sparse" / "figures").mkdir(parents=True)
    (tmp_path / "sparse" / "figures" / "old.png").touch()
    findings = findings_of(with_space(params, objective), many(objective), TAKEN, UNTUNED)
    write_study(tmp_path / "sparse", findings)
    written = contents(tmp_path / "sparse")
    pictures = ["history", "importances", "slice"]
    if objective == "smallest_code":
        pictures.append("code_and_share")
    figures = [f"figures/{name}.png" for name in pictures]
    assert set(written) == {TUNED_VALUES, TRIALS, STUDY, *figures}
    assert all(written[name].startswith(b"\x89PNG") for name in figures)
    assert yaml.load(written[TUNED_VALUES].decode()) == TAKEN.values
    assert written[TRIALS].decode() == table(findings.trials)
    assert json.loads(written[STUDY]) == json.loads(json.dumps(findings.written()))


def test_where_the_untuned_values_are_taken_no_values_are_written(params, tmp_path):
    write_study(
        tmp_path / "sparse", findings_of(with_space(params), many("smallest_code"), UNTUNED)
    )
    assert contents(tmp_path / "sparse")[TUNED_VALUES] == b"{}\n"


def test_code_and_share_shows_trials_trainings_in_full_and_the_one_that_is_taken(
    params, tmp_path, monkeypatch
):
    drawn: dict[str, Axes] = {}
    save = Figure.savefig

    def saved(figure: Figure, path: Path, **settings: Any) -> None:
        drawn[path.stem] = figure.gca()
        save(figure, path, **settings)

    monkeypatch.setattr(Figure, "savefig", saved)
    best = Final(1, values_of(5), result_of(5, 0.89))
    trials = many("smallest_code")
    spaced = with_space(params)
    findings = findings_of(spaced, trials, TAKEN, UNTUNED, best, trial_kept=0.76)
    write_study(tmp_path / "sparse", findings)
    axes = drawn["code_and_share"]
    points = {group.get_label(): np.asarray(group.get_offsets()) for group in axes.collections}
    assert points.pop("taken").tolist() == [[6, 92.0]]
    ((label, of_trials),) = points.items()
    assert str(label).startswith("trials, ")
    assert {tuple(point) for point in of_trials} == {(size, 100 * kept) for size, _, kept in MANY}
    lines = {line.get_label(): np.asarray(line.get_xydata()).tolist() for line in axes.lines}
    assert lines.pop("untuned values, in full") == [[8, 88.0]]
    assert lines.pop("trial's values, in full") == [[5, 89.0], [6, 92.0]]
    shares = {label: {share for _, share in line} for label, line in lines.items()}
    asked = {"asked of a training: 90 %": {90.0}, "needed by a trial: 80 %": {80.0}}
    assert shares == asked


def test_no_figure_stays_open(params, tmp_path):
    before = plt.get_fignums()
    findings = findings_of(with_space(params), many("smallest_code"), TAKEN, UNTUNED)
    write_study(tmp_path / "sparse", findings)
    assert plt.get_fignums() == before


@pytest.mark.filterwarnings("ignore:Attempting to set identical")
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_one_complete_trial_is_enough(params, tmp_path, objective):
    failed = ended_trial(TrialState.FAIL, **FAILED)
    trials = numbered([failed, complete_trial(5, 2.0, 0.95, objective)])
    write_study(
        tmp_path / "sparse", findings_of(with_space(params, objective), trials, TAKEN, UNTUNED)
    )
    pictures = {name for name in contents(tmp_path / "sparse") if name.endswith(".png")}
    # no importances of so few
    assert pictures - {"figures/code_and_share.png"} == {"figures/history.png", "figures/slice.png"}


def test_trials_that_share_a_value_are_drawn_without_a_warning(params, tmp_path):
    trials = numbered([complete_trial(4, 2.0, 0.95)] * 2)
    write_study(tmp_path / "sparse", findings_of(with_space(params), trials, TAKEN, UNTUNED))


@pytest.mark.parametrize("n_trials", [1, 3])
def test_a_study_of_a_type_that_no_line_of_the_space_concerns_is_written_too(
    params, tmp_path, n_trials
):
    trials = numbered([complete_trial(8, 2.0, 0.95, values={})] * n_trials)
    write_study(tmp_path / "sparse", findings_of(with_space(params), trials, UNTUNED))
    assert contents(tmp_path / "sparse")[TUNED_VALUES] == b"{}\n"
