"""Outputs of a study: the right trial is taken, the same trials give the same bytes."""

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState, create_trial

from autoencoders.core.errors import UserError
from autoencoders.core.paths import TRIALS, TUNED_VALUES
from autoencoders.params.params import Params
from autoencoders.params.sections import Tune
from autoencoders.tuning.outputs import (
    ENOUGH_FOR_IMPORTANCES,
    RESULTS,
    summary,
    table,
    write_study,
)
from autoencoders.tuning.trials import (
    REASON,
    RESULT,
    RETRIES,
    UNTUNED,
    WORKER,
    best_trial,
    finished,
)
from repository import yaml

SHARE = 0.9  # the share of the variance that a code has to keep
SPACE: dict[str, BaseDistribution] = {
    "network.code_size": IntDistribution(2, 32),
    "network.activation": CategoricalDistribution(["silu", "relu"]),
    "train.learning_rate": FloatDistribution(1e-3, 1e-1, log=True),
}


@pytest.fixture
def tune(params: Params) -> Callable[[str], Tune]:
    """The settings for an objective."""
    return lambda objective: (
        params.override({"tune.objective": objective, "tune.explained_variance": SHARE}).tune
    )


def values(code_size: int) -> dict[str, Any]:
    """A trial's values, different ones for each code size."""
    activation = ["silu", "relu"][code_size % 2]
    return {
        "network.code_size": code_size,
        "network.activation": activation,
        "train.learning_rate": code_size / 1e3,
    }


def complete(
    code_size: int, error: float, kept: float, objective: str = "smallest_code", **attributes: Any
) -> FrozenTrial:
    result = {
        "squared_error": error,
        "explained_variance": kept,
        "code_size": code_size,
        "epochs": 3,
    }
    return create_trial(
        values=[error, code_size] if objective == "smallest_code" else [error],
        params=values(code_size),
        distributions=SPACE,
        user_attrs={RESULT: result, WORKER: ["here", 1, 2.0], **attributes},
    )


def ended(state: TrialState, *, epochs: int = 0, **attributes: Any) -> FrozenTrial:
    """A trial that was pruned or failed."""
    reports = {epoch: 1.0 / epoch for epoch in range(1, epochs + 1)}
    return create_trial(
        state=state,
        params=values(9),
        distributions=SPACE,
        user_attrs=attributes,
        intermediate_values=reports,
    )


FAILED: dict[str, Any] = {REASON: 'DivergedError: it said "no", twice\nand again'}


