"""Studies in the report: what `tune` writes is read, and a broken file is refused by name."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, create_trial

from autoencoders.core.errors import DataError
from autoencoders.core.files import AGAIN, write_json
from autoencoders.core.paths import STUDY, TUNED
from autoencoders.data.prepared.prepared import load_description
from autoencoders.evaluation.studies import (
    CAPTIONS,
    IMPORTANCES,
    MAIN_FIGURES,
    FullTraining,
    load_studies,
)
from autoencoders.params.params import Params
from autoencoders.tuning.findings import ENOUGH_FOR_IMPORTANCES, Findings
from autoencoders.tuning.forecast import Forecast
from autoencoders.tuning.full import Result
from autoencoders.tuning.outputs import write_study
from autoencoders.tuning.trials import RESULT

UNTUNED: dict[str, Any] = {
    "trial": None,
    "code_size": 8,
    "squared_error": 2.0,
    "explained_variance": 0.84,
}
OF_TRIAL: dict[str, Any] = {
    "trial": 3,
    "code_size": 6,
    "squared_error": 1.5,
    "explained_variance": 0.86,
}
LARGER: dict[str, Any] = {
    "trial": 3,
    "code_size": 8,
    "squared_error": 1.0,
    "explained_variance": 0.88,
}
VALUES = {"network.code_size": 6, "train.learning_rate": 0.00123456}
SMALLEST_CODE: dict[str, Any] = {
    "objective": "smallest_code",
    "asked": 0.85,
    "taken": {**OF_TRIAL, "values": VALUES},
    "in_full": [LARGER, UNTUNED, OF_TRIAL],
    "importances": {},
    "summary": ["taken: values of trial 3", "models.sparse.sparsity 0.1 is the smallest"],
}
SMALLEST_ERROR = {**SMALLEST_CODE, "objective": "smallest_error"}
IMPORTANT = {"importances": {"network.code_size": 1.0}}


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The study.json of the sparse type, whose folder exists."""
    monkeypatch.chdir(tmp_path)
    path = TUNED / "sparse" / STUDY
    (path.parent / "figures").mkdir(parents=True)
    for name in CAPTIONS:
        (path.parent / f"figures/{name}.png").touch()
    return path


def without(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != name}


# what is read


def test_a_study_has_what_was_taken_and_the_trainings_in_full_by_code_size(path: Path):
    write_json(path, SMALLEST_CODE)
    (study,) = load_studies(["sparse"])
    assert study.model_type == "sparse"
    assert study.objective == "smallest_code"
    assert study.asked == 0.85
    assert study.taken == FullTraining(**OF_TRIAL)
    in_order = [OF_TRIAL, UNTUNED, LARGER]  # of equal codes the untuned one first
    assert study.in_full == [FullTraining(**values) for values in in_order]
    assert [training.title for training in study.in_full] == [
        "values of trial 3",
        "untuned values",
        "values of trial 3",
    ]


def test_findings_are_sentences_in_which_a_dotted_name_keeps_its_letters(path: Path):
    write_json(path, SMALLEST_CODE)
    (study,) = load_studies(["sparse"])
    assert study.sentences == [
        "Taken: values of trial 3.",
        "models.sparse.sparsity 0.1 is the smallest.",
    ]


def test_settings_are_the_values_that_are_taken_as_in_params_yaml(path: Path):
    write_json(path, SMALLEST_CODE)
    (study,) = load_studies(["sparse"])
    assert study.settings == ["network.code_size: 6", "train.learning_rate: 0.001235"]


@pytest.mark.parametrize(
    ("written", "figures"),
    [
        (SMALLEST_CODE, ["code_and_share"]),
        (SMALLEST_ERROR, ["history"]),
        (SMALLEST_CODE | IMPORTANT, ["code_and_share", "importances"]),
        (SMALLEST_ERROR | IMPORTANT, ["history", "importances"]),
    ],
)
def test_figures_are_those_of_the_objective_and_the_importances_where_there_are(
    path: Path, written: dict[str, Any], figures: list[str]
):
    write_json(path, written)
    (study,) = load_studies(["sparse"])
    assert study.figures == [path.parent / f"figures/{name}.png" for name in figures]


def test_a_type_without_a_study_is_left_out(path: Path):
    write_json(path, SMALLEST_CODE)
    write_json(TUNED / "variational" / STUDY, {})
    assert [study.model_type for study in load_studies(["variational", "sparse"])] == ["sparse"]


# what tune writes

SPACE: dict[str, BaseDistribution] = {
    "network.code_size": IntDistribution(2, 32),
    "train.learning_rate": FloatDistribution(1e-3, 1e-1, log=True),
}


def complete(number: int) -> FrozenTrial:
    """A complete trial, with other values and another result for each number."""
    values = {"network.code_size": 2 + number, "train.learning_rate": 0.001 * (1 + number)}
    kept = 0.5 + 0.01 * number
    result = {
        "code_size": 2 + number,
        "squared_error": 1 - kept,
        "explained_variance": kept,
        "epochs": 3,
    }
    return create_trial(
        value=1 - kept, params=values, distributions=SPACE, user_attrs={RESULT: result}
    )


@pytest.fixture
def findings(params: Params, digits: Path) -> Callable[[str, int], Findings]:
    """Findings by the objective and the number of trials; the untuned values are taken."""
    facts = load_description(digits).facts

    def made(objective: str, n_trials: int) -> Findings:
        changed = params.override({"tune.objective": objective})
        result = Result(8, 0.5, 0.9, 3, {}, {})
        untuned: Any = SimpleNamespace(number=None, values={}, result=result)
        first: Any = SimpleNamespace(untuned=result, forecast=Forecast())
        decision: Any = SimpleNamespace(taken=untuned, tried=[untuned])
        return Findings(
            name="digits-sparse-12345678",
            plan=changed.plan("sparse", facts),
            tune=changed.study(facts),
            trials=[complete(number) for number in range(n_trials)],
            first=first,
            decision=decision,
            gain=None,
        )

    return made


@pytest.mark.filterwarnings(  # of Optuna's drawings
    "ignore::optuna.exceptions.ExperimentalWarning"
)
@pytest.mark.parametrize("objective", MAIN_FIGURES)
@pytest.mark.parametrize("n_trials", [2, ENOUGH_FOR_IMPORTANCES])
def test_the_outputs_of_tune_are_read(
    findings: Callable[[str, int], Findings], path: Path, objective: str, n_trials: int
):
    written = findings(objective, n_trials)
    write_study(path.parent, written)
    (study,) = load_studies(["sparse"])
    assert study.summary == written.summary()
    assert study.in_full == [study.taken] == [FullTraining(None, 8, 0.9, 0.5)]
    names = [MAIN_FIGURES[objective]]
    if n_trials == ENOUGH_FOR_IMPORTANCES:
        names.append(IMPORTANCES)
    assert [figure.stem for figure in study.figures] == names


# what is refused


def test_a_missing_study_is_refused_with_the_stage_that_makes_it(path: Path):
    with pytest.raises(DataError) as caught:
        load_studies(["sparse"])
    assert str(caught.value) == f"{path}: no such file; `dvc repro tune@sparse` makes it"


def test_a_missing_figure_is_refused_with_the_stage_that_makes_it(path: Path):
    write_json(path, SMALLEST_CODE)
    figure = path.parent / "figures/code_and_share.png"
    figure.unlink()
    with pytest.raises(DataError) as caught:
        load_studies(["sparse"])
    assert str(caught.value) == f"{figure}: no such file; `dvc repro tune@sparse` makes it"


def test_a_file_that_is_cut_is_refused_with_the_stage_that_makes_it(path: Path):
    text = json.dumps(SMALLEST_CODE)
    path.write_text(text[: len(text) // 2])
    with pytest.raises(DataError) as caught:
        load_studies(["sparse"])
    message = str(caught.value)
    assert message.startswith(f"{path}: not JSON (")
    assert message.endswith(f"{AGAIN}: stage tune@sparse")


TAKEN = SMALLEST_CODE["taken"]
BROKEN = {
    "a list": [1],
    "a number": 1,
    "another objective": SMALLEST_CODE | {"objective": "least"},
    "a share in words": SMALLEST_CODE | {"asked": "0.85"},
    "no code size": SMALLEST_CODE | {"taken": without(TAKEN, "code_size")},
    "a trial in words": SMALLEST_CODE | {"taken": TAKEN | {"trial": "3"}},
    "values in a list": SMALLEST_CODE | {"taken": TAKEN | {"values": [6]}},
    "taken without a training": SMALLEST_CODE | {"in_full": [UNTUNED]},
    "a training that is a number": SMALLEST_CODE | {"in_full": [OF_TRIAL, 3]},
    "a finding that is a number": SMALLEST_CODE | {"summary": [1]},
    **{f"no {name}": without(SMALLEST_CODE, name) for name in SMALLEST_CODE},
}


@pytest.mark.parametrize("written", BROKEN.values(), ids=BROKEN.keys())
def test_a_file_that_holds_something_else_is_refused_with_the_stage_that_makes_it(
    path: Path, written: object
):
    write_json(path, written)
    with pytest.raises(DataError) as caught:
        load_studies(["sparse"])
    message = str(caught.value)
    assert message.startswith(f"{path}: not what tune@sparse wrote (")
    assert message.endswith(AGAIN)