def study(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The trials as a study numbers and dates them."""
    made = optuna.create_study(
        directions=["minimize"] * max(len(trial.values or [0.0]) for trial in trials)
    )
    made.add_trials(trials)
    return made.trials


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


# the trial that is taken


@pytest.mark.parametrize(
    ("trials", "best"),
    [
        (
            [(8, 1.0, 0.95), (4, 2.0, 0.91), (3, 3.0, 0.89)],
            1,
        ),  # the smallest of those that keep enough
        ([(8, 1.0, 0.95), (4, 2.0, SHARE)], 1),  # just enough is enough
        ([(4, 2.0, 0.91), (4, 1.5, 0.93), (4, 1.7, 0.99)], 1),  # of equal codes the least error
        ([(2, 3.0, 0.5), (8, 1.0, 0.89), (4, 2.0, 0.7)], 1),  # none keeps enough: the least error
        ([(4, 1.0, 0.95), (4, 1.0, 0.95)], 0),  # of equal ones the first
    ],
)
def test_smallest_code_takes_the_smallest_code_that_keeps_the_variance_and_else_the_least_error(
    tune, trials, best
):
    made = study([complete(*trial) for trial in trials])
    assert best_trial(made, tune("smallest_code")).number == best


def test_smallest_error_takes_the_least_error_whatever_the_code_and_the_variance(tune):
    made = study(
        [complete(4, 2.0, 0.95, "smallest_error"), complete(8, 1.0, 0.5, "smallest_error")]
    )
    assert best_trial(made, tune("smallest_error")).number == 1


def test_only_complete_trials_are_taken(tune):
    made = study(
        [
            ended(TrialState.PRUNED, epochs=2),
            ended(TrialState.FAIL, **FAILED),
            complete(8, 5.0, 0.1),
        ]
    )
    assert best_trial(made, tune("smallest_code")).number == 2


def test_without_a_complete_trial_the_reasons_are_told_and_the_folder_stays(tune, tmp_path):
    made = study(
        [
            ended(TrialState.FAIL, reason="it diverged"),
            ended(TrialState.PRUNED),
            ended(TrialState.PRUNED),
        ]
    )
    (tmp_path / "sparse").mkdir()
    (tmp_path / "sparse" / "old").touch()
    with pytest.raises(
        UserError, match=r"^none of 3 trials is complete: it diverged; pruned; raise tune.n_trials"
    ):
        write_study(tmp_path / "sparse", "s", made, tune("smallest_error"))
    assert list(contents(tmp_path)) == ["sparse/old"]


# the table


def test_the_table_has_a_line_a_trial_with_state_values_results_and_reason():
    trials = [
        complete(4, 2.0, 0.95),
        ended(TrialState.FAIL, epochs=2, **FAILED),
        ended(TrialState.PRUNED, epochs=1),
    ]
    rows = list(csv.DictReader(io.StringIO(table(study(trials)))))
    assert list(rows[0]) == ["trial", "state", *RESULTS, *SPACE, "reason"]
    assert [row["trial"] for row in rows] == ["0", "1", "2"]
    assert [row["state"] for row in rows] == ["complete", "fail", "pruned"]
    assert [row["epochs"] for row in rows] == ["3", "2", "1"]
    assert [row["reason"] for row in rows] == ["", FAILED[REASON], ""]
    assert rows[0] == rows[0] | {
        name: str(value) for name, value in trials[0].user_attrs[RESULT].items()
    }
    for row, trial in zip(rows, trials, strict=True):
        assert row == row | {name: str(value) for name, value in trial.params.items()}


def test_the_table_tells_neither_time_nor_worker_nor_how_often_a_trial_was_begun():
    trials = [complete(4, 2.0, 0.95), complete(5, 1.0, 0.97), ended(TrialState.FAIL, **FAILED)]
    retried = complete(5, 1.0, 0.97, "smallest_code", **{WORKER: ["elsewhere", 3, 4.0]})
    retried.system_attrs = {RETRIES: [1]}
    killed = create_trial(state=TrialState.FAIL, params=values(5), distributions=SPACE)
    made = optuna.create_study(directions=["minimize"] * 2)
    made.add_trials([trials[0], killed, killed, retried, trials[2]])
    assert [trial.number for trial in finished(made, 3)] == [0, 3, 4]
    assert table(finished(made, 3)) == table(study(trials))


def test_lines_end_the_same_on_every_machine():
    assert "\r" not in table(study([complete(4, 2.0, 0.95)]))


# the files

MANY = [(4, 2.0, 0.91), (8, 1.0, 0.95), (3, 3.0, 0.89), (16, 0.5, 0.98), (9, 0.9, 0.96)]


def many(objective: str) -> list[FrozenTrial]:
    return study(
        [
            *(
                complete(*trial, objective)
                for trial in (MANY * ENOUGH_FOR_IMPORTANCES)[:ENOUGH_FOR_IMPORTANCES]
            ),
            ended(TrialState.FAIL, **FAILED),
        ]
    )


@pytest.mark.parametrize("objective", ["smallest_code", "smallest_error"])
def test_the_same_trials_write_the_same_bytes(tune, tmp_path, objective):
    for name in ("first", "again"):
        write_study(tmp_path / name, "digits-sparse-12345678", many(objective), tune(objective))
    assert contents(tmp_path / "first") == contents(tmp_path / "again")


@pytest.mark.parametrize("objective", ["smallest_code", "smallest_error"])
def test_values_table_and_figures_are_written_and_nothing_is_left_of_before(
    tune, tmp_path, objective
):
    (tmp_path / "sparse" / "figures").mkdir(parents=True)
    (tmp_path / "sparse" / "figures" / "old.png").touch()
    made = many(objective)
    best = write_study(tmp_path / "sparse", "s", made, tune(objective))
    written = contents(tmp_path / "sparse")
    pictures = [
        "history",
        "importances",
        "slice",
        *(["pareto"] if objective == "smallest_code" else []),
    ]
    assert set(written) == {TUNED_VALUES, TRIALS, *(f"figures/{name}.png" for name in pictures)}
    assert all(
        content.startswith(b"\x89PNG") for name, content in written.items() if name.endswith(".png")
    )
    assert best == best_trial(made, tune(objective))
    assert yaml.load(written[TUNED_VALUES].decode()) == best.params
    assert written[TRIALS].decode() == table(made)


def test_the_pareto_front_shows_the_trial_that_is_taken_and_names_it(tune, tmp_path, monkeypatch):
    drawn: dict[str, Axes] = {}
    save = Figure.savefig

    def saved(figure: Figure, path: Path, **settings: Any) -> None:
        drawn[path.stem] = figure.gca()
        save(figure, path, **settings)

    monkeypatch.setattr(Figure, "savefig", saved)
    best = write_study(tmp_path / "sparse", "s", many("smallest_code"), tune("smallest_code"))
    axes = drawn["pareto"]
    (taken,) = [points for points in axes.collections if points.get_label() == "taken"]
    assert np.asarray(taken.get_offsets()).tolist() == [best.values]
    legend = axes.get_legend()
    assert legend is not None
    assert "taken" in [text.get_text() for text in legend.get_texts()]


def test_no_figure_stays_open(tune, tmp_path):
    before = plt.get_fignums()
    write_study(tmp_path / "sparse", "s", many("smallest_code"), tune("smallest_code"))
    assert plt.get_fignums() == before


@pytest.mark.filterwarnings("ignore:Attempting to set identical")
@pytest.mark.parametrize("objective", ["smallest_code", "smallest_error"])
def test_one_complete_trial_is_enough(tune, tmp_path, objective):
    made = study([ended(TrialState.FAIL, **FAILED), complete(4, 2.0, 0.95, objective)])
    best = write_study(tmp_path / "sparse", "s", made, tune(objective))
    assert best.number == 1
    pictures = {name for name in contents(tmp_path / "sparse") if name.endswith(".png")}
    assert pictures - {"figures/pareto.png"} == {
        "figures/history.png",
        "figures/slice.png",
    }  # no importances of so few


def test_trials_that_share_a_value_are_drawn_without_a_warning(tune, tmp_path):
    write_study(
        tmp_path / "sparse", "s", study([complete(4, 2.0, 0.95)] * 2), tune("smallest_code")
    )


@pytest.mark.parametrize("n_trials", [1, 3])
def test_a_study_of_a_type_that_no_line_of_the_space_concerns_is_written_too(
    tune, tmp_path, n_trials
):
    result = {"squared_error": 2.0, "explained_variance": 0.95, "code_size": 4, "epochs": 3}
    made = study([create_trial(values=[2.0, 4], user_attrs={RESULT: result})] * n_trials)
    write_study(tmp_path / "sparse", "s", made, tune("smallest_code"))
    assert contents(tmp_path / "sparse")[TUNED_VALUES] == b"{}\n"


# what is told


def test_the_summary_compares_with_the_untuned_parameters(tune):
    untuned = complete(8, 2.0, 0.95, "smallest_code", **{UNTUNED: True})
    made = study(
        [
            untuned,
            complete(4, 3.0, 0.91),
            ended(TrialState.FAIL, **FAILED),
            ended(TrialState.PRUNED),
        ]
    )
    first, second = summary(made, made[1], tune("smallest_code")).splitlines()
    assert first.startswith(
        "taken: trial 1 of 4 (1 pruned, 1 failed): code size 4 keeps 91.0%, squared error 3.0000"
    )
    assert first.endswith("the smallest code that keeps 90% of the variance")
    assert (
        second == "untuned: code size 8 keeps 95.0%, squared error 2.0000; "
        f"tuning changes the error by {3 / 2 - 1:+.1%}"
    )


def test_the_summary_says_where_the_share_is_missed_or_nothing_compares(tune):
    made = study([ended(TrialState.FAIL, **{UNTUNED: True}, **FAILED), complete(4, 3.0, 0.5)])
    first, second = summary(made, made[1], tune("smallest_code")).splitlines()
    assert first.endswith("none keeps 90% of the variance: the least error")
    assert second.startswith("untuned: outside of tune.space or failed")
    assert "variance" not in summary(made, made[1], tune("smallest_error")).splitlines()[0]
